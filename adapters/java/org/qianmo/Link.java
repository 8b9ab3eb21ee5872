package org.qianmo;

/**
 * A sync over the program's own transport (qm_link), from {@link Database#link}. The loop: send
 * what {@link #take} gives until it gives nothing, wait for bytes for at most {@link #waitMs},
 * {@link #feed} them (or none, when that time is over), until {@link #over}; send what take still
 * gives; {@link #finish}. Calls of several threads take turns.
 */
public final class Link implements AutoCloseable {
  private static final int ESTATE = -5;
  private final Database db; /* keeps it from being reaped */
  private long handle;

  Link(Database db) {
    this.db = db;
    handle = nOpen(db.peer);
  }

  private long link() {
    if (handle == 0) throw QianmoException.of(ESTATE, "the link has ended");
    return handle;
  }

  /** How many of the bytes were taken; take, then feed the rest. */
  public synchronized int feed(byte[] bytes, int at, int count) {
    if (at < 0 || count < 0 || at > bytes.length - count) throw new IndexOutOfBoundsException();
    return nFeed(db.peer, link(), bytes, at, count);
  }

  /** Bytes for the hub; none: nothing now. */
  public synchronized byte[] take() {
    return nTake(db.peer, link());
  }

  /** Milliseconds until feed must be called; below 0: there is no limit. */
  public synchronized int waitMs() {
    return nWait(db.peer, link());
  }

  /** For better or worse. */
  public synchronized boolean over() {
    return nOver(db.peer, link());
  }

  /** What it came to; before its end it is a cut (ECLOSED). After EBUSY call it again. */
  public synchronized SyncResult finish() {
    long[] numbers = new long[SyncResult.NUMBERS];
    long link = link();
    boolean busy = false;
    try {
      nClose(db.peer, link, numbers);
    } catch (QianmoException e) {
      busy = e.name.equals("EBUSY");
      throw e;
    } finally {
      if (!busy) handle = 0;
    }
    return new SyncResult(numbers);
  }

  /** As finish, of one that did not come to its end; a database that is closed has ended it. */
  @Override public synchronized void close() {
    if (handle == 0 || db.isClosed()) return;
    try {
      finish();
    } catch (QianmoException e) {
      if (handle != 0) throw e;
    }
  }

  private native long nOpen(long db);

  private native int nFeed(long db, long link, byte[] bytes, int at, int count);

  private native byte[] nTake(long db, long link);

  private native int nWait(long db, long link);

  private native boolean nOver(long db, long link);

  private native void nClose(long db, long link, long[] numbers);
}
