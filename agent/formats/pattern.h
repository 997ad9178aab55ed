/* The pattern of a line that was understood: what stands between its numbers, and what each number is.
 * A trainer's lines look alike; one that fits a pattern is read without being taken apart again. */
#pragma once

#include <stdbool.h>

#include "base/buffer.h"
#include "formats/keys.h"
#include "formats/scan.h"
#include "result/record.h"

enum { PATTERN_SLOTS_MAX = 96, PATTERN_LINE_BYTES_MAX = 4096 };

struct pattern_slot {
        size_t gap_start, gap_bytes; /* in line: what stands before the number */
        enum key_role role;          /* KEY_IGNORED: digits that mean nothing here */
        size_t metric;               /* KEY_METRIC: the how-manieth */
};

struct pattern {
        struct buffer line, names;
        struct pattern_slot slots[PATTERN_SLOTS_MAX];
        size_t n_slots, tail_start;
        struct metric metrics[PATTERN_SLOTS_MAX]; /* with the names, and room for the values */
        size_t n_metrics;
        bool is_bare;                /* its x is a number without a name, which has to go on */
};

void pattern_start(struct pattern *pattern);
void pattern_release(struct pattern *pattern);

/* Learns the line, in which each of the n numbers has the role beside it. Forgets all where the line is
 * none that a pattern can hold. 0 or -ENOMEM. */
struct pattern_number {
        struct slice text;  /* in the line */
        enum key_role role;
        struct slice name;  /* KEY_METRIC: as it is reported */
};
int pattern_learn(struct pattern *pattern, struct slice line, const struct pattern_number *numbers, size_t n);

/* Reads line; true when it fits: then the roles' values are in *ret_record, whose metrics are the
 * pattern's until it is used again. */
bool pattern_read(struct pattern *pattern, struct slice line, struct record *ret_record);
