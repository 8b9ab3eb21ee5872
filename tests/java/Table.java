import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.qianmo.Database;
import org.qianmo.Explanation;
import org.qianmo.Qianmo;
import org.qianmo.QianmoException;
import org.qianmo.Transaction;

/** Runs fixtures/api/calls.json. */
final class Table {
  private final Path directory;
  private final String schema;
  private final List<Object> steps;
  private final Map<String, Object> saved = new HashMap<String, Object>();
  private Database db;
  private Transaction tx;

  private Table(Path directory) throws Exception {
    Map<String, Object> table = Json.object(Tap.file("fixtures/api/calls.json"));
    this.directory = directory;
    schema = Json.write(table.get("schema"));
    steps = Json.list(table.get("steps"));
  }

  private Object value(Object v) {
    if (v instanceof String && ((String) v).startsWith("$"))
      return saved.get(((String) v).substring(1));
    return "{schema}".equals(v) ? schema : v;
  }

  private static String camel(String name) {
    StringBuilder to = new StringBuilder();
    for (String part : name.split("_"))
      to.append(to.length() == 0 ? part
          : Character.toUpperCase(part.charAt(0)) + part.substring(1));
    return name.equals("new") ? "create" : to.toString();
  }

  private static boolean fits(Method m, String name, int n) {
    if (!m.getName().equals(name) || m.getParameterTypes().length != n) return false;
    for (Class<?> c : m.getParameterTypes())
      if (c != String.class && c != int.class && c != long.class) return false;
    return true;
  }

  private Object call(String name, String on, List<Object> args) throws Throwable {
    if (name.equals("open")) {
      db = Database.open(directory.resolve((String) args.get(0)).toString(),
          ((Long) args.get(1)).intValue());
      return null;
    }
    Object target = "db".equals(on) ? db : "tx".equals(on) ? tx : null;
    for (Method m : (target == null ? Qianmo.class : target.getClass()).getMethods()) {
      if (!fits(m, camel(name), args.size())) continue;
      Object[] given = new Object[args.size()];
      for (int i = 0; i < given.length; i++)
        given[i] = m.getParameterTypes()[i] == int.class ? (Object) ((Long) args.get(i)).intValue()
            : args.get(i);
      try {
        Object result = m.invoke(target, given);
        if (!name.equals("begin")) return result;
        tx = (Transaction) result;
        return null;
      } catch (InvocationTargetException e) {
        throw e.getCause();
      }
    }
    throw new NoSuchMethodException(name);
  }

  private boolean covers(Object wanted, Object got) {
    if (wanted instanceof Map) {
      if (!(got instanceof Map)) return false;
      for (Map.Entry<String, Object> e : Json.map(wanted).entrySet())
        if (!Json.map(got).containsKey(e.getKey())
            || !covers(e.getValue(), Json.map(got).get(e.getKey()))) return false;
      return true;
    }
    if (wanted instanceof List) {
      if (!(got instanceof List) || Json.list(got).size() != Json.list(wanted).size()) return false;
      for (int i = 0; i < Json.list(wanted).size(); i++)
        if (!covers(Json.list(wanted).get(i), Json.list(got).get(i))) return false;
      return true;
    }
    wanted = value(wanted);
    return wanted == null ? got == null : wanted.equals(got);
  }

  private static String className(QianmoException e) {
    return e.getClass().getSimpleName().toLowerCase(java.util.Locale.ROOT);
  }

  private static Map<String, Object> explained(Explanation x) {
    Map<String, Object> m = new HashMap<String, Object>();
    if (x == null) return m;
    m.put("reason", x.reason);
    m.put("en", x.en);
    m.put("zh", x.zh);
    m.put("field", x.field);
    m.put("detail", x.detail);
    return m;
  }

  private String problem(Map<String, Object> step) throws Throwable {
    String code = "OK";
    Object result = null;
    List<Object> args = new ArrayList<Object>();
    for (Object a : Json.list(step.get("args"))) args.add(value(a));
    try {
      result = call((String) step.get("call"), (String) step.get("on"), args);
    } catch (QianmoException e) {
      code = e.name;
      if (e.getMessage().isEmpty() || e.text("zh").equals(e.text("en"))) return "it says nothing";
      if (step.containsKey("class") && !className(e).equals(step.get("class")))
        return "class " + className(e);
      if (step.containsKey("explain") && !covers(step.get("explain"), explained(e.explain())))
        return "explained: " + explained(e.explain());
    }
    String wanted = step.containsKey("code") ? (String) step.get("code") : "OK";
    if (!code.equals(wanted)) return code + " " + result;
    if (result instanceof Transaction.Created) {
      Transaction.Created created = (Transaction.Created) result;
      if (step.containsKey("existing") && !step.get("existing").equals(created.existed))
        return "existing: " + created.existed;
      result = created.id;
    }
    return result == null ? null : problem(step, result.toString());
  }

  private String problem(Map<String, Object> step, String text) {
    if (step.containsKey("text") && !text.equals(value(step.get("text")))) return text;
    List<String> lines = new ArrayList<String>();
    if (text.startsWith("{\n")) lines.add(text); // one object, printed for people
    else for (String line : text.split("\n")) if (!line.isEmpty()) lines.add(line);
    if (step.containsKey("lines") && lines.size() != ((Long) step.get("lines")).intValue())
      return lines.size() + " lines: " + text;
    if (step.containsKey("has") && !covers(step.get("has"), Json.read(lines.get(0)))) return text;
    if (step.containsKey("some")) {
      boolean found = false;
      for (String line : lines) found |= covers(step.get("some"), Json.read(line));
      if (!found) return text;
    }
    if (step.containsKey("save"))
      for (Map.Entry<String, Object> e : Json.map(step.get("save")).entrySet())
        saved.put(e.getKey(), "".equals(e.getValue()) ? text
            : Json.object(lines.get(0)).get(e.getValue()));
    return null;
  }

  public static void main(String[] args) {
    Tap.run(new Tap.Body() {
      @Override public void run(Path directory) throws Exception {
        Table table = new Table(directory);
        for (Object o : table.steps) {
          Map<String, Object> step = Json.map(o);
          String name = step.get("call") + " " + Json.write(step.get("args")).replace("#", "");
          String problem;
          try {
            problem = table.problem(step);
          } catch (Throwable t) {
            problem = t.toString();
          }
          Tap.problem(problem, name.substring(0, Math.min(80, name.length()))
              + (step.containsKey("code") ? " -> " + step.get("code") : ""));
        }
      }
    });
  }
}
