/* Whether the trainer's container was started anew in its pod: asked where x goes back, since the agent
 * beside it is told nothing. */
#pragma once

#include "kube/kube.h"
#include "loop/loop.h"
#include "publish/identity.h"
#include "publish/pod.h"

struct restarts;

/* There is one more than was known; end is how the container before ended, borrowed for the call. */
typedef void (*restarts_callback)(void *userdata, const struct pod_end *end);

/* 0 or -ENOMEM. */
int restarts_new(struct restarts **ret_restarts, struct loop *loop, struct kube *kube,
                 const struct identity *identity, restarts_callback callback, void *userdata);
struct restarts *restarts_free(struct restarts *restarts); /* NULL allowed; returns NULL */

/* So many are known, from a state that was kept; a lower number than that known is no news. */
void restarts_know(struct restarts *restarts, int n);

/* x went back: asks for the pod, at most twice in half a minute, however often that is said. Not being
 * allowed to is no error, and not asked again. */
void restarts_ask(struct restarts *restarts);
