/* What the items of one line of text come to: its x, its metrics, and how sure one can be of them. */
#pragma once

#include <stdbool.h>

#include "formats/draft.h"
#include "formats/names.h"
#include "formats/pattern.h"
#include "formats/scan.h"

enum { READER_OWNERS = 256, READER_LABEL_BYTES_MAX = 40 };

/* What says where in the training the line is. */
enum place {
        PLACE_NONE,
        PLACE_OWN,  /* an epoch, a step, a trial that is named */
        PLACE_BARE, /* a number at its start: [12], 0: */
};

/* What the items of a line come to. */
struct reading {
        bool has_bar;            /* a progress bar: 14%|███ | 70/500 [ */
        bool was_ignored;        /* the item before, but for those in parentheses */
        double bar, bar_total; /* how far a progress bar is, and where it ends; NAN: there is none */
        struct slice subject; /* of "at": see split_at() */
        struct slice label; /* of which split of the data the items are that do not say so themselves */
        size_t n_metrics, n_known, n_schedule, n_strong, n_parted, n_fractions, n_x;
        bool is_odd;      /* an x that is none: lines like this one differ in what they say */
        bool has_decimal_comma; /* in the value of a metric */
        bool has_best;    /* what it says is of the best time, or of what was saved */
        bool is_settings; /* it says how many epochs there will be */
        bool is_unmistakable, is_summary, is_first_x; /* the x is what the line begins with */
        enum place place;
};

struct reader {
        struct scan *scan;    /* of the line; scratch of all readers, good until the next line is taken */
        struct draft line;    /* what it says */
        struct pattern_number *numbers; /* what each number in it is, for its pattern; scratch as well */
        size_t *number_metrics;         /* the metric in line that it is */
        size_t n_numbers;
        struct buffer loop;   /* the label of the line before */
        struct {
                uint32_t name, label; /* hashes */
        } owners[READER_OWNERS];      /* of names: the label under which each was seen first */
};

void reader_start(struct reader *reader);
void reader_release(struct reader *reader);

/* Takes text, which has one character or more, apart into reader->line. 0 or -ENOMEM. */
int reader_take(struct reader *reader, struct slice text, bool decimal_commas, struct reading *ret_reading);

/* The numbers of the line, with the names that they have in reader->line. */
void reader_name_numbers(struct reader *reader);

/* Does it say that what it is about is of the best time, or of what was saved? */
bool reader_is_of_best(struct slice text);

bool reader_is_x(enum key_role role);
/* No small letters: LOSS. */
bool reader_is_shouted(struct slice name);
