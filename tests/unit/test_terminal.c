/* What a terminal would show: line ends, redrawn lines, sequences whole and broken, long lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "formats/terminal.h"

enum { SAID_BYTES_MAX = 8 * 1024 * 1024 };

/* One line a frame: "line" or, where it is redrawn, "draw", whether it was cut, and the text. */
static void put_frame(struct buffer *said, const struct frame *frame) {
        assert_int_equal(buffer_printf(said, "%s%s: ", frame->is_line ? "line" : "draw", frame->is_cut ? ", cut" : ""), 0);
        assert_int_equal(buffer_append(said, frame->text.data, frame->text.size_bytes), 0);
        assert_int_equal(buffer_append_char(said, '\n'), 0);
}

/* A chunk is a copy of its own, so that a read past it is found. */
static void push_chunk(struct buffer *said, struct terminal *terminal, struct slice bytes) {
        CLEANUP(buffer_release) struct buffer chunk = BUFFER_INIT(SAID_BYTES_MAX);
        struct frame frame;
        int r;

        assert_int_equal(buffer_append(&chunk, bytes.data, bytes.size_bytes), 0);
        bytes = buffer_slice(&chunk);
        while ((r = terminal_next(terminal, &bytes, &frame)) > 0)
                put_frame(said, &frame);
        assert_int_equal(r, 0);
        assert_int_equal(bytes.size_bytes, 0);
}

static void frames_of(struct buffer *said, struct slice text, size_t chunk_bytes) {
        struct terminal terminal;
        struct frame frame;

        terminal_start(&terminal);
        while (text.size_bytes > 0) {
                size_t n = chunk_bytes < text.size_bytes ? chunk_bytes : text.size_bytes;

                push_chunk(said, &terminal, (struct slice){ text.data, n });
                text = (struct slice){ text.data + n, text.size_bytes - n };
        }
        if (terminal_finish(&terminal, &frame))
                put_frame(said, &frame);
        terminal_release(&terminal);
}

/* The same whatever the pieces. */
static void assert_frames(const char *text, const char *expected) {
        static const size_t chunks[] = { SIZE_MAX, 1, 2, 3, 7, 64 };

        for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
                CLEANUP(buffer_release) struct buffer said = BUFFER_INIT(SAID_BYTES_MAX);

                frames_of(&said, slice_from(text), chunks[i]);
                assert_string_equal(buffer_string(&said), expected);
        }
}

static void test_line_ends(void **state) {
        (void)state;
        assert_frames("", "");
        assert_frames("a\nb\n", "line: a\nline: b\n");
        assert_frames("a\nb", "line: a\nline: b\n");
        assert_frames("a\r\nb\r\n", "line: a\nline: b\n");
        assert_frames("\n\n\ta\n", "line: \nline: \nline: \ta\n");
        assert_frames("a\r\r\nb\n", "line: a\nline: b\n");
}

/* A line that is drawn over is a frame each time, and the last one stands when the writer is gone. */
static void test_carriage_returns(void **state) {
        (void)state;
        assert_frames("10%\r20%\r30%\n", "draw: 10%\ndraw: 20%\nline: 30%\n");
        assert_frames("\r10%\r20%", "draw: 10%\nline: 20%\n");
        assert_frames("\r10%\r", "line: 10%\n");
        assert_frames("long line\rshort\n", "draw: long line\nline: short\n");
        assert_frames("a\r\n\rb\r\n", "line: a\nline: b\n");
}

static void test_backspaces(void **state) {
        (void)state;
        assert_frames("loss 0.5\b\b\b0.4\b\b\b0.3\n", "draw: loss 0.5\ndraw: loss 0.4\nline: loss 0.3\n");
        assert_frames("ab\b\b\b\bc\n", "draw: ab\nline: c\n");
        assert_frames("a\xc3\xa9\bb\n", "draw: a\xc3\xa9\nline: ab\n");
        assert_frames("a\xf0\x9f\x98\x80\bb\n", "draw: a\xf0\x9f\x98\x80\nline: ab\n");
        assert_frames("\b\b\ba\n", "line: a\n");
}

static void test_colours_are_gone(void **state) {
        (void)state;
        assert_frames("\x1b[1;32mloss\x1b[0m=\x1b[38;5;12m0.5\x1b[m\n", "line: loss=0.5\n");
        assert_frames("\x1b[32m0.5\x1b[0m\x1b[K\n", "draw: 0.5\nline: \n");
        assert_frames("\x1b[?25l0.5\x1b[?25h\n", "line: 0.5\n");
        assert_frames("a\x1b(Bb\x1b)0c\x1b=d\x1b>e\n", "line: abcde\n");
        assert_frames("bell\a nul\x01 del\x7f\n", "line: bell nul del\x7f\n");
}

/* The cursor goes up, to a column, or the line is erased: a frame is over. Forward is blanks. */
static void test_cursor(void **state) {
        static const char *const redraws[] = { "\x1b[A", "\x1b[2A", "\x1b[1B", "\x1b[E", "\x1b[F", "\x1b[1G", "\x1b[H", "\x1b[2;1H",
                                               "\x1b[1;1f", "\x1b[J", "\x1b[2J", "\x1b[K", "\x1b[2K" };

        (void)state;
        for (size_t i = 0; i < sizeof(redraws) / sizeof(redraws[0]); i++) {
                CLEANUP(buffer_release) struct buffer text = BUFFER_INIT(64);

                (void)buffer_printf(&text, "first%ssecond\n", redraws[i]);
                assert_frames(buffer_string(&text), "draw: first\nline: second\n");
        }
        assert_frames("a\x1b[2K\r\x1b[1A\x1b[2Kb\n", "draw: a\nline: b\n");
        assert_frames("a\x1b[Cb\x1b[3Cc\x1b[Db\n", "line: a b   cb\n");
        assert_frames("a\r\x1b[Kb\n", "draw: a\nline: b\n");
}

static void test_strings_to_the_terminal(void **state) {
        (void)state;
        assert_frames("\x1b]0;loss=9\aloss=1\n", "line: loss=1\n");
        assert_frames("\x1b]8;;http://x/?a=1\x1b\\link\x1b]8;;\x1b\\ end\n", "line: link end\n");
        assert_frames("\x1bPq#0;2;0\x1b\\a\x1b_b\x1b\\c\x1b^d\x1b\\e\n", "line: ace\n");
}

/* A newline ends every sequence: no line is lost in one. */
static void test_broken_sequences(void **state) {
        (void)state;
        assert_frames("a\x1b\nb\n", "line: a\nline: b\n");
        assert_frames("a\x1b[\nb\n", "line: a\nline: b\n");
        assert_frames("a\x1b[12;\nb\n", "line: a\nline: b\n");
        assert_frames("a\x1b]0;title\nb\n", "line: a\nline: b\n");
        assert_frames("a\x1b]0;title\x1b\nb\n", "line: a\nline: b\n");
        assert_frames("a\x1b(\nb\n", "line: a\nline: b\n");
        assert_frames("a\x1b[3", "line: a\n");
        assert_frames("a\x1b]0;t", "line: a\n");
}

/* Control characters in a sequence are part of it, and no number in it is too large. */
static void test_strange_sequences(void **state) {
        CLEANUP(buffer_release) struct buffer said = BUFFER_INIT(SAID_BYTES_MAX);

        (void)state;
        assert_frames("a\x1b[3\x01" "1mb\n", "line: ab\n");
        assert_frames("a\x1b\x1b[1mb\n", "line: a[1mb\n");
        assert_frames("a\x9b" "31mb\n", "line: a\x9b" "31mb\n");
        frames_of(&said, SLICE("a\x1b[99999999999999999999999Cb\n"), SIZE_MAX);
        assert_in_range(said.size_bytes, 512, 8192);
}

/* A frame of exactly the limit is whole, one byte more is cut, and the next line is there again. */
static void test_long_lines(void **state) {
        (void)state;
        for (size_t size = FRAME_BYTES_MAX - 1; size <= FRAME_BYTES_MAX + 1; size++)
                for (size_t chunk = 1000; chunk < 1 << 20; chunk *= 32) {
                        CLEANUP(buffer_release) struct buffer text = BUFFER_INIT(SAID_BYTES_MAX), expected = BUFFER_INIT(SAID_BYTES_MAX),
                                                              said = BUFFER_INIT(SAID_BYTES_MAX);
                        size_t shown = size < FRAME_BYTES_MAX ? size : FRAME_BYTES_MAX;

                        assert_int_equal(buffer_printf(&text, "%0*d\nnext\n", (int)size, 0), 0);
                        assert_int_equal(buffer_printf(&expected, "line%s: %0*d\nline: next\n", size > shown ? ", cut" : "", (int)shown, 0), 0);
                        frames_of(&said, buffer_slice(&text), chunk);
                        assert_string_equal(buffer_string(&said), buffer_string(&expected));
                }
}

/* What is handed out stays in proportion to what came, however long the line that backspaces change. */
static void test_many_backspaces_on_a_long_line(void **state) {
        enum { N = 16 * 1024, SHOWN_PER_BYTE = 128 };
        CLEANUP(buffer_release) struct buffer text = BUFFER_INIT(SAID_BYTES_MAX), said = BUFFER_INIT(SAID_BYTES_MAX);

        (void)state;
        for (size_t i = 0; i < N; i++)
                assert_int_equal(buffer_append_string(&text, "abc\b"), 0);
        frames_of(&said, buffer_slice(&text), SIZE_MAX);
        assert_in_range(said.size_bytes, 2 * N, text.size_bytes * SHOWN_PER_BYTE);
}

/* Pseudo-random bytes of those that mean something. */
static void fill(struct buffer *text, unsigned seed, size_t size_bytes) {
        static const char *const parts[] = { "a", "loss=0.5 ", "\n", "\r", "\r\n", "\b", "\x1b", "\x1b[", "K", "2K", "1A", "C", "12", ";",
                                             "\x1b[0m", "\x1b]0;", "\a", "\x1b\\", "\t", "\xe2\x94\x82", "\xf0\x9f", "\x98\x80", "\0" };

        while (text->size_bytes < size_bytes) {
                seed = seed * 1103515245u + 12345u;
                assert_int_equal(buffer_append_string(text, parts[(seed >> 16) % (sizeof(parts) / sizeof(parts[0]))]), 0);
        }
}

static void test_any_bytes_in_any_pieces(void **state) {
        (void)state;
        for (unsigned seed = 0; seed < 200; seed++) {
                CLEANUP(buffer_release) struct buffer text = BUFFER_INIT(SAID_BYTES_MAX), whole = BUFFER_INIT(SAID_BYTES_MAX);

                fill(&text, seed, 500);
                frames_of(&whole, buffer_slice(&text), SIZE_MAX);
                for (size_t chunk = 1; chunk <= 13; chunk += 4) {
                        CLEANUP(buffer_release) struct buffer said = BUFFER_INIT(SAID_BYTES_MAX);

                        frames_of(&said, buffer_slice(&text), chunk);
                        assert_string_equal(buffer_string(&said), buffer_string(&whole));
                }
        }
}

/* Bytes may be passed over as whole lines only where no frame is under way. */
static void test_idle(void **state) {
        static const struct {
                const char *text;
                bool is_idle;
        } cases[] = { { "", true }, { "a\n", true }, { "a\r\n", true }, { "a", false }, { "\r", false }, { "a\r", false }, { "\x1b", false },
                      { "\x1b]0;t", false }, { "\n\b", true } };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                CLEANUP(buffer_release) struct buffer said = BUFFER_INIT(SAID_BYTES_MAX);
                struct terminal terminal;

                terminal_start(&terminal);
                push_chunk(&said, &terminal, slice_from(cases[i].text));
                assert_int_equal(terminal_is_idle(&terminal), cases[i].is_idle);
                terminal_release(&terminal);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_line_ends),
                cmocka_unit_test(test_carriage_returns),
                cmocka_unit_test(test_backspaces),
                cmocka_unit_test(test_colours_are_gone),
                cmocka_unit_test(test_cursor),
                cmocka_unit_test(test_strings_to_the_terminal),
                cmocka_unit_test(test_broken_sequences),
                cmocka_unit_test(test_strange_sequences),
                cmocka_unit_test(test_long_lines),
                cmocka_unit_test(test_many_backspaces_on_a_long_line),
                cmocka_unit_test(test_any_bytes_in_any_pieces),
                cmocka_unit_test(test_idle),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
