#include "result/fold.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/utf8.h"

enum {
        ROWS_FIRST = 16,
        ROWS_THINNED_MAX = FOLD_ROWS_MAX * 3 / 4,
        RAW_NAME_BYTES_MAX = 256, /* longer names are recognised by their cut form */
        LEFT_OUT_MAX = 1024,      /* names told apart when counting what was left out */
        LEFT_OUT_NAMED = 8,
        RETIRED_MAX = 4,          /* only a new objective retires a name, so this is plenty */
        PATH_BYTES_MAX = 4096,    /* PATH_MAX of Linux */
};

/* Several values of one metric on their way to one. */
struct accumulator {
        double value; /* NAN: none yet */
        uint32_t n;   /* finite values in it */
};

struct metric_state {
        char name[FOLD_NAME_BYTES_MAX + 1];
        char raw[RAW_NAME_BYTES_MAX]; /* as the trainer writes it, for a quick comparison */
        size_t raw_bytes;             /* 0: too long to be kept */
        enum aggregate aggregate;
        double latest, last;
        double gone_min, gone_max;    /* over rows that were thinned; NAN: none */
        uint64_t non_finite;
        struct accumulator first_epoch; /* over all records while the axis is below epoch */
        double *values;               /* rows_capacity of them */
        uint32_t *counts;             /* the same, for means; else NULL */
};

struct row {
        double x;
        uint64_t ordinal; /* the how-manieth row this was when it came, from 0 */
};

struct fold {
        struct fold_config config;
        enum axis axis;

        struct row *rows; /* ascending in x */
        size_t n_rows, rows_capacity;
        uint64_t next_ordinal;
        unsigned level; /* rows were thinned to every 2^level-th */

        struct metric_state **metrics; /* in rank */
        size_t n_metrics;

        char *objective_metric;
        enum goal goal;

        double first_epoch, epoch, step, trial, next_row, total_epochs;
        char *output_path, *checkpoint;
        double checkpoint_epoch;
        bool ended;
        uint64_t accepted;

        uint64_t *left_out_hashes;
        size_t n_left_out;
        char left_out[LEFT_OUT_NAMED][FOLD_NAME_BYTES_MAX + 1];
        char retired[RETIRED_MAX][FOLD_NAME_BYTES_MAX + 1];
        size_t n_retired;
};

/* --- words --- */

static const char *const axis_names[] = {
        [AXIS_ROW] = "row", [AXIS_TRIAL] = "trial", [AXIS_STEP] = "step",
        [AXIS_EPOCH] = "epoch", [AXIS_AUTO] = "auto",
};
static const char *const aggregate_names[] = {
        [AGGREGATE_LAST] = "last", [AGGREGATE_MEAN] = "mean",
        [AGGREGATE_MIN] = "min", [AGGREGATE_MAX] = "max",
};

static bool is_word(struct slice name, const char *word) {
        return name.size_bytes == strlen(word) && strncasecmp(name.data, word, name.size_bytes) == 0;
}

static int word_find(const char *const *words, int n, struct slice name) {
        for (int i = 0; i < n; i++)
                if (is_word(name, words[i]))
                        return i;
        return -1;
}

int axis_from_name(struct slice name) {
        return word_find(axis_names, AXIS_AUTO + 1, name);
}

const char *axis_name(enum axis axis) {
        return axis_names[axis];
}

int aggregate_from_name(struct slice name) {
        return word_find(aggregate_names, AGGREGATE_MAX + 1, name);
}

int goal_from_name(struct slice name) {
        if (is_word(name, "minimize") || is_word(name, "min"))
                return GOAL_MINIMIZE;
        if (is_word(name, "maximize") || is_word(name, "max"))
                return GOAL_MAXIMIZE;
        return -1;
}

enum goal goal_of_metric(const char *metric) {
        static const char *const minimized[] = {
                "loss", "err", "rmse", "mse", "mae", "mape", "nll", "perplexity", "ppl", "bpb",
                "bpc", "wer", "cer", "fid", "deviance", "divergence", "regret", "cost",
        };

        for (size_t i = 0; i < sizeof(minimized) / sizeof(minimized[0]); i++)
                if (strcasestr(metric, minimized[i]))
                        return GOAL_MINIMIZE;
        return GOAL_MAXIMIZE;
}

/* --- names --- */

/* FNV-1a, by Fowler, Noll and Vo. */
static uint64_t hash_name(struct slice name) {
        uint64_t hash = 0xcbf29ce484222325u;

        for (size_t i = 0; i < name.size_bytes; i++)
                hash = (hash ^ (uint8_t)name.data[i]) * 0x100000001b3u;
        return hash;
}

/* Copies name as well-formed UTF-8, with '?' for each byte that is not, cut so that names that
 * differ stay different. */
static void name_clean(struct slice name, char ret_name[static FOLD_NAME_BYTES_MAX + 1]) {
        enum { HASH_BYTES = 9 }; /* ~ and 8 hexadecimal digits */
        struct slice rest = name;
        size_t size = 0;
        bool is_long = name.size_bytes > FOLD_NAME_BYTES_MAX;
        size_t limit = is_long ? FOLD_NAME_BYTES_MAX - HASH_BYTES : FOLD_NAME_BYTES_MAX;

        while (rest.size_bytes > 0) {
                size_t n = utf8_character(rest);

                if (size + (n ? n : 1) > limit)
                        break;
                if (n)
                        memcpy(ret_name + size, rest.data, n);
                else
                        ret_name[size] = '?';
                size += n ? n : 1;
                rest = (struct slice){ rest.data + (n ? n : 1), rest.size_bytes - (n ? n : 1) };
        }
        if (is_long)
                (void)snprintf(ret_name + size, HASH_BYTES + 1, "~%08x", (unsigned)hash_name(name));
        else
                ret_name[size] = '\0';
}

/* Are letters and digits the same? eval/loss and eval_loss are one metric. */
static bool name_is_same(const char *a, const char *b) {
        for (;;) {
                while (*a && !isalnum((unsigned char)*a) && !((unsigned char)*a & 0x80))
                        a++;
                while (*b && !isalnum((unsigned char)*b) && !((unsigned char)*b & 0x80))
                        b++;
                if (*a != *b)
                        return false;
                if (!*a)
                        return true;
                a++;
                b++;
        }
}

static bool is_objective(const struct fold *fold, const char *name) {
        return fold->objective_metric && name_is_same(fold->objective_metric, name);
}

/* --- values on their way to one --- */

static double aggregate_values(enum aggregate aggregate, double old, uint32_t n_old, double new,
                               uint32_t n_new) {
        if (n_old == 0 || isnan(old))
                return new;
        switch (aggregate) {
        case AGGREGATE_MEAN:
                return old + (new - old) * ((double)n_new / ((double)n_old + (double)n_new));
        case AGGREGATE_MIN:
                return fmin(old, new);
        case AGGREGATE_MAX:
                return fmax(old, new);
        case AGGREGATE_LAST:
                break;
        }
        return new;
}

/* A value that is not finite leaves a gap where the last value counts, and nothing elsewhere. */
static void accumulator_add(struct accumulator *accumulator, enum aggregate aggregate, double value) {
        if (isfinite(value)) {
                accumulator->value =
                        aggregate_values(aggregate, accumulator->value, accumulator->n, value, 1);
                accumulator->n++;
        } else if (aggregate == AGGREGATE_LAST) {
                accumulator->value = NAN;
        }
}

static void metric_put(struct metric_state *metric, size_t row, double value) {
        struct accumulator cell = {
                .value = metric->values[row],
                .n = metric->counts ? metric->counts[row] : !isnan(metric->values[row]),
        };

        accumulator_add(&cell, metric->aggregate, value);
        metric->values[row] = cell.value;
        if (metric->counts)
                metric->counts[row] = cell.n;
}

static void widen(double *min, double *max, double value) {
        *min = fmin(*min, value); /* fmin and fmax take the other one for NAN */
        *max = fmax(*max, value);
}

/* --- metrics --- */

static void metric_free(struct metric_state *metric) {
        if (!metric)
                return;
        free(metric->values);
        free(metric->counts);
        free(metric);
}

static enum aggregate rule_for(const struct fold_config *config, const char *name) {
        enum aggregate aggregate = AGGREGATE_LAST;
        bool named = false;

        for (size_t i = 0; i < config->n_rules; i++) {
                const struct aggregate_rule *rule = &config->rules[i];

                if (rule->metric && strcmp(rule->metric, name) == 0) {
                        aggregate = rule->aggregate;
                        named = true;
                } else if (!rule->metric && !named) {
                        aggregate = rule->aggregate;
                }
        }
        return aggregate;
}

static int metric_new(struct metric_state **ret_metric, const struct fold *fold, struct slice raw,
                      const char *name) {
        struct metric_state *metric = calloc(1, sizeof(*metric));

        if (!metric)
                return -ENOMEM;
        (void)snprintf(metric->name, sizeof(metric->name), "%s", name);
        if (raw.size_bytes <= sizeof(metric->raw)) {
                memcpy(metric->raw, raw.data, raw.size_bytes);
                metric->raw_bytes = raw.size_bytes;
        }
        metric->aggregate = rule_for(&fold->config, name);
        metric->latest = metric->last = metric->gone_min = metric->gone_max = NAN;
        metric->first_epoch.value = NAN;

        metric->values = malloc((fold->rows_capacity + 1) * sizeof(*metric->values));
        if (metric->aggregate == AGGREGATE_MEAN)
                metric->counts = calloc(fold->rows_capacity + 1, sizeof(*metric->counts));
        if (!metric->values || (metric->aggregate == AGGREGATE_MEAN && !metric->counts)) {
                metric_free(metric);
                return -ENOMEM;
        }
        for (size_t row = 0; row < fold->rows_capacity; row++)
                metric->values[row] = NAN;
        *ret_metric = metric;
        return 0;
}

static struct metric_state *metric_find(const struct fold *fold, struct slice raw, size_t hint) {
        char name[FOLD_NAME_BYTES_MAX + 1];

        for (size_t i = 0; i < fold->n_metrics; i++) {
                struct metric_state *metric = fold->metrics[(hint + i) % fold->n_metrics];

                if (metric->raw_bytes && slice_equal(raw, (struct slice){ metric->raw, metric->raw_bytes }))
                        return metric;
        }
        name_clean(raw, name);
        for (size_t i = 0; i < fold->n_metrics; i++)
                if (strcmp(fold->metrics[i]->name, name) == 0)
                        return fold->metrics[i];
        return NULL;
}

static void leave_out(struct fold *fold, struct slice raw, const char *name) {
        uint64_t hash = hash_name(raw);

        for (size_t i = 0; i < fold->n_left_out; i++)
                if (fold->left_out_hashes[i] == hash)
                        return;
        if (fold->n_left_out == LEFT_OUT_MAX)
                return;
        if (fold->n_left_out < LEFT_OUT_NAMED)
                (void)snprintf(fold->left_out[fold->n_left_out], sizeof(fold->left_out[0]), "%s", name);
        fold->left_out_hashes[fold->n_left_out++] = hash;
}

/* Moves what stands at rank to the front. */
static void metric_promote(struct fold *fold, size_t rank) {
        struct metric_state *metric = fold->metrics[rank];

        memmove(fold->metrics + 1, fold->metrics, rank * sizeof(*fold->metrics));
        fold->metrics[0] = metric;
}

static void metric_retire_last(struct fold *fold) {
        struct metric_state *metric = fold->metrics[--fold->n_metrics];

        leave_out(fold, slice_from(metric->name), metric->name);
        if (fold->n_retired < RETIRED_MAX)
                (void)snprintf(fold->retired[fold->n_retired++], sizeof(fold->retired[0]), "%s",
                               metric->name);
        metric_free(metric);
}

/* Makes room for a metric that is not known yet, where it may have it. 0 or -ENOMEM. */
static int metric_add(struct fold *fold, struct slice raw) {
        char name[FOLD_NAME_BYTES_MAX + 1];
        struct metric_state *metric;
        bool first;
        int r;

        name_clean(raw, name);
        first = is_objective(fold, name);
        if (fold->n_metrics == fold->config.metrics_max && !first) {
                leave_out(fold, raw, name);
                return 0;
        }
        r = metric_new(&metric, fold, raw, name);
        if (r < 0)
                return r;
        if (fold->n_metrics == fold->config.metrics_max)
                metric_retire_last(fold);
        fold->metrics[fold->n_metrics++] = metric;
        if (first)
                metric_promote(fold, fold->n_metrics - 1);
        return 0;
}

/* --- rows --- */

static int rows_reserve(struct fold *fold) {
        size_t capacity = fold->rows_capacity ? fold->rows_capacity * 2 : ROWS_FIRST;
        struct row *rows;

        if (fold->n_rows < fold->rows_capacity || fold->n_rows == FOLD_ROWS_MAX)
                return 0;
        rows = realloc(fold->rows, capacity * sizeof(*rows));
        if (!rows)
                return -ENOMEM;
        fold->rows = rows;
        for (size_t m = 0; m < fold->n_metrics; m++) {
                struct metric_state *metric = fold->metrics[m];
                double *values = realloc(metric->values, capacity * sizeof(*values));

                if (!values)
                        return -ENOMEM;
                metric->values = values;
                for (size_t row = fold->rows_capacity; row < capacity; row++)
                        values[row] = NAN;
                if (metric->counts) {
                        uint32_t *counts = realloc(metric->counts, capacity * sizeof(*counts));

                        if (!counts)
                                return -ENOMEM;
                        metric->counts = counts;
                        memset(counts + fold->rows_capacity, 0,
                               (capacity - fold->rows_capacity) * sizeof(*counts));
                }
        }
        fold->rows_capacity = capacity;
        return 0;
}

static void row_move(struct fold *fold, size_t to, size_t from) {
        fold->rows[to] = fold->rows[from];
        for (size_t m = 0; m < fold->n_metrics; m++) {
                struct metric_state *metric = fold->metrics[m];

                metric->values[to] = metric->values[from];
                if (metric->counts)
                        metric->counts[to] = metric->counts[from];
        }
}

static void row_clear(struct fold *fold, size_t row) {
        for (size_t m = 0; m < fold->n_metrics; m++) {
                fold->metrics[m]->values[row] = NAN;
                if (fold->metrics[m]->counts)
                        fold->metrics[m]->counts[row] = 0;
        }
}

static bool is_better(const struct fold *fold, double value, double than) {
        if (isnan(value))
                return false;
        return isnan(than) || (fold->goal == GOAL_MINIMIZE ? value < than : value > than);
}

static bool has_objective(const struct fold *fold) {
        return fold->n_metrics > 0 && is_objective(fold, fold->metrics[0]->name);
}

/* The row of the objective's best value; SIZE_MAX when there is none. It is never thinned. */
static size_t row_find_best(const struct fold *fold) {
        double best = NAN;
        size_t best_row = SIZE_MAX;

        if (!has_objective(fold))
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

size_t fold_select_rows(const struct fold *fold, unsigned level,
                        uint16_t ret_rows[static FOLD_ROWS_MAX]) {
        uint64_t mask = level < 64 ? (UINT64_C(1) << level) - 1 : UINT64_MAX;
        size_t best = row_find_best(fold), n = 0;

        for (size_t row = 0; row < fold->n_rows; row++)
                if ((fold->rows[row].ordinal & mask) == 0 || row == 0 || row == fold->n_rows - 1 ||
                    row == best)
                        ret_rows[n++] = (uint16_t)row;
        return n;
}

/* Remembers of a row what outlives it. */
static void row_retire(struct fold *fold, size_t row) {
        for (size_t m = 0; m < fold->n_metrics; m++) {
                struct metric_state *metric = fold->metrics[m];

                widen(&metric->gone_min, &metric->gone_max, metric->values[row]);
        }
}

static void rows_keep(struct fold *fold, const uint16_t *stay, size_t n_stay) {
        size_t next = 0;

        for (size_t row = 0; row < fold->n_rows; row++) {
                if (next < n_stay && stay[next] == row)
                        row_move(fold, next++, row);
                else
                        row_retire(fold, row);
        }
        for (size_t row = n_stay; row < fold->n_rows; row++)
                row_clear(fold, row);
        fold->n_rows = n_stay;
}

/* Keeps every 2^level-th row, of the smallest level that makes room. What goes could not be
 * published any more: x and a digit for each of more than ROWS_THINNED_MAX rows are past the budget. */
static void rows_thin(struct fold *fold) {
        uint16_t stay[FOLD_ROWS_MAX];
        size_t n_stay = fold_select_rows(fold, fold->level, stay);

        while (n_stay > ROWS_THINNED_MAX)
                n_stay = fold_select_rows(fold, ++fold->level, stay);
        rows_keep(fold, stay, n_stay);
}

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

/* The row with this x, which is made where there is none; rows_reserve() was called. */
static size_t row_take(struct fold *fold, double x) {
        size_t row = row_find(fold, x);

        if (row < fold->n_rows && fold->rows[row].x == x)
                return row;
        if (fold->n_rows == FOLD_ROWS_MAX) {
                rows_thin(fold);
                row = row_find(fold, x);
        }
        for (size_t i = fold->n_rows; i > row; i--)
                row_move(fold, i, i - 1);
        row_clear(fold, row);
        fold->rows[row] = (struct row){ .x = x, .ordinal = fold->next_ordinal++ };
        fold->n_rows++;
        return row;
}

/* --- the axis --- */

static bool is_whole(double value) {
        return value == floor(value);
}

/* Where this record moves the axis to; never down. */
static enum axis axis_for(const struct fold *fold, const struct record *record) {
        enum axis axis = fold->axis;

        if (fold->config.axis != AXIS_AUTO || record->n_metrics == 0)
                return axis;
        if (!isnan(record->trial) && axis < AXIS_TRIAL)
                axis = AXIS_TRIAL;
        if (!isnan(record->step) && axis < AXIS_STEP)
                axis = AXIS_STEP;
        if (!isnan(record->epoch)) {
                bool second = !isnan(fold->first_epoch) && record->epoch != fold->first_epoch;

                if (second || axis < AXIS_STEP || !is_whole(record->epoch))
                        axis = AXIS_EPOCH;
        }
        return axis;
}

/* The record's x on the current axis: its own, else that of the record before; NAN: neither. */
static double x_for(struct fold *fold, const struct record *record) {
        switch (fold->axis) {
        case AXIS_EPOCH:
                return isnan(record->epoch) ? fold->epoch : record->epoch;
        case AXIS_STEP:
                return isnan(record->step) ? fold->step : record->step;
        case AXIS_TRIAL:
                return isnan(record->trial) ? fold->trial : record->trial;
        case AXIS_ROW:
        case AXIS_AUTO:
                break;
        }
        return isnan(record->row) ? fold->next_row : record->row;
}

/* What was folded so far becomes one row at x. It is all of one epoch, since the axis moves up at
 * the latest when the second one comes, so each metric's accumulator has its value. */
static void rows_collapse(struct fold *fold, double x) {
        for (size_t row = 0; row < fold->n_rows; row++)
                row_clear(fold, row);
        fold->n_rows = 0;
        fold->next_ordinal = 0;
        fold->level = 0;
        (void)row_take(fold, x);
        for (size_t m = 0; m < fold->n_metrics; m++) {
                struct metric_state *metric = fold->metrics[m];

                metric->gone_min = metric->gone_max = NAN;
                metric->values[0] = metric->first_epoch.value;
                if (metric->counts)
                        metric->counts[0] = metric->first_epoch.n;
        }
}

static void axis_move(struct fold *fold, enum axis axis, const struct record *record) {
        if (axis == fold->axis)
                return;
        fold->axis = axis;
        if (fold->n_rows == 0)
                return;
        if (axis == AXIS_EPOCH && !isnan(fold->first_epoch))
                rows_collapse(fold, fold->first_epoch);
        else
                rows_collapse(fold, x_for(fold, record));
}

/* --- taking records --- */

static void note(double *place, double value) {
        if (!isnan(value))
                *place = value;
}

static int note_path(char **place, struct slice path) {
        char *copy;

        if (path.size_bytes == 0 || path.size_bytes > PATH_BYTES_MAX)
                return 0;
        if (*place && slice_equal(slice_from(*place), path))
                return 0;
        copy = strndup(path.data, path.size_bytes);
        if (!copy)
                return -ENOMEM;
        free(*place);
        *place = copy;
        return 0;
}

/* Everything that needs memory, so that what follows cannot fail half-way. */
static int fold_prepare(struct fold *fold, const struct record *record) {
        int r = 0;

        for (size_t i = 0; i < record->n_metrics && r == 0; i++)
                if (!metric_find(fold, record->metrics[i].name, i))
                        r = metric_add(fold, record->metrics[i].name);
        if (r == 0)
                r = rows_reserve(fold);
        if (r == 0)
                r = note_path(&fold->output_path, record->output_path);
        if (r == 0)
                r = note_path(&fold->checkpoint, record->checkpoint);
        return r;
}

static void metric_take(struct fold *fold, struct metric_state *metric, double value, size_t row) {
        metric->last = value;
        metric->non_finite += !isfinite(value);
        if (fold->config.axis == AXIS_AUTO && fold->axis < AXIS_EPOCH)
                accumulator_add(&metric->first_epoch, metric->aggregate, value);
        if (row != SIZE_MAX) {
                metric_put(metric, row, value);
                value = metric->values[row];
        } else if (isfinite(value)) {
                widen(&metric->gone_min, &metric->gone_max, value);
        }
        if (isfinite(value))
                metric->latest = value;
}

static void fold_take_metrics(struct fold *fold, const struct record *record) {
        double x = x_for(fold, record);
        size_t row = isnan(x) ? SIZE_MAX : row_take(fold, x);

        for (size_t i = 0; i < record->n_metrics; i++) {
                struct metric_state *metric = metric_find(fold, record->metrics[i].name, i);

                if (metric)
                        metric_take(fold, metric, record->metrics[i].value, row);
        }
        if (fold->axis == AXIS_ROW && !isnan(x))
                fold->next_row = x + 1;
}

int fold_take(struct fold *fold, const struct record *record) {
        int r = fold_prepare(fold, record);

        if (r < 0)
                return r;
        axis_move(fold, axis_for(fold, record), record);
        if (isnan(fold->first_epoch))
                fold->first_epoch = record->epoch;
        if (record->n_metrics > 0)
                fold_take_metrics(fold, record);

        note(&fold->epoch, record->epoch);
        note(&fold->step, record->step);
        note(&fold->trial, record->trial);
        note(&fold->total_epochs, record->total_epochs);
        if (record->checkpoint.size_bytes > 0)
                fold->checkpoint_epoch = fold->epoch;
        fold->ended = fold->ended || record->end;
        fold->accepted++;
        return 0;
}

/* --- the fold as a whole --- */

int fold_new(struct fold **ret_fold, const struct fold_config *config) {
        CLEANUP(fold_freep) struct fold *fold = calloc(1, sizeof(*fold));

        if (!fold)
                return -ENOMEM;
        fold->config = *config;
        fold->axis = config->axis == AXIS_AUTO ? AXIS_ROW : config->axis;
        fold->first_epoch = fold->epoch = fold->step = fold->trial = NAN;
        fold->total_epochs = fold->checkpoint_epoch = NAN;
        fold->metrics = calloc(config->metrics_max, sizeof(struct metric_state *));
        fold->left_out_hashes = calloc(LEFT_OUT_MAX, sizeof(*fold->left_out_hashes));
        if (!fold->metrics || !fold->left_out_hashes)
                return -ENOMEM;
        *ret_fold = STEAL(fold);
        return 0;
}

struct fold *fold_free(struct fold *fold) {
        if (!fold)
                return NULL;
        for (size_t m = 0; m < fold->n_metrics; m++)
                metric_free(fold->metrics[m]);
        free(fold->metrics);
        free(fold->rows);
        free(fold->objective_metric);
        free(fold->output_path);
        free(fold->checkpoint);
        free(fold->left_out_hashes);
        free(fold);
        return NULL;
}

void fold_freep(struct fold **fold) {
        *fold = fold_free(*fold);
}

int fold_set_objective(struct fold *fold, const char *metric, enum goal goal) {
        char *copy = strdup(metric);

        if (!copy)
                return -ENOMEM;
        free(fold->objective_metric);
        fold->objective_metric = copy;
        fold->goal = goal;
        for (size_t rank = 0; rank < fold->n_metrics; rank++)
                if (is_objective(fold, fold->metrics[rank]->name)) {
                        metric_promote(fold, rank);
                        break;
                }
        return 0;
}

/* One row of a first epoch is that epoch's; only more of them make a curve over steps. */
static bool is_single_epoch(const struct fold *fold) {
        return fold->config.axis == AXIS_AUTO && fold->axis < AXIS_EPOCH && fold->n_rows == 1 &&
               !isnan(fold->first_epoch);
}

enum axis fold_axis(const struct fold *fold) {
        return is_single_epoch(fold) ? AXIS_EPOCH : fold->axis;
}

size_t fold_n_rows(const struct fold *fold) {
        return fold->n_rows;
}

double fold_row_x(const struct fold *fold, size_t row) {
        return is_single_epoch(fold) ? fold->first_epoch : fold->rows[row].x;
}

size_t fold_n_columns(const struct fold *fold) {
        return fold->n_metrics;
}

struct column fold_column(const struct fold *fold, size_t rank) {
        const struct metric_state *metric = fold->metrics[rank];
        struct column column = {
                .name = metric->name,
                .latest = metric->latest,
                .last = metric->last,
                .min = metric->gone_min,
                .max = metric->gone_max,
                .non_finite = metric->non_finite,
                .values = metric->values,
        };

        for (size_t row = 0; row < fold->n_rows; row++)
                widen(&column.min, &column.max, metric->values[row]);
        return column;
}

struct objective fold_objective(const struct fold *fold) {
        size_t row = row_find_best(fold);

        if (row == SIZE_MAX)
                return (struct objective){ .value = NAN, .x = NAN };
        return (struct objective){
                .metric = fold->metrics[0]->name,
                .value = fold->metrics[0]->values[row],
                .x = fold_row_x(fold, row),
        };
}

double fold_epoch(const struct fold *fold) {
        return fold->epoch;
}

double fold_step(const struct fold *fold) {
        return fold->step;
}

double fold_total_epochs(const struct fold *fold) {
        return fold->total_epochs;
}

const char *fold_output_path(const struct fold *fold) {
        return fold->output_path;
}

const char *fold_checkpoint(const struct fold *fold) {
        return fold->checkpoint;
}

double fold_checkpoint_epoch(const struct fold *fold) {
        return fold->checkpoint_epoch;
}

bool fold_ended(const struct fold *fold) {
        return fold->ended;
}

uint64_t fold_accepted(const struct fold *fold) {
        return fold->accepted;
}

size_t fold_n_left_out(const struct fold *fold) {
        return fold->n_left_out;
}

const char *fold_left_out(const struct fold *fold, size_t i) {
        return i < fold->n_left_out && i < LEFT_OUT_NAMED ? fold->left_out[i] : NULL;
}

const char *fold_retired_name(const struct fold *fold, size_t i) {
        return i < fold->n_retired ? fold->retired[i] : NULL;
}
