#include "source/print.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static size_t at_most(uint64_t size_bytes, size_t max_bytes) {
        return size_bytes < max_bytes ? (size_t)size_bytes : max_bytes;
}

size_t print_head_bytes(const struct print *print) {
        return at_most(print->offset_bytes, PRINT_HEAD_BYTES);
}

size_t print_tail_bytes(const struct print *print) {
        return at_most(print->offset_bytes, PRINT_TAIL_BYTES);
}

/* FNV-1a, by Fowler, Noll and Vo: it goes on from where it was, so that a head that grows is not kept. */
static uint64_t hash_bytes(uint64_t hash, const char *bytes, size_t size_bytes) {
        for (size_t i = 0; i < size_bytes; i++)
                hash = (hash ^ (uint8_t)bytes[i]) * 0x100000001b3u;
        return hash;
}

static const uint64_t hash_start = 0xcbf29ce484222325u;

void print_take(struct print *print, struct slice bytes) {
        size_t known = print_tail_bytes(print), new = bytes.size_bytes - known;
        size_t head = at_most(new, PRINT_HEAD_BYTES - print_head_bytes(print)), tail;

        print->head_hash = hash_bytes(print->offset_bytes > 0 ? print->head_hash : hash_start, bytes.data + known, head);
        print->offset_bytes += new;
        tail = print_tail_bytes(print);
        print->tail_hash = hash_bytes(hash_start, bytes.data + bytes.size_bytes - tail, tail);
}

bool print_goes_on(const struct print *print, struct slice bytes) {
        size_t tail = print_tail_bytes(print);

        return tail == 0 || (bytes.size_bytes >= tail && hash_bytes(hash_start, bytes.data, tail) == print->tail_hash);
}

/* pread(2) of all size_bytes; false when there are less, or none can be read (errno says why). */
static bool read_all(int fd, char *bytes, size_t size_bytes, uint64_t offset_bytes) {
        size_t n = 0;

        errno = 0;
        while (n < size_bytes) {
                ssize_t got = pread(fd, bytes + n, size_bytes - n, (off_t)(offset_bytes + n));

                if (got < 0 && errno == EINTR)
                        continue;
                if (got <= 0)
                        return false;
                n += (size_t)got;
        }
        return true;
}

static bool has_bytes(int fd, uint64_t offset_bytes, size_t size_bytes, uint64_t hash, bool otherwise) {
        char bytes[PRINT_HEAD_BYTES];

        if (!read_all(fd, bytes, size_bytes, offset_bytes))
                return errno != 0 && otherwise;
        return size_bytes == 0 || hash_bytes(hash_start, bytes, size_bytes) == hash;
}

bool print_has_head(const struct print *print, int fd) {
        return has_bytes(fd, 0, print_head_bytes(print), print->head_hash, true);
}

bool print_fits(const struct print *print, int fd) {
        size_t tail = print_tail_bytes(print);

        return has_bytes(fd, 0, print_head_bytes(print), print->head_hash, false) &&
               has_bytes(fd, print->offset_bytes - tail, tail, print->tail_hash, false);
}

static bool is_same_range(int fd, int other, uint64_t offset_bytes, size_t size_bytes) {
        char bytes[PRINT_HEAD_BYTES], others[PRINT_HEAD_BYTES];

        return read_all(fd, bytes, size_bytes, offset_bytes) && read_all(other, others, size_bytes, offset_bytes) &&
               memcmp(bytes, others, size_bytes) == 0;
}

bool print_is_copy(int fd, int other, uint64_t size_bytes) {
        size_t head = at_most(size_bytes, PRINT_HEAD_BYTES), tail = at_most(size_bytes, PRINT_TAIL_BYTES);

        return is_same_range(fd, other, 0, head) && is_same_range(fd, other, size_bytes - tail, tail);
}
