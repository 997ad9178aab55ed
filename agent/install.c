#include "install.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

static const char name[] = "experiments-agent";

static int write_all(int fd, const char *bytes, size_t size) {
        while (size > 0) {
                ssize_t n = write(fd, bytes, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                bytes += n;
                size -= (size_t)n;
        }
        return 0;
}

static int copy(int from, int to) {
        static char bytes[64 * 1024];
        ssize_t n;
        int r = 0;

        do {
                n = read(from, bytes, sizeof(bytes));
                if (n > 0)
                        r = write_all(to, bytes, (size_t)n);
        } while (r == 0 && (n > 0 || (n < 0 && errno == EINTR)));
        return r == 0 && n < 0 ? -errno : r;
}

/* Closed before it gets its name: a file that is open for writing cannot be run (execve(2), ETXTBSY). */
static int write_copy(int fd) {
        CLEANUP(cleanup_close) int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        int r = self < 0 ? -errno : copy(self, fd);

        if (r == 0 && (fchmod(fd, 0755) < 0 || fsync(fd) < 0))
                r = -errno;
        if (close(fd) < 0 && r == 0)
                r = -errno;
        return r;
}

static int sync_directory(const char *directory) {
        CLEANUP(cleanup_close) int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int install_program(const char *directory) {
        char temporary[PATH_MAX], path[PATH_MAX];
        int fd, r;

        if ((size_t)snprintf(temporary, sizeof(temporary), "%s/.%s.XXXXXX", directory, name) >= sizeof(temporary) ||
            (size_t)snprintf(path, sizeof(path), "%s/%s", directory, name) >= sizeof(path))
                return -ENAMETOOLONG;
        if (mkdir(directory, 0755) < 0 && errno != EEXIST)
                return -errno;
        fd = mkostemp(temporary, O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = write_copy(fd);
        if (r == 0 && rename(temporary, path) < 0)
                r = -errno;
        if (r < 0) {
                (void)unlink(temporary);
                return r;
        }
        return sync_directory(directory);
}
