import QianmoC

/// From Database.begin or inside Database.write. Short: while it is open others wait. For one
/// thread at a time. One that is let go of without a commit is cancelled.
public final class Transaction {
  private let db: Database  // stays open as long as this
  private var handle: OpaquePointer?

  init(_ db: Database, space: String) throws {
    self.db = db
    var tx: OpaquePointer?
    try perform([space]) { s, e in qm_begin(db.handle, s[0], &tx, e) }
    handle = tx
  }

  deinit { qm_cancel(handle) }

  public func commit() throws {
    let tx = try open()
    handle = nil
    try perform { _, e in qm_commit(tx, e) }
  }

  public func cancel() {
    qm_cancel(handle)
    handle = nil
  }

  private func open() throws -> OpaquePointer {
    guard let handle else {
      throw QianmoError(code: Int32(QM_ESTATE.rawValue), message: "the transaction has ended")
    }
    return handle
  }

  private typealias FieldVerb = (
    OpaquePointer?, qm_slice, qm_slice, qm_slice, qm_slice, UInt32, ErrorOut?
  ) -> Int32

  private func verb(_ texts: [String], _ body: (OpaquePointer, [qm_slice], ErrorOut) -> Int32) throws {
    let tx = try open()
    try perform(texts) { s, e in body(tx, s, e) }
  }

  private func field(_ f: FieldVerb, _ texts: [String], _ flags: WriteFlags) throws {
    try verb(texts) { tx, s, e in f(tx, s[0], s[1], s[2], s[3], flags.rawValue, e) }
  }

  public func written() throws -> UInt32 { qm_written(try open()) }

  public func shown(_ token: String) throws {
    try verb([token]) { tx, s, e in qm_shown(tx, s[0], e) }
  }

  /// qm_new: the id, and whether the record was there already.
  public func create(_ collection: String, key: String = "") throws -> (id: String, existed: Bool) {
    let tx = try open()
    var existing: Int32 = 0
    let id = try text([collection, key]) { s, out, e in qm_new(tx, s[0], s[1], out, &existing, e) }
    return (id, existing == 1)
  }

  public func delete(_ collection: String, _ record: String) throws {
    try verb([collection, record]) { tx, s, e in qm_delete(tx, s[0], s[1], e) }
  }

  public func restore(_ collection: String, _ record: String) throws {
    try verb([collection, record]) { tx, s, e in qm_restore(tx, s[0], s[1], e) }
  }

  public func merge(_ collection: String, _ a: String, _ b: String) throws {
    try verb([collection, a, b]) { tx, s, e in qm_merge(tx, s[0], s[1], s[2], e) }
  }

  public func unmerge(_ collection: String, _ record: String) throws {
    try verb([collection, record]) { tx, s, e in qm_unmerge(tx, s[0], s[1], e) }
  }

  public func distinct(_ collection: String, _ a: String, _ b: String) throws {
    try verb([collection, a, b]) { tx, s, e in qm_distinct(tx, s[0], s[1], s[2], e) }
  }

  public func notDistinct(_ collection: String, _ a: String, _ b: String) throws {
    try verb([collection, a, b]) { tx, s, e in qm_not_distinct(tx, s[0], s[1], s[2], e) }
  }

  public func split(_ collection: String, _ record: String, device: String = "") throws -> String {
    let tx = try open()
    return try text([collection, record, device]) { s, out, e in
      qm_split(tx, s[0], s[1], s[2], out, e)
    }
  }

  public func set(_ collection: String, _ record: String, _ name: String, _ value: String,
                  _ flags: WriteFlags = []) throws {
    try field(qm_set, [collection, record, name, value], flags)
  }

  public func settle(_ collection: String, _ record: String, _ name: String, _ value: String,
                     _ flags: WriteFlags = []) throws {
    try field(qm_settle, [collection, record, name, value], flags)
  }

  public func raise(_ collection: String, _ record: String, _ name: String, _ value: String,
                    _ flags: WriteFlags = []) throws {
    try field(qm_raise, [collection, record, name, value], flags)
  }

  public func lower(_ collection: String, _ record: String, _ name: String, _ value: String,
                    _ flags: WriteFlags = []) throws {
    try field(qm_lower, [collection, record, name, value], flags)
  }

  public func add(_ collection: String, _ record: String, _ name: String, _ element: String,
                  _ flags: WriteFlags = []) throws {
    try field(qm_add, [collection, record, name, element], flags)
  }

  public func remove(_ collection: String, _ record: String, _ name: String, _ element: String,
                     _ flags: WriteFlags = []) throws {
    try field(qm_remove, [collection, record, name, element], flags)
  }

  public func append(_ collection: String, _ record: String, _ name: String, _ value: String,
                     _ flags: WriteFlags = []) throws {
    try field(qm_append, [collection, record, name, value], flags)
  }

  public func put(_ collection: String, _ record: String, _ name: String, _ value: String,
                  _ flags: WriteFlags = []) throws {
    try field(qm_put, [collection, record, name, value], flags)
  }

  public func inc(_ collection: String, _ record: String, _ name: String, by delta: Int64 = 1) throws {
    try verb([collection, record, name]) { tx, s, e in qm_inc(tx, s[0], s[1], s[2], delta, e) }
  }

  public func reverse(_ collection: String, _ record: String, _ name: String, entry: String,
                      reason: String) throws {
    try verb([collection, record, name, entry, reason]) { tx, s, e in
      qm_reverse(tx, s[0], s[1], s[2], s[3], s[4], e)
    }
  }

  /// Positions are code points (unicodeScalars), never Swift's characters.
  public func splice(_ collection: String, _ record: String, _ name: String, at: UInt64,
                     cut: UInt64, _ text: String) throws {
    try verb([collection, record, name, text]) { tx, s, e in
      qm_splice(tx, s[0], s[1], s[2], at, cut, s[3], e)
    }
  }

  public func insert(_ collection: String, _ record: String, _ name: String, at: UInt64,
                     _ value: String, _ flags: WriteFlags = []) throws {
    try verb([collection, record, name, value]) { tx, s, e in
      qm_insert(tx, s[0], s[1], s[2], at, s[3], flags.rawValue, e)
    }
  }

  public func replace(_ collection: String, _ record: String, _ name: String, at: UInt64,
                      _ value: String, _ flags: WriteFlags = []) throws {
    try verb([collection, record, name, value]) { tx, s, e in
      qm_replace(tx, s[0], s[1], s[2], at, s[3], flags.rawValue, e)
    }
  }

  public func removeAt(_ collection: String, _ record: String, _ name: String, at: UInt64,
                       count: UInt64 = 1) throws {
    try verb([collection, record, name]) { tx, s, e in
      qm_remove_at(tx, s[0], s[1], s[2], at, count, e)
    }
  }

  public func attach(_ collection: String, _ record: String, _ name: String, path: String) throws
    -> String {
    let tx = try open()
    return try text([collection, record, name]) { s, out, e in
      qm_attach(tx, s[0], s[1], s[2], path, out, e)
    }
  }
}
