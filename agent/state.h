/* The state on disk (docs/state.md): what the agent goes on with after a kill. It is written before each
 * report, so that nothing that was published is lost, and else within a second of a change; and it is on
 * the disk itself within a second more. */
#pragma once

#include <stdbool.h>

#include "loop/loop.h"
#include "protocol/clients.h"
#include "publish/identity.h"
#include "result/fold.h"
#include "result/result.h"
#include "source/tail.h"

struct state;

/* Whose state it is, all borrowed. tail may be NULL while it is read: then state_go_on() is for the files. */
struct state_parts {
        const struct identity *identity;
        struct fold *fold;
        struct tail *tail;
        struct result_facts *facts;
        struct clients *clients;
        char **said_parameters; /* that the trainer said on the socket: a JSON object, or NULL */
};

/* Keeps it in the directory given (by --state), else in .agent in dir, which is where one is as long as dir
 * is not there. 0; or, after the reason was logged, -EBUSY: another agent has it, -ENOTDIR and
 * others where it was given and cannot be used. */
int state_new(struct state **ret_state, struct loop *loop, const char *given, const char *dir);
struct state *state_free(struct state *state); /* NULL allowed; returns NULL */

/* Where it is kept: borrowed. */
const char *state_directory(const struct state *state);

/* Fills fold and facts, which are new, with what is kept, if there is any and it is this Job's. 0, -ENOMEM, or
 * -EPROTONOSUPPORT and others after the reason was logged: there is a state, and it cannot be read. parts are
 * copied, for what is written from here on. */
int state_read(struct state *state, const struct state_parts *parts);
bool state_is_restored(const struct state *state);
/* It is what another pod of the Job kept, on a volume that they share: its rows are of an earlier attempt. */
bool state_is_of_another_pod(const struct state *state);
/* The number of this pod's attempt, as it was kept; 0: not known. */
int state_attempt(const struct state *state);
/* The uid of the Result as the server last acknowledged it, as it was kept; NULL: not known. Borrowed. */
const char *state_result_uid(const struct state *state);
/* Has the tail, which is new, go on with the files; it is what is written from here on, too. 0 or -ENOMEM. */
int state_go_on(struct state *state, struct tail *tail);

/* What the server acknowledged last is kept with the next change: both are copied; NULL: nothing yet. */
void state_note_published(struct state *state, const char *uid, const char *resource_version);

/* Nothing is written any more: what is in memory is not whole. */
void state_freeze(struct state *state);

/* Something that is kept has changed. */
void state_changed(struct state *state);
/* Writes what has changed; before something is published or acknowledged. 0 or a negative errno, which was
 * logged: earlier generations are as they were, and nothing stops. */
int state_save(struct state *state);
/* The same, and to the disk itself: at the end. */
int state_sync(struct state *state);
