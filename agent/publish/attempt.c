#include "publish/attempt.h"

#include <json-c/json.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kube/json_get.h"

static void forget_other(struct attempt *attempt) {
        free(attempt->pod);
        free(attempt->pod_uid);
        free(attempt->job_uid);
        attempt->pod = attempt->pod_uid = attempt->job_uid = NULL;
        attempt->their_number = 0;
        attempt->job_is_ours = attempt->job_is_theirs = false;
        attempt->theirs = attempt->ours = (struct pod_view){ POD_UNKNOWN, NAN };
}

void attempt_release(struct attempt *attempt) {
        forget_other(attempt);
        free(attempt->older_uid);
        attempt->older_uid = NULL;
}

static bool differs(const char *a, const char *b) {
        return a && b && strcmp(a, b) != 0;
}

/* A number only grows: a report that was taken with it does not come back with a lower one. */
static void number_above(struct attempt *attempt, int before) {
        if (attempt->number <= before)
                attempt->number = before + 1;
}

static int note_other(struct attempt *attempt, struct json_object *status) {
        int r = identity_set(&attempt->pod, json_get_text(status, "podName", NULL));

        if (r == 0)
                r = identity_set(&attempt->pod_uid, json_get_text(status, "podUID", NULL));
        if (r == 0)
                r = identity_set(&attempt->job_uid, json_get_text(status, "jobUID", NULL));
        return r;
}

enum attempt_met attempt_meet(struct attempt *attempt, const struct identity *identity, struct json_object *result) {
        struct json_object *status = json_get(result, "status", "attempt", NULL);
        bool other_job;

        forget_other(attempt);
        if (note_other(attempt, status) < 0)
                return ATTEMPT_NO_MEMORY;
        attempt->their_number = (int)json_get_integer(status, 0, "number", NULL);
        other_job = differs(attempt->job_uid, identity->job_uid);
        if (!other_job && !differs(attempt->pod_uid, identity->pod_uid)) {
                number_above(attempt, attempt->their_number > 0 ? attempt->their_number - 1 : 0);
                return ATTEMPT_OURS;
        }
        if (attempt->older_uid && attempt->pod_uid && strcmp(attempt->older_uid, attempt->pod_uid) == 0) {
                number_above(attempt, attempt->their_number);
                return ATTEMPT_OURS;
        }
        return other_job ? ATTEMPT_ASK_JOB : ATTEMPT_ASK_PODS;
}

void attempt_take_job(struct attempt *attempt, const struct identity *identity, struct json_object *job) {
        const char *uid = json_get_text(job, "metadata", "uid", NULL);

        attempt->job_is_ours = uid && identity->job_uid && strcmp(uid, identity->job_uid) == 0;
        attempt->job_is_theirs = uid && attempt->job_uid && strcmp(uid, attempt->job_uid) == 0;
}

static bool both_created(const struct attempt *attempt) {
        return !isnan(attempt->theirs.created_s) && !isnan(attempt->ours.created_s) &&
               attempt->theirs.created_s != attempt->ours.created_s;
}

/* A Job makes a replacement once a pod has ended or is being deleted, never while it lives: where the
 * other lives, we were replaced, or it is a pod beside us, and the first of several reports. */
static bool is_other_the_one(const struct attempt *attempt) {
        if (attempt->job_is_ours || attempt->job_is_theirs)
                return attempt->job_is_theirs;
        if (attempt->theirs.life == POD_ALIVE)
                return true;
        if (attempt->theirs.life == POD_ENDED && both_created(attempt))
                return attempt->theirs.created_s > attempt->ours.created_s;
        if (attempt->theirs.life != POD_UNKNOWN && attempt->ours.life == POD_ALIVE)
                return false;
        /* Who has the higher number has seen the other's report. */
        return attempt->ours.life == POD_ENDED ||
               (attempt->number > 0 && attempt->their_number > attempt->number);
}

bool attempt_is_over(struct attempt *attempt) {
        if (is_other_the_one(attempt))
                return true;
        number_above(attempt, attempt->their_number);
        (void)identity_set(&attempt->older_uid, attempt->pod_uid);
        return false;
}
