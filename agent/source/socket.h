/* The agent's sockets: agent.sock for conversations (proto/PROTOCOL.md), and agent.dgram. Every user of the pod may
 * connect; connections, memory and rate of each are bounded, so that none of them harms another. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "loop/loop.h"
#include "protocol/conversation.h"

enum {
        SOCKET_CONNECTIONS_MAX = 1024,
        SOCKET_KEEP_MS = 10,                       /* between two acknowledgements, at least */
        SOCKET_UNKEPT_BYTES_MAX = 256 * 1024,      /* of a connection, before one out of turn */
        SOCKET_PENDING_BYTES_MAX = 4 * 1024 * 1024,/* unfinished messages of all connections */
        SOCKET_RATE_BYTES_MAX = 32 * 1024 * 1024,  /* of a connection in a second */
};

struct agent_socket;

struct socket_config {
        const char *path;          /* of the stream socket; borrowed */
        const char *datagram_path; /* or NULL: none; borrowed */
        mode_t mode;               /* of both */
        struct conversation_host host; /* copied; what it points to is borrowed */
        /* Makes all that was said survive us. 0, or a negative errno: it is tried again, nothing is acknowledged. */
        int (*keep)(void *userdata);
        void *userdata;            /* of keep */
};

/* Listens, or does so as soon as the directory is there. A socket that nobody listens on any more is replaced. 0;
 * or, after it was logged, -ENAMETOOLONG: the path fits in no sockaddr_un; -ENOMEM. */
int socket_new(struct agent_socket **ret_socket, struct loop *loop, const struct socket_config *config);
/* Closes all, and takes the sockets away. NULL allowed; returns NULL. */
struct agent_socket *socket_free(struct agent_socket *socket);

/* The directory may be there now. */
void socket_looked(struct agent_socket *socket);

/* Tells every client of a stop, now and when it says hello. The reason is borrowed. */
void socket_stop(struct agent_socket *socket, const char *reason, double deadline_s);

/* Takes all that has arrived, acknowledges it, and closes: nothing comes after it. */
void socket_finish(struct agent_socket *socket);
