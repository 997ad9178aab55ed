#include "kube/kube.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "kube/answer.h"
#include "kube/outcome.h"

enum {
        REPLY_BYTES_MAX = 4 * 1024 * 1024, /* the API server's own bound is 3 MiB */
        TOKEN_BYTES_MAX = 64 * 1024,
        CREDENTIALS_BYTES_MAX = 4 * 1024 * 1024, /* a bundle of all public authorities has some 220 kB */
        WARNING_BYTES_MAX = 1024,
        URL_BYTES_MAX = 8192,
        CONNECT_TIMEOUT_MS = 5000,
        KEEPALIVE_S = 30,
};

struct kube {
        struct loop *loop;
        CURLM *multi;
        struct loop_timer *timer;
        struct kube_request *requests;
        char *server, *ca_file, *token_file, *client_cert_file, *client_key_file, *user_agent;
};

struct kube_request {
        struct kube *kube;
        struct kube_request *next;
        CURL *easy;
        struct curl_slist *headers;
        kube_callback callback;
        kube_line_callback on_line;
        void *userdata;
        struct buffer reply;
        struct buffer warning;
        char error[CURL_ERROR_SIZE];
        int64_t retry_after_ms;
        char *cannot; /* why the call cannot even be made; told from the loop */
};

/* --- paths and servers --- */

int kube_server_from_host(const char *host, const char *port, char **ret_server) {
        bool is_ipv6 = host && strchr(host, ':');

        if (!host || !*host || !port || !*port)
                return -EINVAL;
        if (asprintf(ret_server, is_ipv6 ? "https://[%s]:%s" : "https://%s:%s", host, port) < 0)
                return -ENOMEM;
        return 0;
}

/* RFC 3986: everything but unreserved characters. */
static void put_escaped(struct buffer *path, const char *part) {
        for (; *part; part++) {
                unsigned char c = (unsigned char)*part;
                bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                                strchr("-._~", c);

                if (is_plain)
                        (void)buffer_append_char(path, *part);
                else
                        (void)buffer_printf(path, "%%%02X", c);
        }
}

static void put_part(struct buffer *path, const char *part) {
        if (!part)
                return;
        (void)buffer_append_char(path, '/');
        put_escaped(path, part);
}

char *kube_path(const char *group, const char *version, const char *namespace_name, const char *plural,
                const char *name, const char *subresource, const char *query) {
        CLEANUP(buffer_release) struct buffer path = BUFFER_INIT(URL_BYTES_MAX);
        const char *text;

        put_part(&path, *group ? "apis" : "api");
        put_part(&path, *group ? group : NULL);
        put_part(&path, version);
        if (namespace_name) {
                put_part(&path, "namespaces");
                put_part(&path, namespace_name);
        }
        put_part(&path, plural);
        put_part(&path, name);
        put_part(&path, subresource);
        if (query)
                (void)buffer_printf(&path, "?%s", query);
        text = buffer_string(&path);
        return text ? strdup(text) : NULL;
}

/* --- one request --- */

static void request_free(struct kube_request *request) {
        struct kube_request **at = &request->kube->requests;

        while (*at && *at != request)
                at = &(*at)->next;
        if (*at)
                *at = request->next;
        if (request->easy) {
                (void)curl_multi_remove_handle(request->kube->multi, request->easy);
                curl_easy_cleanup(request->easy);
        }
        curl_slist_free_all(request->headers);
        buffer_release(&request->reply);
        buffer_release(&request->warning);
        free(request->cannot);
        free(request);
}

/* Its lines are given as they come. */
static bool is_stream(const struct kube_request *request, long status) {
        return request->on_line && status >= 200 && status < 300;
}

static void give_lines(struct kube_request *request) {
        const char *newline;

        while ((newline = memchr(request->reply.data, '\n', request->reply.size_bytes))) {
                struct slice line = { request->reply.data, (size_t)(newline - request->reply.data) };

                request->on_line(request->userdata, line);
                buffer_consume(&request->reply, line.size_bytes + 1);
        }
}

static size_t on_body(char *data, size_t one, size_t size, void *userdata) {
        struct kube_request *request = userdata;
        long status = 0;

        (void)one;
        if (buffer_append(&request->reply, data, size) < 0)
                return 0; /* CURLE_WRITE_ERROR: reported as unreachable, with why */
        (void)curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
        if (is_stream(request, status))
                give_lines(request);
        return size;
}

static bool is_header(struct slice header, const char *name, struct slice *ret_value) {
        size_t n = strlen(name);

        if (header.size_bytes <= n || strncasecmp(header.data, name, n) != 0 || header.data[n] != ':')
                return false;
        *ret_value = (struct slice){ header.data + n + 1, header.size_bytes - n - 1 };
        while (ret_value->size_bytes > 0 && strchr(" \r\n", ret_value->data[ret_value->size_bytes - 1]))
                ret_value->size_bytes--;
        return true;
}

static size_t on_header(char *data, size_t one, size_t size, void *userdata) {
        struct kube_request *request = userdata;
        struct slice header = { data, size }, value;

        (void)one;
        if (is_header(header, "Retry-After", &value)) {
                CLEANUP(cleanup_free) char *text = strndup(value.data, value.size_bytes);

                if (text)
                        request->retry_after_ms =
                                kube_parse_retry_after(text, loop_wall_us(request->kube->loop) / 1000000);
        } else if (is_header(header, "Warning", &value)) {
                (void)buffer_printf(&request->warning, "%s%.*s", request->warning.size_bytes ? "; " : "",
                                    (int)value.size_bytes, value.data);
        }
        return size;
}

/* --- replies --- */

static void tell(struct kube_request *request, const struct kube_reply *reply) {
        kube_callback callback = request->callback;
        void *userdata = request->userdata;

        /* The caller may start the next call, or free everything, in its callback. */
        request_free(request);
        callback(userdata, reply);
}

static void tell_reply(struct kube_request *request, int status) {
        CLEANUP(answer_release) struct answer answer = {
                .status = status,
                .retry_after_ms = request->retry_after_ms,
                .is_stream = is_stream(request, status),
                .text = request->reply,
                .message = request->warning,
        };
        struct kube_reply reply;

        request->reply = request->warning = BUFFER_INIT(0);
        answer_read(&answer, &reply);
        tell(request, &reply);
}

static void tell_failure(struct kube_request *request, const char *why) {
        char message[CURL_ERROR_SIZE + 64];
        struct kube_reply reply = { .outcome = KUBE_UNREACHABLE, .retry_after_ms = -1, .reason = "",
                                    .message = message };

        (void)snprintf(message, sizeof(message), "%s", why);
        tell(request, &reply);
}

static const char *describe_failure(const struct kube_request *request, CURLcode code) {
        if (code == CURLE_WRITE_ERROR)
                return "the reply is longer than 4 MiB";
        return *request->error ? request->error : curl_easy_strerror(code);
}

static void request_done(struct kube_request *request, CURLcode code) {
        long status = 0;

        (void)curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
        if (code == CURLE_OK && status > 0)
                tell_reply(request, (int)status);
        else
                tell_failure(request, describe_failure(request, code));
}

/* --- libcurl on the loop --- */

static void set_timer(struct kube *kube);

static void take_done(struct kube *kube) {
        struct CURLMsg *message;
        int left;

        while ((message = curl_multi_info_read(kube->multi, &left))) {
                struct kube_request *request = NULL;

                if (message->msg != CURLMSG_DONE)
                        continue;
                (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&request);
                request_done(request, message->data.result);
        }
}

/* Calls that could not be made are told from here, so that no callback comes from kube_start(). */
static void take_impossible(struct kube *kube) {
        for (struct kube_request *request = kube->requests, *next; request; request = next) {
                next = request->next;
                if (!request->cannot)
                        continue;
                tell_failure(request, request->cannot);
                next = kube->requests; /* the callback may have changed the list */
        }
}

static void act(struct kube *kube, curl_socket_t socket, int events) {
        int running;

        (void)curl_multi_socket_action(kube->multi, socket, events, &running);
        take_impossible(kube);
        take_done(kube);
        set_timer(kube);
}

/* libcurl tells of a new time-out only when it changes, but ours may have fired before its time, by
 * a test's clock: so it is asked each time. Its 0 means now, its -1 none. */
static void set_timer(struct kube *kube) {
        long timeout_ms = -1;

        (void)curl_multi_timeout(kube->multi, &timeout_ms);
        for (struct kube_request *request = kube->requests; request; request = request->next)
                if (request->cannot)
                        timeout_ms = 0;
        if (timeout_ms >= 0)
                loop_timer_set(kube->timer, timeout_ms);
        else
                loop_timer_clear(kube->timer);
}

static void on_timer(void *userdata) {
        act(userdata, CURL_SOCKET_TIMEOUT, 0);
}

struct socket_watch {
        struct kube *kube;
        struct loop_fd *source;
        curl_socket_t socket;
};

static void on_socket_ready(void *userdata, uint32_t events) {
        struct socket_watch *watch = userdata;
        int flags = (events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                    (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

        act(watch->kube, watch->socket, flags);
}

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *userdata, void *socket_data) {
        static const uint32_t events[] = { [CURL_POLL_IN] = EPOLLIN, [CURL_POLL_OUT] = EPOLLOUT,
                                           [CURL_POLL_INOUT] = EPOLLIN | EPOLLOUT };
        struct kube *kube = userdata;
        struct socket_watch *watch = socket_data;

        (void)easy;
        if (what == CURL_POLL_REMOVE) {
                if (watch)
                        loop_fd_free(watch->source);
                free(watch);
                (void)curl_multi_assign(kube->multi, socket, NULL);
                return 0;
        }
        if (watch)
                return loop_fd_set_events(watch->source, events[what]) < 0 ? -1 : 0;
        watch = calloc(1, sizeof(*watch));
        if (!watch)
                return -1;
        *watch = (struct socket_watch){ .kube = kube, .socket = socket };
        if (loop_fd_new(&watch->source, kube->loop, socket, events[what], on_socket_ready, watch) < 0) {
                free(watch);
                return -1;
        }
        (void)curl_multi_assign(kube->multi, socket, watch);
        return 0;
}

static int on_timeout_change(CURLM *multi, long timeout_ms, void *userdata) {
        struct kube *kube = userdata;

        (void)multi;
        if (timeout_ms >= 0)
                loop_timer_set(kube->timer, timeout_ms);
        else
                loop_timer_clear(kube->timer);
        return 0;
}

/* --- starting --- */

/* A file of credentials as it is now: the kubelet replaces them long before the old ones end. 0, negative
 * errno. */
static int read_credentials(const char *path, struct buffer *ret_bytes) {
        CLEANUP(cleanup_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
        char chunk[4096];
        ssize_t n;
        int r;

        if (fd < 0)
                return -errno;
        while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
                if (n < 0 && errno == EINTR)
                        continue;
                r = n < 0 ? -errno : buffer_append(ret_bytes, chunk, (size_t)n);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* -EBADMSG when there is something in it that a header must not have. */
static int read_token(const char *path, struct buffer *token) {
        int r = read_credentials(path, token);

        if (r < 0)
                return r;
        while (token->size_bytes > 0 && strchr("\r\n ", token->data[token->size_bytes - 1]))
                token->size_bytes--;
        for (size_t i = 0; i < token->size_bytes; i++)
                if ((unsigned char)token->data[i] <= 0x20 || (unsigned char)token->data[i] >= 0x7f)
                        return -EBADMSG;
        return token->size_bytes > 0 ? 0 : -EBADMSG;
}

/* Such a call fails from the loop, with this text. */
static int cannot_read(struct kube_request *request, const char *what, const char *path, const char *why) {
        return asprintf(&request->cannot, "%s %s: %s", what, path, why) < 0 ? -ENOMEM : 0;
}

static int add_header(struct kube_request *request, const char *header) {
        struct curl_slist *list = curl_slist_append(request->headers, header);

        if (!list)
                return -ENOMEM;
        request->headers = list;
        return 0;
}

static int add_token(struct kube_request *request) {
        CLEANUP(buffer_release) struct buffer token = BUFFER_INIT(TOKEN_BYTES_MAX);
        CLEANUP(buffer_release) struct buffer header = BUFFER_INIT(TOKEN_BYTES_MAX + 64);
        const char *path = request->kube->token_file;
        int r;

        if (!path)
                return 0;
        r = read_token(path, &token);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return cannot_read(request, "token file", path, r == -EBADMSG ? "holds no token" : strerror(-r));
        r = buffer_append_string(&header, "Authorization: Bearer ");
        if (r == 0)
                r = buffer_append(&header, token.data, token.size_bytes);
        return r == 0 ? add_header(request, buffer_string(&header)) : r;
}

static int add_headers(struct kube_request *request, const struct kube_call *call) {
        /* Shrinks the reply to a patch of a large object to some 240 bytes. */
        int r = add_header(request, call->metadata_only ?
                        "Accept: application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json" :
                        "Accept: application/json");

        if (r == 0 && call->method != KUBE_GET)
                r = add_header(request, call->method == KUBE_POST ?
                               "Content-Type: application/json" : "Content-Type: application/merge-patch+json");
        /* Without this, libcurl waits a second for "100 Continue" before a longer body. */
        if (r == 0)
                r = add_header(request, "Expect:");
        return r == 0 ? add_token(request) : r;
}

/* As bytes: libcurl goes on using a connection as long as these are the same, and opens another when they
 * are not. Of a file it would look at the name, and keep certificates for a day (CURLOPT_CA_CACHE_TIMEOUT). */
static int set_blob(struct kube_request *request, CURLoption option, const char *what, const char *path) {
        CLEANUP(buffer_release) struct buffer bytes = BUFFER_INIT(CREDENTIALS_BYTES_MAX);
        struct curl_blob blob = { .flags = CURL_BLOB_COPY };
        int r;

        if (!path || request->cannot)
                return 0;
        r = read_credentials(path, &bytes);
        if (r < 0)
                return r == -ENOMEM ? r : cannot_read(request, what, path, strerror(-r));
        blob.data = bytes.data;
        blob.len = bytes.size_bytes;
        if (blob.len == 0)
                return cannot_read(request, what, path, "is empty");
        return curl_easy_setopt(request->easy, option, &blob) == CURLE_OK ? 0 : -ENOMEM;
}

static int set_tls(struct kube_request *request) {
        const struct kube *kube = request->kube;
        const char *key_file = kube->client_key_file ? kube->client_key_file : kube->client_cert_file;
        int r;

        curl_easy_setopt(request->easy, CURLOPT_SSL_VERIFYPEER, 1L);
        curl_easy_setopt(request->easy, CURLOPT_SSL_VERIFYHOST, 2L);
        r = set_blob(request, CURLOPT_CAINFO_BLOB, "certificates", kube->ca_file);
        if (r == 0)
                r = set_blob(request, CURLOPT_SSLCERT_BLOB, "client certificate", kube->client_cert_file);
        return r == 0 ? set_blob(request, CURLOPT_SSLKEY_BLOB, "client key", key_file) : r;
}

static void set_transport(CURL *easy, const struct kube *kube, int64_t timeout_ms) {
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* not the environment's either */
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
        curl_easy_setopt(easy, CURLOPT_USERAGENT, kube->user_agent);
        curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
        curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_S);
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
}

static void set_method(CURL *easy, const struct kube_call *call) {
        if (call->method == KUBE_GET)
                return;
        if (call->method == KUBE_PATCH_MERGE)
                curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "PATCH");
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.size_bytes);
        curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, call->body.size_bytes ? call->body.data : "");
}

static int set_up(struct kube_request *request, const struct kube_call *call) {
        CLEANUP(cleanup_free) char *url = NULL;
        CURL *easy = curl_easy_init();
        int64_t timeout_ms = call->timeout_ms ? call->timeout_ms : call->on_line ? 0 : KUBE_TIMEOUT_MS;
        int r;

        request->easy = easy;
        if (!easy || asprintf(&url, "%s%s", request->kube->server, call->path) < 0)
                return -ENOMEM;
        r = add_headers(request, call);
        if (r == 0)
                r = set_tls(request);
        if (r < 0)
                return r;
        set_transport(easy, request->kube, timeout_ms);
        set_method(easy, call);
        curl_easy_setopt(easy, CURLOPT_URL, url);
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->headers);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
        curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
        curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->error);
        curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
        return 0;
}

int kube_start(struct kube *kube, const struct kube_call *call, kube_callback callback, void *userdata,
               struct kube_request **ret_request) {
        struct kube_request *request = calloc(1, sizeof(*request));
        int r;

        if (!request)
                return -ENOMEM;
        *request = (struct kube_request){
                .kube = kube, .next = kube->requests, .callback = callback, .on_line = call->on_line,
                .userdata = userdata, .retry_after_ms = -1, .reply = BUFFER_INIT(REPLY_BYTES_MAX),
                .warning = BUFFER_INIT(WARNING_BYTES_MAX),
        };
        kube->requests = request;
        r = set_up(request, call);
        if (r == 0 && !request->cannot && curl_multi_add_handle(kube->multi, request->easy) != CURLM_OK)
                r = -ENOMEM;
        if (r < 0) {
                request_free(request);
                return r;
        }
        if (request->cannot)
                loop_timer_set(kube->timer, 0);
        if (ret_request)
                *ret_request = request;
        return 0;
}

struct kube_request *kube_request_cancel(struct kube_request *request) {
        if (request)
                request_free(request);
        return NULL;
}

/* --- the server --- */

static int copy(char **ret_copy, const char *text) {
        *ret_copy = text ? strdup(text) : NULL;
        return text && !*ret_copy ? -ENOMEM : 0;
}

static int copy_config(struct kube *kube, const struct kube_config *config) {
        const struct {
                char **place;
                const char *text;
        } texts[] = {
                { &kube->server, config->server },
                { &kube->ca_file, config->ca_file },
                { &kube->token_file, config->token_file },
                { &kube->client_cert_file, config->client_cert_file },
                { &kube->client_key_file, config->client_key_file },
                { &kube->user_agent, config->user_agent },
        };
        int r = 0;

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && r == 0; i++)
                r = copy(texts[i].place, texts[i].text);
        if (r == 0)
                for (size_t n = strlen(kube->server); n > 0 && kube->server[n - 1] == '/'; n--)
                        kube->server[n - 1] = '\0';
        return r;
}

int kube_new(struct kube **ret_kube, struct loop *loop, const struct kube_config *config) {
        CLEANUP(kube_freep) struct kube *kube = NULL;
        int r;

        if (strncmp(config->server, "https://", 8) != 0 && strncmp(config->server, "http://", 7) != 0)
                return -EINVAL;
        if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
                return -ENOMEM;
        kube = calloc(1, sizeof(*kube));
        if (!kube)
                return -ENOMEM;
        kube->loop = loop;
        kube->multi = curl_multi_init();
        if (!kube->multi)
                return -ENOMEM;
        r = copy_config(kube, config);
        if (r == 0)
                r = loop_timer_new(&kube->timer, loop, on_timer, kube);
        if (r < 0)
                return r;
        curl_multi_setopt(kube->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
        curl_multi_setopt(kube->multi, CURLMOPT_SOCKETDATA, kube);
        curl_multi_setopt(kube->multi, CURLMOPT_TIMERFUNCTION, on_timeout_change);
        curl_multi_setopt(kube->multi, CURLMOPT_TIMERDATA, kube);
        *ret_kube = STEAL(kube);
        return 0;
}

struct kube *kube_free(struct kube *kube) {
        if (!kube)
                return NULL;
        while (kube->requests)
                request_free(kube->requests);
        if (kube->multi)
                curl_multi_cleanup(kube->multi);
        loop_timer_free(kube->timer);
        free(kube->server);
        free(kube->ca_file);
        free(kube->token_file);
        free(kube->client_cert_file);
        free(kube->client_key_file);
        free(kube->user_agent);
        free(kube);
        curl_global_cleanup();
        return NULL;
}

void kube_freep(struct kube **kube) {
        *kube = kube_free(*kube);
}
