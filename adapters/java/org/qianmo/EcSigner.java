package org.qianmo;

import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.interfaces.ECPublicKey;

/**
 * The device's key in a java.security key store that never shows it, such as AndroidKeyStore. There
 * it is made once, before the database, on the curve secp256r1, for signing, with DIGEST_NONE (the
 * digest is the library's) and without user authentication (a sync must not wait for a person).
 */
public final class EcSigner implements Options.Signer {
  private static final int SIZE = 32;
  private final PrivateKey key;
  private final ECPublicKey shown;

  public EcSigner(PrivateKey key, ECPublicKey shown) {
    this.key = key;
    this.shown = shown;
  }

  @Override public byte[] point() throws GeneralSecurityException {
    byte[] point = new byte[1 + 2 * SIZE];
    point[0] = 4;
    put(shown.getW().getAffineX(), point, 1);
    put(shown.getW().getAffineY(), point, 1 + SIZE);
    return point;
  }

  @Override public byte[] sign(byte[] digest) throws GeneralSecurityException {
    Signature signature = Signature.getInstance("NONEwithECDSA");
    signature.initSign(key);
    signature.update(digest);
    return signature.sign();
  }

  /* Big-endian in 32 bytes; what BigInteger gives may have a sign byte, or be shorter. */
  private static void put(BigInteger number, byte[] to, int at) throws GeneralSecurityException {
    byte[] bytes = number.toByteArray();
    int skip = bytes.length > SIZE ? bytes.length - SIZE : 0;
    int n = bytes.length - skip;
    if (skip > 1) throw new GeneralSecurityException("the key is not on secp256r1");
    System.arraycopy(bytes, skip, to, at + SIZE - n, n);
  }
}
