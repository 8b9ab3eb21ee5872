/* support_photo: a small JPEG with EXIF, made by hand: 2031-05-06 07:08:09. */
#ifndef QM_TEST_SUPPORT_PHOTO_H
#define QM_TEST_SUPPORT_PHOTO_H

#include <stdint.h>

static const uint8_t photo[] = {
    0xff, 0xd8, 0xff, 0xe1, 0, 72, 'E', 'x', 'i', 'f', 0, 0,
    /* TIFF, least significant byte first; the first directory stands at 8 */
    'I', 'I', 42, 0, 8, 0, 0, 0,
    /* one entry: the EXIF directory is at 26 */
    1, 0, 0x69, 0x87, 4, 0, 1, 0, 0, 0, 26, 0, 0, 0, 0, 0, 0, 0,
    /* one entry: DateTimeOriginal, 20 characters at 44 */
    1, 0, 0x03, 0x90, 2, 0, 20, 0, 0, 0, 44, 0, 0, 0, 0, 0, 0, 0,
    '2', '0', '3', '1', ':', '0', '5', ':', '0', '6', ' ', '0', '7', ':', '0', '8', ':', '0', '9',
    0, 0xff, 0xd9};

#endif
