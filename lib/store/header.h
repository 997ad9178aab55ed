/* What stands before a blob in a slot. It is the same in every version; the major version counts what
 * the blob is. Little endian:
 *    0  8  magic: 8d 45 58 50 53 54 0d 0a  (no text; a transfer as text would break it)
 *    8  2  major version
 *   10  2  minor version
 *   12  4  CRC-32C of the blob
 *   16  8  generation, from 1
 *   24  8  the newest generation that was known to be on the disk itself when this was written; 0: none
 *   32  8  bytes of the blob that follows
 *   40  4  CRC-32C of the bytes above
 *   44  1  0; 1: to sync this file has failed (written afterwards, and so not in the CRC)
 *   45  3  0 */
#pragma once

#include "store/store.h"

enum { HEADER_BYTES = 48, HEADER_MAGIC_BYTES = 8, HEADER_SUSPECT_AT = 44 };

struct header {
        uint16_t major, minor;
        uint32_t crc;
        uint64_t generation, durable, size_bytes;
        bool is_suspect;
};

struct header header_of(struct slice bytes, uint64_t generation, uint64_t durable);

void header_write(const struct header *header, char ret_bytes[static HEADER_BYTES]);
/* Is it one? Its numbers are within bounds then. */
bool header_read(const char bytes[static HEADER_BYTES], struct header *ret_header);
/* Does it at least begin as one? */
bool header_has_magic(const char bytes[static HEADER_BYTES]);
