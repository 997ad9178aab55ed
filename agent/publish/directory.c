#include "publish/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "publish/spacing.h"

enum {
        SPACING_MS = 1000,
        OBJECT_BYTES_MAX = 64 * 1024,
};

struct directory {
        struct directory_config config;
        struct loop_timer *timer;  /* the next write */
        struct buffer content;     /* what was written last */
        int64_t start_ms;
        unsigned failures;         /* since the last success */
};

static int write_all(int fd, struct slice bytes) {
        while (bytes.size_bytes > 0) {
                ssize_t n = write(fd, bytes.data, bytes.size_bytes);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                bytes = (struct slice){ bytes.data + n, bytes.size_bytes - (size_t)n };
        }
        return 0;
}

/* mkdir -p */
static int make_directory(const char *path) {
        char parent[PATH_MAX];

        if ((size_t)snprintf(parent, sizeof(parent), "%s", path) >= sizeof(parent))
                return -ENAMETOOLONG;
        for (char *slash = strchr(parent + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                if (mkdir(parent, 0777) < 0 && errno != EEXIST)
                        return -errno;
                *slash = '/';
        }
        return mkdir(parent, 0777) < 0 && errno != EEXIST ? -errno : 0;
}

static int open_directory(const char *path) {
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

        if (fd >= 0 || errno != ENOENT)
                return fd < 0 ? -errno : fd;
        r = make_directory(path);
        if (r < 0)
                return r;
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int put_file(int directory, const char *name, struct slice json) {
        CLEANUP(cleanup_close) int fd =
                openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        int r;

        if (fd < 0)
                return -errno;
        r = write_all(fd, json);
        if (r == 0)
                r = write_all(fd, SLICE("\n"));
        if (r == 0 && fsync(fd) < 0)
                r = -errno;
        return r;
}

/* Replaces directory/name.json as a whole. */
static int replace_file(const char *directory, const char *name, struct slice json) {
        CLEANUP(cleanup_close) int fd = open_directory(directory);
        char final[NAME_MAX + 1], temporary[NAME_MAX + 1];
        int r;

        if (fd < 0)
                return fd;
        /* A name that begins with a dot is no source of kubectl apply -f DIR. */
        if ((size_t)snprintf(final, sizeof(final), "%s.json", name) >= sizeof(final) ||
            (size_t)snprintf(temporary, sizeof(temporary), ".%s.tmp", name) >= sizeof(temporary))
                return -ENAMETOOLONG;
        r = put_file(fd, temporary, json);
        if (r == 0 && renameat(fd, temporary, fd, final) < 0)
                r = -errno;
        if (r < 0) {
                (void)unlinkat(fd, temporary, 0);
                return r;
        }
        return fsync(fd) < 0 ? -errno : 0;
}

static void failed(struct directory *directory, int error) {
        const struct directory_config *config = &directory->config;

        if (directory->failures++ == 0)
                log_error("%s/%s.json: cannot be written: %s; trying again, nothing is lost meanwhile", config->path,
                          config->name, strerror(-error));
        loop_timer_set(directory->timer, backoff_ms(directory->failures, -1, 1));
}

static void write_now(void *userdata) {
        struct directory *directory = userdata;
        const struct directory_config *config = &directory->config;
        CLEANUP(buffer_release) struct buffer manifest = BUFFER_INIT(OBJECT_BYTES_MAX);
        int r = config->write(config->userdata, &manifest);

        if (r == 0 && slice_equal(buffer_slice(&manifest), buffer_slice(&directory->content)))
                return;
        if (r == 0)
                r = replace_file(config->path, config->name, buffer_slice(&manifest));
        if (r < 0) {
                failed(directory, r);
                return;
        }
        if (directory->failures > 0)
                log_info("%s/%s.json: is written again", config->path, config->name);
        directory->failures = 0;
        buffer_release(&directory->content);
        directory->content = manifest;
        manifest = BUFFER_INIT(0);
}

void directory_changed(struct directory *directory, bool now) {
        const struct directory_config *config = &directory->config;
        int64_t min_ms = config->interval_min_ms ? config->interval_min_ms : SPACING_MS;
        int64_t max_ms = config->interval_min_ms ? config->interval_max_ms : SPACING_MS;
        int64_t age_ms = loop_now_ms(config->loop) - directory->start_ms;

        if (now || !loop_timer_is_set(directory->timer))
                loop_timer_set(directory->timer, now ? 0 : spacing_ms(age_ms, min_ms, max_ms, 0.5));
}

void directory_finish(struct directory *directory) {
        loop_timer_clear(directory->timer);
        write_now(directory);
}

int directory_new(struct directory **ret_directory, const struct directory_config *config) {
        struct directory *directory = calloc(1, sizeof(*directory));

        if (!directory)
                return -ENOMEM;
        directory->config = *config;
        directory->content = BUFFER_INIT(OBJECT_BYTES_MAX);
        directory->start_ms = loop_now_ms(config->loop);
        if (loop_timer_new(&directory->timer, config->loop, write_now, directory) < 0) {
                free(directory);
                return -ENOMEM;
        }
        *ret_directory = directory;
        return 0;
}

struct directory *directory_free(struct directory *directory) {
        if (!directory)
                return NULL;
        loop_timer_free(directory->timer);
        buffer_release(&directory->content);
        free(directory);
        return NULL;
}
