import java.io.IOException;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.interfaces.ECPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.qianmo.Database;
import org.qianmo.EcSigner;
import org.qianmo.Link;
import org.qianmo.Options;
import org.qianmo.Qianmo;
import org.qianmo.QianmoException;
import org.qianmo.Review;
import org.qianmo.SyncProgress;
import org.qianmo.SyncResult;
import org.qianmo.Transaction;

/** Two phones and a real hub: offline, edit, sync, review. One phone keeps its key as bytes, the
 * other has one that only signs. All names invented. */
final class Round {
  private static final String HEAD = "王小民 𠮷 (invented)";

  private Round() {}

  /** What a phone's hooks see. */
  static final class Seen {
    byte[] key;
    final List<byte[][]> chains = new ArrayList<byte[][]>();
    final List<String> log = Collections.synchronizedList(new ArrayList<String>());
    final AtomicInteger signed = new AtomicInteger();
  }

  private static Options options(final Seen seen) {
    return new Options().flags(Qianmo.CREATE).hubCheck(new Options.HubCheck() {
      @Override public void check(String host, byte[][] chain) {
        seen.chains.add(chain);
      }
    }).log(new Options.Log() {
      @Override public void log(int level, String message) {
        seen.log.add(message);
      }
    });
  }

  private static Options keeping(final Seen seen) {
    return options(seen).keyStore(new Options.KeyStore() {
      @Override public byte[] load() {
        return seen.key;
      }

      @Override public void save(byte[] key) {
        seen.key = key;
      }
    });
  }

  /** As Android's key store: the private key is only used. */
  private static Options signing(final Seen seen, final KeyPair pair) {
    final EcSigner signer = new EcSigner(pair.getPrivate(), (ECPublicKey) pair.getPublic());
    return options(seen).signer(new Options.Signer() {
      @Override public byte[] point() throws Exception {
        return signer.point();
      }

      @Override public byte[] sign(byte[] digest) throws Exception {
        seen.signed.incrementAndGet();
        return signer.sign(digest);
      }
    });
  }

  private static KeyPair pair() throws Exception {
    KeyPairGenerator g = KeyPairGenerator.getInstance("EC");
    g.initialize(new ECGenParameterSpec("secp256r1"));
    return g.generateKeyPair();
  }

  private static void write(Database db, final String field, final String value) {
    db.transaction("grid", new Database.Work<Void>() {
      @Override public Void run(Transaction tx) {
        tx.set("household", "key:101", field, value);
        return null;
      }
    });
  }

  private static Object status(Database db) {
    return Json.object(db.recordStatus("grid", "household", "key:101")).get("status");
  }

  /** The program's own transport. */
  private static SyncResult carry(Link link, int port) throws IOException {
    Socket s = new Socket("127.0.0.1", port);
    byte[] piece = new byte[16384];
    try {
      for (;;) {
        for (byte[] out = link.take(); out.length > 0; out = link.take())
          s.getOutputStream().write(out);
        if (link.over()) return link.finish();
        int wait = link.waitMs();
        s.setSoTimeout(wait <= 0 ? 30000 : Math.min(wait, 30000));
        int n = 0;
        try {
          n = s.getInputStream().read(piece);
        } catch (SocketTimeoutException e) {
          // the time is over: feed nothing
        }
        if (n < 0) return link.finish();
        for (int at = 0; ; ) {
          at += link.feed(piece, at, n - at);
          if (at == n) break;
        }
      }
    } finally {
      s.close();
    }
  }

  private static void edit(Database east, Database west, Seen seen, Hub hub) throws Exception {
    east.sync();
    boolean existed = east.transaction("grid", new Database.Work<Boolean>() {
      @Override public Boolean run(Transaction tx) {
        Transaction.Created made = tx.create("household", "101");
        tx.set("household", made.id, "head", HEAD);
        return made.existed;
      }
    });
    Tap.check(!existed && status(east).equals("local"), "a record, offline; it is local");
    final List<SyncProgress> told = new ArrayList<SyncProgress>();
    SyncResult result = east.sync(60000, new Database.ProgressListener() {
      @Override public void progress(SyncProgress progress) {
        told.add(progress);
      }
    });
    Tap.check(result.segmentsUp == 1 && !result.more, "sync takes it up");
    Tap.check(!told.isEmpty() && told.get(told.size() - 1).bytesUp > 0, "progress was told");
    Tap.check(status(east).equals("acknowledged"), "it is acknowledged");
    west.sync();
    Tap.check(Json.map(Json.object(west.get("grid", "household", "key:101")).get("fields"))
        .get("head").equals(HEAD), "the other has it, with its rare character");
    write(east, "phone", "10000000011");
    write(west, "phone", "10000000022");
    east.sync();
    result = carry(west.link(), hub.port);
    Tap.check(result.segmentsUp == 1 && result.segmentsDown == 1,
        "the other syncs over a transport of its own");
    east.sync();
    Tap.check(seen.signed.get() > 2, "its key only signed, " + seen.signed.get() + " times");
  }

  private static void review(Database east, Database west) {
    List<Map<String, Object>> review =
        Json.lines(east.review("grid", new Review().severity(1)));
    final Map<String, Object> conflict = review.get(0);
    Tap.check(review.size() == 2 && Json.list(conflict.get("values")).size() == 2,
        "what was written at the same time is listed");
    east.transaction("grid", new Database.Work<Void>() {
      @Override public Void run(Transaction tx) {
        tx.shown((String) conflict.get("token"));
        tx.settle("household", (String) conflict.get("id"), "phone", "10000000011");
        return null;
      }
    });
    Tap.check(Json.lines(east.settles("")).size() == 1, "settled, and can be taken back");
    east.sync();
    west.sync();
    Map<String, Object> record = Json.object(west.get("grid", "household", "key:101"));
    Tap.check(Json.map(record.get("fields")).get("phone").equals("10000000011")
        && Json.map(record.get("conflicts")).isEmpty(), "the other sees it");
    Map<String, Object> entry = Json.lines(west.inbox("", Qianmo.UNREAD)).get(0);
    Tap.check(entry.get("reason").equals("settled"), "and is told of it");
    west.inboxSeen((String) entry.get("item"));
    Tap.check(digest(east).equals(digest(west)), "both hold the same");
  }

  private static Object digest(Database db) {
    return Json.map(Json.list(Json.object(db.status(0)).get("spaces")).get(0)).get("digest");
  }

  private static void stay(final Database east, Database west) throws Exception {
    final CountDownLatch live = new CountDownLatch(1), changed = new CountDownLatch(1);
    east.listen(new Database.Listener() {
      @Override public void told(String event) {
        if (event.contains("\"changed\"")) changed.countDown();
      }
    });
    final String[] ended = {"it did not end"};
    Thread staying = new Thread() {
      @Override public void run() {
        ended[0] = Tap.code(new Tap.Call() {
          @Override public void run() {
            east.syncStay(new Database.StayListener() {
              @Override public void told(int code) {
                if (code == 0) live.countDown();
              }
            });
          }
        });
      }
    };
    staying.start();
    Tap.check(live.await(30, TimeUnit.SECONDS), "it stays connected");
    write(west, "address", "Stone Bridge 7 (invented)");
    west.sync();
    Tap.check(changed.await(30, TimeUnit.SECONDS), "a listener hears of what others wrote");
    east.interrupt();
    staying.join(30000);
    Tap.check(ended[0].isEmpty(), "until it is interrupted" + ended[0]);
    east.unlisten();
  }

  /** What a program may do wrong on the way. */
  private static void cut(Database east, Database west) {
    write(east, "address", "Stone Bridge 9 (invented)");
    final IllegalStateException thrown = new IllegalStateException("as an app's code may");
    try {
      east.sync(0, progress -> {
        throw thrown;
      });
      Tap.check(false, "a progress listener that throws");
    } catch (RuntimeException e) {
      Tap.check(e == thrown, "what a progress listener throws comes out of the sync");
    }
    Tap.check(Tap.code(() -> east.sync(0, progress -> east.status(0))).equals("ESTATE"),
        "a progress listener must not call the database");
    Tap.check(Tap.code(() -> east.sync(0, progress -> east.close())).equals("ESTATE"),
        "nor close it");
    east.sync();
    Link left = west.link();
    Tap.check(left.take().length > 0 && Tap.code(() -> west.sync()).equals("EBUSY"),
        "a link is the sync");
    Transaction open = west.begin("grid");
    west.close();
    east.close();
    Tap.check(Tap.code(() -> left.take()).equals("ESTATE")
        && Tap.code(() -> open.commit()).equals("ESTATE"), "closing ends links and transactions");
    left.close();
    open.close();
  }

  private static void keys(Path directory, final Seen east) throws Exception {
    final String path = directory.resolve("East.db").toString();
    byte[] key = east.key;
    east.key = null;
    Tap.check(Tap.code(new Tap.Call() {
      @Override public void run() {
        Database.open(path, keeping(east)).close();
      }
    }).equals("EACCESS"), "it does not open without its key");
    final IllegalStateException locked = new IllegalStateException("locked");
    try {
      Database.open(path, new Options().keyStore(new Options.KeyStore() {
        @Override public byte[] load() {
          throw locked;
        }

        @Override public void save(byte[] bytes) {}
      })).close();
      Tap.check(false, "a key store that throws");
    } catch (QianmoException e) {
      Tap.check(e instanceof QianmoException.Storage && e.getCause() == locked,
          "a key store that throws is the cause");
    }
    east.key = key;
    Database.open(path, keeping(east)).close();
    Tap.check(true, "and opens with it");
  }

  private static void refuse(Path directory, Hub hub) throws Exception {
    final Database db = Database.open(directory.resolve("Third.db").toString(),
        new Options().flags(Qianmo.CREATE).hubCheck(new Options.HubCheck() {
          @Override public void check(String host, byte[][] chain) {
            throw QianmoException.of(-96);
          }
        }));
    final String address = hub.address(), code = hub.code("Third");
    Tap.check(Tap.code(new Tap.Call() {
      @Override public void run() {
        db.enroll(address, code, "");
      }
    }).equals("EREVOKED"), "a hub whose certificate the app refuses is not enrolled with");
    db.close();
  }

  private static void play(Path directory) throws Exception {
    Hub hub = new Hub(directory);
    try {
      Seen a = new Seen(), b = new Seen();
      Database east = Database.open(directory.resolve("East.db").toString(), keeping(a));
      Database west = Database.open(directory.resolve("West.db").toString(), signing(b, pair()));
      east.enroll(hub.address(), hub.code("East"), "phone of East");
      west.enroll(hub.address(), hub.code("West"), "phone of West");
      Tap.check(a.key != null && a.chains.size() == 1 && a.chains.get(0).length == 2,
          "one key lies with the app; the hub's certificates were shown");
      edit(east, west, b, hub);
      review(east, west);
      stay(east, west);
      east.suspend(2000);
      final Database suspended = east;
      Tap.check(Tap.code(new Tap.Call() {
        @Override public void run() {
          suspended.status(0);
        }
      }).equals("ESUSPENDED"), "suspended");
      east.resume();
      write(east, "address", "Stone Bridge 8 (invented)");
      Tap.check(east.sync().segmentsUp == 1, "and back");
      cut(east, west);
      keys(directory, a);
      refuse(directory, hub);
      boolean personal = false;
      for (Seen seen : new Seen[] {a, b})
        for (String line : seen.log) personal |= line.contains("王") || line.contains("10000000");
      Tap.check(!personal, "no personal value is logged");
    } finally {
      hub.close();
    }
  }

  public static void main(String[] args) {
    Tap.run(new Tap.Body() {
      @Override public void run(Path directory) throws Exception {
        play(directory);
      }
    });
  }
}
