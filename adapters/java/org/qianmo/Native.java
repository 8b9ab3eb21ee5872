package org.qianmo;

/** Loads libqianmo_jni: from the file that the property org.qianmo.library names, or as installed. */
final class Native {
  private static volatile boolean loaded;

  private Native() {}

  /* Not in a static initializer: loading looks up the other classes, and two threads that
   * initialize two classes at once would wait for each other. */
  static void load() {
    if (loaded) return;
    synchronized (Native.class) {
      if (loaded) return;
      String path = System.getProperty("org.qianmo.library");
      if (path != null) System.load(path);
      else System.loadLibrary("qianmo_jni");
      loaded = true;
    }
  }
}
