/* A watch of one Result, so that a change of its spec is known at once. Events only say that it is
 * time to look: what is there is read by the publisher, in its own order. */
#pragma once

#include <stdint.h>

#include "kube/kube.h"
#include "loop/loop.h"

struct watch;

/* The Result's spec has this generation now; -1: the Result was deleted. May not free the watch, and
 * may not start or cancel calls: it comes from inside of one. */
typedef void (*watch_callback)(void *userdata, int64_t generation);

/* Watches results/name until it is freed, through every end and error: begins anew with back-off.
 * Each beginning tells the Result as it is, so nothing is missed between. 0 or -ENOMEM. */
int watch_new(struct watch **ret_watch, struct loop *loop, struct kube *kube, const char *namespace_name,
              const char *name, watch_callback callback, void *userdata);
struct watch *watch_free(struct watch *watch); /* NULL allowed; returns NULL */
