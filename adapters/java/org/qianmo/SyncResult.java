package org.qianmo;

/** What came of a sync (qm_sync_result). Sizes in bytes, before TLS. */
public final class SyncResult {
  public final long refused, bytesUp, bytesDown, segmentsUp, segmentsDown;
  public final long spaces, spacesDiffering, clockOffsetMs;
  public final boolean renewed;
  /** Of the first space that could not be finished; 0. */
  public final int code;
  public final long repaired, repairedStates;
  /** The budget ended before all was exchanged. */
  public final boolean more;

  static final int NUMBERS = 13;

  SyncResult(long[] n) {
    refused = n[0];
    bytesUp = n[1];
    bytesDown = n[2];
    segmentsUp = n[3];
    segmentsDown = n[4];
    spaces = n[5];
    spacesDiffering = n[6];
    clockOffsetMs = n[7];
    renewed = n[8] != 0;
    code = (int) n[9];
    repaired = n[10];
    repairedStates = n[11];
    more = n[12] != 0;
  }
}
