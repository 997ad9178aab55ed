/* A trainer that is our child (experiments-agent run). To it and to whoever started us it is as if we were not there:
 * its output is passed on (relay.h), signals reach it once, it stops and goes on as a job of a shell, and its end is
 * told as shells tell it. It has our standard input, session, process group and environment. */
#pragma once

#include <stdbool.h>

#include "formats/format.h"
#include "loop/loop.h"
#include "result/record.h"

struct child;

/* Exit statuses when it cannot be started, as of env(1), timeout(1) and shells. */
enum { CHILD_EXIT_NOT_EXECUTABLE = 126, CHILD_EXIT_NOT_FOUND = 127, CHILD_EXIT_SIGNAL = 128 };

struct child_config {
        char *const *command;          /* name, looked up in PATH, and arguments; ends with NULL; borrowed */
        const struct filters *filters; /* how to read its output; borrowed; NULL: none */
        const struct record_sink *sink;/* borrowed; NULL: it is passed on and not read */
        /* A signal was sent to us, and to it; none that is ignored (nohup(1)). */
        void (*signalled)(void *userdata, int signal_number);
        /* It has ended, and what it wrote was passed on and read. Once. */
        void (*ended)(void *userdata, int exit_status);
        void *userdata;
};

/* Takes all signals that are passed on from here on; nothing runs yet. Before anything else of ours changes what a child
 * inherits. 0 or negative errno. */
int child_new(struct child **ret_child, struct loop *loop, const struct child_config *config);
struct child *child_free(struct child *child); /* NULL allowed; returns NULL; a child that runs is left alone */

/* Runs it. 0; CHILD_EXIT_…, after the reason was logged; negative errno. */
int child_start(struct child *child);

/* Sends it a signal; nothing when it has ended. */
void child_signal(struct child *child, int signal_number);

/* Has it written anything that was read? */
bool child_has_output(const struct child *child);

/* Standard descriptors that are closed are held, so that nothing of ours gets their numbers; the child has them closed.
 * At the start of main(). */
void child_hold_descriptors(void);
