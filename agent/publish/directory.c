#include "publish/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

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

static int write_file(int directory, const char *name, struct slice json) {
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

int directory_publish(const char *directory, const char *name, struct slice json) {
        CLEANUP(cleanup_close) int fd = open_directory(directory);
        char final[NAME_MAX + 1], temporary[NAME_MAX + 1];
        int r;

        if (fd < 0)
                return fd;
        /* A name that begins with a dot is no source of kubectl apply -f DIR. */
        if ((size_t)snprintf(final, sizeof(final), "%s.json", name) >= sizeof(final) ||
            (size_t)snprintf(temporary, sizeof(temporary), ".%s.tmp", name) >= sizeof(temporary))
                return -ENAMETOOLONG;
        r = write_file(fd, temporary, json);
        if (r == 0 && renameat(fd, temporary, fd, final) < 0)
                r = -errno;
        if (r < 0) {
                (void)unlinkat(fd, temporary, 0);
                return r;
        }
        return fsync(fd) < 0 ? -errno : 0;
}
