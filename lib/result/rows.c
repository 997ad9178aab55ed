#include <errno.h>
#include <stdlib.h>

#include "result/fold_state.h"

enum { ROWS_FIRST = 16 };

/* --- memory --- */

/* With so many metrics. Thinned to three quarters, they are still more than the byte budget has room for, at
 * two bytes a cell: what goes could not have been published. */
static size_t rows_max(size_t n_metrics) {
        size_t n = FOLD_CELLS_MAX / (n_metrics + 1);

        if (n > FOLD_ROWS_MAX)
                return FOLD_ROWS_MAX;
        return n < ROWS_FIRST ? ROWS_FIRST : n;
}

static int metric_reserve(struct metric_state *metric, size_t old, size_t capacity) {
        double *values = realloc(metric->values, capacity * sizeof(*values));
        uint32_t *counts;

        if (!values)
                return -ENOMEM;
        metric->values = values;
        for (size_t row = old; row < capacity; row++)
                values[row] = NAN;
        if (!metric->counts)
                return 0;
        counts = realloc(metric->counts, capacity * sizeof(*counts));
        if (!counts)
                return -ENOMEM;
        metric->counts = counts;
        memset(counts + old, 0, (capacity - old) * sizeof(*counts));
        return 0;
}

int rows_reserve(struct fold *fold) {
        size_t capacity = fold->rows_capacity ? fold->rows_capacity * 2 : ROWS_FIRST;
        size_t max = rows_max(fold->n_metrics);
        struct row *rows;

        if (fold->n_rows < fold->rows_capacity || fold->n_rows >= max)
                return 0;
        if (capacity > max)
                capacity = max;
        rows = realloc(fold->rows, capacity * sizeof(*rows));
        if (!rows)
                return -ENOMEM;
        fold->rows = rows;
        for (size_t m = 0; m < fold->n_metrics; m++) {
                int r = metric_reserve(fold->metrics[m], fold->rows_capacity, capacity);

                if (r < 0)
                        return r;
        }
        fold->rows_capacity = capacity;
        return 0;
}

/* Where the memory cannot be had back, it is kept. */
static void rows_shrink(struct fold *fold, size_t capacity) {
        struct row *rows = realloc(fold->rows, capacity * sizeof(*rows));

        if (rows)
                fold->rows = rows;
        for (size_t m = 0; m < fold->n_metrics; m++) {
                struct metric_state *metric = fold->metrics[m];
                double *values = realloc(metric->values, capacity * sizeof(*values));
                uint32_t *counts = metric->counts ? realloc(metric->counts, capacity * sizeof(*counts)) : NULL;

                if (values)
                        metric->values = values;
                if (counts)
                        metric->counts = counts;
        }
        fold->rows_capacity = capacity;
}

/* --- one row --- */

static void row_move(struct fold *fold, size_t to, size_t from) {
        if (to == from)
                return;
        fold->rows[to] = fold->rows[from];
        for (size_t m = 0; m < fold->n_metrics; m++) {
                struct metric_state *metric = fold->metrics[m];

                metric->values[to] = metric->values[from];
                set_fresh(metric, to, is_fresh(metric, from));
                if (metric->counts)
                        metric->counts[to] = metric->counts[from];
        }
}

static void row_clear(struct fold *fold, size_t row) {
        for (size_t m = 0; m < fold->n_metrics; m++) {
                fold->metrics[m]->values[row] = NAN;
                set_fresh(fold->metrics[m], row, false);
                if (fold->metrics[m]->counts)
                        fold->metrics[m]->counts[row] = 0;
        }
}

static bool row_is_empty(const struct fold *fold, size_t row) {
        for (size_t m = 0; m < fold->n_metrics; m++)
                if (!isnan(fold->metrics[m]->values[row]))
                        return false;
        return true;
}

/* Remembers of a row what outlives it. */
static void row_retire(struct fold *fold, size_t row) {
        for (size_t m = 0; m < fold->n_metrics; m++) {
                struct metric_state *metric = fold->metrics[m];

                widen(&metric->gone_min, &metric->gone_max, metric->values[row]);
        }
}

void cell_void(struct metric_state *metric, size_t row) {
        widen(&metric->gone_min, &metric->gone_max, metric->values[row]);
        metric->values[row] = NAN;
        if (metric->counts)
                metric->counts[row] = 0;
}

/* --- the objective's best --- */

bool is_better(const struct fold *fold, double value, double than) {
        if (isnan(value))
                return false;
        return isnan(than) || (fold->goal == GOAL_MINIMIZE ? value < than : value > than);
}

/* Of our own rows; SIZE_MAX when there is none. It is never thinned. */
static size_t row_find_best(const struct fold *fold) {
        double best = NAN;
        size_t best_row = SIZE_MAX;

        if (!fold_has_objective(fold))
                return SIZE_MAX;
        for (size_t row = 0; row < fold->n_rows; row++) {
                double value = fold->metrics[0]->values[row];

                if (is_better(fold, value, best)) {
                        best = value;
                        best_row = row;
                }
        }
        return best_row;
}

/* --- fewer rows --- */

static size_t rows_select(const struct fold *fold, unsigned level, uint16_t ret_rows[static FOLD_ROWS_MAX]) {
        uint64_t mask = level < 64 ? (UINT64_C(1) << level) - 1 : UINT64_MAX;
        size_t best = row_find_best(fold), n = 0;

        for (size_t row = 0; row < fold->n_rows; row++)
                if ((fold->rows[row].ordinal & mask) == 0 || row == 0 || row == fold->n_rows - 1 ||
                    row == best)
                        ret_rows[n++] = (uint16_t)row;
        return n;
}

static void rows_cut(struct fold *fold, size_t n_rows) {
        for (size_t row = n_rows; row < fold->n_rows; row++)
                row_clear(fold, row);
        fold->n_rows = n_rows;
        if (n_rows == 0)
                fold->next_ordinal = fold->level = 0;
}

static void rows_keep(struct fold *fold, const uint16_t *stay, size_t n_stay) {
        size_t next = 0;

        for (size_t row = 0; row < fold->n_rows; row++) {
                if (next < n_stay && stay[next] == row)
                        row_move(fold, next++, row);
                else
                        row_retire(fold, row);
        }
        rows_cut(fold, n_stay);
}

/* Keeps every 2^level-th row, of the smallest level that leaves a quarter of max free. */
static void rows_thin(struct fold *fold, size_t max) {
        uint16_t stay[FOLD_ROWS_MAX];
        size_t n_stay = rows_select(fold, fold->level, stay);

        while (n_stay > max * 3 / 4)
                n_stay = rows_select(fold, ++fold->level, stay);
        rows_keep(fold, stay, n_stay);
}

void rows_make_way(struct fold *fold) {
        size_t max = rows_max(fold->n_metrics + 1);

        if (fold->n_rows > max)
                rows_thin(fold, max);
        if (fold->rows_capacity > max)
                rows_shrink(fold, max);
}

void rows_drop_empty(struct fold *fold, claim_t claim) {
        size_t n = 0;

        for (size_t row = 0; row < fold->n_rows; row++)
                if (fold->rows[row].claim >= claim || !row_is_empty(fold, row))
                        row_move(fold, n++, row);
        rows_cut(fold, n);
}

static bool is_beside(const struct origin *a, const struct origin *b) {
        const char *end_a = a->path ? strrchr(a->path, '/') : NULL, *end_b = b->path ? strrchr(b->path, '/') : NULL;
        size_t n = end_a ? (size_t)(end_a - a->path) : 0;

        if (!a->path || !b->path || a->claim != b->claim)
                return false;
        return (end_b ? (size_t)(end_b - b->path) : 0) == n && memcmp(a->path, b->path, n) == 0;
}

void rows_void(struct fold *fold, uint8_t origin, double step) {
        for (size_t m = 0; m < fold->n_metrics; m++) {
                struct metric_state *metric = fold->metrics[m];

                if (metric->origin == ORIGIN_NONE || !is_beside(&fold->origins[metric->origin], &fold->origins[origin]))
                        continue;
                for (size_t row = 0; row < fold->n_rows; row++) {
                        double at = fold->axis == AXIS_STEP ? fold->rows[row].x : fold->rows[row].step;

                        if (!(at >= step))
                                continue;
                        metric->values[row] = NAN;
                        if (metric->counts)
                                metric->counts[row] = 0;
                }
        }
        rows_drop_empty(fold, UINT8_MAX);
}

void rows_forget(struct fold *fold) {
        returns_forget(fold);
        for (size_t row = 0; row < fold->n_rows; row++)
                row_retire(fold, row);
        rows_cut(fold, 0);
        for (size_t m = 0; m < fold->n_metrics; m++)
                fold->metrics[m]->first_epoch = (struct accumulator){ .value = NAN };
}

/* --- finding and making --- */

/* The first row whose x is not less. */
static size_t row_find(const struct fold *fold, double x) {
        size_t low = 0, high = fold->n_rows;

        if (high > 0 && fold->rows[high - 1].x < x)
                return high;
        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (fold->rows[middle].x < x)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

size_t row_take(struct fold *fold, double x) {
        size_t row = row_find(fold, x);

        if (row < fold->n_rows && fold->rows[row].x == x)
                return row;
        if (fold->n_rows >= rows_max(fold->n_metrics)) {
                rows_thin(fold, rows_max(fold->n_metrics));
                row = row_find(fold, x);
        }
        for (size_t i = fold->n_rows; i > row; i--)
                row_move(fold, i, i - 1);
        row_clear(fold, row);
        fold->rows[row] = (struct row){ .x = x, .step = NAN, .ordinal = fold->next_ordinal++ };
        fold->n_rows++;
        return row;
}

/* It is all of one epoch, since the axis moves up at the latest when the second one comes, so each
 * metric's accumulator has its value. */
void rows_collapse(struct fold *fold, double x) {
        claim_t claim = 0;
        double step = NAN;

        returns_forget(fold);
        for (size_t row = 0; row < fold->n_rows; row++) {
                claim = fold->rows[row].claim > claim ? fold->rows[row].claim : claim;
                step = fmax(step, fold->rows[row].step);
        }
        rows_cut(fold, 0);
        (void)row_take(fold, x);
        fold->rows[0].claim = claim;
        fold->rows[0].step = step;
        for (size_t m = 0; m < fold->n_metrics; m++) {
                struct metric_state *metric = fold->metrics[m];

                metric->gone_min = metric->gone_max = NAN;
                metric->values[0] = metric->first_epoch.value;
                if (metric->counts)
                        metric->counts[0] = metric->first_epoch.n;
                if (metric->aggregate != AGGREGATE_LAST && isfinite(metric->values[0]))
                        metric->latest = metric->values[0];
        }
}
