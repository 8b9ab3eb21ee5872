import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** JSON as the library writes it: maps, lists, String, Long, Double, Boolean, null. */
final class Json {
  private final String text;
  private int at;

  private Json(String text) {
    this.text = text;
  }

  static Object read(String text) {
    Json j = new Json(text);
    Object value = j.value();
    j.blank();
    if (j.at != text.length()) throw j.wrong();
    return value;
  }

  @SuppressWarnings("unchecked")
  static Map<String, Object> map(Object value) {
    return (Map<String, Object>) value;
  }

  @SuppressWarnings("unchecked")
  static List<Object> list(Object value) {
    return (List<Object>) value;
  }

  static Map<String, Object> object(String text) {
    return map(read(text));
  }

  /** A result of one object a line. */
  static List<Map<String, Object>> lines(String text) {
    List<Map<String, Object>> all = new ArrayList<Map<String, Object>>();
    for (String line : text.split("\n")) if (!line.isEmpty()) all.add(object(line));
    return all;
  }

  static String write(Object value) {
    StringBuilder to = new StringBuilder();
    write(value, to);
    return to.toString();
  }

  private static void write(Object value, StringBuilder to) {
    char before = 0;
    if (value instanceof Map) {
      to.append('{');
      for (Map.Entry<String, Object> e : map(value).entrySet()) {
        if (before != 0) to.append(before);
        before = ',';
        write(e.getKey(), to);
        to.append(':');
        write(e.getValue(), to);
      }
      to.append('}');
    } else if (value instanceof List) {
      to.append('[');
      for (Object element : list(value)) {
        if (before != 0) to.append(before);
        before = ',';
        write(element, to);
      }
      to.append(']');
    } else if (value instanceof String) {
      to.append('"');
      for (char c : ((String) value).toCharArray()) {
        if (c == '"' || c == '\\') to.append('\\').append(c);
        else if (c < ' ') to.append(String.format("\\u%04x", (int) c));
        else to.append(c);
      }
      to.append('"');
    } else {
      to.append(value);
    }
  }

  private RuntimeException wrong() {
    return new IllegalArgumentException("no JSON at " + at + ": " + text);
  }

  private void blank() {
    while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) at++;
  }

  private boolean took(char c) {
    blank();
    if (at >= text.length() || text.charAt(at) != c) return false;
    at++;
    return true;
  }

  private void need(char c) {
    if (!took(c)) throw wrong();
  }

  private Object value() {
    blank();
    if (took('{')) return object();
    if (took('[')) return array();
    if (took('"')) return string();
    for (String word : new String[] {"true", "false", "null"}) {
      if (!text.startsWith(word, at)) continue;
      at += word.length();
      return word.equals("null") ? null : (Object) word.equals("true");
    }
    return number();
  }

  private Map<String, Object> object() {
    Map<String, Object> m = new LinkedHashMap<String, Object>();
    if (took('}')) return m;
    do {
      need('"');
      String key = string();
      need(':');
      m.put(key, value());
    } while (took(','));
    need('}');
    return m;
  }

  private List<Object> array() {
    List<Object> a = new ArrayList<Object>();
    if (took(']')) return a;
    do a.add(value()); while (took(','));
    need(']');
    return a;
  }

  private String string() {
    StringBuilder s = new StringBuilder();
    for (;;) {
      char c = text.charAt(at++);
      if (c == '"') return s.toString();
      if (c != '\\') {
        s.append(c);
        continue;
      }
      c = text.charAt(at++);
      if (c == 'u') {
        s.append((char) Integer.parseInt(text.substring(at, at + 4), 16));
        at += 4;
      } else {
        int i = "bfnrt".indexOf(c);
        s.append(i >= 0 ? "\b\f\n\r\t".charAt(i) : c);
      }
    }
  }

  private Object number() {
    int from = at;
    while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0) at++;
    String n = text.substring(from, at);
    if (n.isEmpty()) throw wrong();
    return n.matches("-?[0-9]+") ? (Object) Long.valueOf(n) : (Object) Double.valueOf(n);
  }
}
