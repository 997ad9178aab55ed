#include "formats/gather.h"

enum { KEPT_BYTES_IDLE = 64 * 1024 }; /* of a larger buffer the memory is given back */

void gather_release(struct gather *gather) {
        buffer_release(&gather->kept);
        gather->is_taken = false;
}

void gather_clear(struct gather *gather) {
        gather->is_taken = false;
        if (gather->kept.capacity_bytes > KEPT_BYTES_IDLE)
                buffer_release(&gather->kept);
        else
                buffer_clear(&gather->kept);
}

static void advance(struct slice *bytes, size_t size_bytes) {
        if (size_bytes > 0)
                *bytes = (struct slice){ bytes->data + size_bytes, bytes->size_bytes - size_bytes };
}

static int keep(struct gather *gather, struct slice *bytes, size_t size_bytes) {
        size_t missing = size_bytes - gather->kept.size_bytes;
        size_t n = missing < bytes->size_bytes ? missing : bytes->size_bytes;
        int r = n > 0 ? buffer_append(&gather->kept, bytes->data, n) : 0;

        advance(bytes, n);
        return r;
}

int gather_look(struct gather *gather, struct slice *bytes, size_t size_bytes, const char **ret_start) {
        int r = 0;

        if (gather->is_taken)
                gather_clear(gather);
        if (gather->kept.size_bytes == 0 && bytes->size_bytes >= size_bytes) {
                *ret_start = bytes->data;
                return 1;
        }
        if (gather->kept.size_bytes < size_bytes)
                r = keep(gather, bytes, size_bytes);
        *ret_start = gather->kept.data;
        return r < 0 ? r : gather->kept.size_bytes >= size_bytes;
}

void gather_take(struct gather *gather, struct slice *bytes, size_t size_bytes) {
        if (gather->kept.size_bytes == 0)
                advance(bytes, size_bytes);
        else
                gather->is_taken = true;
}

size_t gather_skip(struct slice *bytes, uint64_t size_bytes) {
        size_t n = size_bytes < bytes->size_bytes ? (size_t)size_bytes : bytes->size_bytes;

        advance(bytes, n);
        return n;
}

size_t gather_kept_bytes(const struct gather *gather) {
        return gather->is_taken ? 0 : gather->kept.size_bytes;
}
