#include "source/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

enum {
        READ_BYTES = 256 * 1024,
        LOOK_BYTES_MAX = 4 * 1024 * 1024, /* read in one look, so that others get their turn */
};

struct file {
        char *path;
        const struct format *format; /* given by name, or NULL */
        struct stream *stream;
        int fd; /* -1: nothing is open */
        dev_t device;
        ino_t inode;
        uint64_t offset_bytes;
        bool given_up;   /* no metrics file: not read until it is replaced or starts anew */
        bool recognised; /* said so in the log */
};

int file_new(struct file **ret_file, const char *path, const struct format *format, bool is_named,
             const struct filters *filters, const struct record_sink *sink) {
        struct file *file = calloc(1, sizeof(*file));
        const struct stream_config config = {
                .source = slice_from(path), .format = format, .is_named = is_named, .filters = filters, .sink = sink,
        };

        if (!file)
                return -ENOMEM;
        file->fd = -1;
        file->format = format;
        file->path = strdup(path);
        if (!file->path || stream_new(&file->stream, &config) < 0) {
                file_free(file);
                return -ENOMEM;
        }
        *ret_file = file;
        return 0;
}

struct file *file_free(struct file *file) {
        if (!file)
                return NULL;
        cleanup_close(&file->fd);
        stream_free(file->stream);
        free(file->path);
        free(file);
        return NULL;
}

/* --- one open file --- */

static void start_over(struct file *file) {
        file->offset_bytes = 0;
        file->given_up = false;
        file->recognised = false;
        stream_restart(file->stream);
}

static int open_path(struct file *file) {
        struct stat status;
        int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

        if (fd < 0)
                return -errno;
        if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
                close(fd);
                return -EINVAL;
        }
        file->fd = fd;
        file->device = status.st_dev;
        file->inode = status.st_ino;
        start_over(file);
        return 0;
}

static void close_file(struct file *file) {
        cleanup_close(&file->fd);
        file->fd = -1;
}

static int take_chunk(struct file *file, struct slice chunk) {
        int r = stream_push(file->stream, chunk);

        file->offset_bytes += chunk.size_bytes;
        if (!file->recognised && stream_counts(file->stream).records > 0) {
                file->recognised = true;
                log_info("following %s (%s)", file->path, stream_format(file->stream)->name);
        }
        if (stream_is_refused(file->stream)) {
                log_debug("%s: neither text nor of a known format, not followed", file->path);
                file->given_up = true;
        }
        return r;
}

/* Reads on from where we are. 0 at the end, FILE_MORE after max_bytes, negative errno. */
static int read_on(struct file *file, uint64_t max_bytes) {
        static char chunk[READ_BYTES]; /* one thread, and nothing of it stays */
        uint64_t end = file->offset_bytes + max_bytes;

        while (!file->given_up) {
                ssize_t n = pread(file->fd, chunk, sizeof(chunk), (off_t)file->offset_bytes);
                int r;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return 0;
                r = take_chunk(file, (struct slice){ chunk, (size_t)n });
                if (r < 0)
                        return r;
                if (file->offset_bytes >= end)
                        return FILE_MORE;
        }
        return 0;
}

void file_finish(struct file *file) {
        int r;

        if (file->fd < 0)
                return;
        r = read_on(file, UINT64_MAX / 2);
        if (r < 0)
                log_warning("%s: cannot read on: %s", file->path, strerror(-r));
        r = stream_finish(file->stream);
        if (r < 0)
                log_warning("%s: the last line was lost: %s", file->path, strerror(-r));
}

/* --- a path --- */

static bool has_shrunk(const struct file *file) {
        struct stat status;

        return fstat(file->fd, &status) == 0 && (uint64_t)status.st_size < file->offset_bytes;
}

/* Leaves the file that the path led to before, once that is read to its end. */
static void leave(struct file *file, const char *why) {
        log_debug("%s: %s", file->path, why);
        file_finish(file);
        close_file(file);
}

int file_look(struct file *file) {
        struct stat status;
        int r;

        if (stat(file->path, &status) < 0) {
                r = -errno;
                if (file->fd >= 0)
                        leave(file, "is gone");
                return r;
        }
        if (file->fd >= 0 && !file_is(file, status.st_dev, status.st_ino))
                leave(file, "was replaced");
        if (file->fd < 0) {
                r = open_path(file);
                if (r < 0)
                        return r;
        } else if (has_shrunk(file)) {
                log_info("%s: is shorter than what was read, so it is read from its start", file->path);
                start_over(file);
        }
        return read_on(file, LOOK_BYTES_MAX);
}

const char *file_path(const struct file *file) {
        return file->path;
}

int file_set_path(struct file *file, const char *path) {
        char *copy = strdup(path);

        if (!copy)
                return -ENOMEM;
        free(file->path);
        file->path = copy;
        return 0;
}

bool file_is(const struct file *file, dev_t device, ino_t inode) {
        return file->fd >= 0 && file->device == device && file->inode == inode;
}

bool file_is_open(const struct file *file) {
        return file->fd >= 0;
}

bool file_has_content(const struct file *file) {
        return file->offset_bytes > 0 || file->given_up;
}

bool file_is_recognised(const struct file *file) {
        return file->recognised;
}
