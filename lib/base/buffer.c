#include "base/buffer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER_FIRST_BYTES = 64 };

void buffer_release(struct buffer *buffer) {
        free(buffer->data);
        *buffer = BUFFER_INIT(buffer->limit_bytes);
}

void buffer_clear(struct buffer *buffer) {
        buffer->size_bytes = 0;
}

int buffer_reserve(struct buffer *buffer, size_t extra_bytes) {
        size_t needed, capacity;
        char *data;

        if (extra_bytes > buffer->limit_bytes - buffer->size_bytes)
                return -ENOBUFS;
        needed = buffer->size_bytes + extra_bytes;
        if (needed <= buffer->capacity_bytes)
                return 0;

        capacity = buffer->capacity_bytes ? buffer->capacity_bytes : BUFFER_FIRST_BYTES;
        while (capacity < needed)
                capacity += capacity / 2;
        /* One byte more than is counted, for the terminator of buffer_string(). */
        data = realloc(buffer->data, capacity + 1);
        if (!data)
                return -ENOMEM;
        buffer->data = data;
        buffer->capacity_bytes = capacity;
        return 0;
}

int buffer_append(struct buffer *buffer, const void *data, size_t size_bytes) {
        int r;

        if (size_bytes == 0)
                return 0;
        r = buffer_reserve(buffer, size_bytes);
        if (r < 0)
                return r;
        memcpy(buffer->data + buffer->size_bytes, data, size_bytes);
        buffer->size_bytes += size_bytes;
        return 0;
}

int buffer_append_string(struct buffer *buffer, const char *string) {
        return buffer_append(buffer, string, strlen(string));
}

int buffer_append_char(struct buffer *buffer, char c) {
        return buffer_append(buffer, &c, 1);
}

int buffer_vprintf(struct buffer *buffer, const char *format, va_list arguments) {
        va_list measure;
        int size, r;

        va_copy(measure, arguments);
        size = vsnprintf(NULL, 0, format, measure);
        va_end(measure);
        if (size < 0)
                return -EINVAL;
        r = buffer_reserve(buffer, (size_t)size);
        if (r < 0)
                return r;
        if (size == 0)
                return 0;
        (void)vsnprintf(buffer->data + buffer->size_bytes, (size_t)size + 1, format, arguments);
        buffer->size_bytes += (size_t)size;
        return 0;
}

int buffer_printf(struct buffer *buffer, const char *format, ...) {
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = buffer_vprintf(buffer, format, arguments);
        va_end(arguments);
        return r;
}

void buffer_consume(struct buffer *buffer, size_t size_bytes) {
        if (size_bytes >= buffer->size_bytes) {
                buffer->size_bytes = 0;
                return;
        }
        if (size_bytes == 0)
                return;
        memmove(buffer->data, buffer->data + size_bytes, buffer->size_bytes - size_bytes);
        buffer->size_bytes -= size_bytes;
}

const char *buffer_string(struct buffer *buffer) {
        if (!buffer->data) {
                buffer->data = malloc(BUFFER_FIRST_BYTES + 1);
                if (!buffer->data)
                        return NULL;
                buffer->capacity_bytes = BUFFER_FIRST_BYTES;
        }
        buffer->data[buffer->size_bytes] = '\0';
        return buffer->data;
}
