#include "formats/tfrecord.h"

#include <endian.h>

#include "base/crc.h"

enum {
        LENGTH_BYTES = 8,
        CRC_BYTES = 4,
};

/* A CRC of data that hold CRCs is weak, so it is stored rotated and with a constant added (TensorFlow's
 * tensorflow/core/lib/hash/crc32c.h). */
static uint32_t mask(uint32_t crc) {
        return (crc >> 15 | crc << 17) + 0xa282ead8;
}

static bool is_crc_at(const char *stored, uint32_t crc) {
        uint32_t word;

        memcpy(&word, stored, sizeof(word));
        return le32toh(word) == mask(crc);
}

bool tfrecord_check_header(const char header[static TFRECORD_HEADER_BYTES], uint64_t *ret_length_bytes) {
        uint64_t length;

        memcpy(&length, header, sizeof(length));
        *ret_length_bytes = le64toh(length);
        return is_crc_at(header + LENGTH_BYTES, crc32c(0, (struct slice){ header, LENGTH_BYTES }));
}

void tfrecord_init(struct tfrecord_reader *reader) {
        *reader = (struct tfrecord_reader){
                .gather = GATHER_INIT(TFRECORD_HEADER_BYTES + TFRECORD_DATA_BYTES_MAX + CRC_BYTES),
        };
}

void tfrecord_release(struct tfrecord_reader *reader) {
        gather_release(&reader->gather);
}

static int read_large(struct tfrecord_reader *reader, struct slice *bytes) {
        const char *stored;
        int r;

        if (reader->large_left_bytes > 0) {
                const char *start = bytes->data;
                size_t n = gather_skip(bytes, reader->large_left_bytes);

                reader->large_crc = crc32c(reader->large_crc, (struct slice){ start, n });
                reader->large_left_bytes -= n;
        }
        if (reader->large_left_bytes > 0)
                return TFRECORD_MORE;
        r = gather_look(&reader->gather, bytes, CRC_BYTES, &stored);
        if (r <= 0)
                return r < 0 ? r : TFRECORD_MORE;
        reader->is_large = false;
        gather_take(&reader->gather, bytes, CRC_BYTES);
        return is_crc_at(stored, reader->large_crc) ? TFRECORD_LARGE : TFRECORD_BAD_DATA;
}

static int start_large(struct tfrecord_reader *reader, struct slice *bytes, uint64_t length_bytes) {
        gather_take(&reader->gather, bytes, TFRECORD_HEADER_BYTES);
        reader->is_large = true;
        reader->large_left_bytes = length_bytes;
        reader->large_crc = 0;
        return read_large(reader, bytes);
}

static int lose(struct tfrecord_reader *reader) {
        gather_clear(&reader->gather);
        reader->is_lost = true;
        return TFRECORD_BAD_LENGTH;
}

int tfrecord_read(struct tfrecord_reader *reader, struct slice *bytes, struct slice *ret_data) {
        uint64_t length_bytes;
        size_t size_bytes;
        const char *start;
        int r;

        if (reader->is_lost) {
                (void)gather_skip(bytes, UINT64_MAX);
                return TFRECORD_MORE;
        }
        if (reader->is_large)
                return read_large(reader, bytes);
        r = gather_look(&reader->gather, bytes, TFRECORD_HEADER_BYTES, &start);
        if (r <= 0)
                return r < 0 ? r : TFRECORD_MORE;
        if (!tfrecord_check_header(start, &length_bytes))
                return lose(reader);
        if (length_bytes > TFRECORD_DATA_BYTES_MAX)
                return start_large(reader, bytes, length_bytes);
        size_bytes = TFRECORD_HEADER_BYTES + (size_t)length_bytes + CRC_BYTES;
        r = gather_look(&reader->gather, bytes, size_bytes, &start);
        if (r <= 0)
                return r < 0 ? r : TFRECORD_MORE;
        gather_take(&reader->gather, bytes, size_bytes);
        *ret_data = (struct slice){ start + TFRECORD_HEADER_BYTES, (size_t)length_bytes };
        return is_crc_at(ret_data->data + length_bytes, crc32c(0, *ret_data)) ? TFRECORD_DATA : TFRECORD_BAD_DATA;
}

bool tfrecord_is_within(const struct tfrecord_reader *reader) {
        return reader->is_large || gather_kept_bytes(&reader->gather) > 0;
}
