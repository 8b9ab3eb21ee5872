import Foundation
import QianmoC

/// What came of a sync (qm_sync_result).
public struct SyncResult: Sendable {
  public let refused, spaces, spacesDiffering, repaired, repairedStates: UInt32
  public let bytesUp, bytesDown, segmentsUp, segmentsDown: UInt64
  public let clockOffsetMs: Int64
  public let renewed, more: Bool
  public let code: Int32

  init(_ r: qm_sync_result) {
    refused = r.refused
    spaces = r.spaces
    spacesDiffering = r.spaces_differing
    repaired = r.repaired
    repairedStates = r.repaired_states
    bytesUp = r.bytes_up
    bytesDown = r.bytes_down
    segmentsUp = r.segments_up
    segmentsDown = r.segments_down
    clockOffsetMs = r.clock_offset_ms
    renewed = r.renewed != 0
    more = r.more != 0
    code = r.code
  }
}

/// How far a sync is (qm_sync_progress).
public struct SyncProgress: Sendable {
  public let bytesUp, bytesDown, segmentsUp, segmentsDown, recordsDown, unsentBefore, unsent: UInt64

  init(_ p: qm_sync_progress) {
    bytesUp = p.bytes_up
    bytesDown = p.bytes_down
    segmentsUp = p.segments_up
    segmentsDown = p.segments_down
    recordsDown = p.records_down
    unsentBefore = p.unsent_before
    unsent = p.unsent
  }
}

/// What a sync calls, held for its time. It may be cancelled before it begins, where the library
/// has nothing to end yet: so its calls look again.
private final class Told: @unchecked Sendable {
  private let lock = NSLock()
  private var ended = false
  private let end: @Sendable () -> Void
  let progress: (@Sendable (SyncProgress) -> Void)?
  let stays: (@Sendable (Int32) -> Void)?

  init(progress: (@Sendable (SyncProgress) -> Void)?, end: @escaping @Sendable () -> Void) {
    self.progress = progress
    self.stays = nil
    self.end = end
  }

  init(stays: (@Sendable (Int32) -> Void)?, end: @escaping @Sendable () -> Void) {
    self.progress = nil
    self.stays = stays
    self.end = end
  }

  func lookAgain() {
    if isCancelled { end() }
  }

  var isCancelled: Bool {
    lock.lock()
    defer { lock.unlock() }
    return ended
  }

  func cancel() {
    lock.lock()
    ended = true
    lock.unlock()
    end()
  }
}

private final class Listener: @unchecked Sendable {
  let continuation: AsyncStream<String>.Continuation

  init(_ continuation: AsyncStream<String>.Continuation) { self.continuation = continuation }
}

extension Database {
  /// qm_sync_run. budgetMs 0: as long as it takes; result.more: call again. A task that is cancelled
  /// ends it politely, with an error ECANCELED. progress comes on the thread that syncs, and must
  /// not call the database.
  public func sync(budgetMs: UInt32 = 0, progress: (@Sendable (SyncProgress) -> Void)? = nil)
    async throws -> SyncResult {
    let told = Told(progress: progress, end: { [self] in qm_sync_cancel(self.handle) })
    return try await withTaskCancellationHandler {
      try await read { db in
        if told.isCancelled { throw QianmoError(code: Int32(QM_ECANCELED.rawValue)) }
        return try db.syncHere(budgetMs, told)
      }
    } onCancel: {
      told.cancel()
    }
  }

  private func syncHere(_ budgetMs: UInt32, _ told: Told) throws -> SyncResult {
    var r = qm_sync_result()
    r.size = UInt32(MemoryLayout<qm_sync_result>.size)
    var o = qm_run_options()
    o.size = UInt32(MemoryLayout<qm_run_options>.size)
    o.budget_ms = budgetMs
    o.payload = Unmanaged.passUnretained(told).toOpaque()
    o.progress = { payload, p in
      let told = Unmanaged<Told>.fromOpaque(payload!).takeUnretainedValue()
      told.lookAgain()
      told.progress?(SyncProgress(p!.pointee))
    }
    try withExtendedLifetime(told) {
      try perform { _, e in qm_sync_run(handle, &o, &r, e) }
    }
    return SyncResult(r)
  }

  /// qm_sync_stay: connected until the task is cancelled, or a person must act. told comes on the
  /// thread that stays, 0: connected; it must not call the database. interrupt() ends it too.
  public func stay(told: (@Sendable (Int32) -> Void)? = nil) async throws {
    let told = Told(stays: told, end: { [self] in qm_interrupt(self.handle) })
    try await withTaskCancellationHandler {
      try await read { db in
        if !told.isCancelled { try db.stayHere(told) }
      }
    } onCancel: {
      told.cancel()
    }
  }

  private func stayHere(_ told: Told) throws {
    let payload = Unmanaged.passUnretained(told).toOpaque()
    try withExtendedLifetime(told) {
      try perform { _, e in
        qm_sync_stay(
          handle,
          { payload, code in
            let told = Unmanaged<Told>.fromOpaque(payload!).takeUnretainedValue()
            told.lookAgain()
            told.stays?(code)
          },
          payload, e)
      }
    }
  }

  /// Events (qm_listen), each a JSON object, until nobody reads them any more; of one reader.
  public func events() throws -> AsyncStream<String> {
    let (stream, continuation) = AsyncStream<String>.makeStream()
    let listener = Unmanaged.passRetained(Listener(continuation))
    do {
      try perform { _, e in
        qm_listen(
          handle,
          { payload, line, n in
            let listener = Unmanaged<Listener>.fromOpaque(payload!).takeUnretainedValue()
            let bytes = UnsafeRawBufferPointer(start: line, count: n)
            listener.continuation.yield(String(decoding: bytes, as: UTF8.self))
          },
          listener.toOpaque(),
          { payload in Unmanaged<Listener>.fromOpaque(payload!).release() },
          e)
      }
    } catch {
      listener.release()
      throw error
    }
    // Not on the thread that ends it: that may be the listener's own, which qm_unlisten waits for.
    continuation.onTermination = { [self] _ in
      DispatchQueue.global().async { qm_unlisten(self.handle) }
    }
    return stream
  }

  /// What changed after the cursor: first what there is, then as it comes.
  public func changes(since cursor: String = "") -> Changes { Changes(db: self, cursor: cursor) }
}

/// A record that changed: a line of qm_changes.
public struct Change: Sendable {
  /// Where to go on another time.
  public let cursor: String
  /// JSON.
  public let line: String
}

public struct Changes: AsyncSequence, Sendable {
  public typealias Element = Change
  let db: Database
  let cursor: String

  public func makeAsyncIterator() -> Iterator { Iterator(db: db, cursor: cursor) }

  public struct Iterator: AsyncIteratorProtocol {
    private struct Cursor: Decodable {
      let cursor: String
    }

    let db: Database
    var cursor: String
    var waiting: [Change] = []

    init(db: Database, cursor: String) {
      self.db = db
      self.cursor = cursor
    }

    /// nil: the task was cancelled.
    public mutating func next() async throws -> Change? {
      while waiting.isEmpty {
        if Task.isCancelled { return nil }
        let since = cursor
        waiting = try await db.read { db in try Iterator.look(db, since) }
      }
      let change = waiting.removeFirst()
      cursor = change.cursor
      return change
    }

    private static func look(_ db: Database, _ since: String) throws -> [Change] {
      do {
        try db.changesWait(after: since, timeoutMs: 250)
      } catch let e as QianmoError where e.name == "ETIMEOUT" || e.name == "ECLOSED" {
        return []
      }
      return try db.changes(after: since).split(separator: "\n").map { line in
        let at = try JSONDecoder().decode(Cursor.self, from: Data(line.utf8))
        return Change(cursor: at.cursor, line: String(line))
      }
    }
  }
}
