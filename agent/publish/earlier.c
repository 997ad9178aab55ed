#include "publish/earlier.h"

#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/instant.h"
#include "kube/json_get.h"

enum { COLUMNS_MAX = 64 }; /* the CRD's bound */

static bool is_number(struct json_object *value) {
        return json_object_is_type(value, json_type_double) || json_object_is_type(value, json_type_int);
}

/* NAN for null and whatever else is no number. */
static double number_of(struct json_object *value) {
        return is_number(value) ? json_object_get_double(value) : NAN;
}

static uint64_t count_of(struct json_object *value) {
        int64_t count = json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : 0;

        return count > 0 ? (uint64_t)count : 0;
}

static size_t length_of(struct json_object *array) {
        return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

static int64_t instant_of(const char *text) {
        double seconds;

        return text && instant_parse(slice_from(text), &seconds) ? (int64_t)(seconds * 1e6) : 0;
}

/* --- rows --- */

static bool read_x(struct earlier *earlier, struct json_object *array, size_t n_rows) {
        for (size_t i = 0; i < n_rows; i++) {
                earlier->x[i] = number_of(json_object_array_get_idx(array, i));
                if (!isfinite(earlier->x[i]) || (i > 0 && earlier->x[i] <= earlier->x[i - 1]))
                        return false;
        }
        return true;
}

static void read_values(double *values, struct json_object *array, size_t n_rows) {
        bool fits = length_of(array) == n_rows;

        for (size_t i = 0; i < n_rows; i++)
                values[i] = fits ? number_of(json_object_array_get_idx(array, i)) : NAN;
}

static void read_column(struct earlier *earlier, struct json_object *status, struct json_object *metric) {
        const char *name = json_get_text(metric, "name", NULL);
        struct history_column *column = &earlier->columns[earlier->history.n_columns];
        double *values = earlier->values + earlier->history.n_columns * earlier->history.n_rows;

        if (!name || strlen(name) > FOLD_NAME_BYTES_MAX)
                return;
        read_values(values, json_get(metric, "values", NULL), earlier->history.n_rows);
        *column = (struct history_column){
                .name = name,
                .latest = number_of(json_get(metric, "latest", NULL)),
                .min = number_of(json_get(metric, "min", NULL)),
                .max = number_of(json_get(metric, "max", NULL)),
                .non_finite = count_of(json_get(status, "nonFinite", name, NULL)),
                .values = values,
        };
        earlier->history.n_columns++;
}

/* Digits of the history may have been shortened; those of the objective are not. */
static void read_objective(struct earlier *earlier, struct json_object *objective) {
        const char *name = json_get_text(objective, "metric", NULL);
        double value = number_of(json_get(objective, "value", NULL));
        double x = number_of(json_get(objective, "epoch", NULL));

        for (size_t c = 0; c < earlier->history.n_columns && name && isfinite(value); c++)
                for (size_t row = 0; row < earlier->history.n_rows; row++)
                        if (strcmp(earlier->columns[c].name, name) == 0 && earlier->x[row] == x)
                                earlier->values[c * earlier->history.n_rows + row] = value;
}

static int read_curves(struct earlier *earlier, struct json_object *status) {
        struct json_object *x = json_get(status, "x", NULL), *metrics = json_get(status, "metrics", NULL);
        const char *axis = json_get_text(status, "axis", NULL);
        size_t n_rows = length_of(x), n_columns = length_of(metrics);

        n_columns = n_columns < COLUMNS_MAX ? n_columns : COLUMNS_MAX;
        if (!axis || axis_from_name(slice_from(axis)) < 0 || n_rows > FOLD_ROWS_MAX)
                n_rows = 0;
        earlier->x = calloc(n_rows + 1, sizeof(*earlier->x));
        earlier->values = calloc((n_rows + 1) * (n_columns + 1), sizeof(*earlier->values));
        earlier->columns = calloc(n_columns + 1, sizeof(*earlier->columns));
        if (!earlier->x || !earlier->values || !earlier->columns)
                return -ENOMEM;
        if (n_rows > 0 && read_x(earlier, x, n_rows)) {
                earlier->history.n_rows = n_rows;
                earlier->history.axis = (enum axis)axis_from_name(slice_from(axis));
        }
        for (size_t i = 0; i < n_columns; i++)
                read_column(earlier, status, json_object_array_get_idx(metrics, i));
        read_objective(earlier, json_get(status, "objective", NULL));
        return 0;
}

/* --- the whole --- */

int earlier_read(struct earlier *ret_earlier, struct json_object *result, bool is_ours) {
        struct json_object *status = json_get(result, "status", NULL), *agent = json_get(status, "agent", NULL);
        struct earlier earlier = {
                .start_us = instant_of(json_get_text(status, "startTime", NULL)),
                .last_report_us = instant_of(json_get_text(status, "lastReportTime", NULL)),
                .rejected = count_of(json_get(agent, "rejected", NULL)),
                .lost_bytes = count_of(json_get(agent, "lostBytes", NULL)),
                .restarts = is_ours ? (int)json_get_integer(status, -1, "attempt", "restarts", NULL) : -1,
        };
        int r = read_curves(&earlier, status);

        if (r < 0) {
                earlier_release(&earlier);
                return r;
        }
        earlier.history.is_ours = is_ours;
        earlier.history.x = earlier.x;
        earlier.history.columns = earlier.columns;
        earlier.history.epoch = number_of(json_get(status, "epoch", NULL));
        earlier.history.step = number_of(json_get(status, "step", NULL));
        earlier.history.total_epochs = number_of(json_get(status, "totalEpochs", NULL));
        earlier.history.output_path = json_get_text(status, "outputPath", NULL);
        earlier.history.checkpoint = json_get_text(status, "checkpoint", "path", NULL);
        earlier.history.checkpoint_epoch = number_of(json_get(status, "checkpoint", "epoch", NULL));
        earlier.history.accepted = count_of(json_get(agent, "accepted", NULL));
        *ret_earlier = earlier;
        return 0;
}

void earlier_release(struct earlier *earlier) {
        free(earlier->x);
        free(earlier->values);
        free(earlier->columns);
        *earlier = (struct earlier){ 0 };
}
