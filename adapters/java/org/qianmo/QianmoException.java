package org.qianmo;

import java.nio.charset.StandardCharsets;

/**
 * What a function of the library refused. Its class says what can be done about it: {@link Usage}
 * (the call is wrong), {@link Absent} (what was asked for is not there), {@link Retry} (the same
 * call may succeed later), {@link Refused} (a person must act), {@link Storage} (full, or
 * read-only), {@link Corrupt} (damaged: stop, keep evidence), {@link Differ} (a check failed).
 * Where a hook failed, what it threw is the cause.
 */
public class QianmoException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** The number of err.h, below 0. */
  public final int code;
  /** Its name there, without QM_: "EGAP". */
  public final String name;
  private final byte[] raw;

  private QianmoException(int code, String name, byte[] raw, String message) {
    super(message);
    this.code = code;
    this.name = name;
    this.raw = raw;
  }

  /** The call or its arguments are wrong. */
  public static final class Usage extends QianmoException {
    private static final long serialVersionUID = 1;

    Usage(int code, String name, byte[] raw, String message) {
      super(code, name, raw, message);
    }
  }

  /** What was asked for is not there. */
  public static final class Absent extends QianmoException {
    private static final long serialVersionUID = 1;

    Absent(int code, String name, byte[] raw, String message) {
      super(code, name, raw, message);
    }
  }

  /** The same call may succeed later. */
  public static final class Retry extends QianmoException {
    private static final long serialVersionUID = 1;

    Retry(int code, String name, byte[] raw, String message) {
      super(code, name, raw, message);
    }
  }

  /** A person must act. */
  public static final class Refused extends QianmoException {
    private static final long serialVersionUID = 1;

    Refused(int code, String name, byte[] raw, String message) {
      super(code, name, raw, message);
    }
  }

  /** Storage is full or read-only. */
  public static final class Storage extends QianmoException {
    private static final long serialVersionUID = 1;

    Storage(int code, String name, byte[] raw, String message) {
      super(code, name, raw, message);
    }
  }

  /** Damaged data: stop, and keep it as evidence. */
  public static final class Corrupt extends QianmoException {
    private static final long serialVersionUID = 1;

    Corrupt(int code, String name, byte[] raw, String message) {
      super(code, name, raw, message);
    }
  }

  /** A check failed, or replicas differ. */
  public static final class Differ extends QianmoException {
    private static final long serialVersionUID = 1;

    Differ(int code, String name, byte[] raw, String message) {
      super(code, name, raw, message);
    }
  }

  static QianmoException of(int code, String message) {
    return of(code, message, message.getBytes(StandardCharsets.UTF_8));
  }

  static QianmoException of(int code, byte[] raw) {
    return of(code, Utf8.text(raw), raw);
  }

  private static QianmoException of(int code, String said, byte[] raw) {
    Native.load();
    String name = Utf8.text(Qianmo.nErrorName(code));
    String text = said.isEmpty() ? Utf8.text(Qianmo.nErrorText(code, false)) : said;
    String message = text + " [" + name + "]";
    switch (Qianmo.nErrorClass(code)) {
      case 1: return new Usage(code, name, raw, message);
      case 2: return new Absent(code, name, raw, message);
      case 3: return new Retry(code, name, raw, message);
      case 4: return new Refused(code, name, raw, message);
      case 5: return new Storage(code, name, raw, message);
      case 6: return new Corrupt(code, name, raw, message);
      case 7: return new Differ(code, name, raw, message);
      default: return new QianmoException(code, name, raw, message);
    }
  }

  /** For hooks: makes the call that asks them give this code. */
  public static QianmoException of(int code) {
    return of(code, new byte[0]);
  }

  /** What it says to a person: Chinese where language begins with "zh", else English. */
  public final String text(String language) {
    return Utf8.text(Qianmo.nErrorText(code, language.startsWith("zh")));
  }

  /** Why a value was refused, or null where this is no such refusal. */
  public final Explanation explain() {
    byte[][] parts = Qianmo.nExplain(code, raw);
    return parts == null ? null : new Explanation(parts);
  }
}
