/* Filters in Katib's syntax: what is translated, what is refused, what they find. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "formats/filters.h"

/* Katib's pkg/metricscollector/v1beta1/common/const.go and its documented examples. */
#define KATIB_DEFAULT "([\\w|-]+)\\s*=\\s*([+-]?\\d*(\\.\\d+)?([Ee][+-]?\\d+)?)"
#define KATIB_JSON_LIKE "{metricName: ([\\w|-]+), metricValue: ((-?\\d+)(\\.\\d+)?)}"

static void find_all(const struct filters *filters, const char *line, struct buffer *said) {
        struct slice text = slice_from(line), name, value;
        size_t at = 0;

        while (filters_match_from(filters, text, at, &name, &value, &at))
                (void)buffer_printf(said, "%.*s=%.*s ", (int)name.size_bytes, name.data, (int)value.size_bytes,
                                    value.data);
}

static void assert_found(const char *regex, const char *line, const char *expected) {
        struct buffer said = BUFFER_INIT(1 << 20);
        struct filters *filters = NULL;
        const char *wrong = NULL;

        if (filters_add(&filters, regex, &wrong) != 0)
                fail_msg("%s: expected %s", regex, wrong);
        find_all(filters, line, &said);
        assert_non_null(buffer_string(&said));
        assert_string_equal(buffer_string(&said), expected);
        buffer_release(&said);
        filters_free(filters);
}

static void assert_refused(const char *regex, const char *expected) {
        struct filters *filters = NULL;
        const char *wrong = NULL;

        assert_int_equal(filters_add(&filters, regex, &wrong), -EINVAL);
        assert_non_null(wrong);
        if (!strstr(wrong, expected))
                fail_msg("%s: expected %s", regex, wrong);
        filters_free(filters);
}

static void test_katibs_own_work_unchanged(void **state) {
        (void)state;
        assert_found(KATIB_DEFAULT, "Epoch 1: loss = 0.25, Validation-accuracy=-1.5e-3 note=none lr=.1 x=",
                     "loss=0.25 Validation-accuracy=-1.5e-3 lr=.1 ");
        assert_found(KATIB_DEFAULT, "a|b=1", "a|b=1 ");
        assert_found(KATIB_JSON_LIKE, "x {metricName: loss, metricValue: 0.3};{metricName: acc, metricValue: -12}",
                     "loss=0.3 acc=-12 ");
        assert_found("([\\w|-]+)\\s*:\\s*((-?\\d+)(\\.\\d+)?)", "val_acc : 0.9", "val_acc=0.9 ");
}

static void test_what_is_translated(void **state) {
        (void)state;
        assert_found("(\\w+)\\s(\\S+)", "loss 0.5", "loss=0.5 ");
        assert_found("(?:epoch|step) \\d+ (\\w+)\\W+([\\d.]+)", "epoch 3 loss: 0.5", "loss=0.5 ");
        assert_found("([^\\s=]+)=([^\\s]+)", "a/b=1 c=2", "a/b=1 c=2 ");
        assert_found("([\\D]+)\\t([\\s\\S])", "loss\t5", "loss=5 ");
        assert_found("(\\$\\{\\w+\\})\\.(\\d{1,2})", "${a}.12", "${a}=12 ");
        assert_found("([[:alpha:]]+)\\[(\\d+)\\]", "loss[5]", "loss=5 ");
        assert_found("([]^a-]+)=(\\d)", "a]^-=5", "a]^-=5 ");
        assert_found("([-^]+)=(\\d)", "^-=5", "^-=5 ");
        assert_found("[\\^](\\w+)=(\\d)", "^a=5", "a=5 ");
        assert_found("([^\\]^-]+)(\\d)$", "ab5", "ab=5 ");
        assert_found("(a\\<b)\\'(\\d)", "a<b'5", "a<b=5 ");
        assert_found("(l{2}o) {(\\d)}", "llo {5}", "llo=5 ");
        assert_found("^(\\w+)=(\\d)", "a=1b=2", "a=1 ");
        assert_found("(\\w+)=(\\w+)", "a=x b=nan c=0x1", "b=nan ");
        assert_found("(.+): ([0-9.]+)", "pr\xc3\xa9" "cision: 0.5", "pr\xc3\xa9" "cision=0.5 ");
}

static void test_what_is_refused(void **state) {
        (void)state;
        assert_refused("(\\w+?)=(\\d)", "lazy");
        assert_refused("(\\w)*?=(\\d)", "lazy");
        assert_refused("\\b(\\w+)=(\\d)", "\\b");
        assert_refused("(?P<name>\\w+)=(\\d)", "named groups");
        assert_refused("(?i)(\\w+)=(\\d)", "flags");
        assert_refused("(?=a)(\\w+)=(\\d)", "lookaheads");
        assert_refused("(\\w+)=\\1(\\d)", "backslash");
        assert_refused("(\\pL+)=(\\d)", "backslash");
        assert_refused("(\\w+)=(\\d", "a ) for each (");
        assert_refused("(\\w+)=(\\d))", "a ( for each )");
        assert_refused("([a)=(\\d)", "]");
        assert_refused("([z-a])=(\\d)", "go up");
        assert_refused("([a-\\d])=(\\d)", "range");
        assert_refused("([\xc3\xa9])=(\\d)", "ASCII");
        assert_refused("*(\\w+)=(\\d)", "before a quantifier");
        assert_refused("(\\w+)=(\\d)**", "one quantifier");
        assert_refused("(\\w{2000})=(\\d)", "1000");
        assert_refused("(\\w+)=\\d", "a group for the name");
        assert_refused("", "a group for the name");
        assert_refused("(\\w+)=(\\d)\\", "backslash");
        assert_refused("(\\w+)=([", "]");
}

static void test_several_filters_take_turns_by_place(void **state) {
        struct buffer said = BUFFER_INIT(1 << 16);
        struct filters *filters = NULL;
        const char *wrong;

        (void)state;
        assert_int_equal(filters_add(&filters, "(\\w+)=(\\d+)", &wrong), 0);
        assert_int_equal(filters_add(&filters, "(\\w+): (\\d+)", &wrong), 0);
        find_all(filters, "a: 1 b=2 c: 3 d=4", &said);
        assert_string_equal(buffer_string(&said), "a=1 b=2 c=3 d=4 ");
        for (int i = 2; i < FILTERS_MAX; i++)
                assert_int_equal(filters_add(&filters, "(a)(b)", &wrong), 0);
        assert_int_equal(filters_add(&filters, "(a)(b)", &wrong), -EINVAL);
        buffer_release(&said);
        filters_free(filters);
}

/* A line of a mebibyte takes no mebibyte squared. */
static void test_a_long_line_is_bounded(void **state) {
        struct filters *filters = NULL;
        const char *wrong;
        enum { SIZE = 1 << 20 };
        char *line = test_malloc(SIZE);
        struct slice name, value;
        size_t at = 0, n = 0;

        (void)state;
        assert_int_equal(filters_add(&filters, KATIB_DEFAULT, &wrong), 0);
        assert_int_equal(filters_add(&filters, "(never) (\\d)", &wrong), 0);
        for (size_t i = 0; i < SIZE; i++)
                line[i] = "a=1 "[i % 4];
        while (filters_match_from(filters, (struct slice){ line, SIZE }, at, &name, &value, &at))
                n++;
        assert_int_equal(n, 64 * 1024 / 4);
        test_free(line);
        filters_free(filters);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_katibs_own_work_unchanged),
                cmocka_unit_test(test_what_is_translated),
                cmocka_unit_test(test_what_is_refused),
                cmocka_unit_test(test_several_filters_take_turns_by_place),
                cmocka_unit_test(test_a_long_line_is_bounded),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
