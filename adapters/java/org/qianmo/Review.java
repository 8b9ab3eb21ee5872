package org.qianmo;

/** What {@link Database#review} lists (qm_review_options); as it is made: all. */
public final class Review {
  int severity, limit, offset;
  String collection = "", record = "", conflict = "";

  /** The least: 1 low, 2 normal, 3 high. */
  public Review severity(int least) {
    severity = least;
    return this;
  }

  /** At most so many conflicts (0: 100) after the first `offset`. */
  public Review page(int limit, int offset) {
    this.limit = limit;
    this.offset = offset;
    return this;
  }

  public Review collection(String name) {
    collection = name;
    return this;
  }

  /** One record of the collection. */
  public Review record(String id) {
    record = id;
    return this;
  }

  /** A class of conflicts: "sibling", … */
  public Review conflict(String cls) {
    conflict = cls;
    return this;
  }
}
