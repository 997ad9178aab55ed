/* What a parser said, as text: one line a record or reject, so that a test is a comparison. */
#pragma once

#include <inttypes.h>
#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/number.h"
#include "formats/stream.h"

static void said_number(struct buffer *said, const char *key, double value) {
        char text[NUMBER_TEXT_BYTES];

        if (isnan(value))
                return;
        number_format(value, 17, text);
        assert_int_equal(buffer_printf(said, " %s=%s", key, text), 0);
}

static void said_record(void *userdata, const struct record *record) {
        struct buffer *said = userdata;

        assert_int_equal(buffer_printf(said, "%" PRIu64 ":", record->line), 0);
        said_number(said, "EPOCH", record->epoch);
        said_number(said, "STEP", record->step);
        said_number(said, "TRIAL", record->trial);
        said_number(said, "TIME", record->time_s);
        said_number(said, "EPOCHS", record->total_epochs);
        said_number(said, "VOID", record->void_from_step);
        if (record->output_path.size_bytes > 0)
                (void)buffer_printf(said, " OUTPUT=%.*s", (int)record->output_path.size_bytes,
                                    record->output_path.data);
        if (record->checkpoint.size_bytes > 0)
                (void)buffer_printf(said, " CHECKPOINT=%.*s", (int)record->checkpoint.size_bytes,
                                    record->checkpoint.data);
        if (record->end)
                (void)buffer_append_string(said, " END");
        if (record->is_snapshot)
                (void)buffer_append_string(said, " SNAPSHOT");
        for (size_t i = 0; i < record->n_metrics; i++) {
                char value[NUMBER_TEXT_BYTES] = "NaN";

                if (isinf(record->metrics[i].value))
                        (void)snprintf(value, sizeof(value), "%sInf", record->metrics[i].value < 0 ? "-" : "");
                else if (!isnan(record->metrics[i].value))
                        number_format(record->metrics[i].value, 17, value);
                (void)buffer_printf(said, " %.*s=%s", (int)record->metrics[i].name.size_bytes,
                                    record->metrics[i].name.data, value);
        }
        (void)buffer_append_char(said, '\n');
}

static void said_reject(void *userdata, const struct reject *reject) {
        (void)buffer_printf(userdata, "%" PRIu64 ":%zu: expected %s\n", reject->line, reject->column,
                            reject->expected);
}

/* Pushes the text of a file in pieces of chunk_bytes (0: all at once) and finishes. */
static void said_of_file(struct buffer *said, const char *path, const struct format *format, struct slice text,
                         size_t chunk_bytes) {
        const struct record_sink sink = { .userdata = said, .take_record = said_record, .take_reject = said_reject };
        const struct stream_config config = { .source = slice_from(path), .format = format, .sink = &sink };
        CLEANUP(stream_freep) struct stream *stream = NULL;

        assert_int_equal(stream_new(&stream, &config), 0);
        for (size_t at = 0; at < text.size_bytes;) {
                size_t n = chunk_bytes && chunk_bytes < text.size_bytes - at ? chunk_bytes : text.size_bytes - at;

                assert_int_equal(stream_push(stream, (struct slice){ text.data + at, n }), 0);
                at += n;
        }
        assert_int_equal(stream_finish(stream), 0);
}

static inline void said_of_bytes(struct buffer *said, const struct format *format, struct slice text,
                                 size_t chunk_bytes) {
        said_of_file(said, "test", format, text, chunk_bytes);
}

/* The same whatever the pieces; a chunk is a copy of its own, so that a read past it is found. */
static void assert_said_file(const char *path, const char *format, struct slice text, const char *expected) {
        static const size_t chunks[] = { 0, 1, 2, 7, 64 };

        for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
                CLEANUP(buffer_release) struct buffer said = BUFFER_INIT(1 << 20);

                said_of_file(&said, path, format ? format_find(slice_from(format)) : NULL, text, chunks[i]);
                assert_string_equal(buffer_string(&said), expected);
        }
}

static inline void assert_said_bytes(const char *format, struct slice text, const char *expected) {
        assert_said_file("test", format, text, expected);
}

static inline void assert_said(const char *format, const char *text, const char *expected) {
        assert_said_bytes(format, slice_from(text), expected);
}
