/* What one file has said. A file that is written anew says much of it again, and one that is read
 * again after a restart says all of it: the first is marked, the second not handed on. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "result/record.h"

enum {
        SAID_MAX = 8 * 1024, /* records whose repetition is noticed: four times the rows that a fold keeps */
};

/* Zeroed: nothing was said. */
struct said {
        uint32_t *hashes; /* owned; of the records since the last start, and behind these of those before it */
        size_t n_hashes, capacity;
        uint64_t n_records, chain; /* since the last start; chain: a hash of them in their order */
        uint64_t n_rejects;
        /* Until so many have come again, they were handed on before a restart of ours. The last may come
         * later than it came then, when an unfinished line was taken as the last one. */
        uint64_t replay_records, replay_chain, replay_rejects;
        bool is_contradicted;      /* it said something else this time */
};

enum saying {
        SAYING_NEW,
        SAYING_AGAIN,     /* the source said the same at this place before */
        SAYING_HANDED_ON, /* before we were restarted: this is only to know where its parser was */
};

void said_release(struct said *said);

/* By which a record is told from others. */
uint32_t said_hash(const struct record *record);

/* What the other one said counts as said by this one, which said nothing yet. Without memory for it
 * nothing is told apart. */
void said_inherit(struct said *said, const struct said *other);

/* The file is read from its start: what it says now is compared with what it said before. */
void said_start_over(struct said *said);

/* It is read from its start only to get where we were: the first n_records records and n_rejects
 * rejects were handed on. */
void said_replay(struct said *said);

/* Counts one more. */
enum saying said_take_record(struct said *said, const struct record *record);
enum saying said_take_reject(struct said *said);

/* Counts as handed on, also while it is read again. */
uint64_t said_records(const struct said *said);
uint64_t said_chain(const struct said *said);
uint64_t said_rejects(const struct said *said);
