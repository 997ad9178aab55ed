#include "publish/outcome.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "kube/json_get.h"
#include "publish/pod.h"

enum {
        ASKING_MS = 2000,    /* the kubelet reports a container's end about when it tells us to stop */
        BETWEEN_TRIES_MS = 250,
        CALL_TIMEOUT_MS = 2000,
        BACKOFF_LIMIT = 6,   /* default of a Job's spec.backoffLimit (batch/v1) */
};

struct outcome {
        struct loop *loop;
        struct kube *kube;
        const struct identity *identity;
        outcome_callback callback;
        void *userdata;
        struct kube_request *request;
        struct loop_timer *timer;
        int64_t until_ms;
        int exit_code, restarts;
        char *reason;
};

static void tell(struct outcome *outcome, enum phase phase) {
        outcome->callback(outcome->userdata, phase, outcome->exit_code, outcome->restarts, outcome->reason);
}

static int ask(struct outcome *outcome, const char *group, const char *plural, const char *name,
               kube_callback on_reply) {
        CLEANUP(cleanup_free) char *path = kube_path(group, "v1", outcome->identity->namespace_name,
                                                     plural, name, NULL, "timeout=2s");
        struct kube_call call = { .method = KUBE_GET, .path = path, .timeout_ms = CALL_TIMEOUT_MS };

        return path ? kube_start(outcome->kube, &call, on_reply, outcome, &outcome->request) : -ENOMEM;
}

/* A failed attempt is the run's end only when the Job has no retry left. */
static void on_job(void *userdata, const struct kube_reply *reply) {
        struct outcome *outcome = userdata;
        int64_t failed, limit;

        outcome->request = NULL;
        if (reply->outcome != KUBE_OK) {
                tell(outcome, PHASE_INTERRUPTED);
                return;
        }
        failed = json_get_integer(reply->body, 0, "status", "failed", NULL);
        limit = json_get_integer(reply->body, BACKOFF_LIMIT, "spec", "backoffLimit", NULL);
        tell(outcome, failed + 1 > limit ? PHASE_FAILED : PHASE_INTERRUPTED);
}

static void took_exit_code(struct outcome *outcome) {
        if (outcome->exit_code == 0)
                tell(outcome, PHASE_SUCCEEDED);
        else if (ask(outcome, "batch", "jobs", outcome->identity->job, on_job) < 0)
                tell(outcome, PHASE_INTERRUPTED);
}

static bool take_statuses(struct outcome *outcome, struct json_object *pod) {
        struct pod_end end = pod_end_now(pod);

        outcome->exit_code = end.exit_code;
        outcome->restarts = end.restarts;
        (void)identity_set(&outcome->reason, end.reason);
        return end.exit_code >= 0;
}

static bool may_know_more_soon(const struct outcome *outcome, enum kube_outcome reply) {
        bool passes = reply == KUBE_OK || reply == KUBE_BUSY || reply == KUBE_SERVER_ERROR || reply == KUBE_UNREACHABLE;

        return passes && loop_now_ms(outcome->loop) + BETWEEN_TRIES_MS < outcome->until_ms;
}

static void on_pod(void *userdata, const struct kube_reply *reply) {
        struct outcome *outcome = userdata;

        outcome->request = NULL;
        if (reply->outcome == KUBE_OK && take_statuses(outcome, reply->body)) {
                took_exit_code(outcome);
                return;
        }
        if (may_know_more_soon(outcome, reply->outcome)) {
                loop_timer_set(outcome->timer, BETWEEN_TRIES_MS);
                return;
        }
        log_info("the trainer's exit code is not known: %s",
                 reply->outcome == KUBE_OK ? "no container of the pod has ended" : reply->message);
        tell(outcome, PHASE_INTERRUPTED);
}

static void on_timer(void *userdata) {
        struct outcome *outcome = userdata;

        if (outcome->exit_code >= 0)
                took_exit_code(outcome);
        else if (ask(outcome, "", "pods", outcome->identity->pod, on_pod) < 0)
                tell(outcome, PHASE_INTERRUPTED);
}

int outcome_new(struct outcome **ret_outcome, struct loop *loop, struct kube *kube,
                const struct identity *identity, int exit_code, outcome_callback callback, void *userdata) {
        struct outcome *outcome = calloc(1, sizeof(*outcome));

        if (!outcome)
                return -ENOMEM;
        *outcome = (struct outcome){ .loop = loop, .kube = kube, .identity = identity,
                                     .callback = callback, .userdata = userdata,
                                     .until_ms = loop_now_ms(loop) + ASKING_MS,
                                     .exit_code = exit_code, .restarts = -1 };
        if (loop_timer_new(&outcome->timer, loop, on_timer, outcome) < 0) {
                free(outcome);
                return -ENOMEM;
        }
        loop_timer_set(outcome->timer, 0);
        *ret_outcome = outcome;
        return 0;
}

struct outcome *outcome_free(struct outcome *outcome) {
        if (!outcome)
                return NULL;
        kube_request_cancel(outcome->request);
        loop_timer_free(outcome->timer);
        free(outcome->reason);
        free(outcome);
        return NULL;
}
