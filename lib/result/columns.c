#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "result/fold_state.h"

/* --- names --- */

/* FNV-1a, by Fowler, Noll and Vo. */
static uint64_t hash_byte(uint64_t hash, char byte) {
        return (hash ^ (uint8_t)byte) * 0x100000001b3u;
}

enum { HASH_BYTES = 9 }; /* ~ and 8 hexadecimal digits */
static const uint64_t hash_start = 0xcbf29ce484222325u;

static uint64_t hash_name(struct slice name) {
        uint64_t hash = hash_start;

        for (size_t i = 0; i < name.size_bytes; i++)
                hash = hash_byte(hash, name.data[i]);
        return hash;
}

/* Copies name as well-formed UTF-8, with '?' for each byte that is not or that is a control character's, cut so that names that
 * differ stay different. */
static void name_clean(struct slice name, char ret_name[static FOLD_NAME_BYTES_MAX + 1]) {
        struct slice rest = name;
        size_t size = 0;
        bool is_long = name.size_bytes > FOLD_NAME_BYTES_MAX;
        size_t limit = is_long ? FOLD_NAME_BYTES_MAX - HASH_BYTES : FOLD_NAME_BYTES_MAX;

        while (rest.size_bytes > 0) {
                size_t n = utf8_character(rest);

                if (size + (n ? n : 1) > limit)
                        break;
                if (n)
                        memcpy(ret_name + size, rest.data, n);
                else
                        ret_name[size] = '?';
                size += n ? n : 1;
                rest = (struct slice){ rest.data + (n ? n : 1), rest.size_bytes - (n ? n : 1) };
        }
        utf8_hide_controls(ret_name, size);
        if (is_long)
                (void)snprintf(ret_name + size, HASH_BYTES + 1, "~%08x", (unsigned)hash_name(name));
        else
                ret_name[size] = '\0';
}

bool metric_name_is_of(const char *name, struct slice raw) {
        char clean[FOLD_NAME_BYTES_MAX + 1];

        name_clean(raw, clean);
        return strcmp(name, clean) == 0;
}

static bool is_letter(char c) {
        return isalnum((unsigned char)c) || ((unsigned char)c & 0x80);
}

static const char *skip_to_letter(const char *at) {
        while (*at && !is_letter(*at))
                at++;
        return at;
}

bool name_is_same(const char *a, const char *b) {
        const char *at_a = skip_to_letter(a), *at_b = skip_to_letter(b);

        if (!*at_a && !*at_b)
                return strcmp(a, b) == 0;
        while (*at_a && *at_a == *at_b) {
                at_a = skip_to_letter(at_a + 1);
                at_b = skip_to_letter(at_b + 1);
        }
        return *at_a == *at_b;
}

uint64_t hash_letters(const char *name) {
        uint64_t hash = hash_start;

        for (const char *at = skip_to_letter(name); *at; at = skip_to_letter(at + 1))
                hash = hash_byte(hash, *at);
        return hash;
}

/* --- values on their way to one --- */

static double aggregate_values(enum aggregate aggregate, double old, uint32_t n_old, double new) {
        if (n_old == 0 || isnan(old))
                return new;
        switch (aggregate) {
        case AGGREGATE_MEAN:
                return old + (new - old) / ((double)n_old + 1);
        case AGGREGATE_MIN:
                return fmin(old, new);
        case AGGREGATE_MAX:
                return fmax(old, new);
        case AGGREGATE_LAST:
                break;
        }
        return new;
}

void accumulator_add(struct accumulator *accumulator, enum aggregate aggregate, double value) {
        if (isfinite(value)) {
                accumulator->value = aggregate_values(aggregate, accumulator->value, accumulator->n, value);
                accumulator->n++;
        } else if (aggregate == AGGREGATE_LAST) {
                accumulator->value = NAN;
        }
}

/* --- one metric --- */

void metric_free(struct metric_state *metric) {
        if (!metric)
                return;
        free(metric->values);
        free(metric->counts);
        free(metric);
}

static enum aggregate rule_for(const struct fold_config *config, const char *name) {
        enum aggregate aggregate = AGGREGATE_LAST;
        bool named = false;

        for (size_t i = 0; i < config->n_rules; i++) {
                const struct aggregate_rule *rule = &config->rules[i];

                if (rule->metric && strcmp(rule->metric, name) == 0) {
                        aggregate = rule->aggregate;
                        named = true;
                } else if (!rule->metric && !named) {
                        aggregate = rule->aggregate;
                }
        }
        return aggregate;
}

static void metric_set_name(struct metric_state *metric, struct slice raw, const char *name) {
        (void)snprintf(metric->name, sizeof(metric->name), "%s", name);
        if (raw.size_bytes > 0 && raw.size_bytes <= sizeof(metric->raw)) {
                memcpy(metric->raw, raw.data, raw.size_bytes);
                metric->raw_bytes = raw.size_bytes;
        }
        metric->letters_hash = hash_letters(name);
        metric->kind = metric_kind_of(slice_from(name));
}

int metric_new(struct metric_state **ret_metric, const struct fold *fold, struct slice raw, const char *name) {
        struct metric_state *metric = calloc(1, sizeof(*metric));

        if (!metric)
                return -ENOMEM;
        metric_set_name(metric, raw, name);
        metric->also = ORIGIN_NONE;
        metric->aggregate = rule_for(&fold->config, name);
        metric->latest = metric->last = metric->gone_min = metric->gone_max = NAN;
        metric->first_epoch.value = NAN;

        metric->values = malloc((fold->rows_capacity + 1) * sizeof(*metric->values));
        if (metric->aggregate == AGGREGATE_MEAN)
                metric->counts = calloc(fold->rows_capacity + 1, sizeof(*metric->counts));
        if (!metric->values || (metric->aggregate == AGGREGATE_MEAN && !metric->counts)) {
                metric_free(metric);
                return -ENOMEM;
        }
        for (size_t row = 0; row < fold->rows_capacity; row++)
                metric->values[row] = NAN;
        *ret_metric = metric;
        return 0;
}

/* --- finding --- */

static struct metric_state *find_raw(struct fold *fold, struct slice raw, size_t hint) {
        uint8_t *start = &fold->hints[hint % HINTS_MAX];

        for (size_t i = 0; i < fold->n_metrics; i++) {
                size_t at = (*start + i) % fold->n_metrics;
                struct metric_state *metric = fold->metrics[at];

                if (metric->raw_bytes && slice_equal(raw, (struct slice){ metric->raw, metric->raw_bytes })) {
                        *start = (uint8_t)at;
                        return metric;
                }
        }
        return NULL;
}

/* A name that another source writes differently; of one source, two spellings are two metrics. */
static struct metric_state *find_same(const struct fold *fold, const char *name, uint8_t origin) {
        uint64_t hash = hash_letters(name);
        struct metric_state *found = NULL;

        for (size_t i = 0; i < fold->n_metrics; i++) {
                struct metric_state *metric = fold->metrics[i];

                if (metric->letters_hash == hash && metric->origin != origin && name_is_same(metric->name, name) &&
                    (!found || metric->claim > found->claim))
                        found = metric;
        }
        return found;
}

struct metric_state *metric_find(struct fold *fold, struct slice raw, size_t hint, uint8_t origin) {
        struct metric_state *metric = find_raw(fold, raw, hint);
        char name[FOLD_NAME_BYTES_MAX + 1];

        if (metric)
                return metric;
        name_clean(raw, name);
        for (size_t i = 0; i < fold->n_metrics; i++)
                if (strcmp(fold->metrics[i]->name, name) == 0)
                        return fold->metrics[i];
        return find_same(fold, name, origin);
}

/* --- names that are not there any more, or never were --- */

static void leave_out(struct fold *fold, struct slice raw, const char *name) {
        uint64_t hash = hash_name(raw);

        if (fold->n_left_out == LEFT_OUT_MAX)
                return;
        for (size_t i = 0; i < fold->n_left_out; i++)
                if (fold->left_out_hashes[i] == hash)
                        return;
        if (fold->n_left_out < LEFT_OUT_NAMED)
                (void)snprintf(fold->left_out[fold->n_left_out], sizeof(fold->left_out[0]), "%s", name);
        fold->left_out_hashes[fold->n_left_out++] = hash;
}

/* It has got a place after all. */
static void take_in(struct fold *fold, struct slice raw) {
        uint64_t hash = hash_name(raw);
        size_t at = 0;

        while (at < fold->n_left_out && fold->left_out_hashes[at] != hash)
                at++;
        if (at == fold->n_left_out)
                return;
        memmove(fold->left_out_hashes + at, fold->left_out_hashes + at + 1,
                (--fold->n_left_out - at) * sizeof(*fold->left_out_hashes));
        if (at >= LEFT_OUT_NAMED)
                return;
        memmove(fold->left_out[at], fold->left_out[at + 1], (LEFT_OUT_NAMED - 1 - at) * sizeof(fold->left_out[0]));
        fold->left_out[LEFT_OUT_NAMED - 1][0] = '\0';
}

/* It has come back. */
static void unretire(struct fold *fold, const char *name) {
        for (size_t i = 0; i < fold->n_retired; i++)
                if (strcmp(fold->retired[i], name) == 0) {
                        memmove(fold->retired[i], fold->retired[i + 1],
                                (--fold->n_retired - i) * sizeof(fold->retired[0]));
                        return;
                }
}

/* Past the limit the oldest is forgotten: its key was taken out long ago. */
static void retire(struct fold *fold, const char *name) {
        unretire(fold, name);
        if (fold->n_retired == RETIRED_MAX)
                memmove(fold->retired[0], fold->retired[1], --fold->n_retired * sizeof(fold->retired[0]));
        (void)snprintf(fold->retired[fold->n_retired++], sizeof(fold->retired[0]), "%s", name);
}

/* --- rank --- */

static bool is_objective(const struct fold *fold, const struct metric_state *metric) {
        return fold->objective_metric && name_is_same(fold->objective_metric, metric->name);
}

bool fold_has_objective(const struct fold *fold) {
        return fold->n_metrics > 0 && is_objective(fold, fold->metrics[0]);
}

/* Does a come before b? The objective, then results, schedules last; as they came within each. */
static bool ranks_before(const struct fold *fold, const struct metric_state *a, const struct metric_state *b) {
        bool first_a = is_objective(fold, a), first_b = is_objective(fold, b);

        if (first_a != first_b)
                return first_a;
        return a->kind != b->kind ? a->kind < b->kind : a->arrival < b->arrival;
}

void metrics_sort(struct fold *fold) {
        for (size_t i = 1; i < fold->n_metrics; i++) {
                struct metric_state *metric = fold->metrics[i];
                size_t at = i;

                for (; at > 0 && ranks_before(fold, metric, fold->metrics[at - 1]); at--)
                        fold->metrics[at] = fold->metrics[at - 1];
                fold->metrics[at] = metric;
        }
}

static void remove_at(struct fold *fold, size_t rank) {
        metric_free(fold->metrics[rank]);
        memmove(fold->metrics + rank, fold->metrics + rank + 1,
                (--fold->n_metrics - rank) * sizeof(*fold->metrics));
}

/* --- claiming --- */

/* The last that no source has said yet, but an earlier attempt had; SIZE_MAX: none. */
static size_t find_expected(const struct fold *fold) {
        for (size_t rank = fold->n_metrics; rank-- > 0;)
                if (fold->metrics[rank]->claim == 0)
                        return rank;
        return SIZE_MAX;
}

/* Has a metric that comes now a place? Where all are taken, that of the last of a worse kind. */
static bool has_place(const struct fold *fold, const struct metric_state *metric) {
        const struct metric_state *last;

        if (fold->n_metrics < fold->config.metrics_max || find_expected(fold) != SIZE_MAX)
                return true;
        last = fold->metrics[fold->n_metrics - 1];
        return is_objective(fold, metric) ? !is_objective(fold, last) || fold->config.metrics_max > 1
                                          : metric->kind < last->kind && !is_objective(fold, last);
}

static void drop(struct fold *fold, size_t rank) {
        const struct metric_state *metric = fold->metrics[rank];

        leave_out(fold, slice_from(metric->name), metric->name);
        retire(fold, metric->name);
        remove_at(fold, rank);
}

void metrics_drop_last(struct fold *fold) {
        drop(fold, fold->n_metrics - 1);
}

static void make_place(struct fold *fold) {
        size_t expected = find_expected(fold);

        if (fold->n_metrics == fold->config.metrics_max)
                drop(fold, expected != SIZE_MAX ? expected : fold->n_metrics - 1);
}

/* Remembers another source that says it: the one that counts most, so that notes do not flap. */
static void note_also(const struct fold *fold, struct metric_state *metric, uint8_t origin) {
        if (metric->also == ORIGIN_NONE || fold->origins[origin].claim > fold->origins[metric->also].claim)
                metric->also = origin;
}

/* Takes the name from all sources that count less than the new owner. */
static void withdraw(struct fold *fold, struct metric_state *owner) {
        for (size_t rank = fold->n_metrics; rank-- > 0;) {
                const struct metric_state *metric = fold->metrics[rank];

                if (metric->letters_hash != owner->letters_hash || metric->claim >= owner->claim ||
                    !name_is_same(metric->name, owner->name))
                        continue;
                if (strcmp(metric->name, owner->name) != 0)
                        retire(fold, metric->name);
                owner->arrival = metric->arrival < owner->arrival ? metric->arrival : owner->arrival;
                if (metric->claim > 0) {
                        note_also(fold, owner, metric->origin);
                        owner->is_replaced = true;
                }
                remove_at(fold, rank);
        }
        if (owner->is_replaced)
                rows_drop_empty(fold, owner->claim);
}

static int metric_add(struct fold *fold, struct slice raw, uint8_t origin, bool is_known) {
        char name[FOLD_NAME_BYTES_MAX + 1];
        struct metric_state *metric;
        int r;

        if (fold->n_metrics < fold->config.metrics_max)
                rows_make_way(fold);
        name_clean(raw, name);
        r = metric_new(&metric, fold, raw, name);
        if (r < 0)
                return r;
        metric->origin = origin;
        metric->claim = fold->origins[origin].claim;
        metric->arrival = fold->next_arrival++;
        if (is_known) {
                withdraw(fold, metric);
        } else if (!has_place(fold, metric)) {
                leave_out(fold, raw, name);
                metric_free(metric);
                return 0;
        }
        make_place(fold);
        unretire(fold, name);
        take_in(fold, raw);
        fold->metrics[fold->n_metrics++] = metric;
        metrics_sort(fold);
        return 0;
}

int metric_expect(struct fold *fold, const char *raw) {
        struct metric_state *metric;
        char name[FOLD_NAME_BYTES_MAX + 1];
        int r;

        if (fold->n_metrics >= fold->config.metrics_max || metric_find(fold, slice_from(raw), 0, ORIGIN_NONE))
                return 0;
        rows_make_way(fold);
        name_clean(slice_from(raw), name);
        r = metric_new(&metric, fold, slice_from(raw), name);
        if (r < 0)
                return r;
        metric->origin = ORIGIN_SHARED;
        metric->arrival = fold->next_arrival++;
        fold->metrics[fold->n_metrics++] = metric;
        metrics_sort(fold);
        return 0;
}

int metric_claim(struct fold *fold, struct slice raw, size_t hint, uint8_t origin) {
        claim_t claim = fold->origins[origin].claim;
        struct metric_state *metric = metric_find(fold, raw, hint, origin);

        if (metric && metric->claim >= claim) {
                if (metric->claim > claim)
                        note_also(fold, metric, origin);
                return 0;
        }
        return metric_add(fold, raw, origin, metric != NULL);
}
