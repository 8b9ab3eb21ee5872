package org.qianmo;

/**
 * How a database is opened (qm_options). A hook runs on the thread of the call that needs it, must
 * not call qianmo, and must not wait for a person. What it throws becomes the call's error: a
 * {@link QianmoException} its own code, anything else EIO, with the cause kept. (The allocator of
 * qm_options is no hook for Java.)
 */
public final class Options {
  /** Milliseconds since 1970 UTC. */
  public interface Clock {
    long nowMs() throws Exception;
  }

  /** n bytes from a cryptographic source. */
  public interface Random {
    byte[] bytes(int n) throws Exception;
  }

  /** level: 0 error, 1 warning, 2 information, 3 debug. No personal value is in a message. */
  public interface Log {
    void log(int level, String message);
  }

  /** 16 bytes that no backup and no copy of the database carries along: see qm_options.instance. */
  public interface Instance {
    byte[] id() throws Exception;
  }

  /** Keeps the device's key outside of the database, as bytes. */
  public interface KeyStore {
    /** null: there is none yet. */
    byte[] load() throws Exception;

    void save(byte[] key) throws Exception;
  }

  /** Has the device's key, ECDSA P-256, and shows it to nobody: {@link EcSigner} for Android's. */
  public interface Signer {
    /** The public key as an uncompressed point: 65 bytes from 0x04 on; for ever the same. */
    byte[] point() throws Exception;

    /** The signature, in DER, of a SHA-256 digest. */
    byte[] sign(byte[] digest) throws Exception;
  }

  /** A second opinion on the hub's certificate. */
  public interface HubCheck {
    /** chain: certificates in DER, the hub's first. Throws to refuse. */
    void check(String host, byte[][] chain) throws Exception;
  }

  /* As options_of in jni_db.c has them; below 0: the library's own. */
  final long[] numbers = {0, -1, -1, -1, -1};
  Clock clock;
  Random random;
  Log log;
  Instance instance;
  KeyStore keyStore;
  Signer signer;
  HubCheck hubCheck;

  /* What is set later is of the next opening. */
  Options copy() {
    Options o = new Options();
    System.arraycopy(numbers, 0, o.numbers, 0, numbers.length);
    o.clock = clock;
    o.random = random;
    o.log = log;
    o.instance = instance;
    o.keyStore = keyStore;
    o.signer = signer;
    o.hubCheck = hubCheck;
    return o;
  }

  /** Qianmo.CREATE | … */
  public Options flags(int flags) {
    numbers[0] = flags;
    return this;
  }

  /** How long a transaction waits for another one; 5000. */
  public Options busyMs(long ms) {
    numbers[1] = ms;
    return this;
  }

  /** For a silent hub; 0: the library's own. */
  public Options timeoutMs(long ms) {
    numbers[2] = ms;
    return this;
  }

  /** 90; 0: for ever. */
  public Options historyDays(int days) {
    numbers[3] = days;
    return this;
  }

  /** 250; 0: any amount. */
  public Options historyMb(int mb) {
    numbers[4] = mb;
    return this;
  }

  public Options clock(Clock hook) {
    clock = hook;
    return this;
  }

  public Options random(Random hook) {
    random = hook;
    return this;
  }

  public Options log(Log hook) {
    log = hook;
    return this;
  }

  public Options instance(Instance hook) {
    instance = hook;
    return this;
  }

  /** Not beside a signer. */
  public Options keyStore(KeyStore hook) {
    keyStore = hook;
    return this;
  }

  /** Not beside a key store. */
  public Options signer(Signer hook) {
    signer = hook;
    return this;
  }

  public Options hubCheck(HubCheck hook) {
    hubCheck = hook;
    return this;
  }
}
