/* What clients of the socket say (proto/PROTOCOL.md), as it becomes part of the run; and the stop request on its way
 * back to them, as a message and as the file `stop`. */
#pragma once

#include <stdbool.h>

#include "loop/loop.h"
#include "options.h"
#include "protocol/clients.h"
#include "publish/identity.h"
#include "result/record.h"
#include "result/result.h"

struct reports;

/* All borrowed. */
struct reports_config {
        const struct options *options;
        struct loop *loop;
        struct identity *identity;       /* learns the parameters */
        struct result_facts *facts;      /* learn exit status and what was dropped */
        const struct record_sink *sink;  /* takes reports and the end as records */
        /* Makes what was said survive us, before it is acknowledged. 0, or a negative errno: it is asked again. */
        int (*keep)(void *userdata);
        void (*changed)(void *userdata); /* something else than a record is to be published */
        void *userdata;
};

/* Nothing is taken yet. 0 or -ENOMEM. */
int reports_new(struct reports **ret_reports, const struct reports_config *config);
struct reports *reports_free(struct reports *reports); /* NULL allowed; returns NULL */

/* Parts of the state, for it to fill and to keep: the clients' numbers, and what they said of parameters (a JSON
 * object, or NULL). */
struct clients *reports_clients(struct reports *reports);
char **reports_parameters(struct reports *reports);
/* The file `stop`: no source of metrics. */
const char *reports_stop_path(const struct reports *reports);

/* The state is read: listens, unless --socket says none. A `stop` that an earlier trainer was given would stop this one:
 * it is removed, unless the trainer is the same and the agent alone is another. 0, -ENOMEM, or -ENAMETOOLONG, logged: the
 * path asked for fits no socket. */
int reports_listen(struct reports *reports, bool trainer_is_same);
/* The directory may be there now. */
void reports_looked(struct reports *reports);
/* A stop was requested; reason "": none was given. */
void reports_stop(struct reports *reports, const char *reason);
/* Takes all that has arrived; nothing comes after it. */
void reports_finish(struct reports *reports);
