/* Clients of the agent's socket that say as much as is taken: each sends numbered reports without waiting, and ends
 * when the last is acknowledged.
 *
 *     bench_socket SOCKET json|protobuf CLIENTS METRICS REPORTS [NAME]
 *
 * sends REPORTS in all, prepared before the clock starts, and prints the seconds from the first byte to the last
 * acknowledgement. The clients' ids begin with NAME. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS_MAX = 1000, METRICS_MAX = 100, NAME_BYTES = 16, MESSAGE_BYTES = 64, METRIC_BYTES = 48 };

struct client {
        int fd;
        char *bytes;           /* all that it says */
        size_t n_bytes, sent;
        char answers[65536];
        size_t n_answers;
        char last[32];         /* of its answers: how it ends */
        size_t n_last;
        bool is_done;
};

static void fail(const char *what) {
        perror(what);
        exit(1);
}

/* --- what is said --- */

static void put(struct client *client, const void *bytes, size_t n) {
        memcpy(client->bytes + client->n_bytes, bytes, n);
        client->n_bytes += n;
}

static void put_text(struct client *client, const char *text) {
        put(client, text, strlen(text));
}

static size_t varint(uint8_t *out, uint64_t value) {
        size_t n = 0;

        for (; value > 0x7f; value >>= 7)
                out[n++] = (uint8_t)(value | 0x80);
        out[n++] = (uint8_t)value;
        return n;
}

/* A field of bytes, of less than 16 kB. */
static size_t field(uint8_t *out, uint8_t tag, const uint8_t *bytes, size_t n) {
        size_t at = 1;

        out[0] = tag;
        at += varint(out + at, n);
        memcpy(out + at, bytes, n);
        return at + n;
}

static void put_frame(struct client *client, uint8_t tag, const uint8_t *bytes, size_t n) {
        uint8_t frame[MESSAGE_BYTES * 2 + METRIC_BYTES * METRICS_MAX], length[4];
        size_t size = field(frame, tag, bytes, n);

        for (int i = 0; i < 4; i++)
                length[i] = (uint8_t)(size >> (24 - 8 * i));
        put(client, length, sizeof(length));
        put(client, frame, size);
}

static size_t number_field(uint8_t *out, uint8_t tag, double value) {
        out[0] = tag;
        memcpy(out + 1, &value, sizeof(value));
        return 1 + sizeof(value);
}

static size_t metric(uint8_t *out, int i, double value) {
        uint8_t inside[METRIC_BYTES];
        char name[NAME_BYTES];
        size_t n = field(inside, 0x0a, (const uint8_t *)name, (size_t)snprintf(name, sizeof(name), "metric_%d", i));

        n += number_field(inside + n, 0x11, value);
        return field(out, 0x2a, inside, n);
}

static void say_protobuf(struct client *client, int64_t number, double epoch, int n_metrics) {
        uint8_t report[MESSAGE_BYTES + METRIC_BYTES * METRICS_MAX];
        size_t n = 1;

        report[0] = 0x08;
        n += varint(report + n, (uint64_t)number);
        n += number_field(report + n, 0x11, epoch);
        for (int i = 0; i < n_metrics; i++)
                n += metric(report + n, i, 1 / (epoch + i));
        put_frame(client, 0x12, report, n);
}

static void say_json(struct client *client, int64_t number, double epoch, int n_metrics) {
        char text[MESSAGE_BYTES];

        (void)snprintf(text, sizeof(text), "{\"report\":{\"number\":%lld,\"epoch\":%.0f,\"metrics\":{", (long long)number, epoch);
        put_text(client, text);
        for (int i = 0; i < n_metrics; i++) {
                (void)snprintf(text, sizeof(text), "%s\"metric_%d\":%.6g", i ? "," : "", i, 1 / (epoch + i));
                put_text(client, text);
        }
        put_text(client, "}}}\n");
}

static void say_hello(struct client *client, bool is_json, const char *name, int index) {
        char id[NAME_BYTES * 2], text[MESSAGE_BYTES];
        uint8_t hello[MESSAGE_BYTES];
        size_t n = (size_t)snprintf(id, sizeof(id), "%.12s-%d", name, index);

        if (is_json) {
                (void)snprintf(text, sizeof(text), "{\"hello\":{\"client\":\"%s\"}}\n", id);
                put_text(client, text);
        } else {
                n = field(hello, 0x12, (const uint8_t *)id, n);
                put_frame(client, 0x0a, hello, n);
        }
}

static void prepare(struct client *client, bool is_json, int n_metrics, int64_t n_reports, const char *name, int index) {
        client->bytes = malloc(MESSAGE_BYTES * 4 + (size_t)n_reports * (MESSAGE_BYTES + METRIC_BYTES * (size_t)n_metrics));
        if (!client->bytes)
                fail("memory");
        say_hello(client, is_json, name, index);
        for (int64_t number = 1; number <= n_reports; number++)
                (is_json ? say_json : say_protobuf)(client, number, (double)number, n_metrics);
        /* The last acknowledgement, as it is on the wire: Kept {number: n_reports}. */
        if (is_json) {
                client->n_last = (size_t)snprintf(client->last, sizeof(client->last), "{\"kept\":{\"number\":%lld}}\n", (long long)n_reports);
        } else {
                uint8_t kept[16] = { 0x08 };

                client->n_last = field((uint8_t *)client->last, 0x12, kept, 1 + varint(kept + 1, (uint64_t)n_reports));
        }
}

/* --- saying it --- */

static int connect_to(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
                fail(path);
        if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
                fail("fcntl");
        return fd;
}

static void send_some(struct client *client) {
        ssize_t n = send(client->fd, client->bytes + client->sent, client->n_bytes - client->sent, MSG_NOSIGNAL);

        if (n < 0 && errno != EAGAIN)
                fail("send");
        client->sent += n > 0 ? (size_t)n : 0;
}

static void hear(struct client *client) {
        ssize_t n = recv(client->fd, client->answers + client->n_answers, sizeof(client->answers) - client->n_answers, 0);

        if (n == 0 || (n < 0 && errno != EAGAIN))
                fail("recv");
        client->n_answers += n > 0 ? (size_t)n : 0;
        if (client->n_answers >= client->n_last)
                client->is_done = memcmp(client->answers + client->n_answers - client->n_last, client->last, client->n_last) == 0;
        if (client->n_answers > sizeof(client->answers) / 2) {
                memmove(client->answers, client->answers + client->n_answers - client->n_last, client->n_last);
                client->n_answers = client->n_last;
        }
}

static double now_s(void) {
        struct timespec time;

        clock_gettime(CLOCK_MONOTONIC, &time);
        return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void run(struct client *clients, int n_clients) {
        struct pollfd fds[CLIENTS_MAX];
        int n_left = n_clients;

        while (n_left > 0) {
                for (int i = 0; i < n_clients; i++)
                        fds[i] = (struct pollfd){ clients[i].is_done ? -1 : clients[i].fd,
                                                  (short)(POLLIN | (clients[i].sent < clients[i].n_bytes ? POLLOUT : 0)), 0 };
                if (poll(fds, (nfds_t)n_clients, -1) < 0)
                        fail("poll");
                for (int i = 0; i < n_clients; i++) {
                        if (fds[i].revents & POLLOUT)
                                send_some(&clients[i]);
                        if (fds[i].revents & (POLLIN | POLLHUP))
                                hear(&clients[i]);
                        n_left -= fds[i].revents && clients[i].is_done;
                }
        }
}

int main(int argc, char **argv) {
        static struct client clients[CLIENTS_MAX];
        int n_clients = argc > 3 ? atoi(argv[3]) : 0, n_metrics = argc > 4 ? atoi(argv[4]) : 0;
        int64_t n_reports = argc > 5 ? atoll(argv[5]) / (n_clients > 0 ? n_clients : 1) : 0;
        double started_s;

        if (n_reports < 1 || n_clients < 1 || n_clients > CLIENTS_MAX || n_metrics < 1 || n_metrics > METRICS_MAX) {
                (void)fprintf(stderr, "usage: bench_socket SOCKET json|protobuf CLIENTS METRICS REPORTS [NAME]\n");
                return 2;
        }
        for (int i = 0; i < n_clients; i++) {
                prepare(&clients[i], strcmp(argv[2], "json") == 0, n_metrics, n_reports, argc > 6 ? argv[6] : "bench", i);
                clients[i].fd = connect_to(argv[1]);
        }
        started_s = now_s();
        run(clients, n_clients);
        (void)printf("%.6f\n", now_s() - started_s);
        return 0;
}
