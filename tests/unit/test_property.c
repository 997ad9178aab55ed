/* Whatever is written as JSON lines, CSV, TSV or TensorBoard events is read back the same: any names, any
 * numbers. */
#include "events.h"

#include "formats/keys.h"

enum { RECORDS = 30, METRICS_MAX = 6, NAME_BYTES = 48, FILES = 300 };

struct written {
        char names[METRICS_MAX][NAME_BYTES];
        double values[RECORDS][METRICS_MAX];
        double epochs[RECORDS], steps[RECORDS];
        size_t n_metrics;
};

static uint64_t random_state;

static uint64_t next_random(void) {
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return random_state;
}

static size_t below(size_t n) {
        return (size_t)(next_random() % n);
}

/* --- what is written --- */

/* Of letters of several scripts and what stands between them; never what means something as a key. */
static void make_name(char name[static NAME_BYTES]) {
        static const char *const parts[] = { "a", "b", "q", "Z", "7", "/", "_", "-", ".", "@", "(x)", " w", "\xc3\xa9", "\xe6\x90\x8d\xe5\xa4\xb1",
                                             "\xf0\x9f\x9a\x80", "loss", "acc", "val", "%" };

        do {
                size_t n = 1 + below(6);

                (void)strcpy(name, "m");
                for (size_t i = 0; i < n; i++)
                        (void)strcat(name, parts[below(sizeof(parts) / sizeof(parts[0]))]);
        } while (key_of(slice_from(name)).role != KEY_METRIC);
}

static bool has_name(const struct written *written, size_t n, const char *name) {
        for (size_t i = 0; i < n; i++)
                if (strcmp(written->names[i], name) == 0)
                        return true;
        return false;
}

/* Any 64 bits are a number; so are those that are at the ends of what there is. */
static double make_value(void) {
        static const double ends[] = { 0,       -0.0,     1,        -1,      0.1,      NAN,     INFINITY, -INFINITY, 4.9406564584124654e-324, 2.2250738585072014e-308,
                                       2.2250738585072009e-308, 1.7976931348623157e308, -1.7976931348623157e308, 9007199254740993.0, 1e22, 1e23, 123456789012345680.0 };
        uint64_t bits = next_random();
        double value;

        if (below(3) == 0)
                return ends[below(sizeof(ends) / sizeof(ends[0]))];
        if (below(3) == 0)
                return (double)(int64_t)below(2000000) / 1000 - 1000;
        memcpy(&value, &bits, sizeof(value));
        return value;
}

static void make(struct written *written, uint64_t seed) {
        random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
        written->n_metrics = 1 + below(METRICS_MAX);
        for (size_t i = 0; i < written->n_metrics; i++)
                do
                        make_name(written->names[i]);
                while (has_name(written, i, written->names[i]));
        for (size_t row = 0; row < RECORDS; row++) {
                written->epochs[row] = (double)row + (double)below(4) / 4;
                written->steps[row] = (double)(row * 100 + below(100));
                for (size_t i = 0; i < written->n_metrics; i++)
                        written->values[row][i] = make_value();
        }
}

/* --- as text --- */

static void put_number(struct buffer *file, double value) {
        char text[NUMBER_TEXT_BYTES];

        if (isfinite(value)) {
                number_format(value, 17, text);
                assert_int_equal(buffer_append_string(file, text), 0);
        } else {
                assert_int_equal(buffer_append_string(file, isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity"), 0);
        }
}

static void write_json_lines(struct buffer *file, const struct written *written) {
        for (size_t row = 0; row < RECORDS; row++) {
                (void)buffer_append_string(file, "{\"epoch\": ");
                put_number(file, written->epochs[row]);
                (void)buffer_append_string(file, ", \"step\": ");
                put_number(file, written->steps[row]);
                for (size_t i = 0; i < written->n_metrics; i++) {
                        (void)buffer_printf(file, ", \"%s\": ", written->names[i]);
                        put_number(file, written->values[row][i]);
                }
                (void)buffer_append_string(file, "}\n");
        }
}

static void write_table(struct buffer *file, const struct written *written, char separator) {
        (void)buffer_printf(file, "epoch%cstep", separator);
        for (size_t i = 0; i < written->n_metrics; i++)
                (void)buffer_printf(file, "%c%s", separator, written->names[i]);
        (void)buffer_append_char(file, '\n');
        for (size_t row = 0; row < RECORDS; row++) {
                put_number(file, written->epochs[row]);
                (void)buffer_append_char(file, separator);
                put_number(file, written->steps[row]);
                for (size_t i = 0; i < written->n_metrics; i++) {
                        (void)buffer_append_char(file, separator);
                        put_number(file, written->values[row][i]);
                }
                (void)buffer_append_char(file, '\n');
        }
}

/* --- as events --- */

static void write_events(struct buffer *file, const struct written *written) {
        for (size_t row = 0; row < RECORDS; row++) {
                CLEANUP(buffer_release) struct buffer summary = BUFFER_INIT(BYTES_MAX), tensor = BUFFER_INIT(BYTES_MAX);

                for (size_t i = 0; i < written->n_metrics; i++) {
                        double value = written->values[row][i];

                        put_number_field(&tensor, 1, 2); /* DT_DOUBLE */
                        put_bytes_field(&tensor, 4, (struct slice){ (const char *)&value, sizeof(value) });
                        put_tensor_value(&summary, written->names[i], row == 0 ? "scalars" : NULL, &tensor);
                }
                put_event(file, (int64_t)written->steps[row], &summary);
        }
}

/* --- reading it back --- */

static void say_records(struct buffer *said, const struct written *written, struct record base, bool has_epoch) {
        for (size_t row = 0; row < RECORDS; row++) {
                struct metric metrics[METRICS_MAX];
                struct record record = base;

                for (size_t i = 0; i < written->n_metrics; i++)
                        metrics[i] = (struct metric){ slice_from(written->names[i]), written->values[row][i] };
                record.line += row;
                record.epoch = has_epoch ? written->epochs[row] : NAN;
                record.step = written->steps[row];
                record.metrics = metrics;
                record.n_metrics = written->n_metrics;
                said_record(said, &record);
        }
}

static void assert_read_back(const char *format, const struct buffer *file, const struct written *written, struct record base, bool has_epoch) {
        CLEANUP(buffer_release) struct buffer expected = BUFFER_INIT(BYTES_MAX), said = BUFFER_INIT(BYTES_MAX);

        say_records(&expected, written, base, has_epoch);
        said_of_bytes(&said, format_find(slice_from(format)), buffer_slice(file), 0);
        assert_string_equal(buffer_string(&said), buffer_string(&expected));
}

static void test_json_lines(void **state) {
        struct record base = RECORD_EMPTY;

        (void)state;
        base.line = 1;
        for (uint64_t seed = 0; seed < FILES; seed++) {
                CLEANUP(buffer_release) struct buffer file = BUFFER_INIT(BYTES_MAX);
                struct written written;

                make(&written, seed);
                write_json_lines(&file, &written);
                assert_read_back("jsonl", &file, &written, base, true);
        }
}

static void test_tables(void **state) {
        struct record base = RECORD_EMPTY;

        (void)state;
        base.line = 2;
        for (uint64_t seed = 0; seed < 2 * FILES; seed++) {
                CLEANUP(buffer_release) struct buffer file = BUFFER_INIT(BYTES_MAX);
                struct written written;

                make(&written, seed);
                write_table(&file, &written, seed % 2 ? ',' : '\t');
                assert_read_back("csv", &file, &written, base, true);
        }
}

static void test_events(void **state) {
        struct record base = RECORD_EMPTY;

        (void)state;
        base.line = 1;
        base.time_s = 1.5e9;
        for (uint64_t seed = 0; seed < FILES; seed++) {
                CLEANUP(buffer_release) struct buffer file = BUFFER_INIT(BYTES_MAX);
                struct written written;

                make(&written, seed);
                write_events(&file, &written);
                assert_read_back("tfevents", &file, &written, base, false);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_json_lines),
                cmocka_unit_test(test_tables),
                cmocka_unit_test(test_events),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
