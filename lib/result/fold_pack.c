/* The fold as bytes and back: proto/state/fold.proto. What comes from a disk is not trusted: whatever
 * it says, the fold is either as if it had been folded, or is left alone. */
#include <errno.h>
#include <stdlib.h>

#include <state/fold.pb-c.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "result/fold_state.h"
#include "result/past_pack.h"

enum {
        /* What a message may take in memory: room for a fold of the largest size several times over,
         * while a few bytes that say "an empty metric" a million times are refused. */
        UNPACKED_BYTES_MAX = 16 * 1024 * 1024,
        PACKED_METRICS_MAX = 256,
};

/* --- packing: messages that borrow from the fold --- */

#define SET(message, field, number) ((void)((message)->has_##field = true, (message)->field = (number)))
#define SET_KNOWN(message, field, number) \
        ((void)((message)->has_##field = !isnan(number), (message)->field = (number)))

struct packing {
        State__Fold fold;
        State__Rows rows;
        State__Claimed epoch, step, total_epochs;
        struct past_packing past;
        State__Origin origins[ORIGINS_MAX], *origin_list[ORIGINS_MAX];
        State__Metric *metrics, **metric_list;
        char *left_out[LEFT_OUT_NAMED], *retired[RETIRED_MAX];
};

static void packing_release(struct packing *packing) {
        free(packing->rows.x);
        free(packing->rows.step);
        free(packing->rows.ordinal);
        free(packing->rows.claim);
        free(packing->metrics);
        free(packing->metric_list);
        past_packing_release(&packing->past);
}

/* protobuf-c knows no const; packing changes nothing. */
static char *borrow(const char *text) {
        return (char *)(uintptr_t)text;
}

static ProtobufCBinaryData bytes_of(const char *data, size_t size_bytes) {
        return (ProtobufCBinaryData){ .len = size_bytes, .data = (uint8_t *)(uintptr_t)data };
}

static void pack_origin(State__Origin *message, const struct origin *origin) {
        state__origin__init(message);
        message->has_path = origin->path != NULL;
        message->path = bytes_of(origin->path, origin->path_bytes);
        SET(message, claim, origin->claim);
        SET(message, is_moved, origin->is_moved);
        SET_KNOWN(message, first_epoch, origin->first_epoch);
        SET_KNOWN(message, epoch, origin->epoch);
        SET_KNOWN(message, step, origin->step);
        SET_KNOWN(message, trial, origin->trial);
        SET_KNOWN(message, next_row, origin->next_row);
        SET_KNOWN(message, x_last, origin->x_last);
}

static void pack_metric(State__Metric *message, const struct metric_state *metric, size_t n_rows) {
        state__metric__init(message);
        message->name = borrow(metric->name);
        message->has_raw = metric->raw_bytes > 0;
        message->raw = bytes_of(metric->raw, metric->raw_bytes);
        SET(message, arrival, metric->arrival);
        SET(message, claim, metric->claim);
        SET(message, origin, metric->origin);
        SET(message, also, metric->also);
        SET(message, is_replaced, metric->is_replaced);
        SET_KNOWN(message, latest, metric->latest);
        SET_KNOWN(message, last, metric->last);
        SET_KNOWN(message, gone_min, metric->gone_min);
        SET_KNOWN(message, gone_max, metric->gone_max);
        SET(message, non_finite, metric->non_finite);
        SET_KNOWN(message, first_epoch_value, metric->first_epoch.value);
        SET(message, first_epoch_n, metric->first_epoch.n);
        message->n_values = n_rows;
        message->values = metric->values;
        message->n_counts = metric->counts ? n_rows : 0;
        message->counts = metric->counts;
}

static int pack_metrics(struct packing *packing, const struct fold *fold) {
        size_t n = fold->n_metrics;

        if (n == 0)
                return 0;
        packing->metrics = calloc(n, sizeof(*packing->metrics));
        packing->metric_list = calloc(n, sizeof(*packing->metric_list));
        if (!packing->metrics || !packing->metric_list)
                return -ENOMEM;
        for (size_t m = 0; m < n; m++) {
                pack_metric(&packing->metrics[m], fold->metrics[m], fold->n_rows);
                packing->metric_list[m] = &packing->metrics[m];
        }
        packing->fold.n_metrics = n;
        packing->fold.metrics = packing->metric_list;
        return 0;
}

static int pack_rows(struct packing *packing, const struct fold *fold) {
        State__Rows *rows = &packing->rows;
        size_t n = fold->n_rows;

        if (n == 0)
                return 0;
        rows->x = calloc(n, sizeof(*rows->x));
        rows->step = calloc(n, sizeof(*rows->step));
        rows->ordinal = calloc(n, sizeof(*rows->ordinal));
        rows->claim = calloc(n, sizeof(*rows->claim));
        if (!rows->x || !rows->step || !rows->ordinal || !rows->claim)
                return -ENOMEM;
        for (size_t row = 0; row < n; row++) {
                rows->x[row] = fold->rows[row].x;
                rows->step[row] = fold->rows[row].step;
                rows->ordinal[row] = fold->rows[row].ordinal;
                rows->claim[row] = fold->rows[row].claim;
        }
        rows->n_x = rows->n_step = rows->n_ordinal = rows->n_claim = n;
        packing->fold.rows = rows;
        return 0;
}

static State__Claimed *pack_claimed(State__Claimed *message, struct claimed claimed) {
        state__claimed__init(message);
        SET_KNOWN(message, value, claimed.value);
        SET(message, claim, claimed.claim);
        return message;
}

static void pack_names(struct packing *packing, const struct fold *fold) {
        State__Fold *message = &packing->fold;

        message->n_left_out = fold->n_left_out < LEFT_OUT_NAMED ? fold->n_left_out : LEFT_OUT_NAMED;
        for (size_t i = 0; i < message->n_left_out; i++)
                packing->left_out[i] = borrow(fold->left_out[i]);
        message->left_out = packing->left_out;
        message->n_left_out_hashes = fold->n_left_out;
        message->left_out_hashes = fold->left_out_hashes;
        message->n_retired = fold->n_retired;
        for (size_t i = 0; i < fold->n_retired; i++)
                packing->retired[i] = borrow(fold->retired[i]);
        message->retired = packing->retired;
}

static void pack_x(struct packing *packing, const struct fold *fold) {
        State__Fold *message = &packing->fold;

        SET(message, asked_axis, fold->config.axis);
        SET(message, axis, fold->axis);
        SET(message, x_claim, fold->x_claim);
        SET(message, x_origin, fold->x_origin);
        SET_KNOWN(message, x_last, fold->x_last);
        SET_KNOWN(message, first_epoch, fold->first_epoch);
        SET(message, has_second_epoch, fold->has_second_epoch);
        SET(message, next_ordinal, fold->next_ordinal);
        SET(message, level, fold->level);
}

static void pack_run(struct packing *packing, const struct fold *fold) {
        State__Fold *message = &packing->fold;

        SET(message, next_arrival, fold->next_arrival);
        message->objective_metric = fold->objective_metric;
        SET(message, goal, fold->goal);
        message->epoch = pack_claimed(&packing->epoch, fold->epoch);
        message->step = pack_claimed(&packing->step, fold->step);
        message->total_epochs = pack_claimed(&packing->total_epochs, fold->total_epochs);
        message->has_output_path = fold->output_path != NULL;
        message->output_path = bytes_of(fold->output_path, slice_from(fold->output_path).size_bytes);
        message->has_checkpoint = fold->checkpoint != NULL;
        message->checkpoint = bytes_of(fold->checkpoint, slice_from(fold->checkpoint).size_bytes);
        SET_KNOWN(message, checkpoint_epoch, fold->checkpoint_epoch);
        SET(message, ended, fold->ended);
        SET(message, accepted, fold->accepted);
        SET(message, last_origin, (uint32_t)fold->last_origin);
}

static void pack_origins(struct packing *packing, const struct fold *fold) {
        for (size_t i = 0; i < fold->n_origins; i++) {
                pack_origin(&packing->origins[i], &fold->origins[i]);
                packing->origin_list[i] = &packing->origins[i];
        }
        packing->fold.n_origins = fold->n_origins;
        packing->fold.origins = packing->origin_list;
}

int fold_pack(const struct fold *fold, struct buffer *out) {
        CLEANUP(packing_release) struct packing packing = { .fold = STATE__FOLD__INIT, .rows = STATE__ROWS__INIT };
        size_t size_bytes;
        int r = pack_rows(&packing, fold);

        if (r == 0)
                r = pack_metrics(&packing, fold);
        if (r == 0 && fold->past)
                r = past_pack(&packing.past, fold->past);
        if (r < 0)
                return r;
        packing.fold.past = fold->past ? &packing.past.past : NULL;
        pack_origins(&packing, fold);
        pack_x(&packing, fold);
        pack_run(&packing, fold);
        pack_names(&packing, fold);
        size_bytes = state__fold__get_packed_size(&packing.fold);
        r = buffer_reserve(out, size_bytes);
        if (r < 0)
                return r;
        out->size_bytes += state__fold__pack(&packing.fold, (uint8_t *)out->data + out->size_bytes);
        return 0;
}

/* --- is it what a fold can be? --- */

static bool is_text(const char *text, size_t bytes_max) {
        struct slice rest = slice_from(text);

        if (!text || rest.size_bytes > bytes_max)
                return false;
        while (rest.size_bytes > 0) {
                size_t n = utf8_character(rest);

                if (n == 0)
                        return false;
                rest = (struct slice){ rest.data + n, rest.size_bytes - n };
        }
        return true;
}

static bool is_name(const char *text) {
        return is_text(text, FOLD_NAME_BYTES_MAX) && *text;
}

/* One that is there, or that of all sources past the limit, which what was evicted points to also
 * before it is there (origins.c). */
static bool is_origin(const State__Fold *message, uint32_t index) {
        return index < message->n_origins || (index == ORIGIN_SHARED && message->n_origins == ORIGIN_SHARED);
}

static bool are_origins(const State__Fold *message) {
        if (message->n_origins > ORIGINS_MAX || message->last_origin > message->n_origins)
                return false;
        for (size_t i = 0; i < message->n_origins; i++) {
                const State__Origin *origin = message->origins[i];

                if (origin->has_path == (i == ORIGIN_SHARED) || origin->claim == 0 || origin->claim > CLAIM_MAX)
                        return false;
        }
        return true;
}

static bool is_x(const State__Fold *message, enum axis asked) {
        if (message->asked_axis != (uint32_t)asked || message->axis > AXIS_EPOCH)
                return false;
        if (asked != AXIS_AUTO && message->axis != (uint32_t)asked)
                return false;
        return message->x_claim <= CLAIM_MAX && (message->x_claim == 0 || is_origin(message, message->x_origin));
}

static int compare_ordinals(const void *a, const void *b) {
        uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

        return (left > right) - (left < right);
}

/* Thinning makes room only where no two rows have the same. */
static int check_ordinals(const State__Rows *rows, uint64_t next_ordinal) {
        CLEANUP(cleanup_free) uint64_t *sorted = calloc(rows->n_ordinal, sizeof(*sorted));

        if (!sorted)
                return -ENOMEM;
        memcpy(sorted, rows->ordinal, rows->n_ordinal * sizeof(*sorted));
        qsort(sorted, rows->n_ordinal, sizeof(*sorted), compare_ordinals);
        for (size_t i = 1; i < rows->n_ordinal; i++)
                if (sorted[i] == sorted[i - 1])
                        return -EBADMSG;
        return sorted[rows->n_ordinal - 1] < next_ordinal ? 0 : -EBADMSG;
}

static int check_rows(const State__Fold *message) {
        const State__Rows *rows = message->rows;
        size_t n = rows ? rows->n_x : 0;

        if (n > FOLD_ROWS_MAX || message->level > 64)
                return -EBADMSG;
        if (n == 0)
                return 0;
        if (rows->n_step != n || rows->n_ordinal != n || rows->n_claim != n)
                return -EBADMSG;
        for (size_t row = 0; row < n; row++)
                if (isnan(rows->x[row]) || (row > 0 && rows->x[row] < rows->x[row - 1]) || rows->claim[row] > CLAIM_MAX)
                        return -EBADMSG;
        return check_ordinals(rows, message->next_ordinal);
}

static struct slice raw_of(const State__Metric *metric) {
        return (struct slice){ (const char *)metric->raw.data, metric->raw.len };
}

/* Of the past, and said by no source yet. */
static bool is_expected(const State__Fold *message, const State__Metric *metric) {
        return message->past && metric->origin == ORIGIN_SHARED;
}

static bool is_metric(const State__Fold *message, const State__Metric *metric) {
        size_t n_rows = message->rows ? message->rows->n_x : 0;

        if (!is_name(metric->name))
                return false;
        if (metric->raw.len > 0 && !metric_name_is_of(metric->name, raw_of(metric)))
                return false;
        if (metric->claim > CLAIM_MAX || metric->arrival >= message->next_arrival)
                return false;
        if (metric->claim == 0 ? !is_expected(message, metric) : !is_origin(message, metric->origin))
                return false;
        if (metric->also != ORIGIN_NONE && !is_origin(message, metric->also))
                return false;
        return metric->n_values == n_rows && (metric->n_counts == n_rows || metric->n_counts == 0);
}

static bool are_metrics(const State__Fold *message) {
        if (message->n_metrics > PACKED_METRICS_MAX)
                return false;
        for (size_t m = 0; m < message->n_metrics; m++) {
                if (!is_metric(message, message->metrics[m]))
                        return false;
                for (size_t other = 0; other < m; other++)
                        if (strcmp(message->metrics[m]->name, message->metrics[other]->name) == 0)
                                return false;
        }
        return true;
}

static bool are_names(const State__Fold *message) {
        size_t n_named = message->n_left_out_hashes < LEFT_OUT_NAMED ? message->n_left_out_hashes : LEFT_OUT_NAMED;

        if (message->n_left_out_hashes > LEFT_OUT_MAX || message->n_left_out != n_named || message->n_retired > RETIRED_MAX)
                return false;
        for (size_t i = 0; i < message->n_left_out; i++)
                if (!is_text(message->left_out[i], FOLD_NAME_BYTES_MAX))
                        return false;
        for (size_t i = 0; i < message->n_retired; i++)
                if (!is_name(message->retired[i]))
                        return false;
        return true;
}

static bool is_claim_of(const State__Claimed *claimed) {
        return !claimed || claimed->claim <= CLAIM_MAX;
}

static bool is_run(const State__Fold *message) {
        if (message->output_path.len > PATH_BYTES_MAX || message->checkpoint.len > PATH_BYTES_MAX)
                return false;
        if (message->objective_metric && !is_text(message->objective_metric, SIZE_MAX))
                return false;
        return message->goal <= GOAL_MAXIMIZE && is_claim_of(message->epoch) && is_claim_of(message->step) &&
               is_claim_of(message->total_epochs);
}

static int check(const State__Fold *message, const struct fold_config *config) {
        if (!are_origins(message) || !is_x(message, config->axis) || !are_metrics(message) || !are_names(message) ||
            !is_run(message) || (message->past && !past_is_valid(message->past)))
                return -EBADMSG;
        return check_rows(message);
}

/* --- into a fold --- */

#define KNOWN(message, field) ((message)->has_##field ? (message)->field : NAN)

static char *copy_bytes(ProtobufCBinaryData bytes) {
        char *copy = malloc(bytes.len + 1);

        if (!copy)
                return NULL;
        if (bytes.len > 0)
                memcpy(copy, bytes.data, bytes.len);
        copy[bytes.len] = '\0';
        return copy;
}

static int unpack_origins(struct fold *fold, const State__Fold *message) {
        for (size_t i = 0; i < message->n_origins; i++) {
                const State__Origin *origin = message->origins[i];
                char *path = origin->has_path ? copy_bytes(origin->path) : NULL;

                if (origin->has_path && !path)
                        return -ENOMEM;
                fold->origins[i] = (struct origin){
                        .path = path,
                        .path_bytes = path ? origin->path.len : 0,
                        .claim = (claim_t)origin->claim,
                        .is_moved = origin->is_moved,
                        .first_epoch = KNOWN(origin, first_epoch),
                        .epoch = KNOWN(origin, epoch),
                        .step = KNOWN(origin, step),
                        .trial = KNOWN(origin, trial),
                        .next_row = KNOWN(origin, next_row),
                        .x_last = KNOWN(origin, x_last),
                };
                fold->n_origins++;
        }
        fold->last_origin = message->last_origin;
        return 0;
}

static int unpack_rows(struct fold *fold, const State__Fold *message) {
        const State__Rows *rows = message->rows;
        size_t n = rows ? rows->n_x : 0;

        while (fold->rows_capacity < n) {
                int r;

                fold->n_rows = fold->rows_capacity; /* full: one step more */
                r = rows_reserve(fold);
                if (r < 0)
                        return r;
        }
        for (size_t row = 0; row < n; row++)
                fold->rows[row] = (struct row){
                        .x = rows->x[row],
                        .step = rows->step[row],
                        .ordinal = rows->ordinal[row],
                        .claim = (claim_t)rows->claim[row],
                };
        fold->n_rows = n;
        fold->next_ordinal = message->next_ordinal;
        fold->level = message->level;
        return 0;
}

/* The values change hands, so that they are not in memory twice. */
static int take_values(struct fold *fold, struct metric_state *metric, State__Metric *message) {
        double *values = realloc(message->values, (fold->rows_capacity + 1) * sizeof(*values));

        if (!values)
                return -ENOMEM;
        message->values = NULL;
        message->n_values = 0;
        free(metric->values);
        metric->values = values;
        for (size_t row = fold->n_rows; row < fold->rows_capacity; row++)
                values[row] = NAN;
        for (size_t row = 0; row < fold->n_rows && metric->counts; row++)
                metric->counts[row] = message->n_counts ? message->counts[row] : !isnan(values[row]);
        return 0;
}

static int unpack_metric(struct fold *fold, State__Metric *message) {
        struct metric_state *metric;
        int r = metric_new(&metric, fold, raw_of(message), message->name);

        if (r < 0)
                return r;
        fold->metrics[fold->n_metrics++] = metric;
        metric->arrival = message->arrival;
        metric->claim = (claim_t)message->claim;
        metric->origin = (uint8_t)message->origin;
        metric->also = (uint8_t)message->also;
        metric->is_replaced = message->is_replaced;
        metric->latest = KNOWN(message, latest);
        metric->last = KNOWN(message, last);
        metric->gone_min = KNOWN(message, gone_min);
        metric->gone_max = KNOWN(message, gone_max);
        metric->non_finite = message->non_finite;
        metric->first_epoch.value = KNOWN(message, first_epoch_value);
        metric->first_epoch.n = message->first_epoch_n;
        return take_values(fold, metric, message);
}

static int unpack_metrics(struct fold *fold, const State__Fold *message) {
        size_t capacity = message->n_metrics > fold->config.metrics_max ? message->n_metrics : fold->config.metrics_max;
        struct metric_state **metrics = reallocarray(fold->metrics, capacity, sizeof(struct metric_state *));
        int r = 0;

        if (!metrics)
                return -ENOMEM;
        fold->metrics = metrics;
        fold->next_arrival = message->next_arrival;
        for (size_t m = 0; m < message->n_metrics && r == 0; m++)
                r = unpack_metric(fold, message->metrics[m]);
        return r;
}

static void unpack_names(struct fold *fold, const State__Fold *message) {
        for (size_t i = 0; i < message->n_left_out_hashes; i++)
                fold->left_out_hashes[i] = message->left_out_hashes[i];
        fold->n_left_out = message->n_left_out_hashes;
        for (size_t i = 0; i < message->n_left_out; i++)
                (void)strcpy(fold->left_out[i], message->left_out[i]);
        for (size_t i = 0; i < message->n_retired; i++)
                (void)strcpy(fold->retired[i], message->retired[i]);
        fold->n_retired = message->n_retired;
}

static struct claimed claimed_of(const State__Claimed *message) {
        if (!message)
                return (struct claimed){ .value = NAN };
        return (struct claimed){ KNOWN(message, value), (claim_t)message->claim };
}

static int unpack_run(struct fold *fold, const State__Fold *message) {
        fold->axis = (enum axis)message->axis;
        fold->x_claim = (claim_t)message->x_claim;
        fold->x_origin = message->x_claim ? (uint8_t)message->x_origin : 0;
        fold->x_last = KNOWN(message, x_last);
        fold->first_epoch = KNOWN(message, first_epoch);
        fold->has_second_epoch = message->has_second_epoch;
        fold->epoch = claimed_of(message->epoch);
        fold->step = claimed_of(message->step);
        fold->total_epochs = claimed_of(message->total_epochs);
        fold->checkpoint_epoch = KNOWN(message, checkpoint_epoch);
        fold->ended = message->ended;
        fold->accepted = message->accepted;
        fold->goal = (enum goal)message->goal;
        if (message->objective_metric && !(fold->objective_metric = strdup(message->objective_metric)))
                return -ENOMEM;
        if (message->has_output_path && !(fold->output_path = copy_bytes(message->output_path)))
                return -ENOMEM;
        if (message->has_checkpoint && !(fold->checkpoint = copy_bytes(message->checkpoint)))
                return -ENOMEM;
        return 0;
}

/* What is set already is newer than what was kept, and what there is no place for leaves. */
static void settle(struct fold *fold, struct fold *before) {
        if (before->objective_metric) {
                free(fold->objective_metric);
                fold->objective_metric = STEAL(before->objective_metric);
                fold->goal = before->goal;
        }
        metrics_sort(fold);
        while (fold->n_metrics > fold->config.metrics_max)
                metrics_drop_last(fold);
}

static int unpack_message(struct fold *fold, const State__Fold *message) {
        CLEANUP(fold_freep) struct fold *fresh = NULL;
        struct fold before;
        int r = fold_new(&fresh, &fold->config);

        if (r == 0)
                r = unpack_origins(fresh, message);
        if (r == 0)
                r = unpack_rows(fresh, message);
        if (r == 0)
                r = unpack_metrics(fresh, message);
        if (r == 0)
                r = unpack_run(fresh, message);
        if (r < 0)
                return r;
        r = message->past ? past_unpack(fresh, message->past) : 0;
        if (r < 0)
                return r;
        unpack_names(fresh, message);
        settle(fresh, fold);
        before = *fold;
        *fold = *fresh;
        *fresh = before;
        return 0;
}

/* --- bytes to messages --- */

struct quota {
        size_t left_bytes;
        bool is_memory_short;
};

static void *quota_alloc(void *userdata, size_t size_bytes) {
        struct quota *quota = userdata;
        void *memory;

        if (size_bytes > quota->left_bytes)
                return NULL;
        quota->left_bytes -= size_bytes;
        memory = malloc(size_bytes);
        quota->is_memory_short = quota->is_memory_short || !memory;
        return memory;
}

static void quota_free(void *userdata, void *memory) {
        (void)userdata;
        free(memory);
}

int fold_unpack(struct fold *fold, struct slice bytes) {
        struct quota quota = { .left_bytes = UNPACKED_BYTES_MAX };
        ProtobufCAllocator allocator = { quota_alloc, quota_free, &quota };
        State__Fold *message = state__fold__unpack(&allocator, bytes.size_bytes, (const uint8_t *)bytes.data);
        int r;

        if (!message)
                return quota.is_memory_short ? -ENOMEM : -EBADMSG;
        r = check(message, &fold->config);
        if (r == 0)
                r = unpack_message(fold, message);
        state__fold__free_unpacked(message, &allocator);
        return r;
}
