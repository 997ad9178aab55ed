/* The agent: sources and publishers around one fold. */
#pragma once

#include "options.h"

struct agent;

/* Sets everything up; nothing runs yet. 0, or the exit status to end with: then the reason was
 * logged. options are borrowed. */
int agent_new(struct agent **ret_agent, const struct options *options);
struct agent *agent_free(struct agent *agent); /* NULL allowed; returns NULL */
void agent_freep(struct agent **agent);

/* Follows and publishes until SIGTERM or SIGINT, then reads what is left and publishes the end.
 * Returns the exit status. */
int agent_run(struct agent *agent);
