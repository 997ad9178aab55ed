/* TFRecord framing: a record is its length (64 bits, little-endian), the masked CRC-32C of these 8
 * bytes, its data, and the masked CRC-32C of the data. Both are checked. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "formats/gather.h"

enum {
        TFRECORD_HEADER_BYTES = 12,
        TFRECORD_DATA_BYTES_MAX = 1024 * 1024, /* larger records (graphs, images) are not kept */
};

enum tfrecord_outcome {
        TFRECORD_MORE,       /* all bytes are taken, and no record is complete */
        TFRECORD_DATA,       /* a record */
        TFRECORD_LARGE,      /* a record over the limit has gone by, and its CRC was right */
        TFRECORD_BAD_DATA,   /* a record has gone by whose data are not what was written */
        TFRECORD_BAD_LENGTH, /* where the next record begins cannot be told; from now on: MORE */
};

struct tfrecord_reader {
        struct gather gather;
        bool is_large;       /* within a record over the limit */
        uint64_t large_left_bytes;
        uint32_t large_crc;
        bool is_lost;
};

void tfrecord_init(struct tfrecord_reader *reader);
void tfrecord_release(struct tfrecord_reader *reader);

/* Takes from the front of *bytes up to the end of one record, and keeps what is incomplete. An enum
 * tfrecord_outcome, or -ENOMEM (then bytes are lost). With TFRECORD_DATA, *ret_data is borrowed until
 * the next call, from bytes or from the reader. */
int tfrecord_read(struct tfrecord_reader *reader, struct slice *bytes, struct slice *ret_data);

/* Has a record begun that is not complete? */
bool tfrecord_is_within(const struct tfrecord_reader *reader);

/* The length that a header gives; false when its CRC is wrong. */
bool tfrecord_check_header(const char header[static TFRECORD_HEADER_BYTES], uint64_t *ret_length_bytes);
