#include "base/number.h"

#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/cleanup.h"

enum {
        DIGITS_MAX = 19,        /* of a decimal that is always below 2^64 */
        DOUBLE_EXACT_POWER = 22,/* 10^22 is the largest power of ten that is a double */
        EXACT_POWER = 27,       /* 5^27 is the largest power of five below 2^63 */
        EXPONENT_MAX = 100000,  /* far past every double; more digits change nothing */
};

/* A decimal: mantissa · 10^exponent. */
struct decimal {
        uint64_t mantissa;
        int exponent;
        bool negative;
        bool cut; /* a digit that is not zero did not fit the mantissa */
};

/* --- from decimal to the nearest double --- */

static const double powers_of_ten[DOUBLE_EXACT_POWER + 1] = {
        1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

static const uint64_t powers_of_five[EXACT_POWER + 1] = {
        1u,
        5u,
        25u,
        125u,
        625u,
        3125u,
        15625u,
        78125u,
        390625u,
        1953125u,
        9765625u,
        48828125u,
        244140625u,
        1220703125u,
        6103515625u,
        30517578125u,
        152587890625u,
        762939453125u,
        3814697265625u,
        19073486328125u,
        95367431640625u,
        476837158203125u,
        2384185791015625u,
        11920928955078125u,
        59604644775390625u,
        298023223876953125u,
        1490116119384765625u,
        7450580596923828125u,
};

/* 2^127 / 5^i, where 5^i is shifted so that its highest bit is set. */
static const uint64_t reciprocals[EXACT_POWER + 1] = {
        0xffffffffffffffffu, 0xccccccccccccccccu, 0xa3d70a3d70a3d70au, 0x83126e978d4fdf3bu,
        0xd1b71758e219652bu, 0xa7c5ac471b478423u, 0x8637bd05af6c69b5u, 0xd6bf94d5e57a42bcu,
        0xabcc77118461cefcu, 0x89705f4136b4a597u, 0xdbe6fecebdedd5beu, 0xafebff0bcb24aafeu,
        0x8cbccc096f5088cbu, 0xe12e13424bb40e13u, 0xb424dc35095cd80fu, 0x901d7cf73ab0acd9u,
        0xe69594bec44de15bu, 0xb877aa3236a4b449u, 0x9392ee8e921d5d07u, 0xec1e4a7db69561a5u,
        0xbce5086492111aeau, 0x971da05074da7beeu, 0xf1c90080baf72cb1u, 0xc16d9a0095928a27u,
        0x9abe14cd44753b52u, 0xf79687aed3eec551u, 0xc612062576589ddau, 0x9e74d1b791e07e48u,
};

/* 2^exponent, which is a normal double here. */
static double power_of_two(int exponent) {
        uint64_t bits = (uint64_t)(exponent + 1023) << 52;
        double value;

        memcpy(&value, &bits, sizeof(value));
        return value;
}

/* (high·2^64 + low) / divisor, where high < divisor: one machine instruction where there is one. */
static uint64_t divide_wide(uint64_t high, uint64_t low, uint64_t divisor, uint64_t *ret_remainder) {
#if defined(__x86_64__)
        uint64_t quotient;

        __asm__("divq %4" : "=a"(quotient), "=d"(*ret_remainder) : "0"(low), "1"(high), "r"(divisor) : "cc");
        return quotient;
#else
        unsigned __int128 dividend = (unsigned __int128)high << 64 | low;

        *ret_remainder = (uint64_t)(dividend % divisor);
        return (uint64_t)(dividend / divisor);
#endif
}

/* mantissa / 10^power, correctly rounded: an integer quotient of at least 62 bits, whose last bit
 * also says whether a remainder is left, is rounded once, by the conversion to double. */
static double divide_exactly(uint64_t mantissa, int power) {
        uint64_t divisor = powers_of_five[power], quotient, remainder;
        int mantissa_shift = __builtin_clzll(mantissa), divisor_shift = __builtin_clzll(divisor);

        mantissa <<= mantissa_shift;
        /* A reciprocal is short of the true one by less than 1, so that the quotient is by less than 2.
         * Of its 63 or 64 bits at least 10 are rounded off: nine of them tell nearly always how. */
        quotient = (uint64_t)((unsigned __int128)mantissa * reciprocals[power] >> 64);
        if ((quotient & 511) - 1 < 508)
                return (double)(quotient | 1) * power_of_two(divisor_shift - mantissa_shift - 63 - power);
        quotient = divide_wide(mantissa >> 1, mantissa << 63, divisor << divisor_shift, &remainder);
        quotient |= remainder != 0;
        return (double)quotient * power_of_two(divisor_shift - mantissa_shift - 63 - power);
}

static double multiply_exactly(uint64_t mantissa, int power) {
        return (double)((unsigned __int128)mantissa * powers_of_five[power]) * power_of_two(power);
}

/* Everything that is rare: many digits, far exponents. text is the whole number. */
static double convert_slowly(struct slice text) {
        static locale_t c_locale;
        CLEANUP(buffer_release) struct buffer copy = BUFFER_INIT(text.size_bytes);
        const char *string;

        if (!c_locale)
                c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
        if (buffer_append(&copy, text.data, text.size_bytes) < 0)
                return NAN;
        string = buffer_string(&copy);
        return string ? strtod_l(string, NULL, c_locale) : NAN;
}

static double convert(const struct decimal *decimal, struct slice text) {
        int exponent = decimal->exponent;
        double value;

        if (decimal->cut || exponent < -EXACT_POWER || exponent > EXACT_POWER)
                return convert_slowly(text);
        if (decimal->mantissa >> 53 == 0 && exponent >= -DOUBLE_EXACT_POWER && exponent <= DOUBLE_EXACT_POWER)
                /* Both are exact, so that one operation rounds once. (W. D. Clinger, 1990) */
                value = exponent < 0 ? (double)decimal->mantissa / powers_of_ten[-exponent]
                                     : (double)decimal->mantissa * powers_of_ten[exponent];
        else if (exponent < 0)
                value = divide_exactly(decimal->mantissa, -exponent);
        else
                value = multiply_exactly(decimal->mantissa, exponent);
        return decimal->negative ? -value : value;
}

/* --- from text to decimal --- */

static inline bool is_digit(char c) {
        return (unsigned char)(c - '0') <= 9;
}

/* Digits that do not fit any more count as places only. */
static const char *take_more_digits(const char *at, const char *end, struct decimal *decimal, int *places) {
        for (; at < end && is_digit(*at); at++) {
                decimal->cut = decimal->cut || *at != '0';
                *places += *places < EXPONENT_MAX;
        }
        return at;
}

/* Eight digits at once where eight stand at `at`: each step adds neighbours up, ones with tens, then
 * pairs, then fours. (D. Lemire, "Number parsing at a gigabyte per second", 2021) */
static inline bool take_eight_digits(const char *at, uint64_t *ret_value) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        uint64_t digits;

        memcpy(&digits, at, sizeof(digits));
        if (((digits & 0xf0f0f0f0f0f0f0f0u) | ((digits + 0x0606060606060606u) & 0xf0f0f0f0f0f0f0f0u) >> 4) !=
            0x3333333333333333u)
                return false;
        digits -= 0x3030303030303030u;
        digits = digits * 10 + (digits >> 8);
        *ret_value = ((digits & 0x000000ff000000ffu) * 0x000f424000000064u +
                      (digits >> 16 & 0x000000ff000000ffu) * 0x0000271000000001u) >> 32;
        return true;
#else
        (void)at;
        (void)ret_value;
        return false;
#endif
}

/* Takes digits into the mantissa while they fit; *ret_extra counts those after. */
static inline const char *take_digits(const char *at, const char *end, struct decimal *decimal, int *ret_extra) {
        uint64_t mantissa = decimal->mantissa, eight;

        /* Below 10^10 another eight digits keep it below 10^18. */
        while (end - at >= 8 && mantissa < 10000000000u && take_eight_digits(at, &eight)) {
                mantissa = mantissa * 100000000u + eight;
                at += 8;
        }
        /* Below 10^18 another digit keeps it below 10^19, and so below 2^64. */
        while (at < end && is_digit(*at) && mantissa < 1000000000000000000u)
                mantissa = mantissa * 10 + (uint64_t)(*at++ - '0');
        decimal->mantissa = mantissa;
        *ret_extra = 0;
        if (at < end && is_digit(*at))
                at = take_more_digits(at, end, decimal, ret_extra);
        return at;
}

static const char *take_exponent(const char *at, const char *end, int *exponent) {
        const char *start = at++;
        bool negative = at < end && *at == '-';
        int value = 0;

        if (at < end && (*at == '-' || *at == '+'))
                at++;
        if (at == end || !is_digit(*at))
                return start; /* "1e" is the number 1, and something else after it */
        for (; at < end && is_digit(*at); at++)
                if (value < EXPONENT_MAX)
                        value = value * 10 + (*at - '0');
        *exponent += negative ? -value : value;
        return at;
}

size_t number_scan(struct slice text, double *ret_value) {
        const char *at = text.data, *end = at + text.size_bytes, *digits, *point;
        struct decimal decimal = { 0 };
        int extra;

        if (at < end && (*at == '-' || *at == '+'))
                decimal.negative = *at++ == '-';
        digits = at;
        at = take_digits(at, end, &decimal, &extra);
        decimal.exponent = extra;
        point = at;
        if (at < end && *at == '.') {
                at = take_digits(at + 1, end, &decimal, &extra);
                if (at - digits == 1)
                        return 0;
                /* Digits that fit moved the point, unless some before it did not fit already. */
                decimal.exponent -= (int)(at - point - 1) - extra;
        }
        if (at == digits)
                return 0;
        if (at < end && (*at == 'e' || *at == 'E'))
                at = take_exponent(at, end, &decimal.exponent);
        if (decimal.mantissa == 0 && !decimal.cut)
                *ret_value = decimal.negative ? -0.0 : 0.0;
        else
                *ret_value = convert(&decimal, (struct slice){ text.data, (size_t)(at - text.data) });
        return (size_t)(at - text.data);
}

static struct slice trim(struct slice text) {
        while (text.size_bytes > 0 && strchr(" \t\r\n", text.data[0]) && text.data[0])
                text = (struct slice){ text.data + 1, text.size_bytes - 1 };
        while (text.size_bytes > 0 && strchr(" \t\r\n", text.data[text.size_bytes - 1]) &&
               text.data[text.size_bytes - 1])
                text.size_bytes--;
        return text;
}

static bool parse_word(struct slice text, double *ret_value) {
        static const struct {
                struct slice word;
                double value;
        } words[] = { { SLICE("nan"), NAN }, { SLICE("inf"), INFINITY }, { SLICE("infinity"), INFINITY } };
        bool negative = text.size_bytes > 0 && text.data[0] == '-';

        if (negative || (text.size_bytes > 0 && text.data[0] == '+'))
                text = (struct slice){ text.data + 1, text.size_bytes - 1 };
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                if (text.size_bytes == words[i].word.size_bytes &&
                    strncasecmp(text.data, words[i].word.data, text.size_bytes) == 0) {
                        *ret_value = negative ? -words[i].value : words[i].value;
                        return true;
                }
        return false;
}

bool number_parse(struct slice text, double *ret_value) {
        double value;

        text = trim(text);
        if (text.size_bytes == 0)
                return false;
        if (number_scan(text, &value) == text.size_bytes) {
                *ret_value = value;
                return true;
        }
        return parse_word(text, ret_value);
}

/* --- from double to text --- */

static bool reads_back(const char *text, double value) {
        double back;

        return number_scan(slice_from(text), &back) > 0 && back == value;
}

/* The digits of %.*e without point and exponent, and the exponent. */
static void get_digits(double value, int n, char digits[static 20], int *ret_exponent) {
        char text[NUMBER_TEXT_BYTES];
        const char *e;

        (void)snprintf(text, sizeof(text), "%.*e", n - 1, value);
        e = strchr(text, 'e');
        digits[0] = text[0];
        if (n > 1)
                memcpy(digits + 1, text + 2, (size_t)n - 1);
        digits[n] = '\0';
        *ret_exponent = atoi(e + 1);
}

/* value > 0 from its digits: plain for exponents as Python's repr, else with an exponent. */
static size_t put_digits(const char *digits, int exponent, char *out) {
        int n = (int)strlen(digits);
        char *at = out;

        while (n > 1 && digits[n - 1] == '0')
                n--;
        if (exponent < -4 || exponent >= 16) {
                at += sprintf(at, "%c%s%.*s", digits[0], n > 1 ? "." : "", n - 1, digits + 1);
                return (size_t)(at + sprintf(at, "e%d", exponent) - out);
        }
        if (exponent < 0) {
                at += sprintf(at, "0.%.*s%.*s", -exponent - 1, "000", n, digits);
                return (size_t)(at - out);
        }
        for (int i = 0; i < n || i <= exponent; i++) {
                if (i == exponent + 1)
                        *at++ = '.';
                *at++ = i < n ? digits[i] : '0';
        }
        *at = '\0';
        return (size_t)(at - out);
}

/* Of 16 digits, the nearest decimal may miss where the one beside it reads back: at powers of two,
 * below which doubles are closer together. */
static bool try_neighbours(double value, char digits[static 20], int exponent) {
        char candidate[20], text[NUMBER_TEXT_BYTES];
        uint64_t number = strtoull(digits, NULL, 10);

        for (int step = -1; step <= 1; step += 2) {
                if (snprintf(candidate, sizeof(candidate), "%llu", (unsigned long long)(number + (uint64_t)step)) != 16)
                        continue;
                put_digits(candidate, exponent, text);
                if (reads_back(text, value)) {
                        memcpy(digits, candidate, sizeof(candidate));
                        return true;
                }
        }
        return false;
}

/* Fifteen digits always survive the way to a double and back, so a shorter text is found in them;
 * only subnormal numbers have fewer that matter. */
static void find_digits(double value, int max_digits, char digits[static 20], int *ret_exponent) {
        int first = value < 2.2250738585072014e-308 ? 1 : 15;
        char text[NUMBER_TEXT_BYTES];

        for (int n = first; n < max_digits; n++) {
                get_digits(value, n, digits, ret_exponent);
                put_digits(digits, *ret_exponent, text);
                if (reads_back(text, value) || (n == 16 && try_neighbours(value, digits, *ret_exponent)))
                        return;
        }
        get_digits(value, max_digits, digits, ret_exponent);
}

size_t number_format(double value, int max_digits, char ret_text[static NUMBER_TEXT_BYTES]) {
        char digits[20];
        int exponent;
        size_t sign = signbit(value) && value != 0;

        if (value == floor(value) && fabs(value) < 1e15 && (max_digits >= 15 || fabs(value) < powers_of_ten[max_digits]))
                return (size_t)sprintf(ret_text, "%lld", (long long)value);
        if (sign)
                ret_text[0] = '-';
        find_digits(fabs(value), max_digits, digits, &exponent);
        return sign + put_digits(digits, exponent, ret_text + sign);
}
