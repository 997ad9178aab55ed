#include "source/socket.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

enum {
        CHUNK_BYTES = 64 * 1024,   /* read at once of one connection, and the longest datagram */
        BACKLOG = 1024,            /* no more are connected; a client that does not wait gets EAGAIN beyond (unix(7)) */
        ACCEPTS_AT_ONCE = 64,
        RETRY_MS = 1000,           /* what could not be done: listen, accept, keep */
        TICK_MS = 100,             /* of the rate */
        TICK_BYTES_MAX = SOCKET_RATE_BYTES_MAX / (1000 / TICK_MS),
        DATAGRAMS_AT_ONCE = 64,
        DRAIN_BYTES_MAX = 4 * 1024 * 1024, /* of a connection at the end: more than a socket's buffer has */
        FILES_MIN = 4096,          /* descriptors that we ask for */
};

struct connection {
        struct agent_socket *socket;
        struct connection *next, **place; /* in the list of all */
        int fd;
        struct loop_fd *source;
        struct conversation *conversation;
        size_t tick_bytes;   /* read in this tick */
        bool is_paused;      /* until the next tick */
        bool is_over;        /* nothing more is read; closed when all is kept and answered */
        bool is_unkept;
};

struct agent_socket {
        struct loop *loop;
        struct socket_config config;
        struct conversation_host *host; /* in config */
        int fd, datagram_fd;            /* -1: not yet */
        struct loop_fd *source, *datagram_source;
        struct loop_timer *listen_timer, *keep_timer, *tick_timer;
        struct connection *connections;
        size_t n_connections, pending_bytes;
        int64_t kept_ms; /* when all was kept last */
        int failure;     /* of listening, that was logged; 0: none */
        char chunk[CHUNK_BYTES + 1];
};

/* --- one connection --- */

static void connection_close(struct connection *connection) {
        struct agent_socket *socket = connection->socket;

        *connection->place = connection->next;
        if (connection->next)
                connection->next->place = connection->place;
        socket->n_connections--;
        socket->pending_bytes -= conversation_pending_bytes(connection->conversation);
        conversation_free(connection->conversation);
        loop_fd_free(connection->source);
        (void)close(connection->fd);
        free(connection);
        /* One that waited for a descriptor may come in now. */
        if (socket->source && !loop_timer_is_set(socket->listen_timer))
                (void)loop_fd_set_events(socket->source, EPOLLIN);
}

/* Sends what is due. False: there is nobody any more. */
static bool connection_answer(struct connection *connection) {
        struct slice answers;

        while ((answers = conversation_answers(connection->conversation)).size_bytes > 0) {
                ssize_t n = send(connection->fd, answers.data, answers.size_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno == EAGAIN;
                conversation_sent(connection->conversation, (size_t)n);
        }
        return true;
}

static void connection_wait(struct connection *connection) {
        bool is_read = !connection->is_over && !connection->is_paused;
        bool has_answers = conversation_answers(connection->conversation).size_bytes > 0;

        (void)loop_fd_set_events(connection->source, (is_read ? EPOLLIN : 0u) | (has_answers ? EPOLLOUT : 0u));
}

/* What is over is closed when all it said is kept and it was told so, or when nobody is there to be told; a client that
 * does not read is not waited for. */
static void connection_settle(struct connection *connection) {
        bool is_there = connection_answer(connection);

        if (connection->is_over && (!is_there || !connection->is_unkept))
                connection_close(connection);
        else
                connection_wait(connection);
}

static void keep_due(struct agent_socket *socket) {
        int64_t since_ms = loop_now_ms(socket->loop) - socket->kept_ms;

        if (!loop_timer_is_set(socket->keep_timer))
                loop_timer_set(socket->keep_timer, since_ms >= SOCKET_KEEP_MS ? 0 : SOCKET_KEEP_MS - since_ms);
}

static void keep(struct agent_socket *socket) {
        struct connection *next;
        int r = socket->config.keep(socket->config.userdata);

        loop_timer_clear(socket->keep_timer);
        socket->kept_ms = loop_now_ms(socket->loop);
        if (r < 0) {
                loop_timer_set(socket->keep_timer, RETRY_MS);
                return;
        }
        clients_mark_kept(socket->host->clients);
        for (struct connection *connection = socket->connections; connection; connection = next) {
                next = connection->next;
                if (!connection->is_unkept)
                        continue;
                connection->is_unkept = false;
                conversation_kept(connection->conversation);
                connection_settle(connection);
        }
}

static void on_keep_timer(void *userdata) {
        keep(userdata);
}

static void refuse_largest(struct agent_socket *socket) {
        struct connection *largest = socket->connections;

        for (struct connection *connection = largest; connection; connection = connection->next)
                if (conversation_pending_bytes(connection->conversation) > conversation_pending_bytes(largest->conversation))
                        largest = connection;
        if (!largest)
                return;
        socket->pending_bytes -= conversation_pending_bytes(largest->conversation);
        conversation_refuse(largest->conversation, "no-room", "expected fewer or shorter unfinished messages; the connection is closed");
        largest->is_over = true;
        largest->is_unkept = true; /* closed with the next acknowledgement */
        (void)loop_fd_set_events(largest->source, 0);
        keep_due(socket);
}

static void connection_push(struct connection *connection, struct slice bytes, bool final) {
        struct agent_socket *socket = connection->socket;
        size_t before = conversation_pending_bytes(connection->conversation);
        int r;

        socket->host->now_us = loop_wall_us(socket->loop);
        r = conversation_push(connection->conversation, bytes, final);
        socket->pending_bytes += conversation_pending_bytes(connection->conversation) - before;
        if (r < 0)
                log_error("%.*s: %s: a client's connection is closed", (int)socket->host->source.size_bytes,
                          socket->host->source.data, strerror(-r));
        connection->is_over = connection->is_over || r != CONVERSATION_GOES_ON || final;
        connection->is_unkept = true;
        keep_due(socket);
}

/* A client that is faster than it may be is read again with the next tick. */
static void limit_rate(struct connection *connection, size_t n) {
        struct agent_socket *socket = connection->socket;

        connection->tick_bytes += n;
        connection->is_paused = connection->tick_bytes >= TICK_BYTES_MAX;
        if (!loop_timer_is_set(socket->tick_timer))
                loop_timer_set(socket->tick_timer, TICK_MS);
}

static void on_tick_timer(void *userdata) {
        struct agent_socket *socket = userdata;

        for (struct connection *connection = socket->connections; connection; connection = connection->next) {
                connection->tick_bytes = 0;
                if (!connection->is_paused)
                        continue;
                connection->is_paused = false;
                connection_wait(connection);
        }
}

/* One chunk, so that every connection gets its turn. Returns what recv() did. */
static ssize_t connection_read(struct connection *connection) {
        struct agent_socket *socket = connection->socket;
        ssize_t n = recv(connection->fd, socket->chunk, CHUNK_BYTES, MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return n;
        /* ECONNRESET: it closed without reading what we said; what it said was read before. */
        connection_push(connection, (struct slice){ socket->chunk, n > 0 ? (size_t)n : 0 }, n <= 0);
        return n > 0 ? n : 0;
}

static void on_connection(void *userdata, uint32_t events) {
        struct connection *connection = userdata;
        struct agent_socket *socket = connection->socket;
        bool is_gone = events & (EPOLLHUP | EPOLLERR); /* told whatever is asked for (epoll_ctl(2)) */
        ssize_t n;

        if (connection->is_over && is_gone) {
                connection_close(connection);
                return;
        }
        if (!connection->is_over && (is_gone || (!connection->is_paused && (events & EPOLLIN)))) {
                n = connection_read(connection);
                if (n > 0)
                        limit_rate(connection, (size_t)n);
        }
        if (socket->pending_bytes > SOCKET_PENDING_BYTES_MAX)
                refuse_largest(socket);
        if (conversation_unkept_bytes(connection->conversation) > SOCKET_UNKEPT_BYTES_MAX)
                keep(socket);
        else
                connection_settle(connection);
}

/* --- accepting --- */

static void turn_away(struct agent_socket *socket, int fd) {
        struct buffer out = BUFFER_INIT(1024);
        struct fault fault;
        struct answer answer = { .kind = ANSWER_REJECTED, .fault = &fault };

        fault_set(&fault, 0, "too-many-clients", "expected at most %d connections", SOCKET_CONNECTIONS_MAX);
        if (answer_put(&out, ENCODING_JSON, &answer) == 0)
                (void)send(fd, out.data, out.size_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
        buffer_release(&out);
        (void)close(fd);
        log_debug("%s: a client is turned away: %d are connected", socket->config.path, SOCKET_CONNECTIONS_MAX);
}

static int connection_new(struct agent_socket *socket, int fd) {
        struct connection *connection = calloc(1, sizeof(*connection));
        int r;

        if (!connection)
                return -ENOMEM;
        connection->socket = socket;
        connection->fd = fd;
        r = conversation_new(&connection->conversation, socket->host, connection);
        if (r == 0)
                r = loop_fd_new(&connection->source, socket->loop, fd, EPOLLIN, on_connection, connection);
        if (r < 0) {
                conversation_free(connection->conversation);
                free(connection);
                return r;
        }
        connection->next = socket->connections;
        connection->place = &socket->connections;
        if (connection->next)
                connection->next->place = &connection->next;
        socket->connections = connection;
        socket->n_connections++;
        return 0;
}

/* No descriptor is left: the client stays in the queue, and would wake us at once. */
static void let_wait(struct agent_socket *socket, int error) {
        log_warning("%s: a client has to wait: %s", socket->config.path, strerror(error));
        (void)loop_fd_set_events(socket->source, 0);
        loop_timer_set(socket->listen_timer, RETRY_MS);
}

static void on_listener(void *userdata, uint32_t events) {
        struct agent_socket *socket = userdata;

        (void)events;
        for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
                int fd = accept4(socket->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

                if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
                        return;
                if (fd < 0) {
                        let_wait(socket, errno);
                        return;
                }
                if (socket->n_connections >= SOCKET_CONNECTIONS_MAX)
                        turn_away(socket, fd);
                else if (connection_new(socket, fd) < 0)
                        (void)close(fd);
        }
}

/* --- datagrams --- */

static void on_datagram(void *userdata, uint32_t events) {
        struct agent_socket *socket = userdata;

        (void)events;
        for (int i = 0; i < DATAGRAMS_AT_ONCE; i++) {
                ssize_t n = recv(socket->datagram_fd, socket->chunk, CHUNK_BYTES, MSG_DONTWAIT);

                if (n < 0)
                        return;
                if (n > 0 && datagram_take((struct slice){ socket->chunk, (size_t)n }, SLICE("agent.dgram"), socket->host->sink) < 0)
                        log_error("%s: a datagram is lost: no memory", socket->config.datagram_path);
                keep_due(socket);
        }
}

/* --- listening --- */

static int set_address(struct sockaddr_un *address, const char *path) {
        size_t n = strlen(path);

        *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
        if (n >= sizeof(address->sun_path))
                return -ENAMETOOLONG;
        memcpy(address->sun_path, path, n + 1);
        return 0;
}

/* Does anybody listen there? A killed agent leaves its socket behind. */
static bool is_alive(const struct sockaddr_un *address, int type) {
        CLEANUP(cleanup_close) int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        return fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN);
}

static bool is_socket(const char *path) {
        struct stat status;

        return lstat(path, &status) == 0 && S_ISSOCK(status.st_mode);
}

static int bind_to(int fd, const char *path, int type, mode_t mode) {
        struct sockaddr_un address;
        mode_t old;
        int r = set_address(&address, path);

        if (r < 0)
                return r;
        if (is_socket(path)) {
                if (is_alive(&address, type))
                        return -EADDRINUSE;
                (void)unlink(path);
        }
        old = umask(0777 & ~mode);
        r = bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
        (void)umask(old);
        return r;
}

static int open_bound(const char *path, int type, mode_t mode, int *ret_fd) {
        CLEANUP(cleanup_close) int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int r = fd < 0 ? -errno : bind_to(fd, path, type, mode);

        if (r == 0 && type == SOCK_STREAM && listen(fd, BACKLOG) < 0)
                r = -errno;
        if (r < 0)
                return r;
        *ret_fd = fd;
        fd = -1;
        return 0;
}

static int listen_on(struct agent_socket *socket) {
        const struct socket_config *config = &socket->config;
        int r = 0;

        if (socket->fd < 0)
                r = open_bound(config->path, SOCK_STREAM, config->mode, &socket->fd);
        if (r == 0 && !socket->source)
                r = loop_fd_new(&socket->source, socket->loop, socket->fd, EPOLLIN, on_listener, socket);
        if (r == 0 && config->datagram_path && socket->datagram_fd < 0)
                r = open_bound(config->datagram_path, SOCK_DGRAM, config->mode, &socket->datagram_fd);
        if (r == 0 && socket->datagram_fd >= 0 && !socket->datagram_source)
                r = loop_fd_new(&socket->datagram_source, socket->loop, socket->datagram_fd, EPOLLIN, on_datagram, socket);
        return r;
}

/* A directory that is not there yet is no news, and its coming is told. */
static void try_to_listen(struct agent_socket *socket) {
        int r = listen_on(socket);

        if (r < 0 && r != -ENOENT && r != socket->failure)
                log_warning("%s: cannot be listened on: %s; trying again, files are followed meanwhile", socket->config.path,
                            r == -EADDRINUSE ? "another agent does" : strerror(-r));
        else if (r == 0)
                log_debug("%s: listening", socket->config.path);
        socket->failure = r;
        if (r < 0 && r != -ENOENT)
                loop_timer_set(socket->listen_timer, RETRY_MS);
}

void socket_looked(struct agent_socket *socket) {
        if (socket->failure == -ENOENT)
                try_to_listen(socket);
}

static void on_listen_timer(void *userdata) {
        struct agent_socket *socket = userdata;

        if (socket->source)
                (void)loop_fd_set_events(socket->source, EPOLLIN);
        if (!socket->source || (socket->config.datagram_path && !socket->datagram_source))
                try_to_listen(socket);
}

/* --- the socket as a whole --- */

/* Shells and container runtimes set 1,024 and allow far more (getrlimit(2)). */
static void ask_for_descriptors(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= FILES_MIN)
                return;
        limit.rlim_cur = limit.rlim_max < FILES_MIN ? limit.rlim_max : FILES_MIN;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int set_up_timers(struct agent_socket *socket) {
        int r = loop_timer_new(&socket->listen_timer, socket->loop, on_listen_timer, socket);

        if (r == 0)
                r = loop_timer_new(&socket->keep_timer, socket->loop, on_keep_timer, socket);
        return r == 0 ? loop_timer_new(&socket->tick_timer, socket->loop, on_tick_timer, socket) : r;
}

/* What it had not been acknowledged the client sends again on its new one. */
static void take_over(void *userdata, void *connection) {
        (void)userdata;
        connection_close(connection);
}

int socket_new(struct agent_socket **ret_socket, struct loop *loop, const struct socket_config *config) {
        struct agent_socket *socket;
        struct sockaddr_un address;
        int r;

        if (set_address(&address, config->path) < 0) {
                log_error("%s: expected a path of at most %zu bytes for a socket, not %zu (unix(7))", config->path,
                          sizeof(address.sun_path) - 1, strlen(config->path));
                return -ENAMETOOLONG;
        }
        socket = calloc(1, sizeof(*socket));
        if (!socket)
                return -ENOMEM;
        socket->loop = loop;
        socket->config = *config;
        socket->host = &socket->config.host;
        socket->host->take_over = take_over;
        socket->fd = socket->datagram_fd = -1;
        socket->kept_ms = loop_now_ms(loop) - SOCKET_KEEP_MS;
        ask_for_descriptors();
        r = set_up_timers(socket);
        if (r < 0) {
                socket_free(socket);
                return r;
        }
        try_to_listen(socket);
        *ret_socket = socket;
        return 0;
}

/* From here on nobody finds us; what a newer agent listens on stays. */
static void stop_listening(struct agent_socket *socket) {
        if (socket->listen_timer)
                loop_timer_clear(socket->listen_timer);
        if (socket->fd >= 0)
                (void)unlink(socket->config.path);
        if (socket->datagram_fd >= 0)
                (void)unlink(socket->config.datagram_path);
        socket->source = loop_fd_free(socket->source);
        socket->datagram_source = loop_fd_free(socket->datagram_source);
        cleanup_close(&socket->fd);
        cleanup_close(&socket->datagram_fd);
        socket->fd = socket->datagram_fd = -1;
}

struct agent_socket *socket_free(struct agent_socket *socket) {
        if (!socket)
                return NULL;
        stop_listening(socket);
        while (socket->connections)
                connection_close(socket->connections);
        loop_timer_free(socket->listen_timer);
        loop_timer_free(socket->keep_timer);
        loop_timer_free(socket->tick_timer);
        free(socket);
        return NULL;
}

void socket_stop(struct agent_socket *socket, const char *reason, double deadline_s) {
        struct connection *next;

        socket->host->stop = (struct stop_request){ true, reason, deadline_s };
        for (struct connection *connection = socket->connections; connection; connection = next) {
                next = connection->next;
                conversation_stop(connection->conversation);
                connection_settle(connection);
        }
}

void socket_finish(struct agent_socket *socket) {
        if (socket->fd >= 0)
                for (int fd; (fd = accept4(socket->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0;)
                        if (socket->n_connections >= SOCKET_CONNECTIONS_MAX || connection_new(socket, fd) < 0)
                                (void)close(fd);
        if (socket->datagram_fd >= 0)
                on_datagram(socket, EPOLLIN);
        for (struct connection *connection = socket->connections; connection; connection = connection->next) {
                size_t left = DRAIN_BYTES_MAX;
                ssize_t n;

                while (!connection->is_over && (n = connection_read(connection)) > 0 && left > (size_t)n)
                        left -= (size_t)n;
                if (!connection->is_over)
                        connection_push(connection, (struct slice){ 0 }, true);
        }
        keep(socket);
        stop_listening(socket);
        while (socket->connections)
                connection_close(socket->connections);
}
