/* One record: what a trainer said at one moment. The currency between all parts of the agent:
 * formats and sockets make records, the fold takes them. */
#pragma once

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum {
        RECORD_METRICS_MAX = 1024, /* metrics in one record; further ones are left out */
};

/* One metric's value; NaN and infinities are allowed and mean that the trainer said so. */
struct metric {
        struct slice name; /* as the trainer writes it, UTF-8, 1 byte or more */
        double value;
};

/* Which of two sources that report the same metric owns it: the higher one. */
enum source_rank {
        SOURCE_TEXT,       /* captured output, logs */
        SOURCE_EVENTS,     /* TensorBoard event files */
        SOURCE_STRUCTURED, /* JSON, CSV, TSV, the files of a framework's own logger */
        SOURCE_SOCKET,
        SOURCE_NAMED,      /* the user pointed at it with --metrics */
};

/* A number that is absent is NAN; a text that is absent has size 0. All slices are borrowed: they
 * are valid only until the function that was handed the record returns. */
struct record {
        struct slice source; /* path of the file, or who else said it */
        enum source_rank rank;
        bool is_snapshot;    /* latest values, no history: counts only for names that no history has */
        bool is_repeat;      /* the source is read again from its start, and had said this before */
        bool is_late;        /* of an older generation than what was read already: it counts, but is not the latest */
        uint64_t line;       /* line number in the source, from 1; 0 where there are no lines */

        double epoch;        /* as the trainer counts, whole or fractional */
        double step;         /* optimizer step, iteration or boosting round */
        double trial;        /* for files that count in trials */
        double row;          /* for files that say no x: number of the record in its file, from 0 */
        double time_s;       /* seconds since 1970, by the trainer's clock */
        double total_epochs; /* how many epochs the trainer intends */
        double void_from_step; /* a new session begins at this step: what sources of this rank in the same
                                * directory said of it and later ones is void */

        struct slice output_path; /* directory of the run's output */
        struct slice checkpoint;  /* path of a checkpoint that was just written */
        bool end;                 /* the trainer says that it is done */

        const struct metric *metrics;
        size_t n_metrics;
};

#define RECORD_EMPTY                                                                      \
        ((struct record){                                                                 \
                .epoch = NAN, .step = NAN, .trial = NAN, .row = NAN, .time_s = NAN,       \
                .total_epochs = NAN, .void_from_step = NAN,                               \
        })

/* What could not be understood: one line, frame or file. */
struct reject {
        struct slice source; /* as in struct record */
        uint64_t line;       /* as in struct record */
        size_t column;       /* byte in the line, from 1; 0: the line as a whole */
        const char *expected;/* what was expected there and what happens next, a full phrase */
        struct slice text;   /* the line, cut */
};

/* Who takes what a source yields. Calls come in the order of the source. */
struct record_sink {
        void *userdata;
        void (*take_record)(void *userdata, const struct record *record);
        void (*take_reject)(void *userdata, const struct reject *reject);
        /* A line that looked close to a metric and was passed over in peace; expected says why. NULL:
         * nobody asks. */
        void (*take_passed)(void *userdata, const struct reject *passed);
};
