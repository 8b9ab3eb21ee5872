package org.qianmo;

/** What the library calls in Java (jni_hooks.c, jni_sync.c). Kept by name: consumer-rules.pro. */
final class Hooks {
  private static final int EIO = -70, ENOTFOUND = -60, ECERT = -94;
  /* The numbers of jni_hooks.c, and the bits of qianmo_jni.h. */
  private static final int RANDOM = 0, INSTANCE = 1, KEY_LOAD = 2, KEY_SAVE = 3, KEY_POINT = 4;
  private static final int HAS_NOW = 1, HAS_RANDOM = 2, HAS_LOG = 4, HAS_INSTANCE = 8;
  private static final int HAS_KEY_STORE = 16, HAS_SIGNER = 32, HAS_HUB_CHECK = 64;
  /* What a hook threw on this thread, until the call that it failed says so. */
  private static final ThreadLocal<Throwable> thrown = new ThreadLocal<Throwable>();
  private final Options o;

  Hooks(Options o) {
    this.o = o;
  }

  int mask() {
    return (o.clock != null ? HAS_NOW : 0) | (o.random != null ? HAS_RANDOM : 0)
        | (o.log != null ? HAS_LOG : 0) | (o.instance != null ? HAS_INSTANCE : 0)
        | (o.keyStore != null ? HAS_KEY_STORE : 0) | (o.signer != null ? HAS_SIGNER : 0)
        | (o.hubCheck != null ? HAS_HUB_CHECK : 0);
  }

  /** The exception of a code, with what a hook threw as its cause. */
  static RuntimeException error(int code, byte[] message) {
    QianmoException e = QianmoException.of(code, message);
    Throwable cause = thrown.get();
    thrown.remove();
    if (cause != null && code(cause, EIO) == code) e.initCause(cause);
    return e;
  }

  private static int code(Throwable t, int other) {
    return t instanceof QianmoException ? ((QianmoException) t).code : other;
  }

  private static int failed(Throwable t, int other) {
    thrown.set(t);
    return code(t, other);
  }

  long now() {
    try {
      return o.clock.nowMs();
    } catch (Exception e) {
      return System.currentTimeMillis();
    }
  }

  void log(int level, byte[] message) {
    try {
      o.log.log(level, Utf8.text(message));
    } catch (RuntimeException e) {
      // a log line is not worth a failed call
    }
  }

  byte[] ask(int which, byte[] in, int n, int[] code) {
    try {
      byte[] out = ask(which, in, n);
      boolean wants = which != KEY_SAVE;
      code[0] = out != null || !wants ? 0 : which == KEY_LOAD ? ENOTFOUND : EIO;
      return out;
    } catch (Throwable t) {
      code[0] = failed(t, EIO);
      return null;
    }
  }

  private byte[] ask(int which, byte[] in, int n) throws Exception {
    switch (which) {
      case RANDOM: return o.random.bytes(n);
      case INSTANCE: return o.instance.id();
      case KEY_LOAD: return o.keyStore.load();
      case KEY_POINT: return o.signer.point();
      case KEY_SAVE:
        o.keyStore.save(in);
        return null;
      default: return o.signer.sign(in);
    }
  }

  int check(byte[] host, byte[][] chain) {
    try {
      o.hubCheck.check(Utf8.text(host), chain);
      return 0;
    } catch (Throwable t) {
      return failed(t, ECERT);
    }
  }

  /* On the library's thread: as of any other thread, what nobody catches goes to its handler. */
  static void told(Object listener, byte[] line) {
    try {
      ((Database.Listener) listener).told(Utf8.text(line));
    } catch (Throwable t) {
      Thread here = Thread.currentThread();
      here.getUncaughtExceptionHandler().uncaughtException(here, t);
    }
  }

  static void progress(Object listener, long[] numbers) {
    ((Database.ProgressListener) listener).progress(new SyncProgress(numbers));
  }

  static void stay(Object listener, int code) {
    ((Database.StayListener) listener).told(code);
  }
}
