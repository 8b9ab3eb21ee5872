package org.qianmo;

/**
 * From {@link Database#begin} or inside {@link Database#transaction}. Short: while it is open
 * others wait. Calls of several threads take turns. Closing one that was not committed cancels it.
 */
public final class Transaction implements AutoCloseable {
  private static final int ESTATE = -5;
  private final Database db; /* keeps it from being reaped */
  private long handle;

  Transaction(Database db, String space) {
    this.db = db;
    handle = nBegin(db.peer, Utf8.bytes(space));
  }

  /** What {@link #create} gives. */
  public static final class Created {
    public final String id;
    /** It was there already: what shows the key was opened. */
    public final boolean existed;

    Created(String id, boolean existed) {
      this.id = id;
      this.existed = existed;
    }
  }

  private long tx() {
    if (handle == 0) throw QianmoException.of(ESTATE, "the transaction has ended");
    return handle;
  }

  public synchronized void commit() {
    long tx = tx();
    handle = 0;
    nCommit(db.peer, tx);
  }

  public synchronized void cancel() {
    long tx = handle;
    handle = 0;
    if (tx != 0) nCancel(db.peer, tx);
  }

  @Override public void close() {
    cancel();
  }

  public synchronized int written() {
    return nWritten(db.peer, tx());
  }

  public synchronized void shown(String token) {
    nShown(db.peer, tx(), Utf8.bytes(token));
  }

  /** qm_new. */
  public synchronized Created create(String collection, String key) {
    boolean[] existing = new boolean[1];
    byte[] id = nNew(db.peer, tx(), Utf8.bytes(collection), Utf8.bytes(key), existing);
    return new Created(Utf8.text(id), existing[0]);
  }

  public Created create(String collection) {
    return create(collection, "");
  }

  public synchronized void delete(String collection, String record) {
    nDelete(db.peer, tx(), Utf8.bytes(collection), Utf8.bytes(record));
  }

  public synchronized void restore(String collection, String record) {
    nRestore(db.peer, tx(), Utf8.bytes(collection), Utf8.bytes(record));
  }

  public synchronized void merge(String collection, String a, String b) {
    nMerge(db.peer, tx(), Utf8.bytes(collection), Utf8.bytes(a), Utf8.bytes(b));
  }

  public synchronized void unmerge(String collection, String record) {
    nUnmerge(db.peer, tx(), Utf8.bytes(collection), Utf8.bytes(record));
  }

  public synchronized void distinct(String collection, String a, String b) {
    nDistinct(db.peer, tx(), Utf8.bytes(collection), Utf8.bytes(a), Utf8.bytes(b));
  }

  public synchronized void notDistinct(String collection, String a, String b) {
    nNotDistinct(db.peer, tx(), Utf8.bytes(collection), Utf8.bytes(a), Utf8.bytes(b));
  }

  public synchronized String split(String collection, String record, String device) {
    return Utf8.text(nSplit(db.peer, tx(), Utf8.bytes(collection), Utf8.bytes(record),
        Utf8.bytes(device)));
  }

  public synchronized void set(String collection, String record, String field, String value,
      int flags) {
    nSet(db.peer, tx(), Utf8.bytes(collection), Utf8.bytes(record), Utf8.bytes(field),
        Utf8.bytes(value), flags);
  }

  public void set(String collection, String record, String field, String value) {
    set(collection, record, field, value, 0);
  }

  public synchronized void settle(String collection, String record, String field, String value,
      int flags) {
    nSettle(db.peer, tx(), Utf8.bytes(collection), Utf8.bytes(record), Utf8.bytes(field),
        Utf8.bytes(value), flags);
  }

  public void settle(String collection, String record, String field, String value) {
    settle(collection, record, field, value, 0);
  }

  public synchronized void raise(String collection, String record, String field, String value,
      int flags) {
    nRaise(db.peer, tx(), Utf8.bytes(collection), Utf8.bytes(record), Utf8.bytes(field),
        Utf8.bytes(value), flags);
  }

  public void raise(String collection, String record, String field, String value) {
    raise(collection, record, field, value, 0);
  }

  public synchronized void lower(String collection, String record, String field, String value,
      int flags) {
    nLower(db.peer, tx(), Utf8.bytes(collection), Utf8.bytes(record), Utf8.bytes(field),
        Utf8.bytes(value), flags);
  }

  public void lower(String collection, String record, String field, String value) {
    lower(collection, record, field, value, 0);
  }

  public synchronized void add(String collection, String record, String field, String element,
      int flags) {
    nAdd(db.peer, tx(), Utf8.bytes(collection), Utf8.bytes(record), Utf8.bytes(field),
        Utf8.bytes(element), flags);
  }

  public void add(String collection, String record, String field, String element) {
    add(collection, record, field, element, 0);
  }

  public synchronized void remove(String collection, String record, String field, String element,
      int flags) {
    nRemove(db.peer, tx(), Utf8.bytes(collection), Utf8.bytes(record), Utf8.bytes(field),
        Utf8.bytes(element), flags);
  }

  public void remove(String collection, String record, String field, String element) {
    remove(collection, record, field, element, 0);
  }

  public synchronized void inc(String collection, String record, String field, long delta) {
    nInc(db.peer, tx(), Utf8.bytes(collection), Utf8.bytes(record), Utf8.bytes(field), delta);
  }

  public synchronized void append(String collection, String record, String field, String value,
      int flags) {
    nAppend(db.peer, tx(), Utf8.bytes(collection), Utf8.bytes(record), Utf8.bytes(field),
        Utf8.bytes(value), flags);
  }

  public void append(String collection, String record, String field, String value) {
    append(collection, record, field, value, 0);
  }

  public synchronized void reverse(String collection, String record, String field, String entry,
      String reason) {
    nReverse(db.peer, tx(), Utf8.bytes(collection), Utf8.bytes(record), Utf8.bytes(field),
        Utf8.bytes(entry), Utf8.bytes(reason));
  }

  /** Positions are code points, never Java's chars: see {@link String#codePointCount}. */
  public synchronized void splice(String collection, String record, String field, long at,
      long cut, String text) {
    nSplice(db.peer, tx(), Utf8.bytes(collection), Utf8.bytes(record), Utf8.bytes(field), at, cut,
        Utf8.bytes(text));
  }

  public synchronized void insert(String collection, String record, String field, long at,
      String value, int flags) {
    nInsert(db.peer, tx(), Utf8.bytes(collection), Utf8.bytes(record), Utf8.bytes(field), at,
        Utf8.bytes(value), flags);
  }

  public void insert(String collection, String record, String field, long at, String value) {
    insert(collection, record, field, at, value, 0);
  }

  public synchronized void replace(String collection, String record, String field, long at,
      String value, int flags) {
    nReplace(db.peer, tx(), Utf8.bytes(collection), Utf8.bytes(record), Utf8.bytes(field), at,
        Utf8.bytes(value), flags);
  }

  public void replace(String collection, String record, String field, long at, String value) {
    replace(collection, record, field, at, value, 0);
  }

  public synchronized void removeAt(String collection, String record, String field, long at,
      long count) {
    nRemoveAt(db.peer, tx(), Utf8.bytes(collection), Utf8.bytes(record), Utf8.bytes(field), at,
        count);
  }

  public synchronized void put(String collection, String record, String field, String value,
      int flags) {
    nPut(db.peer, tx(), Utf8.bytes(collection), Utf8.bytes(record), Utf8.bytes(field),
        Utf8.bytes(value), flags);
  }

  public void put(String collection, String record, String field, String value) {
    put(collection, record, field, value, 0);
  }

  public synchronized String attach(String collection, String record, String field, String path) {
    return Utf8.text(nAttach(db.peer, tx(), Utf8.bytes(collection), Utf8.bytes(record),
        Utf8.bytes(field), Utf8.bytes(path)));
  }

  private native long nBegin(long db, byte[] space);

  private native void nCommit(long db, long tx);

  private native void nCancel(long db, long tx);

  private native int nWritten(long db, long tx);

  private native void nShown(long db, long tx, byte[] token);

  private native byte[] nNew(long db, long tx, byte[] collection, byte[] key, boolean[] existing);

  private native void nDelete(long db, long tx, byte[] collection, byte[] record);

  private native void nRestore(long db, long tx, byte[] collection, byte[] record);

  private native void nMerge(long db, long tx, byte[] collection, byte[] a, byte[] b);

  private native void nUnmerge(long db, long tx, byte[] collection, byte[] record);

  private native void nDistinct(long db, long tx, byte[] collection, byte[] a, byte[] b);

  private native void nNotDistinct(long db, long tx, byte[] collection, byte[] a, byte[] b);

  private native byte[] nSplit(long db, long tx, byte[] collection, byte[] record, byte[] device);

  private native void nSet(long db, long tx, byte[] collection, byte[] record, byte[] field,
      byte[] value, int flags);

  private native void nSettle(long db, long tx, byte[] collection, byte[] record, byte[] field,
      byte[] value, int flags);

  private native void nRaise(long db, long tx, byte[] collection, byte[] record, byte[] field,
      byte[] value, int flags);

  private native void nLower(long db, long tx, byte[] collection, byte[] record, byte[] field,
      byte[] value, int flags);

  private native void nAdd(long db, long tx, byte[] collection, byte[] record, byte[] field,
      byte[] element, int flags);

  private native void nRemove(long db, long tx, byte[] collection, byte[] record, byte[] field,
      byte[] element, int flags);

  private native void nInc(long db, long tx, byte[] collection, byte[] record, byte[] field,
      long delta);

  private native void nAppend(long db, long tx, byte[] collection, byte[] record, byte[] field,
      byte[] value, int flags);

  private native void nReverse(long db, long tx, byte[] collection, byte[] record, byte[] field,
      byte[] entry, byte[] reason);

  private native void nSplice(long db, long tx, byte[] collection, byte[] record, byte[] field,
      long at, long cut, byte[] text);

  private native void nInsert(long db, long tx, byte[] collection, byte[] record, byte[] field,
      long at, byte[] value, int flags);

  private native void nReplace(long db, long tx, byte[] collection, byte[] record, byte[] field,
      long at, byte[] value, int flags);

  private native void nRemoveAt(long db, long tx, byte[] collection, byte[] record, byte[] field,
      long at, long count);

  private native void nPut(long db, long tx, byte[] collection, byte[] record, byte[] field,
      byte[] value, int flags);

  private native byte[] nAttach(long db, long tx, byte[] collection, byte[] record, byte[] field,
      byte[] path);
}
