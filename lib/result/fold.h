/* The fold: from records to one row an epoch. Pure state without I/O, bounded whatever comes.
 *
 * The x axis follows from what the trainer says, and only ever moves up in this list:
 *   row    no record had an x: rows are numbered
 *   trial  records count in trials
 *   step   records have a step, and at most one epoch was seen so far: a long first, or only,
 *          epoch has a curve too
 *   epoch  a second epoch came (or the first is fractional, or there are no steps)
 * When it moves up, what was folded so far becomes one row of the new axis.
 *
 * One metric, one owner: sources rank (record.h). What a higher one reports is ignored in lower
 * ones, also when the higher one comes later: then what the lower ones had said of it is gone. The
 * highest source that has an x sets x; records of lower ones are put where they belong on it:
 *   - epochs of which one source counts from 0 and the other from 1 are moved by one
 *   - steps are put into the epoch that the setting source said of its own steps
 *   - else the row of the latest x takes the value
 * Sources of the same rank are one: the last value wins, as when a run is resumed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"
#include "result/record.h"

enum {
        FOLD_ROWS_MAX = 2048,        /* more rows never fit the byte budget */
        FOLD_CELLS_MAX = 8192,       /* rows times columns, x included: a cell takes two bytes at least */
        FOLD_METRICS_MAX = 32,       /* default of fold_config.metrics_max, and the CRD's bound */
        FOLD_NAME_BYTES_MAX = 63,    /* a longer name is cut and ends in a hash of the whole */
        FOLD_NOTES_MAX = 8,
        FOLD_NOTE_BYTES_MAX = 160,
};

enum axis { AXIS_ROW, AXIS_TRIAL, AXIS_STEP, AXIS_EPOCH, AXIS_AUTO };

/* What becomes of several values of one metric in one row. */
enum aggregate { AGGREGATE_LAST, AGGREGATE_MEAN, AGGREGATE_MIN, AGGREGATE_MAX };

enum goal { GOAL_MINIMIZE, GOAL_MAXIMIZE };

struct aggregate_rule {
        const char *metric; /* NULL: every metric that no other rule names */
        enum aggregate aggregate;
};

/* Borrowed for the life of the fold. */
struct fold_config {
        enum axis axis;                     /* AXIS_AUTO: as above */
        const struct aggregate_rule *rules; /* the last that fits a metric counts; none: AGGREGATE_LAST */
        size_t n_rules;
        size_t metrics_max;                 /* at least 1 */
};

/* The words of the flags and of the API; -1 when there is no such word. */
int axis_from_name(struct slice name);
const char *axis_name(enum axis axis);
int aggregate_from_name(struct slice name);
int goal_from_name(struct slice name); /* Minimize or Maximize, min or max, any case */
/* The goal that a metric's name suggests: what is called a loss, an error or the like is
 * minimized, everything else maximized. */
enum goal goal_of_metric(const char *metric);

struct fold;

/* 0 or -ENOMEM. */
int fold_new(struct fold **ret_fold, const struct fold_config *config);
struct fold *fold_free(struct fold *fold); /* NULL allowed; returns NULL */
void fold_freep(struct fold **fold);

/* Names the metric that ranks first and whose best row is kept; copied. Metrics that came before
 * stay. 0 or -ENOMEM. */
int fold_set_objective(struct fold *fold, const char *metric, enum goal goal);

/* Takes one record. 0, or -ENOMEM: then the record counts in full or not at all. */
int fold_take(struct fold *fold, const struct record *record);

/* --- what was there before --- */

/* One curve of a Result that was there before this fold began; NAN: not known. */
struct history_column {
        const char *name;
        double latest, min, max;
        uint64_t non_finite;
        const double *values; /* one a row; NAN: no value there */
};

/* Such a Result, which attempts before this one made. is_ours: this one too, when it is followed anew
 * from the start: what it says again counts once. All is borrowed. */
struct history {
        bool is_ours;
        enum axis axis;
        size_t n_rows;        /* at most FOLD_ROWS_MAX */
        const double *x;      /* ascending */
        size_t n_columns;
        const struct history_column *columns; /* in rank */
        double epoch, step, total_epochs;
        const char *output_path, *checkpoint; /* or NULL */
        double checkpoint_epoch;
        uint64_t accepted;
};

/* Puts what was there before our own, whether records have come already or not: rows below our first
 * x stay, those from it on are ours alone; until we have a row, all stay, and so they do while ours
 * cannot be put on their axis (steps, where they are epochs) and are not more. latest, min, max,
 * counts, epoch and paths go on from there. 0, or -ENOMEM: then the fold is as it was but for names. */
int fold_take_history(struct fold *fold, const struct history *history);

/* How often x went back: a source that sets it said one below its last, or one that is new began no
 * higher than the others are. That may be a trainer that was started anew, which only others can
 * tell; once they do, what had been said before of the x from there on is void. */
uint64_t fold_returns(const struct fold *fold);
void fold_void_before_return(struct fold *fold);

/* --- what was folded; everything returned is borrowed until the next change --- */

/* A number that is not known is NAN everywhere. */
struct column {
        const char *name;      /* valid UTF-8, at most FOLD_NAME_BYTES_MAX bytes */
        double latest;         /* last finite value */
        double last;           /* last value as reported, NaN and infinities too */
        double min, max;       /* over all rows as folded, also those that were thinned */
        uint64_t non_finite;   /* how many values were NaN or infinite */
        bool is_replaced;      /* it was another source's once: what was published of that has to go */
        const char *source;    /* path of the source that owns it; "": one of many, or of an earlier attempt */
        size_t n_before;       /* so many of the rows are of earlier attempts */
        const double *before;  /* theirs, one a row; NULL: no value in any */
        const double *values;  /* one for each row after them; NAN: no value there */
};

static inline double column_value(const struct column *column, size_t row) {
        if (row >= column->n_before)
                return column->values[row - column->n_before];
        return column->before ? column->before[row] : NAN;
}

struct objective {
        const char *metric;    /* NULL: none was named, or it has no value yet */
        double value;          /* the best */
        double x;              /* where; NAN when not known */
};

enum axis fold_axis(const struct fold *fold);
size_t fold_n_rows(const struct fold *fold);
double fold_row_x(const struct fold *fold, size_t row);
/* Which rows stay when only every 2^level-th does: the first, the last, the objective's best, and
 * every 2^level-th in the order they came. Returns how many; their indices go to ret_rows. */
size_t fold_select_rows(const struct fold *fold, unsigned level,
                        uint16_t ret_rows[static FOLD_ROWS_MAX]);
/* Metrics in rank: the objective, results of training, what nothing is known of, what the optimizer
 * does (metric_name.h); within each in the order they came. */
size_t fold_n_columns(const struct fold *fold);
struct column fold_column(const struct fold *fold, size_t rank);
struct objective fold_objective(const struct fold *fold);

double fold_epoch(const struct fold *fold);        /* of the last record that had one */
double fold_step(const struct fold *fold);
double fold_total_epochs(const struct fold *fold);
const char *fold_output_path(const struct fold *fold);     /* newest, or NULL */
const char *fold_checkpoint(const struct fold *fold);      /* newest, or NULL */
double fold_checkpoint_epoch(const struct fold *fold);
bool fold_ended(const struct fold *fold);          /* the trainer said that it is done */
uint64_t fold_accepted(const struct fold *fold);   /* records taken */
uint64_t fold_accepted_in_all(const struct fold *fold); /* and those before */
/* Names that were left out because metrics_max was reached: how many (at most 1,024 are told
 * apart), and the first few of them. */
size_t fold_n_left_out(const struct fold *fold);
const char *fold_left_out(const struct fold *fold, size_t i); /* NULL past the first 8 */
/* Names that were published once and are no more (a better metric took their place, or the owner
 * spells them differently), the newest FOLD_METRICS_MAX of them; NULL past the last. Their keys have
 * to be taken out of maps. */
const char *fold_retired_name(const struct fold *fold, size_t i);
/* Is there any number in it, also from before, or only NaN and infinities? */
bool fold_has_finite(const struct fold *fold);

/* What people should know: which source x and the metrics are taken from, where several say them.
 * Short lines of well-formed UTF-8; returns how many. */
size_t fold_notes(const struct fold *fold, char ret_notes[FOLD_NOTES_MAX][FOLD_NOTE_BYTES_MAX + 1]);

/* --- on disk --- */

/* Appends the fold as bytes (proto/state/fold.proto), out of which fold_unpack() makes one that goes on
 * as this one would. 0, -ENOBUFS (out's limit), -ENOMEM. */
int fold_pack(const struct fold *fold, struct buffer *out);

/* Into a fold that fold_new() has just made. What its configuration says holds from here on:
 *   axis         another than when it was packed: -EBADMSG, since rows cannot be folded again
 *   rules        values that are folded stay as they are, those that come are folded by the new rules
 *   metrics_max  the lowest in rank leave and are counted as left out
 * An objective that was set already stays. 0; -EBADMSG: no fold can be like that, whatever says so;
 * -ENOMEM. On error the fold is as it was. */
int fold_unpack(struct fold *fold, struct slice bytes);
