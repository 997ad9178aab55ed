/* A record that is put together from several places, or held back until it is known to be one: it
 * owns its names. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "formats/format.h"
#include "formats/keys.h"

struct draft_metric {
        size_t name_start, name_bytes; /* in names */
        double value;
};

struct draft {
        struct record record; /* without metrics */
        struct buffer names;
        struct draft_metric *metrics;
        size_t n_metrics, capacity;
        uint8_t ranks[KEY_IGNORED + 1]; /* of what filled in each role */
        struct metric *views; /* for handing over */
};

void draft_start(struct draft *draft); /* of a zeroed or used one */
void draft_release(struct draft *draft);

/* Adds prefix + name = value, where none of that name is there: the first one said counts. 0 or
 * -ENOMEM. */
int draft_add(struct draft *draft, struct slice prefix, struct slice name, double value);
bool draft_has(const struct draft *draft, struct slice name);
/* The name of the metric; borrowed until the next one is added. */
struct slice draft_name(const struct draft *draft, size_t i);

/* Fills in the role of an x (or total) where no better key did; says whether it did so. */
bool draft_set_x(struct draft *draft, struct key key, double value);
bool draft_has_x(const struct draft *draft);

/* The same names in the same order? */
bool draft_is_alike(const struct draft *a, const struct draft *b);

/* Hands it to the context's sink. */
void draft_deliver(struct draft *draft, struct parse_context *context);
