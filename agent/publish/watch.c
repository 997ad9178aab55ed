#include "publish/watch.h"

#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/random.h"
#include "kube/json_get.h"
#include "publish/spacing.h"
#include "result/result.h"

/* The server ends the watch after this long. Without it the server would choose, half an hour at
 * least (--min-request-timeout of kube-apiserver 1.36). */
#define QUERY "watch=true&timeoutSeconds=1800&fieldSelector=metadata.name%%3D%s"

struct watch {
        struct loop_timer *timer;
        struct kube *kube;
        struct kube_request *request;
        char *path;
        watch_callback callback;
        void *userdata;
        unsigned failures; /* in a row */
};

static void on_line(void *userdata, struct slice line) {
        struct watch *watch = userdata;
        struct json_tokener *tokener;
        struct json_object *event;
        const char *type;

        tokener = line.size_bytes <= INT_MAX ? json_tokener_new() : NULL;
        if (!tokener)
                return;
        event = json_tokener_parse_ex(tokener, line.data, (int)line.size_bytes);
        json_tokener_free(tokener);
        type = json_get_text(event, "type", NULL);
        if (type && (strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0)) {
                watch->failures = 0;
                watch->callback(watch->userdata, json_get_integer(event, 0, "object", "metadata", "generation", NULL));
        } else if (type && strcmp(type, "DELETED") == 0) {
                watch->callback(watch->userdata, -1);
        }
        json_object_put(event);
}

static void on_end(void *userdata, const struct kube_reply *reply) {
        struct watch *watch = userdata;

        watch->request = NULL;
        if (reply->outcome != KUBE_OK && watch->failures == 0)
                log_warning("publish: watching the Result: %s: %s; trying again, a look every 30 s meanwhile",
                            kube_outcome_name(reply->outcome), reply->message);
        loop_timer_set(watch->timer, backoff_ms(++watch->failures, reply->retry_after_ms, random_fraction()));
}

static void begin(void *userdata) {
        struct watch *watch = userdata;
        struct kube_call call = { .method = KUBE_GET, .path = watch->path, .on_line = on_line };
        int r = kube_start(watch->kube, &call, on_end, watch, &watch->request);

        if (r < 0)
                loop_timer_set(watch->timer, backoff_ms(++watch->failures, -1, random_fraction()));
}

int watch_new(struct watch **ret_watch, struct loop *loop, struct kube *kube, const char *namespace_name,
              const char *name, watch_callback callback, void *userdata) {
        CLEANUP(cleanup_free) char *query = NULL;
        struct watch *watch = calloc(1, sizeof(*watch));

        if (!watch)
                return -ENOMEM;
        *watch = (struct watch){ .kube = kube, .callback = callback, .userdata = userdata };
        /* A Job's name needs no escapes: letters, digits, "-" and ".". */
        if (asprintf(&query, QUERY, name) >= 0)
                watch->path = kube_path(RESULT_GROUP, RESULT_VERSION, namespace_name, "results", NULL, NULL, query);
        if (!watch->path || loop_timer_new(&watch->timer, loop, begin, watch) < 0) {
                watch_free(watch);
                return -ENOMEM;
        }
        loop_timer_set(watch->timer, 0);
        *ret_watch = watch;
        return 0;
}

struct watch *watch_free(struct watch *watch) {
        if (!watch)
                return NULL;
        kube_request_cancel(watch->request);
        loop_timer_free(watch->timer);
        free(watch->path);
        free(watch);
        return NULL;
}
