/* How the run ended, as the API server knows it: asked once, when the agent is told to stop, which
 * for a sidecar is when the trainer has ended. */
#pragma once

#include "kube/kube.h"
#include "loop/loop.h"
#include "publish/identity.h"
#include "result/result.h"

struct outcome;

/* reason: as the kubelet says it (Completed, OOMKilled, Error, …), borrowed for the callback; NULL
 * when it is not known, and then phase is PHASE_INTERRUPTED and exit_code is -1. restarts is of all of
 * the trainer's containers together, -1 when it is not known. */
typedef void (*outcome_callback)(void *userdata, enum phase phase, int exit_code, int restarts,
                                 const char *reason);

/* Asks for the pod's container statuses, for up to two seconds until one has ended, and where that
 * failed for the Job's retries. May do without: not being allowed to only makes the phase less
 * precise. exit_code: of a trainer that we saw end, then only the Job is asked; -1: the pod is. callback comes
 * exactly once, from the loop. 0 or -ENOMEM. */
int outcome_new(struct outcome **ret_outcome, struct loop *loop, struct kube *kube,
                const struct identity *identity, int exit_code, outcome_callback callback, void *userdata);
struct outcome *outcome_free(struct outcome *outcome); /* NULL allowed; returns NULL */
