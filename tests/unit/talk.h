/* An agent's end of the socket without a socket: conversations over one decoder and one list of clients, all that
 * comes of them as text. */
#pragma once

#include <errno.h>

#include "message_said.h"
#include "protocol/conversation.h"

struct talk {
        struct conversation_host host;
        struct record_sink sink;
        struct buffer said;              /* what was reported, a line each */
        int parameters_result;           /* what take_parameters says */
};

static inline void talk_record(void *userdata, const struct record *record) {
        struct talk *talk = userdata;

        assert_true(record->rank == SOURCE_SOCKET);
        assert_true(slice_equal(record->source, SLICE("agent.sock")));
        said_record(&talk->said, record);
}

/* Texts are left out: of what is no message they depend on how it came. */
static inline void talk_reject(void *userdata, const struct reject *reject) {
        struct talk *talk = userdata;

        (void)buffer_printf(&talk->said, "reject %" PRIu64 ": expected %s\n", reject->line, reject->expected);
}

static inline int talk_parameters(void *userdata, const struct parameter *values, size_t n_values) {
        struct talk *talk = userdata;

        if (talk->parameters_result == 0) {
                (void)buffer_append_string(&talk->said, "parameters");
                for (size_t i = 0; i < n_values; i++)
                        said_parameter(&talk->said, &values[i]);
                (void)buffer_append_char(&talk->said, '\n');
        }
        return talk->parameters_result;
}

static inline void talk_end(void *userdata, int exit_status, struct slice message) {
        struct talk *talk = userdata;

        (void)buffer_printf(&talk->said, "end %d %.*s\n", exit_status, (int)message.size_bytes, message.data);
}

static inline void talk_dropped(void *userdata, uint64_t n) {
        struct talk *talk = userdata;

        (void)buffer_printf(&talk->said, "dropped %" PRIu64 "\n", n);
}

static inline void talk_take_over(void *userdata, void *connection) {
        struct talk *talk = userdata;
        struct conversation **earlier = connection;

        (void)buffer_append_string(&talk->said, "taken over\n");
        *earlier = conversation_free(*earlier);
}

static inline void talk_start(struct talk *talk) {
        *talk = (struct talk){ .said = BUFFER_INIT(64 << 20) };
        talk->sink = (struct record_sink){ talk, talk_record, talk_reject, NULL };
        talk->host = (struct conversation_host){
                .source = SLICE("agent.sock"), .sink = &talk->sink, .take_parameters = talk_parameters, .take_end = talk_end,
                .take_dropped = talk_dropped, .take_over = talk_take_over, .userdata = talk, .agent = "1.2.3", .job = "job",
                .result = "default/job", .stop = { .deadline_s = NAN }, .now_us = 1,
        };
        assert_int_equal(decoder_new(&talk->host.decoder), 0);
        assert_int_equal(clients_new(&talk->host.clients), 0);
}

static inline void talk_release(struct talk *talk) {
        decoder_free(talk->host.decoder);
        clients_free(talk->host.clients);
        buffer_release(&talk->said);
}

/* A conversation is known to its host by where the caller has it. */
static inline void talk_connect(struct talk *talk, struct conversation **conversation) {
        assert_int_equal(conversation_new(conversation, &talk->host, conversation), 0);
}

/* As a socket does it, in pieces of that size (0: as it is), each a copy of its own. */
static inline int talk_push(struct conversation *conversation, struct slice bytes, size_t piece_bytes) {
        int r = CONVERSATION_GOES_ON;

        while (bytes.size_bytes > 0 && r == CONVERSATION_GOES_ON) {
                size_t n = piece_bytes && piece_bytes < bytes.size_bytes ? piece_bytes : bytes.size_bytes;
                CLEANUP(cleanup_free) char *piece = malloc(n);

                assert_non_null(piece);
                memcpy(piece, bytes.data, n);
                r = conversation_push(conversation, (struct slice){ piece, n }, false);
                assert_true(conversation_pending_bytes(conversation) <= MESSAGE_BYTES_MAX + 4);
                bytes = (struct slice){ bytes.data + n, bytes.size_bytes - n };
        }
        return r;
}

/* All is kept. */
static inline void talk_keep(struct talk *talk, struct conversation *conversation) {
        clients_mark_kept(talk->host.clients);
        conversation_kept(conversation);
}

/* Reads all that is to be sent. */
static inline void talk_read(struct conversation *conversation, struct buffer *out) {
        struct slice answers;

        while ((answers = conversation_answers(conversation)).size_bytes > 0) {
                assert_int_equal(buffer_append(out, answers.data, answers.size_bytes), 0);
                conversation_sent(conversation, answers.size_bytes);
        }
}

static inline void talk_frame(struct buffer *out, const Experiments__Agent__V1__ClientMessage *message) {
        CLEANUP(buffer_release) struct buffer frame = BUFFER_INIT(1 << 20);
        size_t n = packed(&frame, message).size_bytes;
        const char length[] = { (char)(n >> 24), (char)(n >> 16), (char)(n >> 8), (char)n };

        assert_int_equal(buffer_append(out, length, sizeof(length)), 0);
        assert_int_equal(buffer_append(out, frame.data, n), 0);
}
