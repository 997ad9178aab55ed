/* The Result as JSON: patch and manifest, the summary, and the byte budget. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "base/cleanup.h"
#include "result/fold.h"
#include "result/result.h"

static const struct fold_config config = { .axis = AXIS_AUTO, .metrics_max = FOLD_METRICS_MAX };
static const struct result_identity identity = { .namespace_name = "default", .name = "job-1", .experiment = "mnist",
                                                 .parameters = "{\"lr\":0.01}" };
static const struct result_facts facts = {
        .phase = PHASE_RUNNING,
        .start_us = 1700000000000000,
        .attempt = { .number = 1, .exit_code = -1, .restarts = -1 },
        .agent = { .version = "1.0" },
};

static struct fold *fold_of_epochs(int n_epochs, int n_metrics, double (*value)(int epoch, int metric)) {
        struct metric metrics[64];
        char names[64][24];
        struct fold *fold;

        assert_int_equal(fold_new(&fold, &config), 0);
        for (int epoch = 1; epoch <= n_epochs; epoch++) {
                struct record record = RECORD_EMPTY;

                record.epoch = epoch;
                record.metrics = metrics;
                record.n_metrics = (size_t)n_metrics;
                for (int m = 0; m < n_metrics; m++) {
                        (void)snprintf(names[m], sizeof(names[m]), "metric_%d", m);
                        metrics[m] = (struct metric){ slice_from(names[m]), value(epoch, m) };
                }
                assert_int_equal(fold_take(fold, &record), 0);
        }
        return fold;
}

/* Values of 15 and more digits: the worst for the budget. */
static double long_value(int epoch, int metric) {
        return 1.0 / (epoch * 7 + metric + 2);
}

static double short_value(int epoch, int metric) {
        (void)epoch;
        (void)metric;
        return 1;
}

static struct json_object *status_of(struct buffer *json) {
        struct json_object *object = json_tokener_parse(buffer_string(json)), *status = NULL;

        assert_non_null(object);
        assert_true(json_object_object_get_ex(object, "status", &status));
        json_object_get(status);
        json_object_put(object);
        return status;
}

static struct json_object *field(struct json_object *object, const char *name) {
        struct json_object *value = NULL;

        assert_true(json_object_object_get_ex(object, name, &value));
        return value;
}

static void test_manifest(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of_epochs(2, 1, long_value);
        CLEANUP(buffer_release) struct buffer json = BUFFER_INIT(1 << 16);

        (void)state;
        assert_int_equal(result_write_manifest(&json, &identity, fold, &facts), 0);
        assert_string_equal(
                buffer_string(&json),
                "{\"apiVersion\":\"ml.intel.com/v2\",\"kind\":\"Result\",\"metadata\":{\"name\":\"job-1\","
                "\"namespace\":\"default\",\"labels\":{\"experiment\":\"mnist\"}},\"spec\":{\"experiment\":\"mnist\","
                "\"parameters\":{\"lr\":0.01}},\"status\":{\"phase\":\"Running\",\"summary\":\"epoch 2 "
                "metric_0=0.0625\",\"epoch\":2,\"values\":{\"metric_0\":0.0625},\"job_parameters\":{\"lr\":0.01},"
                "\"axis\":\"epoch\",\"x\":[1,2],\"metrics\":[{\"name\":\"metric_0\",\"latest\":0.0625,\"min\":0.0625,"
                "\"max\":0.1111111111111111,\"values\":[0.1111111111111111,0.0625]}],\"attempt\":{\"number\":1},"
                "\"startTime\":\"2023-11-14T22:13:20Z\",\"conditions\":[],\"agent\":{\"version\":\"1.0\","
                "\"accepted\":2,\"rejected\":0,\"dropped\":0,\"lostBytes\":0,\"notes\":[]}}}");
}

/* A patch says of every field that has no value that it has none. */
static void test_patch_has_nulls(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of_epochs(1, 1, long_value);
        CLEANUP(buffer_release) struct buffer json = BUFFER_INIT(1 << 16);
        static const char *const absent[] = { "totalEpochs", "step", "objective", "outputPath", "checkpoint",
                                              "lastReportTime", "completionTime" };
        struct json_object *status, *value;

        (void)state;
        assert_int_equal(result_write_patch(&json, &identity, fold, &facts), 0);
        status = status_of(&json);
        for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
                assert_true(json_object_object_get_ex(status, absent[i], &value));
                assert_null(value);
        }
        json_object_put(status);
}

static void test_not_finite(void **state) {
        CLEANUP(fold_freep) struct fold *fold = NULL;
        CLEANUP(buffer_release) struct buffer json = BUFFER_INIT(1 << 16);
        struct metric metric = { SLICE("loss"), 0.5 };
        struct record record = RECORD_EMPTY;

        (void)state;
        assert_int_equal(fold_new(&fold, &config), 0);
        record.epoch = 1;
        record.metrics = &metric;
        record.n_metrics = 1;
        assert_int_equal(fold_take(fold, &record), 0);
        record.epoch = 2;
        metric.value = NAN;
        assert_int_equal(fold_take(fold, &record), 0);
        assert_int_equal(result_write_manifest(&json, &identity, fold, &facts), 0);
        assert_non_null(strstr(buffer_string(&json), "\"values\":{\"loss\":0.5}"));
        assert_non_null(strstr(buffer_string(&json), "\"values\":[0.5,null]"));
        assert_non_null(strstr(buffer_string(&json), "\"nonFinite\":{\"loss\":1}"));
        assert_non_null(strstr(buffer_string(&json), "\"summary\":\"epoch 2 loss=NaN\""));
}

/* A first value that is replaced by NaN leaves latest, but no min: nothing is ever null there. */
static void test_no_null_inside_a_metric(void **state) {
        CLEANUP(fold_freep) struct fold *fold = NULL;
        CLEANUP(buffer_release) struct buffer json = BUFFER_INIT(1 << 16);
        struct metric metrics[] = { { SLICE("loss"), 0.5 }, { SLICE("loss"), NAN } };
        struct record record = RECORD_EMPTY;

        (void)state;
        assert_int_equal(fold_new(&fold, &config), 0);
        record.epoch = 1;
        record.metrics = metrics;
        record.n_metrics = 2;
        assert_int_equal(fold_take(fold, &record), 0);
        assert_int_equal(result_write_patch(&json, &identity, fold, &facts), 0);
        assert_non_null(strstr(buffer_string(&json), "{\"name\":\"loss\",\"latest\":0.5,\"values\":[null]}"));
}

/* What the whole object may have: all that the server adds comes on top of what is written. */
static void assert_within_budget(int n_epochs, int n_metrics, double (*value)(int, int), size_t at_least_bytes) {
        CLEANUP(fold_freep) struct fold *fold = fold_of_epochs(n_epochs, n_metrics, value);
        CLEANUP(buffer_release) struct buffer json = BUFFER_INIT(1 << 20);
        struct json_object *status, *x, *metrics;

        assert_int_equal(fold_set_objective(fold, "metric_1", GOAL_MINIMIZE), 0);
        assert_int_equal(result_write_manifest(&json, &identity, fold, &facts), 0);
        if (json.size_bytes + RESULT_SERVER_BYTES > RESULT_BYTES_MAX || json.size_bytes < at_least_bytes)
                fail_msg("%d epochs, %d metrics: %zu bytes", n_epochs, n_metrics, json.size_bytes);

        status = status_of(&json);
        x = field(status, "x");
        metrics = field(status, "metrics");
        assert_int_equal(json_object_array_length(metrics), n_metrics);
        assert_int_equal(json_object_get_int(json_object_array_get_idx(x, 0)), 1);
        assert_int_equal(json_object_get_int(json_object_array_get_idx(x, json_object_array_length(x) - 1)), n_epochs);
        for (int m = 0; m < n_metrics; m++) {
                struct json_object *metric = json_object_array_get_idx(metrics, (size_t)m);

                assert_int_equal(json_object_array_length(field(metric, "values")), json_object_array_length(x));
        }
        json_object_put(status);
}

static void test_budget(void **state) {
        (void)state;
        assert_within_budget(10, 2, long_value, 500);
        assert_within_budget(100, 4, long_value, 6000);
        assert_within_budget(1000, 4, long_value, 6000);
        assert_within_budget(1000, 8, long_value, 6000);
        assert_within_budget(1000000, 8, long_value, 6000);
        assert_within_budget(1000, 32, long_value, 6000);
        assert_within_budget(1000, 1, short_value, 6000);
        assert_within_budget(1500, 1, short_value, 5000);
}

/* "0.25," whatever the digits. */
static double five_bytes(int epoch, int metric) {
        return (epoch + metric) % 2 ? 0.25 : 0.75;
}

/* Every 2^k-th row stays, with the smallest k that fits, and the objective's best row. */
static void test_thinning(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of_epochs(1000, 8, five_bytes);
        CLEANUP(buffer_release) struct buffer json = BUFFER_INIT(1 << 16);
        struct json_object *status, *x;
        size_t n;
        int step;

        (void)state;
        assert_int_equal(fold_set_objective(fold, "metric_0", GOAL_MINIMIZE), 0);
        assert_int_equal(result_write_manifest(&json, &identity, fold, &facts), 0);
        status = status_of(&json);
        x = field(status, "x");
        step = json_object_get_int(json_object_array_get_idx(x, 1)) - 1;
        assert_int_equal(step & (step - 1), 0);
        n = json_object_array_length(x);
        for (size_t i = 0; i + 1 < n; i++)
                assert_int_equal(json_object_get_int(json_object_array_get_idx(x, i)), 1 + (int)i * step);
        /* Twice the rows, less what their shortest x would save, would not have fitted. */
        assert_true(json.size_bytes + (n - 2) * (8 * 5 + 2) > RESULT_BYTES_MAX - RESULT_SERVER_BYTES);
        json_object_put(status);
}

static void test_short_histories_keep_all_digits(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of_epochs(50, 4, long_value);
        CLEANUP(buffer_release) struct buffer json = BUFFER_INIT(1 << 16);

        (void)state;
        assert_int_equal(result_write_manifest(&json, &identity, fold, &facts), 0);
        assert_non_null(strstr(buffer_string(&json), "[0.1111111111111111,0.0625,0.043478260869565216"));
}

static double extreme_value(int epoch, int metric) {
        return -1.2345678901234567e-300 * (epoch + metric);
}

/* Names so long and values so wide that not all metrics fit: the lowest in rank go, named. */
static void test_metrics_that_do_not_fit_are_left_out(void **state) {
        CLEANUP(fold_freep) struct fold *fold = NULL;
        CLEANUP(buffer_release) struct buffer patch = BUFFER_INIT(1 << 16);
        struct metric metrics[FOLD_METRICS_MAX];
        char names[FOLD_METRICS_MAX][FOLD_NAME_BYTES_MAX + 1];
        struct json_object *status, *dropped;
        size_t n;

        (void)state;
        assert_int_equal(fold_new(&fold, &config), 0);
        for (int epoch = 1; epoch <= 3; epoch++) {
                struct record record = RECORD_EMPTY;

                record.epoch = epoch;
                record.metrics = metrics;
                record.n_metrics = FOLD_METRICS_MAX;
                for (int m = 0; m < FOLD_METRICS_MAX; m++) {
                        (void)snprintf(names[m], sizeof(names[m]), "%063d", m % 100);
                        metrics[m] = (struct metric){ slice_from(names[m]), extreme_value(epoch, m) };
                }
                assert_int_equal(fold_take(fold, &record), 0);
        }
        assert_int_equal(result_write_patch(&patch, &identity, fold, &facts), 0);
        assert_true(patch.size_bytes <= RESULT_BYTES_MAX);
        status = status_of(&patch);
        n = json_object_array_length(field(status, "metrics"));
        assert_in_range(n, 10, FOLD_METRICS_MAX - 1);
        dropped = field(field(status, "agent"), "dropped");
        assert_int_equal(json_object_get_int(dropped), FOLD_METRICS_MAX - n);
        /* A key that was there before is taken out. */
        assert_true(json_object_object_get_ex(field(status, "values"), names[FOLD_METRICS_MAX - 1], &dropped));
        assert_null(dropped);
        json_object_put(status);
}

static void test_an_identity_that_does_not_fit_is_an_error(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of_epochs(1, 1, long_value);
        CLEANUP(buffer_release) struct buffer json = BUFFER_INIT(1 << 20), name = BUFFER_INIT(1 << 20);
        struct result_identity wide = identity;

        (void)state;
        for (int i = 0; i < 11000; i++)
                (void)buffer_append_char(&name, 'x');
        wide.name = buffer_string(&name);
        assert_int_equal(result_write_manifest(&json, &wide, fold, &facts), -ENOBUFS);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_manifest),
                cmocka_unit_test(test_patch_has_nulls),
                cmocka_unit_test(test_not_finite),
                cmocka_unit_test(test_no_null_inside_a_metric),
                cmocka_unit_test(test_budget),
                cmocka_unit_test(test_thinning),
                cmocka_unit_test(test_short_histories_keep_all_digits),
                cmocka_unit_test(test_metrics_that_do_not_fit_are_left_out),
                cmocka_unit_test(test_an_identity_that_does_not_fit_is_an_error),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
