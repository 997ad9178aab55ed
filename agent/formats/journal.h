/* LevelDB's log framing, as W&B's run files have it: behind 7 bytes of header, blocks of 32 KiB from
 * the start of the file on, filled with chunks: a CRC-32 of type and data, the length of the data (16
 * bits), the type (1 byte), data. A record is one chunk, or a first, middle and last ones. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"
#include "formats/gather.h"

enum {
        JOURNAL_HEADER_BYTES = 7,
        JOURNAL_DATA_BYTES_MAX = 1024 * 1024, /* larger records are not kept */
};

/* The header: ":W&B", the bytes E1 BE, and version 0. */
#define JOURNAL_HEADER SLICE(":W&B\xe1\xbe\0")

enum journal_outcome {
        JOURNAL_MORE,       /* all bytes are taken, and no record is complete */
        JOURNAL_DATA,       /* a record */
        JOURNAL_LARGE,      /* a record over the limit has gone by */
        JOURNAL_BAD_CHUNK,  /* what stands there is no chunk: the rest of its block, and the record that
                             * it belongs to, are passed over */
        JOURNAL_BAD_HEADER, /* not such a file; from now on: MORE */
};

struct journal_reader {
        struct gather gather;
        struct buffer record;  /* chunks of one record */
        size_t block_at_bytes; /* how far we are in the block */
        bool has_header, is_lost;
        bool is_skipping;      /* to the end of the block */
        bool is_within;        /* a record: its first chunk was read, and its last one not */
        bool is_large;         /* that record is over the limit */
};

void journal_init(struct journal_reader *reader);
void journal_release(struct journal_reader *reader);

/* Takes from the front of *bytes up to the end of one record, and keeps what is incomplete. An enum
 * journal_outcome, or -ENOMEM (then bytes are lost). With JOURNAL_DATA, *ret_data is borrowed until the
 * next call, from bytes or from the reader. */
int journal_read(struct journal_reader *reader, struct slice *bytes, struct slice *ret_data);

/* Has a record begun that is not complete? */
bool journal_is_within(const struct journal_reader *reader);
