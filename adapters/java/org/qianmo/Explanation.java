package org.qianmo;

/** Why a value was refused (qm_explanation). */
public final class Explanation {
  /** A word that stays the same: "id-check", "length", … */
  public final String reason;
  /** The reason for people. */
  public final String en, zh;
  /** The field's name. */
  public final String field;
  /** What would be right, where that can be said; or empty. */
  public final String detail;

  Explanation(byte[][] parts) {
    reason = Utf8.text(parts[0]);
    en = Utf8.text(parts[1]);
    zh = Utf8.text(parts[2]);
    field = Utf8.text(parts[3]);
    detail = Utf8.text(parts[4]);
  }
}
