#include "formats/draft.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { NAMES_BYTES_MAX = 64 * 1024, METRICS_FIRST = 16 };

void draft_start(struct draft *draft) {
        draft->names.limit_bytes = NAMES_BYTES_MAX;
        buffer_clear(&draft->names);
        draft->n_metrics = 0;
        draft->record = RECORD_EMPTY;
        memset(draft->ranks, 0xff, sizeof(draft->ranks));
}

void draft_release(struct draft *draft) {
        buffer_release(&draft->names);
        free(draft->metrics);
        free(draft->views);
        *draft = (struct draft){ 0 };
}

struct slice draft_name(const struct draft *draft, size_t i) {
        return (struct slice){ draft->names.data + draft->metrics[i].name_start, draft->metrics[i].name_bytes };
}

static int reserve(struct draft *draft) {
        size_t capacity = draft->capacity ? 2 * draft->capacity : METRICS_FIRST;
        struct draft_metric *metrics;
        struct metric *views;

        if (draft->n_metrics < draft->capacity)
                return 0;
        metrics = reallocarray(draft->metrics, capacity, sizeof(*metrics));
        if (!metrics)
                return -ENOMEM;
        draft->metrics = metrics;
        views = reallocarray(draft->views, capacity, sizeof(*views));
        if (!views)
                return -ENOMEM;
        draft->views = views;
        draft->capacity = capacity;
        return 0;
}

static bool is_joined(struct slice whole, struct slice prefix, struct slice name) {
        return whole.size_bytes == prefix.size_bytes + name.size_bytes && slice_starts_with(whole, prefix) &&
               (name.size_bytes == 0 || memcmp(whole.data + prefix.size_bytes, name.data, name.size_bytes) == 0);
}

bool draft_has(const struct draft *draft, struct slice name) {
        for (size_t i = 0; i < draft->n_metrics; i++)
                if (slice_equal(draft_name(draft, i), name))
                        return true;
        return false;
}

int draft_add(struct draft *draft, struct slice prefix, struct slice name, double value) {
        size_t start = draft->names.size_bytes;
        int r = reserve(draft);

        for (size_t i = 0; i < draft->n_metrics; i++)
                if (is_joined(draft_name(draft, i), prefix, name))
                        return 0;
        if (r < 0 || draft->n_metrics == RECORD_METRICS_MAX || prefix.size_bytes + name.size_bytes == 0)
                return r;
        r = buffer_reserve(&draft->names, prefix.size_bytes + name.size_bytes);
        if (r < 0)
                return r == -ENOBUFS ? 0 : r; /* more names than anyone reads */
        (void)buffer_append(&draft->names, prefix.data, prefix.size_bytes);
        (void)buffer_append(&draft->names, name.data, name.size_bytes);
        draft->metrics[draft->n_metrics++] = (struct draft_metric){ start, prefix.size_bytes + name.size_bytes, value };
        return 0;
}

bool draft_set_x(struct draft *draft, struct key key, double value) {
        if (!isfinite(value) || key.rank >= draft->ranks[key.role])
                return false;
        draft->ranks[key.role] = key.rank;
        key_set(&draft->record, key.role, value);
        return true;
}

bool draft_has_x(const struct draft *draft) {
        return !isnan(draft->record.epoch) || !isnan(draft->record.step) || !isnan(draft->record.trial);
}

bool draft_is_alike(const struct draft *a, const struct draft *b) {
        if (a->n_metrics != b->n_metrics || a->names.size_bytes != b->names.size_bytes)
                return false;
        return a->names.size_bytes == 0 || memcmp(a->names.data, b->names.data, a->names.size_bytes) == 0;
}

void draft_deliver(struct draft *draft, struct parse_context *context) {
        struct record record = draft->record;

        for (size_t i = 0; i < draft->n_metrics; i++)
                draft->views[i] = (struct metric){ draft_name(draft, i), draft->metrics[i].value };
        record.metrics = draft->views;
        record.n_metrics = draft->n_metrics;
        record.source = context->source;
        context->sink->take_record(context->sink->userdata, &record);
}
