/* A borrowed run of bytes: not terminated, not owned, valid only as long as its owner says. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
        const char *data; /* may be NULL when size_bytes is 0 */
        size_t size_bytes;
};

/* A slice of a string literal. */
#define SLICE(literal) ((struct slice){ (literal), sizeof(literal) - 1 })

static inline struct slice slice_from(const char *string) {
        return (struct slice){ string, string ? strlen(string) : 0 };
}

static inline bool slice_equal(struct slice a, struct slice b) {
        return a.size_bytes == b.size_bytes &&
               (a.size_bytes == 0 || memcmp(a.data, b.data, a.size_bytes) == 0);
}

static inline bool slice_starts_with(struct slice s, struct slice prefix) {
        return s.size_bytes >= prefix.size_bytes &&
               (prefix.size_bytes == 0 || memcmp(s.data, prefix.data, prefix.size_bytes) == 0);
}
