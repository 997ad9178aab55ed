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

/* 4.3f0, 5.76f-6: Julia's single precision. Returns the end of the exponent, or NULL. */
static const char *julia_exponent(const char *at, const char *end, double *value) {
        const char *digits = at + 1;
        double exponent;
        bool is_negative;

        if (at >= end || *at != 'f')
                return NULL;
        is_negative = digits < end && *digits == '-';
        digits += is_negative;
        if (!is_digit_at(digits, end))
                return NULL;
        for (at = digits; is_digit_at(at, end) && at - digits < 3;)
                at++;
        exponent = value_of_digits(digits, at);
        *value *= pow(10, is_negative ? -exponent : exponent);
        return at;
}

/* 1,234,567.5 from its first digit to the end of its groups. */
static const char *take_thousands(const char *digits, const char *groups_end, const char *end, double *ret_value) {
        double fraction;
        size_t n;

        *ret_value = value_of_digits(digits, groups_end);
        if (groups_end == end || *groups_end != '.')
                return groups_end;
        n = number_scan((struct slice){ groups_end, (size_t)(end - groups_end) }, &fraction);
        if (n > 1)
                *ret_value += fraction;
        return groups_end + (n > 1 ? n : 0);
}

/* 0,512 as 0.512; how many bytes that is, or 0 for 0,1,2, which is a list. */
static size_t take_decimal_comma(const char *start, const char *end, double *ret_value) {
        char text[64];
        size_t n, size = 0;

        for (const char *at = start; at < end && size < sizeof(text) && (isalnum((unsigned char)*at) || strchr("+-,", *at)); at++)
                text[size++] = *at == ',' ? '.' : *at;
        n = number_scan((struct slice){ text, size }, ret_value);
        return n < size && text[n] == '.' ? 0 : n;
}

bool value_take_number(const char **at, const char *end, bool decimal_commas, bool *ret_has_comma, double *ret_value) {
        const char *start = *at, *digits, *after, *groups_end, *exponent_end;
        size_t n = number_scan((struct slice){ start, (size_t)(end - start) }, ret_value);
        double value;

        if (n == 0)
                return false;
        *at = after = start + n;
        exponent_end = julia_exponent(after, end, ret_value);
        if (exponent_end) {
                *at = exponent_end;
                return true;
        }
        digits = *start == '-' || *start == '+' ? start + 1 : start;
        if (after >= end || *after != ',' || !is_digit_at(after + 1, end) || memchr(digits, '.', (size_t)(after - digits)))
                return true;
        groups_end = decimal_commas ? NULL : thousands_end(digits, after, end);
        if (groups_end) {
                *at = take_thousands(digits, groups_end, end, &value);
                *ret_value = *start == '-' ? -value : value;
        } else if (decimal_commas || *digits == '0') {
                n = take_decimal_comma(start, end, &value);
                if (n == 0)
                        return true;
                *ret_value = value;
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

/* No one nests deeper: a line of "((((" is not read again and again. */
enum { DEPTH_MAX = 64 };

const char *value_skip_brackets(const char *at, const char *end) {
        int depth = 0;

        for (; at < end && depth < DEPTH_MAX; at++) {
                if (*at == '[' || *at == '(' || *at == '{')
                        depth++;
                else if ((*at == ']' || *at == ')' || *at == '}') && --depth == 0)
                        return at + 1;
        }
        return end;
}

/* (accuracy,0.85): the number, and behind the bracket. */
static const char *behind_word(const char *at, const char *end, const char **ret_end) {
        const char *comma, *number, *stop;
        double ignored;
        size_t n;

        if (at == end || *at != '(' || at + 1 == end || !(kind_of(at[1]) & C_START))
                return NULL;
        comma = word_end(at + 1, end);
        if (comma == end || *comma != ',')
                return NULL;
        number = skip_blanks(comma + 1, end);
        n = number_scan((struct slice){ number, (size_t)(end - number) }, &ignored);
        stop = number + n;
        if (n == 0 || stop == end || *stop != ')')
                return NULL;
        *ret_end = stop + 1;
        return number;
}

const char *value_unwrap(const char *at, const char *end, const char **ret_end) {
        static const char *const wrappers[] = { "tensor(", "array(", "np.float64(", "np.float32(", "Decimal('", "(", "[" };
        const char *number, *stop;
        double ignored;
        struct slice rest = { at, (size_t)(end - at) };

        number = behind_word(at, end, ret_end);
        if (number)
                return number;
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
