/* Streams: lines over the limit, restarts, counts, what is kept. */
#include "formats/jsonl.h"
#include "said.h"

static void push(struct stream *stream, const char *text) {
        assert_int_equal(stream_push(stream, slice_from(text)), 0);
}

static void test_a_line_over_the_limit_is_one_reject(void **state) {
        static const size_t sizes[] = { LINE_BYTES_MAX, 10 << 20 };

        (void)state;
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
                for (size_t chunk = 0; chunk <= 1 << 16; chunk += 1 << 15) {
                        CLEANUP(buffer_release) struct buffer text = BUFFER_INIT(16 << 20);
                        CLEANUP(buffer_release) struct buffer said = BUFFER_INIT(1 << 20);

                        (void)buffer_append_string(&text, "{\"epoch\":1,\"a\":1}\n{\"a\":\"");
                        for (size_t n = 0; n < sizes[i]; n += 64)
                                (void)buffer_printf(&text, "%064d", 0);
                        (void)buffer_append_string(&text, "\"}\n{\"epoch\":2,\"a\":2}\n");
                        said_of_bytes(&said, NULL, buffer_slice(&text), chunk);
                        assert_string_equal(buffer_string(&said),
                                            "1: EPOCH=1 a=1\n2:0: expected a line of at most 128 KiB; it is passed "
                                            "over\n3: EPOCH=2 a=2\n");
                }
}

/* In whatever pieces: the newline counts for nothing. */
static void test_a_line_at_the_limit_is_a_line(void **state) {
        static const size_t chunks[] = { 0, 1 << 15, LINE_BYTES_MAX };

        (void)state;
        for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
                CLEANUP(buffer_release) struct buffer text = BUFFER_INIT(1 << 20);
                CLEANUP(buffer_release) struct buffer said = BUFFER_INIT(1 << 20);

                (void)buffer_append_string(&text, "{\"epoch\":1,\"a\":\"");
                while (text.size_bytes < LINE_BYTES_MAX - 2)
                        (void)buffer_append_char(&text, 'x');
                (void)buffer_append_string(&text, "\"}\n");
                said_of_bytes(&said, &format_jsonl, buffer_slice(&text), chunks[i]);
                assert_string_equal(buffer_string(&said), "1: EPOCH=1\n");
        }
}

static void test_restart(void **state) {
        CLEANUP(buffer_release) struct buffer said = BUFFER_INIT(1 << 16);
        const struct record_sink sink = { .userdata = &said, .take_record = said_record, .take_reject = said_reject };
        const struct stream_config config = { .source = SLICE("test"), .sink = &sink };
        CLEANUP(stream_freep) struct stream *stream = NULL;

        (void)state;
        assert_int_equal(stream_new(&stream, &config), 0);
        push(stream, "epoch,loss\n1,0.5\n2,0.");
        assert_int_equal(stream_pending_bytes(stream), 4);
        assert_string_equal(stream_format(stream)->name, "csv");
        stream_restart(stream);
        assert_int_equal(stream_pending_bytes(stream), 0);
        assert_null(stream_format(stream));
        push(stream, "{\"epoch\":1,\"a\":1}\n");
        assert_string_equal(buffer_string(&said), "2: EPOCH=1 loss=0.5\n1: EPOCH=1 a=1\n");
}

static void take_rank(void *userdata, const struct record *record) {
        (void)buffer_printf(userdata, "%d", record->rank == SOURCE_STRUCTURED);
}

/* A document and the log behind it are one source of one rank: else neither would go on the other's curve. */
static void test_one_source_has_one_rank(void **state) {
        CLEANUP(buffer_release) struct buffer said = BUFFER_INIT(1 << 16);
        const struct record_sink sink = { .userdata = &said, .take_record = take_rank, .take_reject = said_reject };
        const struct stream_config config = { .source = SLICE("test"), .sink = &sink };
        CLEANUP(stream_freep) struct stream *stream = NULL;

        (void)state;
        assert_int_equal(stream_new(&stream, &config), 0);
        push(stream, "[{\"epoch\":1,\"loss\":0.5},\n{\"epoch\":2,\"loss\":0.25}]\nEpoch 3 loss: 0.5\n");
        assert_string_equal(buffer_string(&said), "111");
        stream_restart(stream);
        push(stream, "{\n\"lr\": 0.1\n}\nEpoch 1 loss: 0.5\n");
        assert_string_equal(buffer_string(&said), "1110");
}

static void test_counts(void **state) {
        CLEANUP(buffer_release) struct buffer said = BUFFER_INIT(1 << 16);
        const struct record_sink sink = { .userdata = &said, .take_record = said_record, .take_reject = said_reject };
        const struct stream_config config = { .source = SLICE("test"), .sink = &sink };
        CLEANUP(stream_freep) struct stream *stream = NULL;
        struct stream_counts counts;

        (void)state;
        assert_int_equal(stream_new(&stream, &config), 0);
        push(stream, "\n# a comment\n{\"epoch\":1,\"a\":1}\nnoise\n\n{\"epoch\":2,\"a\":1}\n");
        counts = stream_counts(stream);
        assert_int_equal(counts.records, 2);
        assert_int_equal(counts.rejects, 1);
        assert_int_equal(counts.lines, 6);
        assert_string_equal(buffer_string(&said),
                            "3: EPOCH=1 a=1\n4:1: expected a JSON object, { … }\n6: EPOCH=2 a=1\n");
}

static void test_a_named_format_needs_no_recognition(void **state) {
        (void)state;
        assert_said("jsonl", "{\"loss\": 1}\n", "1: loss=1\n");
        assert_null(format_find(SLICE("nonsense")));
        assert_null(format_find(SLICE("")));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_line_over_the_limit_is_one_reject),
                cmocka_unit_test(test_a_line_at_the_limit_is_a_line),
                cmocka_unit_test(test_restart),
                cmocka_unit_test(test_one_source_has_one_rank),
                cmocka_unit_test(test_counts),
                cmocka_unit_test(test_a_named_format_needs_no_recognition),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
