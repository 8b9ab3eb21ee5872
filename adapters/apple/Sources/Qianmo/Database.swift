import Foundation
import QianmoC

public struct OpenFlags: OptionSet, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let create = OpenFlags(rawValue: 1)
  public static let new = OpenFlags(rawValue: 2)
  public static let readOnly = OpenFlags(rawValue: 4)
  public static let check = OpenFlags(rawValue: 8)
  public static let testData = OpenFlags(rawValue: 16)
}

public struct WriteFlags: OptionSet, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let json = WriteFlags(rawValue: 1)
  public static let again = WriteFlags(rawValue: 2)
}

public struct ReadFlags: OptionSet, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let detail = ReadFlags(rawValue: 1)
  public static let deleted = ReadFlags(rawValue: 2)
  public static let review = ReadFlags(rawValue: 4)
  public static let fast = ReadFlags(rawValue: 8)
  public static let dismissed = ReadFlags(rawValue: 16)
  public static let overdue = ReadFlags(rawValue: 32)
  public static let certificates = ReadFlags(rawValue: 64)
}

/// core/qianmo.h in Swift: methods are named as its functions, in their order of arguments, and what
/// they do stands there. Results are JSON, read with lines() or JSONDecoder.
///
/// Of any threads, at the same time. Methods that are not async may block, and do not belong on the
/// main actor: read, write and sync do their work on threads of their own. A database is closed when
/// nobody has it any more; its transactions, links and streams keep it.
public final class Database: @unchecked Sendable {
  let handle: OpaquePointer
  private let hooks: Unmanaged<HooksBox>
  private let writer = DispatchQueue(label: "qianmo.writer")
  private let workers = DispatchQueue(label: "qianmo.workers", attributes: .concurrent)

  public init(path: String, _ flags: OpenFlags = [], hooks: Hooks = Hooks()) throws {
    let box = HooksBox(hooks)
    let kept = Unmanaged.passRetained(box)
    var o = qm_options()
    qm_options_fill(&o, MemoryLayout<qm_options>.size)
    o.flags = flags.rawValue
    o.payload = kept.toOpaque()
    box.put(into: &o)
    var db: OpaquePointer?
    do {
      try path.withCString { p in
        o.path = p
        try perform { _, e in qm_open(&o, &db, e) }
      }
    } catch {
      kept.release()
      throw error
    }
    handle = db!
    self.hooks = kept
  }

  deinit {
    qm_close(handle)
    hooks.release()
  }

  // ---- off this thread ----

  func run<T>(_ queue: DispatchQueue, _ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
      queue.async { continuation.resume(with: Result { try body() }) }
    }
  }

  /// Any calls.
  public func read<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws -> T {
    try await run(workers) { try body(self) }
  }

  /// A transaction, after those before it: committed at the end, cancelled by what it throws.
  public func write<T: Sendable>(
    _ space: String = "", _ body: @escaping @Sendable (Transaction) throws -> T
  ) async throws -> T {
    try await run(writer) {
      let tx = try self.begin(space)
      let value = try body(tx)
      try tx.commit()
      return value
    }
  }

  // ---- as the header has them ----

  public func begin(_ space: String = "") throws -> Transaction { try Transaction(self, space: space) }

  public func suspend(deadlineMs: UInt32) throws {
    try perform { _, e in qm_suspend(handle, deadlineMs, e) }
  }

  public func resume() throws { try perform { _, e in qm_resume(handle, e) } }

  public func enroll(_ hostPort: String, code: String, deviceName: String = "") throws {
    try perform([hostPort, code, deviceName]) { s, e in qm_enroll(handle, s[0], s[1], s[2], e) }
  }

  public func spaceCreate(_ name: String, schema: String, role: String = "") throws {
    try perform([name, schema, role]) { s, e in qm_space_create(handle, s[0], s[1], s[2], e) }
  }

  public func spaces() throws -> String { try text { _, out, e in qm_spaces(handle, out, e) } }

  public func schemaText(_ space: String = "") throws -> String {
    try text([space]) { s, out, e in qm_schema_text(handle, s[0], out, e) }
  }

  public func get(_ space: String, _ collection: String, _ record: String,
                  _ flags: ReadFlags = []) throws -> String {
    try text([space, collection, record]) { s, out, e in
      qm_get(handle, s[0], s[1], s[2], flags.rawValue, out, e)
    }
  }

  public func list(_ space: String, _ collection: String, after: String = "", limit: UInt32 = 0,
                   _ flags: ReadFlags = []) throws -> String {
    try text([space, collection, after]) { s, out, e in
      qm_list(handle, s[0], s[1], s[2], limit, flags.rawValue, out, e)
    }
  }

  public func conflicts(_ space: String = "", _ collection: String = "") throws -> String {
    try text([space, collection]) { s, out, e in qm_conflicts(handle, s[0], s[1], out, e) }
  }

  public func duplicates(_ space: String, _ collection: String = "", _ record: String = "",
                         _ flags: ReadFlags = [], limit: UInt32 = 0, offset: UInt32 = 0) throws
    -> String {
    try text([space, collection, record]) { s, out, e in
      qm_duplicates(handle, s[0], s[1], s[2], flags.rawValue, limit, offset, out, e)
    }
  }

  /// severity: the least; 1 low, 2 normal, 3 high.
  public func review(_ space: String = "", severity: UInt32 = 0, limit: UInt32 = 0,
                     offset: UInt32 = 0, collection: String = "", record: String = "",
                     conflict: String = "") throws -> String {
    try text([space, collection, record, conflict]) { s, out, e in
      var o = qm_review_options()
      o.size = UInt32(MemoryLayout<qm_review_options>.size)
      o.severity = severity
      o.limit = limit
      o.offset = offset
      o.collection = s[1]
      o.record = s[2]
      o.cls = s[3]
      return qm_review(handle, s[0], &o, out, e)
    }
  }

  public func proposals(_ space: String = "", limit: UInt32 = 0, offset: UInt32 = 0) throws -> String {
    try text([space]) { s, out, e in qm_proposals(handle, s[0], limit, offset, out, e) }
  }

  public func unfit(_ space: String = "", limit: UInt32 = 0, offset: UInt32 = 0) throws -> String {
    try text([space]) { s, out, e in qm_unfit(handle, s[0], limit, offset, out, e) }
  }

  public func settles(_ space: String = "") throws -> String {
    try text([space]) { s, out, e in qm_settles(handle, s[0], out, e) }
  }

  public func undo(_ item: String = "") throws {
    try perform([item]) { s, e in qm_undo(handle, s[0], e) }
  }

  public func inbox(_ space: String = "", unread: Bool = false) throws -> String {
    try text([space]) { s, out, e in qm_inbox(handle, s[0], unread ? 1 : 0, out, e) }
  }

  public func inboxSeen(_ item: String = "") throws {
    try perform([item]) { s, e in qm_inbox_seen(handle, s[0], e) }
  }

  public func inboxRestore(_ item: String) throws {
    try perform([item]) { s, e in qm_inbox_restore(handle, s[0], e) }
  }

  public func history(_ space: String, _ collection: String, _ record: String) throws -> String {
    try text([space, collection, record]) { s, out, e in
      qm_history(handle, s[0], s[1], s[2], out, e)
    }
  }

  public func status(_ flags: ReadFlags = []) throws -> String {
    try text { _, out, e in qm_status(handle, flags.rawValue, out, e) }
  }

  public func recordStatus(_ space: String, _ collection: String, _ record: String) throws -> String {
    try text([space, collection, record]) { s, out, e in
      qm_record_status(handle, s[0], s[1], s[2], out, e)
    }
  }

  /// Binary; to be kept like a key.
  public func exportHub() throws -> Data { try data { _, out, e in qm_export_hub(handle, out, e) } }

  public func check() throws -> String { try text { _, out, e in qm_check(handle, out, e) } }

  public func keep(days: UInt32, mb: UInt32) throws {
    try perform { _, e in qm_keep(handle, days, mb, e) }
  }

  public func refer(_ space: String, _ collection: String, _ record: String, to upper: String) throws
    -> String {
    try text([space, collection, record, upper]) { s, out, e in
      qm_refer(handle, s[0], s[1], s[2], s[3], out, e)
    }
  }

  public func answers(_ space: String, _ collection: String, _ record: String = "") throws -> String {
    try text([space, collection, record]) { s, out, e in
      qm_answers(handle, s[0], s[1], s[2], out, e)
    }
  }

  public func changes(after cursor: String, limit: UInt32 = 0) throws -> String {
    try text([cursor]) { s, out, e in qm_changes(handle, s[0], limit, out, e) }
  }

  public func changesWait(after cursor: String, timeoutMs: UInt32) throws {
    try perform([cursor]) { s, e in qm_changes_wait(handle, s[0], timeoutMs, e) }
  }

  public func interrupt() { qm_interrupt(handle) }

  /// For a dispatch source; qm_events then says what happened.
  public func eventsDescriptor() throws -> Int32 {
    var fd: Int32 = -1
    try perform { _, e in qm_events_fd(handle, &fd, e) }
    return fd
  }

  public func pendingEvents(timeoutMs: UInt32 = 0) throws -> String {
    try text { _, out, e in qm_events(handle, timeoutMs, out, e) }
  }

  /// parameters: a JSON array, or empty.
  public func sql(_ statement: String, _ parameters: String = "", rows: UInt64 = 0,
                  ms: UInt64 = 0) throws -> String {
    try text([statement, parameters]) { s, out, e in
      qm_sql(handle, s[0], s[1], rows, ms, out, e)
    }
  }

  public func search(_ space: String, _ collection: String, _ words: String, limit: UInt32 = 0,
                     offset: UInt32 = 0) throws -> String {
    try text([space, collection, words]) { s, out, e in
      qm_search(handle, s[0], s[1], s[2], limit, offset, out, e)
    }
  }

  public func due(_ space: String = "", _ flags: ReadFlags = [], limit: UInt32 = 0,
                  offset: UInt32 = 0) throws -> String {
    try text([space]) { s, out, e in
      qm_due(handle, s[0], flags.rawValue, limit, offset, out, e)
    }
  }

  public func rebuild() throws { try perform { _, e in qm_rebuild(handle, e) } }

  public func attachments(_ space: String = "", _ collection: String = "", _ record: String = "")
    throws -> String {
    try text([space, collection, record]) { s, out, e in
      qm_attachments(handle, s[0], s[1], s[2], out, e)
    }
  }

  public func exportRefused() throws -> String {
    try text { _, out, e in qm_export_refused(handle, out, e) }
  }

  // ---- without a database ----

  public static var version: String { String(cString: qm_version()) }

  public static func schemaValidate(_ schema: String) throws -> String {
    try text([schema]) { s, out, e in qm_schema_validate(s[0], out, e) }
  }

  /// A captured place in the datum of a map (1 WGS-84, 2 GCJ-02); for display only.
  public static func pointShown(latitude: Double, longitude: Double, from: Int32, to: Int32) throws
    -> (latitude: Double, longitude: Double) {
    var at = (latitude: latitude, longitude: longitude)
    let code = qm_point_shown(&at.latitude, &at.longitude, from, to)
    if code != 0 { throw QianmoError(code: code) }
    return at
  }
}
