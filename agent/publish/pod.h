/* What a Pod object says of a trainer and of an attempt. */
#pragma once

#include <stdint.h>

struct json_object;

/* How the trainer's containers ended: the first that failed, else the first that ended. Numbers that
 * are not known are -1; reason (Completed, OOMKilled, Error, …) is borrowed from the pod, or NULL. */
struct pod_end {
        int exit_code;
        int restarts; /* of all of them together */
        const char *reason;
};

/* As they are now, and of those that run again, as they ended before. */
struct pod_end pod_end_now(struct json_object *pod);
struct pod_end pod_end_before(struct json_object *pod);

/* Does the pod report, or can it still? */
enum pod_life {
        POD_UNKNOWN, /* we may not know */
        POD_GONE,
        POD_ENDED,   /* its containers have, or it is being deleted */
        POD_ALIVE,
};

struct pod_view {
        enum pod_life life;
        double created_s; /* since 1970; NAN: not known */
};

/* uid: of the pod that is meant (NULL: this one); one with another uid has only its name. */
struct pod_view pod_view(struct json_object *pod, const char *uid);
