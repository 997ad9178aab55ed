/* What a metric's name says of it: a result of training, or a setting that changes with it. One
 * vocabulary for the scanner of text (which lines are about training?), for the ranking of metrics,
 * and for the goal of an objective. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

enum metric_kind {
        METRIC_RESULT,   /* a loss, a score, an error, a reward: train_loss, val/acc@5, mAP50-95(B) */
        METRIC_OTHER,    /* nothing is known of the name */
        METRIC_SCHEDULE, /* what the optimizer does: learning rate, momentum, gradient norm, loss scale */
};

/* Case does not matter; words are parted by all that is no letter, between a small letter and a
 * capital, and where digits begin. */
enum metric_kind metric_kind_of(struct slice name);

/* Is smaller better? Losses, errors, perplexities and the like. */
bool metric_is_minimized(struct slice name);

/* Every word that is known, in small letters; NULL past the last. */
const char *metric_known_word(size_t i);
