/* media: what a file is and when a photo was taken, from its first bytes. Any bytes are
 * fine: nothing is read beyond what is given, offsets in it are checked. */
#ifndef QM_HANDLE_MEDIA_H
#define QM_HANDLE_MEDIA_H

#include "core/mem.h"

#define QM_MEDIA_HEAD 262144u /* bytes of a file that are looked at */

/* By signature (JPEG, PNG, GIF, WebP, TIFF, HEIC, HEIF, AVIF, MP4, QuickTime, PDF, ZIP), else
 * "application/octet-stream". Static. */
const char *qm__media_type(qm_slice head);
/* The EXIF DateTimeOriginal of a JPEG, as YYYY-MM-DDThh:mm:ss of the camera's clock (it says
 * no zone). 1, or 0 where there is none that reads as a time. Source: Exif 2.32, §4.5-4.6. */
int qm__media_taken(qm_slice head, char out[20]);

#endif
