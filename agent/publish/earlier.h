/* What a Result says that was there before our first report: the way back from JSON. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "result/fold.h"

struct json_object;

struct earlier {
        struct history history;
        int64_t start_us, last_report_us; /* since 1970; 0: not known */
        uint64_t rejected, lost_bytes;
        int restarts;                     /* of this pod's trainer; -1: not known */
        /* What history borrows from, beside the JSON. */
        double *x, *values;
        struct history_column *columns;
};

/* Reads status of a Result; what does not fit the schema is left out: anybody may have written it. Texts
 * are borrowed from the JSON. is_ours: this very pod has reported to it. 0 or -ENOMEM. */
int earlier_read(struct earlier *ret_earlier, struct json_object *result, bool is_ours);
void earlier_release(struct earlier *earlier);
