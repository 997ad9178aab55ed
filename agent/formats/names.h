/* What the names in text mean. Text says more than files do: names of several words, and words for
 * people between them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "formats/keys.h"
#include "result/metric_name.h"

struct name_class {
        struct key key;          /* KEY_IGNORED too for what text alone says is none: "best", "speed" */
        enum metric_kind kind;
        bool is_unmistakable;    /* a loss, an accuracy: alone on a line it is a metric */
        bool is_split;           /* train, validation, test: says of which data */
        bool is_summary;         /* of what a trainer prints when all is over: train_runtime */
};

/* Of an x from which on it says where in an epoch, but nothing by itself. */
enum { NAMES_BATCH_RANK = 40 };

/* The class of name, a phrase without blanks around it. A name that was asked for before is cheap. */
struct name_class names_classify(struct slice name);

/* Every word that makes a phrase an x; NULL past the last. */
const char *names_known_word(size_t i);

/* FNV-1a of name, for tables of names. */
uint32_t name_hash(struct slice name);

/* Which words of a phrase are the metric's name: what stands behind "with", "is" and the like, as in
 * `finished with value: 0.5`. */
struct slice name_trim(struct slice phrase);

/* The word of a name that says of which split of the data it is (train, valid, test …); empty: none. */
struct slice name_split_word(struct slice name);
