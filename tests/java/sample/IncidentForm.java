import java.util.LinkedHashMap;
import java.util.Map;
import org.qianmo.Database;
import org.qianmo.QianmoException;
import org.qianmo.Transaction;

/**
 * An incident on a form. What the form showed when it was opened goes back with what it saves
 * (qm_shown): what a colleague wrote meanwhile is kept beside it and listed, never replaced unseen.
 */
final class IncidentForm {
  private final Database db;
  private final String space;
  private String id, token;
  private final Map<String, String> shown = new LinkedHashMap<String, String>();
  private final Map<String, String> edits = new LinkedHashMap<String, String>();
  /** What was wrong at the last save, in the person's language, by field. */
  final Map<String, String> errors = new LinkedHashMap<String, String>();

  /** A new one. */
  IncidentForm(Database db, String space) {
    this.db = db;
    this.space = space;
  }

  /** One that is there. */
  IncidentForm(Database db, String space, String id) {
    this(db, space);
    this.id = id;
    load();
  }

  private void load() {
    Map<String, Object> record = Json.object(db.get(space, "incident", id));
    token = (String) record.get("token");
    shown.clear();
    for (Map.Entry<String, Object> e : Json.map(record.get("fields")).entrySet())
      shown.put(e.getKey(), e.getValue() instanceof String ? (String) e.getValue()
          : Json.write(e.getValue()));
  }

  String id() {
    return id;
  }

  String value(String field) {
    String edited = edits.get(field);
    return edited != null ? edited : shown.get(field);
  }

  /** The person typed something; nothing is saved. */
  void edit(String field, String value) {
    edits.put(field, value);
  }

  /** All of the form, or nothing of it: false, and errors says why. */
  boolean save() {
    errors.clear();
    try (Transaction tx = db.begin(space)) {
      String record = id;
      if (record == null) record = tx.create("incident").id;
      else tx.shown(token);
      for (Map.Entry<String, String> e : edits.entrySet()) put(tx, record, e);
      if (!errors.isEmpty()) return false;
      tx.commit();
      id = record;
    }
    edits.clear();
    load();
    return true;
  }

  /* Every field is tried, so that a person sees all that is wrong at once. */
  private void put(Transaction tx, String record, Map.Entry<String, String> e) {
    try {
      if (e.getKey().equals("steps")) tx.append("incident", record, "steps", e.getValue());
      else tx.set("incident", record, e.getKey(), e.getValue());
    } catch (QianmoException.Refused wrong) {
      org.qianmo.Explanation why = wrong.explain();
      errors.put(e.getKey(), why == null ? wrong.text("zh") : why.zh);
    }
  }
}
