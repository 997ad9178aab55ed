#include "store/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/crc.h"
#include "store/header.h"

enum { CHUNK_BYTES = 16 * 1024 };

/* --- reading --- */

/* Reads as much as there is, up to size_bytes. How much, or negative errno. */
static ssize_t read_at(int fd, char *to, size_t size_bytes, off_t offset_bytes) {
        size_t done = 0;

        while (done < size_bytes) {
                ssize_t n = pread(fd, to + done, size_bytes - done, offset_bytes + (off_t)done);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                done += (size_t)n;
        }
        return (ssize_t)done;
}

/* The blob's bytes go to `to`, or where that is NULL past a window, so that no memory is asked for. */
static int check_blob(int fd, const struct header *header, char *to, enum store_condition *ret_condition) {
        char window[CHUNK_BYTES];
        uint32_t crc = 0;

        for (uint64_t at = 0; at < header->size_bytes;) {
                size_t n = header->size_bytes - at < CHUNK_BYTES ? (size_t)(header->size_bytes - at) : CHUNK_BYTES;
                char *into = to ? to + at : window;
                ssize_t got = read_at(fd, into, n, (off_t)(HEADER_BYTES + at));

                if (got < 0)
                        return (int)got;
                if ((size_t)got < n) {
                        *ret_condition = STORE_SLOT_TORN;
                        return 0;
                }
                crc = crc32c(crc, (struct slice){ into, n });
                at += n;
        }
        *ret_condition = crc != header->crc ? STORE_SLOT_CHANGED : header->major > STORE_MAJOR ? STORE_SLOT_NEWER
                                                                                               : STORE_SLOT_INTACT;
        return 0;
}

static int take_blob(int fd, const struct header *header, struct store_slot *slot, struct buffer *ret_bytes) {
        char *to = NULL;
        int r;

        if (ret_bytes) {
                r = buffer_reserve(ret_bytes, (size_t)header->size_bytes);
                if (r < 0)
                        return r;
                to = ret_bytes->data ? ret_bytes->data + ret_bytes->size_bytes : NULL;
        }
        r = check_blob(fd, header, to, &slot->condition);
        if (r == 0 && ret_bytes && slot->condition == STORE_SLOT_INTACT)
                ret_bytes->size_bytes += (size_t)header->size_bytes;
        return r;
}

void slot_describe(struct store_slot *slot, const struct header *header, enum store_condition condition) {
        slot->condition = condition;
        slot->generation = header->generation;
        slot->durable = header->durable;
        slot->size_bytes = header->size_bytes;
        slot->major = header->major;
        slot->minor = header->minor;
        slot->is_suspect = header->is_suspect;
}

static int look_inside(int fd, uint64_t file_bytes, struct store_slot *slot, struct buffer *ret_bytes) {
        char bytes[HEADER_BYTES] = "";
        struct header header;
        ssize_t n = read_at(fd, bytes, sizeof(bytes), 0);

        if (n < 0)
                return (int)n;
        if (n == 0)
                slot->condition = STORE_SLOT_EMPTY;
        else if (!header_has_magic(bytes) && n >= HEADER_MAGIC_BYTES)
                slot->condition = STORE_SLOT_FOREIGN;
        else if (n < HEADER_BYTES)
                slot->condition = STORE_SLOT_TORN;
        else if (!header_read(bytes, &header))
                slot->condition = STORE_SLOT_CHANGED;
        else {
                slot_describe(slot, &header, STORE_SLOT_TORN);
                if (file_bytes >= HEADER_BYTES + header.size_bytes) /* before memory is asked for */
                        return take_blob(fd, &header, slot, ret_bytes);
        }
        return 0;
}

/* Is it the process that is short of something, not the file that is wrong? */
static bool is_shortage(int error) {
        return error == -ENOMEM || error == -ENOBUFS || error == -EMFILE || error == -ENFILE || error == -EINTR;
}

static int cannot_read(struct store_slot *slot, int error) {
        if (is_shortage(error))
                return error;
        slot->condition = STORE_SLOT_UNREADABLE;
        slot->error = error;
        return 0;
}

int slot_look_at(int fd, struct store_slot *ret_slot, struct buffer *ret_bytes) {
        struct stat status;
        int r;

        *ret_slot = (struct store_slot){ .condition = STORE_SLOT_NO_FILE };
        if (fstat(fd, &status) < 0)
                return cannot_read(ret_slot, -errno);
        if (!S_ISREG(status.st_mode))
                return 0;
        ret_slot->written_us = status.st_mtim.tv_sec * INT64_C(1000000) + status.st_mtim.tv_nsec / 1000;
        r = look_inside(fd, (uint64_t)status.st_size, ret_slot, ret_bytes);
        return r < 0 ? cannot_read(ret_slot, r) : 0;
}

int slot_look(int directory, const char *name, struct store_slot *ret_slot, struct buffer *ret_bytes) {
        /* O_NONBLOCK: a FIFO in its place is opened, and found to be one, at once. */
        CLEANUP(cleanup_close) int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

        if (fd >= 0)
                return slot_look_at(fd, ret_slot, ret_bytes);
        *ret_slot = (struct store_slot){ .condition = STORE_SLOT_ABSENT };
        if (errno == ENOENT)
                return 0;
        if (errno != ELOOP && errno != ENXIO) /* a link; a socket */
                return cannot_read(ret_slot, -errno);
        ret_slot->condition = STORE_SLOT_NO_FILE;
        return 0;
}

/* --- writing --- */

static int open_in_place(int directory, const char *name) {
        struct stat status;
        int fd = openat(directory, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY), r = -errno;

        if (fd < 0)
                return r;
        /* With another name, it is somebody else's, too. */
        r = fstat(fd, &status) < 0 ? -errno : !S_ISREG(status.st_mode) || status.st_nlink != 1 ? -ELOOP : 0;
        if (r == 0)
                return fd;
        (void)close(fd);
        return r;
}

static int remove_entry(int directory, const char *name) {
        if (unlinkat(directory, name, 0) == 0 || errno == ENOENT)
                return 0;
        if (errno == EISDIR && unlinkat(directory, name, AT_REMOVEDIR) == 0)
                return 0;
        return -errno;
}

static int create(int directory, const char *name, bool *ret_created) {
        int fd = openat(directory, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

        if (fd < 0)
                return -errno;
        *ret_created = true;
        return fd;
}

int slot_open(int directory, const char *name, bool is_fresh, bool *ret_created) {
        int r = -ELOOP;

        if (!is_fresh) {
                r = open_in_place(directory, name);
                if (r >= 0)
                        return r;
        }
        if (r == -ELOOP || r == -ENXIO || r == -EISDIR || r == -EACCES)
                r = remove_entry(directory, name);
        else if (r == -ENOENT)
                r = 0;
        return r < 0 ? r : create(directory, name, ret_created);
}

static int write_all(int fd, struct iovec parts[2]) {
        off_t at = 0;

        for (int i = 0; i < 2;) {
                ssize_t n = pwritev(fd, parts + i, 2 - i, at);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0 && parts[i].iov_len > 0)
                        return n < 0 ? -errno : -EIO;
                at += n;
                for (; i < 2 && (size_t)n >= parts[i].iov_len; i++)
                        n -= (ssize_t)parts[i].iov_len;
                if (i < 2) {
                        parts[i].iov_base = (char *)parts[i].iov_base + n;
                        parts[i].iov_len -= (size_t)n;
                }
        }
        return 0;
}

int slot_write(int fd, const struct header *header, struct slice bytes) {
        char head[HEADER_BYTES];
        struct iovec parts[2] = { { head, sizeof(head) }, { (void *)(uintptr_t)bytes.data, bytes.size_bytes } };

        header_write(header, head);
        return write_all(fd, parts);
}

void slot_suspect(int fd) {
        ssize_t n;

        do
                n = pwrite(fd, "\1", 1, HEADER_SUSPECT_AT);
        while (n < 0 && errno == EINTR);
}
