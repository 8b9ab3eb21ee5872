package org.qianmo;

import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * An open database. {@link #close} it; one that is forgotten is closed when the next one is opened.
 * Calls of any threads, at the same time; closing sends those away that wait, and waits for them.
 */
public final class Database implements AutoCloseable {
  /** Of {@link #listen}: on the library's own thread, one event (a JSON object) at a time. It may
   * call the database, but not close or unlisten. Where the database is being closed meanwhile,
   * its calls end the listener (ESTATE), which nobody hears of. */
  public interface Listener {
    void told(String event);
  }

  /** Of {@link #sync}: on the thread that syncs; may call syncCancel alone. What it throws ends the
   * sync, and comes out of it. */
  public interface ProgressListener {
    void progress(SyncProgress progress);
  }

  /** Of {@link #syncStay}: on the thread that stays; 0: connected. May call interrupt alone. */
  public interface StayListener {
    void told(int code);
  }

  /** Of {@link #transaction}. */
  public interface Work<T> {
    T run(Transaction tx);
  }

  /* What is left of a Database that nobody has any more: its peer. */
  private static final class Left extends PhantomReference<Database> {
    final long peer;

    Left(Database db) {
      super(db, gone);
      peer = db.peer;
    }
  }

  /* Knows nothing of the Database, which may be forgotten while it listens. */
  private static final class Listening implements Listener {
    private static final int ESTATE = -5;
    private final Listener listener;
    private final AtomicBoolean closing;

    Listening(Listener listener, AtomicBoolean closing) {
      this.listener = listener;
      this.closing = closing;
    }

    @Override public void told(String event) {
      try {
        listener.told(event);
      } catch (QianmoException e) {
        if (e.code != ESTATE || !closing.get()) throw e;
      }
    }
  }

  private static final ReferenceQueue<Database> gone = new ReferenceQueue<Database>();
  private static final Set<Left> all = new HashSet<Left>();
  final long peer;
  private final AtomicBoolean closing = new AtomicBoolean();

  private Database(String path, Options options) {
    Hooks hooks = new Hooks(options.copy());
    int mask = hooks.mask();
    peer = nOpen(Utf8.bytes(path), options.numbers.clone(), mask, mask == 0 ? null : hooks);
  }

  public static Database open(String path, Options options) {
    Native.load();
    reap();
    Database db = new Database(path, options);
    synchronized (all) {
      all.add(new Left(db));
    }
    return db;
  }

  public static Database open(String path, int flags) {
    return open(path, new Options().flags(flags));
  }

  private static void reap() {
    for (Object left = gone.poll(); left != null; left = gone.poll()) {
      synchronized (all) {
        all.remove(left);
      }
      nReap(((Left) left).peer);
    }
  }

  /** Again: no effect. */
  @Override public void close() {
    boolean was = closing.getAndSet(true);
    try {
      nClose(peer);
    } catch (QianmoException e) { // from a hook or a listener
      closing.set(was);
      throw e;
    }
  }

  boolean isClosed() {
    return closing.get();
  }

  public void suspend(int deadlineMs) {
    nSuspend(peer, deadlineMs);
  }

  public void resume() {
    nResume(peer);
  }

  public void enroll(String hostPort, String code, String deviceName) {
    nEnroll(peer, Utf8.bytes(hostPort), Utf8.bytes(code), Utf8.bytes(deviceName));
  }

  public void spaceCreate(String name, String schema, String role) {
    nSpaceCreate(peer, Utf8.bytes(name), Utf8.bytes(schema), Utf8.bytes(role));
  }

  public String spaces() {
    return Utf8.text(nSpaces(peer));
  }

  public String schemaText(String space) {
    return Utf8.text(nSchemaText(peer, Utf8.bytes(space)));
  }

  public Transaction begin(String space) {
    return new Transaction(this, space);
  }

  /** Commits what the work wrote, and gives what it gives; what it throws cancels. */
  public <T> T transaction(String space, Work<T> work) {
    Transaction tx = begin(space);
    try {
      T result = work.run(tx);
      tx.commit();
      return result;
    } finally {
      tx.close();
    }
  }

  public String get(String space, String collection, String record, int flags) {
    return Utf8.text(nGet(peer, Utf8.bytes(space), Utf8.bytes(collection), Utf8.bytes(record),
        flags));
  }

  public String get(String space, String collection, String record) {
    return get(space, collection, record, 0);
  }

  public String list(String space, String collection, String after, int limit, int flags) {
    return Utf8.text(nList(peer, Utf8.bytes(space), Utf8.bytes(collection), Utf8.bytes(after),
        limit, flags));
  }

  public void list(Rows rows, String space, String collection, String after, int limit,
      int flags) {
    rows.begin();
    rows.filled(nListRows(peer, rows, Utf8.bytes(space), Utf8.bytes(collection),
        Utf8.bytes(after), limit, flags));
  }

  public String conflicts(String space, String collection) {
    return Utf8.text(nConflicts(peer, Utf8.bytes(space), Utf8.bytes(collection)));
  }

  public String duplicates(String space, String collection, String record, int flags, int limit,
      int offset) {
    return Utf8.text(nDuplicates(peer, Utf8.bytes(space), Utf8.bytes(collection),
        Utf8.bytes(record), flags, limit, offset));
  }

  public String review(String space, Review what) {
    return Utf8.text(nReview(peer, Utf8.bytes(space), what.severity, what.limit, what.offset,
        Utf8.bytes(what.collection), Utf8.bytes(what.record), Utf8.bytes(what.conflict)));
  }

  public String review(String space) {
    return review(space, new Review());
  }

  public String proposals(String space, int limit, int offset) {
    return Utf8.text(nProposals(peer, Utf8.bytes(space), limit, offset));
  }

  public String unfit(String space, int limit, int offset) {
    return Utf8.text(nUnfit(peer, Utf8.bytes(space), limit, offset));
  }

  public String settles(String space) {
    return Utf8.text(nSettles(peer, Utf8.bytes(space)));
  }

  public void undo(String item) {
    nUndo(peer, Utf8.bytes(item));
  }

  public String inbox(String space, int flags) {
    return Utf8.text(nInbox(peer, Utf8.bytes(space), flags));
  }

  public void inboxSeen(String item) {
    nInboxSeen(peer, Utf8.bytes(item));
  }

  public void inboxRestore(String item) {
    nInboxRestore(peer, Utf8.bytes(item));
  }

  public String history(String space, String collection, String record) {
    return Utf8.text(nHistory(peer, Utf8.bytes(space), Utf8.bytes(collection),
        Utf8.bytes(record)));
  }

  public String status(int flags) {
    return Utf8.text(nStatus(peer, flags));
  }

  public String recordStatus(String space, String collection, String record) {
    return Utf8.text(nRecordStatus(peer, Utf8.bytes(space), Utf8.bytes(collection),
        Utf8.bytes(record)));
  }

  /** Binary; to be kept like a key. */
  public byte[] exportHub() {
    return nExportHub(peer);
  }

  public String check() {
    return Utf8.text(nCheck(peer));
  }

  public void keep(int days, int mb) {
    nKeep(peer, days, mb);
  }

  public String refer(String space, String collection, String record, String upper) {
    return Utf8.text(nRefer(peer, Utf8.bytes(space), Utf8.bytes(collection), Utf8.bytes(record),
        Utf8.bytes(upper)));
  }

  public String answers(String space, String collection, String record) {
    return Utf8.text(nAnswers(peer, Utf8.bytes(space), Utf8.bytes(collection),
        Utf8.bytes(record)));
  }

  public String changes(String since, int limit) {
    return Utf8.text(nChanges(peer, Utf8.bytes(since), limit));
  }

  public void changes(Rows rows, String since, int limit) {
    rows.begin();
    rows.filled(nChangesRows(peer, rows, Utf8.bytes(since), limit));
  }

  public void changesWait(String since, int timeoutMs) {
    nChangesWait(peer, Utf8.bytes(since), timeoutMs);
  }

  /** Also from a StayListener; of a closed database: no effect. */
  public void interrupt() {
    nInterrupt(peer);
  }

  public String events(int timeoutMs) {
    return Utf8.text(nEvents(peer, timeoutMs));
  }

  /** A descriptor for a looper: Android's ParcelFileDescriptor.fromFd makes a copy of it. */
  public int eventsFd() {
    return nEventsFd(peer);
  }

  public void listen(Listener listener) {
    if (listener == null) throw new NullPointerException();
    nListen(peer, new Listening(listener, closing));
  }

  /** When it returns, the listener is not running and will not run; not from the listener. */
  public void unlisten() {
    nUnlisten(peer);
  }

  /** parameters: a JSON array, or empty. */
  public String sql(String statement, String parameters, long rows, long ms) {
    return Utf8.text(nSql(peer, Utf8.bytes(statement), Utf8.bytes(parameters), rows, ms));
  }

  public void sql(Rows rows, String statement, String parameters, long most, long ms) {
    rows.begin();
    rows.filled(nSqlRows(peer, rows, Utf8.bytes(statement), Utf8.bytes(parameters), most, ms));
  }

  public String search(String space, String collection, String text, int limit, int offset) {
    return Utf8.text(nSearch(peer, Utf8.bytes(space), Utf8.bytes(collection), Utf8.bytes(text),
        limit, offset));
  }

  public String due(String space, int flags, int limit, int offset) {
    return Utf8.text(nDue(peer, Utf8.bytes(space), flags, limit, offset));
  }

  public void rebuild() {
    nRebuild(peer);
  }

  public String attachments(String space, String collection, String record) {
    return Utf8.text(nAttachments(peer, Utf8.bytes(space), Utf8.bytes(collection),
        Utf8.bytes(record)));
  }

  /** qm_sync_run. budgetMs 0: as long as it takes; listener may be null. */
  public SyncResult sync(int budgetMs, ProgressListener listener) {
    long[] numbers = new long[SyncResult.NUMBERS];
    nSync(peer, budgetMs, listener, numbers);
    return new SyncResult(numbers);
  }

  public SyncResult sync() {
    return sync(0, null);
  }

  /** Also from a ProgressListener; of a closed database: no effect. */
  public void syncCancel() {
    nSyncCancel(peer);
  }

  /** Until interrupt; listener may be null. */
  public void syncStay(StayListener listener) {
    nSyncStay(peer, listener);
  }

  public String exportRefused() {
    return Utf8.text(nExportRefused(peer));
  }

  public Link link() {
    return new Link(this);
  }

  private static native long nOpen(byte[] path, long[] numbers, int mask, Hooks hooks);

  private static native void nReap(long peer);

  private native void nClose(long peer);

  private native void nSuspend(long peer, int deadlineMs);

  private native void nResume(long peer);

  private native void nEnroll(long peer, byte[] hostPort, byte[] code, byte[] deviceName);

  private native void nSpaceCreate(long peer, byte[] name, byte[] schema, byte[] role);

  private native byte[] nSpaces(long peer);

  private native byte[] nSchemaText(long peer, byte[] space);

  private native byte[] nGet(long peer, byte[] space, byte[] collection, byte[] record, int flags);

  private native byte[] nList(long peer, byte[] space, byte[] collection, byte[] after, int limit,
      int flags);

  private native int nListRows(long peer, Rows rows, byte[] space, byte[] collection,
      byte[] after, int limit, int flags);

  private native byte[] nConflicts(long peer, byte[] space, byte[] collection);

  private native byte[] nDuplicates(long peer, byte[] space, byte[] collection, byte[] record,
      int flags, int limit, int offset);

  private native byte[] nReview(long peer, byte[] space, int severity, int limit, int offset,
      byte[] collection, byte[] record, byte[] cls);

  private native byte[] nProposals(long peer, byte[] space, int limit, int offset);

  private native byte[] nUnfit(long peer, byte[] space, int limit, int offset);

  private native byte[] nSettles(long peer, byte[] space);

  private native void nUndo(long peer, byte[] item);

  private native byte[] nInbox(long peer, byte[] space, int flags);

  private native void nInboxSeen(long peer, byte[] item);

  private native void nInboxRestore(long peer, byte[] item);

  private native byte[] nHistory(long peer, byte[] space, byte[] collection, byte[] record);

  private native byte[] nStatus(long peer, int flags);

  private native byte[] nRecordStatus(long peer, byte[] space, byte[] collection, byte[] record);

  private native byte[] nExportHub(long peer);

  private native byte[] nCheck(long peer);

  private native void nKeep(long peer, int days, int mb);

  private native byte[] nRefer(long peer, byte[] space, byte[] collection, byte[] record,
      byte[] upper);

  private native byte[] nAnswers(long peer, byte[] space, byte[] collection, byte[] record);

  private native byte[] nChanges(long peer, byte[] since, int limit);

  private native int nChangesRows(long peer, Rows rows, byte[] since, int limit);

  private native void nChangesWait(long peer, byte[] since, int timeoutMs);

  private native void nInterrupt(long peer);

  private native byte[] nEvents(long peer, int timeoutMs);

  private native int nEventsFd(long peer);

  private native void nListen(long peer, Object listener);

  private native void nUnlisten(long peer);

  private native byte[] nSql(long peer, byte[] statement, byte[] parameters, long rows, long ms);

  private native int nSqlRows(long peer, Rows rows, byte[] statement, byte[] parameters,
      long most, long ms);

  private native byte[] nSearch(long peer, byte[] space, byte[] collection, byte[] text,
      int limit, int offset);

  private native byte[] nDue(long peer, byte[] space, int flags, int limit, int offset);

  private native void nRebuild(long peer);

  private native byte[] nAttachments(long peer, byte[] space, byte[] collection, byte[] record);

  private native void nSync(long peer, int budgetMs, Object listener, long[] numbers);

  private native void nSyncCancel(long peer);

  private native void nSyncStay(long peer, Object listener);

  private native byte[] nExportRefused(long peer);
}
