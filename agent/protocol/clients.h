/* Who has said what on the socket: for each client the last of its numbers that was dealt with. The state keeps it
 * together with what was counted, in one piece: that is what makes exactly once of at least once. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "protocol/message.h"

enum { CLIENTS_MAX = 2048 }; /* remembered; who is connected is never forgotten */

struct client {
        char id[MESSAGE_CLIENT_BYTES_MAX + 1];
        uint64_t last;    /* number that was dealt with last */
        uint64_t kept;    /* the same, as it survives us */
        int64_t seen_us;  /* when it was heard last, since 1970 */
        uint32_t pid;     /* as its hello said */
        void *connection; /* its owner's; NULL: not connected */
};

struct clients;

int clients_new(struct clients **ret_clients); /* 0 or -ENOMEM */
struct clients *clients_free(struct clients *clients); /* NULL allowed; returns NULL */

/* The client of that id, which is made where it is not known; the one that was gone the longest is forgotten for it.
 * Borrowed while it is connected. 0, -ENOBUFS: so many are connected, -ENOMEM. */
int clients_get(struct clients *clients, struct slice id, struct client **ret_client);

/* All that was dealt with is kept now. */
void clients_mark_kept(struct clients *clients);
bool clients_are_kept(const struct clients *clients);

size_t clients_count(const struct clients *clients);
const struct client *clients_at(const struct clients *clients, size_t i);
