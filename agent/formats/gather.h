/* Pieces of a binary file that come in chunks, each in one piece: looked at where they lie when they
 * are there as a whole, and otherwise kept until the rest has come. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"

struct gather {
        struct buffer kept; /* the start of a piece */
        bool is_taken;      /* what is kept was taken */
};

/* No piece is over limit_bytes. */
#define GATHER_INIT(limit_bytes) ((struct gather){ .kept = BUFFER_INIT(limit_bytes) })

void gather_release(struct gather *gather);

/* The first size_bytes of what was not taken. 1; 0: they are not all there, all bytes are kept;
 * -ENOMEM. *ret_start is valid until the next look, and with bytes. */
int gather_look(struct gather *gather, struct slice *bytes, size_t size_bytes, const char **ret_start);

/* Takes what the last look showed, size_bytes of it. */
void gather_take(struct gather *gather, struct slice *bytes, size_t size_bytes);

/* Passes over at most size_bytes of bytes, while no piece is kept; returns how many. */
size_t gather_skip(struct slice *bytes, uint64_t size_bytes);

/* Forgets what is kept. */
void gather_clear(struct gather *gather);

/* Bytes of a piece that is not complete. */
size_t gather_kept_bytes(const struct gather *gather);
