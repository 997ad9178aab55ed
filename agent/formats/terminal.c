#include "formats/terminal.h"

#include <errno.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum state {
        STATE_TEXT,
        STATE_ESCAPE,        /* after ESC */
        STATE_CONTROL,       /* after ESC [ */
        STATE_STRING,        /* after ESC ], ESC P and the like: until BEL or ESC \ */
        STATE_STRING_ESCAPE, /* ESC in such a string */
        STATE_CHARSET,       /* after ESC ( and the like: one more byte */
};

enum { PARAMETER_MAX = 512, SHORT_BYTES = 128, NEWLINE = '\n', RETURN = '\r', BACKSPACE = '\b', ESCAPE = 0x1b, BELL = 7 };

void terminal_start(struct terminal *terminal) {
        *terminal = (struct terminal){ .line = BUFFER_INIT(FRAME_BYTES_MAX) };
}

void terminal_release(struct terminal *terminal) {
        buffer_release(&terminal->line);
}

/* --- the line --- */

static int put(struct terminal *terminal, const char *data, size_t size) {
        int r = buffer_append(&terminal->line, data, size);

        terminal->is_shown = false;
        terminal->new_bytes += size;
        if (r != -ENOBUFS)
                return r;
        /* What fits still counts: values stand at the start of lines more than at their end. */
        if (!terminal->is_long)
                (void)buffer_append(&terminal->line, data, FRAME_BYTES_MAX - terminal->line.size_bytes);
        terminal->is_long = true;
        return 0;
}

static void clear(struct terminal *terminal) {
        buffer_clear(&terminal->line);
        terminal->new_bytes = 0;
        terminal->is_long = terminal->is_shown = terminal->is_over = terminal->after_return = false;
}

/* One character, of up to four bytes. */
static void drop_last(struct terminal *terminal) {
        struct buffer *line = &terminal->line;

        while (line->size_bytes > 0 && ((unsigned char)line->data[--line->size_bytes] & 0xc0) == 0x80)
                ;
}

/* Hands the frame out as it stands; false when there is nothing new in it. */
static bool show(struct terminal *terminal, bool is_line, struct frame *ret_frame) {
        bool is_news = is_line || (!terminal->is_shown && terminal->line.size_bytes > 0);

        *ret_frame = (struct frame){ terminal->line.size_bytes > 0 ? buffer_slice(&terminal->line) : SLICE(""), is_line,
                                     terminal->is_long };
        terminal->is_shown = true;
        terminal->new_bytes = 0;
        return is_news;
}

/* Of a long line that changes by little at each backspace, not every state is worth reading: what is
 * handed out stays in proportion to what came. */
static bool is_worth_showing(const struct terminal *terminal) {
        size_t size = terminal->line.size_bytes;

        return size <= SHORT_BYTES || terminal->new_bytes >= size / SHORT_BYTES;
}

/* --- control --- */

/* The end of a control sequence. True: it begins to redraw the line, of which nothing stays. */
static bool redraws(struct terminal *terminal, char final, int *ret_error) {
        static const char blanks[] = "                ";

        switch (final) {
        case 'A': /* cursor up, down, to a line or place; erase in line or display */
        case 'B':
        case 'E':
        case 'F':
        case 'G':
        case 'H':
        case 'f':
        case 'J':
        case 'K':
                return true;
        case 'C': /* cursor forward: blanks, as far as anyone can see */
                for (uint32_t n = terminal->parameter ? terminal->parameter : 1; n > 0 && *ret_error == 0;) {
                        uint32_t m = n < sizeof(blanks) - 1 ? n : (uint32_t)sizeof(blanks) - 1;

                        *ret_error = put(terminal, blanks, m);
                        n -= m;
                }
                return false;
        default:
                return false;
        }
}

static enum state after_escape(char c) {
        switch (c) {
        case '[':
                return STATE_CONTROL;
        case ']':
        case 'P':
        case 'X':
        case '^':
        case '_':
                return STATE_STRING;
        case '(':
        case ')':
        case '*':
        case '+':
        case '#':
        case '%':
                return STATE_CHARSET;
        default:
                return STATE_TEXT;
        }
}

/* One byte inside of a sequence. True: the line is redrawn now. */
static bool take_sequence(struct terminal *terminal, char c, int *ret_error) {
        switch ((enum state)terminal->state) {
        case STATE_ESCAPE:
                terminal->state = (uint8_t)after_escape(c);
                terminal->parameter = 0;
                return false;
        case STATE_CONTROL:
                if (c >= '0' && c <= '9' && terminal->parameter < PARAMETER_MAX)
                        terminal->parameter = terminal->parameter * 10 + (uint32_t)(c - '0');
                else if (c == ';')
                        terminal->parameter = 0;
                if (c < '@' || c > '~')
                        return false;
                terminal->state = STATE_TEXT;
                return redraws(terminal, c, ret_error);
        case STATE_STRING:
                if (c == BELL || c == ESCAPE)
                        terminal->state = c == BELL ? STATE_TEXT : STATE_STRING_ESCAPE;
                return false;
        case STATE_STRING_ESCAPE:
        case STATE_CHARSET:
        case STATE_TEXT:
                break;
        }
        terminal->state = STATE_TEXT;
        return false;
}

/* --- frames --- */

static struct slice drop(struct slice bytes, size_t n) {
        return (struct slice){ bytes.data + n, bytes.size_bytes - n };
}

/* How many bytes there are before the first control character other than a tab. */
static size_t text_length(struct slice bytes) {
        size_t n = 0;

#ifdef __SSE2__
        const __m128i last = _mm_set1_epi8(0x1f), tab = _mm_set1_epi8('\t');

        for (; n + 16 <= bytes.size_bytes; n += 16) {
                __m128i block = _mm_loadu_si128((const __m128i *)(const void *)(bytes.data + n));
                __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(block, last), block);
                int mask = _mm_movemask_epi8(_mm_andnot_si128(_mm_cmpeq_epi8(block, tab), low));

                if (mask)
                        return n + (size_t)__builtin_ctz((unsigned)mask);
        }
#endif
        while (n < bytes.size_bytes && ((unsigned char)bytes.data[n] >= 0x20 || bytes.data[n] == '\t'))
                n++;
        return n;
}

/* Hands the frame out before it is redrawn; false when there is nothing new, and it is empty then. */
static bool end_frame(struct terminal *terminal, struct frame *ret_frame) {
        terminal->is_over = true;
        if (show(terminal, false, ret_frame))
                return true;
        clear(terminal);
        return false;
}

/* Plain text at the start of *bytes; true: it is a whole line, and handed out where it stands. */
static bool take_text(struct terminal *terminal, struct slice *bytes, size_t n, struct frame *ret_frame,
                      int *ret_error) {
        struct slice rest = drop(*bytes, n);
        size_t end = slice_starts_with(rest, SLICE("\r\n")) ? 2 : slice_starts_with(rest, SLICE("\n"));

        if (end && terminal->line.size_bytes == 0 && n <= FRAME_BYTES_MAX) {
                *ret_frame = (struct frame){ { bytes->data, n }, true, false };
                *bytes = drop(rest, end);
                return true;
        }
        *ret_error = put(terminal, bytes->data, n);
        *bytes = rest;
        return false;
}

/* One control character; true: *ret_frame is a frame. A backspace is taken when its frame is out. */
static bool take_control(struct terminal *terminal, struct slice *bytes, struct frame *ret_frame) {
        char c = bytes->data[0];

        if (c == BACKSPACE && is_worth_showing(terminal) && show(terminal, false, ret_frame))
                return true;
        *bytes = drop(*bytes, 1);
        switch (c) {
        case NEWLINE:
                terminal->is_over = true;
                return show(terminal, true, ret_frame);
        case RETURN:
                terminal->after_return = true;
                return false;
        case BACKSPACE:
                drop_last(terminal);
                return false;
        case ESCAPE:
                terminal->state = STATE_ESCAPE;
                return false;
        default:
                return false; /* BEL, NUL and the like show nothing */
        }
}

/* One byte of a sequence. A newline in one ends it: no line is ever lost in a sequence. */
static bool take_in_sequence(struct terminal *terminal, struct slice *bytes, struct frame *ret_frame,
                             int *ret_error) {
        char c = bytes->data[0];

        if (c == NEWLINE) {
                terminal->state = STATE_TEXT;
                return false;
        }
        *bytes = drop(*bytes, 1);
        return take_sequence(terminal, c, ret_error) && end_frame(terminal, ret_frame);
}

int terminal_next(struct terminal *terminal, struct slice *bytes, struct frame *ret_frame) {
        int r = 0;

        if (terminal->is_over)
                clear(terminal);
        while (bytes->size_bytes > 0 && r == 0) {
                size_t n;
                bool found;

                if (terminal->state != STATE_TEXT) {
                        if (take_in_sequence(terminal, bytes, ret_frame, &r))
                                return 1;
                        continue;
                }
                n = text_length(*bytes);
                if (n > 0 && terminal->after_return && end_frame(terminal, ret_frame))
                        return 1;
                found = n > 0 ? take_text(terminal, bytes, n, ret_frame, &r) :
                                take_control(terminal, bytes, ret_frame);
                if (found)
                        return 1;
        }
        return r;
}

int terminal_finish(struct terminal *terminal, struct frame *ret_frame) {
        if (terminal->is_over)
                clear(terminal);
        terminal->state = STATE_TEXT;
        terminal->is_over = true;
        return terminal->line.size_bytes > 0 && show(terminal, true, ret_frame);
}
