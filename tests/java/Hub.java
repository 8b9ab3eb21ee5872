import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A real hub with one space, "grid", of fixtures/schemas/plain.json. */
final class Hub implements AutoCloseable {
  private final String path;
  private final Process process;
  final int port;

  Hub(Path directory) throws IOException, InterruptedException {
    path = directory.resolve("hub").toString();
    qianmod("init", path, "--name", "Stone Bridge", "--listen", "127.0.0.1:0");
    qianmod("space", "add", path, "grid", "--schema", "fixtures/schemas/plain.json");
    process = new ProcessBuilder(Tap.build("qianmod"), "run", path)
        .redirectError(new File("/dev/null")).start();
    BufferedReader out =
        new BufferedReader(new InputStreamReader(process.getInputStream(), "UTF-8"));
    String line = out.readLine();
    port = Integer.parseInt(line.substring(line.lastIndexOf(':') + 1).trim());
  }

  String address() {
    return "127.0.0.1:" + port;
  }

  String code(String who) throws IOException, InterruptedException {
    String out = qianmod("--json", "enroll", path, "--member", who, "--role", "grid", "--space",
        "grid");
    return (String) Json.object(out.trim().split("\n")[0]).get("code");
  }

  private static String qianmod(String... args) throws IOException, InterruptedException {
    List<String> all = new ArrayList<String>(Arrays.asList(Tap.build("qianmod")));
    all.addAll(Arrays.asList(args));
    Process p = new ProcessBuilder(all).redirectErrorStream(true).start();
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    byte[] piece = new byte[4096];
    InputStream in = p.getInputStream();
    for (int n = in.read(piece); n > 0; n = in.read(piece)) out.write(piece, 0, n);
    if (p.waitFor() != 0) throw new IOException(all + ": " + out.toString("UTF-8"));
    return out.toString("UTF-8");
  }

  @Override public void close() {
    process.destroy();
    try {
      process.waitFor(30, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
