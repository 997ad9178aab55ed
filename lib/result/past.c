#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "result/fold_state.h"

/* --- memory --- */

static void past_freep(struct past **past) {
        *past = past_free(*past);
}

/* The const is for who borrows; here they are ours. */
static void release(const void *memory) {
        free((void *)(uintptr_t)memory);
}

struct past *past_free(struct past *past) {
        if (!past)
                return NULL;
        for (size_t i = 0; i < past->history.n_columns && past->history.columns; i++) {
                release(past->history.columns[i].name);
                release(past->history.columns[i].values);
        }
        release(past->history.columns);
        release(past->history.x);
        release(past->history.output_path);
        release(past->history.checkpoint);
        free(past->letters_hashes);
        free(past);
        return NULL;
}

/* NULL when memory is short, never for want of numbers. */
static double *copy_numbers(const double *numbers, size_t n) {
        double *copy = malloc((n + 1) * sizeof(*copy));

        if (copy && n > 0)
                memcpy(copy, numbers, n * sizeof(*copy));
        return copy;
}

static int copy_columns(struct past *past, const struct history *history) {
        struct history_column *columns = calloc(history->n_columns + 1, sizeof(*columns));

        past->history.columns = columns;
        past->letters_hashes = calloc(history->n_columns + 1, sizeof(*past->letters_hashes));
        if (!columns || !past->letters_hashes)
                return -ENOMEM;
        for (size_t i = 0; i < history->n_columns; i++) {
                columns[i] = history->columns[i];
                columns[i].name = strdup(history->columns[i].name);
                columns[i].values = copy_numbers(history->columns[i].values, history->n_rows);
                past->history.n_columns = i + 1;
                if (!columns[i].name || !columns[i].values)
                        return -ENOMEM;
                past->letters_hashes[i] = hash_letters(columns[i].name);
        }
        return 0;
}

static int copy_text(const char **ret_copy, const char *text) {
        *ret_copy = text ? strdup(text) : NULL;
        return text && !*ret_copy ? -ENOMEM : 0;
}

static int past_new(struct past **ret_past, const struct history *history) {
        CLEANUP(past_freep) struct past *past = calloc(1, sizeof(*past));
        int r;

        if (!past)
                return -ENOMEM;
        past->history = *history;
        past->history.columns = NULL;
        past->history.n_columns = 0;
        past->history.output_path = past->history.checkpoint = NULL;
        past->history.x = copy_numbers(history->x, history->n_rows);
        r = past->history.x ? copy_columns(past, history) : -ENOMEM;
        if (r == 0)
                r = copy_text(&past->history.output_path, history->output_path);
        if (r == 0)
                r = copy_text(&past->history.checkpoint, history->checkpoint);
        if (r < 0)
                return r;
        *ret_past = STEAL(past);
        return 0;
}

/* --- taking it --- */

bool past_has_another_epoch(const struct past *past, double epoch) {
        if (isnan(epoch))
                return false;
        return (past->history.axis == AXIS_EPOCH && past->history.n_rows > 1) ||
               (!isnan(past->history.epoch) && past->history.epoch != epoch);
}

/* Our records came first, and took the steps of their first epoch for all that there is. */
static void leave_steps(struct fold *fold) {
        for (size_t i = 0; i < fold->n_origins; i++)
                if (past_has_another_epoch(fold->past, fold->origins[i].first_epoch))
                        fold->has_second_epoch = true;
        if (fold->config.axis != AXIS_AUTO || fold->axis != AXIS_STEP || !fold->has_second_epoch ||
            isnan(fold->first_epoch))
                return;
        fold->axis = AXIS_EPOCH;
        fold->x_last = fold->first_epoch;
        if (fold->n_rows > 0)
                rows_collapse(fold, fold->first_epoch);
}

int past_take(struct fold *fold, const struct history *history) {
        struct past *past;
        int r = past_new(&past, history);

        if (r < 0)
                return r;
        past_free(fold->past);
        fold->past = past;
        return 0;
}

int fold_take_history(struct fold *fold, const struct history *history) {
        int r = 0;

        for (size_t i = 0; i < history->n_columns && r == 0; i++)
                r = metric_expect(fold, history->columns[i].name);
        if (r == 0)
                r = past_take(fold, history);
        if (r == 0)
                leave_steps(fold);
        return r;
}

/* --- which rows are shown --- */

/* One row of a first epoch is that epoch's; only more of them make a curve over steps. */
static bool is_single_epoch(const struct fold *fold) {
        return fold->config.axis == AXIS_AUTO && fold->axis < AXIS_EPOCH && fold->n_rows == 1 &&
               !isnan(fold->first_epoch);
}

static enum axis own_axis(const struct fold *fold, const struct past *past) {
        /* After steps it is one more of them. */
        if (past && past->history.axis == AXIS_STEP && fold->axis == AXIS_STEP)
                return AXIS_STEP;
        return is_single_epoch(fold) ? AXIS_EPOCH : fold->axis;
}

static double own_x(const struct fold *fold, enum axis axis, size_t row) {
        return axis == AXIS_EPOCH && fold->axis != AXIS_EPOCH ? fold->first_epoch : fold->rows[row].x;
}

static size_t count_below(const struct history *history, double x) {
        size_t low = 0, high = history->n_rows;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (history->x[middle] < x)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

/* Which rows are shown. */
struct shown {
        size_t n_before, n_own;
        bool is_collapsed; /* those before were steps of one epoch, and are one row now */
};

static struct shown shown(const struct fold *fold) {
        const struct history *before = fold->past ? &fold->past->history : NULL;
        enum axis axis = own_axis(fold, fold->past);
        double first = fold->n_rows > 0 ? own_x(fold, axis, 0) : NAN;

        if (!before || before->n_rows == 0)
                return (struct shown){ .n_own = fold->n_rows };
        if (fold->n_rows == 0 || (axis < before->axis && fold->n_rows <= before->n_rows))
                return (struct shown){ .n_before = before->n_rows };
        if (axis == before->axis)
                return (struct shown){ .n_before = count_below(before, first), .n_own = fold->n_rows };
        /* All its steps were of one epoch. */
        if (axis == AXIS_EPOCH && before->axis == AXIS_STEP && before->epoch < first)
                return (struct shown){ .n_before = 1, .n_own = fold->n_rows, .is_collapsed = true };
        return (struct shown){ .n_own = fold->n_rows };
}

enum axis fold_axis(const struct fold *fold) {
        struct shown rows = shown(fold);

        if (rows.n_before > 0 && !rows.is_collapsed)
                return fold->past->history.axis;
        return own_axis(fold, rows.n_before > 0 ? fold->past : NULL);
}

size_t fold_n_rows(const struct fold *fold) {
        struct shown rows = shown(fold);

        return rows.n_before + rows.n_own;
}

double fold_row_x(const struct fold *fold, size_t row) {
        struct shown rows = shown(fold);

        if (row >= rows.n_before)
                return own_x(fold, fold_axis(fold), row - rows.n_before);
        return rows.is_collapsed ? fold->past->history.epoch : fold->past->history.x[row];
}

/* --- columns --- */

size_t fold_n_columns(const struct fold *fold) {
        return fold->n_metrics;
}

static const struct history_column *find_column(const struct past *past, const struct metric_state *metric) {
        const struct history_column *found = NULL;

        for (size_t i = 0; i < past->history.n_columns; i++) {
                const struct history_column *column = &past->history.columns[i];

                if (strcmp(column->name, metric->name) == 0)
                        return column;
                if (!found && past->letters_hashes[i] == metric->letters_hash &&
                    name_is_same(column->name, metric->name))
                        found = column;
        }
        return found;
}

uint64_t past_count(const struct past *past, uint64_t before, uint64_t own) {
        if (!past->history.is_ours)
                return before + own;
        return before > own ? before : own;
}

void past_put(const struct fold *fold, const struct metric_state *metric, struct column *column) {
        const struct history_column *before = find_column(fold->past, metric);
        struct shown rows = shown(fold);

        column->n_before = rows.n_before;
        if (!before)
                return;
        column->before = rows.is_collapsed ? &before->latest : before->values;
        if (isnan(column->last) && column->non_finite == 0)
                column->last = before->latest;
        if (isnan(column->latest))
                column->latest = before->latest;
        widen(&column->min, &column->max, before->min);
        widen(&column->min, &column->max, before->max);
        column->non_finite = past_count(fold->past, before->non_finite, column->non_finite);
}

/* --- over all rows --- */

/* The row of the objective's best value; SIZE_MAX when there is none. */
static size_t find_best(const struct fold *fold, size_t n_rows, double *ret_value) {
        struct column column;
        size_t best = SIZE_MAX;

        *ret_value = NAN;
        if (!fold_has_objective(fold))
                return SIZE_MAX;
        column = fold_column(fold, 0);
        for (size_t row = 0; row < n_rows; row++) {
                double value = column_value(&column, row);

                if (!is_better(fold, value, *ret_value))
                        continue;
                *ret_value = value;
                best = row;
        }
        return best;
}

struct objective fold_objective(const struct fold *fold) {
        double value;
        size_t row = find_best(fold, fold_n_rows(fold), &value);

        if (row == SIZE_MAX)
                return (struct objective){ .value = NAN, .x = NAN };
        return (struct objective){ .metric = fold->metrics[0]->name, .value = value, .x = fold_row_x(fold, row) };
}

/* Rows of ours go on counting where those before end. Returns how many would be selected, of which as
 * many as there is room for are. */
static size_t select_rows(const struct fold *fold, struct shown rows, uint64_t mask, size_t best,
                          uint16_t ret_rows[static FOLD_ROWS_MAX]) {
        size_t n_rows = rows.n_before + rows.n_own, n = 0;

        for (size_t row = 0; row < n_rows; row++) {
                uint64_t ordinal = row < rows.n_before ? row :
                                   fold->rows[row - rows.n_before].ordinal + (fold->past ? fold->past->history.n_rows : 0);

                if ((ordinal & mask) != 0 && row != 0 && row != n_rows - 1 && row != best)
                        continue;
                if (n < FOLD_ROWS_MAX)
                        ret_rows[n] = (uint16_t)row;
                n++;
        }
        return n;
}

size_t fold_select_rows(const struct fold *fold, unsigned level, uint16_t ret_rows[static FOLD_ROWS_MAX]) {
        struct shown rows = shown(fold);
        double value;
        size_t best = find_best(fold, rows.n_before + rows.n_own, &value), n;

        do {
                n = select_rows(fold, rows, level < 64 ? (UINT64_C(1) << level) - 1 : UINT64_MAX, best, ret_rows);
                level++;
        } while (n > FOLD_ROWS_MAX);
        return n;
}
