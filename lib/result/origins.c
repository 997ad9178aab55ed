#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "result/fold_state.h"

/* --- how much a source counts --- */

/* The length of a word for one of several processes at the start of text, with its separator. */
static size_t process_word(struct slice text) {
        static const char *const words[] = { "rank", "worker", "process", "proc", "node", "gpu", "replica" };

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
                size_t n = strlen(words[i]);

                if (text.size_bytes <= n || strncasecmp(text.data, words[i], n) != 0)
                        continue;
                n += text.data[n] == '-' || text.data[n] == '_' || text.data[n] == '.';
                return n < text.size_bytes && isdigit((unsigned char)text.data[n]) ? n : 0;
        }
        return 0;
}

/* Is it of another process than the first? rank1.log, worker-2/metrics.csv, local_rank_3.txt. */
static bool is_secondary(struct slice path) {
        for (size_t i = 0; i < path.size_bytes; i++) {
                size_t n;

                if (i > 0 && isalpha((unsigned char)path.data[i - 1]))
                        continue;
                n = process_word((struct slice){ path.data + i, path.size_bytes - i });
                for (size_t at = i + n; n > 0 && at < path.size_bytes && isdigit((unsigned char)path.data[at]); at++)
                        if (path.data[at] != '0')
                                return true;
        }
        return false;
}

static claim_t claim_of(const struct record *record, bool secondary) {
        return (claim_t)(1 + (record->is_snapshot ? 0 : CLAIM_HISTORY) + 2 * (int)record->rank + !secondary);
}

/* --- the table --- */

static bool origin_is(const struct origin *origin, const struct record *record) {
        return slice_equal(record->source, (struct slice){ origin->path, origin->path_bytes }) &&
               (origin->claim == claim_of(record, false) || origin->claim == claim_of(record, true));
}

static void origin_start(struct origin *origin, claim_t claim) {
        free(origin->path);
        *origin = (struct origin){
                .claim = claim, .first_epoch = NAN, .epoch = NAN, .step = NAN, .trial = NAN, .x_last = NAN,
        };
}

/* What it owned is now owned by one of the many. */
static void origin_evict(struct fold *fold, uint8_t evicted) {
        for (size_t m = 0; m < fold->n_metrics; m++) {
                struct metric_state *metric = fold->metrics[m];

                if (metric->origin == evicted)
                        metric->origin = ORIGIN_SHARED;
                if (metric->also == evicted)
                        metric->also = ORIGIN_SHARED;
        }
        if (fold->x_origin == evicted)
                fold->x_origin = ORIGIN_SHARED;
}

/* A place for one more source: a free one, or that of one that counts less, else the shared one. */
static uint8_t origin_place(struct fold *fold, claim_t claim) {
        uint8_t least = 0;

        if (fold->n_origins < ORIGIN_SHARED)
                return (uint8_t)fold->n_origins++;
        for (uint8_t i = 1; i < ORIGIN_SHARED; i++)
                if (fold->origins[i].claim < fold->origins[least].claim)
                        least = i;
        if (fold->origins[least].claim >= claim)
                return ORIGIN_SHARED;
        origin_evict(fold, least);
        return least;
}

/* Sources past the limit share what is remembered of x, but each keeps its own claim. */
static void origin_share(struct fold *fold, claim_t claim) {
        struct origin *shared = &fold->origins[ORIGIN_SHARED];

        if (fold->n_origins < ORIGINS_MAX)
                origin_start(shared, claim);
        fold->n_origins = ORIGINS_MAX;
        shared->claim = claim;
}

int origin_find(struct fold *fold, const struct record *record, uint8_t *ret_origin) {
        struct slice path = record->source;
        claim_t claim;
        char *copy;

        for (size_t i = 0; i < fold->n_origins; i++) {
                size_t at = (fold->last_origin + i) % fold->n_origins;

                if (at != ORIGIN_SHARED && origin_is(&fold->origins[at], record)) {
                        *ret_origin = (uint8_t)(fold->last_origin = at);
                        return 0;
                }
        }
        claim = claim_of(record, is_secondary(path));
        copy = malloc(path.size_bytes + 1);
        if (!copy)
                return -ENOMEM;
        *ret_origin = origin_place(fold, claim);
        fold->last_origin = *ret_origin;
        if (*ret_origin == ORIGIN_SHARED) {
                free(copy);
                origin_share(fold, claim);
                return 0;
        }
        origin_start(&fold->origins[*ret_origin], claim);
        if (path.size_bytes > 0)
                memcpy(copy, path.data, path.size_bytes);
        copy[path.size_bytes] = '\0';
        fold->origins[*ret_origin].path = copy;
        fold->origins[*ret_origin].path_bytes = path.size_bytes;
        return 0;
}

void origins_free(struct fold *fold) {
        for (size_t i = 0; i < fold->n_origins; i++)
                free(fold->origins[i].path);
}
