/* Buffers, UTF-8, JSON out, and points in time. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/instant.h"
#include "base/json_put.h"
#include "base/utf8.h"

static void test_what_does_not_fit_leaves_a_buffer_as_it_was(void **state) {
        struct buffer buffer = BUFFER_INIT(4);

        (void)state;
        assert_int_equal(buffer_append_string(&buffer, "abc"), 0);
        assert_int_equal(buffer_append_string(&buffer, "de"), -ENOBUFS);
        assert_int_equal(buffer_printf(&buffer, "%d", 10), -ENOBUFS);
        assert_int_equal(buffer_append(&buffer, "x", SIZE_MAX), -ENOBUFS);
        assert_string_equal(buffer_string(&buffer), "abc");
        assert_int_equal(buffer_append_char(&buffer, 'd'), 0);
        assert_int_equal(buffer.size_bytes, 4);
        assert_true(slice_equal(buffer_slice(&buffer), SLICE("abcd")));
        buffer_consume(&buffer, 3);
        assert_true(slice_equal(buffer_slice(&buffer), SLICE("d")));
        buffer_consume(&buffer, 3);
        assert_int_equal(buffer.size_bytes, 0);
        buffer_release(&buffer);
        assert_int_equal(buffer_append_string(&buffer, "12345"), -ENOBUFS);
        assert_null(buffer.data);
}

static void test_utf8_characters(void **state) {
        static const struct {
                const char *text;
                size_t n;
        } cases[] = {
                { "a", 1 },           { "\xc3\xa9", 2 },     { "\xe2\x9c\x93", 3 }, { "\xf0\x9f\x98\x80", 4 },
                { "", 0 },            { "\x80", 0 },         { "\xc0\xaf", 0 },     { "\xc3", 0 },
                { "\xed\xa0\x80", 0 }, { "\xf4\x90\x80\x80", 0 }, { "\xe0\x80\x80", 0 }, { "\xff", 0 },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
                assert_int_equal(utf8_character(slice_from(cases[i].text)), cases[i].n);
        assert_int_equal(utf8_cut(SLICE("ab\xe2\x9c\x93"), 4), 2);
        assert_int_equal(utf8_cut(SLICE("ab\xe2\x9c\x93"), 5), 5);
        assert_int_equal(utf8_cut(SLICE("ab"), 100), 2);
}

static void test_json_out(void **state) {
        struct buffer buffer = BUFFER_INIT(1024);
        struct json_writer writer = JSON_WRITER_INIT(&buffer);

        (void)state;
        json_put_open(&writer, '{');
        json_put_key(&writer, "a\"b");
        json_put_open(&writer, '[');
        json_put_number(&writer, 0.1, 17);
        json_put_number(&writer, 1.0 / 3, 4);
        json_put_number(&writer, 1e300 * 1e300, 6);
        json_put_integer(&writer, INT64_MIN);
        json_put_bool(&writer, true);
        json_put_null(&writer);
        json_put_close(&writer, ']');
        json_put_key(&writer, "text");
        json_put_text(&writer, SLICE("\n\t\x01\\\xff\xc3\xa9"));
        json_put_key(&writer, "made");
        json_put_json(&writer, SLICE("{}"));
        json_put_close(&writer, '}');
        assert_int_equal(writer.error, 0);
        assert_string_equal(buffer_string(&buffer),
                            "{\"a\\\"b\":[0.1,0.3333,null,-9223372036854775808,true,null],"
                            "\"text\":\"\\n\\t\\u0001\\\\\xef\xbf\xbd\xc3\xa9\",\"made\":{}}");
        buffer_release(&buffer);
}

static void test_the_first_error_of_json_out_stays(void **state) {
        struct buffer buffer = BUFFER_INIT(4);
        struct json_writer writer = JSON_WRITER_INIT(&buffer);

        (void)state;
        json_put_open(&writer, '[');
        json_put_string(&writer, "too long");
        json_put_close(&writer, ']');
        assert_int_equal(writer.error, -ENOBUFS);
        buffer_release(&buffer);
}

static void test_instants(void **state) {
        static const struct {
                const char *text;
                double unix_s;
        } good[] = {
                { "1970-01-01T00:00:00Z", 0 },
                { "2026-01-02T03:04:05Z", 1767323045 },
                { "2026-01-02 03:04:05", 1767323045 },
                { "2026-01-02T03:04:05.5Z", 1767323045.5 },
                { "2026-01-02T05:04:05+02:00", 1767323045 },
                { "2024-02-29T00:00:00Z", 1709164800 },
        };
        static const char *const bad[] = { "", "2026-01-02", "2026-13-02T03:04:05Z", "2026-01-02T25:04:05Z",
                                           "yesterday" };
        char text[INSTANT_TEXT_BYTES];
        double unix_s;

        (void)state;
        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
                assert_true(instant_parse(slice_from(good[i].text), &unix_s));
                assert_true(unix_s == good[i].unix_s); /* all of them are exact in binary */
        }
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_false(instant_parse(slice_from(bad[i]), &unix_s));
        instant_format(INT64_C(1767323045999999), text);
        assert_string_equal(text, "2026-01-02T03:04:05Z");
}

static void test_control_characters_are_hidden(void **state) {
        char text[] = "a\x1b[31mb\x7f\xc2\x9b" "c\xc2\xa9\n";

        (void)state;
        utf8_hide_controls(text, sizeof(text) - 1);
        assert_string_equal(text, "a?[31mb???c\xc2\xa9?");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_does_not_fit_leaves_a_buffer_as_it_was),
                cmocka_unit_test(test_utf8_characters),
                cmocka_unit_test(test_control_characters_are_hidden),
                cmocka_unit_test(test_json_out),
                cmocka_unit_test(test_the_first_error_of_json_out_stays),
                cmocka_unit_test(test_instants),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
