#include "source/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

enum {
        READ_BYTES = 256 * 1024,
        LOOK_BYTES_MAX = 4 * 1024 * 1024, /* read in one look, so that others get their turn */
        DOCUMENT_BYTES_MAX = 64 * 1024 * 1024,
        HEAD_BYTES = 1024,                /* kept to see whether a file was written anew */
        REST_FACTOR = 20,                 /* a document is read for at most a 20th of the time */
        SAID_MAX = 16 * 1024,             /* records whose repetition is noticed */
        TICK_NS = 20 * 1000 * 1000,
};

/* What a stat(2) has to say of a file's content. */
struct version {
        off_t size_bytes;
        struct timespec written, changed;
};

struct file {
        char *path;
        const struct format *format; /* given by name, or NULL */
        struct stream *stream;
        struct record_sink sink;     /* marks what was said before, and hands on to the owner's */
        const struct record_sink *owner;
        int fd; /* -1: nothing is open */
        dev_t device;
        ino_t inode;
        uint64_t offset_bytes;
        bool given_up;   /* no metrics file: not read until it is replaced or starts anew */
        const struct format *told;   /* the log says that it is followed as one of these; NULL: not yet */
        int error;

        struct version version;  /* when we last looked */
        bool is_racy;            /* the clock may be too coarse to tell the next version from this one */
        char head[HEAD_BYTES];   /* as many bytes of it as were read */

        int64_t due_ms;          /* a document is not read again before */
        bool is_resting;         /* and has changed meanwhile */
        int64_t spent_us;        /* on reading it this time */

        uint32_t *said;          /* hashes of the records since the last start and before it */
        size_t n_said, said_capacity;
        size_t n_records;        /* since the last start */
};

/* --- what was said before --- */

static uint64_t mix(uint64_t value) {
        value = (value ^ (value >> 32)) * 0x9e3779b97f4a7c15u;
        return value ^ (value >> 29);
}

static uint64_t hash_number(uint64_t salt, double value) {
        uint64_t bits;

        memcpy(&bits, &value, sizeof(bits));
        return mix(bits + salt * 0x9e3779b97f4a7c15u);
}

/* The order of metrics does not matter: some trainers write columns in another order each time. */
static uint32_t hash_record(const struct record *record) {
        uint64_t hash = hash_number(1, record->epoch) + hash_number(2, record->step) +
                        hash_number(3, record->trial) + hash_number(4, record->row);

        for (size_t i = 0; i < record->n_metrics; i++)
                hash += hash_number(record->metrics[i].name.size_bytes + 5, record->metrics[i].value);
        return (uint32_t)(hash ^ (hash >> 32));
}

static bool reserve_said(struct file *file, size_t index) {
        size_t capacity = file->said_capacity ? file->said_capacity * 2 : 64;
        uint32_t *said;

        if (index < file->said_capacity)
                return true;
        if (index >= SAID_MAX)
                return false;
        said = reallocarray(file->said, capacity, sizeof(*said));
        if (!said)
                return false;
        file->said = said;
        file->said_capacity = capacity;
        return true;
}

/* Did the same record come at the same place before? */
static bool is_repeat(struct file *file, const struct record *record) {
        size_t index = file->n_records++;
        uint32_t hash = hash_record(record);

        if (index < file->n_said && file->said[index] == hash)
                return true;
        if (reserve_said(file, index)) {
                file->said[index] = hash;
                if (index >= file->n_said)
                        file->n_said = index + 1;
        }
        return false;
}

static void take_record(void *userdata, const struct record *record) {
        struct file *file = userdata;
        struct record marked = *record;

        marked.is_repeat = is_repeat(file, record);
        file->owner->take_record(file->owner->userdata, &marked);
}

static void take_reject(void *userdata, const struct reject *reject) {
        struct file *file = userdata;

        file->owner->take_reject(file->owner->userdata, reject);
}

static void take_passed(void *userdata, const struct reject *passed) {
        struct file *file = userdata;

        file->owner->take_passed(file->owner->userdata, passed);
}

/* --- the file as a whole --- */

int file_new(struct file **ret_file, const char *path, const struct format *format, bool is_named,
             const struct filters *filters, const struct record_sink *sink) {
        struct file *file = calloc(1, sizeof(*file));
        struct stream_config config = {
                .source = slice_from(path), .format = format, .is_named = is_named, .filters = filters,
        };

        if (!file)
                return -ENOMEM;
        file->fd = -1;
        file->format = format;
        file->owner = sink;
        file->sink = (struct record_sink){ file, take_record, take_reject, sink->take_passed ? take_passed : NULL };
        config.sink = &file->sink;
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
        free(file->said);
        free(file->path);
        free(file);
        return NULL;
}

/* --- one open file --- */

static void start_over(struct file *file) {
        file->offset_bytes = 0;
        file->given_up = false;
        file->n_records = 0;
        file->spent_us = 0;
        stream_restart(file->stream);
}

static bool is_document(const struct file *file) {
        const struct format *format = stream_format(file->stream);

        return format && format->is_whole;
}

static struct version version_of(const struct stat *status) {
        return (struct version){ status->st_size, status->st_mtim, status->st_ctim };
}

static bool is_same_time(struct timespec a, struct timespec b) {
        return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_same_version(struct version a, struct version b) {
        return a.size_bytes == b.size_bytes && is_same_time(a.written, b.written) && is_same_time(a.changed, b.changed);
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

static void keep_head(struct file *file, struct slice chunk) {
        size_t room = file->offset_bytes < HEAD_BYTES ? HEAD_BYTES - (size_t)file->offset_bytes : 0;

        if (room > 0)
                memcpy(file->head + file->offset_bytes, chunk.data, chunk.size_bytes < room ? chunk.size_bytes : room);
}

static void tell(struct file *file) {
        const struct format *format = stream_format(file->stream);

        if (!format || format == file->told || stream_counts(file->stream).records == 0)
                return;
        file->told = format;
        log_info("following %s (%s)", file->path, format->name);
}

static int take_chunk(struct file *file, struct slice chunk) {
        int r = stream_push(file->stream, chunk);

        keep_head(file, chunk);
        file->offset_bytes += chunk.size_bytes;
        tell(file);
        if (stream_is_refused(file->stream) && !is_document(file)) {
                log_debug("%s: neither text nor of a known format, not followed", file->path);
                file->given_up = true;
        } else if (is_document(file) && file->offset_bytes > DOCUMENT_BYTES_MAX) {
                log_warning("%s: is a document of more than 64 MiB, which is not read", file->path);
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

/* --- a file that is written anew --- */

/* Were the bytes at its start, which we have read, replaced by others? */
static bool begins_differently(const struct file *file) {
        char head[HEAD_BYTES];
        size_t size = file->offset_bytes < HEAD_BYTES ? (size_t)file->offset_bytes : HEAD_BYTES;
        ssize_t n = pread(file->fd, head, size, 0);

        return n >= 0 && memcmp(head, file->head, (size_t)n) != 0;
}

static bool is_unchanged(const struct file *file, const struct version *version) {
        return !file->is_racy && is_same_version(*version, file->version);
}

/* File systems stamp by the kernel's tick: what was written in the same one looks the same. */
static bool is_just_written(const struct version *version) {
        struct timespec now;
        int64_t age_ns;

        clock_gettime(CLOCK_REALTIME, &now);
        age_ns = (now.tv_sec - version->written.tv_sec) * INT64_C(1000000000) + now.tv_nsec - version->written.tv_nsec;
        return age_ns >= 0 && age_ns < TICK_NS;
}

/* Has it to be read from its start? NULL, or why. */
static const char *why_start_over(const struct file *file, const struct version *version) {
        if ((uint64_t)version->size_bytes < file->offset_bytes)
                return "is shorter than what was read";
        if (file->offset_bytes == 0 || is_unchanged(file, version))
                return NULL;
        if (is_document(file) && !file->given_up)
                return "is a document that changed";
        return begins_differently(file) ? "begins differently than before" : NULL;
}

static void check_version(struct file *file) {
        struct stat status;
        struct version version;
        const char *why;

        if (fstat(file->fd, &status) < 0)
                return;
        version = version_of(&status);
        why = why_start_over(file, &version);
        file->version = version;
        file->is_racy = is_just_written(&version);
        if (!why)
                return;
        log_debug("%s: %s, so it is read from its start", file->path, why);
        start_over(file);
}

static bool is_document_to_rest(const struct file *file, int64_t now_ms) {
        struct stat status;

        struct version version;

        if (!is_document(file) || now_ms >= file->due_ms || fstat(file->fd, &status) < 0)
                return false;
        version = version_of(&status);
        return !is_unchanged(file, &version);
}

static int64_t monotonic_us(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/* Reads on, and measures how long a document takes: it rests for a multiple of that. */
static int read_measured(struct file *file, int64_t now_ms) {
        int64_t start_us = monotonic_us();
        uint64_t before = file->offset_bytes;
        int r = read_on(file, LOOK_BYTES_MAX);

        if (!is_document(file) || file->offset_bytes == before)
                return r;
        file->spent_us += monotonic_us() - start_us;
        file->due_ms = now_ms + file->spent_us * REST_FACTOR / 1000;
        return r;
}

void file_finish(struct file *file) {
        int r;

        if (file->fd < 0)
                return;
        check_version(file);
        r = read_on(file, UINT64_MAX / 2);
        if (r < 0)
                log_warning("%s: cannot read on: %s", file->path, strerror(-r));
        r = stream_finish(file->stream);
        if (r < 0)
                log_warning("%s: the last line was lost: %s", file->path, strerror(-r));
}

/* --- a path --- */

/* Leaves the file that the path led to before, once that is read to its end. */
static void leave(struct file *file, const char *why) {
        log_debug("%s: %s", file->path, why);
        file_finish(file);
        close_file(file);
}

static int look(struct file *file, int64_t now_ms) {
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
        } else if (is_document_to_rest(file, now_ms)) {
                return FILE_LATER;
        }
        check_version(file);
        return read_measured(file, now_ms);
}

int file_look(struct file *file, int64_t now_ms) {
        int r = look(file, now_ms);

        file->error = r < 0 ? r : 0;
        file->is_resting = r == FILE_LATER;
        return r;
}

int64_t file_due_ms(const struct file *file) {
        return file->is_resting ? file->due_ms : INT64_MAX;
}

int64_t file_written_ns(const struct file *file) {
        return file->version.written.tv_sec * INT64_C(1000000000) + file->version.written.tv_nsec;
}

int file_error(const struct file *file) {
        return file->error;
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
        return file->told != NULL;
}
