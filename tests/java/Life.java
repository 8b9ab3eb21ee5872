import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.qianmo.Database;
import org.qianmo.Options;
import org.qianmo.Qianmo;
import org.qianmo.QianmoException;
import org.qianmo.Rows;
import org.qianmo.Transaction;

/** Threads, listeners, hooks, texts, and what stays behind: nothing. All names invented. */
final class Life {
  private static final int LEAK_CALLS = 6000, LEAK_KB = 6000;

  private Life() {}

  private static Database make(Path directory, String name, Options options) throws IOException {
    Database db = Database.open(directory.resolve(name).toString(), options.flags(Qianmo.CREATE));
    db.spaceCreate("grid", Tap.file("fixtures/schemas/plain.json"), "grid");
    return db;
  }

  private static Object field(Database db, String record, String field) {
    return Json.map(Json.object(db.get("grid", "household", record)).get("fields")).get(field);
  }

  private static Thread start(Tap.Call body, String[] code) {
    Thread t = new Thread(() -> code[0] = Tap.code(body));
    t.start();
    return t;
  }

  /** How many descriptors of this process are of a file below this one's name. */
  private static int descriptors(String path) {
    int n = 0;
    File[] all = new File("/proc/self/fd").listFiles();
    for (File f : all == null ? new File[0] : all)
      try {
        if (Files.readSymbolicLink(f.toPath()).toString().startsWith(path)) n++;
      } catch (IOException e) {
        // closed meanwhile
      }
    return n;
  }

  // ---- threads ----

  private static void writers(Path directory) throws Exception {
    Database db = make(directory, "writers.db", new Options().busyMs(60000));
    db.transaction("grid", tx -> tx.create("household", "1"));
    final int threads = 6, each = 20;
    final AtomicInteger read = new AtomicInteger();
    List<Thread> all = new ArrayList<Thread>();
    String[][] codes = new String[threads][1];
    for (int i = 0; i < threads; i++)
      all.add(start(() -> {
        for (int k = 0; k < each; k++) {
          db.transaction("grid", tx -> {
            tx.inc("household", "key:1", "visits", 1);
            return null;
          });
          if (field(db, "key:1", "visits") != null) read.incrementAndGet();
        }
      }, codes[i]));
    for (Thread t : all) t.join();
    boolean clean = true;
    for (String[] code : codes) clean &= code[0].isEmpty();
    Tap.check(clean && read.get() == threads * each, "six threads write and read");
    Tap.check(field(db, "key:1", "visits").equals((long) threads * each), "and nothing is lost");
    db.close();
  }

  private static void closing(Path directory) throws Exception {
    Database db = make(directory, "closing.db", new Options());
    String cursor = (String) Json.lines(db.changes("", 0)).get(0).get("cursor");
    String[] waits = {null}, events = {null};
    Thread a = start(() -> db.changesWait(cursor, Qianmo.FOR_EVER), waits);
    Thread b = start(() -> {
      for (;;) db.events(Qianmo.FOR_EVER);
    }, events);
    Transaction tx = db.begin("grid");
    tx.create("household", "1");
    db.close();
    a.join();
    b.join();
    Tap.check(waits[0].equals("ECLOSED") || waits[0].equals("ESTATE"), "closing sends away who waits");
    Tap.check(events[0].equals("ECLOSED") || events[0].equals("ESTATE"), "for events too");
    Tap.check(Tap.code(() -> db.status(0)).equals("ESTATE"), "a closed database says so");
    Tap.check(Tap.code(() -> tx.commit()).equals("ESTATE"), "so does its transaction");
    db.close();
    tx.close();
    db.interrupt();
    db.syncCancel();
    db.unlisten();
    Tap.check(descriptors(directory.resolve("closing.db").toString()) == 0, "closed again: no effect");
    String[] codes = {null};
    for (int i = 0; i < 30; i++) { // calls and closing at the same time
      Database each = Database.open(directory.resolve("closing.db").toString(), 0);
      Thread t = start(() -> {
        for (;;) each.status(Qianmo.FAST);
      }, codes);
      each.close();
      t.join();
      if (!codes[0].equals("ESTATE")) break;
    }
    Tap.check(codes[0].equals("ESTATE"), "closing waits for calls");
  }

  private static void forgotten(Path directory) throws Exception {
    String path = directory.resolve("forgotten.db").toString();
    make(directory, "forgotten.db", new Options());
    boolean open = descriptors(path) > 0;
    for (int i = 0; i < 200 && descriptors(path) > 0; i++) {
      System.gc();
      Database.open(directory.resolve("closing.db").toString(), 0).close();
    }
    Tap.check(open && descriptors(path) == 0, "a forgotten database is closed at a later opening");
  }

  // ---- listeners and hooks ----

  private static void listeners(Path directory) throws Exception {
    Database db = make(directory, "listeners.db", new Options());
    final Set<Thread> threads = Collections.synchronizedSet(new HashSet<Thread>());
    final AtomicReference<Throwable> caught = new AtomicReference<Throwable>();
    final AtomicInteger told = new AtomicInteger();
    final String[] codes = {"", ""};
    final CountDownLatch threw = new CountDownLatch(1);
    Thread.setDefaultUncaughtExceptionHandler((t, e) -> {
      caught.set(e);
      threw.countDown();
    });
    db.listen(event -> {
      threads.add(Thread.currentThread());
      codes[0] = Tap.code(() -> db.unlisten());
      codes[1] = Tap.code(() -> db.close());
      db.status(Qianmo.FAST);
      if (told.incrementAndGet() == 1) throw new IllegalStateException("as an app's code may");
    });
    Tap.check(Tap.code(() -> db.listen(event -> { })).equals("ESTATE"), "one listener");
    for (int i = 1; told.get() < 300; i++) {
      final String key = "" + i;
      final int before = told.get();
      db.transaction("grid", tx -> tx.create("household", key));
      while (told.get() == before) Thread.yield();
    }
    db.unlisten();
    Tap.check(threads.size() == 1, "300 events on one thread");
    Thread thread = threads.iterator().next();
    Tap.check(thread.isDaemon() && thread.getName().equals("qianmo-events"), "which is a daemon");
    thread.join(30000);
    Tap.check(!thread.isAlive(), "and ends with listening");
    threw.await(30, TimeUnit.SECONDS);
    Tap.check(caught.get() instanceof IllegalStateException, "what it throws goes to its handler");
    Tap.check(codes[0].equals("ESTATE") && codes[1].equals("ESTATE"),
        "it can neither unlisten nor close");
    caught.set(null);
    CountDownLatch busy = new CountDownLatch(1);
    db.listen(event -> {
      busy.countDown();
      for (;;) db.status(Qianmo.FAST);
    });
    db.transaction("grid", tx -> tx.create("household", "last"));
    busy.await();
    db.close();
    Tap.check(caught.get() == null, "closing ends a listener that is at work");
  }

  private static void hooks(Path directory) throws Exception {
    final AtomicInteger asked = new AtomicInteger();
    final Database[] self = {null};
    final String[] code = {""};
    Database db = make(directory, "hooks.db", new Options().clock(() -> {
      asked.incrementAndGet();
      if (self[0] != null) code[0] = Tap.code(() -> self[0].status(0));
      return 1900000000000L;
    }).instance(() -> new byte[16]).random(n -> {
      byte[] bytes = new byte[n];
      new java.security.SecureRandom().nextBytes(bytes);
      return bytes;
    }));
    db.transaction("grid", tx -> {
      for (int i = 0; i < 500; i++) tx.create("household", "n" + i);
      return null;
    });
    Map<String, Object> detail =
        Json.object(db.get("grid", "household", "key:n7", Qianmo.DETAIL));
    Map<String, Object> who = Json.map(Json.map(detail.get("shown")).get("number"));
    Tap.check(asked.get() > 0 && who.get("time").equals(1900000000000L), "the clock is asked");
    self[0] = db;
    db.transaction("grid", tx -> tx.create("household", "last"));
    self[0] = null;
    Tap.check(code[0].equals("ESTATE"), "a hook that calls the database is refused");
    db.close();
    String path = directory.resolve("hooks-2.db").toString();
    Tap.check(Tap.code(() -> Database.open(path, new Options().flags(Qianmo.CREATE)
        .random(n -> new byte[n - 1]))).equals("EINVAL"), "too few random bytes");
    Tap.check(Tap.code(() -> Database.open(path, new Options().flags(Qianmo.CREATE)
        .random(n -> null))).equals("EIO"), "none at all");
    Tap.check(Tap.code(() -> Database.open(path, new Options().flags(Qianmo.CREATE)
        .random(n -> {
          throw QianmoException.of(-72);
        }))).equals("EREADONLY"), "a hook's code is the call's");
    Tap.check(Tap.code(() -> Database.open(path, new Options().flags(Qianmo.CREATE)
        .random(n -> {
          throw new StackOverflowError();
        }))).equals("EIO"), "and an Error is one too");
    Database.open(path, new Options().flags(Qianmo.CREATE).log((level, message) -> {
      throw new IllegalStateException("as an app's code may");
    })).close();
    Tap.check(true, "a log hook that throws hurts nobody");
  }

  // ---- texts and rows ----

  private static void texts(Path directory) throws Exception {
    Database db = make(directory, "texts.db", new Options());
    String[] heads = {"王小明", "𠮷野", "\uD869\uDED6\uD840\uDC0B", "👪 é", "a\"\\\n\t",
        "nul\u0000inside", ""};
    for (int i = 0; i < heads.length; i++) {
      final String head = heads[i], key = "t" + i;
      db.transaction("grid", tx -> {
        String id = tx.create("household", key).id;
        tx.set("household", id, "head", head);
        return id;
      });
      Object got = field(db, "key:" + key, "head");
      Tap.check(head.equals(got == null ? "" : got), "text " + i + " comes back as it was");
    }
    for (String bad : new String[] {"\uD842", "x\uDFB7", "\uDFB7\uD842"})
      Tap.check(Tap.code(() -> db.search("", "", bad, 0, 0)).equals("EUTF8"),
          "half a surrogate pair is refused");
    Tap.check(Tap.code(() -> db.get("grid", "household", null)).contains("NullPointer"),
        "null is no text");
    Tap.check(Tap.code(() -> Database.open("a\u0000b", Qianmo.CREATE)).equals("EINVAL"),
        "a path with a NUL");
    db.transaction("grid", tx -> {
      tx.splice("household", "key:t0", "notes", Qianmo.END, 0, "𠮷b");
      tx.splice("household", "key:t0", "notes", 1, 1, "c");
      return null;
    });
    Tap.check(field(db, "key:t0", "notes").equals("𠮷c"), "positions are code points");
    db.close();
  }

  private static void rows(Path directory) throws Exception {
    Database db = make(directory, "rows.db", new Options());
    db.transaction("grid", tx -> {
      for (int i = 0; i < 700; i++) {
        String id = tx.create("household", "r" + i).id;
        tx.set("household", id, "head", "𠮷 (invented) " + i);
      }
      return null;
    });
    Rows rows = new Rows();
    StringBuilder all = new StringBuilder();
    String after = "";
    int pages = 0, n = 0;
    do {
      db.list(rows, "grid", "household", after, 256, 0);
      pages++;
      while (rows.next()) {
        n++;
        if (rows.line().remaining() < 26 || !rows.line().isDirect() || !rows.line().isReadOnly())
          n = -10000;
        after = (String) Json.object(rows.text()).get("id");
        all.append(rows.text()).append('\n');
      }
    } while (rows.size() > 0);
    Tap.check(n == 700 && pages == 4, "700 records in pages of one direct buffer");
    Tap.check(all.toString().equals(db.list("grid", "household", "", 1000, 0)), "as one text has them");
    db.sql(rows, "SELECT count(*) FROM household", "", 0, 0);
    Tap.check(rows.next() && rows.next() && rows.text().equals("[700]"), "rows of a statement");
    Tap.check(Tap.code(() -> db.sql(rows, "nonsense", "", 0, 0)).equals("EINVAL") && !rows.next()
        && rows.size() == 0, "none after an error");
    db.changes(rows, "", 0);
    Tap.check(rows.next() && rows.text().contains("\"all\":true"), "rows of what changed");
    db.close();
  }

  // ---- what stays ----

  private static long kilobytes() throws IOException {
    for (String line : Files.readAllLines(Paths.get("/proc/self/status")))
      if (line.startsWith("VmRSS:")) return Long.parseLong(line.replaceAll("[^0-9]", ""));
    throw new IOException("no VmRSS");
  }

  /** One of everything that takes memory of the library's or references of the JVM's. */
  private static void once(Database db, Rows rows, String large) {
    db.get("grid", "household", "key:1");
    db.list(rows, "grid", "household", "", 0, 0);
    Tap.code(() -> db.get("grid", "household", "key:2"));
    Tap.code(() -> db.search("grid", "", large, 0, 0));
    try (Transaction tx = db.begin("grid")) {
      tx.set("household", "key:1", "notes", large);
      Tap.code(() -> tx.set("household", "key:1", "visits", "x"));
    }
    db.listen(event -> { });
    db.unlisten();
  }

  private static void leaks(Path directory) throws Exception {
    char[] letters = new char[4000];
    java.util.Arrays.fill(letters, '王');
    String large = new String(letters);
    String path = directory.resolve("leaks.db").toString();
    Database db = make(directory, "leaks.db", new Options().log((level, message) -> { }));
    db.transaction("grid", tx -> {
      String id = tx.create("household", "1").id;
      tx.set("household", id, "notes", large);
      return id;
    });
    Rows rows = new Rows();
    for (int i = 0; i < LEAK_CALLS / 4; i++) once(db, rows, large);
    System.gc();
    long before = kilobytes();
    for (int i = 0; i < LEAK_CALLS; i++) once(db, rows, large);
    System.gc();
    long grown = kilobytes() - before;
    Tap.check(grown < LEAK_KB, LEAK_CALLS + " rounds of calls leave nothing (" + grown + " kB)");
    db.close();
    before = kilobytes();
    for (int i = 0; i < 60; i++)
      Database.open(path, new Options().clock(() -> 1900000000000L)).close();
    Tap.check(kilobytes() - before < LEAK_KB && descriptors(path) == 0, "60 openings neither");
    Tap.check(Thread.activeCount() < 8, "no thread stays");
  }

  public static void main(String[] args) {
    Tap.run(directory -> {
      writers(directory);
      closing(directory);
      forgotten(directory);
      listeners(directory);
      hooks(directory);
      texts(directory);
      rows(directory);
      leaks(directory);
    });
  }
}
