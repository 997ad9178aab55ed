#include "publish/restarts.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "publish/paths.h"

enum {
        TRIES = 2,               /* the kubelet may take some seconds until it has told the API server */
        BETWEEN_TRIES_MS = 10000,
        SPACING_MS = 30000,      /* from one question to the next */
};

struct restarts {
        struct loop *loop;
        struct kube *kube;
        const struct identity *identity;
        restarts_callback callback;
        void *userdata;
        struct kube_request *request;
        struct loop_timer *timer;
        int known;
        int tries;        /* that are left; 0: nobody asks */
        int64_t asked_ms; /* when it was asked first; -1: never */
        bool is_denied;
};

static void on_pod(void *userdata, const struct kube_reply *reply) {
        struct restarts *restarts = userdata;
        struct pod_end end = { .exit_code = -1, .restarts = -1 };

        restarts->request = NULL;
        if (reply->outcome == KUBE_FORBIDDEN || reply->outcome == KUBE_NOT_FOUND) {
                log_info("whether the trainer was started anew is not known: %s", reply->message);
                restarts->is_denied = true;
                restarts->tries = 0;
                return;
        }
        if (reply->outcome != KUBE_OK) { /* it has happened, if it has: later is soon enough */
                loop_timer_set(restarts->timer, SPACING_MS);
                return;
        }
        restarts->tries--;
        if (pod_view(reply->body, restarts->identity->pod_uid).life != POD_GONE)
                end = pod_end_before(reply->body);
        if (end.restarts > restarts->known) {
                restarts->known = end.restarts;
                restarts->tries = 0;
                restarts->callback(restarts->userdata, &end);
        } else if (restarts->tries > 0) {
                loop_timer_set(restarts->timer, BETWEEN_TRIES_MS);
        }
}

static void on_timer(void *userdata) {
        struct restarts *restarts = userdata;
        CLEANUP(cleanup_free) char *path = path_of_pod(restarts->identity, restarts->identity->pod);
        struct kube_call call = { .method = KUBE_GET, .path = path };

        if (restarts->request)
                return;
        if (restarts->tries == TRIES)
                restarts->asked_ms = loop_now_ms(restarts->loop);
        if (!path || kube_start(restarts->kube, &call, on_pod, restarts, &restarts->request) < 0)
                restarts->tries = 0;
}

void restarts_ask(struct restarts *restarts) {
        int64_t next_ms = restarts->asked_ms < 0 ? 0 :
                          restarts->asked_ms + SPACING_MS - loop_now_ms(restarts->loop);

        if (restarts->is_denied || !restarts->identity->pod || restarts->tries == TRIES)
                return;
        restarts->tries = TRIES;
        if (!restarts->request)
                loop_timer_set(restarts->timer, next_ms > 0 ? next_ms : 0);
}

void restarts_know(struct restarts *restarts, int n) {
        restarts->known = n > restarts->known ? n : restarts->known;
}

int restarts_new(struct restarts **ret_restarts, struct loop *loop, struct kube *kube,
                 const struct identity *identity, restarts_callback callback, void *userdata) {
        struct restarts *restarts = calloc(1, sizeof(*restarts));

        if (!restarts)
                return -ENOMEM;
        *restarts = (struct restarts){ .loop = loop, .kube = kube, .identity = identity, .callback = callback,
                                       .userdata = userdata, .asked_ms = -1 };
        if (loop_timer_new(&restarts->timer, loop, on_timer, restarts) < 0) {
                free(restarts);
                return -ENOMEM;
        }
        *ret_restarts = restarts;
        return 0;
}

struct restarts *restarts_free(struct restarts *restarts) {
        if (!restarts)
                return NULL;
        kube_request_cancel(restarts->request);
        loop_timer_free(restarts->timer);
        free(restarts);
        return NULL;
}
