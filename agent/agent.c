#include "agent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "condition.h"
#include "identify.h"
#include "kube/kube.h"
#include "loop/loop.h"
#include "publish/api.h"
#include "publish/directory.h"
#include "publish/outcome.h"
#include "publish/restarts.h"
#include "reports.h"
#include "result/fold.h"
#include "result/result.h"
#include "source/child.h"
#include "source/tail.h"
#include "state.h"
#include "version.h"

enum {
        REJECTS_NAMED = 5,
        EXIT_CANNOT_START = 1,
};

struct agent {
        const struct options *options;
        struct loop *loop;

        struct identity identity;
        struct fold *fold;
        struct result_facts facts;
        char *exit_reason;
        bool stop_is_requested;
        struct condition condition;

        struct record_sink sink;
        struct tail *tail;
        const char *own[2];
        struct state *state;

        struct reports *reports;
        struct child *child;     /* of run; NULL: the trainer is somebody else's */
        int exit_status;         /* that we end with, as soon as it has ended */

        struct kube *kube;
        struct directory *directory; /* NULL: not to files */
        struct api *api;         /* NULL: not to a server */
        struct outcome *outcome;
        struct restarts *restarts; /* NULL: nobody to ask */
        uint64_t returns;          /* of the fold, that it was asked about */
        bool is_replacement;       /* goes on from the state of another pod, until x has gone back */

        bool is_ending, has_failed;
        int64_t end_ms;                 /* when the grace period is over */
        struct loop_timer *drain_timer; /* while it is ending: to read what is left */
        struct loop_timer *hurry_timer; /* the same: half of the grace period is kept for the last report */
};

/* --- what is published --- */

static void update_condition(struct agent *agent) {
        const struct options *options = agent->options;
        const char *place = options->n_metrics > 0 ? options->metrics[0].path : options->dir;

        agent->condition.has_output = agent->child && child_has_output(agent->child);
        condition_update(&agent->condition, &agent->facts, agent->fold, agent->tail, place, loop_wall_us(agent->loop));
}

static int write_patch(void *userdata, struct buffer *out) {
        struct agent *agent = userdata;
        struct result_identity identity = identity_view(&agent->identity);
        struct api_published published = api_published(agent->api);

        state_note_published(agent->state, published.uid, published.resource_version);
        (void)state_save(agent->state);
        update_condition(agent);
        return result_write_patch(out, &identity, agent->fold, &agent->facts);
}

static int write_bare_manifest(void *userdata, struct buffer *out) {
        struct agent *agent = userdata;
        struct result_identity identity = identity_view(&agent->identity);

        return result_write_manifest(out, &identity, NULL, NULL);
}

static int write_manifest(void *userdata, struct buffer *out) {
        struct agent *agent = userdata;
        struct result_identity identity = identity_view(&agent->identity);

        (void)state_save(agent->state);
        update_condition(agent);
        return result_write_manifest(out, &identity, agent->fold, &agent->facts);
}

/* At the end the last report follows anyway. */
static void changed(struct agent *agent, bool now) {
        state_changed(agent->state);
        if (agent->is_ending)
                return;
        if (agent->directory)
                directory_changed(agent->directory, now);
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
        agent->has_failed = true;
        agent->is_ending = !agent->child;
        state_freeze(agent->state);
        if (agent->child) { /* and nobody starts us anew: the trainer is not to end for it */
                log_error("%s while a record was read: what comes from here on is passed on, and not reported", strerror(-error));
                return;
        }
        log_error("%s while a record was read: leaving; the next start goes on from what was kept last", strerror(-error));
        loop_quit(agent->loop, EXIT_CANNOT_START);
}

static void take_record(void *userdata, const struct record *record) {
        struct agent *agent = userdata;
        bool is_first = fold_accepted(agent->fold) == 0;
        int r = agent->has_failed ? 0 : fold_take(agent->fold, record);

        if (r < 0)
                failed(agent, r);
        if (agent->has_failed)
                return;
        if (fold_returns(agent->fold) != agent->returns)
                take_return(agent);
        if (!record->is_repeat)
                agent->facts.last_report_us = loop_wall_us(agent->loop);
        if (is_first)
                agent->facts.phase = PHASE_RUNNING;
        changed(agent, is_first);
}

static void take_reject(void *userdata, const struct reject *reject) {
        struct agent *agent = userdata;
        uint64_t n = ++agent->facts.agent.rejected;

        if (fold_accepted(agent->fold) == 0)
                condition_note_close_call(&agent->condition, reject);
        state_changed(agent->state);
        if (n > REJECTS_NAMED)
                return;
        log_warning("%.*s:%llu:%zu: expected %s", (int)reject->source.size_bytes, reject->source.data,
                    (unsigned long long)reject->line, reject->column, reject->expected);
        if (n == REJECTS_NAMED)
                log_info("further lines that are not understood are counted only (experiments-agent parse --why "
                         "FILE names them)");
        if (n == 1)
                changed(agent, false);
}

static void take_passed(void *userdata, const struct reject *passed) {
        struct agent *agent = userdata;

        if (fold_accepted(agent->fold) == 0)
                condition_note_close_call(&agent->condition, passed);
}

/* Until there is a first record, why there is none is news. */
static void looked(void *userdata) {
        struct agent *agent = userdata;
        char before[sizeof(agent->condition.message)];

        if (agent->reports && !agent->is_ending)
                reports_looked(agent->reports);
        if (agent->is_ending || fold_accepted(agent->fold) > 0)
                return;
        memcpy(before, agent->condition.message, sizeof(before));
        update_condition(agent);
        if (strcmp(agent->condition.message, before) != 0)
                changed(agent, false);
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
        condition_note_loss(&agent->condition, path, lost_bytes, agent->facts.agent.lost_bytes);
        changed(agent, false);
}

/* --- from the socket --- */

static int keep(void *userdata) {
        struct agent *agent = userdata;

        return agent->has_failed ? -ECANCELED : state_save(agent->state);
}

static void said(void *userdata) {
        struct agent *agent = userdata;

        changed(agent, false);
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
        log_info("a stop was requested%s%s", *reason ? ": " : "", reason);
        reports_stop(agent->reports, reason);
        if (agent->child && agent->options->stop_signal > 0)
                child_signal(agent->child, agent->options->stop_signal);
}

/* --- the end --- */

static void finished(void *userdata, int result) {
        struct agent *agent = userdata;

        if (result == 0)
                log_info("done: %s", phase_name(agent->facts.phase));
        loop_quit(agent->loop, agent->exit_status);
}

static void publish_end(struct agent *agent) {
        loop_timer_clear(agent->drain_timer);
        loop_timer_clear(agent->hurry_timer);
        agent->facts.completion_us = loop_wall_us(agent->loop);
        if (agent->state) {
                state_changed(agent->state);
                (void)state_sync(agent->state);
        }
        if (agent->directory)
                directory_finish(agent->directory);
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

static bool is_of_stop_signal(const struct agent *agent, int exit_code) {
        return agent->options->stop_signal > 0 && exit_code == CHILD_EXIT_SIGNAL + agent->options->stop_signal;
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
        if (agent->stop_is_requested && (exit_code <= 0 || is_of_stop_signal(agent, exit_code)))
                phase = PHASE_STOPPED;
        else if (exit_code < 0 && agent->facts.attempt.exit_said > 0)
                phase = take_said_exit(agent);
        else if (exit_code < 0 && fold_ended(agent->fold))
                phase = PHASE_SUCCEEDED;
        agent->facts.phase = phase;
        publish_end(agent);
}

/* Of a child, with the reason that the kubelet would give. */
static void take_child_outcome(void *userdata, enum phase phase, int exit_code, int restarts, const char *reason) {
        (void)reason;
        take_outcome(userdata, phase, exit_code, restarts, exit_code == 0 ? "Completed" : "Error");
}

/* As far as it is known without asking. */
static void take_known_outcome(struct agent *agent) {
        if (agent->child)
                take_child_outcome(agent, PHASE_INTERRUPTED, agent->exit_status, -1, NULL);
        else
                take_outcome(agent, PHASE_INTERRUPTED, -1, -1, NULL);
}

static void ask_for_outcome(struct agent *agent) {
        if (agent->child && (agent->exit_status == 0 || !agent->api))
                take_child_outcome(agent, agent->exit_status == 0 ? PHASE_SUCCEEDED : PHASE_FAILED, agent->exit_status, -1, NULL);
        else if (!agent->api || (!agent->child && !agent->identity.pod) ||
                 outcome_new(&agent->outcome, agent->loop, agent->kube, &agent->identity, agent->child ? agent->exit_status : -1,
                             agent->child ? take_child_outcome : take_outcome, agent) < 0)
                take_known_outcome(agent);
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
        if (agent->reports)
                reports_finish(agent->reports);
        if (!agent->has_failed || agent->child)
                ask_for_outcome(agent);
}

static void on_hurry_timer(void *userdata) {
        struct agent *agent = userdata;

        log_warning("half of the grace period is over: reporting what is known now");
        agent->outcome = outcome_free(agent->outcome);
        take_known_outcome(agent);
}

/* What is known is published at once: a pod that is deleted may be given two seconds (kubectl delete
 * --grace-period, node shutdown). Then follow what is left to read, the outcome, and the last report. */
static void end(struct agent *agent) {
        int64_t grace_ms = agent->options->grace_ms;

        if (fold_accepted(agent->fold) > 0)
                changed(agent, true);
        agent->is_ending = true;
        agent->end_ms = loop_now_ms(agent->loop) + grace_ms;
        loop_timer_set(agent->hurry_timer, grace_ms / 2);
        loop_timer_set(agent->drain_timer, 0);
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
                loop_quit(agent->loop, agent->exit_status);
        } else {
                log_info("%s: reading what is left", strsignal(number));
                end(agent);
        }
}

/* It has the signal, too, and its end is ours. Once it has ended, there may be a last report to wait for. */
static void on_signal_with_child(void *userdata, int number) {
        struct agent *agent = userdata;
        bool is_to_end = number == SIGTERM || number == SIGINT || number == SIGQUIT || number == SIGHUP;

        if (agent->is_ending && is_to_end)
                loop_quit(agent->loop, agent->exit_status);
        else if (number == SIGHUP)
                on_hangup(agent);
        else if (is_to_end && fold_accepted(agent->fold) > 0)
                changed(agent, true);
}

static void on_child_end(void *userdata, int exit_status) {
        struct agent *agent = userdata;

        agent->exit_status = exit_status;
        log_info("the command has ended with exit status %d", exit_status);
        end(agent);
}

static bool is_published(const struct options *options) {
        return !options->completion_index || strcmp(options->completion_index, "0") == 0;
}

static int set_up_child(struct agent *agent) {
        const struct options *options = agent->options;
        struct child_config config = {
                .command = options->command,
                .filters = options->filters,
                .sink = is_published(options) ? &agent->sink : NULL,
                .signalled = on_signal_with_child,
                .ended = on_child_end,
                .userdata = agent,
        };

        return child_new(&agent->child, agent->loop, &config);
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
        int r = agent->options->command ? set_up_child(agent) : 0;

        signal(SIGPIPE, SIG_IGN);
        signal(SIGXFSZ, SIG_IGN); /* a file that may not grow (ulimit -f) is an error of that file */
        if (agent->options->command)
                return r;
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigaddset(&signals, SIGHUP);
        reap_as_init();
        return loop_take_signals(agent->loop, &signals, on_signal, agent);
}

/* --- setting up --- */

static int cannot_start(const char *what, int error) {
        log_error("%s: %s", what, strerror(-error));
        return EXIT_CANNOT_START;
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

static int set_up_reports(struct agent *agent) {
        struct reports_config config = {
                .options = agent->options,
                .loop = agent->loop,
                .identity = &agent->identity,
                .facts = &agent->facts,
                .sink = &agent->sink,
                .keep = keep,
                .changed = said,
                .userdata = agent,
        };

        agent->sink = (struct record_sink){ agent, take_record, take_reject, take_passed };
        return reports_new(&agent->reports, &config);
}

static int listen_for_reports(struct agent *agent) {
        int r = reports_listen(agent->reports, state_is_restored(agent->state) && !agent->is_replacement);

        return r == -ENAMETOOLONG ? EXIT_USAGE : r;
}

static int set_up_tail(struct agent *agent) {
        const struct options *options = agent->options;
        static struct tail_place directory;
        struct tail_config config = {
                .places = options->metrics,
                .n_places = options->n_metrics,
                .own = agent->own,
                .n_own = options->to ? 2 : 1,
                .own_file = reports_stop_path(agent->reports),
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
        r = tail_new(&agent->tail, agent->loop, &config);
        return r == 0 ? state_go_on(agent->state, agent->tail) : r;
}

static int set_up_directory(struct agent *agent) {
        const struct options *options = agent->options;
        struct directory_config config = {
                .loop = agent->loop,
                .path = options->to,
                .name = agent->identity.job,
                .interval_min_ms = options->interval_min_ms,
                .interval_max_ms = options->interval_max_ms,
                .write = write_manifest,
                .userdata = agent,
        };

        return directory_new(&agent->directory, &config);
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

static int set_up_state(struct agent *agent) {
        struct state_parts parts = { .identity = &agent->identity, .fold = agent->fold, .facts = &agent->facts,
                                     .clients = reports_clients(agent->reports),
                                     .said_parameters = reports_parameters(agent->reports) };
        int r = state_new(&agent->state, agent->loop, agent->options->state, agent->options->dir);

        if (r == 0)
                r = state_read(agent->state, &parts);
        if (r == 0 && *parts.said_parameters)
                r = identity_add_parameters(&agent->identity, *parts.said_parameters);
        /* A child is started by us: what is kept is of the one before. */
        agent->is_replacement = r == 0 && (state_is_of_another_pod(agent->state) ||
                                           (agent->child && state_is_restored(agent->state)));
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
                r = listen_for_reports(agent);
        if (r == 0 && options->to)
                r = set_up_directory(agent);
        if (r == 0 && (options->server || !options->to))
                r = set_up_api(agent);
        if (r == 0 && agent->directory)
                directory_changed(agent->directory, true);
        return r;
}

int agent_new(struct agent **ret_agent, const struct options *options) {
        CLEANUP(agent_freep) struct agent *agent = NULL;
        int r = identify_check(options);

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
                r = identify(&agent->identity, options);
        set_facts(agent);
        if (r == 0)
                r = set_up(agent);
        if (r == 0 && agent->child)
                r = child_start(agent->child);
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
        directory_free(agent->directory);
        kube_free(agent->kube);
        reports_free(agent->reports);
        child_free(agent->child);
        tail_free(agent->tail);
        state_free(agent->state);
        loop_timer_free(agent->drain_timer);
        loop_timer_free(agent->hurry_timer);
        fold_free(agent->fold);
        identity_release(&agent->identity);
        free(agent->exit_reason);
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
