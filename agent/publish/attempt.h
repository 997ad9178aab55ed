/* Which attempt of its Job this pod is, and what to do about a Result that another pod reports to: is
 * that one an attempt before ours, or are we the one that was replaced? Pure: what the API server
 * knows is handed in. */
#pragma once

#include <stdbool.h>

#include "publish/identity.h"
#include "publish/pod.h"

struct json_object;

struct attempt {
        int number;         /* ours, from 1; 0: not known yet */
        char *older_uid;    /* a pod that was found to be before us */

        /* The other pod that the Result names. */
        char *pod, *pod_uid, *job_uid;
        int their_number;
        bool job_is_ours, job_is_theirs; /* the Job that is there now, where the two differ */
        struct pod_view theirs, ours;
};

void attempt_release(struct attempt *attempt);

enum attempt_met {
        ATTEMPT_OURS,      /* the Result is ours, or nobody's, or of one that is known to be before us */
        ATTEMPT_ASK_JOB,   /* another pod, of another Job of this name: which is there now? */
        ATTEMPT_ASK_PODS,  /* another pod: what became of it, and of ours? */
        ATTEMPT_NO_MEMORY,
};

/* Looks at status.attempt of the Result. With ATTEMPT_OURS our number is known. */
enum attempt_met attempt_meet(struct attempt *attempt, const struct identity *identity, struct json_object *result);

/* The Job of this name; NULL: there is none, or it may not be read. */
void attempt_take_job(struct attempt *attempt, const struct identity *identity, struct json_object *job);

/* Is the other pod the one to report? Whatever the two report and in whichever order, they come to
 * opposite answers as long as they may read pods; else numbers decide. If it is not, we go on, and have
 * a number now. */
bool attempt_is_over(struct attempt *attempt);
