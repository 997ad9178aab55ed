/* What people are told of the run: its condition, and the notes. All of it is text in a Result's status. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "formats/format.h"
#include "result/fold.h"
#include "result/result.h"
#include "source/tail.h"

enum {
        CONDITION_BYTES_MAX = 640, /* of the message; the CRD allows 1,024 */
        CLOSE_CALL_BYTES_MAX = 160,
};

/* What facts points to; all "" at first. */
struct condition {
        char message[CONDITION_BYTES_MAX + 1];
        char notes[FOLD_NOTES_MAX][FOLD_NOTE_BYTES_MAX + 1];
        char loss[FOLD_NOTE_BYTES_MAX + 1];        /* what was lost of a file, last */
        char close_call[CLOSE_CALL_BYTES_MAX + 1]; /* the last line that looked close to a metric */
        bool has_output; /* the trainer is our child, and has printed something */
};

/* A line that looked close to a metric and was none: the best hint when nothing else was found. */
void condition_note_close_call(struct condition *condition, const struct reject *reject);
/* A file at path was truncated or deleted; all_lost_bytes of all files are known to be lost. */
void condition_note_loss(struct condition *condition, const char *path, uint64_t lost_bytes, uint64_t all_lost_bytes);

/* Says in facts why there is no curve, or that there is one, and what is to be noted. place: where metrics are
 * to be written. A change of the reason is of now_us. */
void condition_update(struct condition *condition, struct result_facts *facts, struct fold *fold, struct tail *tail,
                      const char *place, int64_t now_us);
