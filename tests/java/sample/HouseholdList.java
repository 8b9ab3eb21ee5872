import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.qianmo.Database;
import org.qianmo.Rows;

/**
 * A list of households as a screen shows it: read once, then only what changed is read again. On
 * Android refresh() runs on a worker thread when the listener was told "changed"; what it returns
 * says whether the screen must be drawn anew.
 */
final class HouseholdList {
  /** A row of the list. */
  static final class Item {
    final String id, number, head, phone;
    final long visits;
    final boolean conflict;
    String mark = "";

    Item(Map<String, Object> record) {
      Map<String, Object> fields = Json.map(record.get("fields"));
      id = (String) record.get("id");
      number = text(fields, "number");
      head = text(fields, "head");
      phone = text(fields, "phone");
      Object n = fields.get("visits");
      visits = n == null ? 0 : (Long) n;
      Object conflicts = record.get("conflicts");
      conflict = conflicts != null && !Json.map(conflicts).isEmpty();
    }

    private static String text(Map<String, Object> fields, String name) {
      Object value = fields.get(name);
      return value == null ? "" : value.toString();
    }
  }

  private static final int PAGE = 200;
  private final Database db;
  private final String space;
  private final Rows rows = new Rows();
  private final Map<String, Item> items = new LinkedHashMap<String, Item>();
  private String cursor = "";

  HouseholdList(Database db, String space) {
    this.db = db;
    this.space = space;
  }

  List<Item> items() {
    return new ArrayList<Item>(items.values());
  }

  /** Takes in what changed since; how many rows were read for it. */
  int refresh() {
    int read = 0;
    for (;;) {
      List<Map<String, Object>> changes = Json.lines(db.changes(cursor, 0));
      if (changes.isEmpty()) return read;
      for (Map<String, Object> change : changes) {
        if (Boolean.TRUE.equals(change.get("all"))) read += readAll();
        else if ("household".equals(change.get("collection"))) read += readOne(change.get("id"));
        cursor = (String) change.get("cursor");
      }
    }
  }

  private int readAll() {
    String after = "";
    items.clear();
    int read = 0;
    do {
      db.list(rows, space, "household", after, PAGE, 0);
      while (rows.next()) {
        Item item = put(Json.object(rows.text()));
        after = item.id;
        read++;
      }
    } while (rows.size() > 0);
    return read;
  }

  private int readOne(Object id) {
    try {
      put(Json.object(db.get(space, "household", (String) id)));
    } catch (org.qianmo.QianmoException.Absent e) {
      items.remove(id); // deleted
    }
    return 1;
  }

  private Item put(Map<String, Object> record) {
    Item item = new Item(record);
    item.mark = (String) Json.object(db.recordStatus(space, "household", item.id)).get("status");
    items.put(item.id, item);
    return item;
  }

  /** Ids of households that a text finds. */
  List<String> find(String text) {
    List<String> ids = new ArrayList<String>();
    for (Map<String, Object> line : Json.lines(db.search(space, "household", text, 20, 0)))
      ids.add((String) line.get("id"));
    return ids;
  }
}
