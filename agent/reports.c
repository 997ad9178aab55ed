#include "reports.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json_put.h"
#include "base/log.h"
#include "formats/format.h"
#include "source/socket.h"
#include "stop_file.h"
#include "version.h"

enum { PARAMETERS_BYTES_MAX = 256 * 1024 }; /* as JSON, as a client says them: far more than are published */

struct reports {
        struct reports_config config;
        struct decoder *decoder;
        struct clients *clients;
        struct agent_socket *socket; /* NULL: none */
        char *socket_path, *datagram_path, *stop_path, *result_name;
        char *parameters;            /* a JSON object; NULL: none were said */
        char *stop_reason;           /* NULL: no stop, or no reason */
};

/* --- what is said --- */

static int keep(void *userdata) {
        struct reports *reports = userdata;

        /* Some of what is numbered changes nothing else, such as the end of a rank above 0. */
        if (!clients_are_kept(reports->clients))
                reports->config.changed(reports->config.userdata);
        return reports->config.keep(reports->config.userdata);
}

static void put_parameter(struct json_writer *writer, struct buffer *name, const struct parameter *parameter) {
        buffer_clear(name);
        (void)buffer_append(name, parameter->name.data, parameter->name.size_bytes);
        json_put_key(writer, buffer_string(name));
        switch (parameter->kind) {
        case PARAMETER_NUMBER: json_put_number(writer, parameter->number, 17); break;
        case PARAMETER_TEXT: json_put_text(writer, parameter->text); break;
        case PARAMETER_BOOLEAN: json_put_bool(writer, parameter->boolean); break;
        case PARAMETER_NULL: json_put_null(writer); break;
        }
}

static int take_parameters(void *userdata, const struct parameter *values, size_t n_values) {
        struct reports *reports = userdata;
        struct identity *identity = reports->config.identity;
        CLEANUP(buffer_release) struct buffer json = BUFFER_INIT(PARAMETERS_BYTES_MAX);
        CLEANUP(buffer_release) struct buffer name = BUFFER_INIT(MESSAGE_NAME_BYTES_MAX + 1);
        struct json_writer writer = JSON_WRITER_INIT(&json);
        int r;

        if (buffer_reserve(&name, MESSAGE_NAME_BYTES_MAX + 1) < 0)
                return -ENOMEM;
        json_put_open(&writer, '{');
        for (size_t i = 0; i < n_values; i++)
                put_parameter(&writer, &name, &values[i]);
        json_put_close(&writer, '}');
        if (writer.error < 0)
                return writer.error == -ENOBUFS ? -E2BIG : writer.error;
        r = identity_add_parameters(identity, buffer_string(&json));
        if (r == 0)
                r = identity_set(&reports->parameters, identity->parameters);
        if (r == 0)
                reports->config.changed(reports->config.userdata);
        return r;
}

static void take_end(void *userdata, int exit_status, struct slice message) {
        struct reports *reports = userdata;
        const struct record_sink *sink = reports->config.sink;
        struct record end = RECORD_EMPTY;

        reports->config.facts->attempt.exit_said = exit_status < 0 ? 128 - exit_status : exit_status; /* as shells have it */
        if (exit_status != 0 || message.size_bytes > 0)
                log_info("the trainer says that it ended with exit status %d%s%.*s", exit_status,
                         message.size_bytes ? ": " : "", (int)message.size_bytes, message.data ? message.data : "");
        end.source = slice_from("agent.sock");
        end.rank = SOURCE_SOCKET;
        end.end = exit_status == 0;
        if (end.end)
                sink->take_record(sink->userdata, &end);
        else
                reports->config.changed(reports->config.userdata);
}

static void take_dropped(void *userdata, uint64_t n) {
        struct reports *reports = userdata;
        struct result_facts *facts = reports->config.facts;

        if (facts->agent.dropped == 0)
                log_warning("a client of the socket had no room for %llu of its reports: they are counted as dropped",
                            (unsigned long long)n);
        /* Clients say the numbers: whatever they are, the Result's is one that the API takes. */
        facts->agent.dropped += n < MESSAGE_NUMBER_MAX - facts->agent.dropped ? n : MESSAGE_NUMBER_MAX - facts->agent.dropped;
        reports->config.changed(reports->config.userdata);
}

/* --- the stop --- */

void reports_stop(struct reports *reports, const char *reason) {
        int r = stop_file_write(reports->stop_path, reason);

        if (r < 0 && r != -ENOENT)
                log_warning("%s: cannot be written: %s; a trainer that looks for it does not learn of the stop",
                            reports->stop_path, strerror(-r));
        (void)identity_set(&reports->stop_reason, reason);
        if (reports->socket)
                socket_stop(reports->socket, reports->stop_reason ? reports->stop_reason : "", NAN);
}

static void remove_old_stop_file(const struct reports *reports) {
        if (unlink(reports->stop_path) == 0)
                log_info("%s: is of an earlier run, and was removed", reports->stop_path);
}

/* --- setting up --- */

static int set_path(char **place, const char *directory, const char *name) {
        return asprintf(place, "%s/%s", directory, name) < 0 ? -ENOMEM : 0;
}

static int set_paths(struct reports *reports) {
        const struct options *options = reports->config.options;
        const struct identity *identity = reports->config.identity;
        int r = set_path(&reports->stop_path, options->dir, "stop");

        if (r == 0)
                r = set_path(&reports->datagram_path, options->dir, "agent.dgram");
        if (r == 0 && strlen(reports->datagram_path) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
                free(reports->datagram_path); /* where agent.sock itself is elsewhere */
                reports->datagram_path = NULL;
        }
        if (r == 0 && options->socket)
                r = identity_set(&reports->socket_path, options->socket);
        else if (r == 0)
                r = set_path(&reports->socket_path, options->dir, "agent.sock");
        if (r == 0 && identity->namespace_name)
                r = set_path(&reports->result_name, identity->namespace_name, identity->job);
        else if (r == 0)
                r = identity_set(&reports->result_name, identity->job);
        return r;
}

int reports_new(struct reports **ret_reports, const struct reports_config *config) {
        struct reports *reports = calloc(1, sizeof(*reports));
        int r;

        if (!reports)
                return -ENOMEM;
        reports->config = *config;
        r = set_paths(reports);
        if (r == 0)
                r = decoder_new(&reports->decoder);
        if (r == 0)
                r = clients_new(&reports->clients);
        if (r < 0) {
                reports_free(reports);
                return r;
        }
        *ret_reports = reports;
        return 0;
}

struct reports *reports_free(struct reports *reports) {
        if (!reports)
                return NULL;
        socket_free(reports->socket);
        clients_free(reports->clients);
        decoder_free(reports->decoder);
        free(reports->socket_path);
        free(reports->datagram_path);
        free(reports->stop_path);
        free(reports->result_name);
        free(reports->parameters);
        free(reports->stop_reason);
        free(reports);
        return NULL;
}

struct clients *reports_clients(struct reports *reports) {
        return reports->clients;
}

char **reports_parameters(struct reports *reports) {
        return &reports->parameters;
}

const char *reports_stop_path(const struct reports *reports) {
        return reports->stop_path;
}

int reports_listen(struct reports *reports, bool trainer_is_same) {
        const struct options *options = reports->config.options;
        struct socket_config config = {
                .path = reports->socket_path,
                .datagram_path = reports->datagram_path,
                .mode = 0666,
                .host = { .decoder = reports->decoder, .clients = reports->clients, .source = SLICE("agent.sock"),
                          .sink = reports->config.sink, .take_parameters = take_parameters, .take_end = take_end,
                          .take_dropped = take_dropped, .userdata = reports, .agent = EXPERIMENTS_VERSION,
                          .job = reports->config.identity->job, .result = reports->result_name,
                          .stop = { .deadline_s = NAN } },
                .keep = keep,
                .userdata = reports,
        };
        int r;

        if (!trainer_is_same)
                remove_old_stop_file(reports);
        if (options->socket && strcmp(options->socket, "none") == 0)
                return 0;
        r = socket_new(&reports->socket, reports->config.loop, &config);
        return r == -ENAMETOOLONG && !options->socket ? 0 : r; /* files are followed without it, too */
}

void reports_looked(struct reports *reports) {
        if (reports->socket)
                socket_looked(reports->socket);
}

void reports_finish(struct reports *reports) {
        if (reports->socket)
                socket_finish(reports->socket);
}
