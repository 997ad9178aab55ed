/* The fingerprint of what was read of a file: by it a file that was written anew is told from one that
 * grew, and a copy from a file of its own. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/slice.h"

enum {
        PRINT_HEAD_BYTES = 1024, /* of the file's start */
        PRINT_TAIL_BYTES = 256,  /* before where we are */
};

/* Zeroed: nothing was read. */
struct print {
        uint64_t offset_bytes;         /* how far the file was read */
        uint64_t head_hash, tail_hash; /* of the bytes at its start, and of those before offset_bytes */
};

size_t print_head_bytes(const struct print *print);
size_t print_tail_bytes(const struct print *print);

/* Takes what was read. bytes begins print_tail_bytes() before offset_bytes, so that the last of what was
 * read before is seen again. */
void print_take(struct print *print, struct slice bytes);

/* Begins bytes, as print_take() has them, with what was read there before? */
bool print_goes_on(const struct print *print, struct slice bytes);

/* Does the file still begin as it did? Also when it cannot be read: that is another matter. */
bool print_has_head(const struct print *print, int fd);
/* Begins it so, and stands before offset_bytes what did? Then it is that file, or a copy. */
bool print_fits(const struct print *print, int fd);

/* Hold both files the same in their first size_bytes, as far as their heads and tails tell? */
bool print_is_copy(int fd, int other, uint64_t size_bytes);
