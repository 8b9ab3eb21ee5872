package org.qianmo;

import java.nio.charset.StandardCharsets;

/** Texts as the library takes them: UTF-8, also beyond U+FFFF. */
final class Utf8 {
  private static final int EUTF8 = -24;

  private Utf8() {}

  /** Half a surrogate pair is refused: Java would write a question mark in its place. */
  static byte[] bytes(String text) {
    int n = text.length();
    for (int i = 0; i < n; i++) {
      char c = text.charAt(i);
      if (!Character.isSurrogate(c)) continue;
      boolean pair = Character.isHighSurrogate(c) && i + 1 < n
          && Character.isLowSurrogate(text.charAt(i + 1));
      if (!pair) throw QianmoException.of(EUTF8, "half a surrogate pair in a text");
      i++;
    }
    return text.getBytes(StandardCharsets.UTF_8);
  }

  static String text(byte[] bytes) {
    return new String(bytes, StandardCharsets.UTF_8);
  }
}
