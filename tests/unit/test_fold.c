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
        CURVE(fold, 0, "loss", 3, LIST(0, 49, 99), LIST(NAN, 0.36, 0.31));

        take(fold, (struct said){ 1, 149, NO, { METRIC("loss", 0.2) } });
        assert_int_equal(fold_axis(fold), AXIS_EPOCH);
        CURVE(fold, 0, "loss", 2, LIST(0, 1), LIST(0.31, 0.2));
        CURVE(fold, 1, "lr", 2, LIST(0, 1), LIST(0.003, NAN));
        assert_true(fold_column(fold, 0).max == 0.31);
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
        CURVE(fold, 1, "parameters", 2, LIST(1, 2), LIST(1e6, NAN));
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

        /* What was left out and is the objective now is not left out any more. */
        assert_int_equal(fold_set_objective(fold, "c", GOAL_MAXIMIZE), 0);
        take(fold, (struct said){ 3, NO, NO, { METRIC("c", 0.5) } });
        assert_string_equal(fold_column(fold, 0).name, "c");
        assert_int_equal(fold_n_left_out(fold), 2);
        assert_string_equal(fold_left_out(fold, 0), "b");
        assert_string_equal(fold_left_out(fold, 1), "a");
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

/* Metrics that come late make rows fewer, not memory more. */
static void test_many_metrics_and_epochs(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });

        (void)state;
        assert_int_equal(fold_set_objective(fold, "loss", GOAL_MINIMIZE), 0);
        for (int epoch = 1; epoch <= 2000; epoch++)
                take(fold, (struct said){ epoch, NO, NO, { METRIC("loss", epoch == 777 ? -1 : epoch) } });
        assert_int_equal(fold_n_rows(fold), 2000);
        for (int epoch = 2001; epoch <= 5000; epoch++)
                for (int i = 0; i < FOLD_METRICS_MAX - 1; i++) {
                        char name[] = "metric_00";

                        name[7] = (char)('0' + i / 10);
                        name[8] = (char)('0' + i % 10);
                        take(fold, (struct said){ epoch, NO, NO, { METRIC("loss", epoch), { slice_from(name), epoch * i } } });
                        assert_true(fold_n_rows(fold) * (fold_n_columns(fold) + 1) <= FOLD_CELLS_MAX);
                }
        assert_int_equal(fold_n_columns(fold), FOLD_METRICS_MAX);
        assert_true(fold_n_rows(fold) * (FOLD_METRICS_MAX + 1) > FOLD_CELLS_MAX / 3);
        assert_true(fold_row_x(fold, 0) == 1);
        assert_true(fold_row_x(fold, fold_n_rows(fold) - 1) == 5000);
        assert_true(fold_objective(fold).x == 777 && fold_objective(fold).value == -1);
        assert_true(fold_column(fold, 0).min == -1 && fold_column(fold, 0).max == 5000);
        for (int i = 1; i < FOLD_METRICS_MAX; i++) {
                struct column column = fold_column(fold, (size_t)i);

                assert_true(column.min == 2001 * (i - 1) && column.max == 5000 * (i - 1));
                assert_true(column.latest == column.max);
        }
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
        assert_int_equal(goal_of_metric("error_rate"), GOAL_MINIMIZE);
        assert_int_equal(goal_of_metric("success_rate"), GOAL_MAXIMIZE);
        assert_int_equal(goal_of_metric("valloss"), GOAL_MINIMIZE);
        assert_int_equal(goal_of_metric("nErrs"), GOAL_MINIMIZE);
}

/* --- several sources --- */

struct origin {
        const char *path;
        enum source_rank rank;
        bool is_snapshot;
};

static void take_from(struct fold *fold, struct origin origin, struct said said) {
        struct record record = RECORD_EMPTY;

        record.source = slice_from(origin.path);
        record.rank = origin.rank;
        record.is_snapshot = origin.is_snapshot;
        record.epoch = said.epoch;
        record.step = said.step;
        record.trial = said.trial;
        record.metrics = said.metrics;
        while (record.n_metrics < 3 && said.metrics[record.n_metrics].name.size_bytes > 0)
                record.n_metrics++;
        assert_int_equal(fold_take(fold, &record), 0);
}

static const struct origin csv = { "/experiments/run/results.csv", SOURCE_STRUCTURED, false };
static const struct origin events = { "/experiments/run/events.out.tfevents.1", SOURCE_EVENTS, false };
static const struct origin text = { "/experiments/stdout.log", SOURCE_TEXT, false };
static const struct origin latest = { "/experiments/all_results.json", SOURCE_STRUCTURED, true };

static size_t rank_of(const struct fold *fold, const char *name) {
        for (size_t i = 0; i < fold_n_columns(fold); i++)
                if (strcmp(fold_column(fold, i).name, name) == 0)
                        return i;
        fail_msg("there is no %s", name);
        return 0;
}

#define CURVE_OF(fold, name, n, x, values) \
        assert_curve(fold, rank_of(fold, name), name, n, (const double[])x, (const double[])values)

static void test_a_higher_source_owns_its_names(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });

        (void)state;
        take_from(fold, csv, (struct said){ 1, NO, NO, { METRIC("val/loss", 0.512345) } });
        take_from(fold, text, (struct said){ 1, NO, NO, { METRIC("val_loss", 0.51), METRIC("lr", 0.1) } });
        take_from(fold, csv, (struct said){ 2, NO, NO, { METRIC("val/loss", 0.412345) } });
        take_from(fold, text, (struct said){ 2, NO, NO, { METRIC("val_loss", 99), METRIC("lr", 0.2) } });
        assert_int_equal(fold_n_columns(fold), 2);
        CURVE_OF(fold, "val/loss", 2, LIST(1, 2), LIST(0.512345, 0.412345));
        CURVE_OF(fold, "lr", 2, LIST(1, 2), LIST(0.1, 0.2));
        assert_true(fold_column(fold, 0).max == 0.512345);
        assert_string_equal(fold_column(fold, 0).source, csv.path);
        assert_false(fold_column(fold, 0).is_replaced);
        assert_null(fold_retired_name(fold, 0));
}

static void test_a_better_source_that_comes_later_takes_over(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });

        (void)state;
        take_from(fold, text, (struct said){ 0, NO, NO, { METRIC("val_loss", 5), METRIC("lr", 0.1) } });
        take_from(fold, text, (struct said){ 1, NO, NO, { METRIC("val_loss", NAN), METRIC("lr", 0.2) } });
        take_from(fold, text, (struct said){ 2, NO, NO, { METRIC("val_loss", 3) } });
        take_from(fold, csv, (struct said){ 1, NO, NO, { METRIC("val/loss", 0.5) } });
        CURVE_OF(fold, "val/loss", 2, LIST(1, 2), LIST(0.5, NAN));
        CURVE_OF(fold, "lr", 2, LIST(1, 2), LIST(0.1, 0.2)); /* text counts from 0: moved by one */
        assert_true(fold_column(fold, 0).max == 0.5 && fold_column(fold, 0).latest == 0.5);
        assert_int_equal(fold_column(fold, 0).non_finite, 0);
        assert_true(fold_column(fold, 0).is_replaced);
        assert_string_equal(fold_retired_name(fold, 0), "val_loss");
        assert_null(fold_retired_name(fold, 1));
        assert_true(fold_epoch(fold) == 1);
}

static void test_a_name_that_comes_back_is_not_retired(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });

        (void)state;
        take_from(fold, text, (struct said){ 1, NO, NO, { METRIC("val_loss", 5) } });
        take_from(fold, events, (struct said){ 1, NO, NO, { METRIC("val/loss", 4) } });
        take_from(fold, csv, (struct said){ 1, NO, NO, { METRIC("val_loss", 3) } });
        assert_int_equal(fold_n_columns(fold), 1);
        assert_string_equal(fold_column(fold, 0).name, "val_loss");
        assert_string_equal(fold_retired_name(fold, 0), "val/loss");
        assert_null(fold_retired_name(fold, 1));
}

static void test_two_spellings_of_one_source_are_two_metrics(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });

        (void)state;
        take_from(fold, events, (struct said){ 1, NO, NO, { METRIC("val/loss", 1), METRIC("val_loss", 2), METRIC("%", 3) } });
        assert_int_equal(fold_n_columns(fold), 3);
        take_from(fold, csv, (struct said){ 1, NO, NO, { METRIC("val.loss", 4), METRIC("?", 5) } });
        assert_int_equal(fold_n_columns(fold), 3);
        CURVE_OF(fold, "val.loss", 1, LIST(1), LIST(4));
        CURVE_OF(fold, "%", 1, LIST(1), LIST(3));
}

static void test_a_snapshot_yields_to_any_history(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });

        (void)state;
        take_from(fold, latest, (struct said){ 3, NO, NO, { METRIC("loss", 9), METRIC("total", 7) } });
        take_from(fold, text, (struct said){ 1, NO, NO, { METRIC("loss", 1) } });
        take_from(fold, text, (struct said){ 2, NO, NO, { METRIC("loss", 2) } });
        take_from(fold, latest, (struct said){ 3, NO, NO, { METRIC("loss", 9), METRIC("total", 8) } });
        CURVE_OF(fold, "loss", 3, LIST(1, 2, 3), LIST(1, 2, NAN));
        CURVE_OF(fold, "total", 3, LIST(1, 2, 3), LIST(NAN, NAN, 8));
}

static void test_sources_of_one_rank_are_one(void **state) {
        static const struct origin resumed = { "/experiments/run2/results.csv", SOURCE_STRUCTURED, false };
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });

        (void)state;
        for (int epoch = 0; epoch < 3; epoch++)
                take_from(fold, csv, (struct said){ epoch, NO, NO, { METRIC("loss", epoch) } });
        for (int epoch = 1; epoch < 4; epoch++)
                take_from(fold, resumed, (struct said){ epoch, NO, NO, { METRIC("loss", 10 + epoch) } });
        CURVE_OF(fold, "loss", 4, LIST(0, 1, 2, 3), LIST(0, 11, 12, 13));
}

/* A new session of TensorBoard's writer, in a file of its own beside the first one. */
static void test_a_new_session_voids_later_steps(void **state) {
        static const struct origin first = { "run/events.1", SOURCE_EVENTS, false };
        static const struct origin second = { "run/events.2", SOURCE_EVENTS, false };
        static const struct origin other = { "eval/events.1", SOURCE_EVENTS, false };
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });
        struct record session = RECORD_EMPTY;

        (void)state;
        for (int step = 0; step < 50; step += 10) {
                take_from(fold, first, (struct said){ NO, step, NO, { METRIC("loss", step) } });
                take_from(fold, other, (struct said){ NO, step, NO, { METRIC("acc", step) } });
        }
        session.source = SLICE("run/events.2");
        session.rank = SOURCE_EVENTS;
        session.void_from_step = 20;
        assert_int_equal(fold_take(fold, &session), 0);
        take_from(fold, second, (struct said){ NO, 20, NO, { METRIC("loss", 7) } });
        CURVE_OF(fold, "loss", 5, LIST(0, 10, 20, 30, 40), LIST(0, 10, 7, NAN, NAN));
        CURVE_OF(fold, "acc", 5, LIST(0, 10, 20, 30, 40), LIST(0, 10, 20, 30, 40));
}

static void test_of_several_processes_the_first_counts(void **state) {
        static const struct origin ranks[] = { { "log/rank1.log", SOURCE_TEXT, false },
                                               { "log/rank0.log", SOURCE_TEXT, false },
                                               { "log/worker-2/out.log", SOURCE_TEXT, false } };
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });

        (void)state;
        for (int epoch = 1; epoch < 3; epoch++)
                for (int i = 0; i < 3; i++)
                        take_from(fold, ranks[i], (struct said){ epoch, NO, NO, { METRIC("loss", 10 * i + epoch) } });
        CURVE_OF(fold, "loss", 2, LIST(1, 2), LIST(11, 12));
}

static void test_x_of_one_source_is_not_that_of_another(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });

        (void)state;
        take_from(fold, text, (struct said){ 1, NO, NO, { METRIC("loss", 1) } });
        take_from(fold, text, (struct said){ 2, NO, NO, { METRIC("loss", 2) } });
        take_from(fold, csv, (struct said){ 7, NO, NO, { METRIC("acc", 0.5) } });
        take_from(fold, text, (struct said){ NO, NO, NO, { METRIC("lr", 0.1) } });
        CURVE_OF(fold, "lr", 3, LIST(1, 2, 7), LIST(NAN, 0.1, NAN));
}

/* TensorBoard has steps alone, the CSV both: a step is put into its epoch. */
static void test_steps_of_a_lower_source_are_put_into_epochs(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });

        (void)state;
        for (int epoch = 0; epoch < 3; epoch++)
                take_from(fold, csv, (struct said){ epoch, epoch * 100 + 99, NO, { METRIC("loss", epoch) } });
        for (int step = 0; step < 350; step += 50)
                take_from(fold, events, (struct said){ NO, step, NO, { METRIC("loss", 77), METRIC("kl", step) } });
        CURVE_OF(fold, "loss", 3, LIST(0, 1, 2), LIST(0, 1, 2));
        CURVE_OF(fold, "kl", 3, LIST(0, 1, 2), LIST(50, 150, 300));
        assert_true(fold_step(fold) == 299);
}

static void test_points_without_a_place_on_the_new_axis_go(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });

        (void)state;
        for (int epoch = 1; epoch < 4; epoch++)
                take_from(fold, text, (struct said){ epoch, NO, NO, { METRIC("acc", epoch) } });
        take_from(fold, events, (struct said){ NO, 100, NO, { METRIC("loss", 5) } });
        take_from(fold, events, (struct said){ NO, 200, NO, { METRIC("loss", 4) } });
        assert_int_equal(fold_axis(fold), AXIS_STEP);
        CURVE_OF(fold, "loss", 2, LIST(100, 200), LIST(5, 4));
        CURVE_OF(fold, "acc", 2, LIST(100, 200), LIST(NAN, NAN));
        assert_true(fold_column(fold, rank_of(fold, "acc")).latest == 3);
        assert_true(fold_column(fold, rank_of(fold, "acc")).min == 1);
        assert_true(fold_epoch(fold) == 3);
}

static void test_rows_of_withdrawn_points_go(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });

        (void)state;
        for (int epoch = 1; epoch < 6; epoch++)
                take_from(fold, text, (struct said){ epoch, NO, NO, { METRIC("loss", epoch) } });
        take_from(fold, csv, (struct said){ 1, NO, NO, { METRIC("acc", NAN) } });
        CURVE_OF(fold, "loss", 5, LIST(1, 2, 3, 4, 5), LIST(1, 2, 3, 4, 5));
        take_from(fold, csv, (struct said){ 6, NO, NO, { METRIC("acc", NAN) } });
        take_from(fold, csv, (struct said){ 1, NO, NO, { METRIC("loss", 7) } });
        CURVE_OF(fold, "loss", 2, LIST(1, 6), LIST(7, NAN)); /* the owner's row stays, empty as it is */
}

/* One epoch in the text, then a CSV whose first epoch has many steps. */
static void test_the_only_epoch_is_kept_when_steps_become_x(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });

        (void)state;
        take_from(fold, text, (struct said){ 1, NO, NO, { METRIC("lr", 0.1) } });
        take_from(fold, csv, (struct said){ 0, 49, NO, { METRIC("loss", 1) } });
        take_from(fold, csv, (struct said){ 0, 99, NO, { METRIC("loss", 2) } });
        assert_int_equal(fold_axis(fold), AXIS_STEP);
        CURVE_OF(fold, "lr", 2, LIST(49, 99), LIST(0.1, NAN));
        take_from(fold, csv, (struct said){ 1, 149, NO, { METRIC("loss", 3) } });
        CURVE_OF(fold, "lr", 2, LIST(0, 1), LIST(0.1, NAN));
        CURVE_OF(fold, "loss", 2, LIST(0, 1), LIST(2, 3));
}

/* The text is in its first epoch, by steps, when a CSV of epochs comes. */
static void test_steps_of_the_first_epoch_become_its_row(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });

        (void)state;
        take_from(fold, text, (struct said){ 1, 10, NO, { METRIC("lr", 0.1) } });
        take_from(fold, text, (struct said){ 1, 20, NO, { METRIC("lr", 0.2) } });
        assert_int_equal(fold_axis(fold), AXIS_STEP);
        take_from(fold, csv, (struct said){ 0, NO, NO, { METRIC("loss", 1) } });
        take_from(fold, csv, (struct said){ 1, NO, NO, { METRIC("loss", 2) } });
        CURVE_OF(fold, "lr", 2, LIST(0, 1), LIST(0.2, NAN));
        CURVE_OF(fold, "loss", 2, LIST(0, 1), LIST(1, 2));
}

static void test_what_is_said_again_counts_once(void **state) {
        static const struct aggregate_rule mean = { "acc", AGGREGATE_MEAN };
        static const struct metric metrics[] = { METRIC("loss", NAN), METRIC("acc", 2) };
        CLEANUP(fold_freep) struct fold *fold =
                fold_of((struct fold_config){ .axis = AXIS_AUTO, .rules = &mean, .n_rules = 1 });
        struct record record = RECORD_EMPTY;

        (void)state;
        record.epoch = 1;
        record.metrics = metrics;
        record.n_metrics = 2;
        for (int i = 0; i < 5; i++) {
                assert_int_equal(fold_take(fold, &record), 0);
                record.is_repeat = true;
        }
        take(fold, (struct said){ 1, NO, NO, { METRIC("acc", 4) } });
        assert_int_equal(fold_column(fold, rank_of(fold, "loss")).non_finite, 1);
        assert_int_equal(fold_accepted(fold), 2);
        CURVE_OF(fold, "acc", 1, LIST(1), LIST(3));
        assert_true(fold_has_finite(fold));
}

/* A file that is read again begins with what is long known: the training has not gone back. */
static void test_repeats_move_nothing_back(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO, .metrics_max = 3 });
        struct metric loss = { SLICE("loss"), 4 };
        struct record record = RECORD_EMPTY;

        (void)state;
        take(fold, (struct said){ 1, NO, NO, { METRIC("loss", 4) } });
        take(fold, (struct said){ 2, NO, NO, { METRIC("loss", 3) } });
        record.epoch = 1;
        record.metrics = &loss;
        record.n_metrics = 1;
        record.is_repeat = true;
        assert_int_equal(fold_take(fold, &record), 0);
        assert_true(fold_column(fold, rank_of(fold, "loss")).latest == 3);
        assert_true(fold_epoch(fold) == 2);
}

static void test_results_take_the_place_of_schedules(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO, .metrics_max = 3 });

        (void)state;
        take(fold, (struct said){ 1, NO, NO, { METRIC("lr", 1), METRIC("grad_norm", 2), METRIC("thing", 3) } });
        take(fold, (struct said){ 1, NO, NO, { METRIC("loss", 4), METRIC("momentum", 5) } });
        take(fold, (struct said){ 1, NO, NO, { METRIC("acc", 6), METRIC("other", 7) } });
        assert_string_equal(fold_column(fold, 0).name, "loss");
        assert_string_equal(fold_column(fold, 1).name, "acc");
        assert_string_equal(fold_column(fold, 2).name, "thing");
        assert_string_equal(fold_retired_name(fold, 0), "grad_norm");
        assert_string_equal(fold_retired_name(fold, 1), "lr");
        assert_int_equal(fold_n_left_out(fold), 4);
}

static void test_notes_say_which_source_counts(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });
        char notes[FOLD_NOTES_MAX][FOLD_NOTE_BYTES_MAX + 1];

        (void)state;
        take_from(fold, csv, (struct said){ 1, NO, NO, { METRIC("loss", 1), METRIC("acc", 2), METRIC("f1", 3) } });
        assert_int_equal(fold_notes(fold, notes), 0);
        take_from(fold, text, (struct said){ 0, NO, NO, { METRIC("loss", 1), METRIC("acc", 2), METRIC("lr", 3) } });
        assert_int_equal(fold_notes(fold, notes), 2);
        assert_string_equal(notes[0], "x: epochs of results.csv, from 1, others moved to it");
        assert_string_equal(notes[1], "loss, acc: from results.csv, also in stdout.log");
}

static void test_more_sources_than_are_remembered(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO });
        char path[32];

        (void)state;
        for (int i = 0; i < 300; i++) {
                (void)snprintf(path, sizeof(path), "%d.%s", i, i % 2 ? "log" : "csv");
                for (int epoch = 1; epoch < 3; epoch++)
                        take_from(fold, (struct origin){ path, i % 2 ? SOURCE_TEXT : SOURCE_STRUCTURED, false },
                                  (struct said){ epoch, NO, NO, { METRIC("loss", i), METRIC("acc", epoch) } });
        }
        take_from(fold, csv, (struct said){ 1, NO, NO, { METRIC("loss", 5) } });
        CURVE_OF(fold, "loss", 2, LIST(1, 2), LIST(5, 298));
}

/* --- sources in any order --- */

static uint64_t random_state;

static unsigned random_below(unsigned n) {
        random_state = random_state * 6364136223846793005u + 1442695040888963407u;
        return (unsigned)(random_state >> 33) % n;
}

enum { SOURCES = 4, RECORDS = 40 };
enum counting { EPOCHS, EPOCHS_AND_STEPS, STEPS };

struct script {
        struct origin origin;
        struct said records[RECORDS];
        size_t n, next;
};

/* What a trainer says in one place: epochs from 0 or 1, several records each, steps or not, names
 * that others have too and names of its own. */
static void script_make(struct script *script, int source, enum counting counting) {
        static const char *const spellings[SOURCES][3] = {
                { "val_loss", "acc", "a" }, { "val/loss", "acc", "b" }, { "val.loss", "acc", "c" },
                { "val_loss", "acc", "d" },
        };
        unsigned first = random_below(2), an_epoch = 1 + random_below(3), epochs = 1 + random_below(8);

        script->origin = (const struct origin[]){ csv, events, text, latest }[source];
        script->n = script->next = 0;
        for (unsigned i = 0; i < an_epoch * epochs && script->n < RECORDS; i++) {
                struct said *said = &script->records[script->n++];

                *said = (struct said){ counting == STEPS ? NAN : first + i / an_epoch, counting == EPOCHS ? NAN : i,
                                       NO, { { { 0 }, 0 } } };
                for (size_t m = 0, n = 0; m < 3; m++)
                        if (m == 0 || random_below(3) > 0)
                                said->metrics[n++] = (struct metric){
                                        slice_from(spellings[source][m]),
                                        random_below(8) ? source * 1000 + (double)random_below(100) : NAN };
        }
}

static struct fold *fold_in_random_order(struct script *scripts) {
        static const struct aggregate_rule rules[] = { { "acc", AGGREGATE_MEAN } };
        struct fold *fold = fold_of((struct fold_config){ .axis = AXIS_AUTO, .rules = rules, .n_rules = 1 });
        size_t left = 0;

        for (int i = 0; i < SOURCES; i++) {
                scripts[i].next = 0;
                left += scripts[i].n;
        }
        while (left > 0) {
                struct script *script = &scripts[random_below(SOURCES)];

                for (unsigned n = 1 + random_below(10); n > 0 && script->next < script->n; n--, left--)
                        take_from(fold, script->origin, script->records[script->next++]);
        }
        return fold;
}

static bool is_number_same(double a, double b) {
        return isnan(a) ? isnan(b) : fabs(a - b) < 1e-9;
}

/* The points alone: rows in which others have values do not matter. */
static void assert_same_points(const struct fold *a, struct column column_a, const struct fold *b,
                               struct column column_b) {
        size_t at_a = 0, at_b = 0;

        for (;;) {
                while (at_a < fold_n_rows(a) && isnan(column_a.values[at_a]))
                        at_a++;
                while (at_b < fold_n_rows(b) && isnan(column_b.values[at_b]))
                        at_b++;
                if (at_a == fold_n_rows(a) || at_b == fold_n_rows(b))
                        break;
                assert_true(is_number_same(column_a.values[at_a], column_b.values[at_b]));
                assert_true(fold_row_x(a, at_a++) == fold_row_x(b, at_b++));
        }
        assert_true(at_a == fold_n_rows(a) && at_b == fold_n_rows(b));
}

static void assert_same(const struct fold *a, const struct fold *b, const char *source) {
        for (size_t i = 0; i < fold_n_columns(a); i++) {
                struct column column_a = fold_column(a, i), column_b = fold_column(b, rank_of(b, column_a.name));

                assert_string_equal(column_a.source, column_b.source);
                assert_int_equal(column_a.non_finite, column_b.non_finite);
                if (source && strcmp(column_a.source, source) != 0)
                        continue;
                assert_true(is_number_same(column_a.latest, column_b.latest));
                assert_true(is_number_same(column_a.min, column_b.min));
                assert_true(is_number_same(column_a.max, column_b.max));
                assert_same_points(a, column_a, b, column_b);
        }
}

/* Everything where all count in epochs, else what the highest source owns. */
static void check_orders(struct script *scripts, bool all_count_epochs) {
        for (int i = 0; i < 20; i++) {
                CLEANUP(fold_freep) struct fold *a = fold_in_random_order(scripts);
                CLEANUP(fold_freep) struct fold *b = fold_in_random_order(scripts);

                assert_int_equal(fold_axis(a), fold_axis(b));
                assert_int_equal(fold_n_columns(a), fold_n_columns(b));
                assert_true(is_number_same(fold_epoch(a), fold_epoch(b)));
                assert_same(a, b, all_count_epochs ? NULL : csv.path);
        }
}

static void test_the_order_of_sources_does_not_matter(void **state) {
        struct script scripts[SOURCES];

        (void)state;
        for (uint64_t seed = 1; seed < 600; seed++) {
                bool all_count_epochs;

                random_state = seed * 7919;
                all_count_epochs = random_below(2);
                for (int i = 0; i < SOURCES; i++)
                        script_make(&scripts[i], i, all_count_epochs ? EPOCHS : (enum counting)random_below(3));
                check_orders(scripts, all_count_epochs);
        }
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
                cmocka_unit_test(test_many_metrics_and_epochs),
                cmocka_unit_test(test_a_long_first_epoch),
                cmocka_unit_test(test_paths_epochs_and_the_end),
                cmocka_unit_test(test_words),
                cmocka_unit_test(test_a_higher_source_owns_its_names),
                cmocka_unit_test(test_a_better_source_that_comes_later_takes_over),
                cmocka_unit_test(test_a_name_that_comes_back_is_not_retired),
                cmocka_unit_test(test_two_spellings_of_one_source_are_two_metrics),
                cmocka_unit_test(test_a_snapshot_yields_to_any_history),
                cmocka_unit_test(test_sources_of_one_rank_are_one),
                cmocka_unit_test(test_a_new_session_voids_later_steps),
                cmocka_unit_test(test_of_several_processes_the_first_counts),
                cmocka_unit_test(test_x_of_one_source_is_not_that_of_another),
                cmocka_unit_test(test_steps_of_a_lower_source_are_put_into_epochs),
                cmocka_unit_test(test_points_without_a_place_on_the_new_axis_go),
                cmocka_unit_test(test_rows_of_withdrawn_points_go),
                cmocka_unit_test(test_the_only_epoch_is_kept_when_steps_become_x),
                cmocka_unit_test(test_steps_of_the_first_epoch_become_its_row),
                cmocka_unit_test(test_what_is_said_again_counts_once),
                cmocka_unit_test(test_repeats_move_nothing_back),
                cmocka_unit_test(test_results_take_the_place_of_schedules),
                cmocka_unit_test(test_notes_say_which_source_counts),
                cmocka_unit_test(test_more_sources_than_are_remembered),
                cmocka_unit_test(test_the_order_of_sources_does_not_matter),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
