#include "source/said.h"

#include <stdlib.h>
#include <string.h>

enum { CAPACITY_FIRST = 64 };

/* --- hashes --- */

static uint64_t mix(uint64_t value) {
        value = (value ^ (value >> 32)) * 0x9e3779b97f4a7c15u;
        return value ^ (value >> 29);
}

static uint64_t hash_number(uint64_t salt, double value) {
        uint64_t bits;

        memcpy(&bits, &value, sizeof(bits));
        return mix(bits + salt * 0x9e3779b97f4a7c15u);
}

/* The order of metrics does not matter: some trainers write columns in another order each time. */
static uint64_t hash_record(const struct record *record) {
        uint64_t hash = hash_number(1, record->epoch) + hash_number(2, record->step) +
                        hash_number(3, record->trial) + hash_number(4, record->row);

        for (size_t i = 0; i < record->n_metrics; i++)
                hash += hash_number(record->metrics[i].name.size_bytes + 5, record->metrics[i].value);
        return hash;
}

static uint32_t fold_hash(uint64_t hash) {
        return (uint32_t)(hash ^ (hash >> 32));
}

uint32_t said_hash(const struct record *record) {
        return fold_hash(hash_record(record));
}

static bool reserve(struct said *said, size_t index) {
        size_t capacity = said->capacity * 2 < CAPACITY_FIRST ? CAPACITY_FIRST : said->capacity * 2;
        uint32_t *hashes;

        if (index < said->capacity)
                return true;
        if (index >= SAID_MAX)
                return false;
        /* After a replay, the first index is that of the record that follows it. */
        while (capacity <= index)
                capacity *= 2;
        hashes = reallocarray(said->hashes, capacity, sizeof(*hashes));
        if (!hashes)
                return false;
        memset(hashes + said->capacity, 0, (capacity - said->capacity) * sizeof(*hashes));
        said->hashes = hashes;
        said->capacity = capacity;
        return true;
}

/* --- taking --- */

/* The same record at the same place as before? */
static enum saying compare(struct said *said, size_t index, uint32_t hash) {
        if (index < said->n_hashes && said->hashes[index] == hash)
                return SAYING_AGAIN;
        if (reserve(said, index)) {
                said->hashes[index] = hash;
                if (index >= said->n_hashes)
                        said->n_hashes = index + 1;
        }
        return SAYING_NEW;
}

enum saying said_take_record(struct said *said, const struct record *record) {
        uint64_t hash = hash_record(record), index = said->n_records++;

        said->chain = mix(said->chain + hash);
        if (said->is_contradicted)
                return SAYING_HANDED_ON;
        if (index >= said->replay_records)
                return compare(said, index, fold_hash(hash));
        if (said->n_records == said->replay_records)
                said->is_contradicted = said->chain != said->replay_chain;
        return SAYING_HANDED_ON;
}

enum saying said_take_reject(struct said *said) {
        return said->is_contradicted || said->n_rejects++ < said->replay_rejects ? SAYING_HANDED_ON : SAYING_NEW;
}

/* --- starting --- */

void said_release(struct said *said) {
        free(said->hashes);
        *said = (struct said){ 0 };
}

void said_inherit(struct said *said, const struct said *other) {
        uint32_t *hashes = malloc(other->n_hashes * sizeof(*hashes) + 1);

        if (!hashes)
                return;
        if (other->n_hashes > 0)
                memcpy(hashes, other->hashes, other->n_hashes * sizeof(*hashes));
        free(said->hashes);
        said->hashes = hashes;
        said->n_hashes = said->capacity = other->n_hashes;
}

void said_start_over(struct said *said) {
        said->n_records = said->chain = said->n_rejects = 0;
        said->replay_records = said->replay_chain = said->replay_rejects = 0;
        said->is_contradicted = false;
}

void said_replay(struct said *said) {
        uint64_t records = said_records(said), chain = said_chain(said), rejects = said_rejects(said);

        said_start_over(said);
        said->replay_records = records;
        said->replay_chain = chain;
        said->replay_rejects = rejects;
}

uint64_t said_records(const struct said *said) {
        return said->n_records < said->replay_records ? said->replay_records : said->n_records;
}

uint64_t said_chain(const struct said *said) {
        return said->n_records < said->replay_records ? said->replay_chain : said->chain;
}

uint64_t said_rejects(const struct said *said) {
        return said->n_rejects < said->replay_rejects ? said->replay_rejects : said->n_rejects;
}
