#include "formats/journal.h"

#include <errno.h>

#include "base/crc.h"

enum {
        BLOCK_BYTES = 32 * 1024,
        CHUNK_HEADER_BYTES = 7,
        RECORD_BYTES_IDLE = 64 * 1024, /* of a larger buffer the memory is given back */
};

enum chunk_type { CHUNK_FULL = 1, CHUNK_FIRST, CHUNK_MIDDLE, CHUNK_LAST };

struct chunk {
        uint32_t crc;
        size_t length_bytes;
        uint8_t type;
};

void journal_init(struct journal_reader *reader) {
        *reader = (struct journal_reader){
                .gather = GATHER_INIT(BLOCK_BYTES),
                .record = BUFFER_INIT(JOURNAL_DATA_BYTES_MAX),
        };
}

void journal_release(struct journal_reader *reader) {
        gather_release(&reader->gather);
        buffer_release(&reader->record);
}

static int read_header(struct journal_reader *reader, struct slice *bytes) {
        const char *start;
        int r = gather_look(&reader->gather, bytes, JOURNAL_HEADER_BYTES, &start);

        if (r <= 0)
                return r < 0 ? r : JOURNAL_MORE;
        if (!slice_equal((struct slice){ start, JOURNAL_HEADER_BYTES }, JOURNAL_HEADER)) {
                gather_clear(&reader->gather);
                reader->is_lost = true;
                return JOURNAL_BAD_HEADER;
        }
        gather_take(&reader->gather, bytes, JOURNAL_HEADER_BYTES);
        reader->block_at_bytes = JOURNAL_HEADER_BYTES;
        reader->has_header = true;
        return 0;
}

static size_t left_in_block(const struct journal_reader *reader) {
        return BLOCK_BYTES - reader->block_at_bytes;
}

/* A block's end that is too short for a chunk is filled with zeros. False: more is needed. */
static bool skip_to_block(struct journal_reader *reader, struct slice *bytes) {
        if (reader->is_skipping || left_in_block(reader) < CHUNK_HEADER_BYTES) {
                reader->block_at_bytes += gather_skip(bytes, left_in_block(reader));
                if (left_in_block(reader) > 0)
                        return false;
        }
        if (left_in_block(reader) == 0) {
                reader->block_at_bytes = 0;
                reader->is_skipping = false;
        }
        return true;
}

static struct chunk read_chunk_header(const char *start) {
        const uint8_t *at = (const uint8_t *)start;

        return (struct chunk){
                .crc = at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24,
                .length_bytes = at[4] | (size_t)at[5] << 8,
                .type = at[6],
        };
}

/* The next chunk, as it stands. 1, JOURNAL_MORE or -ENOMEM. */
static int look_at_chunk(struct journal_reader *reader, struct slice *bytes, struct chunk *ret_chunk,
                         const char **ret_start) {
        int r = gather_look(&reader->gather, bytes, CHUNK_HEADER_BYTES, ret_start);

        if (r <= 0)
                return r;
        *ret_chunk = read_chunk_header(*ret_start);
        if (ret_chunk->length_bytes > left_in_block(reader) - CHUNK_HEADER_BYTES)
                return 1; /* it is none */
        return gather_look(&reader->gather, bytes, CHUNK_HEADER_BYTES + ret_chunk->length_bytes, ret_start);
}

static bool is_right(const struct journal_reader *reader, struct chunk chunk, const char *start) {
        return chunk.length_bytes <= left_in_block(reader) - CHUNK_HEADER_BYTES && chunk.type >= CHUNK_FULL &&
               chunk.type <= CHUNK_LAST &&
               crc32_ieee(0, (struct slice){ start + CHUNK_HEADER_BYTES - 1, chunk.length_bytes + 1 }) == chunk.crc;
}

static void forget_record(struct journal_reader *reader) {
        reader->is_within = reader->is_large = false;
        if (reader->record.capacity_bytes > RECORD_BYTES_IDLE)
                buffer_release(&reader->record);
        else
                buffer_clear(&reader->record);
}

static int take_bad_chunk(struct journal_reader *reader, struct slice *bytes, struct chunk chunk) {
        bool is_cut = chunk.length_bytes > left_in_block(reader) - CHUNK_HEADER_BYTES;
        size_t seen = CHUNK_HEADER_BYTES + (is_cut ? 0 : chunk.length_bytes);

        gather_take(&reader->gather, bytes, seen);
        gather_clear(&reader->gather);
        reader->block_at_bytes += seen;
        reader->is_skipping = left_in_block(reader) > 0;
        forget_record(reader);
        return JOURNAL_BAD_CHUNK;
}

/* Adds a chunk's data to its record. */
static int add_data(struct journal_reader *reader, struct slice data) {
        int r = reader->is_large ? 0 : buffer_append(&reader->record, data.data, data.size_bytes);

        if (r == -ENOBUFS) {
                forget_record(reader);
                reader->is_within = reader->is_large = true;
                return 0;
        }
        return r;
}

static int take_chunk(struct journal_reader *reader, uint8_t type, struct slice data, struct slice *ret_data) {
        int r;

        if (type == CHUNK_FULL || type == CHUNK_FIRST)
                forget_record(reader);
        if (type == CHUNK_FULL) {
                *ret_data = data;
                return JOURNAL_DATA;
        }
        if (type == CHUNK_FIRST)
                reader->is_within = true;
        if (!reader->is_within)
                return JOURNAL_MORE; /* of a record whose start was bad */
        r = add_data(reader, data);
        if (r < 0 || type != CHUNK_LAST)
                return r < 0 ? r : JOURNAL_MORE;
        reader->is_within = false;
        *ret_data = buffer_slice(&reader->record);
        return reader->is_large ? JOURNAL_LARGE : JOURNAL_DATA;
}

int journal_read(struct journal_reader *reader, struct slice *bytes, struct slice *ret_data) {
        if (reader->is_lost) {
                (void)gather_skip(bytes, UINT64_MAX);
                return JOURNAL_MORE;
        }
        if (!reader->has_header) {
                int r = read_header(reader, bytes);

                if (r != 0 || !reader->has_header)
                        return r;
        }
        for (;;) {
                struct chunk chunk;
                const char *start;
                int r;

                if (!skip_to_block(reader, bytes))
                        return JOURNAL_MORE;
                r = look_at_chunk(reader, bytes, &chunk, &start);
                if (r <= 0)
                        return r < 0 ? r : JOURNAL_MORE;
                if (!is_right(reader, chunk, start))
                        return take_bad_chunk(reader, bytes, chunk);
                gather_take(&reader->gather, bytes, CHUNK_HEADER_BYTES + chunk.length_bytes);
                reader->block_at_bytes += CHUNK_HEADER_BYTES + chunk.length_bytes;
                r = take_chunk(reader, chunk.type, (struct slice){ start + CHUNK_HEADER_BYTES, chunk.length_bytes },
                               ret_data);
                if (r != JOURNAL_MORE)
                        return r;
        }
}

bool journal_is_within(const struct journal_reader *reader) {
        return reader->is_within || (reader->has_header && gather_kept_bytes(&reader->gather) > 0);
}
