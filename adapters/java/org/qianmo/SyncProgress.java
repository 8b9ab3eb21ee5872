package org.qianmo;

/** How far a sync is (qm_sync_progress). Sizes in bytes, before TLS. */
public final class SyncProgress {
  public final long bytesUp, bytesDown, segmentsUp, segmentsDown, recordsDown;
  /** Own effects that the hub had not acknowledged when it began, and has not yet. */
  public final long unsentBefore, unsent;

  SyncProgress(long[] n) {
    bytesUp = n[0];
    bytesDown = n[1];
    segmentsUp = n[2];
    segmentsDown = n[3];
    recordsDown = n[4];
    unsentBefore = n[5];
    unsent = n[6];
  }
}
