#include "agent.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json_put.h"
#include "base/log.h"
#include "base/utf8.h"
#include "kube/kube.h"
#include "loop/loop.h"
#include "publish/api.h"
#include "publish/directory.h"
#include "publish/outcome.h"
#include "publish/restarts.h"
#include "result/fold.h"
#include "result/result.h"
#include "source/socket.h"
#include "source/tail.h"
#include "state.h"
#include "stop_file.h"
#include "version.h"

enum {
        FILE_SPACING_MS = 1000,
        REJECTS_NAMED = 5,
        CONDITION_BYTES_MAX = 640,    /* of the condition; the CRD allows 1,024 */
        CLOSE_CALL_BYTES_MAX = 160,
        OBJECT_BYTES_MAX = 64 * 1024,
        PARAMETERS_BYTES_MAX = 256 * 1024, /* as JSON, as a client says them: far more than are published */
        EXIT_CANNOT_START = 1,
};

struct agent {
        const struct options *options;
        struct loop *loop;

        struct identity identity;
        struct fold *fold;
        struct result_facts facts;
        char *exit_reason, *stop_reason;
        bool stop_is_requested;

        /* What facts points to. */
        char message[CONDITION_BYTES_MAX + 1];
        char notes[FOLD_NOTES_MAX][FOLD_NOTE_BYTES_MAX + 1];
        char loss[FOLD_NOTE_BYTES_MAX + 1]; /* "": none */
        char close_call[CLOSE_CALL_BYTES_MAX + 1]; /* the last line that looked close; "": none */

        struct record_sink sink;
        struct tail *tail;
        const char *own[2];
        struct state *state;

        struct decoder *decoder;   /* of the socket, as all of these */
        struct clients *clients;
        struct agent_socket *socket; /* NULL: none */
        char *socket_path, *datagram_path, *stop_path, *result_name;
        char *said_parameters;     /* a JSON object; NULL: none */

        struct kube *kube;
        struct api *api;         /* NULL: not to a server */
        struct outcome *outcome;
        struct restarts *restarts; /* NULL: nobody to ask */
        uint64_t returns;          /* of the fold, that it was asked about */
        bool is_replacement;       /* goes on from the state of another pod, until x has gone back */

        struct loop_timer *file_timer; /* the next write of --to; NULL: not to a directory */
        struct buffer file;            /* what was written last */
        int64_t start_ms;
        unsigned file_failures;

        bool is_ending, has_failed;
        int64_t end_ms;                 /* when the grace period is over */
        struct loop_timer *drain_timer; /* while it is ending: to read what is left */
        struct loop_timer *hurry_timer; /* the same: half of the grace period is kept for the last report */
};

/* --- what is said of the run --- */

/* Text of others as part of a message: well-formed, without control characters. */
static void put_clean(struct buffer *out, struct slice text) {
        size_t before = out->size_bytes;

        while (text.size_bytes > 0) {
                size_t n = utf8_character(text);

                (void)buffer_append(out, n > 0 ? text.data : "?", n > 0 ? n : 1);
                text = (struct slice){ text.data + (n ? n : 1), text.size_bytes - (n ? n : 1) };
        }
        utf8_hide_controls(out->data + before, out->size_bytes - before);
}

/* Keeps the text of a buffer, cut to the place's size. */
static void keep_text(char *place, size_t max_bytes, struct buffer *text) {
        size_t n = utf8_cut(buffer_slice(text), max_bytes);

        if (n > 0)
                memcpy(place, text->data, n);
        place[n] = '\0';
        buffer_release(text);
}

/* A line that looked close to a metric and was none: the best hint when nothing else was found. */
static void note_close_call(struct agent *agent, struct slice source, uint64_t line, struct slice text) {
        struct buffer note = BUFFER_INIT(16 * CLOSE_CALL_BYTES_MAX);
        const char *slash = source.size_bytes > 0 ? memrchr(source.data, '/', source.size_bytes) : NULL;

        if (slash)
                source = (struct slice){ slash + 1, (size_t)(source.data + source.size_bytes - slash - 1) };
        put_clean(&note, source);
        if (line > 0)
                (void)buffer_printf(&note, ":%llu", (unsigned long long)line);
        (void)buffer_append_string(&note, ": ");
        put_clean(&note, (struct slice){ text.data, utf8_cut(text, CLOSE_CALL_BYTES_MAX) });
        keep_text(agent->close_call, CLOSE_CALL_BYTES_MAX, &note);
}

/* Takes the text. The time is that of the last change of the reason. */
static void set_condition(struct agent *agent, bool reporting, const char *reason, struct buffer *message) {
        const char *old = agent->facts.condition.reason;

        keep_text(agent->message, CONDITION_BYTES_MAX, message);
        agent->facts.condition.message = agent->message;
        agent->facts.condition.reporting = reporting;
        agent->facts.condition.reason = reason;
        if (!old || strcmp(old, reason) != 0)
                agent->facts.condition.since_us = loop_wall_us(agent->loop);
}

static const char *place_to_write(const struct agent *agent) {
        return agent->options->n_metrics > 0 ? agent->options->metrics[0].path : agent->options->dir;
}

static bool is_a_file(const char *path) {
        struct stat status;

        return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

static void put_what_to_write(const struct agent *agent, struct buffer *message) {
        const char *place = place_to_write(agent);

        (void)buffer_printf(message, "; write lines like {\"epoch\": 1, \"loss\": 0.5} to %s",
                            is_a_file(place) ? "" : "a file in ");
        put_clean(message, slice_from(place));
}

static void put_files(struct buffer *message, const struct tail_view *view) {
        (void)buffer_printf(message, "%zu file%s looked at", view->files, view->files == 1 ? " was" : "s were");
        for (size_t i = 0; i < TAIL_NEWEST_MAX && view->newest[i]; i++) {
                (void)buffer_append_string(message, i == 0 ? view->files > 1 ? ", the newest " : ", " : ", ");
                put_clean(message, slice_from(view->newest[i]));
        }
}

static void say_denied(struct agent *agent, struct buffer *message, const struct tail_view *view) {
        put_clean(message, slice_from(view->denied_path));
        (void)buffer_printf(message, ": %s", strerror(view->denied_error));
        if (view->denied > 1)
                (void)buffer_printf(message, ", and so %zu more", view->denied - 1);
        (void)buffer_printf(message, "; the agent (user %u) has to be allowed to read what the trainer writes",
                            (unsigned)geteuid());
        set_condition(agent, false, "PermissionDenied", message);
}

static void say_no_file(struct agent *agent, struct buffer *message) {
        (void)buffer_append_string(message, "no metrics file has been written yet");
        put_what_to_write(agent, message);
        set_condition(agent, false, "NoMetricsFile", message);
}

static void say_nothing_recognised(struct agent *agent, struct buffer *message, const struct tail_view *view) {
        put_files(message, view);
        (void)buffer_append_string(message, ": no metrics were found");
        if (*agent->close_call)
                (void)buffer_printf(message, "; closest was %s", agent->close_call);
        put_what_to_write(agent, message);
        set_condition(agent, false, "NothingRecognized", message);
}

/* Why there is no record. */
static void say_no_record(struct agent *agent, struct buffer *message) {
        struct tail_view view = tail_view(agent->tail);

        if (view.denied > 0)
                say_denied(agent, message, &view);
        else if (view.files == 0)
                say_no_file(agent, message);
        else
                say_nothing_recognised(agent, message, &view);
}

/* Why there is no curve, or that there is one. */
static void update_condition(struct agent *agent) {
        struct buffer message = BUFFER_INIT(64 * 1024);

        if (fold_accepted(agent->fold) == 0) {
                say_no_record(agent, &message);
        } else if (fold_n_columns(agent->fold) > 0 && !fold_has_finite(agent->fold)) {
                (void)buffer_append_string(&message, "all values of all metrics are NaN or infinite");
                set_condition(agent, false, "OnlyNonFinite", &message);
        } else {
                (void)buffer_append_string(&message, "metrics are reported");
                set_condition(agent, true, "Reporting", &message);
        }
}

/* What was lost, and which source is taken where several say the same. */
static void update_notes(struct agent *agent) {
        size_t n = fold_notes(agent->fold, agent->notes);

        agent->facts.agent.n_notes = 0;
        if (*agent->loss)
                agent->facts.agent.notes[agent->facts.agent.n_notes++] = agent->loss;
        for (size_t i = 0; i < n && agent->facts.agent.n_notes < RESULT_NOTES_MAX; i++)
                agent->facts.agent.notes[agent->facts.agent.n_notes++] = agent->notes[i];
}

static void update_facts(struct agent *agent) {
        update_condition(agent);
        update_notes(agent);
}

static int write_patch(void *userdata, struct buffer *out) {
        struct agent *agent = userdata;
        struct result_identity identity = identity_view(&agent->identity);
        struct api_published published = api_published(agent->api);

        state_note_published(agent->state, published.uid, published.resource_version);
        (void)state_save(agent->state);
        update_facts(agent);
        return result_write_patch(out, &identity, agent->fold, &agent->facts);
}

static int write_bare_manifest(void *userdata, struct buffer *out) {
        struct agent *agent = userdata;
        struct result_identity identity = identity_view(&agent->identity);

        return result_write_manifest(out, &identity, NULL, NULL);
}

/* --- to a file --- */

static void write_file(struct agent *agent) {
        CLEANUP(buffer_release) struct buffer manifest = BUFFER_INIT(OBJECT_BYTES_MAX);
        struct result_identity identity = identity_view(&agent->identity);
        int r;

        (void)state_save(agent->state);
        update_facts(agent);
        r = result_write_manifest(&manifest, &identity, agent->fold, &agent->facts);
        if (r == 0 && slice_equal(buffer_slice(&manifest), buffer_slice(&agent->file)))
                return;
        if (r == 0)
                r = directory_publish(agent->options->to, agent->identity.job, buffer_slice(&manifest));
        if (r < 0) {
                if (agent->file_failures++ == 0)
                        log_error("%s/%s.json: cannot be written: %s; trying again, nothing is lost meanwhile",
                                  agent->options->to, agent->identity.job, strerror(-r));
                loop_timer_set(agent->file_timer, backoff_ms(agent->file_failures, -1, 1));
                return;
        }
        if (agent->file_failures > 0)
                log_info("%s/%s.json: is written again", agent->options->to, agent->identity.job);
        agent->file_failures = 0;
        buffer_release(&agent->file);
        agent->file = manifest;
        manifest = BUFFER_INIT(0);
}

static void on_file_timer(void *userdata) {
        write_file(userdata);
}

static void file_changed(struct agent *agent, bool now) {
        int64_t min_ms = agent->options->interval_min_ms, max_ms = agent->options->interval_max_ms;

        if (!agent->file_timer || (loop_timer_is_set(agent->file_timer) && !now))
                return;
        if (min_ms == 0)
                min_ms = max_ms = FILE_SPACING_MS;
        loop_timer_set(agent->file_timer,
                       now ? 0 : spacing_ms(loop_now_ms(agent->loop) - agent->start_ms, min_ms, max_ms, 0.5));
}

static void changed(struct agent *agent, bool now) {
        state_changed(agent->state);
        file_changed(agent, now);
        if (agent->api && now)
                api_changed_now(agent->api);
        else if (agent->api)
                api_changed(agent->api);
}

/* --- from the sources --- */

/* x went back. In a pod that goes on from another's state the trainer was started anew, that is sure; else
 * the pod is asked. */
static void take_return(struct agent *agent) {
        if (agent->is_replacement) {
                agent->is_replacement = false;
                fold_void_before_return(agent->fold);
        } else if (agent->restarts) {
                restarts_ask(agent->restarts);
        } else {
                return; /* asked with the next record, once there is somebody to ask */
        }
        agent->returns = fold_returns(agent->fold);
}

/* What was read and what was counted are not the same any more. What was kept before is whole, and a restart
 * goes on from there. */
static void failed(void *userdata, int error) {
        struct agent *agent = userdata;

        if (agent->has_failed)
                return;
        agent->has_failed = agent->is_ending = true;
        state_freeze(agent->state);
        log_error("%s while a record was read: leaving; the next start goes on from what was kept last", strerror(-error));
        loop_quit(agent->loop, EXIT_CANNOT_START);
}

static void take_record(void *userdata, const struct record *record) {
        struct agent *agent = userdata;
        bool is_first = fold_accepted(agent->fold) == 0;
        int r = agent->has_failed ? 0 : fold_take(agent->fold, record);

        if (r < 0) {
                failed(agent, r);
                return;
        }
        if (fold_returns(agent->fold) != agent->returns)
                take_return(agent);
        if (!record->is_repeat)
                agent->facts.last_report_us = loop_wall_us(agent->loop);
        if (is_first)
                agent->facts.phase = PHASE_RUNNING;
        if (!agent->is_ending)
                changed(agent, is_first);
}

static void take_reject(void *userdata, const struct reject *reject) {
        struct agent *agent = userdata;
        uint64_t n = ++agent->facts.agent.rejected;

        if (fold_accepted(agent->fold) == 0)
                note_close_call(agent, reject->source, reject->line, reject->text);
        state_changed(agent->state);
        if (n > REJECTS_NAMED)
                return;
        log_warning("%.*s:%llu:%zu: expected %s", (int)reject->source.size_bytes, reject->source.data,
                    (unsigned long long)reject->line, reject->column, reject->expected);
        if (n == REJECTS_NAMED)
                log_info("further lines that are not understood are counted only (experiments-agent parse --why "
                         "FILE names them)");
        if (n == 1 && !agent->is_ending)
                changed(agent, false);
}

static void take_passed(void *userdata, const struct reject *passed) {
        struct agent *agent = userdata;

        if (fold_accepted(agent->fold) == 0)
                note_close_call(agent, passed->source, passed->line, passed->text);
}

/* Until there is a first record, why there is none is news. */
static void looked(void *userdata) {
        struct agent *agent = userdata;
        char before[sizeof(agent->message)];

        if (agent->socket && !agent->is_ending)
                socket_looked(agent->socket);
        if (agent->is_ending || fold_accepted(agent->fold) > 0)
                return;
        memcpy(before, agent->message, sizeof(before));
        update_condition(agent);
        if (strcmp(agent->message, before) != 0)
                changed(agent, false);
}

static void note_loss(struct agent *agent, const char *path, uint64_t lost_bytes) {
        struct buffer note = BUFFER_INIT(16 * FOLD_NOTE_BYTES_MAX);
        const char *slash = strrchr(path, '/');

        put_clean(&note, slice_from(slash ? slash + 1 : path));
        if (lost_bytes > 0)
                (void)buffer_printf(&note, " was truncated or deleted: %llu bytes were lost, all in all",
                                    (unsigned long long)agent->facts.agent.lost_bytes);
        else
                (void)buffer_append_string(&note, " was truncated: what was written just before may be lost");
        keep_text(agent->loss, FOLD_NOTE_BYTES_MAX, &note);
}

static void lost(void *userdata, const char *path, uint64_t lost_bytes) {
        struct agent *agent = userdata;

        agent->facts.agent.lost_bytes += lost_bytes;
        if (lost_bytes > 0)
                log_error("%s: was truncated or deleted before its last %llu bytes were read: they are lost", path,
                          (unsigned long long)lost_bytes);
        else
                log_warning("%s: was truncated and begun anew, and there is no copy of it beside it: what was written "
                            "just before may be lost", path);
        if (lost_bytes > 0 || !*agent->loss || agent->facts.agent.lost_bytes == 0)
                note_loss(agent, path, lost_bytes);
        if (!agent->is_ending)
                changed(agent, false);
}

/* --- from the socket --- */

/* Before it is acknowledged. */
static int keep(void *userdata) {
        struct agent *agent = userdata;

        return agent->has_failed ? -ECANCELED : state_save(agent->state);
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
        struct agent *agent = userdata;
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
        r = identity_add_parameters(&agent->identity, buffer_string(&json));
        if (r == 0)
                r = identity_set(&agent->said_parameters, agent->identity.parameters);
        if (r == 0)
                changed(agent, false);
        return r;
}

static void take_end(void *userdata, int exit_status, struct slice message) {
        struct agent *agent = userdata;
        struct record end = RECORD_EMPTY;

        agent->facts.attempt.exit_said = exit_status < 0 ? 128 - exit_status : exit_status; /* as shells have it */
        if (exit_status != 0 || message.size_bytes > 0)
                log_info("the trainer says that it ended with exit status %d%s%.*s", exit_status, message.size_bytes ? ": " : "",
                         (int)message.size_bytes, message.data ? message.data : "");
        end.source = slice_from("agent.sock");
        end.rank = SOURCE_SOCKET;
        end.end = exit_status == 0;
        if (end.end)
                take_record(agent, &end);
        else
                changed(agent, false);
}

static void take_dropped(void *userdata, uint64_t n) {
        struct agent *agent = userdata;

        if (agent->facts.agent.dropped == 0)
                log_warning("a client of the socket had no room for %llu of its reports: they are counted as dropped",
                            (unsigned long long)n);
        agent->facts.agent.dropped += n;
        state_changed(agent->state);
}

static void write_stop_file(struct agent *agent) {
        int r = stop_file_write(agent->stop_path, agent->stop_reason ? agent->stop_reason : "");

        if (r < 0 && r != -ENOENT)
                log_warning("%s: cannot be written: %s; a trainer that looks for it does not learn of the stop", agent->stop_path,
                            strerror(-r));
}

/* One that an earlier run left in the directory would stop this one. */
static void remove_old_stop_file(struct agent *agent) {
        if (!state_is_restored(agent->state) && unlink(agent->stop_path) == 0)
                log_info("%s: is of an earlier run, and was removed", agent->stop_path);
}

/* --- from the API server --- */

static void learned(void *userdata) {
        struct agent *agent = userdata;

        agent->facts.output_path = agent->identity.output_path;
        agent->facts.attempt.job_uid = agent->identity.job_uid;
        if (agent->identity.objective_metric &&
            fold_set_objective(agent->fold, agent->identity.objective_metric,
                               agent->identity.objective_goal) < 0)
                log_error("the objective %s is not kept: no memory", agent->identity.objective_metric);
}

/* What was there before us: where this very pod had reported, we are what was started anew, and the
 * files are read again. */
static void take_earlier(void *userdata, const struct earlier *earlier) {
        struct agent *agent = userdata;

        if (state_is_of_another_pod(agent->state)) /* then all that is kept already */
                return;
        if (fold_take_history(agent->fold, &earlier->history) < 0)
                log_error("what was reported before is not kept: no memory");
        agent->facts.before.is_ours = earlier->history.is_ours;
        agent->facts.before.rejected = earlier->rejected;
        agent->facts.before.lost_bytes = earlier->lost_bytes;
        if (earlier->start_us)
                agent->facts.start_us = earlier->start_us;
        if (!agent->facts.last_report_us)
                agent->facts.last_report_us = earlier->last_report_us;
        if (earlier->history.is_ours && earlier->last_report_us && agent->facts.phase == PHASE_PENDING)
                agent->facts.phase = PHASE_RUNNING;
        if (earlier->restarts >= 0) {
                agent->facts.attempt.restarts = earlier->restarts;
                if (agent->restarts)
                        restarts_know(agent->restarts, earlier->restarts);
        }
}

/* The trainer's container was started anew: from its first epoch on, what it says counts alone. */
static void restarted(void *userdata, const struct pod_end *end) {
        struct agent *agent = userdata;

        if (agent->is_ending)
                return;
        log_info("the trainer was started anew (restarts: %d, exit code before: %d)", end->restarts, end->exit_code);
        fold_void_before_return(agent->fold);
        agent->facts.attempt.restarts = end->restarts;
        agent->facts.attempt.exit_code = end->exit_code;
        (void)identity_set(&agent->exit_reason, end->reason);
        agent->facts.attempt.reason = agent->exit_reason;
        changed(agent, false);
}

static void attempt(void *userdata, int number) {
        struct agent *agent = userdata;

        agent->facts.attempt.number = number;
        agent->facts.attempt.job_uid = agent->identity.job_uid;
        if (number > 1)
                log_info("this is attempt %d of Job %s", number, agent->identity.job);
}

static void stop_requested(void *userdata, const char *reason) {
        struct agent *agent = userdata;

        agent->stop_is_requested = true;
        (void)identity_set(&agent->stop_reason, reason);
        log_info("a stop was requested%s%s", *reason ? ": " : "", reason);
        if (agent->stop_path)
                write_stop_file(agent);
        if (agent->socket)
                socket_stop(agent->socket, agent->stop_reason ? agent->stop_reason : "", NAN);
}

/* --- the end --- */

static void finished(void *userdata, int result) {
        struct agent *agent = userdata;

        if (result == 0)
                log_info("done: %s", phase_name(agent->facts.phase));
        loop_quit(agent->loop, 0);
}

static void publish_end(struct agent *agent) {
        loop_timer_clear(agent->drain_timer);
        loop_timer_clear(agent->hurry_timer);
        agent->facts.completion_us = loop_wall_us(agent->loop);
        if (agent->state) {
                state_changed(agent->state);
                (void)state_sync(agent->state);
        }
        if (agent->file_timer) {
                loop_timer_clear(agent->file_timer);
                write_file(agent);
        }
        if (agent->api)
                api_finish(agent->api, agent->end_ms - loop_now_ms(agent->loop));
        else
                finished(agent, 0);
}

/* Whether the Job tries again only a server knows. */
static enum phase take_said_exit(struct agent *agent) {
        agent->facts.attempt.exit_code = agent->facts.attempt.exit_said;
        return agent->api ? PHASE_INTERRUPTED : PHASE_FAILED;
}

/* What the API server knows of the end comes first; then what the trainer itself said. */
static void take_outcome(void *userdata, enum phase phase, int exit_code, int restarts,
                         const char *reason) {
        struct agent *agent = userdata;

        agent->facts.attempt.exit_code = exit_code;
        if (restarts >= 0)
                agent->facts.attempt.restarts = restarts;
        (void)identity_set(&agent->exit_reason, reason);
        agent->facts.attempt.reason = reason ? agent->exit_reason : NULL;
        if (agent->stop_is_requested && exit_code <= 0)
                phase = PHASE_STOPPED;
        else if (exit_code < 0 && agent->facts.attempt.exit_said > 0)
                phase = take_said_exit(agent);
        else if (exit_code < 0 && fold_ended(agent->fold))
                phase = PHASE_SUCCEEDED;
        agent->facts.phase = phase;
        publish_end(agent);
}

static void ask_for_outcome(struct agent *agent) {
        if (agent->api && agent->identity.pod &&
            outcome_new(&agent->outcome, agent->loop, agent->kube, &agent->identity, take_outcome, agent) == 0)
                return;
        take_outcome(agent, PHASE_INTERRUPTED, -1, -1, NULL);
}

/* In turns of the loop, so that the report that is under way gets out. */
static void on_drain_timer(void *userdata) {
        struct agent *agent = userdata;

        if (agent->tail && tail_is_behind(agent->tail)) {
                loop_timer_set(agent->drain_timer, 0);
                return;
        }
        if (agent->tail)
                tail_finish(agent->tail);
        if (agent->socket)
                socket_finish(agent->socket);
        if (!agent->has_failed)
                ask_for_outcome(agent);
}

static void on_hurry_timer(void *userdata) {
        struct agent *agent = userdata;

        log_warning("half of the grace period is over: reporting what is known now");
        agent->outcome = outcome_free(agent->outcome);
        take_outcome(agent, PHASE_INTERRUPTED, -1, -1, NULL);
}

/* What is known is published at once: a pod that is deleted may be given two seconds (kubectl delete
 * --grace-period, node shutdown). Then follow what is left to read, the outcome, and the last report. */
static void end(struct agent *agent) {
        int64_t grace_ms = agent->options->grace_ms;

        agent->is_ending = true;
        agent->end_ms = loop_now_ms(agent->loop) + grace_ms;
        loop_timer_set(agent->hurry_timer, grace_ms / 2);
        loop_timer_set(agent->drain_timer, 0);
        if (fold_accepted(agent->fold) > 0)
                changed(agent, true);
}

static void on_hangup(struct agent *agent) {
        log_info("SIGHUP: credentials are read again");
        if (agent->api)
                api_try_now(agent->api);
}

static void on_signal(void *userdata, int number) {
        struct agent *agent = userdata;

        if (number == SIGHUP) {
                on_hangup(agent);
        } else if (agent->is_ending) {
                log_warning("%s again: leaving at once", strsignal(number));
                loop_quit(agent->loop, 0);
        } else {
                log_info("%s: reading what is left", strsignal(number));
                end(agent);
        }
}

/* As process 1 of a container we are given the children of processes that ended before them; that nobody
 * waits for them is said once (sigaction(2), SA_NOCLDWAIT). */
static void reap_as_init(void) {
        struct sigaction action = { .sa_flags = SA_NOCLDWAIT };

        action.sa_handler = SIG_DFL;
        if (getpid() == 1)
                (void)sigaction(SIGCHLD, &action, NULL);
}

static int set_up_signals(struct agent *agent) {
        sigset_t signals;

        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigaddset(&signals, SIGHUP);
        signal(SIGPIPE, SIG_IGN);
        reap_as_init();
        return loop_take_signals(agent->loop, &signals, on_signal, agent);
}

/* --- setting up --- */

static int cannot_start(const char *what, int error) {
        log_error("%s: %s", what, strerror(-error));
        return EXIT_CANNOT_START;
}

static int wrong_use(const char *what, const char *expected) {
        fprintf(stderr, "experiments-agent: %s: expected %s\n", what, expected);
        return EXIT_USAGE;
}

static bool is_readable(const char *path) {
        return !path || access(path, R_OK) == 0;
}

static int check_files(const struct options *options) {
        const struct {
                const char *flag, *path;
        } files[] = { { "--ca-file", options->ca_file }, { "--token-file", options->token_file },
                      { "--client-cert", options->client_cert }, { "--client-key", options->client_key } };

        for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
                if (!is_readable(files[i].path)) {
                        fprintf(stderr, "experiments-agent: %s %s: expected a file that can be read: %s\n",
                                files[i].flag, files[i].path, strerror(errno));
                        return EXIT_USAGE;
                }
        return 0;
}

static bool is_same_file(const char *a, const char *b) {
        struct stat status_a, status_b;

        return stat(a, &status_a) == 0 && stat(b, &status_b) == 0 &&
               status_a.st_dev == status_b.st_dev && status_a.st_ino == status_b.st_ino;
}

static int check_use(const struct options *options) {
        if (!options->to && !options->server && !getenv("KUBERNETES_SERVICE_HOST"))
                return wrong_use("nowhere to publish to", "--to DIR, --server URL, or a pod of a cluster");
        if (!options->job)
                return wrong_use("the Job's name is not known", "--job NAME, or the variable JOB_NAME");
        if (options->to && strcmp(options->to, options->dir) == 0)
                return wrong_use("--to", "a directory of its own, not the one that is followed");
        if (options->to && is_same_file(options->to, options->dir))
                return wrong_use("--to", "a directory of its own, not the one that is followed");
        if (options->client_key && !options->client_cert)
                return wrong_use("--client-key", "--client-cert with it");
        return check_files(options);
}

/* The pod's own namespace is where its token is. */
static int learn_namespace(struct agent *agent) {
        FILE *file;
        char name[64] = "";

        if (agent->options->namespace_name)
                return identity_set(&agent->identity.namespace_name, agent->options->namespace_name);
        file = fopen(KUBE_SERVICE_ACCOUNT_DIR "/namespace", "re");
        if (file) {
                if (fgets(name, sizeof(name), file))
                        name[strcspn(name, "\r\n")] = '\0';
                fclose(file);
        }
        /* A file is applied in whatever namespace kubectl is set to. */
        return identity_set(&agent->identity.namespace_name,
                            *name ? name : agent->options->to && !agent->options->server ? NULL : "default");
}

static int learn_identity(struct agent *agent) {
        const struct options *options = agent->options;
        struct identity *identity = &agent->identity;
        const struct {
                char **place;
                const char *text;
        } texts[] = {
                { &identity->job, options->job },
                { &identity->job_uid, options->job_uid },
                { &identity->pod, options->pod },
                { &identity->pod_uid, options->pod_uid },
                { &identity->experiment, options->experiment },
                { &identity->experiment_uid, options->experiment_uid },
                { &identity->output_path, options->output },
                { &identity->objective_metric, options->objective },
        };
        int r = learn_namespace(agent);

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && r == 0; i++)
                r = identity_set(texts[i].place, texts[i].text);
        identity->owner = options->owner;
        identity->objective_goal = options->goal;
        if (r == 0)
                r = identity_parameters_from_environment(environ, &identity->parameters);
        if (r == -E2BIG) {
                log_warning("the parameters in the environment are longer than %d bytes as JSON and are left out",
                            IDENTITY_PARAMETERS_BYTES_MAX);
                r = 0;
        }
        return r;
}

static void set_facts(struct agent *agent) {
        agent->facts = (struct result_facts){
                .phase = PHASE_PENDING,
                .start_us = loop_wall_us(agent->loop),
                .output_path = agent->identity.output_path,
                .attempt = { .job_uid = agent->identity.job_uid, .pod_name = agent->identity.pod,
                             .pod_uid = agent->identity.pod_uid, .number = agent->options->to ? 1 : 0,
                             .exit_code = -1, .restarts = -1, .exit_said = -1 },
                .agent = { .version = EXPERIMENTS_VERSION },
        };
}

static int set_up_fold(struct agent *agent) {
        struct fold_config config = {
                .axis = agent->options->axis,
                .rules = agent->options->aggregates,
                .n_rules = agent->options->n_aggregates,
                .metrics_max = FOLD_METRICS_MAX,
        };
        int r = fold_new(&agent->fold, &config);

        if (r == 0)
                learned(agent);
        return r;
}

static int set_up_tail(struct agent *agent) {
        const struct options *options = agent->options;
        static struct tail_place directory;
        struct tail_config config = {
                .places = options->metrics,
                .n_places = options->n_metrics,
                .own = agent->own,
                .n_own = options->to ? 2 : 1,
                .own_file = agent->stop_path,
                .filters = options->filters,
                .sink = &agent->sink,
                .follow_symlinks = options->follow_symlinks,
                .looked = looked,
                .lost = lost,
                .failed = failed,
                .userdata = agent,
        };
        int r;

        directory.path = options->dir;
        if (options->n_metrics == 0) {
                config.places = &directory;
                config.n_places = 1;
        }
        agent->own[0] = state_directory(agent->state);
        agent->own[1] = options->to;
        agent->sink = (struct record_sink){ agent, take_record, take_reject, take_passed };
        r = tail_new(&agent->tail, agent->loop, &config);
        return r == 0 ? state_go_on(agent->state, agent->tail) : r;
}

/* A flag that is given says where; in a pod everything is where the kubelet puts it. */
static int set_up_kube(struct agent *agent) {
        const struct options *options = agent->options;
        CLEANUP(cleanup_free) char *server = NULL;
        struct kube_config config = {
                .server = options->server,
                .ca_file = options->ca_file,
                .token_file = options->token_file,
                .client_cert_file = options->client_cert,
                .client_key_file = options->client_key,
                .user_agent = "experiments-agent/" EXPERIMENTS_VERSION,
        };
        int r = 0;

        if (!options->server) {
                r = kube_server_from_host(getenv("KUBERNETES_SERVICE_HOST"), getenv("KUBERNETES_SERVICE_PORT"),
                                          &server);
                config.server = server;
                if (!config.ca_file)
                        config.ca_file = KUBE_SERVICE_ACCOUNT_DIR "/ca.crt";
                if (!config.token_file && !config.client_cert_file)
                        config.token_file = KUBE_SERVICE_ACCOUNT_DIR "/token";
        }
        return r == 0 ? kube_new(&agent->kube, agent->loop, &config) : r;
}

static int set_up_api(struct agent *agent) {
        const struct options *options = agent->options;
        struct api_config config = {
                .loop = agent->loop,
                .identity = &agent->identity,
                .interval_min_ms = options->interval_min_ms ? options->interval_min_ms : SPACING_MIN_MS,
                .interval_max_ms = options->interval_max_ms ? options->interval_max_ms : SPACING_MAX_MS,
                .objective_is_given = options->objective != NULL,
                .watch = options->watch,
                .hooks = { agent, write_patch, write_bare_manifest, learned, take_earlier, attempt, stop_requested,
                           finished },
        };
        int r = set_up_kube(agent);

        config.kube = agent->kube;
        config.attempt = state_attempt(agent->state);
        config.uid = state_result_uid(agent->state);
        if (r == 0 && agent->identity.pod)
                r = restarts_new(&agent->restarts, agent->loop, agent->kube, &agent->identity, restarted, agent);
        if (agent->restarts)
                restarts_know(agent->restarts, agent->facts.attempt.restarts);
        return r == 0 ? api_new(&agent->api, &config) : r;
}

/* A path that is asked for; NULL: none. */
static int set_path(char **place, const char *directory, const char *name) {
        return asprintf(place, "%s/%s", directory, name) < 0 ? -ENOMEM : 0;
}

static int set_socket_paths(struct agent *agent) {
        const struct options *options = agent->options;
        int r = set_path(&agent->stop_path, options->dir, "stop");

        if (r == 0)
                r = set_path(&agent->datagram_path, options->dir, "agent.dgram");
        if (r == 0 && options->socket)
                r = identity_set(&agent->socket_path, options->socket);
        else if (r == 0)
                r = set_path(&agent->socket_path, options->dir, "agent.sock");
        if (r == 0 && agent->identity.namespace_name)
                r = set_path(&agent->result_name, agent->identity.namespace_name, agent->identity.job);
        else if (r == 0)
                r = identity_set(&agent->result_name, agent->identity.job);
        return r;
}

static int set_up_reports(struct agent *agent) {
        int r = set_socket_paths(agent);

        if (r == 0)
                r = decoder_new(&agent->decoder);
        return r == 0 ? clients_new(&agent->clients) : r;
}

/* Files are followed without it, too; what was asked for has to be. */
static int set_up_socket(struct agent *agent) {
        const struct options *options = agent->options;
        struct socket_config config = {
                .path = agent->socket_path,
                .datagram_path = agent->datagram_path,
                .mode = 0666,
                .host = { .decoder = agent->decoder, .clients = agent->clients, .source = SLICE("agent.sock"),
                          .sink = &agent->sink, .take_parameters = take_parameters, .take_end = take_end,
                          .take_dropped = take_dropped, .userdata = agent, .agent = EXPERIMENTS_VERSION,
                          .job = agent->identity.job, .result = agent->result_name, .stop = { .deadline_s = NAN } },
                .keep = keep,
                .userdata = agent,
        };
        int r;

        remove_old_stop_file(agent);
        if (options->socket && strcmp(options->socket, "none") == 0)
                return 0;
        r = socket_new(&agent->socket, agent->loop, &config);
        return r != -ENAMETOOLONG ? r : options->socket ? EXIT_USAGE : 0;
}

static bool is_published(const struct options *options) {
        return !options->completion_index || strcmp(options->completion_index, "0") == 0;
}

static int set_up_state(struct agent *agent) {
        struct state_parts parts = { .identity = &agent->identity, .fold = agent->fold, .facts = &agent->facts,
                                     .clients = agent->clients, .said_parameters = &agent->said_parameters };
        int r = state_new(&agent->state, agent->loop, agent->options->state, agent->options->dir);

        if (r == 0)
                r = state_read(agent->state, &parts);
        if (r == 0 && agent->said_parameters)
                r = identity_add_parameters(&agent->identity, agent->said_parameters);
        agent->is_replacement = r == 0 && state_is_of_another_pod(agent->state);
        return r < 0 && r != -ENOMEM ? EXIT_USAGE : r;
}

/* The publishers come last: from there on, things happen. */
static int set_up(struct agent *agent) {
        const struct options *options = agent->options;
        int r = set_up_fold(agent);

        if (r == 0 && !is_published(options)) {
                log_info("completion index %s: only index 0 of an Indexed Job publishes", options->completion_index);
                return 0;
        }
        if (r == 0)
                r = set_up_reports(agent);
        if (r == 0)
                r = set_up_state(agent);
        if (r == 0)
                r = set_up_tail(agent);
        if (r == 0)
                r = set_up_socket(agent);
        if (r == 0 && options->to)
                r = loop_timer_new(&agent->file_timer, agent->loop, on_file_timer, agent);
        if (r == 0 && (options->server || !options->to))
                r = set_up_api(agent);
        if (r == 0)
                file_changed(agent, true);
        return r;
}

int agent_new(struct agent **ret_agent, const struct options *options) {
        CLEANUP(agent_freep) struct agent *agent = NULL;
        int r = check_use(options);

        if (r != 0)
                return r;
        agent = calloc(1, sizeof(*agent));
        if (!agent)
                return cannot_start("memory", -ENOMEM);
        agent->options = options;
        r = loop_new(&agent->loop);
        if (r < 0)
                return cannot_start("event loop", r);
        r = set_up_signals(agent);
        if (r == 0)
                r = loop_timer_new(&agent->drain_timer, agent->loop, on_drain_timer, agent);
        if (r == 0)
                r = loop_timer_new(&agent->hurry_timer, agent->loop, on_hurry_timer, agent);
        if (r == 0)
                r = learn_identity(agent);
        agent->start_ms = loop_now_ms(agent->loop);
        set_facts(agent);
        agent->file = BUFFER_INIT(OBJECT_BYTES_MAX);
        if (r == 0)
                r = set_up(agent);
        if (r != 0)
                return r > 0 ? r : cannot_start("the agent cannot start", r);
        *ret_agent = STEAL(agent);
        return 0;
}

struct agent *agent_free(struct agent *agent) {
        if (!agent)
                return NULL;
        outcome_free(agent->outcome);
        restarts_free(agent->restarts);
        api_free(agent->api);
        kube_free(agent->kube);
        socket_free(agent->socket);
        clients_free(agent->clients);
        decoder_free(agent->decoder);
        tail_free(agent->tail);
        state_free(agent->state);
        loop_timer_free(agent->file_timer);
        loop_timer_free(agent->drain_timer);
        loop_timer_free(agent->hurry_timer);
        fold_free(agent->fold);
        buffer_release(&agent->file);
        identity_release(&agent->identity);
        free(agent->socket_path);
        free(agent->datagram_path);
        free(agent->stop_path);
        free(agent->result_name);
        free(agent->said_parameters);
        free(agent->exit_reason);
        free(agent->stop_reason);
        loop_free(agent->loop);
        free(agent);
        return NULL;
}

void agent_freep(struct agent **agent) {
        *agent = agent_free(*agent);
}

int agent_run(struct agent *agent) {
        int r = loop_run(agent->loop);

        if (r < 0)
                return cannot_start("event loop", r);
        return r;
}
