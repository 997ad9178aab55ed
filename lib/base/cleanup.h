/* Guards: a variable declared with CLEANUP(f) is handed to f(&variable) when it leaves its scope.
 * On success the owner is moved out with STEAL, which leaves NULL behind. */
#pragma once

#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

#define STEAL(pointer)                         \
        ({                                     \
                __typeof__(pointer) _stolen = (pointer); \
                (pointer) = NULL;              \
                _stolen;                       \
        })

/* CLEANUP(cleanup_free): for memory from malloc. */
static inline void cleanup_free(void *pointer_to_pointer) {
        free(*(void **)pointer_to_pointer);
}

/* CLEANUP(cleanup_close): for a file descriptor; -1 is none. */
static inline void cleanup_close(int *fd) {
        if (*fd >= 0)
                (void)close(*fd);
}
