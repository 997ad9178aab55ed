/* Results as files: DIR/<job>.json, ready for kubectl apply --server-side. */
#pragma once

#include <stdbool.h>

#include "base/buffer.h"
#include "loop/loop.h"

struct directory;

struct directory_config {
        struct loop *loop;
        const char *path; /* is made where it is missing; borrowed */
        const char *name; /* of the file, without .json; borrowed */
        int64_t interval_min_ms, interval_max_ms; /* between two writes, growing with the age of the run; 0: a second */
        int (*write)(void *userdata, struct buffer *out); /* appends the manifest: 0 or a negative errno */
        void *userdata;
};

/* 0 or -ENOMEM. */
int directory_new(struct directory **ret_directory, const struct directory_config *config);
struct directory *directory_free(struct directory *directory); /* NULL allowed; returns NULL */

/* What is in the file is old: it is written at its time, or at the loop's next turn. What fails is logged and tried
 * again. A reader sees the old or the new content, whole, and after a crash one of the two is there. */
void directory_changed(struct directory *directory, bool now);
/* Writes now, for the last time; what fails is logged. */
void directory_finish(struct directory *directory);
