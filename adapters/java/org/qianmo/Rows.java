package org.qianmo;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * Many rows at once: a page of a result in one direct buffer, which is used again for the next
 * page. One call into the library and no object a row:
 *
 * <pre>{@code
 * Rows rows = new Rows();
 * String after = "";
 * do {
 *   db.list(rows, "grid 3", "household", after, 500, 0);
 *   while (rows.next()) after = read(rows.line());
 * } while (rows.size() > 0);
 * }</pre>
 *
 * For one thread at a time.
 */
public final class Rows {
  private static final int LEAST = 64 * 1024;
  private ByteBuffer buffer = ByteBuffer.allocateDirect(LEAST);
  private ByteBuffer view = buffer.asReadOnlyBuffer();
  private int size, start, end;

  /* The library asks for room and fills it. */
  ByteBuffer room(int n) {
    if (n > buffer.capacity()) {
      int doubled = buffer.capacity() > Integer.MAX_VALUE / 2 ? n : 2 * buffer.capacity();
      buffer = ByteBuffer.allocateDirect(Math.max(n, doubled));
      view = buffer.asReadOnlyBuffer();
    }
    return buffer;
  }

  void begin() {
    size = start = end = 0;
  }

  void filled(int n) {
    size = n;
    start = 0;
    end = -1;
  }

  /** Bytes of the result. */
  public int size() {
    return size;
  }

  /** Goes on to the next row; false: there is none. */
  public boolean next() {
    start = end + 1;
    if (start >= size) return false;
    end = start;
    while (end < size && buffer.get(end) != '\n') end++;
    return true;
  }

  /** This row: UTF-8, read-only, valid until the buffer is filled again; always the same object. */
  public ByteBuffer line() {
    view.limit(end);
    view.position(start);
    return view;
  }

  /** This row as a String. */
  public String text() {
    byte[] copy = new byte[end - start];
    line().get(copy);
    return new String(copy, StandardCharsets.UTF_8);
  }
}
