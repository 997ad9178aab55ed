#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "result/fold_state.h"

/* --- the axis --- */

static bool is_whole(double value) {
        return value == floor(value);
}

static bool has_x(const struct record *record) {
        return !isnan(record->epoch) || !isnan(record->step) || !isnan(record->trial);
}

static bool sets_x(const struct fold *fold, const struct origin *origin) {
        return origin->claim == fold->x_claim;
}

/* Where this record of a source that sets x moves the axis to; never down. */
static enum axis axis_for(const struct fold *fold, enum axis axis, const struct record *record) {
        if (fold->config.axis != AXIS_AUTO || record->n_metrics == 0)
                return axis;
        if (!isnan(record->trial) && axis < AXIS_TRIAL)
                axis = AXIS_TRIAL;
        if (!isnan(record->step) && axis < AXIS_STEP)
                axis = AXIS_STEP;
        if (!isnan(record->epoch)) {
                bool second = !isnan(fold->first_epoch) && record->epoch != fold->first_epoch;

                if (second || fold->has_second_epoch || axis < AXIS_STEP || !is_whole(record->epoch))
                        axis = AXIS_EPOCH;
        }
        return axis;
}

/* How far epochs that begin with first are from those that begin with the other, where one of them
 * counts from 0 and the other from 1. */
static double shift_between(double first, double other) {
        bool differs = (first == 0 && other == 1) || (first == 1 && other == 0);

        return differs ? other - first : 0;
}

/* The epoch in which a step is, by what the source that sets x said of its own; NAN: not known. */
static double epoch_of_step(const struct fold *fold, double step) {
        for (size_t row = 0; row < fold->n_rows; row++)
                if (fold->rows[row].step >= step)
                        return fold->rows[row].x;
        return NAN;
}

static double x_on_epochs(const struct fold *fold, struct origin *origin) {
        double shift = sets_x(fold, origin) ? 0 : shift_between(origin->first_epoch, fold->first_epoch);
        double x = NAN;

        if (!isnan(origin->epoch)) {
                origin->is_moved = shift != 0;
                return origin->epoch + shift;
        }
        if (!isnan(origin->step))
                x = epoch_of_step(fold, origin->step);
        return isnan(x) ? fold->x_last : x;
}

/* The record's x on the current axis: what its source said, else the last that was set; NAN:
 * neither. */
static double x_for(const struct fold *fold, struct origin *origin, const struct record *record) {
        switch (fold->axis) {
        case AXIS_EPOCH:
                return x_on_epochs(fold, origin);
        case AXIS_STEP:
                return isnan(origin->step) ? fold->x_last : origin->step;
        case AXIS_TRIAL:
                return isnan(origin->trial) ? fold->x_last : origin->trial;
        case AXIS_ROW:
        case AXIS_AUTO:
                break;
        }
        return isnan(record->row) ? origin->next_row : record->row;
}

static void axis_move(struct fold *fold, enum axis axis, struct origin *origin, const struct record *record) {
        if (axis == fold->axis)
                return;
        fold->axis = axis;
        fold->x_last = NAN;
        returns_forget(fold);
        if (fold->n_rows == 0)
                return;
        if (axis == AXIS_EPOCH && !isnan(fold->first_epoch))
                rows_collapse(fold, fold->first_epoch);
        else
                rows_collapse(fold, x_for(fold, origin, record));
}

/* --- another source sets x --- */

static void rows_shift(struct fold *fold, double shift) {
        returns_forget(fold);
        for (size_t row = 0; row < fold->n_rows; row++)
                fold->rows[row].x += shift;
}

/* What is in the only row becomes what is known of the first epoch. */
static void remember_only_row(struct fold *fold) {
        for (size_t m = 0; m < fold->n_metrics; m++) {
                struct metric_state *metric = fold->metrics[m];

                metric->first_epoch.value = metric->values[0];
                metric->first_epoch.n = metric->counts ? metric->counts[0] : !isnan(metric->values[0]);
        }
}

/* Rows that lesser sources made are put on the new axis as far as that can be: all of one epoch, or
 * epochs that differ by a constant. Else their points go, and latest, min and max stay. */
static void rows_replace(struct fold *fold, enum axis before, double first_before, struct origin *origin,
                         const struct record *record) {
        double shift = shift_between(first_before, fold->first_epoch);
        double x = x_for(fold, origin, record);

        if (fold->axis == before) {
                if (before == AXIS_EPOCH)
                        rows_shift(fold, shift);
                return;
        }
        if (fold->axis == AXIS_EPOCH && !isnan(first_before))
                x = first_before + shift;
        if (isnan(x) || (before == AXIS_EPOCH && fold->n_rows > 1)) {
                rows_forget(fold);
                return;
        }
        if (before == AXIS_EPOCH)
                remember_only_row(fold);
        rows_collapse(fold, x);
}

static void axis_take_over(struct fold *fold, uint8_t index, const struct record *record) {
        struct origin *origin = &fold->origins[index];
        enum axis before = fold->axis, start = fold->config.axis == AXIS_AUTO ? AXIS_ROW : fold->config.axis;
        double first_before = fold->first_epoch;

        fold->x_claim = origin->claim;
        fold->x_origin = index;
        fold->x_last = NAN;
        fold->first_epoch = origin->first_epoch;
        fold->axis = axis_for(fold, start, record);
        for (size_t row = 0; row < fold->n_rows; row++)
                fold->rows[row].step = NAN;
        if (fold->n_rows > 0)
                rows_replace(fold, before, first_before, origin, record);
}

static void axis_update(struct fold *fold, uint8_t index, const struct record *record) {
        struct origin *origin = &fold->origins[index];

        if (record->n_metrics > 0 && has_x(record) && origin->claim > fold->x_claim)
                axis_take_over(fold, index, record);
        if (sets_x(fold, origin)) {
                axis_move(fold, axis_for(fold, fold->axis, record), origin, record);
                if (isnan(fold->first_epoch))
                        fold->first_epoch = origin->first_epoch;
        } else if (fold->has_second_epoch && fold->config.axis == AXIS_AUTO && !isnan(fold->first_epoch)) {
                axis_move(fold, AXIS_EPOCH, origin, record);
        }
}

/* --- values --- */

/* What a source that is read again had said before is not counted twice. */
static void cell_add(struct accumulator *cell, enum aggregate aggregate, double value, bool is_repeat) {
        if (!is_repeat || aggregate != AGGREGATE_MEAN || cell->n == 0)
                accumulator_add(cell, aggregate, value);
}

static void metric_put(struct metric_state *metric, size_t row, double value, bool is_repeat) {
        struct accumulator cell = {
                .value = metric->values[row],
                .n = metric->counts ? metric->counts[row] : !isnan(metric->values[row]),
        };

        cell_add(&cell, metric->aggregate, value, is_repeat);
        metric->values[row] = cell.value;
        set_fresh(metric, row, true);
        if (metric->counts)
                metric->counts[row] = cell.n;
}

/* Is the training further already than where this is from? */
static bool is_of_before(const struct record *record) {
        return record->is_repeat || record->is_late;
}

static void metric_take(struct fold *fold, struct metric_state *metric, double value, size_t row,
                        const struct record *record) {
        bool is_repeat = record->is_repeat;

        metric->last = is_of_before(record) && !isnan(metric->last) ? metric->last : value;
        metric->non_finite += !isfinite(value) && !is_repeat;
        if (fold->config.axis == AXIS_AUTO && fold->axis < AXIS_EPOCH)
                cell_add(&metric->first_epoch, metric->aggregate, value, is_repeat);
        if (row != SIZE_MAX) {
                metric_put(metric, row, value, is_repeat);
                value = metric->values[row];
        } else if (isfinite(value)) {
                widen(&metric->gone_min, &metric->gone_max, value);
        }
        if (isfinite(value) && !(is_of_before(record) && isfinite(metric->latest)))
                metric->latest = value;
}

static size_t row_for(struct fold *fold, const struct origin *origin, const struct record *record, double x) {
        size_t row = row_take(fold, x);
        struct row *state = &fold->rows[row];

        if (origin->claim > state->claim)
                state->claim = origin->claim;
        if (sets_x(fold, origin) && !isnan(record->step))
                state->step = record->step;
        return row;
}

static void fold_take_metrics(struct fold *fold, uint8_t index, const struct record *record) {
        struct origin *origin = &fold->origins[index];
        double x = x_for(fold, origin, record);
        size_t row = SIZE_MAX;

        if (sets_x(fold, origin) && !isnan(x) && !is_of_before(record))
                returns_note(fold, origin, x);
        for (size_t i = 0; i < record->n_metrics; i++) {
                struct metric_state *metric = metric_find(fold, record->metrics[i].name, i, index);

                if (!metric || metric->claim != origin->claim)
                        continue;
                if (row == SIZE_MAX && !isnan(x))
                        row = row_for(fold, origin, record, x);
                metric_take(fold, metric, record->metrics[i].value, row, record);
        }
        if (fold->axis == AXIS_ROW && !isnan(x))
                origin->next_row = x + 1;
        if (sets_x(fold, origin))
                fold->x_last = x;
}

/* --- taking records --- */

static void note(double *place, double value) {
        if (!isnan(value))
                *place = value;
}

static void note_claimed(struct claimed *place, double value, claim_t claim) {
        if (!isnan(value) && claim >= place->claim)
                *place = (struct claimed){ value, claim };
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
        utf8_hide_controls(copy, strlen(copy));
        free(*place);
        *place = copy;
        return 0;
}

/* Everything that needs memory, so that what follows cannot fail half-way. */
static int fold_prepare(struct fold *fold, const struct record *record, uint8_t *ret_origin) {
        int r = origin_find(fold, record, ret_origin);

        for (size_t i = 0; i < record->n_metrics && r == 0; i++)
                r = metric_claim(fold, record->metrics[i].name, i, *ret_origin);
        if (r == 0)
                r = rows_reserve(fold);
        if (r == 0)
                r = note_path(&fold->output_path, record->output_path);
        if (r == 0)
                r = note_path(&fold->checkpoint, record->checkpoint);
        return r;
}

/* What the source says of x, for this record and for those after it that say nothing. */
static void origin_learn(struct fold *fold, struct origin *origin, const struct record *record) {
        if (isnan(origin->first_epoch))
                origin->first_epoch = record->epoch;
        else if (!isnan(record->epoch) && record->epoch != origin->first_epoch)
                fold->has_second_epoch = true;
        if (fold->past && past_has_another_epoch(fold->past, record->epoch))
                fold->has_second_epoch = true;
        note(&origin->epoch, record->epoch);
        note(&origin->step, record->step);
        note(&origin->trial, record->trial);
}

int fold_take(struct fold *fold, const struct record *record) {
        uint8_t index;
        struct origin *origin;
        int r = fold_prepare(fold, record, &index);

        if (r < 0)
                return r;
        origin = &fold->origins[index];
        if (!isnan(record->void_from_step))
                rows_void(fold, index, record->void_from_step);
        origin_learn(fold, origin, record);
        axis_update(fold, index, record);
        if (record->n_metrics > 0)
                fold_take_metrics(fold, index, record);

        if (!is_of_before(record)) {
                note_claimed(&fold->epoch, record->epoch, origin->claim);
                note_claimed(&fold->step, record->step, origin->claim);
                note_claimed(&fold->total_epochs, record->total_epochs, origin->claim);
        }
        if (record->checkpoint.size_bytes > 0)
                fold->checkpoint_epoch = isnan(origin->epoch) ? fold->epoch.value : origin->epoch;
        fold->ended = fold->ended || record->end;
        fold->accepted += !record->is_repeat;
        return 0;
}

/* --- the fold as a whole --- */

int fold_new(struct fold **ret_fold, const struct fold_config *config) {
        CLEANUP(fold_freep) struct fold *fold = calloc(1, sizeof(*fold));

        if (!fold)
                return -ENOMEM;
        fold->config = *config;
        fold->axis = config->axis == AXIS_AUTO ? AXIS_ROW : config->axis;
        fold->first_epoch = fold->x_last = fold->checkpoint_epoch = fold->return_x = NAN;
        fold->epoch.value = fold->step.value = fold->total_epochs.value = NAN;
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
        origins_free(fold);
        past_free(fold->past);
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
        metrics_sort(fold);
        return 0;
}

/* --- what was folded --- */

struct column fold_column(const struct fold *fold, size_t rank) {
        const struct metric_state *metric = fold->metrics[rank];
        struct column column = {
                .name = metric->name,
                .latest = metric->latest,
                .last = metric->last,
                .min = metric->gone_min,
                .max = metric->gone_max,
                .non_finite = metric->non_finite,
                .is_replaced = metric->is_replaced,
                .values = metric->values,
        };
        const char *path = fold->origins[metric->origin].path;

        column.source = path ? path : "";
        for (size_t row = 0; row < fold->n_rows; row++)
                widen(&column.min, &column.max, metric->values[row]);
        if (fold->past)
                past_put(fold, metric, &column);
        return column;
}

/* What this attempt has not said yet is as it was before. */
double fold_epoch(const struct fold *fold) {
        return isnan(fold->epoch.value) && fold->past ? fold->past->history.epoch : fold->epoch.value;
}

double fold_step(const struct fold *fold) {
        return isnan(fold->step.value) && fold->past ? fold->past->history.step : fold->step.value;
}

double fold_total_epochs(const struct fold *fold) {
        return isnan(fold->total_epochs.value) && fold->past ? fold->past->history.total_epochs :
                                                               fold->total_epochs.value;
}

const char *fold_output_path(const struct fold *fold) {
        return !fold->output_path && fold->past ? fold->past->history.output_path : fold->output_path;
}

const char *fold_checkpoint(const struct fold *fold) {
        return !fold->checkpoint && fold->past ? fold->past->history.checkpoint : fold->checkpoint;
}

double fold_checkpoint_epoch(const struct fold *fold) {
        return !fold->checkpoint && fold->past ? fold->past->history.checkpoint_epoch : fold->checkpoint_epoch;
}

bool fold_ended(const struct fold *fold) {
        return fold->ended;
}

uint64_t fold_accepted(const struct fold *fold) {
        return fold->accepted;
}

uint64_t fold_accepted_in_all(const struct fold *fold) {
        return fold->past ? past_count(fold->past, fold->past->history.accepted, fold->accepted) : fold->accepted;
}

size_t fold_n_left_out(const struct fold *fold) {
        return fold->n_left_out;
}

const char *fold_left_out(const struct fold *fold, size_t i) {
        return i < fold->n_left_out && i < LEFT_OUT_NAMED && *fold->left_out[i] ? fold->left_out[i] : NULL;
}

const char *fold_retired_name(const struct fold *fold, size_t i) {
        return i < fold->n_retired ? fold->retired[i] : NULL;
}

bool fold_has_finite(const struct fold *fold) {
        for (size_t m = 0; m < fold->n_metrics; m++)
                if (isfinite(fold_column(fold, m).latest))
                        return true;
        return false;
}
