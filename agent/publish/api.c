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
#include "publish/spacing.h"
#include "publish/watch.h"
#include "result/result.h"

enum {
        LOOK_MS = 30000,          /* a look at the Result when there is nothing to publish */
        SLOW_FACTOR = 10,         /* a reply that took a second: ten seconds until the next report */
        REFUSED_MS = 300000,      /* what was refused for what it says is refused no more, perhaps */
        FINISH_PATIENCE_MS = 1000,/* for a call that is under way when the end comes */
        FINISH_RETRY_MS = 500,    /* at the end, calls follow each other no faster */
        BODY_BYTES_MAX = 16 * 1024,
};

/* The server gives up before we do: with etcd frozen it would answer after 34 s (Kubernetes 1.36). */
#define QUERY "timeout=5s"

enum state {
        STATE_LEARN_JOB,        /* what does the Job say of experiment and parameters? */
        STATE_LEARN_EXPERIMENT, /* its uid, for the owner reference; objective, output */
        STATE_LOOK,             /* is the Result there, and what do others want of it? */
        STATE_CHECK_OWNER,      /* the Result was deleted: by its owner's end? */
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
        bool has_attempt;             /* our attempt's number is known */
        bool has_reported;            /* the server has taken a report of ours */
        bool stop_was_told, refusal_was_said;

        struct buffer sent, acknowledged; /* bodies without fence: the last sent, and taken by the server */
        struct buffer refused;            /* the same again would be refused again */
        bool changed;
        bool finishing;
        bool is_over; /* hooks.finished was called */

        int64_t start_ms, sent_ms, due_ms, look_ms, refused_ms;
        unsigned failures; /* in a row */
        enum kube_outcome last_failure;
        unsigned conflicts; /* in a row, whatever looks at the Result found between them */
};

static void step(struct api *api);

static int64_t now(const struct api *api) {
        return loop_now_ms(api->config.loop);
}

/* --- transitions --- */

static const char *const state_names[] = {
        [STATE_LEARN_JOB] = "asking for the Job",
        [STATE_LEARN_EXPERIMENT] = "asking for the Experiment",
        [STATE_LOOK] = "asking for the Result",
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

static char *result_path(const struct api *api, const char *name, const char *subresource) {
        return kube_path(RESULT_GROUP, RESULT_VERSION, api->config.identity->namespace_name, "results",
                         name, subresource, QUERY);
}

static char *job_path(const struct api *api) {
        return kube_path("batch", "v1", api->config.identity->namespace_name, "jobs",
                         api->config.identity->job, NULL, QUERY);
}

static char *experiment_path(const struct api *api) {
        return kube_path(RESULT_GROUP, RESULT_VERSION, api->config.identity->namespace_name,
                         "experiments", api->config.identity->experiment, NULL, QUERY);
}

static bool knows_owner_to_ask_for(const struct api *api) {
        struct result_identity view = identity_view(api->config.identity);

        return view.owner.uid != NULL;
}

static void get_owner(struct api *api) {
        bool is_job = strcmp(identity_view(api->config.identity).owner.kind, "Job") == 0;

        call(api, KUBE_GET, is_job ? job_path(api) : experiment_path(api), (struct slice){ 0 });
}

static void get_result(struct api *api) {
        api->look_ms = now(api) + LOOK_MS;
        call(api, KUBE_GET, result_path(api, api->config.identity->job, NULL), (struct slice){ 0 });
}

static void post_result(struct api *api) {
        CLEANUP(buffer_release) struct buffer body = BUFFER_INIT(BODY_BYTES_MAX);
        int r = api->config.hooks.write_manifest(api->config.hooks.userdata, &body);

        if (r < 0) {
                log_error("publish: the Result cannot be written: %s", strerror(-r));
                wait_for_retry(api, -1);
                return;
        }
        call(api, KUBE_POST, result_path(api, NULL, NULL), buffer_slice(&body));
}

/* {"status":…} becomes {"metadata":{"resourceVersion":…},"status":…}: a fence, so that a report
 * never goes over something that we have not seen. */
static int put_fence(struct buffer *out, struct slice body, const char *resource_version) {
        int r = buffer_append_string(out, "{\"metadata\":{\"resourceVersion\":\"");

        if (r == 0)
                r = buffer_append_string(out, resource_version);
        if (r == 0)
                r = buffer_append_string(out, "\"},");
        if (r == 0)
                r = buffer_append(out, body.data + 1, body.size_bytes - 1);
        return r;
}

static void patch_result(struct api *api) {
        CLEANUP(buffer_release) struct buffer body = BUFFER_INIT(BODY_BYTES_MAX);
        int r = put_fence(&body, buffer_slice(&api->sent), api->resource_version);

        if (r < 0) {
                log_error("publish: the report cannot be written: %s", strerror(-r));
                wait_for_retry(api, -1);
                return;
        }
        api->sent_ms = now(api);
        call(api, KUBE_PATCH_MERGE, result_path(api, api->config.identity->job, "status"),
             buffer_slice(&body));
}

/* --- what there is to say --- */

/* A rule of the server's may have been changed since it refused the report. */
static void try_refused_again(struct api *api) {
        if (api->refused.size_bytes == 0 || now(api) < api->refused_ms + REFUSED_MS)
                return;
        buffer_clear(&api->refused);
        api->changed = true;
}

/* Writes the current report into api->sent; says whether the server lacks it. */
static bool has_news(struct api *api) {
        int r;

        buffer_clear(&api->sent);
        r = api->config.hooks.write_patch(api->config.hooks.userdata, &api->sent);
        if (r < 0) {
                log_error("publish: the report cannot be written: %s", strerror(-r));
                return false;
        }
        api->changed = false;
        return !slice_equal(buffer_slice(&api->sent), buffer_slice(&api->acknowledged)) &&
               !slice_equal(buffer_slice(&api->sent), buffer_slice(&api->refused));
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
                        call(api, KUBE_GET, job_path(api), (struct slice){ 0 });
                break;
        case STATE_LEARN_EXPERIMENT:
                if (experiment_is_known(api))
                        go(api, STATE_LOOK);
                else
                        call(api, KUBE_GET, experiment_path(api), (struct slice){ 0 });
                break;
        case STATE_LOOK:
                get_result(api);
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
        const char *resource_version = json_get_text(object, "metadata", "resourceVersion", NULL);

        if (differs(uid, api->uid))
                log_info("publish: the Result was made anew by somebody else");
        /* Somebody wrote, or the server's storage was set back to a snapshot: what was acknowledged may
         * not be there. Where it is, the server makes nothing of the same report. */
        if (differs(uid, api->uid) || differs(resource_version, api->resource_version)) {
                buffer_clear(&api->acknowledged);
                api->changed = true;
        }
        (void)identity_set(&api->uid, uid);
        (void)identity_set(&api->resource_version, resource_version);
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

/* Another pod's report: one that was there before us is an attempt before ours; one that comes
 * while we report is our replacement, and we are what was cut off. */
static bool is_superseded(struct api *api, struct json_object *result) {
        const char *pod_uid = json_get_text(result, "status", "attempt", "podUID", NULL);
        int64_t number = json_get_integer(result, 0, "status", "attempt", "number", NULL);
        bool is_ours = !pod_uid || !api->config.identity->pod_uid ||
                       strcmp(pod_uid, api->config.identity->pod_uid) == 0;

        if (!api->has_attempt) {
                api->has_attempt = true;
                number = is_ours ? (number > 0 ? number : 1) : number + 1;
                api->config.hooks.attempt(api->config.hooks.userdata, (int)number);
                return false;
        }
        if (is_ours || !api->has_reported)
                return false;
        log_warning("publish: a newer attempt (pod %s) reports for this Job: this one publishes no more",
                    json_get_text(result, "status", "attempt", "podName", NULL));
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

static void take_result(struct api *api, const struct kube_reply *reply) {
        if (asks_again(api, reply))
                return;
        switch (reply->outcome) {
        case KUBE_OK:
                succeeded(api);
                if (is_foreign(api, reply->body) || is_superseded(api, reply->body)) {
                        close_for_good(api);
                        return;
                }
                see_metadata(api, reply->body);
                see_stop(api, reply->body);
                go(api, STATE_REST);
                return;
        case KUBE_NOT_FOUND:
                go(api, api->uid ? STATE_CHECK_OWNER : STATE_CREATE);
                return;
        default:
                retry(api, reply);
        }
}

static void take_owner(struct api *api, const struct kube_reply *reply) {
        bool is_gone = reply->outcome == KUBE_NOT_FOUND ||
                       (reply->outcome == KUBE_OK &&
                        json_get_text(reply->body, "metadata", "deletionTimestamp", NULL));

        if (is_gone) {
                log_info("publish: the Result was deleted with its owner: it is not made anew");
                close_for_good(api);
        } else if (reply->outcome == KUBE_OK || reply->outcome == KUBE_FORBIDDEN) {
                log_info("publish: the Result was deleted while its Job runs: it is made anew");
                go(api, STATE_CREATE);
        } else {
                retry(api, reply);
        }
}

static void take_created(struct api *api, const struct kube_reply *reply) {
        switch (reply->outcome) {
        case KUBE_OK:
                succeeded(api);
                /* What another Result of this name was told is nothing that this one knows. */
                free(STEAL(api->uid));
                buffer_clear(&api->acknowledged);
                buffer_clear(&api->refused);
                see_metadata(api, reply->body);
                if (!api->has_attempt) {
                        api->has_attempt = true;
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
                buffer_clear(&api->acknowledged);
                (void)buffer_append(&api->acknowledged, api->sent.data, api->sent.size_bytes);
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
                buffer_clear(&api->refused);
                (void)buffer_append(&api->refused, api->sent.data, api->sent.size_bytes);
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
        api->sent = api->acknowledged = api->refused = BUFFER_INIT(BODY_BYTES_MAX);
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
        buffer_release(&api->sent);
        buffer_release(&api->acknowledged);
        buffer_release(&api->refused);
        free(api->resource_version);
        free(api->uid);
        free(api);
        return NULL;
}
