#include "formats/json_scan.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/number.h"

enum { LIST_DEPTH_MAX = 64 };

const char *json_scan_text(const char **at, const char *end, struct slice *ret_text, bool *ret_has_escapes) {
        const char *start = *at + 1, *from = start, *quote = NULL, *backslash;

        *ret_has_escapes = false;
        for (;;) {
                /* Looked for again only where an escape went past it: else a text of escapes alone takes time without end. */
                if (!quote || quote < from)
                        quote = memchr(from, '"', (size_t)(end - from));
                backslash = quote ? memchr(from, '\\', (size_t)(quote - from)) : NULL;
                if (!backslash)
                        break;
                *ret_has_escapes = true;
                from = backslash + 2; /* whatever is escaped, a quote too */
        }
        if (!quote) {
                *at = end;
                return "a closing quote";
        }
        *ret_text = (struct slice){ start, (size_t)(quote - start) };
        if (memchr(start, '\0', ret_text->size_bytes)) {
                *at = memchr(start, '\0', ret_text->size_bytes);
                return "no NUL byte";
        }
        *at = quote + 1;
        return NULL;
}

/* Brackets and texts only: what else is in a list is not looked at. */
const char *json_skip_brackets(const char **at, const char *end) {
        uint64_t braces = 0; /* a bit a level: was it opened by a brace? */
        int depth = 0;

        while (*at < end) {
                struct slice text;
                const char *wrong;
                bool has_escapes;
                char c = **at;

                if (c == '"') {
                        wrong = json_scan_text(at, end, &text, &has_escapes);
                        if (wrong)
                                return wrong;
                        continue;
                }
                if (c == '[' || c == '{') {
                        if (depth++ == LIST_DEPTH_MAX)
                                return "at most 64 levels of brackets";
                        braces = braces << 1 | (c == '{');
                } else if (c == ']' || c == '}') {
                        if ((braces & 1) != (c == '}'))
                                return "the bracket that was opened to be closed first";
                        braces >>= 1;
                        depth--;
                }
                (*at)++;
                if (depth == 0)
                        return NULL;
        }
        return "the end of the list";
}

static const char *scan_word(const char **at, const char *end, struct json_scalar *scalar) {
        const char *start = *at, *stop = start;
        struct slice word;

        while (stop < end && (isalpha((unsigned char)*stop) || *stop == '-' || *stop == '+'))
                stop++;
        word = (struct slice){ start, (size_t)(stop - start) };
        if (slice_equal(word, SLICE("true")) || slice_equal(word, SLICE("false"))) {
                scalar->kind = JSON_BOOL;
                scalar->boolean = *start == 't';
        } else if (slice_equal(word, SLICE("null")) || slice_equal(word, SLICE("None"))) {
                scalar->kind = JSON_NULL;
        } else if (word.size_bytes > 0 && number_parse(word, &scalar->number)) {
                scalar->kind = JSON_NUMBER;
        } else {
                return "a value";
        }
        *at = stop;
        return NULL;
}

const char *json_scan_scalar(const char **at, const char *end, struct json_scalar *ret_scalar) {
        char c = *at < end ? **at : '\0';
        size_t n;

        if ((c >= '0' && c <= '9') || c == '-' || c == '.') {
                n = number_scan((struct slice){ *at, (size_t)(end - *at) }, &ret_scalar->number);
                if (n > 0) {
                        ret_scalar->kind = JSON_NUMBER;
                        *at += n;
                        return NULL;
                }
        }
        if (c == '"') {
                ret_scalar->kind = JSON_TEXT;
                return json_scan_text(at, end, &ret_scalar->text, &ret_scalar->has_escapes);
        }
        if (c == '[') {
                const char *start = *at, *wrong = json_skip_brackets(at, end);

                ret_scalar->kind = JSON_LIST;
                ret_scalar->text = (struct slice){ start, (size_t)(*at - start) };
                return wrong;
        }
        return scan_word(at, end, ret_scalar);
}

/* --- escapes --- */

static bool take_hex(const char **at, const char *end, uint32_t *ret_unit) {
        uint32_t unit = 0;

        if (end - *at < 4)
                return false;
        for (int i = 0; i < 4; i++) {
                char c = (*at)[i];

                if (!isxdigit((unsigned char)c))
                        return false;
                unit = unit * 16 + (uint32_t)(isdigit((unsigned char)c) ? c - '0' : (c | 32) - 'a' + 10);
        }
        *at += 4;
        *ret_unit = unit;
        return true;
}

/* After "\u": one UTF-16 unit, or two that are a pair. */
static uint32_t take_character(const char **at, const char *end) {
        enum { REPLACEMENT = 0xfffd };
        uint32_t high, low;

        if (!take_hex(at, end, &high))
                return REPLACEMENT;
        if (high < 0xd800 || high > 0xdfff)
                return high;
        if (high > 0xdbff || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
                return REPLACEMENT;
        *at += 2;
        if (!take_hex(at, end, &low) || low < 0xdc00 || low > 0xdfff)
                return REPLACEMENT;
        return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static int put_character(struct buffer *out, uint32_t c) {
        char bytes[4];
        size_t n;

        if (c < 0x80) {
                bytes[0] = (char)c;
                n = 1;
        } else if (c < 0x800) {
                bytes[0] = (char)(0xc0 | c >> 6);
                bytes[1] = (char)(0x80 | (c & 0x3f));
                n = 2;
        } else if (c < 0x10000) {
                bytes[0] = (char)(0xe0 | c >> 12);
                bytes[1] = (char)(0x80 | (c >> 6 & 0x3f));
                bytes[2] = (char)(0x80 | (c & 0x3f));
                n = 3;
        } else {
                bytes[0] = (char)(0xf0 | c >> 18);
                bytes[1] = (char)(0x80 | (c >> 12 & 0x3f));
                bytes[2] = (char)(0x80 | (c >> 6 & 0x3f));
                bytes[3] = (char)(0x80 | (c & 0x3f));
                n = 4;
        }
        return buffer_append(out, bytes, n);
}

int json_decode_text(struct buffer *out, struct slice text) {
        static const char letters[128] = { ['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t',
                                           ['"'] = '"',  ['\\'] = '\\', ['/'] = '/' };
        const char *at = text.data, *end = at + text.size_bytes;
        int r = 0;

        while (at < end && r == 0) {
                unsigned char c;

                if (*at != '\\' || at + 1 == end) {
                        r = buffer_append_char(out, *at++);
                        continue;
                }
                c = (unsigned char)at[1];
                at += 2;
                if (c == 'u')
                        r = put_character(out, take_character(&at, end));
                else
                        r = buffer_append_char(out, c < 128 && letters[c] ? letters[c] : (char)c);
        }
        return r;
}
