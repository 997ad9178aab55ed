/* Is this a history of training, or a data set, a table of predictions, a configuration? What the names
 * that stand together in one record, row or object say of it. Shared by all structured formats. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"
#include "formats/keys.h"

struct evidence {
        bool has_epoch;
        bool has_x;        /* epoch, step or trial */
        bool has_time;
        bool has_samples;  /* text, label, prompt …: what describes one sample of a data set */
        bool has_subjects; /* id, name, model …: what a row of any table may be about */
        unsigned n_metrics;
        unsigned n_schedules;    /* of the metrics: learning rates and the like */
        unsigned n_results;      /* of the metrics: losses, scores */
        unsigned n_sure_results; /* of the results: those whose name is no everyday word (score, cost, return) */
};

/* A key with a number. */
void evidence_add_number(struct evidence *evidence, struct slice name, struct key key);

/* A key with anything else. */
void evidence_add_other(struct evidence *evidence, struct slice name, struct key key);

/* One record is enough to say that this is a history: an x, and a result or schedule beside it. */
bool evidence_is_history(const struct evidence *evidence);

/* Records without x could be one: a result that is nothing else, not among many names of other things,
 * and nothing that the row is about. */
bool evidence_may_be_rows(const struct evidence *evidence);
