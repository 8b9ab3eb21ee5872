import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.qianmo.QianmoException;

/** Cases of a test, and its directory. */
final class Tap {
  private static int count, failed;

  private Tap() {}

  interface Body {
    void run(Path directory) throws Exception;
  }

  interface Call {
    void run() throws Exception;
  }

  static synchronized boolean check(boolean good, String name) {
    count++;
    if (!good) failed++;
    System.out.println((good ? "ok " : "not ok ") + count + " - " + name);
    return good;
  }

  static void problem(String problem, String name) {
    if (!check(problem == null, name))
      System.out.println("# " + problem.replace("\n", "\n# "));
  }

  /** The name of the error that a call gives; "" for none. */
  static String code(Call call) {
    try {
      call.run();
    } catch (QianmoException e) {
      return e.name;
    } catch (Exception e) {
      return e.toString();
    }
    return "";
  }

  static String build(String name) {
    String build = System.getenv("BUILD");
    return Paths.get(build == null ? "build" : build, name).toAbsolutePath().toString();
  }

  static String file(String path) throws IOException {
    return new String(Files.readAllBytes(Paths.get(path)), "UTF-8");
  }

  static void run(Body body) {
    try {
      Path directory = Files.createTempDirectory("qianmo-java-");
      try {
        body.run(directory);
      } finally {
        remove(directory);
      }
    } catch (Throwable t) {
      t.printStackTrace(System.out);
      check(false, "it ran to its end");
    }
    System.out.println("1.." + count);
    System.exit(failed == 0 ? 0 : 1);
  }

  private static void remove(Path directory) throws IOException {
    List<Path> all = new ArrayList<Path>();
    java.util.stream.Stream<Path> walk = Files.walk(directory);
    try {
      for (java.util.Iterator<Path> i = walk.iterator(); i.hasNext();) all.add(i.next());
    } finally {
      walk.close();
    }
    Collections.reverse(all);
    for (Path p : all) Files.delete(p);
  }
}
