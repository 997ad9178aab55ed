#include "publish/api.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/random.h"
#include "kube/json_get.h"
#include "publish/attempt.h"
#include "publish/paths.h"
#include "publish/report.h"
#include "publish/spacing.h"
#include "publish/watch.h"
#include "result/result.h"

enum {
        LOOK_MS = 30000,          /* a look at the Result when there is nothing to publish */
        SLOW_FACTOR = 10,         /* a reply that took a second: ten seconds until the next report */
        REFUSED_MS = 300000,      /* what was refused for what it says is refused no more, perhaps */
        FINISH_PATIENCE_MS = 1000,/* for a call that is under way when the end comes */
        FINISH_RETRY_MS = 500,    /* at the end, calls follow each other no faster */
        BLIND_CREATES_MAX = 1,    /* where we may not know whether the owner is gone */
        BODY_BYTES_MAX = 16 * 1024,
};

enum state {
        STATE_LEARN_JOB,        /* what does the Job say of experiment and parameters? */
        STATE_LEARN_EXPERIMENT, /* its uid, for the owner reference; objective, output */
        STATE_LOOK,             /* is the Result there, and what do others want of it? */
        STATE_COMPARE_JOBS,     /* another Job's pod reports to it: which of the two Jobs is there now? */
        STATE_COMPARE_THEIRS,   /* another pod reports to it: what became of that one */
        STATE_COMPARE_OURS,     /* and what of ours? */
        STATE_CHECK_OWNER,      /* is there anybody to own the Result? */
        STATE_CREATE,
        STATE_REPORT,
        STATE_REST,             /* until there is something to say, or it is time to look */
        STATE_CLOSED,           /* for good: the Result is not ours */
};

struct api {
        struct api_config config;
        enum state state;
        struct kube_request *request; /* the call that is under way */
        struct loop_timer *timer;     /* the next step */
        struct loop_timer *deadline;  /* of api_finish() */
        struct watch *watch;          /* NULL without --watch */

        char *resource_version, *uid; /* of the Result as last seen; NULL: never seen */
        int64_t generation;
        bool was_forbidden, was_asked_again; /* what the Job and the Experiment would tell */
        struct attempt attempt;
        struct json_object *met;      /* the Result that names another pod, while that is looked into */
        bool may_be_earlier;          /* a Result that is there now was there before us */
        bool has_reported;            /* the server has taken a report of ours */
        bool stop_was_told, refusal_was_said;
        int blind_creates;

        struct report report;
        bool changed;
        bool finishing;
        bool is_over; /* hooks.finished was called */

        int64_t start_ms, sent_ms, due_ms, look_ms, refused_ms;
        unsigned failures; /* in a row */
        enum kube_outcome last_failure;
        unsigned conflicts; /* in a row, whatever looks at the Result found between them */
};

static void step(struct api *api);
static void decide(struct api *api);

static int64_t now(const struct api *api) {
        return loop_now_ms(api->config.loop);
}

/* --- transitions --- */

static const char *const state_names[] = {
        [STATE_LEARN_JOB] = "asking for the Job",
        [STATE_LEARN_EXPERIMENT] = "asking for the Experiment",
        [STATE_LOOK] = "asking for the Result",
        [STATE_COMPARE_JOBS] = "asking for the Job again",
        [STATE_COMPARE_THEIRS] = "asking for the pod that reports",
        [STATE_COMPARE_OURS] = "asking for our pod",
        [STATE_CHECK_OWNER] = "asking for the Result's owner",
        [STATE_CREATE] = "creating the Result",
        [STATE_REPORT] = "reporting",
        [STATE_REST] = "resting",
        [STATE_CLOSED] = "closed",
};

static void go(struct api *api, enum state state) {
        if (state != api->state)
                log_debug("publish: %s", state_names[state]);
        api->state = state;
        step(api);
}

static void finished(struct api *api, int result) {
        loop_timer_clear(api->timer);
        loop_timer_clear(api->deadline);
        api->finishing = false;
        api->is_over = true;
        api->watch = watch_free(api->watch);
        api->config.hooks.finished(api->config.hooks.userdata, result);
}

/* --- calls --- */

static void on_reply(void *userdata, const struct kube_reply *reply);

static void wait_after(struct api *api, unsigned failures, int64_t retry_after_ms) {
        int64_t delay_ms = backoff_ms(failures, retry_after_ms, random_fraction());

        if (api->finishing && delay_ms > loop_timer_left_ms(api->deadline) / 2)
                delay_ms = loop_timer_left_ms(api->deadline) / 2 + FINISH_RETRY_MS;
        loop_timer_set(api->timer, delay_ms);
}

static void wait_for_retry(struct api *api, int64_t retry_after_ms) {
        wait_after(api, ++api->failures, retry_after_ms);
}

static void call(struct api *api, enum kube_method method, char *take_path, struct slice body) {
        CLEANUP(cleanup_free) char *path = take_path;
        struct kube_call call = { .method = method, .path = path, .body = body,
                                  .metadata_only = method != KUBE_GET };
        int r = path ? kube_start(api->config.kube, &call, on_reply, api, &api->request) : -ENOMEM;

        if (r == 0)
                return;
        log_error("publish: cannot start a call: %s", strerror(-r));
        wait_for_retry(api, -1);
}

static bool knows_owner_to_ask_for(const struct api *api) {
        struct result_identity view = identity_view(api->config.identity);

        return view.owner.uid != NULL;
}

static void get_owner(struct api *api) {
        bool is_job = strcmp(identity_view(api->config.identity).owner.kind, "Job") == 0;

        call(api, KUBE_GET, is_job ? path_of_job(api->config.identity) : path_of_experiment(api->config.identity), (struct slice){ 0 });
}

static void get_result(struct api *api) {
        api->look_ms = now(api) + LOOK_MS;
        call(api, KUBE_GET, path_of_result(api->config.identity, NULL), (struct slice){ 0 });
}

static void post_result(struct api *api) {
        CLEANUP(buffer_release) struct buffer body = BUFFER_INIT(BODY_BYTES_MAX);
        int r = api->config.hooks.write_manifest(api->config.hooks.userdata, &body);

        if (r < 0) {
                log_error("publish: the Result cannot be written: %s", strerror(-r));
                wait_for_retry(api, -1);
                return;
        }
        call(api, KUBE_POST, path_of_results(api->config.identity), buffer_slice(&body));
}

static void patch_result(struct api *api) {
        CLEANUP(buffer_release) struct buffer body = BUFFER_INIT(BODY_BYTES_MAX);
        int r = report_write_fenced(&api->report, api->resource_version, &body);

        if (r < 0) {
                log_error("publish: the report cannot be written: %s", strerror(-r));
                wait_for_retry(api, -1);
                return;
        }
        api->sent_ms = now(api);
        call(api, KUBE_PATCH_MERGE, path_of_result(api->config.identity, "status"),
             buffer_slice(&body));
}

/* --- what there is to say --- */

/* A rule of the server's may have been changed since it refused the report. */
static void try_refused_again(struct api *api) {
        if (api->report.refused.size_bytes == 0 || now(api) < api->refused_ms + REFUSED_MS)
                return;
        buffer_clear(&api->report.refused);
        api->changed = true;
}

/* Writes the current report; says whether the server lacks it. */
static bool has_news(struct api *api) {
        int r;

        buffer_clear(&api->report.sent);
        r = api->config.hooks.write_patch(api->config.hooks.userdata, &api->report.sent);
        if (r < 0) {
                log_error("publish: the report cannot be written: %s", strerror(-r));
                return false;
        }
        api->changed = false;
        return report_is_news(&api->report);
}

static void rest(struct api *api) {
        int64_t now_ms = now(api);
        bool due = api->finishing || now_ms >= api->due_ms;

        try_refused_again(api);
        if (api->changed && due && has_news(api)) {
                go(api, STATE_REPORT);
        } else if (api->finishing) {
                finished(api, 0);
        } else if (now_ms >= api->look_ms) {
                go(api, STATE_LOOK);
        } else {
                int64_t until_ms = api->changed && api->due_ms < api->look_ms ? api->due_ms : api->look_ms;

                loop_timer_set(api->timer, until_ms - now_ms);
        }
}

static bool job_is_known(const struct identity *identity) {
        return identity->experiment && identity->parameters && identity->job_uid;
}

static bool experiment_is_known(const struct api *api) {
        const struct identity *identity = api->config.identity;

        return !identity->experiment || (identity->experiment_uid && api->config.objective_is_given &&
                                         identity->output_path);
}

/* Starts what the state is for; the reply moves on. */
static void step(struct api *api) {
        if (api->request || api->is_over)
                return;
        switch (api->state) {
        case STATE_LEARN_JOB:
                if (job_is_known(api->config.identity))
                        go(api, STATE_LEARN_EXPERIMENT);
                else
                        call(api, KUBE_GET, path_of_job(api->config.identity), (struct slice){ 0 });
                break;
        case STATE_LEARN_EXPERIMENT:
                if (experiment_is_known(api))
                        go(api, STATE_LOOK);
                else
                        call(api, KUBE_GET, path_of_experiment(api->config.identity), (struct slice){ 0 });
                break;
        case STATE_LOOK:
                get_result(api);
                break;
        case STATE_COMPARE_JOBS:
                call(api, KUBE_GET, path_of_job(api->config.identity), (struct slice){ 0 });
                break;
        case STATE_COMPARE_THEIRS:
                if (api->attempt.pod)
                        call(api, KUBE_GET, path_of_pod(api->config.identity, api->attempt.pod), (struct slice){ 0 });
                else
                        go(api, STATE_COMPARE_OURS);
                break;
        case STATE_COMPARE_OURS:
                if (api->config.identity->pod)
                        call(api, KUBE_GET, path_of_pod(api->config.identity, api->config.identity->pod), (struct slice){ 0 });
                else
                        decide(api);
                break;
        case STATE_CHECK_OWNER:
                if (knows_owner_to_ask_for(api))
                        get_owner(api);
                else
                        go(api, STATE_CREATE);
                break;
        case STATE_CREATE:
                post_result(api);
                break;
        case STATE_REPORT:
                patch_result(api);
                break;
        case STATE_REST:
                rest(api);
                break;
        case STATE_CLOSED:
                api->watch = watch_free(api->watch);
                if (api->finishing)
                        finished(api, 0);
                break;
        }
}

static void on_timer(void *userdata) {
        struct api *api = userdata;

        /* Only the end sets the timer while a call is under way: it was given its time. What a
         * cancelled report did is found out by looking. */
        if (api->request) {
                api->request = kube_request_cancel(api->request);
                api->changed = true;
                api->state = api->state == STATE_REPORT ? STATE_REST : api->state;
        }
        step(api);
}

/* --- replies --- */

/* Worth saying once, and again when it is something else that fails. */
static void log_failure(struct api *api, const struct kube_reply *reply, const char *what_next) {
        bool known = api->failures > 0 && api->last_failure == reply->outcome;

        api->last_failure = reply->outcome;
        if (known)
                log_debug("publish: %s: %s: %s", state_names[api->state],
                          kube_outcome_name(reply->outcome), reply->message);
        else
                log_warning("publish: %s: %s: %s; %s", state_names[api->state],
                            kube_outcome_name(reply->outcome), reply->message, what_next);
}

static void retry(struct api *api, const struct kube_reply *reply) {
        log_failure(api, reply, "trying again, nothing is lost meanwhile");
        wait_for_retry(api, reply->retry_after_ms);
}

/* Somebody else wrote: what is there is seen at once. What conflicts again and again (a CRD without
 * status subresource, a quota that many count against, somebody's webhook) is given time. */
static void look_into(struct api *api, const struct kube_reply *reply) {
        if (++api->conflicts == 1) {
                go(api, STATE_LOOK);
                return;
        }
        if (api->conflicts == 2)
                log_warning("publish: %s: %s: %s; trying again, nothing is lost meanwhile",
                            state_names[api->state], kube_outcome_name(reply->outcome), reply->message);
        api->state = STATE_LOOK;
        wait_after(api, api->conflicts - 1, reply->retry_after_ms);
}

static void succeeded(struct api *api) {
        if (api->failures > 0)
                log_info("publish: the API server is back after %u failed calls", api->failures);
        api->failures = 0;
}

static void close_for_good(struct api *api) {
        go(api, STATE_CLOSED);
}

/* What a lookup cannot tell is left out: a Result without owner is better than none. */
static void take_job(struct api *api, const struct kube_reply *reply) {
        int r = reply->outcome == KUBE_OK ? identity_learn_job(api->config.identity, reply->body) : 0;

        if (r == -E2BIG)
                log_warning("publish: the Job's parameters are longer than %d bytes and are left out",
                            IDENTITY_PARAMETERS_BYTES_MAX);
        if (reply->outcome != KUBE_OK)
                log_info("publish: Job %s: %s", api->config.identity->job, reply->message);
        api->config.hooks.learned(api->config.hooks.userdata);
        go(api, STATE_LEARN_EXPERIMENT);
}

static void take_experiment(struct api *api, const struct kube_reply *reply) {
        if (reply->outcome == KUBE_OK)
                (void)identity_learn_experiment(api->config.identity, reply->body);
        else
                log_warning("publish: Experiment %s: %s; the Result has no owner",
                            api->config.identity->experiment, reply->message);
        api->config.hooks.learned(api->config.hooks.userdata);
        go(api, STATE_LOOK);
}

static bool differs(const char *seen, const char *before) {
        return seen && before && strcmp(seen, before) != 0;
}

static void see_metadata(struct api *api, struct json_object *object) {
        const char *uid = json_get_text(object, "metadata", "uid", NULL);
        const char *version = json_get_text(object, "metadata", "resourceVersion", NULL);

        if (differs(uid, api->uid))
                log_info("publish: the Result was made anew by somebody else");
        if (report_check(&api->report, version))
                api->changed = true;
        (void)identity_set(&api->uid, uid);
        (void)identity_set(&api->resource_version, version);
        api->generation = json_get_integer(object, api->generation, "metadata", "generation", NULL);
}

static bool is_foreign(const struct api *api, struct json_object *result) {
        const char *ours = api->config.identity->experiment;
        const char *theirs = json_get_text(result, "metadata", "labels", "experiment", NULL);

        if (!theirs)
                theirs = json_get_text(result, "spec", "experiment", NULL);
        if (!ours || !theirs || strcmp(ours, theirs) == 0)
                return false;
        log_error("publish: Result %s belongs to Experiment %s, not to %s: it is left alone, and this "
                  "run is not published; files are followed on",
                  api->config.identity->job, theirs, ours);
        return true;
}

static void see_stop(struct api *api, struct json_object *result) {
        struct json_object *requested = json_get(result, "spec", "stop", "requested", NULL);
        const char *reason = json_get_text(result, "spec", "stop", "reason", NULL);

        if (api->stop_was_told || !json_object_get_boolean(requested))
                return;
        api->stop_was_told = true;
        api->config.hooks.stop_requested(api->config.hooks.userdata, reason ? reason : "");
}

/* A server that has just started forbids everything until it has read its roles (kube-apiserver
 * 1.36): once it answers, what was forbidden is asked for again, before a Result without it is made. */
static bool asks_again(struct api *api, const struct kube_reply *reply) {
        if (!api->was_forbidden || api->was_asked_again ||
            (reply->outcome != KUBE_OK && reply->outcome != KUBE_NOT_FOUND))
                return false;
        api->was_asked_again = true;
        go(api, STATE_LEARN_JOB);
        return true;
}

/* What others reported is gone on from; what this pod did too, when the agent lost what it knew. */
static void see_earlier(struct api *api, struct json_object *result, bool is_ours) {
        struct earlier earlier;

        if (!api->may_be_earlier)
                return;
        if (earlier_read(&earlier, result, is_ours) < 0) {
                log_error("publish: what was reported before is not kept: no memory");
                return;
        }
        api->config.hooks.earlier(api->config.hooks.userdata, &earlier);
        earlier_release(&earlier);
}

/* The Result is there, and ours to report to. */
static void go_on(struct api *api, struct json_object *result, int number_before, bool is_ours) {
        see_earlier(api, result, is_ours);
        api->may_be_earlier = false;
        if (api->attempt.number != number_before) {
                api->config.hooks.attempt(api->config.hooks.userdata, api->attempt.number);
                api->changed = true;
        }
        see_metadata(api, result);
        see_stop(api, result);
        go(api, STATE_REST);
}

static void compare_with(struct api *api, struct json_object *result, enum state state) {
        json_object_put(api->met);
        api->met = json_object_get(result);
        go(api, state);
}

static void see_result(struct api *api, struct json_object *result) {
        int number = api->attempt.number;

        if (is_foreign(api, result)) {
                close_for_good(api);
                return;
        }
        switch (attempt_meet(&api->attempt, api->config.identity, result)) {
        case ATTEMPT_OURS:
                go_on(api, result, number, true);
                return;
        case ATTEMPT_NO_MEMORY:
                log_error("publish: who reports is not known: no memory");
                wait_for_retry(api, -1);
                return;
        case ATTEMPT_ASK_JOB:
                compare_with(api, result, STATE_COMPARE_JOBS);
                return;
        case ATTEMPT_ASK_PODS:
                compare_with(api, result, STATE_COMPARE_THEIRS);
                return;
        }
}

static void take_result(struct api *api, const struct kube_reply *reply) {
        if (asks_again(api, reply))
                return;
        switch (reply->outcome) {
        case KUBE_OK:
                succeeded(api);
                see_result(api, reply->body);
                return;
        case KUBE_NOT_FOUND:
                go(api, STATE_CHECK_OWNER);
                return;
        default:
                retry(api, reply);
        }
}

/* --- another pod --- */

static void decide(struct api *api) {
        struct json_object *result = STEAL(api->met);
        int number = api->attempt.number;

        if (attempt_is_over(&api->attempt)) {
                log_warning("publish: %s (pod %s) reports for this Job: this one publishes no more",
                            number > 0 ? "a newer attempt" : "another pod",
                            api->attempt.pod ? api->attempt.pod : "without a name");
                close_for_good(api);
        } else {
                go_on(api, result, number, false);
        }
        json_object_put(result);
}

static struct pod_view view_reply(const struct kube_reply *reply, const char *uid) {
        struct pod_view view = pod_view(reply->outcome == KUBE_OK ? reply->body : NULL, uid);

        if (reply->outcome == KUBE_NOT_FOUND)
                view.life = POD_GONE;
        return view;
}

static void take_comparison(struct api *api, const struct kube_reply *reply) {
        succeeded(api);
        if (api->state == STATE_COMPARE_JOBS) {
                attempt_take_job(&api->attempt, api->config.identity, reply->outcome == KUBE_OK ? reply->body : NULL);
                if (api->attempt.job_is_ours || api->attempt.job_is_theirs)
                        decide(api);
                else
                        go(api, STATE_COMPARE_THEIRS);
        } else if (api->state == STATE_COMPARE_THEIRS) {
                api->attempt.theirs = view_reply(reply, api->attempt.pod_uid);
                go(api, STATE_COMPARE_OURS);
        } else {
                api->attempt.ours = view_reply(reply, api->config.identity->pod_uid);
                decide(api);
        }
}

/* --- making it --- */

/* Who may not know whether the owner is gone makes a Result once more; the second time it goes, that
 * was the garbage collector, which would take each that follows. */
static bool may_create_blindly(struct api *api) {
        return !api->uid || ++api->blind_creates <= BLIND_CREATES_MAX;
}

static void take_owner(struct api *api, const struct kube_reply *reply) {
        bool is_denied = reply->outcome == KUBE_FORBIDDEN;

        if (reply->outcome != KUBE_OK && reply->outcome != KUBE_NOT_FOUND && !is_denied) {
                retry(api, reply);
                return;
        }
        succeeded(api);
        if (is_denied ? !may_create_blindly(api) : identity_owner_is_gone(api->config.identity, reply->body)) {
                log_warning("publish: %s: it is not made anew",
                            is_denied   ? "the Result was deleted again, and whether its owner is there may not be asked" :
                            api->uid    ? "the Result was deleted with its owner" :
                                          "there is no Result, and its owner is gone or going");
                close_for_good(api);
                return;
        }
        if (api->uid)
                log_info("publish: the Result was deleted while its Job runs: it is made anew");
        go(api, STATE_CREATE);
}

static void take_created(struct api *api, const struct kube_reply *reply) {
        switch (reply->outcome) {
        case KUBE_OK:
                succeeded(api);
                /* What another Result of this name was told is nothing that this one knows. */
                free(STEAL(api->uid));
                buffer_clear(&api->report.refused);
                report_forget(&api->report);
                see_metadata(api, reply->body);
                api->may_be_earlier = false;
                if (api->attempt.number == 0) {
                        api->attempt.number = 1;
                        api->config.hooks.attempt(api->config.hooks.userdata, 1);
                }
                api->changed = true;
                api->due_ms = now(api);
                go(api, STATE_REST);
                return;
        case KUBE_CONFLICT: /* somebody was quicker: take it as it is */
                look_into(api, reply);
                return;
        default:
                /* Also a create whose reply was lost, or that a quota refused: look first. */
                retry(api, reply);
                api->state = STATE_LOOK;
        }
}

static void log_refusal(struct api *api, const struct kube_reply *reply) {
        if (api->refusal_was_said)
                log_debug("publish: refused: %s", reply->message);
        else
                log_error("publish: the server refuses the report: %s; the next change is tried, and without "
                          "one the same in %d minutes", reply->message, REFUSED_MS / 60000);
        api->refusal_was_said = true;
}

static void take_reported(struct api *api, const struct kube_reply *reply) {
        int64_t generation = api->generation, took_ms = now(api) - api->sent_ms;
        int64_t spacing = spacing_ms(now(api) - api->start_ms, api->config.interval_min_ms,
                                     api->config.interval_max_ms, random_fraction());

        switch (reply->outcome) {
        case KUBE_OK:
                succeeded(api);
                api->conflicts = 0;
                api->refusal_was_said = false;
                if (*reply->message && !api->has_reported)
                        log_warning("publish: %s", reply->message);
                api->has_reported = true;
                (void)identity_set(&api->resource_version,
                                   json_get_text(reply->body, "metadata", "resourceVersion", NULL));
                report_acknowledge(&api->report, api->resource_version);
                api->due_ms = api->sent_ms + (spacing > took_ms * SLOW_FACTOR ? spacing : took_ms * SLOW_FACTOR);
                api->look_ms = now(api) + LOOK_MS;
                api->generation = json_get_integer(reply->body, generation, "metadata", "generation", NULL);
                /* A new generation: somebody wrote to the spec, a stop request perhaps. */
                go(api, api->generation != generation ? STATE_LOOK : STATE_REST);
                return;
        case KUBE_CONFLICT:
        case KUBE_NOT_FOUND:
                api->changed = true;
                look_into(api, reply);
                return;
        case KUBE_INVALID:
        case KUBE_TOO_LARGE:
                log_refusal(api, reply);
                report_refuse(&api->report);
                api->refused_ms = now(api);
                api->due_ms = api->sent_ms + spacing;
                go(api, STATE_REST);
                return;
        default:
                /* By then there may be more to say: it goes through rest again. */
                api->changed = true;
                api->state = STATE_REST;
                retry(api, reply);
                api->due_ms = now(api) + loop_timer_left_ms(api->timer);
        }
}

/* Failures that pass, for the lookups too: without what they tell, the Result would be made with
 * less than there is to know. */
static bool is_passing(enum kube_outcome outcome) {
        return outcome == KUBE_BUSY || outcome == KUBE_SERVER_ERROR || outcome == KUBE_UNREACHABLE ||
               outcome == KUBE_UNAUTHORIZED;
}

static void on_reply(void *userdata, const struct kube_reply *reply) {
        struct api *api = userdata;

        api->request = NULL;
        loop_timer_clear(api->timer); /* at the end, the time that this call had; it is not the next one's */
        switch (api->state) {
        case STATE_LEARN_JOB:
        case STATE_LEARN_EXPERIMENT:
                api->was_forbidden |= reply->outcome == KUBE_FORBIDDEN;
                if (is_passing(reply->outcome))
                        retry(api, reply);
                else if (api->state == STATE_LEARN_JOB)
                        take_job(api, reply);
                else
                        take_experiment(api, reply);
                break;
        case STATE_LOOK:
                take_result(api, reply);
                break;
        case STATE_COMPARE_JOBS:
        case STATE_COMPARE_THEIRS:
        case STATE_COMPARE_OURS:
                if (is_passing(reply->outcome))
                        retry(api, reply);
                else
                        take_comparison(api, reply);
                break;
        case STATE_CHECK_OWNER:
                take_owner(api, reply);
                break;
        case STATE_CREATE:
                take_created(api, reply);
                break;
        case STATE_REPORT:
                take_reported(api, reply);
                break;
        case STATE_REST:
        case STATE_CLOSED:
                break;
        }
}

struct api_published api_published(const struct api *api) {
        if (!api->has_reported)
                return (struct api_published){ 0 };
        return (struct api_published){ api->uid, api->report.version };
}

/* --- the end --- */

static void on_deadline(void *userdata) {
        struct api *api = userdata;

        api->request = kube_request_cancel(api->request);
        log_error("publish: the last report did not get through in time");
        finished(api, -ETIMEDOUT);
}

static void on_watch(void *userdata, int64_t generation) {
        struct api *api = userdata;

        if (api->is_over || generation == api->generation)
                return;
        log_debug("publish: the watch tells of a change");
        api->look_ms = now(api);
        /* This comes from inside of a call: the look starts from the loop. */
        if (api->state == STATE_REST && !api->request && api->failures == 0)
                loop_timer_set(api->timer, 0);
}

void api_changed(struct api *api) {
        api->changed = true;
        if (api->state == STATE_REST && !api->request && api->failures == 0)
                step(api);
}

void api_changed_now(struct api *api) {
        api->due_ms = now(api);
        api_changed(api);
}

void api_try_now(struct api *api) {
        api->due_ms = now(api);
        if (!api->request && loop_timer_is_set(api->timer))
                loop_timer_set(api->timer, 0);
}

void api_finish(struct api *api, int64_t timeout_ms) {
        api->finishing = true;
        api->changed = true;
        loop_timer_set(api->deadline, timeout_ms);
        /* A call that hangs is ended: the fence keeps it from going over what comes now. */
        loop_timer_set(api->timer, api->request ? FINISH_PATIENCE_MS : 0);
}

/* --- the publisher as a whole --- */

int api_new(struct api **ret_api, const struct api_config *config) {
        struct api *api = calloc(1, sizeof(*api));
        int r;

        if (!api)
                return -ENOMEM;
        api->config = *config;
        report_init(&api->report);
        api->attempt.number = config->attempt;
        api->may_be_earlier = config->attempt == 0;
        if (identity_set(&api->uid, config->uid) < 0) {
                api_free(api);
                return -ENOMEM;
        }
        r = loop_timer_new(&api->timer, config->loop, on_timer, api);
        if (r == 0)
                r = loop_timer_new(&api->deadline, config->loop, on_deadline, api);
        if (r == 0 && config->watch)
                r = watch_new(&api->watch, config->loop, config->kube, config->identity->namespace_name,
                              config->identity->job, on_watch, api);
        if (r < 0) {
                api_free(api);
                return r;
        }
        api->start_ms = api->due_ms = now(api);
        api->changed = true;
        loop_timer_set(api->timer, 0);
        *ret_api = api;
        return 0;
}

struct api *api_free(struct api *api) {
        if (!api)
                return NULL;
        kube_request_cancel(api->request);
        watch_free(api->watch);
        loop_timer_free(api->timer);
        loop_timer_free(api->deadline);
        report_release(&api->report);
        attempt_release(&api->attempt);
        json_object_put(api->met);
        free(api->resource_version);
        free(api->uid);
        free(api);
        return NULL;
}
