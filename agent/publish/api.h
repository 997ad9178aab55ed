/* Publishing to an API server: one Result kept equal to what the agent knows, whatever the network
 * and others do. One call is under way at most; what cannot be sent now is sent later, complete, so
 * that any report that arrives makes up for all that were lost. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "kube/kube.h"
#include "loop/loop.h"
#include "publish/earlier.h"
#include "publish/identity.h"

struct api;

/* What the publisher asks and tells its owner. None may free the publisher. */
struct api_hooks {
        void *userdata;
        /* Appends the body of the merge patch, or the object to create (without status). */
        int (*write_patch)(void *userdata, struct buffer *out);
        int (*write_manifest)(void *userdata, struct buffer *out);
        /* identity holds what the API server knows now. */
        void (*learned)(void *userdata);
        /* A Result was there before our first report: it is gone on from. Borrowed for the call. Once at
         * most, before attempt; records may have been taken already. */
        void (*earlier)(void *userdata, const struct earlier *earlier);
        /* This pod is the Job's number-th attempt, from 1. It may grow. */
        void (*attempt)(void *userdata, int number);
        /* Somebody set spec.stop; reason is "" where none was given. Once. */
        void (*stop_requested)(void *userdata, const char *reason);
        /* What api_finish() started has ended: 0, or -ETIMEDOUT when the last report did not get
         * through. */
        void (*finished)(void *userdata, int result);
};

struct api_config {
        struct loop *loop;         /* borrowed */
        struct kube *kube;         /* borrowed */
        struct identity *identity; /* borrowed; completed with what the server knows */
        int64_t interval_min_ms, interval_max_ms;
        bool watch;                /* know of a stop request at once, not with the next look (30 s) */
        bool objective_is_given;   /* no need to ask the Experiment for it */
        int attempt;               /* our number as we knew it before the agent was started anew; 0: not known.
                                      With it, hooks.earlier does not come: all that it tells is known. */
        const char *uid;           /* of the Result, from then too; NULL: not known; copied */
        struct api_hooks hooks;
};

/* Starts publishing: the first report goes out as soon as the Result is there. 0 or -ENOMEM. */
int api_new(struct api **ret_api, const struct api_config *config);
struct api *api_free(struct api *api); /* NULL allowed; returns NULL */

/* There may be something new to report: it goes out when the spacing allows. */
void api_changed(struct api *api);
/* The same, but at once: the first record, the outcome. */
void api_changed_now(struct api *api);

/* The Result as the server last acknowledged it; both NULL: not yet. Borrowed until the next turn. */
struct api_published {
        const char *uid, *resource_version;
};
struct api_published api_published(const struct api *api);

/* What waits to be tried again, or for its time, is done at once: something may be better now. */
void api_try_now(struct api *api);

/* Sends what is not sent yet without regard to spacing, for at most timeout_ms, then calls
 * hooks.finished once. */
void api_finish(struct api *api, int64_t timeout_ms);
