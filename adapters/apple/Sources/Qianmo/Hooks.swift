import Foundation
import QianmoC

/// Keeps the device's key outside of the database, as bytes: in the keychain, readable after first
/// unlock, of this device only.
public protocol KeyStore: Sendable {
  /// nil: there is none yet.
  func load() throws -> Data?
  func save(_ key: Data) throws
}

/// Has the device's key, ECDSA P-256, and shows it to nobody (SecKeySigner).
public protocol Signer: Sendable {
  /// The public key as an uncompressed point, 65 bytes from 0x04 on; for ever the same.
  func point() throws -> Data
  /// The signature, in DER, of a SHA-256 digest.
  func sign(digest: Data) throws -> Data
}

/// What a database asks of the app. A hook runs on the thread of the call that needs it, and must
/// not call the database. What it throws becomes the call's error: a QianmoError its own code,
/// anything else EIO.
public struct Hooks: Sendable {
  public var log: (@Sendable (_ level: Int32, _ message: String) -> Void)?
  public var keyStore: (any KeyStore)?
  public var signer: (any Signer)?
  /// A second opinion on the hub's certificate: certificates in DER, the hub's first.
  public var checkHub: (@Sendable (_ host: String, _ chain: [Data]) throws -> Void)?

  public init() {}
}

/// The hooks as the library holds them.
final class HooksBox {
  let hooks: Hooks

  init(_ hooks: Hooks) { self.hooks = hooks }

  static func of(_ payload: UnsafeMutableRawPointer?) -> Hooks {
    Unmanaged<HooksBox>.fromOpaque(payload!).takeUnretainedValue().hooks
  }

  func put(into o: inout qm_options) {
    if hooks.log != nil {
      o.log = { payload, level, message in
        HooksBox.of(payload).log?(level, String(cString: message!))
      }
    }
    if hooks.keyStore != nil { putKeyStore(into: &o) }
    if hooks.signer != nil { putSigner(into: &o) }
    if hooks.checkHub != nil {
      o.check_hub = { payload, host, chain, n in
        answer(other: Int32(QM_ECERT.rawValue)) {
          let all = UnsafeBufferPointer(start: chain, count: Int(n))
          try HooksBox.of(payload).checkHub?(
            String(cString: host!), all.map { Data(bytes: $0.p, count: $0.n) })
          return 0
        }
      }
    }
  }

  private func putKeyStore(into o: inout qm_options) {
    o.key_load = { payload, to, n in
      answer {
        guard let key = try HooksBox.of(payload).keyStore?.load() else {
          return Int32(QM_ENOTFOUND.rawValue)
        }
        return fill(to, n, with: key)
      }
    }
    o.key_save = { payload, key, n in
      answer {
        try HooksBox.of(payload).keyStore?.save(Data(bytes: key!, count: n))
        return 0
      }
    }
  }

  private func putSigner(into o: inout qm_options) {
    o.key_point = { payload, to in
      answer {
        guard let point = try HooksBox.of(payload).signer?.point(), point.count == 65 else {
          return Int32(QM_EINVAL.rawValue)
        }
        point.copyBytes(to: to!, count: 65)
        return 0
      }
    }
    o.key_sign = { payload, digest, to, n in
      answer {
        let input = Data(bytes: digest!, count: 32)
        guard let signature = try HooksBox.of(payload).signer?.sign(digest: input) else {
          return Int32(QM_EINVAL.rawValue)
        }
        return fill(to, n, with: signature)
      }
    }
  }
}

/// Errors of Swift's must not pass through C.
private func answer(other: Int32 = Int32(QM_EIO.rawValue), _ body: () throws -> Int32) -> Int32 {
  do {
    return try body()
  } catch let e as QianmoError {
    return e.code
  } catch {
    return other
  }
}

private func fill(_ to: UnsafeMutablePointer<UInt8>?, _ n: UnsafeMutablePointer<Int>?,
                  with data: Data) -> Int32 {
  guard let to, let n, data.count <= n.pointee else { return Int32(QM_ELIMIT.rawValue) }
  data.copyBytes(to: to, count: data.count)
  n.pointee = data.count
  return 0
}

#if canImport(Security)
import Security

/// A key of the Secure Enclave or the keychain that only signs: kSecAttrKeyTypeECSECPrimeRandom,
/// 256 bits, made once, kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly.
public struct SecKeySigner: Signer, @unchecked Sendable {
  private let key: SecKey

  public init(_ key: SecKey) { self.key = key }

  public func point() throws -> Data {
    var error: Unmanaged<CFError>?
    guard let shown = SecKeyCopyPublicKey(key),
      let point = SecKeyCopyExternalRepresentation(shown, &error)
    else { throw QianmoError(code: Int32(QM_EIO.rawValue)) }
    return point as Data
  }

  public func sign(digest: Data) throws -> Data {
    var error: Unmanaged<CFError>?
    guard
      let signature = SecKeyCreateSignature(
        key, .ecdsaSignatureDigestX962SHA256, digest as CFData, &error)
    else { throw QianmoError(code: Int32(QM_EIO.rawValue)) }
    return signature as Data
  }
}
#endif
