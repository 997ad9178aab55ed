/* What was there before, and x that goes back: which rows stay, which are void. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "result/fold.h"

#define NO NAN
#define LIST(...) { __VA_ARGS__ }

static struct fold *fold_new_of(enum axis axis, size_t metrics_max) {
        struct fold_config config = { .axis = axis, .metrics_max = metrics_max };
        struct fold *fold;

        assert_int_equal(fold_new(&fold, &config), 0);
        return fold;
}

static struct fold *fold_plain(void) {
        return fold_new_of(AXIS_AUTO, FOLD_METRICS_MAX);
}

/* "source" says one metric at an epoch and a step. */
static void say_as(struct fold *fold, const char *source, enum source_rank rank, double epoch, double step,
                   const char *name, double value) {
        struct metric metric = { slice_from(name), value };
        struct record record = RECORD_EMPTY;

        record.source = slice_from(source);
        record.rank = rank;
        record.epoch = epoch;
        record.step = step;
        record.metrics = &metric;
        record.n_metrics = 1;
        assert_int_equal(fold_take(fold, &record), 0);
}

static void say(struct fold *fold, double epoch, double step, const char *name, double value) {
        say_as(fold, "metrics", SOURCE_STRUCTURED, epoch, step, name, value);
}

static const double epochs[] = { 1, 2, 3, 4, 5 };
static const double losses[] = { 9, 8, 7, 6, 5 };
static const double accuracies[] = { 0.1, 0.5, NAN, 0.25, 0.2 };
static const struct history_column curves[] = {
        { .name = "loss", .latest = 5, .min = 4.5, .max = 11, .values = losses, .non_finite = 2 },
        { .name = "val/acc", .latest = 0.2, .min = 0.1, .max = 0.5, .values = accuracies },
};
static const struct history five_epochs = {
        .axis = AXIS_EPOCH, .n_rows = 5, .x = epochs, .n_columns = 2, .columns = curves,
        .epoch = 5, .step = 500, .total_epochs = 9, .checkpoint = "/c/5", .checkpoint_epoch = 5,
        .output_path = "/out", .accepted = 10,
};

static void take_history(struct fold *fold, const struct history *history) {
        assert_int_equal(fold_take_history(fold, history), 0);
}

static struct column column_of(const struct fold *fold, const char *name) {
        for (size_t i = 0; i < fold_n_columns(fold); i++)
                if (strcmp(fold_column(fold, i).name, name) == 0)
                        return fold_column(fold, i);
        fail_msg("no column %s", name);
        return (struct column){ 0 };
}

static void assert_curve(const struct fold *fold, const char *name, size_t n, const double *x, const double *values) {
        struct column column = column_of(fold, name);

        assert_int_equal(fold_n_rows(fold), n);
        for (size_t i = 0; i < n; i++) {
                double value = column_value(&column, i);

                assert_true(fold_row_x(fold, i) == x[i]);
                assert_true(isnan(values[i]) ? isnan(value) : value == values[i]);
        }
}

#define CURVE(fold, name, n, x, values) assert_curve(fold, name, n, (const double[])x, (const double[])values)

static void test_until_something_is_read_all_stays(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_plain();

        (void)state;
        take_history(fold, &five_epochs);
        assert_int_equal(fold_axis(fold), AXIS_EPOCH);
        CURVE(fold, "loss", 5, LIST(1, 2, 3, 4, 5), LIST(9, 8, 7, 6, 5));
        CURVE(fold, "val/acc", 5, LIST(1, 2, 3, 4, 5), LIST(0.1, 0.5, NAN, 0.25, 0.2));
        assert_true(column_of(fold, "loss").latest == 5 && column_of(fold, "loss").last == 5);
        assert_true(fold_epoch(fold) == 5 && fold_step(fold) == 500 && fold_total_epochs(fold) == 9);
        assert_string_equal(fold_checkpoint(fold), "/c/5");
        assert_string_equal(fold_output_path(fold), "/out");
        assert_true(fold_has_finite(fold));
        assert_int_equal(fold_accepted(fold), 0);
        assert_int_equal(fold_accepted_in_all(fold), 10);
}

static void test_epochs_from_our_first_on_are_ours(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_plain();

        (void)state;
        take_history(fold, &five_epochs);
        say(fold, 4, NO, "loss", 6.5);
        CURVE(fold, "loss", 4, LIST(1, 2, 3, 4), LIST(9, 8, 7, 6.5));
        CURVE(fold, "val/acc", 4, LIST(1, 2, 3, 4), LIST(0.1, 0.5, NAN, NAN));
        say(fold, 5, NO, "loss", 3);
        CURVE(fold, "loss", 5, LIST(1, 2, 3, 4, 5), LIST(9, 8, 7, 6.5, 3));
        assert_true(column_of(fold, "loss").latest == 3);
        assert_true(column_of(fold, "loss").min == 3 && column_of(fold, "loss").max == 11);
        assert_true(column_of(fold, "val/acc").latest == 0.2);
        assert_int_equal(column_of(fold, "loss").non_finite, 2);
        assert_int_equal(fold_accepted_in_all(fold), 12);
        assert_true(fold_epoch(fold) == 5);
}

static void test_what_is_read_before_the_history_is_known_counts(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_plain();

        (void)state;
        say(fold, 4, NO, "loss", 6.5);
        say(fold, 5, NO, "loss", 3);
        take_history(fold, &five_epochs);
        CURVE(fold, "loss", 5, LIST(1, 2, 3, 4, 5), LIST(9, 8, 7, 6.5, 3));
        CURVE(fold, "val/acc", 5, LIST(1, 2, 3, 4, 5), LIST(0.1, 0.5, NAN, NAN, NAN));
        assert_true(fold_epoch(fold) == 5);
}

static void test_a_run_that_starts_over_keeps_no_row(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_plain();

        (void)state;
        take_history(fold, &five_epochs);
        say(fold, 1, NO, "loss", 8.5);
        CURVE(fold, "loss", 1, LIST(1), LIST(8.5));
        assert_true(column_of(fold, "loss").min == 4.5 && column_of(fold, "loss").max == 11);
}

/* lr at a step, and only then the epoch: nothing of before goes meanwhile. */
static void test_steps_do_not_wipe_epochs(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_plain();

        (void)state;
        take_history(fold, &five_epochs);
        say(fold, NO, 410, "lr", 0.1);
        assert_int_equal(fold_axis(fold), AXIS_EPOCH);
        CURVE(fold, "loss", 5, LIST(1, 2, 3, 4, 5), LIST(9, 8, 7, 6, 5));
        assert_true(column_of(fold, "lr").latest == 0.1);
        say(fold, 5, 420, "loss", 3);
        say(fold, 5, 430, "loss", 2);
        CURVE(fold, "loss", 5, LIST(1, 2, 3, 4, 5), LIST(9, 8, 7, 6, 2));
        CURVE(fold, "lr", 5, LIST(1, 2, 3, 4, 5), LIST(NAN, NAN, NAN, NAN, 0.1));
}

/* Another trainer, which has no epochs at all: once it has more rows, they are the curve. */
static void test_another_axis_takes_over_once_it_is_longer(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_plain();

        (void)state;
        take_history(fold, &five_epochs);
        for (int step = 10; step <= 50; step += 10)
                say(fold, NO, step, "loss", step);
        assert_int_equal(fold_axis(fold), AXIS_EPOCH);
        say(fold, NO, 60, "loss", 60);
        assert_int_equal(fold_axis(fold), AXIS_STEP);
        CURVE(fold, "loss", 6, LIST(10, 20, 30, 40, 50, 60), LIST(10, 20, 30, 40, 50, 60));
        assert_true(column_of(fold, "loss").min == 4.5 && column_of(fold, "loss").max == 60);
}

static const double steps[] = { 100, 200, 300 };
static const struct history_column step_curve[] = {
        { .name = "loss", .latest = 7, .min = 7, .max = 9, .values = losses },
};
static const struct history first_epoch = {
        .axis = AXIS_STEP, .n_rows = 3, .x = steps, .n_columns = 1, .columns = step_curve, .epoch = 0, .step = 300,
        .total_epochs = NAN, .checkpoint_epoch = NAN,
};

static void test_steps_go_on_in_the_same_epoch_and_become_one_with_the_next(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_plain();

        (void)state;
        take_history(fold, &first_epoch);
        say(fold, 0, 250, "loss", 6);
        assert_int_equal(fold_axis(fold), AXIS_STEP);
        CURVE(fold, "loss", 3, LIST(100, 200, 250), LIST(9, 8, 6));
        say(fold, 0, 350, "loss", 5);
        CURVE(fold, "loss", 4, LIST(100, 200, 250, 350), LIST(9, 8, 6, 5));
        say(fold, 1, 450, "loss", 4);
        assert_int_equal(fold_axis(fold), AXIS_EPOCH);
        CURVE(fold, "loss", 2, LIST(0, 1), LIST(5, 4));
}

static void test_steps_of_an_epoch_that_is_over_are_its_row(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_plain();

        (void)state;
        take_history(fold, &first_epoch);
        say(fold, 1, 350, "loss", 5);
        assert_int_equal(fold_axis(fold), AXIS_EPOCH);
        CURVE(fold, "loss", 2, LIST(0, 1), LIST(7, 5));
        say(fold, 1, 360, "loss", 4);
        CURVE(fold, "loss", 2, LIST(0, 1), LIST(7, 4));
}

static void test_steps_read_early_become_epochs(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_plain();

        (void)state;
        say(fold, 5, 410, "loss", 4);
        say(fold, 5, 420, "loss", 3);
        assert_int_equal(fold_axis(fold), AXIS_STEP);
        take_history(fold, &five_epochs);
        assert_int_equal(fold_axis(fold), AXIS_EPOCH);
        CURVE(fold, "loss", 5, LIST(1, 2, 3, 4, 5), LIST(9, 8, 7, 6, 3));
}

/* The agent lost its state, not its pod: the same files are read again. */
static void test_what_is_read_again_is_not_counted_twice(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_plain();
        struct history ours = five_epochs;

        (void)state;
        ours.is_ours = true;
        take_history(fold, &ours);
        for (int epoch = 3; epoch <= 6; epoch++)
                say(fold, epoch, NO, "loss", epoch == 4 ? NAN : 10 - epoch);
        CURVE(fold, "loss", 6, LIST(1, 2, 3, 4, 5, 6), LIST(9, 8, 7, NAN, 5, 4));
        assert_int_equal(fold_accepted_in_all(fold), 10);
        assert_int_equal(column_of(fold, "loss").non_finite, 2);
}

static void test_the_objective_is_the_best_of_the_rows_that_stay(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_plain();

        (void)state;
        assert_int_equal(fold_set_objective(fold, "val_acc", GOAL_MAXIMIZE), 0);
        take_history(fold, &five_epochs);
        assert_string_equal(fold_column(fold, 0).name, "val/acc");
        assert_true(fold_objective(fold).value == 0.5 && fold_objective(fold).x == 2);
        say(fold, 4, NO, "loss", 6.5);
        assert_string_equal(fold_objective(fold).metric, "val/acc");
        say(fold, 4, NO, "val_acc", 0.75);
        assert_string_equal(fold_objective(fold).metric, "val_acc");
        assert_true(fold_objective(fold).value == 0.75 && fold_objective(fold).x == 4);
        CURVE(fold, "val_acc", 4, LIST(1, 2, 3, 4), LIST(0.1, 0.5, NAN, 0.75));
        say(fold, 2, NO, "val_acc", 0.3);
        assert_true(fold_objective(fold).value == 0.75);
        CURVE(fold, "val_acc", 3, LIST(1, 2, 4), LIST(0.1, 0.3, 0.75));
}

/* A spelling that is not used any more leaves its key behind: it has to be taken out. */
static void test_another_spelling_is_the_same_metric(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_plain();

        (void)state;
        take_history(fold, &five_epochs);
        say(fold, 4, NO, "val_acc", 0.75);
        assert_int_equal(fold_n_columns(fold), 2);
        assert_string_equal(fold_retired_name(fold, 0), "val/acc");
}

/* A lesser source says it first, and what it said is withdrawn: what was before is not. */
static void test_a_better_source_does_not_withdraw_what_was_before(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_plain();
        char notes[FOLD_NOTES_MAX][FOLD_NOTE_BYTES_MAX + 1];

        (void)state;
        take_history(fold, &five_epochs);
        say_as(fold, "log", SOURCE_TEXT, 4, NO, "loss", 6.25);
        assert_int_equal(fold_notes(fold, notes), 0);
        say(fold, 4, NO, "loss", 6.5);
        CURVE(fold, "loss", 4, LIST(1, 2, 3, 4), LIST(9, 8, 7, 6.5));
        assert_true(column_of(fold, "loss").max == 11);
}

static void test_a_metric_that_is_said_goes_before_one_that_was(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_new_of(AXIS_AUTO, 2);

        (void)state;
        take_history(fold, &five_epochs);
        say(fold, 4, NO, "f1", 0.5);
        say(fold, 4, NO, "bleu", 30);
        assert_int_equal(fold_n_columns(fold), 2);
        CURVE(fold, "f1", 4, LIST(1, 2, 3, 4), LIST(NAN, NAN, NAN, 0.5));
        CURVE(fold, "bleu", 4, LIST(1, 2, 3, 4), LIST(NAN, NAN, NAN, 30));
        assert_int_equal(fold_n_left_out(fold), 2);
}

static void test_many_rows_of_both_are_selected_within_the_bound(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_plain();
        double x[FOLD_ROWS_MAX], values[FOLD_ROWS_MAX];
        struct history_column column = { .name = "loss", .latest = 1, .min = 1, .max = 1, .values = values };
        struct history history = { .axis = AXIS_EPOCH, .n_rows = FOLD_ROWS_MAX, .x = x, .n_columns = 1,
                                   .columns = &column, .epoch = FOLD_ROWS_MAX };
        uint16_t rows[FOLD_ROWS_MAX];
        size_t n;

        (void)state;
        for (size_t i = 0; i < FOLD_ROWS_MAX; i++) {
                x[i] = (double)i;
                values[i] = 1;
        }
        take_history(fold, &history);
        for (int epoch = FOLD_ROWS_MAX; epoch < 2 * FOLD_ROWS_MAX; epoch++)
                say(fold, epoch, NO, "loss", 1);
        assert_int_equal(fold_n_rows(fold), 2 * FOLD_ROWS_MAX);
        n = fold_select_rows(fold, 0, rows);
        assert_in_range(n, FOLD_ROWS_MAX / 2, FOLD_ROWS_MAX);
        assert_true(fold_row_x(fold, rows[0]) == 0);
        assert_true(fold_row_x(fold, rows[n - 1]) == 2 * FOLD_ROWS_MAX - 1);
        for (size_t i = 1; i < n; i++)
                assert_true(fold_row_x(fold, rows[i - 1]) < fold_row_x(fold, rows[i]));
}

/* Before or after the records: the same rows, whatever comes. */
static void test_when_the_history_comes_is_no_matter(void **state) {
        unsigned random = 1;

        (void)state;
        for (int round = 0; round < 500; round++) {
                CLEANUP(fold_freep) struct fold *early = fold_plain();
                CLEANUP(fold_freep) struct fold *late = fold_plain();
                const struct history *history = round % 2 ? &five_epochs : &first_epoch;
                int n = round % 5 + 1;

                take_history(early, history);
                for (int i = 0; i < n; i++) {
                        double epoch, step, value = i;

                        random = random * 1103515245 + 12345;
                        epoch = random >> 16 & 7;
                        step = epoch * 100 + (random >> 20 & 63);
                        say(early, epoch, step, i % 2 ? "loss" : "other", value);
                        say(late, epoch, step, i % 2 ? "loss" : "other", value);
                }
                take_history(late, history);
                assert_int_equal(fold_axis(early), fold_axis(late));
                assert_int_equal(fold_n_rows(early), fold_n_rows(late));
                for (size_t row = 0; row < fold_n_rows(early); row++) {
                        struct column a = column_of(early, "loss"), b = column_of(late, "loss");
                        double x = column_value(&a, row), y = column_value(&b, row);

                        assert_true(fold_row_x(early, row) == fold_row_x(late, row));
                        assert_true(isnan(x) ? isnan(y) : x == y);
                }
        }
}

/* --- x goes back --- */

static void test_x_that_goes_back_alone_takes_nothing(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_plain();

        (void)state;
        for (int epoch = 1; epoch <= 4; epoch++)
                say(fold, epoch, NO, "loss", 10 - epoch);
        assert_int_equal(fold_returns(fold), 0);
        say(fold, 2, NO, "loss", 5);
        assert_int_equal(fold_returns(fold), 1);
        CURVE(fold, "loss", 4, LIST(1, 2, 3, 4), LIST(9, 5, 7, 6));
}

static void test_a_start_anew_voids_what_was_said_from_there_on(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_plain();

        (void)state;
        for (int epoch = 1; epoch <= 4; epoch++) {
                say(fold, epoch, NO, "loss", 10 - epoch);
                say(fold, epoch, NO, "acc", epoch);
        }
        say(fold, 2, NO, "loss", 5);
        say(fold, 3, NO, "loss", 4);
        fold_void_before_return(fold);
        CURVE(fold, "loss", 3, LIST(1, 2, 3), LIST(9, 5, 4));
        CURVE(fold, "acc", 3, LIST(1, 2, 3), LIST(1, NAN, NAN));
        assert_true(column_of(fold, "acc").max == 4);
        say(fold, 3, NO, "acc", 3.5);
        fold_void_before_return(fold); /* it was heard once */
        CURVE(fold, "acc", 3, LIST(1, 2, 3), LIST(1, NAN, 3.5));
}

static void test_a_new_file_that_begins_no_higher_is_a_return(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_plain();

        (void)state;
        say_as(fold, "run-1", SOURCE_STRUCTURED, 1, NO, "loss", 9);
        say_as(fold, "run-1", SOURCE_STRUCTURED, 2, NO, "loss", 8);
        say_as(fold, "run-2", SOURCE_STRUCTURED, 2, NO, "loss", 7);
        assert_int_equal(fold_returns(fold), 1);
        say_as(fold, "run-2", SOURCE_STRUCTURED, 3, NO, "loss", 6);
        say_as(fold, "run-3", SOURCE_STRUCTURED, 4, NO, "loss", 6);
        assert_int_equal(fold_returns(fold), 1);
}

/* What lesser sources say of rows that the better one has reached may be new. */
static void test_a_lesser_source_that_was_ahead_keeps_its_word(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_plain();

        (void)state;
        for (int epoch = 1; epoch <= 4; epoch++) {
                say(fold, epoch, NO, "loss", 10 - epoch);
                say_as(fold, "log", SOURCE_TEXT, epoch, NO, "lr", epoch);
        }
        say_as(fold, "log", SOURCE_TEXT, 2, NO, "lr", 2.5);
        say(fold, 2, NO, "loss", 5);
        fold_void_before_return(fold);
        CURVE(fold, "loss", 2, LIST(1, 2), LIST(9, 5));
        CURVE(fold, "lr", 2, LIST(1, 2), LIST(1, 2.5));
}

static void test_steps_that_became_epochs_are_no_return(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_plain();

        (void)state;
        say(fold, 0, 100, "loss", 9);
        say(fold, 0, 200, "loss", 8);
        say(fold, 1, 300, "loss", 7);
        say(fold, 1, 400, "loss", 6);
        assert_int_equal(fold_returns(fold), 0);
        fold_void_before_return(fold);
        CURVE(fold, "loss", 2, LIST(0, 1), LIST(8, 6));
}

/* Thinned rows keep what they know of that. */
static void test_a_return_in_a_long_run(void **state) {
        CLEANUP(fold_freep) struct fold *fold = fold_plain();
        struct column column;

        (void)state;
        for (int epoch = 0; epoch < 3 * FOLD_ROWS_MAX; epoch++)
                say(fold, epoch, NO, "loss", 1);
        for (int epoch = 1000; epoch < 2 * FOLD_ROWS_MAX; epoch++)
                say(fold, epoch, NO, "loss", 2);
        fold_void_before_return(fold);
        assert_true(fold_row_x(fold, fold_n_rows(fold) - 1) == 2 * FOLD_ROWS_MAX - 1);
        column = column_of(fold, "loss");
        for (size_t row = 0; row < fold_n_rows(fold); row++)
                assert_true(column_value(&column, row) == (fold_row_x(fold, row) < 1000 ? 1 : 2));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_until_something_is_read_all_stays),
                cmocka_unit_test(test_epochs_from_our_first_on_are_ours),
                cmocka_unit_test(test_what_is_read_before_the_history_is_known_counts),
                cmocka_unit_test(test_a_run_that_starts_over_keeps_no_row),
                cmocka_unit_test(test_steps_do_not_wipe_epochs),
                cmocka_unit_test(test_another_axis_takes_over_once_it_is_longer),
                cmocka_unit_test(test_steps_go_on_in_the_same_epoch_and_become_one_with_the_next),
                cmocka_unit_test(test_steps_of_an_epoch_that_is_over_are_its_row),
                cmocka_unit_test(test_steps_read_early_become_epochs),
                cmocka_unit_test(test_what_is_read_again_is_not_counted_twice),
                cmocka_unit_test(test_the_objective_is_the_best_of_the_rows_that_stay),
                cmocka_unit_test(test_another_spelling_is_the_same_metric),
                cmocka_unit_test(test_a_better_source_does_not_withdraw_what_was_before),
                cmocka_unit_test(test_a_metric_that_is_said_goes_before_one_that_was),
                cmocka_unit_test(test_many_rows_of_both_are_selected_within_the_bound),
                cmocka_unit_test(test_when_the_history_comes_is_no_matter),
                cmocka_unit_test(test_x_that_goes_back_alone_takes_nothing),
                cmocka_unit_test(test_a_start_anew_voids_what_was_said_from_there_on),
                cmocka_unit_test(test_a_new_file_that_begins_no_higher_is_a_return),
                cmocka_unit_test(test_a_lesser_source_that_was_ahead_keeps_its_word),
                cmocka_unit_test(test_steps_that_became_epochs_are_no_return),
                cmocka_unit_test(test_a_return_in_a_long_run),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
