/* Numbers: the nearest double in, the shortest text out, against the C library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/number.h"

/* xorshift64*, by Vigna: the same numbers in every run. */
static uint64_t random_bits(void) {
        static uint64_t state = 88172645463325252u;

        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        return state * 2685821657736338717u;
}

static double random_double(int kind) {
        uint64_t bits = random_bits();
        double value;

        memcpy(&value, &bits, sizeof(value));
        switch (kind % 4) {
        case 0:
                return value;
        case 1:
                return (double)(bits >> 11) / 9007199254740992.0;
        case 2:
                return (double)(bits >> 11) / 9007199254740992.0 * 1e-6;
        default:
                return (double)(int64_t)bits / 65536;
        }
}

static void assert_scanned(const char *text) {
        double expected = strtod(text, NULL), value = NAN;

        assert_int_equal(number_scan(slice_from(text), &value), strlen(text));
        if (memcmp(&expected, &value, sizeof(value)) != 0)
                fail_msg("%s: %.17g, not %.17g", text, value, expected);
}

static void test_scan_gives_the_nearest_double(void **state) {
        char text[64];

        (void)state;
        for (int i = 0; i < 1000000; i++) {
                double value = random_double(i);

                if (!isfinite(value))
                        continue;
                (void)snprintf(text, sizeof(text), "%.*g", i % 5 == 0 ? i % 18 + 1 : 17, value);
                assert_scanned(text);
                (void)snprintf(text, sizeof(text), "%llue%d", (unsigned long long)random_bits() >> (i % 64),
                               (int)(random_bits() % 70) - 35);
                assert_scanned(text);
        }
}

static void test_scan_hard_cases(void **state) {
        static const char *const hard[] = {
                "0", "-0", "0.0", "00012", "5.", ".5", "1e5", "1E+5", "-1.5e-3", "9007199254740993", "1e22", "1e23",
                "18446744073709551615", "18446744073709551616", "123456789012345678901234567890",
                "0.000000000000000000000000000000000000012345678901234567890", "1e400", "-1e400", "1e-400",
                "2.2250738585072011e-308", "5e-324", "2.4703282292062327e-324", "2.4703282292062328e-324",
                "1.7976931348623157e308", "1.7976931348623159e308", "9223372036854775807e-27", "1e99999999999",
                "8.988465674311580536566680721305e307", "0.1000000000000000055511151231257827021181583404541015625",
                "9214843084008499.5", "5e-20", "30078505129381147446200",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(hard) / sizeof(hard[0]); i++)
                assert_scanned(hard[i]);
}

static void test_scan_reads_a_number_and_no_more(void **state) {
        static const struct {
                const char *text;
                size_t size_bytes;
        } texts[] = { { "1}", 1 },   { "1.5,2", 3 }, { "1e", 1 },  { "1e+", 1 }, { "0x10", 1 }, { "1_000", 1 },
                      { "1.2.3", 3 }, { "12 34", 2 }, { "", 0 },   { "-", 0 },   { "+", 0 },    { ".", 0 },
                      { "e5", 0 },    { "nan", 0 },   { "-.e1", 0 }, { " 1", 0 } };

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                double value;

                assert_int_equal(number_scan(slice_from(texts[i].text), &value), texts[i].size_bytes);
        }
}

static void test_scan_does_not_read_past_its_slice(void **state) {
        double value;

        (void)state;
        assert_int_equal(number_scan((struct slice){ "12345", 3 }, &value), 3);
        assert_true(value == 123);
        assert_int_equal(number_scan((struct slice){ "1e55", 2 }, &value), 1);
        assert_int_equal(number_scan((struct slice){ "1.5", 2 }, &value), 2);
}

static void test_the_locale_does_not_matter(void **state) {
        char text[NUMBER_TEXT_BYTES];
        double value;

        (void)state;
        (void)setlocale(LC_ALL, "de_DE.UTF-8"); /* where it is installed, its decimal point is a comma */
        assert_int_equal(number_scan(SLICE("1234567890123456789012345.5e-3"), &value), 30);
        assert_true(value == 1234567890123456789012.3455);
        assert_int_equal(number_format(0.5, 17, text), 3);
        assert_string_equal(text, "0.5");
        (void)setlocale(LC_ALL, "C");
}

static void test_parse_whole_texts(void **state) {
        double value;

        (void)state;
        assert_true(number_parse(SLICE(" 1.5 \r\n"), &value) && value == 1.5);
        assert_true(number_parse(SLICE("NaN"), &value) && isnan(value));
        assert_true(number_parse(SLICE("-inf"), &value) && value == -INFINITY);
        assert_true(number_parse(SLICE("+Infinity"), &value) && value == INFINITY);
        assert_false(number_parse(SLICE("1.5x"), &value));
        assert_false(number_parse(SLICE("NA"), &value));
        assert_false(number_parse(SLICE("null"), &value));
        assert_false(number_parse(SLICE("  "), &value));
        assert_false(number_parse(SLICE("04:39"), &value));
}

static void assert_formatted(double value, int max_digits, const char *expected) {
        char text[NUMBER_TEXT_BYTES];

        assert_int_equal(number_format(value, max_digits, text), strlen(expected));
        assert_string_equal(text, expected);
}

static void test_format(void **state) {
        (void)state;
        assert_formatted(0.21, 17, "0.21"); /* which json-c writes as 0.20999999999999999 */
        assert_formatted(0, 17, "0");
        assert_formatted(-0.0, 17, "0");
        assert_formatted(-3, 17, "-3");
        assert_formatted(123456, 4, "123500");
        assert_formatted(1234, 4, "1234");
        assert_formatted(0.1 + 0.2, 17, "0.30000000000000004");
        assert_formatted(0.1 + 0.2, 4, "0.3");
        assert_formatted(2.5e-5, 17, "2.5e-5");
        assert_formatted(0.0001, 17, "0.0001");
        assert_formatted(1e16, 17, "1e16");
        assert_formatted(5e-324, 17, "5e-324");
        assert_formatted(5.684341886080801e-14, 17, "5.684341886080801e-14");
        assert_formatted(9007199254740993.0, 17, "9007199254740992");
        assert_formatted(1.7976931348623157e308, 17, "1.7976931348623157e308");
        assert_formatted(99999.9, 4, "100000");
}

/* As few digits as any that read back: the C library is asked with each number of digits. */
static size_t count_digits(const char *text) {
        size_t n = 0, zeros = 0;
        bool leading = true;

        for (; *text && *text != 'e'; text++) {
                if (*text < '0' || *text > '9' || (leading && *text == '0'))
                        continue;
                leading = false;
                n++;
                zeros = *text == '0' ? zeros + 1 : 0;
        }
        return n - zeros;
}

static void test_format_is_shortest_and_reads_back(void **state) {
        char text[NUMBER_TEXT_BYTES], other[64];

        (void)state;
        for (int i = 0; i < 200000; i++) {
                double value = random_double(i);
                int digits = 1;

                if (!isfinite(value))
                        continue;
                number_format(value, 17, text);
                assert_true(strtod(text, NULL) == value);
                for (; digits < 17; digits++) {
                        (void)snprintf(other, sizeof(other), "%.*e", digits - 1, value);
                        if (strtod(other, NULL) == value)
                                break;
                }
                if (count_digits(text) > (size_t)digits)
                        fail_msg("%s has more than %d digits", text, digits);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_scan_gives_the_nearest_double),
                cmocka_unit_test(test_scan_hard_cases),
                cmocka_unit_test(test_scan_reads_a_number_and_no_more),
                cmocka_unit_test(test_scan_does_not_read_past_its_slice),
                cmocka_unit_test(test_the_locale_does_not_matter),
                cmocka_unit_test(test_parse_whole_texts),
                cmocka_unit_test(test_format),
                cmocka_unit_test(test_format_is_shortest_and_reads_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
