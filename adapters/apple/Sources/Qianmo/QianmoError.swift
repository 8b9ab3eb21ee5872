import Foundation
import QianmoC

/// What a function of the library refused. `kind` says what can be done about it.
public struct QianmoError: Error, Sendable {
  public enum Kind: UInt32, Sendable {
    case ok, usage, absent, retry, refused, storage, corrupt, differ
  }

  /// The number of err.h, below 0.
  public let code: Int32
  /// The library's words, in English.
  public let message: String

  /// Also for hooks: makes the call that asks them give this code.
  public init(code: Int32, message: String = "") {
    self.code = code
    self.message = message
  }

  init(_ code: Int32, _ e: qm_error) {
    self.init(code: code, message: withUnsafeBytes(of: e.message) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    })
  }

  /// Its name in err.h without QM_: "EGAP".
  public var name: String { String(cString: qm_err_name(code)) }

  public var kind: Kind { Kind(rawValue: qm_err_class(code).rawValue) ?? .corrupt }

  /// Whether the same call may succeed later.
  public var isRetryable: Bool { kind == .retry }

  /// What it says to a person: Chinese where language begins with "zh", else English.
  public func text(language: String = "en") -> String {
    String(cString: qm_error_text(code, language))
  }

  /// Why a value was refused, or nil where this is no such refusal.
  public func explanation() -> Explanation? {
    var e = qm_error()
    e.code = code
    withUnsafeMutableBytes(of: &e.message) { $0.copyBytes(from: message.utf8.prefix($0.count - 1)) }
    return withUnsafePointer(to: &e) { e in
      var x = qm_explanation()
      x.size = UInt32(MemoryLayout<qm_explanation>.size)
      guard qm_explain(e, &x) == 0 else { return nil }
      return Explanation(x)
    }
  }

  /// qm_explanation: reason is a word that stays the same.
  public struct Explanation: Sendable {
    public let reason, english, chinese, field, detail: String

    init(_ x: qm_explanation) {
      reason = String(cString: x.reason)
      english = String(cString: x.en)
      chinese = String(cString: x.zh)
      field = Explanation.text(x.field)
      detail = Explanation.text(x.detail)
    }

    private static func text(_ s: qm_slice) -> String {
      String(decoding: UnsafeBufferPointer(start: s.p, count: s.n), as: UTF8.self)
    }
  }
}

typealias ErrorOut = UnsafeMutablePointer<qm_error>
typealias TextOut = UnsafeMutablePointer<qm_text>

/// Texts as slices, for the length of the call.
func withSlices<R>(_ texts: [String], _ body: ([qm_slice]) throws -> R) rethrows -> R {
  var bytes: [UInt8] = []
  var ends: [Int] = []
  for text in texts {
    bytes.append(contentsOf: text.utf8)
    ends.append(bytes.count)
  }
  return try bytes.withUnsafeBufferPointer { all in
    var slices: [qm_slice] = []
    var from = 0
    for end in ends {
      slices.append(qm_slice(p: all.baseAddress.map { $0 + from }, n: end - from))
      from = end
    }
    return try body(slices)
  }
}

/// A call without a result.
func perform(_ texts: [String] = [], _ body: ([qm_slice], ErrorOut) -> Int32) throws {
  var e = qm_error()
  let code = withSlices(texts) { body($0, &e) }
  if code != 0 { throw QianmoError(code, e) }
}

/// A call whose result is bytes.
func data(_ texts: [String] = [], _ body: ([qm_slice], TextOut, ErrorOut) -> Int32) throws -> Data {
  var out = qm_text()
  defer { qm_text_free(&out) }
  try perform(texts) { s, e in body(s, &out, e) }
  guard let p = out.p else { return Data() }
  return Data(bytes: p, count: out.n)
}

/// A call whose result is text.
func text(_ texts: [String] = [], _ body: ([qm_slice], TextOut, ErrorOut) -> Int32) throws -> String {
  String(decoding: try data(texts, body), as: UTF8.self)
}

/// A result of one object a line.
public func lines<T: Decodable>(_ type: T.Type, _ text: String) throws -> [T] {
  try text.split(separator: "\n").map { try JSONDecoder().decode(type, from: Data($0.utf8)) }
}
