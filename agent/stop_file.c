#include "stop_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

static int write_reason(const char *path, const char *reason) {
        CLEANUP(cleanup_close) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);

        if (fd < 0)
                return -errno;
        return dprintf(fd, "%s\n", reason) < 0 ? -EIO : 0;
}

/* A name that ends in .tmp is no metrics file while it is there. */
int stop_file_write(const char *path, const char *reason) {
        char temporary[PATH_MAX];
        int r;

        if ((size_t)snprintf(temporary, sizeof(temporary), "%s.tmp", path) >= sizeof(temporary))
                return -ENAMETOOLONG;
        r = write_reason(temporary, reason);
        if (r == 0 && rename(temporary, path) < 0)
                r = -errno;
        if (r < 0)
                (void)unlink(temporary);
        return r;
}
