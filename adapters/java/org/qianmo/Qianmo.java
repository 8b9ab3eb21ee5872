package org.qianmo;

/** What needs no database: flags, the version, schema files, points. */
public final class Qianmo {
  /** Flags of opening. */
  public static final int CREATE = 1, NEW = 2, READONLY = 4, CHECK = 8, TEST_DATA = 16;
  /** Flags of the verbs. */
  public static final int JSON = 1, AGAIN = 2;
  /** Flags of reading. */
  public static final int DETAIL = 1, DELETED = 2, REVIEW = 4, FAST = 8, DISMISSED = 16;
  /** Of {@link Database#due}. */
  public static final int OVERDUE = 32;
  /** Of {@link Database#status}. */
  public static final int CERTIFICATES = 64;
  /** Of {@link Database#inbox}. */
  public static final int UNREAD = 1;
  /** Datums of {@link #pointShown}. */
  public static final int WGS84 = 1, GCJ02 = 2;
  /** As a timeout. */
  public static final int FOR_EVER = -1;
  /** As a position: the end. */
  public static final long END = -1;

  private Qianmo() {}

  public static String version() {
    Native.load();
    return Utf8.text(nVersion());
  }

  /** Columns that a text takes on a terminal. */
  public static int columns(String text) {
    Native.load();
    return nColumns(Utf8.bytes(text));
  }

  public static String schemaValidate(String schema) {
    Native.load();
    return Utf8.text(nSchemaValidate(Utf8.bytes(schema)));
  }

  /** The schema with the files that it names, seen from the directory of path, in it. */
  public static String schemaPack(String schema, String path) {
    Native.load();
    return Utf8.text(nSchemaPack(Utf8.bytes(schema), Utf8.bytes(path)));
  }

  /** Also where the newer one is refused: read "refused" in the lines. */
  public static String schemaCompare(String older, String newer) {
    Native.load();
    return Utf8.text(nSchemaCompare(Utf8.bytes(older), Utf8.bytes(newer)));
  }

  /** {latitude, longitude} of a captured place in the datum of a map; for display only. */
  public static double[] pointShown(double latitude, double longitude, int from, int to) {
    Native.load();
    double[] point = {latitude, longitude};
    nPointShown(point, from, to);
    return point;
  }

  private static native byte[] nVersion();

  private static native int nColumns(byte[] text);

  private static native byte[] nSchemaValidate(byte[] schema);

  private static native byte[] nSchemaPack(byte[] schema, byte[] path);

  private static native byte[] nSchemaCompare(byte[] older, byte[] newer);

  private static native void nPointShown(double[] point, int from, int to);

  static native byte[] nErrorText(int code, boolean chinese);

  static native byte[] nErrorName(int code);

  static native int nErrorClass(int code);

  static native byte[][] nExplain(int code, byte[] message);
}
