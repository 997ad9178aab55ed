/* One line of text, taken apart into names with numbers. The grammar is that of lines which people
 * and frameworks print for people:
 *
 *   item  = name sep value | name value | value        loss=0.5  "loss": 0.5  train loss 0.5  [12]
 *   name  = words with no number and no delimiter between them
 *   sep   = ":" | "="
 *   value = number | nan and inf in every spelling, in quotes or as [0.5], (0.5,), tensor(0.5, …)
 *
 * What stands behind a value in parentheses (an average), and what follows a "+" or "±" (a deviation),
 * is passed over: `current (average)` is the current one, `mean+std` is the mean. A number that goes
 * on with a unit of time, size or rate, that is part of a date, an address or a version, is none. A
 * comma between thousands does not end a number. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

enum { ITEMS_MAX = 256 };

enum item_form {
        ITEM_STRONG, /* name=value, name: value */
        ITEM_WEAK,   /* name value */
        ITEM_BARE,   /* a number without a name */
};

struct item {
        enum item_form form;
        struct slice name;   /* in the line, trimmed; empty for ITEM_BARE */
        struct slice label;  /* what stood before, as "Test set" in `Test set: loss 0.5`; may be empty */
        struct slice group;  /* the word of loss[a=1, b=2] that qualifies its names; may be empty */
        bool is_answer;      /* a bare value behind ':' or '=' that stands behind a number: step 5: 0.25 */
        bool is_aside;       /* in parentheses behind another value: 0.9 (io: 0.3) */
        bool is_first;       /* the line begins with it, but for brackets */
        bool is_bracketed;   /* in brackets of its own: [12], Epoch [3/50] */
        bool is_delimited;   /* its name begins at a delimiter or the line's start, not after a number */
        bool is_integer;     /* written without point, exponent and percent sign */
        double value;        /* NAN and infinities too */
        double total;        /* of value/total; else NAN */
        double percent;      /* of value/total (percent%); else NAN */
        struct slice value_text, total_text, percent_text; /* where they stand; empty: nowhere */
};

struct scan {
        struct item items[ITEMS_MAX];
        size_t n_items;
        size_t n_bare;           /* items without a name */
        size_t n_words;          /* words that belong to no item */
        size_t n_units;          /* numbers that are none, because of their unit or form */
        bool has_decimal_comma;  /* 0,512 */
};

/* Takes text apart; with decimal_commas, a comma between digits is always a decimal point. */
void scan_line(struct slice text, bool decimal_commas, struct scan *ret_scan);
