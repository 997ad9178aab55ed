/* What a fold is made of, for the files that make it up and nobody else:
 *   words.c    the words of flags and of the API
 *   origins.c  the sources that records come from, and how much their word counts
 *   columns.c  metrics: their names, who owns them, their rank
 *   rows.c     the rows that all columns share
 *   past.c     what was there before, and how it is shown before our own
 *   returns.c  x that goes back, and what becomes void by it
 *   fold.c     the x axis, and the way of a record into rows and columns
 *   notes.c    what people should know of it
 *   fold_pack.c  its bytes on disk, and back */
#pragma once

#include "result/fold.h"
#include "result/metric_name.h"

enum {
        ORIGINS_MAX = 64,
        ORIGIN_SHARED = ORIGINS_MAX - 1, /* of all sources past the limit */
        ORIGIN_NONE = 255,
        RAW_NAME_BYTES_MAX = 256, /* longer names are recognised by their cut form */
        LEFT_OUT_MAX = 1024,      /* names told apart when counting what was left out */
        LEFT_OUT_NAMED = 8,
        RETIRED_MAX = FOLD_METRICS_MAX,
        HINTS_MAX = 64,
        PATH_BYTES_MAX = 4096,    /* PATH_MAX of Linux */
        CLAIM_HISTORY = 16,       /* by how much a history beats a snapshot */
        CLAIM_MAX = 1 + CLAIM_HISTORY + 2 * SOURCE_NAMED + 1,
};

/* How much a source's word counts, more for a higher number. A history beats a snapshot, then the
 * rank of the source, then process 0 of several; 0: nobody's. */
typedef uint8_t claim_t;

struct origin {
        char *path; /* NULL: shared by several */
        size_t path_bytes;
        claim_t claim;
        bool is_moved; /* its epochs were moved to those of the source that sets x */
        /* NAN where the source said none. What a record does not say, the one before it said. */
        double first_epoch, epoch, step, trial;
        double next_row;
        double x_last; /* the last x on the current axis, of sources that set it; NAN: none yet */
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
        uint64_t letters_hash;        /* of letters and digits, see name_is_same() */
        enum metric_kind kind;
        uint64_t arrival;             /* the how-manieth name this was */
        claim_t claim;                /* of the source that owns it */
        uint8_t origin, also;         /* the owner; another one that says it too, or ORIGIN_NONE */
        bool is_replaced;
        enum aggregate aggregate;
        double latest, last;
        double gone_min, gone_max;    /* over rows that were thinned; NAN: none */
        uint64_t non_finite;
        struct accumulator first_epoch; /* over all records while the axis is below epoch */
        /* Which of the values were said since x went back, a bit each. */
        uint64_t fresh[FOLD_ROWS_MAX / 64];
        double *values;               /* rows_capacity of them */
        uint32_t *counts;             /* the same, for means; else NULL */
};

struct row {
        double x;
        double step;      /* the last that the source which sets x said here; NAN: none */
        uint64_t ordinal; /* the how-manieth row this was when it came, from 0 */
        claim_t claim;    /* the highest of those that put something here */
};

/* What was there before; owns all that it points to. Nothing of it changes. */
struct past {
        struct history history;
        uint64_t *letters_hashes; /* of its columns' names */
};

/* A number of the run, as the highest source that says it has it. */
struct claimed {
        double value;
        claim_t claim;
};

struct fold {
        struct fold_config config;

        struct origin origins[ORIGINS_MAX];
        size_t n_origins, last_origin;

        enum axis axis;
        claim_t x_claim;       /* of the sources that set x; 0: none said any x yet */
        uint8_t x_origin;      /* the first of them */
        double x_last;         /* the last x that they said */
        double first_epoch;    /* theirs */
        bool has_second_epoch; /* of any source */

        struct row *rows; /* ascending in x */
        size_t n_rows, rows_capacity;
        uint64_t next_ordinal;
        unsigned level; /* rows were thinned to every 2^level-th */

        struct metric_state **metrics; /* in rank */
        size_t n_metrics;
        uint64_t next_arrival;
        uint8_t hints[HINTS_MAX]; /* where the i-th metric of a record was found last */

        char *objective_metric;
        enum goal goal;

        struct claimed epoch, step, total_epochs;
        char *output_path, *checkpoint;
        double checkpoint_epoch;
        bool ended;
        uint64_t accepted;

        struct past *past;     /* NULL: nothing was there */
        uint64_t returns;      /* how often x went back */
        double return_x;       /* the lowest x since; NAN: there is nothing to void */

        uint64_t *left_out_hashes;
        size_t n_left_out;
        char left_out[LEFT_OUT_NAMED][FOLD_NAME_BYTES_MAX + 1];
        char retired[RETIRED_MAX][FOLD_NAME_BYTES_MAX + 1];
        size_t n_retired;
};

/* --- origins.c --- */

/* The state of the record's source, which is made where there is none. 0 or -ENOMEM. */
int origin_find(struct fold *fold, const struct record *record, uint8_t *ret_origin);
void origins_free(struct fold *fold);

/* --- columns.c --- */

/* The column that this name of that source goes to; NULL: it has none. It may be another's: then
 * its claim is higher. hint: which metric of its record it is. */
struct metric_state *metric_find(struct fold *fold, struct slice raw, size_t hint, uint8_t origin);
/* Gives the name a column where it may have one, and takes it from sources that count less; what
 * those had said is gone then. 0 or -ENOMEM. */
int metric_claim(struct fold *fold, struct slice raw, size_t hint, uint8_t origin);
/* Is name what a metric is called that the trainer writes so? */
bool metric_name_is_of(const char *name, struct slice raw);
/* Of this name, with the aggregate that the configuration says, in no fold yet. 0 or -ENOMEM. */
int metric_new(struct metric_state **ret_metric, const struct fold *fold, struct slice raw, const char *name);
/* Gives a name of the past a column, where there is a place left: the claim is nobody's, so that any
 * source takes it over. 0 or -ENOMEM. */
int metric_expect(struct fold *fold, const char *raw);
/* Are letters and digits the same? eval/loss and eval_loss are one metric. Names without any are
 * compared as they are. */
bool name_is_same(const char *a, const char *b);
uint64_t hash_letters(const char *name);
void metrics_sort(struct fold *fold);
/* The last in rank leaves, and is counted as left out. */
void metrics_drop_last(struct fold *fold);
void metric_free(struct metric_state *metric);
/* A value that is not finite leaves a gap where the last value counts, and nothing elsewhere. */
void accumulator_add(struct accumulator *accumulator, enum aggregate aggregate, double value);
bool fold_has_objective(const struct fold *fold);

/* --- rows.c --- */

/* Room for one more row, where there may be one. 0 or -ENOMEM. */
int rows_reserve(struct fold *fold);
/* Makes room for one more column: where columns are many, rows are fewer. */
void rows_make_way(struct fold *fold);
/* The row with this x, which is made where there is none; rows_reserve() was called. */
size_t row_take(struct fold *fold, double x);
bool is_better(const struct fold *fold, double value, double than);
/* Takes out a value, and remembers of it what outlives it. */
void cell_void(struct metric_state *metric, size_t row);
/* What was folded so far becomes one row at x, of the metrics' accumulators. */
void rows_collapse(struct fold *fold, double x);
/* Takes out the rows in which nothing is left, of sources that count less than claim. */
void rows_drop_empty(struct fold *fold, claim_t claim);
/* Takes out what sources like this one, in its directory, put into rows from that step on. */
void rows_void(struct fold *fold, uint8_t origin, double step);
/* No row stays; latest, min and max do. */
void rows_forget(struct fold *fold);

/* --- past.c --- */

/* Takes a copy of it, and nothing follows from it for our own rows and columns. 0 or -ENOMEM. */
int past_take(struct fold *fold, const struct history *history);
/* Adds to a column of our own what was there before. */
void past_put(const struct fold *fold, const struct metric_state *metric, struct column *column);
/* Of a count: what it was before and what this attempt says, together. */
uint64_t past_count(const struct past *past, uint64_t before, uint64_t own);
/* With this epoch, are there two? */
bool past_has_another_epoch(const struct past *past, double epoch);
struct past *past_free(struct past *past); /* NULL allowed; returns NULL */

/* --- returns.c --- */

/* A source that sets x says this one. */
void returns_note(struct fold *fold, struct origin *origin, double x);
/* x means something else from now on. */
void returns_forget(struct fold *fold);
static inline bool is_fresh(const struct metric_state *metric, size_t row) {
        return metric->fresh[row / 64] >> row % 64 & 1;
}
static inline void set_fresh(struct metric_state *metric, size_t row, bool is_fresh) {
        uint64_t bit = UINT64_C(1) << row % 64;

        metric->fresh[row / 64] = is_fresh ? metric->fresh[row / 64] | bit : metric->fresh[row / 64] & ~bit;
}
static inline void widen(double *min, double *max, double value) {
        *min = fmin(*min, value); /* fmin and fmax take the other one for NAN */
        *max = fmax(*max, value);
}
