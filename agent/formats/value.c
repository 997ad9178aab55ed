#include "formats/value.h"

#include <ctype.h>
#include <math.h>
#include <strings.h>

#include "base/number.h"

#define LETTER (C_WORD | C_START)

const uint8_t value_kinds[256] = {
        ['\t'] = C_BLANK, [' '] = C_BLANK,
        ['0' ... '9'] = C_WORD | C_DIGIT,
        ['A' ... 'Z'] = LETTER, ['a' ... 'z'] = LETTER, ['_'] = LETTER, ['#'] = LETTER, ['@'] = LETTER,
        [0x80 ... 0xff] = LETTER,
        ['.'] = C_WORD, ['/'] = C_WORD, ['-'] = C_WORD, ['%'] = C_WORD, ['\''] = C_WORD,
        ['+'] = C_WORD, ['&'] = C_WORD, ['^'] = C_WORD,
        [','] = C_DELIMITER, [';'] = C_DELIMITER, ['|'] = C_DELIMITER, ['{'] = C_DELIMITER, ['}'] = C_DELIMITER,
        [')'] = C_DELIMITER, [']'] = C_DELIMITER, ['<'] = C_DELIMITER, ['>'] = C_DELIMITER, ['*'] = C_DELIMITER,
        ['!'] = C_DELIMITER, ['?'] = C_DELIMITER, ['~'] = C_DELIMITER, ['\\'] = C_DELIMITER, ['`'] = C_DELIMITER,
};

/* --- numbers --- */

/* 1,234,567 from its first comma on: the end of the last group of three, or NULL. */
static const char *thousands_end(const char *digits, const char *comma, const char *end) {
        const char *at = comma;

        if (comma - digits > 3 || *digits == '0')
                return NULL;
        while (at < end && *at == ',' && is_digit_at(at + 1, end)) {
                for (int i = 1; i <= 3; i++)
                        if (!is_digit_at(at + i, end))
                                return NULL;
                if (is_digit_at(at + 4, end))
                        return NULL;
                at += 4;
        }
        return at > comma ? at : NULL;
}

double value_of_digits(const char *at, const char *end) {
        double value = 0;

        for (; at < end; at++)
                if (*at >= '0' && *at <= '9')
                        value = value * 10 + (*at - '0');
        return value;
}

bool value_take_number(const char **at, const char *end, bool decimal_commas, bool *ret_has_comma, double *ret_value) {
        const char *start = *at, *digits = start, *after, *comma_end;
        size_t n = number_scan((struct slice){ start, (size_t)(end - start) }, ret_value);
        double fraction;
        bool is_negative = *start == '-';

        if (n == 0)
                return false;
        after = start + n;
        *at = after;
        if (*digits == '-' || *digits == '+')
                digits++;
        if (after >= end || *after != ',' || !is_digit_at(after + 1, end) ||
            memchr(digits, '.', (size_t)(after - digits)))
                return true;
        comma_end = decimal_commas ? NULL : thousands_end(digits, after, end);
        if (comma_end) {
                *ret_value = value_of_digits(digits, comma_end);
                *at = comma_end;
                if (comma_end < end && *comma_end == '.') {
                        size_t m = number_scan((struct slice){ comma_end, (size_t)(end - comma_end) }, &fraction);

                        *ret_value += m > 1 ? fraction : 0;
                        *at += m > 1 ? m : 0;
                }
                *ret_value = is_negative ? -*ret_value : *ret_value;
        } else if (decimal_commas || *digits == '0') {
                char text[64];
                size_t m = 0;

                for (const char *p = start; p < end && m < sizeof(text) && (isalnum((unsigned char)*p) || strchr("+-,", *p)); p++)
                        text[m++] = *p == ',' ? '.' : *p;
                n = number_scan((struct slice){ text, m }, &fraction);
                if (n < m && text[n] == '.') /* 0,1,2: a list */
                        return true;
                *ret_value = fraction;
                *ret_has_comma = true;
                *at = start + n;
        }
        return true;
}

bool value_take_not_finite(const char **at, const char *end, double *ret_value) {
        static const struct {
                const char *word;
                double value;
        } words[] = {
                { "infinity", INFINITY }, { "inf", INFINITY }, { "nan(ind)", NAN }, { "nan", NAN },
                { "1.#qnan", NAN },       { "1.#ind", NAN },   { "1.#inf", INFINITY },
        };
        const char *start = *at;
        bool is_negative = start < end && *start == '-';

        if (start < end && (*start == '-' || *start == '+'))
                start++;
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
                size_t n = strlen(words[i].word);

                if ((size_t)(end - start) < n || strncasecmp(start, words[i].word, n) != 0)
                        continue;
                while (words[i].word[0] == '1' && start + n < end && isdigit((unsigned char)start[n]))
                        n++;
                if (start + n < end && (kind_of(start[n]) & C_WORD) && start[n] != '.' && start[n] != '%')
                        continue;
                *ret_value = is_negative ? -words[i].value : words[i].value;
                *at = start + n;
                return true;
        }
        return false;
}

bool value_begins(const char *at, const char *end) {
        double ignored;

        if (at < end && (*at == '-' || *at == '+'))
                return is_digit_at(at + 1, end) || (at + 1 < end && at[1] == '.' && is_digit_at(at + 2, end)) ||
                       value_take_not_finite(&at, end, &ignored);
        return is_digit_at(at, end) || (at < end && *at == '.' && is_digit_at(at + 1, end)) ||
               value_take_not_finite(&at, end, &ignored);
}

/* --- what stands around them --- */

bool value_is_unit(struct slice word) {
        static const char *const units[] = {
                "s",   "sec",  "secs", "second", "seconds", "ms",  "msec", "us",   "ns",   "min", "mins",  "minutes",
                "h",   "hr",   "hrs",  "hour",   "hours",   "d",   "days", "b",    "kb",   "mb",  "gb",    "tb",
                "kib", "mib",  "gib",  "tib",    "bytes",   "g",   "fps",  "hz",   "khz",  "mhz", "ghz",   "w",
                "tflops", "gflops", "it", "its", "x",       "px",
        };

        if (memchr(word.data, '/', word.size_bytes) || word.size_bytes > 8)
                return memmem(word.data, word.size_bytes, "/s", 2) || memmem(word.data, word.size_bytes, "/it", 3) ||
                       memmem(word.data, word.size_bytes, "s/", 2);
        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
                if (strlen(units[i]) == word.size_bytes && strncasecmp(units[i], word.data, word.size_bytes) == 0)
                        return true;
        return false;
}

const char *value_skip_brackets(const char *at, const char *end) {
        int depth = 0;

        for (; at < end; at++) {
                if (*at == '[' || *at == '(' || *at == '{')
                        depth++;
                else if ((*at == ']' || *at == ')' || *at == '}') && --depth == 0)
                        return at + 1;
        }
        return end;
}

const char *value_unwrap(const char *at, const char *end, const char **ret_end) {
        static const char *const wrappers[] = { "tensor(", "array(", "np.float64(", "np.float32(", "Decimal('", "(", "[" };
        const char *number, *stop;
        double ignored;
        struct slice rest = { at, (size_t)(end - at) };

        for (size_t i = 0; i < sizeof(wrappers) / sizeof(wrappers[0]); i++) {
                if (!slice_starts_with(rest, slice_from(wrappers[i])))
                        continue;
                number = skip_blanks(at + strlen(wrappers[i]), end);
                if (!value_begins(number, end))
                        return NULL;
                stop = number;
                if (!value_take_not_finite(&stop, end, &ignored))
                        stop += number_scan((struct slice){ number, (size_t)(end - number) }, &ignored);
                if (i < 5)
                        *ret_end = value_skip_brackets(at + strcspn(wrappers[i], "("), end);
                else if (stop + 1 < end && *stop == ',' && (stop[1] == ')' || stop[1] == ']'))
                        *ret_end = stop + 2;
                else if (stop < end && (*stop == ')' || *stop == ']'))
                        *ret_end = stop + 1;
                else
                        return NULL;
                return number;
        }
        return NULL;
}
