#include "publish/pod.h"

#include <json-c/json.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/instant.h"
#include "kube/json_get.h"

/* An agent that is no sidecar is listed with the trainer, under the name that all our examples give it.
 * Native sidecars are listed with the init containers, and not looked at. */
static bool is_agent(struct json_object *status) {
        const char *name = json_get_text(status, "name", NULL);

        return name && strcmp(name, "experiments-agent") == 0;
}

static void take_container(struct pod_end *end, struct json_object *status, const char *which) {
        struct json_object *ended = json_get(status, which, "terminated", NULL);
        int exit_code = (int)json_get_integer(ended, -1, "exitCode", NULL);
        int restarts = (int)json_get_integer(status, 0, "restartCount", NULL);

        end->restarts = (end->restarts < 0 ? 0 : end->restarts) + restarts;
        if (!ended || end->exit_code > 0 || (end->exit_code == 0 && exit_code == 0))
                return;
        end->exit_code = exit_code;
        end->reason = json_get_text(ended, "reason", NULL);
}

static struct pod_end pod_end(struct json_object *pod, const char *which) {
        struct json_object *statuses = json_get(pod, "status", "containerStatuses", NULL);
        size_t n = json_object_is_type(statuses, json_type_array) ? json_object_array_length(statuses) : 0;
        struct pod_end end = { .exit_code = -1, .restarts = -1 };

        for (size_t i = 0; i < n; i++) {
                struct json_object *status = json_object_array_get_idx(statuses, i);

                if (!is_agent(status))
                        take_container(&end, status, which);
        }
        return end;
}

struct pod_end pod_end_now(struct json_object *pod) {
        return pod_end(pod, "state");
}

struct pod_end pod_end_before(struct json_object *pod) {
        return pod_end(pod, "lastState");
}

static bool has_ended(struct json_object *pod) {
        const char *phase = json_get_text(pod, "status", "phase", NULL);

        return json_get_text(pod, "metadata", "deletionTimestamp", NULL) ||
               (phase && (strcmp(phase, "Failed") == 0 || strcmp(phase, "Succeeded") == 0));
}

struct pod_view pod_view(struct json_object *pod, const char *uid) {
        const char *created = json_get_text(pod, "metadata", "creationTimestamp", NULL);
        const char *its_uid = json_get_text(pod, "metadata", "uid", NULL);
        struct pod_view view = { POD_UNKNOWN, NAN };

        if (!its_uid)
                return view;
        if (uid && strcmp(uid, its_uid) != 0) {
                view.life = POD_GONE;
                return view;
        }
        view.life = has_ended(pod) ? POD_ENDED : POD_ALIVE;
        if (!created || !instant_parse(slice_from(created), &view.created_s))
                view.created_s = NAN;
        return view;
}
