/* One connection's side of proto/PROTOCOL.md, as a state machine: bytes in, what was said and what is to be answered
 * out. No I/O, and no clock but what it is told. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"
#include "protocol/clients.h"
#include "protocol/message.h"
#include "result/record.h"

/* What all conversations of an agent have in common. Borrowed for their lives. */
struct conversation_host {
        struct decoder *decoder;
        struct clients *clients;
        struct slice source;            /* names the socket in records and rejects */
        const struct record_sink *sink; /* takes reports as records, and what was rejected */
        /* 0, -E2BIG: all of them together are too long, -ENOMEM. */
        int (*take_parameters)(void *userdata, const struct parameter *values, size_t n_values);
        void (*take_end)(void *userdata, int exit_status, struct slice message);
        /* So many numbers were left out: the client had no room for them. */
        void (*take_dropped)(void *userdata, uint64_t n);
        /* Another process was connected with that id, and this one takes over: its connection is to be closed. */
        void (*take_over)(void *userdata, void *connection);
        void *userdata;

        const char *agent, *job, *result; /* what a welcome says; result: [NAMESPACE/]NAME */
        struct stop_request stop;
        int64_t now_us;                   /* wall clock, set before each push */
};

struct conversation;

/* connection: the owner's, handed back by take_over. 0 or -ENOMEM. */
int conversation_new(struct conversation **ret_conversation, struct conversation_host *host, void *connection);
struct conversation *conversation_free(struct conversation *conversation); /* NULL allowed; returns NULL */

enum { CONVERSATION_GOES_ON = 0, CONVERSATION_IS_OVER = 1 };

/* Takes bytes; with final set the client says no more after them. CONVERSATION_IS_OVER: where the next message
 * begins is not known; what is to be answered is still to be sent. -ENOMEM: as IS_OVER, and a report may be lost. */
int conversation_push(struct conversation *conversation, struct slice bytes, bool final);

/* Bytes of an unfinished message. */
size_t conversation_pending_bytes(const struct conversation *conversation);
/* Ends it, since there is no room for the unfinished message. */
void conversation_refuse(struct conversation *conversation, const char *code, const char *message);

/* Bytes taken since all was kept last. */
size_t conversation_unkept_bytes(const struct conversation *conversation);
/* All that it said is kept now. */
void conversation_kept(struct conversation *conversation);

/* A stop was requested, or its deadline became known: the host says so. */
void conversation_stop(struct conversation *conversation);

/* What is to be sent now. Consumed by conversation_sent(). */
struct slice conversation_answers(struct conversation *conversation);
void conversation_sent(struct conversation *conversation, size_t size_bytes);
