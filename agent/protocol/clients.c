#include "protocol/clients.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

struct clients {
        struct client **list; /* owned, in no order */
        size_t n, capacity;
};

int clients_new(struct clients **ret_clients) {
        *ret_clients = calloc(1, sizeof(**ret_clients));
        return *ret_clients ? 0 : -ENOMEM;
}

struct clients *clients_free(struct clients *clients) {
        if (!clients)
                return NULL;
        for (size_t i = 0; i < clients->n; i++)
                free(clients->list[i]);
        free(clients->list);
        free(clients);
        return NULL;
}

/* Who said nothing yet has nothing to be remembered for; then comes who was gone the longest. */
static bool goes_before(const struct client *a, const struct client *b) {
        if ((a->last == 0) != (b->last == 0))
                return a->last == 0;
        return a->seen_us < b->seen_us;
}

static int forget_one(struct clients *clients) {
        struct client **first = NULL;

        for (size_t i = 0; i < clients->n; i++)
                if (!clients->list[i]->connection && (!first || goes_before(clients->list[i], *first)))
                        first = &clients->list[i];
        if (!first)
                return -ENOBUFS;
        free(*first);
        *first = clients->list[--clients->n];
        return 0;
}

static int make_room(struct clients *clients) {
        size_t capacity = clients->capacity ? 2 * clients->capacity : 4;
        struct client **list;

        if (clients->n == CLIENTS_MAX)
                return forget_one(clients);
        if (clients->n < clients->capacity)
                return 0;
        list = reallocarray(clients->list, capacity, sizeof(*list));
        if (!list)
                return -ENOMEM;
        clients->list = list;
        clients->capacity = capacity;
        return 0;
}

int clients_get(struct clients *clients, struct slice id, struct client **ret_client) {
        struct client *client;
        int r;

        for (size_t i = 0; i < clients->n; i++)
                if (slice_equal(slice_from(clients->list[i]->id), id)) {
                        *ret_client = clients->list[i];
                        return 0;
                }
        if (id.size_bytes == 0 || id.size_bytes > MESSAGE_CLIENT_BYTES_MAX)
                return -EINVAL;
        r = make_room(clients);
        client = r == 0 ? calloc(1, sizeof(*client)) : NULL;
        if (!client)
                return r < 0 ? r : -ENOMEM;
        memcpy(client->id, id.data, id.size_bytes);
        *ret_client = clients->list[clients->n++] = client;
        return 0;
}

void clients_mark_kept(struct clients *clients) {
        for (size_t i = 0; i < clients->n; i++)
                clients->list[i]->kept = clients->list[i]->last;
}

bool clients_are_kept(const struct clients *clients) {
        for (size_t i = 0; i < clients->n; i++)
                if (clients->list[i]->kept != clients->list[i]->last)
                        return false;
        return true;
}

size_t clients_count(const struct clients *clients) {
        return clients->n;
}

const struct client *clients_at(const struct clients *clients, size_t i) {
        return clients->list[i];
}
