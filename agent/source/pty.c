#include "source/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"

/* By the master, not by a path: /dev/pts may be that of another container, or none (ioctl_tty(2)). */
static int open_slave(int master) {
        int fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        const char *path = fd < 0 ? ptsname(master) : NULL;

        if (path)
                fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

/* The terminal itself makes of newlines what it makes of them. */
static int copy_settings(int terminal, int slave) {
        struct termios settings;
        struct winsize size;

        if (tcgetattr(terminal, &settings) < 0)
                return -errno;
        settings.c_oflag &= ~(tcflag_t)OPOST;
        if (tcsetattr(slave, TCSANOW, &settings) < 0)
                return -errno;
        if (ioctl(terminal, TIOCGWINSZ, &size) == 0)
                (void)ioctl(slave, TIOCSWINSZ, &size);
        return 0;
}

int pty_new(int terminal, int *ret_master, int *ret_slave) {
        CLEANUP(cleanup_close) int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
        CLEANUP(cleanup_close) int slave = -1;
        int r;

        if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
                return -errno;
        slave = open_slave(master);
        r = slave < 0 ? slave : copy_settings(terminal, slave);
        if (r < 0)
                return r;
        *ret_master = master;
        *ret_slave = slave;
        master = slave = -1;
        return 0;
}
