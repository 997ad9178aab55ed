#include "source/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "formats/stream.h"
#include "source/pty.h"

enum {
        CHUNK_BYTES = 64 * 1024,
        REST_BYTES_MAX = 1024 * 1024, /* of a pipe or pty at the end: F_SETPIPE_SZ allows that much (pipe(7)) */
        TTY_BYTES = 256,              /* that one that is ready takes (Linux, n_tty.c, WAKEUP_CHARS); a pipe takes PIPE_BUF */
};

/* How our output is written to without ever waiting in a system call. O_NONBLOCK belongs to the open file, which
 * others share, the shell among them: it is never set on theirs. */
enum way {
        WAY_REOPENED, /* a pipe or terminal, opened once more for us alone */
        WAY_SOCKET,   /* MSG_DONTWAIT */
        WAY_CAREFUL,  /* could not be reopened: no more at a time than fits when poll(2) says it is ready */
        WAY_DIRECT,   /* a file, which nobody waits for */
};

struct relay {
        struct loop *loop;
        struct relay_config config;
        struct stream *stream;           /* NULL: it cannot be read, only passed on */
        int from, to;                    /* -1: closed */
        bool to_is_ours;                 /* opened by us */
        enum way way;
        size_t careful_bytes;            /* of WAY_CAREFUL: at a time */
        struct loop_fd *from_source;
        struct loop_fd *to_source;       /* NULL: never waits */
        bool has_output, is_finishing, is_done;
        size_t rest_bytes;               /* while finishing: of what is there, at most */
        size_t start, end;               /* of bytes: read and not passed on yet */
        char bytes[CHUNK_BYTES];
};

/* --- where it goes --- */

static void choose_way(struct relay *relay) {
        char path[64];
        struct stat status;

        relay->to = relay->config.fd;
        relay->way = WAY_DIRECT;
        if (fstat(relay->to, &status) < 0)
                return;
        if (S_ISSOCK(status.st_mode))
                relay->way = WAY_SOCKET;
        if (!S_ISFIFO(status.st_mode) && !isatty(relay->to))
                return;
        relay->careful_bytes = S_ISFIFO(status.st_mode) ? PIPE_BUF : TTY_BYTES;
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", relay->to);
        relay->to = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        relay->to_is_ours = relay->to >= 0;
        relay->way = relay->to_is_ours ? WAY_REOPENED : WAY_CAREFUL;
        if (!relay->to_is_ours)
                relay->to = relay->config.fd;
}

static ssize_t write_carefully(const struct relay *relay, const char *bytes, size_t size) {
        struct pollfd ready = { .fd = relay->to, .events = POLLOUT };

        if (poll(&ready, 1, 0) == 0) {
                errno = EAGAIN;
                return -1;
        }
        return write(relay->to, bytes, size > relay->careful_bytes ? relay->careful_bytes : size);
}

static ssize_t write_some(const struct relay *relay, const char *bytes, size_t size) {
        if (relay->way == WAY_SOCKET)
                return send(relay->to, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        return relay->way == WAY_CAREFUL ? write_carefully(relay, bytes, size) : write(relay->to, bytes, size);
}

/* --- ends --- */

static void become_done(struct relay *relay) {
        if (relay->is_done || !relay->is_finishing)
                return;
        relay->is_done = true;
        if (relay->stream)
                (void)stream_finish(relay->stream);
        relay->config.done(relay->config.userdata);
}

static void close_from(struct relay *relay) {
        relay->from_source = loop_fd_free(relay->from_source);
        cleanup_close(&relay->from);
        relay->from = -1;
}

/* Whoever reads our output sees its end when it is the child's: the log, too, has no other than standard error. */
static void close_to(struct relay *relay) {
        relay->to_source = loop_fd_free(relay->to_source);
        if (relay->to_is_ours)
                cleanup_close(&relay->to);
        if (relay->config.fd == STDOUT_FILENO && relay->to >= 0) {
                int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

                if (null >= 0)
                        (void)dup3(null, STDOUT_FILENO, O_CLOEXEC);
                cleanup_close(&null);
        }
        relay->to = -1;
}

static void close_both(struct relay *relay) {
        relay->start = relay->end = 0;
        close_from(relay);
        close_to(relay);
        become_done(relay);
}

/* The child gets EPIPE with its next write, or SIGPIPE, or EIO of a terminal: as it would have without us. */
static void break_off(struct relay *relay, int error) {
        if (error != EPIPE && error != EIO)
                log_warning("%s cannot be written to: %s; it is closed for the command, too", relay->config.name, strerror(error));
        close_both(relay);
}

/* --- passing on --- */

static void watch(struct relay *relay) {
        bool is_held = relay->end > 0;

        /* EPOLLHUP comes unasked and again and again, but only once after EPOLLONESHOT (epoll_ctl(2)). */
        if (relay->from_source)
                (void)loop_fd_set_events(relay->from_source, is_held ? EPOLLONESHOT : EPOLLIN);
        if (relay->to_source)
                (void)loop_fd_set_events(relay->to_source, is_held ? EPOLLOUT : 0);
}

/* What is held, as far as our output takes it. */
static void pass_on(struct relay *relay) {
        while (relay->start < relay->end) {
                ssize_t n = write_some(relay, relay->bytes + relay->start, relay->end - relay->start);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        return;
                if (n < 0) {
                        break_off(relay, errno);
                        return;
                }
                relay->start += (size_t)n;
        }
        relay->start = relay->end = 0;
}

/* Whether or not it can be read as a source, it was passed on. */
static void take(struct relay *relay, size_t size) {
        int r = relay->stream ? stream_push(relay->stream, (struct slice){ relay->bytes, size }) : 0;

        if (r < 0)
                log_warning("%s: %s: some of it was passed on without being read", relay->config.name, strerror(-r));
}

static size_t room(const struct relay *relay) {
        return relay->is_finishing && relay->rest_bytes < CHUNK_BYTES ? relay->rest_bytes : CHUNK_BYTES;
}

/* One read, of which nothing is held before. False: there was nothing, or no more will come. */
static bool move_on(struct relay *relay) {
        ssize_t n = read(relay->from, relay->bytes, room(relay));

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return errno == EINTR;
        if (n <= 0) { /* of a pty, EIO says that nobody has its other side open */
                close_both(relay);
                return false;
        }
        relay->rest_bytes -= relay->is_finishing ? (size_t)n : 0;
        relay->end = (size_t)n;
        relay->has_output = true;
        pass_on(relay);
        take(relay, (size_t)n);
        return true;
}

/* All that was there when the child ended, as long as our output takes it. */
static void move_rest(struct relay *relay) {
        while (relay->from >= 0 && relay->end == 0 && relay->rest_bytes > 0)
                if (!move_on(relay))
                        break;
        if (relay->from >= 0 && relay->end == 0)
                close_both(relay);
        watch(relay);
}

static void on_from(void *userdata, uint32_t events) {
        struct relay *relay = userdata;

        (void)events;
        if (relay->end > 0)
                return;
        (void)move_on(relay);
        watch(relay);
}

static void on_to(void *userdata, uint32_t events) {
        struct relay *relay = userdata;

        if (events & (EPOLLERR | EPOLLHUP)) {
                close_both(relay);
                return;
        }
        pass_on(relay);
        if (relay->is_finishing && relay->end == 0)
                move_rest(relay);
        else
                watch(relay);
}

/* --- the relay as a whole --- */

static int make_pipe(struct relay *relay, int *ret_fd) {
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        relay->from = fds[0];
        *ret_fd = fds[1];
        /* Of the two open files of a pipe, this one is ours alone. */
        return fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int watch_both(struct relay *relay) {
        int r = loop_fd_new(&relay->from_source, relay->loop, relay->from, EPOLLIN, on_from, relay);

        if (r < 0 || relay->way == WAY_DIRECT)
                return r;
        return loop_fd_new(&relay->to_source, relay->loop, relay->to, 0, on_to, relay);
}

int relay_new(struct relay **ret_relay, struct loop *loop, const struct relay_config *config, int *ret_fd) {
        struct relay *relay = calloc(1, sizeof(*relay));
        struct stream_config stream = { .source = slice_from(config->name), .filters = config->filters, .sink = config->sink };
        int r;

        *ret_fd = -1;
        if (!relay)
                return -ENOMEM;
        relay->loop = loop;
        relay->config = *config;
        relay->from = relay->to = -1;
        r = isatty(config->fd) ? pty_new(config->fd, &relay->from, ret_fd) : make_pipe(relay, ret_fd);
        if (r == 0)
                choose_way(relay);
        if (r == 0)
                r = watch_both(relay);
        if (r < 0) {
                cleanup_close(ret_fd);
                *ret_fd = -1;
                relay_free(relay);
                return r;
        }
        r = config->sink ? stream_new(&relay->stream, &stream) : 0;
        if (r < 0)
                log_warning("%s: %s: it is passed on without being read", config->name, strerror(-r));
        *ret_relay = relay;
        return 0;
}

struct relay *relay_free(struct relay *relay) {
        if (!relay)
                return NULL;
        close_from(relay);
        relay->to_source = loop_fd_free(relay->to_source);
        if (relay->to_is_ours)
                cleanup_close(&relay->to);
        stream_free(relay->stream);
        free(relay);
        return NULL;
}

void relay_finish(struct relay *relay) {
        relay->is_finishing = true;
        relay->rest_bytes = REST_BYTES_MAX;
        if (relay->from < 0)
                become_done(relay);
        else if (relay->end == 0)
                move_rest(relay);
}

void relay_abandon(struct relay *relay) {
        close_both(relay);
}

bool relay_has_output(const struct relay *relay) {
        return relay->has_output;
}

void relay_resize(struct relay *relay) {
        struct winsize size;

        if (relay->from >= 0 && ioctl(relay->config.fd, TIOCGWINSZ, &size) == 0)
                (void)ioctl(relay->from, TIOCSWINSZ, &size);
}
