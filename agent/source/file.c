#include "source/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

enum {
        READ_BYTES = 64 * 1024,
        LOOK_BYTES_MAX = 4 * 1024 * 1024, /* read in one look, so that others get their turn */
        DOCUMENT_BYTES_MAX = 64 * 1024 * 1024,
        REST_FACTOR = 20,                 /* a document is read for at most a 20th of the time */
        TICK_NS = 20 * 1000 * 1000,
};

/* What a stat(2) has to say of a file's content. */
struct version {
        int64_t size_bytes, written_ns, changed_ns;
};

struct file {
        char *path, *source, *root;
        struct stream *stream;
        struct record_sink sink; /* marks what was said before, and hands on to the owner's */
        const struct record_sink *owner;
        const struct file *(*find_kin)(void *userdata, const struct file *file, uint32_t first);
        void *userdata;

        int fd; /* -1: not open */
        bool has_id;
        struct file_id id;
        struct print print;
        struct said said;

        bool is_to_replay;       /* when it is opened: it was read before a restart of ours */
        struct print target;     /* offset_bytes > 0: being read again up to there */

        uint64_t late_bytes;     /* what is before is older than what was read of others */

        struct version version;  /* when we last looked */
        bool is_racy;            /* the clock may be too coarse to tell the next version from this one */
        bool given_up;           /* no metrics file: not read until it is replaced or starts anew */
        bool has_content;
        const struct format *told; /* the log says that it is followed as one of these; NULL: not yet */
        int error;

        int64_t due_ms;          /* a document is not read again before */
        bool is_resting;         /* and has changed meanwhile */
        int64_t spent_us;        /* on reading it this time */
};

/* --- what it says --- */

/* With the first record that it ever says. */
static void find_kin(struct file *file, const struct record *record) {
        const struct file *kin;

        if (!file->find_kin || file->said.n_hashes > 0 || said_records(&file->said) > 0)
                return;
        kin = file->find_kin(file->userdata, file, said_hash(record));
        if (kin)
                said_inherit(&file->said, &kin->said);
}

static void take_record(void *userdata, const struct record *record) {
        struct file *file = userdata;
        struct record marked = *record;
        enum saying saying;

        find_kin(file, record);
        saying = said_take_record(&file->said, record);
        if (saying == SAYING_HANDED_ON)
                return;
        marked.is_repeat = saying == SAYING_AGAIN;
        marked.is_late = file->print.offset_bytes < file->late_bytes;
        file->owner->take_record(file->owner->userdata, &marked);
}

static void take_reject(void *userdata, const struct reject *reject) {
        struct file *file = userdata;

        if (said_take_reject(&file->said) == SAYING_NEW)
                file->owner->take_reject(file->owner->userdata, reject);
}

static void take_passed(void *userdata, const struct reject *passed) {
        struct file *file = userdata;

        file->owner->take_passed(file->owner->userdata, passed);
}

/* --- the file as a whole --- */

bool file_id_is(struct file_id a, struct file_id b) {
        return a.inode == b.inode && (a.born_ns == b.born_ns || a.born_ns == 0 || b.born_ns == 0);
}

/* Where it was left: to be read again up to there, since a parser's state follows from what it read. */
static int go_on_from(struct file *file, const struct file_kept *kept) {
        struct said *said = &file->said;

        file->has_id = file->is_to_replay = kept->print.offset_bytes > 0;
        file->id = kept->id;
        file->print = kept->print;
        file->version = (struct version){ .size_bytes = kept->size_bytes, .written_ns = kept->written_ns };
        file->has_content = file->has_id || kept->n_said > 0;
        said->n_records = kept->records;
        said->chain = kept->chain;
        said->n_rejects = kept->rejects;
        if (kept->n_said == 0)
                return 0;
        said->hashes = malloc(kept->n_said * sizeof(*said->hashes));
        if (!said->hashes)
                return -ENOMEM;
        memcpy(said->hashes, kept->said, kept->n_said * sizeof(*said->hashes));
        said->n_hashes = said->capacity = kept->n_said;
        return 0;
}

int file_new(struct file **ret_file, const struct file_config *config) {
        CLEANUP(file_freep) struct file *file = calloc(1, sizeof(*file));
        const char *source = config->source ? config->source : config->path;
        struct stream_config stream = {
                .source = slice_from(source), .format = config->format, .is_named = config->is_named,
                .filters = config->filters,
        };

        if (!file)
                return -ENOMEM;
        file->fd = -1;
        file->owner = config->sink;
        file->find_kin = config->find_kin;
        file->userdata = config->userdata;
        file->sink = (struct record_sink){ file, take_record, take_reject,
                                           config->sink->take_passed ? take_passed : NULL };
        stream.sink = &file->sink;
        file->path = strdup(config->path);
        file->source = strdup(source);
        if (!file->path || !file->source || stream_new(&file->stream, &stream) < 0 ||
            (config->kept && go_on_from(file, config->kept) < 0))
                return -ENOMEM;
        *ret_file = STEAL(file);
        return 0;
}

struct file *file_free(struct file *file) {
        if (!file)
                return NULL;
        cleanup_close(&file->fd);
        stream_free(file->stream);
        said_release(&file->said);
        free(file->path);
        free(file->source);
        free(file->root);
        free(file);
        return NULL;
}

void file_freep(struct file **file) {
        *file = file_free(*file);
}

struct file_kept file_keep(const struct file *file) {
        return (struct file_kept){
                .path = file->path,
                .source = file->source,
                .id = file->id,
                .size_bytes = file->version.size_bytes,
                .written_ns = file->version.written_ns,
                .print = *file_print(file),
                .records = said_records(&file->said),
                .chain = said_chain(&file->said),
                .rejects = said_rejects(&file->said),
                .said = file->said.hashes,
                .n_said = file->said.n_hashes,
        };
}

/* --- starting --- */

static bool is_document(const struct file *file) {
        const struct format *format = stream_format(file->stream);

        return format && format->is_whole;
}

static void rewind_to_start(struct file *file) {
        file->print = (struct print){ 0 };
        file->given_up = false;
        file->spent_us = 0;
        stream_restart(file->stream);
}

void file_start_over(struct file *file) {
        rewind_to_start(file);
        file->late_bytes = 0;
        said_start_over(&file->said);
        file->target = (struct print){ 0 };
        file->is_to_replay = false;
        file->has_id = file->fd >= 0;
}

static void start_replay(struct file *file) {
        file->target = file->print;
        rewind_to_start(file);
        said_replay(&file->said);
        file->is_to_replay = false;
        log_debug("%s: read again up to byte %llu, where it was left", file->path,
                  (unsigned long long)file->target.offset_bytes);
}

/* --- opening --- */

static int64_t nanoseconds(struct statx_timestamp time) {
        return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static int get_status(int fd, const char *path, int flags, struct file_status *ret_status) {
        struct statx status;

        if (statx(fd, path, flags, STATX_BASIC_STATS | STATX_BTIME, &status) < 0)
                return -errno;
        *ret_status = (struct file_status){
                .mode = status.stx_mode,
                .links = status.stx_nlink,
                .id = { .device = makedev(status.stx_dev_major, status.stx_dev_minor),
                        .inode = status.stx_ino,
                        .born_ns = status.stx_mask & STATX_BTIME ? nanoseconds(status.stx_btime) : 0 },
                .size_bytes = (int64_t)status.stx_size,
                .written_ns = nanoseconds(status.stx_mtime),
                .changed_ns = nanoseconds(status.stx_ctime),
        };
        return 0;
}

int file_status_at(const char *path, bool follow, struct file_status *ret_status) {
        return get_status(AT_FDCWD, path, follow ? 0 : AT_SYMLINK_NOFOLLOW, ret_status);
}

static int stat_open(int fd, struct file_status *ret_status) {
        return get_status(fd, "", AT_EMPTY_PATH, ret_status);
}

static struct version version_of(const struct file_status *status) {
        return (struct version){ status->size_bytes, status->written_ns, status->changed_ns };
}

/* What was opened, not what the path says: a trainer may change a link in between (proc(5), /proc/PID/fd). */
static int check_root(const struct file *file, int fd) {
        char link[64], target[PATH_MAX];
        size_t size = file->root ? strlen(file->root) : 0;
        ssize_t n;

        if (!file->root || strcmp(file->root, "/") == 0)
                return 0;
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, target, sizeof(target));
        if (n < 0)
                return -errno;
        return (size_t)n > size && memcmp(target, file->root, size) == 0 && target[size] == '/' ? 0 : -EXDEV;
}

static bool is_other(const struct file *file, int fd, struct file_id id) {
        return file->has_id && (!file_id_is(file->id, id) || !print_fits(&file->print, fd));
}

int file_open(struct file *file) {
        CLEANUP(cleanup_close) int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        struct file_status status;
        int r = fd < 0 ? -errno : stat_open(fd, &status);

        if (r == 0 && !S_ISREG(status.mode))
                r = -EINVAL;
        if (r == 0)
                r = check_root(file, fd);
        if (r < 0)
                return r;
        if (is_other(file, fd, status.id))
                return FILE_OTHER;
        file->fd = fd;
        fd = -1;
        file->id = status.id;
        if (file->is_to_replay)
                start_replay(file);
        else if (!file->has_id)
                file_start_over(file);
        return 0;
}

void file_inherit(struct file *file, const struct file *next) {
        if (next->said.n_hashes > 0)
                said_inherit(&file->said, &next->said);
}

void file_forgo(struct file *file) {
        file->version.size_bytes = (int64_t)file_print(file)->offset_bytes;
}

void file_is_behind(struct file *file) {
        struct file_status status;

        if (file->fd >= 0 && stat_open(file->fd, &status) == 0)
                file->late_bytes = (uint64_t)status.size_bytes;
}

void file_park(struct file *file) {
        cleanup_close(&file->fd);
        file->fd = -1;
}

/* --- reading --- */

static void tell(struct file *file) {
        const struct format *format = stream_format(file->stream);

        if (!format || format == file->told || stream_counts(file->stream).records == 0)
                return;
        file->told = format;
        log_info("following %s (%s)", file->path, format->name);
}

static void reject_hole(struct file *file, size_t n) {
        char expected[96];
        struct reject reject = { .source = slice_from(file->source), .expected = expected };

        (void)snprintf(expected, sizeof(expected), "text; %zu NUL bytes, a hole in the file, are skipped", n);
        take_reject(file, &reject);
}

/* A writer that does not append goes on where it was when its file was truncated: what is before
 * that is a hole, which reads as NUL bytes. No format begins with one. */
static struct slice skip_hole(struct file *file, struct slice bytes) {
        size_t n = 0;

        if (file->print.offset_bytes > 0)
                return bytes;
        while (n < bytes.size_bytes && bytes.data[n] == '\0')
                n++;
        if (n > 0)
                reject_hole(file, n);
        return (struct slice){ bytes.data + n, bytes.size_bytes - n };
}

/* bytes begins with what was read before, see print_take(). */
static int take_chunk(struct file *file, struct slice bytes) {
        size_t known = print_tail_bytes(&file->print);
        struct slice new = skip_hole(file, (struct slice){ bytes.data + known, bytes.size_bytes - known });
        int r = stream_push(file->stream, new);

        print_take(&file->print, bytes);
        file->has_content = true;
        tell(file);
        if (stream_is_refused(file->stream) && !is_document(file)) {
                log_debug("%s: neither text nor of a known format, not followed", file->path);
                file->given_up = true;
        } else if (is_document(file) && file->print.offset_bytes > DOCUMENT_BYTES_MAX) {
                log_warning("%s: is a document of more than 64 MiB, which is not read", file->path);
                file->given_up = true;
        }
        return r;
}

/* All of size_bytes that are there: a read may be short, and what was read before is among them. */
static ssize_t read_at(int fd, char *bytes, size_t size_bytes, uint64_t offset_bytes) {
        size_t got = 0;

        while (got < size_bytes) {
                ssize_t n = pread(fd, bytes + got, size_bytes - got, (off_t)(offset_bytes + got));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                got += (size_t)n;
        }
        return (ssize_t)got;
}

static size_t bytes_to_read(const struct file *file) {
        uint64_t left = file->target.offset_bytes - file->print.offset_bytes;

        return file->target.offset_bytes > 0 && left < READ_BYTES ? (size_t)left : READ_BYTES;
}

/* We are where we were before the restart: that has to be the same content. */
static int end_replay(struct file *file) {
        bool fits = file->print.tail_hash == file->target.tail_hash && file->print.head_hash == file->target.head_hash;

        file->target = (struct print){ 0 };
        return fits ? 0 : FILE_CHANGED;
}

/* Reads on from where we are, with the last bytes read before seen again: if they are others, the
 * content is. 0 at the end; FILE_MORE after max_bytes; FILE_CHANGED; negative errno. */
static int read_on(struct file *file, uint64_t max_bytes) {
        static char chunk[PRINT_TAIL_BYTES + READ_BYTES]; /* one thread, and nothing of it stays */
        uint64_t end = file->print.offset_bytes + max_bytes;

        while (!file->given_up) {
                size_t known = print_tail_bytes(&file->print);
                ssize_t n = read_at(file->fd, chunk, known + bytes_to_read(file), file->print.offset_bytes - known);
                int r;

                if (n < 0)
                        return (int)n;
                if (!print_goes_on(&file->print, (struct slice){ chunk, (size_t)n }))
                        return FILE_CHANGED;
                if ((size_t)n == known)
                        return file->target.offset_bytes > 0 ? FILE_CHANGED : 0;
                r = take_chunk(file, (struct slice){ chunk, (size_t)n });
                if (r == 0 && file->said.is_contradicted)
                        r = FILE_CHANGED;
                if (r == 0 && file->print.offset_bytes == file->target.offset_bytes)
                        r = end_replay(file);
                if (r != 0)
                        return r;
                if (file->print.offset_bytes >= end)
                        return FILE_MORE;
        }
        return 0;
}

/* --- a file that is written anew --- */

static bool is_same_version(struct version a, struct version b) {
        return a.size_bytes == b.size_bytes && a.written_ns == b.written_ns && a.changed_ns == b.changed_ns;
}

static bool is_unchanged(const struct file *file, const struct version *version) {
        return !file->is_racy && is_same_version(*version, file->version);
}

/* File systems stamp by the kernel's tick: what was written in the same one looks the same. */
static bool is_just_written(const struct version *version) {
        struct timespec now;
        int64_t age_ns;

        clock_gettime(CLOCK_REALTIME, &now);
        age_ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec - version->written_ns;
        return age_ns >= 0 && age_ns < TICK_NS;
}

static bool was_written_anew(const struct file *file, const struct version *version) {
        if (file->print.offset_bytes == 0 || is_unchanged(file, version))
                return false;
        return version->size_bytes < (int64_t)file->print.offset_bytes || !print_has_head(&file->print, file->fd);
}

/* Is it another content now? A document that changed starts over by itself. */
static int check_version(struct file *file, int64_t now_ms) {
        struct file_status status;
        struct version version;
        bool is_changed, is_anew;
        int r = stat_open(file->fd, &status);

        if (r < 0)
                return r;
        version = version_of(&status);
        is_changed = file->print.offset_bytes > 0 && !is_unchanged(file, &version);
        if (is_document(file) && is_changed && now_ms < file->due_ms)
                return FILE_LATER;
        is_anew = was_written_anew(file, &version);
        file->version = version;
        file->is_racy = is_just_written(&version);
        if (is_document(file) && is_changed && !file->given_up) {
                log_debug("%s: is a document that changed, so it is read from its start", file->path);
                file_start_over(file);
        } else if (is_anew) {
                return FILE_CHANGED;
        }
        return 0;
}

static int64_t monotonic_us(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/* Reads on, and measures how long a document takes: it rests for a multiple of that. */
static int read_measured(struct file *file, int64_t now_ms) {
        int64_t start_us = monotonic_us();
        uint64_t before = file->print.offset_bytes;
        int r = read_on(file, LOOK_BYTES_MAX);

        if (!is_document(file) || file->print.offset_bytes == before)
                return r;
        file->spent_us += monotonic_us() - start_us;
        if (now_ms < INT64_MAX) /* else nobody waits for it */
                file->due_ms = now_ms + file->spent_us * REST_FACTOR / 1000;
        return r;
}

int file_read(struct file *file, int64_t now_ms) {
        int64_t size_bytes = file->version.size_bytes;
        int r = check_version(file, now_ms);

        if (r == 0)
                r = read_measured(file, now_ms);
        if (r == FILE_CHANGED)
                file->version.size_bytes = size_bytes; /* of what was there before: some of it may be lost */
        file->is_resting = r == FILE_LATER;
        return r;
}

void file_finish(struct file *file) {
        if (file->fd >= 0 && stream_finish(file->stream) < 0)
                log_warning("%s: the last line was lost: no memory", file->path);
        file_park(file);
}

/* --- what there is to know of it --- */

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

int file_set_root(struct file *file, const char *root) {
        char *copy = root ? strdup(root) : NULL;

        if (root && !copy)
                return -ENOMEM;
        free(file->root);
        file->root = copy;
        return 0;
}

struct file_id file_id(const struct file *file) {
        return file->id;
}

bool file_has_id(const struct file *file) {
        return file->has_id;
}

int file_fd(const struct file *file) {
        return file->fd;
}

bool file_is_open(const struct file *file) {
        return file->fd >= 0;
}

bool file_is_linked(const struct file *file) {
        struct file_status status;

        return file->fd >= 0 && stat_open(file->fd, &status) == 0 && status.links > 0;
}

bool file_is_new(const struct file *file) {
        return file_print(file)->offset_bytes == 0;
}

bool file_is_as(const struct file *file, const struct file_status *status) {
        struct version version = version_of(status);

        return file->has_id && file_id_is(file->id, status->id) && is_unchanged(file, &version) &&
               file->target.offset_bytes == 0 && !file->is_to_replay &&
               (file->given_up || (int64_t)file->print.offset_bytes == version.size_bytes);
}

bool file_has_content(const struct file *file) {
        return file->has_content;
}

bool file_is_recognised(const struct file *file) {
        return file->told != NULL || file->said.n_hashes > 0;
}

bool file_first_said(const struct file *file, uint32_t *ret_hash) {
        *ret_hash = file->said.n_hashes > 0 ? file->said.hashes[0] : 0;
        return file->said.n_hashes > 0;
}

bool file_is_refused(const struct file *file) {
        return file->given_up;
}

uint64_t file_unread_bytes(const struct file *file) {
        uint64_t offset = file_print(file)->offset_bytes, size = (uint64_t)file->version.size_bytes;

        return size > offset && !file->given_up ? size - offset : 0;
}

const struct print *file_print(const struct file *file) {
        return file->target.offset_bytes > 0 ? &file->target : &file->print;
}

int64_t file_written_ns(const struct file *file) {
        return file->version.written_ns;
}

int64_t file_due_ms(const struct file *file) {
        return file->is_resting ? file->due_ms : INT64_MAX;
}

int file_error(const struct file *file) {
        return file->error;
}

void file_set_error(struct file *file, int error) {
        file->error = error;
}
