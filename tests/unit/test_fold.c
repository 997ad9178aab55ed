/* From records to rows: the axis, last value wins, aggregates, bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "result/fold.h"

/* A record of up to three metrics; NAN: not said. */
struct said {
        double epoch, step, trial;
        struct metric metrics[3];
};

#define NO NAN
#define METRIC(text, number) { { text, sizeof(text) - 1 }, number }

static void take(struct fold *fold, struct said said) {
        struct record record = RECORD_EMPTY;

        record.epoch = said.epoch;
        record.step = said.step;
        record.trial = said.trial;
        record.metrics = said.metrics;
        while (record.n_metrics < 3 && said.metrics[record.n_metrics].name.size_bytes > 0)
                record.n_metrics++;
        assert_int_equal(fold_take(fold, &record), 0);
}

static struct fold *fold_of(struct fold_config config) {
        struct fold *fold;

        if (config.metrics_max == 0)
                config.metrics_max = FOLD_METRICS_MAX;
        assert_int_equal(fold_new(&fold, &config), 0);
        return fold;
}

static void assert_curve(const struct fold *fold, size_t rank, const char *name, size_t n,
                         const double *x, const double *values) {
        struct column column = fold_column(fold, rank);

        assert_string_equal(column.name, name);
        assert_int_equal(fold_n_rows(fold), n);
        for (size_t i = 0; i < n; i++) {
                assert_true(fold_row_x(fold, i) == x[i]);
                if (isnan(values[i]))
                        assert_true(isnan(column.values[i]));
                else
                        assert_true(column.values[i] == values[i]);
        }
}

#define CURVE(fold, rank, name, n, x, values) \
        assert_curve(fold, rank, name, n, (const double[])x, (const double[])values)
#define LIST(...) { __VA_ARGS__ }

static void test_one_record_an_epoch(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });

        (void)state;
        take(fold, (struct said){ 1, NO, NO, { METRIC("loss", 0.5), METRIC("acc", 0.1) } });
        take(fold, (struct said){ 2, NO, NO, { METRIC("loss", 0.4), METRIC("acc", 0.2) } });
        take(fold, (struct said){ 3, NO, NO, { METRIC("loss", 0.45) } });
        assert_int_equal(fold_axis(fold), AXIS_EPOCH);
        CURVE(fold, 0, "loss", 3, LIST(1, 2, 3), LIST(0.5, 0.4, 0.45));
        CURVE(fold, 1, "acc", 3, LIST(1, 2, 3), LIST(0.1, 0.2, NAN));
        assert_true(fold_column(fold, 0).latest == 0.45);
        assert_true(fold_column(fold, 0).min == 0.4 && fold_column(fold, 0).max == 0.5);
        assert_true(fold_epoch(fold) == 3);
}

static void test_same_x_is_one_row_and_the_last_value_wins(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });

        (void)state;
        take(fold, (struct said){ 1, NO, NO, { METRIC("loss", 9) } });
        take(fold, (struct said){ 1, NO, NO, { METRIC("loss", 0.5) } });
        take(fold, (struct said){ 1, NO, NO, { METRIC("val", 0.7) } });
        CURVE(fold, 0, "loss", 1, LIST(1), LIST(0.5));
        CURVE(fold, 1, "val", 1, LIST(1), LIST(0.7));
        assert_true(fold_column(fold, 0).max == 0.5); /* 9 is in no row any more */
}

/* Lightning: several steps in whole epochs. During the first the curve is over steps. */
static void test_steps_within_epochs_fold_from_the_second_epoch_on(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });

        (void)state;
        take(fold, (struct said){ NO, 0, NO, { METRIC("lr", 0.003) } });
        take(fold, (struct said){ 0, 49, NO, { METRIC("loss", 0.36) } });
        take(fold, (struct said){ 0, 99, NO, { METRIC("loss", 0.31) } });
        assert_int_equal(fold_axis(fold), AXIS_STEP);
        CURVE(fold, 1, "loss", 3, LIST(0, 49, 99), LIST(NAN, 0.36, 0.31));

        take(fold, (struct said){ 1, 149, NO, { METRIC("loss", 0.2) } });
        assert_int_equal(fold_axis(fold), AXIS_EPOCH);
        CURVE(fold, 1, "loss", 2, LIST(0, 1), LIST(0.31, 0.2));
        CURVE(fold, 0, "lr", 2, LIST(0, 1), LIST(0.003, NAN));
        assert_true(fold_column(fold, 1).max == 0.31);
        assert_true(fold_step(fold) == 149);
}

/* mmengine: a validation line has step = epoch and no epoch. */
static void test_a_record_without_epoch_belongs_to_the_running_one(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });

        (void)state;
        take(fold, (struct said){ 1, 69, NO, { METRIC("loss", 1.7) } });
        take(fold, (struct said){ NO, 1, NO, { METRIC("acc", 43) } });
        take(fold, (struct said){ 2, 138, NO, { METRIC("loss", 0.9) } });
        take(fold, (struct said){ NO, 2, NO, { METRIC("acc", 70) } });
        assert_int_equal(fold_axis(fold), AXIS_EPOCH);
        CURVE(fold, 0, "loss", 2, LIST(1, 2), LIST(1.7, 0.9));
        CURVE(fold, 1, "acc", 2, LIST(1, 2), LIST(43, 70));
}

static void test_one_step_an_epoch_is_an_epoch_from_the_start(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });

        (void)state;
        take(fold, (struct said){ 1, 69, NO, { METRIC("loss", 1.7) } });
        assert_int_equal(fold_axis(fold), AXIS_EPOCH);
        CURVE(fold, 0, "loss", 1, LIST(1), LIST(1.7));
}

static void test_fractional_epochs_are_x(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });

        (void)state;
        take(fold, (struct said){ 0.22, 10, NO, { METRIC("loss", 2) } });
        take(fold, (struct said){ 0.43, 20, NO, { METRIC("loss", 1) } });
        take(fold, (struct said){ 0.43, 20, NO, { METRIC("eval_loss", 3) } });
        CURVE(fold, 0, "loss", 2, LIST(0.22, 0.43), LIST(2, 1));
        CURVE(fold, 1, "eval_loss", 2, LIST(0.22, 0.43), LIST(NAN, 3));
}

static void test_steps_alone_and_rows_alone(void **state) {
        CLEANUP(fold_freep) struct fold *steps = fold_of((struct fold_config){ .axis = AXIS_AUTO });
        CLEANUP(fold_freep) struct fold *rows = fold_of((struct fold_config){ .axis = AXIS_AUTO });
        CLEANUP(fold_freep) struct fold *trials = fold_of((struct fold_config){ .axis = AXIS_AUTO });

        (void)state;
        take(steps, (struct said){ NO, 10, NO, { METRIC("loss", 2) } });
        take(steps, (struct said){ NO, 20, NO, { METRIC("loss", 1) } });
        assert_int_equal(fold_axis(steps), AXIS_STEP);
        CURVE(steps, 0, "loss", 2, LIST(10, 20), LIST(2, 1));

        take(rows, (struct said){ NO, NO, NO, { METRIC("r", 5) } });
        take(rows, (struct said){ NO, NO, NO, { METRIC("r", 6) } });
        assert_int_equal(fold_axis(rows), AXIS_ROW);
        CURVE(rows, 0, "r", 2, LIST(0, 1), LIST(5, 6));

        take(trials, (struct said){ NO, NO, 7, { METRIC("value", 5) } });
        take(trials, (struct said){ NO, NO, 8, { METRIC("value", 6) } });
        assert_int_equal(fold_axis(trials), AXIS_TRIAL);
        CURVE(trials, 0, "value", 2, LIST(7, 8), LIST(5, 6));
}

static void test_rows_before_the_first_step_become_part_of_it(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });

        (void)state;
        take(fold, (struct said){ NO, NO, NO, { METRIC("parameters", 1e6) } });
        take(fold, (struct said){ NO, 1, NO, { METRIC("loss", 2) } });
        take(fold, (struct said){ NO, 2, NO, { METRIC("loss", 1) } });
        CURVE(fold, 0, "parameters", 2, LIST(1, 2), LIST(1e6, NAN));
}

static void test_a_fixed_axis_stays(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_STEP });

        (void)state;
        take(fold, (struct said){ 1, 10, NO, { METRIC("loss", 2) } });
        take(fold, (struct said){ 2, 20, NO, { METRIC("loss", 1) } });
        take(fold, (struct said){ 2, NO, NO, { METRIC("acc", 3) } });
        assert_int_equal(fold_axis(fold), AXIS_STEP);
        CURVE(fold, 0, "loss", 2, LIST(10, 20), LIST(2, 1));
        CURVE(fold, 1, "acc", 2, LIST(10, 20), LIST(NAN, 3));
}

static void test_x_that_goes_back_keeps_rows_in_order(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });

        (void)state;
        take(fold, (struct said){ 3, NO, NO, { METRIC("loss", 3) } });
        take(fold, (struct said){ 1, NO, NO, { METRIC("loss", 1) } });
        take(fold, (struct said){ 2, NO, NO, { METRIC("loss", 2) } });
        take(fold, (struct said){ 1, NO, NO, { METRIC("loss", 11) } });
        CURVE(fold, 0, "loss", 3, LIST(1, 2, 3), LIST(11, 2, 3));
        assert_true(fold_column(fold, 0).latest == 11);
}

static void test_not_finite_is_counted_and_never_a_number(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });

        (void)state;
        take(fold, (struct said){ 1, NO, NO, { METRIC("loss", 0.5) } });
        take(fold, (struct said){ 2, NO, NO, { METRIC("loss", NAN) } });
        take(fold, (struct said){ 3, NO, NO, { METRIC("loss", -INFINITY) } });
        CURVE(fold, 0, "loss", 3, LIST(1, 2, 3), LIST(0.5, NAN, NAN));
        assert_int_equal(fold_column(fold, 0).non_finite, 2);
        assert_true(fold_column(fold, 0).latest == 0.5);
        assert_true(isinf(fold_column(fold, 0).last));
        assert_true(fold_column(fold, 0).min == 0.5);
}

static void test_aggregates(void **state) {
        static const struct aggregate_rule rules[] = {
                { NULL, AGGREGATE_MEAN }, { "best", AGGREGATE_MAX }, { "least", AGGREGATE_MIN },
        };
        CLEANUP(fold_freep) struct fold *fold =
                fold_of((struct fold_config){ .axis = AXIS_AUTO, .rules = rules, .n_rules = 3 });

        (void)state;
        for (int epoch = 0; epoch < 3; epoch++)
                for (int i = 0; i < 4; i++)
                        take(fold, (struct said){ epoch, epoch * 4 + i, NO,
                                                  { METRIC("loss", epoch * 10 + i), METRIC("best", -i),
                                                    METRIC("least", -i) } });
        CURVE(fold, 0, "loss", 3, LIST(0, 1, 2), LIST(1.5, 11.5, 21.5));
        CURVE(fold, 1, "best", 3, LIST(0, 1, 2), LIST(0, 0, 0));
        CURVE(fold, 2, "least", 3, LIST(0, 1, 2), LIST(-3, -3, -3));
        assert_true(fold_column(fold, 0).latest == 21.5);
}

static void test_names_are_cut_made_valid_and_kept_apart(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });
        char long_a[1024], long_b[1024];

        (void)state;
        memset(long_a, 'x', sizeof(long_a));
        memset(long_b, 'x', sizeof(long_b));
        long_b[1023] = 'y';
        take(fold, (struct said){ 1, NO, NO, { { { long_a, 1024 }, 1 }, { { long_b, 1024 }, 2 },
                                               METRIC("bad\xff" "byte \xc3\xa9", 3) } });
        take(fold, (struct said){ 2, NO, NO, { { { long_a, 1024 }, 4 } } });
        assert_int_equal(fold_n_columns(fold), 3);
        assert_int_equal(strlen(fold_column(fold, 0).name), FOLD_NAME_BYTES_MAX);
        assert_string_not_equal(fold_column(fold, 0).name, fold_column(fold, 1).name);
        assert_string_equal(fold_column(fold, 2).name, "bad?byte \xc3\xa9");
        assert_true(fold_column(fold, 0).latest == 4);
}

static void test_metrics_past_the_limit_are_counted_and_named(void **state) {
        CLEANUP(fold_freep) struct fold *fold =
                fold_of((struct fold_config){ .axis = AXIS_AUTO, .metrics_max = 2 });

        (void)state;
        assert_int_equal(fold_set_objective(fold, "val/acc", GOAL_MAXIMIZE), 0);
        take(fold, (struct said){ 1, NO, NO, { METRIC("a", 1), METRIC("b", 2), METRIC("c", 3) } });
        take(fold, (struct said){ 1, NO, NO, { METRIC("c", 3) } });
        assert_int_equal(fold_n_left_out(fold), 1);
        assert_string_equal(fold_left_out(fold, 0), "c");
        assert_null(fold_left_out(fold, 1));

        /* The objective has its place whenever it comes, and under any spelling. */
        take(fold, (struct said){ 2, NO, NO, { METRIC("val_acc", 0.5) } });
        assert_int_equal(fold_n_columns(fold), 2);
        assert_string_equal(fold_column(fold, 0).name, "val_acc");
        assert_string_equal(fold_column(fold, 1).name, "a");
        assert_string_equal(fold_retired_name(fold, 0), "b");
        assert_int_equal(fold_n_left_out(fold), 2);
}

static void test_objective_is_the_best_row(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });

        (void)state;
        take(fold, (struct said){ 1, NO, NO, { METRIC("loss", 3), METRIC("acc", 0.1) } });
        take(fold, (struct said){ 2, NO, NO, { METRIC("loss", 1), METRIC("acc", 0.9) } });
        take(fold, (struct said){ 3, NO, NO, { METRIC("loss", 2), METRIC("acc", 0.8) } });
        assert_null(fold_objective(fold).metric);
        assert_int_equal(fold_set_objective(fold, "acc", GOAL_MAXIMIZE), 0);
        assert_string_equal(fold_objective(fold).metric, "acc");
        assert_true(fold_objective(fold).value == 0.9 && fold_objective(fold).x == 2);
        assert_string_equal(fold_column(fold, 0).name, "acc");
        assert_int_equal(fold_set_objective(fold, "loss", GOAL_MINIMIZE), 0);
        assert_true(fold_objective(fold).value == 1);
}

/* A million epochs: memory is bounded, and what is exact stays exact. */
static void test_a_million_epochs(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });
        uint16_t rows[FOLD_ROWS_MAX];
        size_t n;

        (void)state;
        assert_int_equal(fold_set_objective(fold, "loss", GOAL_MINIMIZE), 0);
        for (int epoch = 1; epoch <= 1000000; epoch++)
                take(fold, (struct said){ epoch, NO, NO,
                                          { METRIC("loss", epoch == 123457 ? -1 : epoch),
                                            METRIC("acc", epoch == 654321 ? 2 : 1) } });
        assert_true(fold_n_rows(fold) <= FOLD_ROWS_MAX);
        assert_true(fold_row_x(fold, 0) == 1);
        assert_true(fold_row_x(fold, fold_n_rows(fold) - 1) == 1000000);
        assert_true(fold_objective(fold).x == 123457 && fold_objective(fold).value == -1);
        assert_true(fold_column(fold, 0).max == 1000000 && fold_column(fold, 0).min == -1);
        assert_true(fold_column(fold, 1).max == 2); /* of a row that was thinned */
        assert_int_equal(fold_accepted(fold), 1000000);

        n = fold_select_rows(fold, 11, rows);
        for (size_t i = 0; i < n; i++) {
                double x = fold_row_x(fold, rows[i]);

                assert_true(x == 1 || x == 1000000 || x == 123457 || fmod(x - 1, 2048) == 0);
        }
        assert_int_equal(n, (1000000 - 1) / 2048 + 1 + 2);
}

/* A first epoch of more steps than there are rows still ends as one exact row. */
static void test_a_long_first_epoch(void **state) {
        static const struct aggregate_rule mean = { "loss", AGGREGATE_MEAN };
        CLEANUP(fold_freep) struct fold *fold =
                fold_of((struct fold_config){ .axis = AXIS_AUTO, .rules = &mean, .n_rules = 1 });

        (void)state;
        for (int step = 0; step < 10000; step++)
                take(fold, (struct said){ 0, step, NO, { METRIC("loss", step), METRIC("once", step == 3 ? 7 : NAN) } });
        assert_int_equal(fold_axis(fold), AXIS_STEP);
        take(fold, (struct said){ 1, 10000, NO, { METRIC("loss", 1) } });
        assert_int_equal(fold_n_rows(fold), 2);
        assert_true(fabs(fold_column(fold, 0).values[0] - 4999.5) < 1e-9);
        assert_true(fabs(fold_column(fold, 0).max - 4999.5) < 1e-9);
}

static void test_paths_epochs_and_the_end(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });
        struct record record = RECORD_EMPTY;

        (void)state;
        record.epoch = 5;
        record.total_epochs = 90;
        record.output_path = SLICE("/mnt/out");
        record.checkpoint = SLICE("/mnt/out/5.pt");
        record.end = true;
        assert_int_equal(fold_take(fold, &record), 0);
        assert_int_equal(fold_n_rows(fold), 0); /* no metric, no row */
        assert_string_equal(fold_output_path(fold), "/mnt/out");
        assert_string_equal(fold_checkpoint(fold), "/mnt/out/5.pt");
        assert_true(fold_checkpoint_epoch(fold) == 5 && fold_total_epochs(fold) == 90);
        assert_true(fold_ended(fold));
}

static void test_words(void **state) {
        (void)state;
        assert_int_equal(axis_from_name(SLICE("epoch")), AXIS_EPOCH);
        assert_int_equal(axis_from_name(SLICE("auto")), AXIS_AUTO);
        assert_int_equal(axis_from_name(SLICE("epo")), -1);
        assert_int_equal(aggregate_from_name(SLICE("Mean")), AGGREGATE_MEAN);
        assert_int_equal(aggregate_from_name(SLICE("median")), -1);
        assert_int_equal(goal_from_name(SLICE("Maximize")), GOAL_MAXIMIZE);
        assert_int_equal(goal_from_name(SLICE("min")), GOAL_MINIMIZE);
        assert_int_equal(goal_of_metric("val_loss"), GOAL_MINIMIZE);
        assert_int_equal(goal_of_metric("train-rmse"), GOAL_MINIMIZE);
        assert_int_equal(goal_of_metric("val_acc"), GOAL_MAXIMIZE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_one_record_an_epoch),
                cmocka_unit_test(test_same_x_is_one_row_and_the_last_value_wins),
                cmocka_unit_test(test_steps_within_epochs_fold_from_the_second_epoch_on),
                cmocka_unit_test(test_a_record_without_epoch_belongs_to_the_running_one),
                cmocka_unit_test(test_one_step_an_epoch_is_an_epoch_from_the_start),
                cmocka_unit_test(test_fractional_epochs_are_x),
                cmocka_unit_test(test_steps_alone_and_rows_alone),
                cmocka_unit_test(test_rows_before_the_first_step_become_part_of_it),
                cmocka_unit_test(test_a_fixed_axis_stays),
                cmocka_unit_test(test_x_that_goes_back_keeps_rows_in_order),
                cmocka_unit_test(test_not_finite_is_counted_and_never_a_number),
                cmocka_unit_test(test_aggregates),
                cmocka_unit_test(test_names_are_cut_made_valid_and_kept_apart),
                cmocka_unit_test(test_metrics_past_the_limit_are_counted_and_named),
                cmocka_unit_test(test_objective_is_the_best_row),
                cmocka_unit_test(test_a_million_epochs),
                cmocka_unit_test(test_a_long_first_epoch),
                cmocka_unit_test(test_paths_epochs_and_the_end),
                cmocka_unit_test(test_words),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
