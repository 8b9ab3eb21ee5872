import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.qianmo.Database;
import org.qianmo.Options;
import org.qianmo.Qianmo;

/**
 * The data layer of a grid app, as a program: a list of households, an incident form, a review of
 * conflicts, over two phones and a hub. The screens are missing; what they would show is printed.
 * All names invented.
 */
final class Sample {
  private Sample() {}

  private static Database phone(Path directory, String who, Hub hub) throws Exception {
    Database db = Database.open(directory.resolve(who + ".db").toString(),
        new Options().flags(Qianmo.CREATE));
    db.enroll(hub.address(), hub.code(who), "phone of " + who);
    db.sync();
    return db;
  }

  private static String household(Database db, String number, String head) {
    return db.transaction("grid", tx -> {
      String id = tx.create("household", number).id;
      tx.set("household", id, "head", head);
      return id;
    });
  }

  private static void show(HouseholdList list) {
    for (HouseholdList.Item i : list.items())
      System.out.println("#   " + i.number + "  " + i.head + "  " + i.phone + "  " + i.mark
          + (i.conflict ? "  !" : ""));
  }

  private static void lists(Database east, Database west) throws Exception {
    HouseholdList here = new HouseholdList(east, "grid"), there = new HouseholdList(west, "grid");
    here.refresh();
    for (int i = 1; i <= 3; i++) household(east, "10" + i, "样例户" + i + " 𠮷 (invented)");
    Tap.check(here.refresh() == 3 && here.items().get(0).mark.equals("local"),
        "three households, offline");
    CountDownLatch changed = new CountDownLatch(1);
    west.listen(event -> {
      if (event.contains("\"changed\"")) changed.countDown();
    });
    there.refresh();
    east.sync();
    west.sync();
    Tap.check(changed.await(30, TimeUnit.SECONDS), "the other phone's list is told");
    west.unlisten();
    there.refresh();
    show(there);
    Tap.check(there.items().size() == 3, "and shows them");
    here.refresh();
    Tap.check(there.find("样例户2").size() == 1, "and finds one");
    east.transaction("grid", tx -> {
      tx.set("household", "key:102", "phone", "10000000012");
      return null;
    });
    Tap.check(here.refresh() == 1, "a change reads one row again");
    east.transaction("grid", tx -> {
      tx.delete("household", "key:103");
      return null;
    });
    here.refresh();
    Tap.check(here.items().size() == 2, "a deleted one goes");
  }

  private static void forms(Database east, Database west) {
    IncidentForm form = new IncidentForm(east, "grid");
    form.edit("title", "墙角渗水 (invented)");
    form.edit("stage", "lost");
    form.edit("place", "somewhere");
    Tap.check(!form.save() && form.errors.size() == 2 && form.id() == null,
        "a form with two mistakes says both, and saves nothing");
    System.out.println("#   " + form.errors);
    form.edit("stage", "reported");
    form.edit("place", "30.1,104.2,15,wgs84");
    form.edit("steps", "到场查看 (invented)");
    Tap.check(form.save() && form.errors.isEmpty(), "put right, it is saved");
    east.sync();
    west.sync();
    IncidentForm other = new IncidentForm(west, "grid", form.id());
    Tap.check(other.value("title").equals("墙角渗水 (invented)"), "the other phone opens it");
    form.edit("title", "一楼墙角渗水 (invented)");
    other.edit("title", "屋顶渗水 (invented)");
    other.edit("steps", "已联系物业 (invented)");
    Tap.check(form.save() && other.save(), "both edit it, apart");
    for (Database db : new Database[] {east, west, east}) db.sync();
  }

  private static void reviews(Database east, Database west) {
    ConflictReview review = new ConflictReview(east, "grid");
    List<ConflictReview.Item> items = review.items();
    for (ConflictReview.Item i : items)
      System.out.println("#   " + i.severity + "  " + i.title + "  " + i.field + "  " + i.values
          + "  " + i.by);
    Tap.check(items.size() == 1 && items.get(0).values.size() == 2, "one conflict, two titles");
    String other = items.get(0).values.get(1);
    review.take(items.get(0), 1);
    Tap.check(review.items().isEmpty(), "decided");
    review.undo();
    Tap.check(review.items().size() == 1, "and taken back");
    ConflictReview.Item again = review.items().get(0);
    review.take(again, again.values.indexOf(other));
    east.sync();
    west.sync();
    IncidentForm form = new IncidentForm(west, "grid", again.id);
    Tap.check(form.value("title").equals(other) && new ConflictReview(west, "grid").items().isEmpty(),
        "the other phone shows what was decided");
    Tap.check(Json.list(Json.read(form.value("steps"))).size() == 2, "both steps are there");
  }

  public static void main(String[] args) {
    Tap.run(directory -> {
      try (Hub hub = new Hub(directory); Database east = phone(directory, "East", hub);
          Database west = phone(directory, "West", hub)) {
        lists(east, west);
        forms(east, west);
        reviews(east, west);
      }
    });
  }
}
