import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.qianmo.Database;
import org.qianmo.Review;

/** What was written at the same time, the gravest first, for a person to decide. */
final class ConflictReview {
  /** A conflict, and the values to choose from, the one that is shown first. */
  static final class Item {
    final String item, collection, id, title, field, severity;
    final List<String> values = new ArrayList<String>(), by = new ArrayList<String>();
    private final String token;

    Item(Map<String, Object> line) {
      item = (String) line.get("item");
      collection = (String) line.get("collection");
      id = (String) line.get("id");
      title = (String) line.get("title");
      field = (String) line.get("field");
      severity = (String) line.get("severity");
      token = (String) line.get("token");
      for (Object o : Json.list(line.get("values"))) {
        Object value = Json.map(o).get("value");
        values.add(value instanceof String ? (String) value : Json.write(value));
        by.add((String) Json.map(o).get("by"));
      }
    }
  }

  private final Database db;
  private final String space;

  ConflictReview(Database db, String space) {
    this.db = db;
    this.space = space;
  }

  List<Item> items() {
    List<Item> items = new ArrayList<Item>();
    for (Map<String, Object> line : Json.lines(db.review(space, new Review().page(50, 0))))
      if (line.containsKey("item")) items.add(new Item(line));
    return items;
  }

  /** Decides for one of its values. What came after the list was read stays on it. */
  void take(Item item, int value) {
    db.transaction(space, tx -> {
      tx.shown(item.token);
      tx.settle(item.collection, item.id, item.field, item.values.get(value));
      return null;
    });
  }

  /** One step back. */
  void undo() {
    db.undo("");
  }
}
