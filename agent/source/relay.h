/* One output of a child: what it writes is passed on to ours as it is and in order, and read as a source. A terminal
 * stays a terminal. What our output does not take yet, the child waits for; when nobody reads ours any more, nobody
 * reads the child's. */
#pragma once

#include <stdbool.h>

#include "formats/format.h"
#include "loop/loop.h"
#include "result/record.h"

struct relay;

struct relay_config {
        const char *name;              /* of the source: stdout, stderr */
        int fd;                        /* ours, that it is passed on to; stays as it is for others who have it open */
        const struct filters *filters; /* borrowed; NULL: none */
        const struct record_sink *sink;/* borrowed; NULL: it is passed on and not read */
        void (*done)(void *userdata);  /* see relay_finish() */
        void *userdata;
};

/* *ret_fd is for the child in place of ours, and is the caller's to close. 0 or negative errno. */
int relay_new(struct relay **ret_relay, struct loop *loop, const struct relay_config *config, int *ret_fd);
struct relay *relay_free(struct relay *relay); /* NULL allowed; returns NULL */

/* The child has ended: what is there now is passed on and no more, whoever else may still write. done is called when
 * that is so, once, perhaps at once. */
void relay_finish(struct relay *relay);

/* The same without waiting for our output any more: what it has not taken is gone. */
void relay_abandon(struct relay *relay);

/* Has anything come from the child? */
bool relay_has_output(const struct relay *relay);

/* The window of our terminal may have another size. */
void relay_resize(struct relay *relay);
