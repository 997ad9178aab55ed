/* W&B's run files: blocks and chunks, what history items mean, and what is damaged. */
#include "said.h"

#include <stdlib.h>

#include "base/crc.h"
#include "formats/journal.h"

enum { BYTES_MAX = 8 * 1024 * 1024, BLOCK_BYTES = 32 * 1024 };

#define FILE_BUFFER(name) CLEANUP(buffer_release) struct buffer name = BUFFER_INIT(BYTES_MAX)

/* --- writing --- */

static void put(struct buffer *out, const void *data, size_t size_bytes) {
        assert_int_equal(buffer_append(out, data, size_bytes), 0);
}

static void put_varint(struct buffer *out, uint64_t value) {
        do {
                uint8_t byte = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));

                put(out, &byte, 1);
                value >>= 7;
        } while (value > 0);
}

static void put_bytes_field(struct buffer *out, unsigned field, struct slice bytes) {
        put_varint(out, field << 3 | 2);
        put_varint(out, bytes.size_bytes);
        put(out, bytes.data, bytes.size_bytes);
}

static void put_chunk(struct buffer *file, uint8_t type, struct slice data) {
        uint8_t head[7] = { 0, 0, 0, 0, (uint8_t)data.size_bytes, (uint8_t)(data.size_bytes >> 8), type };
        uint32_t crc = crc32_ieee(crc32_ieee(0, (struct slice){ (const char *)&type, 1 }), data);

        for (int i = 0; i < 4; i++)
                head[i] = (uint8_t)(crc >> 8 * i);
        put(file, head, sizeof(head));
        put(file, data.data, data.size_bytes);
}

/* As LevelDB's writer divides it. */
static void put_journal(struct buffer *file, struct slice data) {
        bool is_first = true;

        do {
                size_t left = BLOCK_BYTES - file->size_bytes % BLOCK_BYTES, n;
                bool is_last;

                if (left < 7) {
                        put(file, "\0\0\0\0\0\0", left);
                        left = BLOCK_BYTES;
                }
                n = data.size_bytes < left - 7 ? data.size_bytes : left - 7;
                is_last = n == data.size_bytes;
                put_chunk(file, is_first ? (is_last ? 1 : 2) : (is_last ? 4 : 3), (struct slice){ data.data, n });
                data = (struct slice){ data.data + n, data.size_bytes - n };
                is_first = false;
        } while (data.size_bytes > 0);
}

/* levels are parted by '>'; without '>' it is one level, and with '.' before it, the plain key. */
static void put_item(struct buffer *history, const char *levels, const char *value) {
        FILE_BUFFER(item);

        if (levels[0] == '.')
                put_bytes_field(&item, 1, slice_from(levels + 1));
        while (levels[0] != '.') {
                const char *end = strchrnul(levels, '>');

                put_bytes_field(&item, 2, (struct slice){ levels, (size_t)(end - levels) });
                if (!*end)
                        break;
                levels = end + 1;
        }
        put_bytes_field(&item, 16, slice_from(value));
        put_bytes_field(history, 1, buffer_slice(&item));
}

/* The items are in history already, which is empty then. step -1: not said. */
static void put_history(struct buffer *file, int step, struct buffer *history) {
        FILE_BUFFER(record);
        FILE_BUFFER(message);

        put_varint(&record, 1 << 3);
        put_varint(&record, 77);
        if (step >= 0) {
                put_varint(&message, 1 << 3);
                put_varint(&message, (uint64_t)step);
                put_bytes_field(history, 2, buffer_slice(&message));
        }
        put_bytes_field(&record, 2, buffer_slice(history));
        buffer_clear(history);
        put_journal(file, buffer_slice(&record));
}

static void put_loss(struct buffer *file, int step, const char *value) {
        FILE_BUFFER(history);

        put_item(&history, "loss", value);
        put_history(file, step, &history);
}

static void put_header(struct buffer *file) {
        put(file, ":W&B\xe1\xbe\0", 7);
}

/* A record of something else, of so many bytes. */
static void put_output(struct buffer *file, size_t size_bytes) {
        CLEANUP(cleanup_free) char *text = calloc(1, size_bytes + 1);
        FILE_BUFFER(record);

        put_bytes_field(&record, 13, (struct slice){ text, size_bytes });
        put_journal(file, buffer_slice(&record));
}

/* --- checks --- */

static void test_history(void **state) {
        FILE_BUFFER(file);
        FILE_BUFFER(history);

        (void)state;
        put_header(&file);
        put_output(&file, 10);
        put_item(&history, "train/loss", "0.5");
        put_item(&history, "val>deep>acc", "1e-3");
        put_item(&history, ".a.b", "-2");
        put_item(&history, "nan", "NaN");
        put_item(&history, "inf", "-Infinity");
        put_item(&history, "text", "\"12\"");
        put_item(&history, "flag", "true");
        put_item(&history, "none", "null");
        put_item(&history, "list", "[1,2]");
        put_item(&history, "h>_type", "\"histogram\"");
        put_item(&history, "epoch", "3");
        put_item(&history, "_timestamp", "1.5e+09");
        put_item(&history, "_runtime", "11.5");
        put_item(&history, "_wandb>runtime", "11");
        put_item(&history, "_step", "7");
        put_history(&file, 7, &history);
        put_loss(&file, -1, "4");
        put_item(&history, "loss", "1");
        put_item(&history, "_step", "9");
        put_history(&file, -1, &history);
        /* The trainer's own counter is the better one; W&B counts calls. */
        put_item(&history, "trainer/global_step", "100");
        put_item(&history, "loss", "2");
        put_history(&file, 10, &history);
        put_item(&history, "_step", "11");
        put_history(&file, 11, &history);
        assert_said_bytes(NULL, buffer_slice(&file),
                          "2: EPOCH=3 STEP=7 TIME=1500000000 train/loss=0.5 val/deep/acc=0.001 a.b=-2 nan=NaN inf=-Inf\n"
                          "3: loss=4\n4: STEP=9 loss=1\n5: STEP=100 loss=2\n");
}

/* Newer fields of an item: an integer (zigzag), a double. */
static void test_typed_values(void **state) {
        static const char integer[] = "\x12\x01i\x28\x05", number[] = "\x12\x01n\x31\0\0\0\0\0\0\xf8\x3f",
                          boolean[] = "\x12\x01" "b\x20\x01";
        FILE_BUFFER(file);
        FILE_BUFFER(history);

        (void)state;
        put_header(&file);
        put_bytes_field(&history, 1, (struct slice){ integer, sizeof(integer) - 1 });
        put_bytes_field(&history, 1, (struct slice){ number, sizeof(number) - 1 });
        put_bytes_field(&history, 1, (struct slice){ boolean, sizeof(boolean) - 1 });
        put_history(&file, 0, &history);
        assert_said_bytes(NULL, buffer_slice(&file), "1: STEP=0 i=-3 n=1.5\n");
}

/* Records over the ends of blocks, at every place where a block may end. */
static void test_blocks(void **state) {
        (void)state;
        for (size_t before = BLOCK_BYTES - 80; before < BLOCK_BYTES; before++) {
                FILE_BUFFER(file);

                put_header(&file);
                put_output(&file, before);
                put_loss(&file, 1, "1");
                put_output(&file, 3 * BLOCK_BYTES);
                put_loss(&file, 2, "2");
                assert_said_bytes(NULL, buffer_slice(&file), "2: STEP=1 loss=1\n4: STEP=2 loss=2\n");
        }
}

static void test_large_records_go_by(void **state) {
        FILE_BUFFER(file);

        (void)state;
        put_header(&file);
        put_output(&file, JOURNAL_DATA_BYTES_MAX);
        put_loss(&file, 1, "1");
        put_output(&file, JOURNAL_DATA_BYTES_MAX - 5);
        put_loss(&file, 2, "2");
        assert_said_bytes(NULL, buffer_slice(&file), "2: STEP=1 loss=1\n4: STEP=2 loss=2\n");
}

#define EXPECTED_CRC "expected a chunk whose CRC-32 is the one written before it; the rest of its block of 32 KiB is " \
                     "passed over\n"

static void test_damage(void **state) {
        FILE_BUFFER(file);
        size_t start, end;

        (void)state;
        put_header(&file);
        put_loss(&file, 1, "1");
        start = file.size_bytes;
        put_loss(&file, 2, "2");
        end = file.size_bytes;
        put_output(&file, BLOCK_BYTES);
        put_loss(&file, 3, "3");
        file.data[end - 1] ^= 1;
        assert_said_bytes(NULL, buffer_slice(&file), "1: STEP=1 loss=1\n2:0: " EXPECTED_CRC "3: STEP=3 loss=3\n");
        file.data[end - 1] ^= 1;
        file.data[start + 5] = 127; /* longer than its block */
        assert_said_bytes(NULL, buffer_slice(&file), "1: STEP=1 loss=1\n2:0: " EXPECTED_CRC "3: STEP=3 loss=3\n");
}

static void test_ends_within(void **state) {
        FILE_BUFFER(file);
        size_t start, end;

        (void)state;
        put_header(&file);
        put_loss(&file, 1, "1");
        start = file.size_bytes;
        put_loss(&file, 2, "2");
        end = file.size_bytes;
        for (size_t n = start + 1; n < end; n++)
                assert_said_bytes(NULL, (struct slice){ file.data, n },
                                  "1: STEP=1 loss=1\n2:0: expected the rest of the record; the file ends within it\n");
        put_output(&file, 2 * BLOCK_BYTES);
        assert_said_bytes(NULL, (struct slice){ file.data, BLOCK_BYTES },
                          "1: STEP=1 loss=1\n2: STEP=2 loss=2\n"
                          "3:0: expected the rest of the record; the file ends within it\n");
}

static void test_what_is_no_record(void **state) {
        FILE_BUFFER(file);

        (void)state;
        put_header(&file);
        put_journal(&file, SLICE("\x0a\x7f"));
        put_loss(&file, 1, "1");
        assert_said_bytes(NULL, buffer_slice(&file),
                          "1:0: expected a Record message of W&B; it is passed over\n2: STEP=1 loss=1\n");
}

static void test_recognised_by_content(void **state) {
        (void)state;
        for (size_t n = 0; n <= 7; n++)
                assert_said_bytes(NULL, (struct slice){ ":W&B\xe1\xbe\0", n }, "");
        assert_said_bytes(NULL, SLICE(":W&B\xe1\xbe\1aaaaaaaaaaaaaaaaaaa"), "");
        assert_said_bytes("wandb", SLICE("epoch,loss\n1,2\n"),
                          "1:0: expected the header of a W&B run file of version 0; the file is passed over\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_history),
                cmocka_unit_test(test_typed_values),
                cmocka_unit_test(test_blocks),
                cmocka_unit_test(test_large_records_go_by),
                cmocka_unit_test(test_damage),
                cmocka_unit_test(test_ends_within),
                cmocka_unit_test(test_what_is_no_record),
                cmocka_unit_test(test_recognised_by_content),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
