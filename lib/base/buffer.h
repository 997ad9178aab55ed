/* A byte buffer that is born with a limit. What does not fit is refused as a whole:
 * the buffer stays as it was. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct buffer {
        char *data;              /* owned; not terminated; NULL while nothing was appended */
        size_t size_bytes;       /* bytes in use */
        size_t capacity_bytes;   /* bytes allocated */
        size_t limit_bytes;      /* size_bytes never exceeds this */
};

/* An empty buffer that holds at most limit_bytes. Allocates nothing. */
#define BUFFER_INIT(limit) ((struct buffer){ .limit_bytes = (limit) })

/* Frees the memory; the buffer is empty then and keeps its limit. */
void buffer_release(struct buffer *buffer);

/* Empties the buffer, keeps its memory. */
void buffer_clear(struct buffer *buffer);

/* Makes room for extra_bytes more. 0, -ENOBUFS past the limit, -ENOMEM. */
int buffer_reserve(struct buffer *buffer, size_t extra_bytes);

/* Each appends; 0, -ENOBUFS past the limit, -ENOMEM. On error nothing was appended. */
int buffer_append(struct buffer *buffer, const void *data, size_t size_bytes);
int buffer_append_string(struct buffer *buffer, const char *string);
int buffer_append_char(struct buffer *buffer, char c);
int buffer_printf(struct buffer *buffer, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
int buffer_vprintf(struct buffer *buffer, const char *format, va_list arguments)
        __attribute__((format(printf, 2, 0)));

/* Removes the first size_bytes (at most all). */
void buffer_consume(struct buffer *buffer, size_t size_bytes);

/* The content as a terminated string, which stays the buffer's; NULL when memory is short.
 * Valid until the next change. */
const char *buffer_string(struct buffer *buffer);

/* The content, borrowed until the next change. */
static inline struct slice buffer_slice(const struct buffer *buffer) {
        return (struct slice){ buffer->data, buffer->size_bytes };
}
