#include "protocol/conversation.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "formats/jsonl.h"
#include "formats/stream.h"
#include "protocol/framing.h"

enum {
        ANSWERS_BYTES_MAX = 32 * 1024,
        NEWEST_BYTES_MAX = 1024,      /* of answers that wait, before one more kept joins them */
        REJECTED_MAX = 16,            /* that wait for a client that does not read */
        RANK_BYTES = sizeof("rank65535/"),
};

struct conversation {
        struct conversation_host *host;
        void *connection;
        struct framing framing;
        uint64_t n_messages;

        struct client *client;  /* NULL: no hello was accepted */
        struct hello hello;     /* its numbers; the texts are gone */
        uint64_t last;          /* number on this connection */

        struct stream *stream;  /* of lines as in a metrics file; NULL: none came yet */
        struct record_sink sink;
        struct fault line_fault;
        bool has_line_fault;

        struct buffer names;    /* of metrics of other ranks */
        struct metric *metrics;
        size_t metrics_capacity;

        size_t unkept_bytes;
        bool is_pinged;         /* since that was last so */
        bool kept_is_due, stop_is_due;
        uint64_t kept_sent;
        unsigned n_rejected;    /* in answers */
        struct buffer answers;
};

/* --- answers --- */

static int put_answer(struct conversation *conversation, const struct answer *answer) {
        return answer_put(&conversation->answers, conversation->framing.encoding, answer);
}

static void put_rejected(struct conversation *conversation, const struct fault *fault) {
        struct answer answer = { .kind = ANSWER_REJECTED, .number = fault->number, .fault = fault };

        if (conversation->n_rejected++ < REJECTED_MAX)
                (void)put_answer(conversation, &answer);
}

static int put_welcome(struct conversation *conversation) {
        const struct conversation_host *host = conversation->host;
        struct answer answer = { .kind = ANSWER_WELCOME, .number = conversation->client->kept };

        answer.welcome.agent = host->agent;
        answer.welcome.job = host->job;
        answer.welcome.result = host->result;
        answer.welcome.stop = host->stop;
        if (conversation->hello.no_stop)
                answer.welcome.stop.is_requested = false;
        conversation->kept_sent = conversation->client->kept;
        conversation->stop_is_due = false;
        return put_answer(conversation, &answer);
}

/* Only the newest is meant, so one is put when those before it are on their way. What there is no memory for stays due. */
static void put_kept(struct conversation *conversation) {
        uint64_t kept = conversation->client ? conversation->client->kept : 0;
        struct answer answer = { .kind = ANSWER_KEPT, .number = kept };
        bool is_news = conversation->client && !conversation->hello.no_kept && kept > conversation->kept_sent;

        if ((!conversation->kept_is_due && !is_news) || put_answer(conversation, &answer) < 0)
                return;
        conversation->kept_is_due = false;
        conversation->kept_sent = kept;
}

static void put_stop(struct conversation *conversation) {
        struct answer answer = { .kind = ANSWER_STOP, .stop = conversation->host->stop };

        if (conversation->stop_is_due && put_answer(conversation, &answer) == 0)
                conversation->stop_is_due = false;
}

/* --- rejecting --- */

/* It counts, and is in the log with its place; the client is told. */
static void reject(struct conversation *conversation, const struct fault *fault, struct slice text) {
        const struct conversation_host *host = conversation->host;
        const char *expected = strstr(fault->message, "expected ");
        struct reject told = { .source = host->source, .line = conversation->n_messages, .text = text,
                               .expected = expected ? expected + strlen("expected ") : fault->message };

        host->sink->take_reject(host->sink->userdata, &told);
        put_rejected(conversation, fault);
}

/* --- hello --- */

static bool is_taken(const struct conversation *conversation, const struct client *client, const struct hello *hello) {
        return client->connection && client->connection != conversation->connection &&
               (hello->pid == 0 || client->pid != hello->pid);
}

static int meet(struct conversation *conversation, struct client *client, const struct hello *hello) {
        const struct conversation_host *host = conversation->host;

        if (client->connection)
                host->take_over(host->userdata, client->connection);
        client->connection = conversation->connection;
        client->pid = hello->pid;
        client->seen_us = host->now_us;
        conversation->client = client;
        conversation->hello = *hello;
        conversation->hello.client = conversation->hello.program = (struct slice){ 0 };
        return put_welcome(conversation);
}

/* 0 or -ENOMEM. */
static int take_hello(struct conversation *conversation, const struct hello *hello, struct slice text) {
        struct client *client = NULL;
        struct fault fault = { .code = NULL };
        int r = 0;

        if (conversation->client)
                fault_set(&fault, 0, "hello-repeated", "hello: expected once a connection; the first one stays");
        else if (hello->version != PROTOCOL_VERSION)
                fault_set(&fault, 0, "version-not-spoken", "hello.version: expected 1, the version that this agent speaks, not %u",
                          hello->version);
        else if ((r = clients_get(conversation->host->clients, hello->client, &client)) == -ENOBUFS)
                fault_set(&fault, 0, "too-many-clients", "hello.client: expected fewer clients; so many are connected");
        else if (r == 0 && is_taken(conversation, client, hello))
                fault_set(&fault, 0, "client-id-taken",
                          "hello.client: expected an id of its own; another process is connected with this one");
        else if (r == 0)
                r = meet(conversation, client, hello);
        if (fault.code)
                reject(conversation, &fault, text);
        return fault.code ? 0 : r;
}

/* --- reports --- */

/* What ranks above 0 say is published under names of their own. */
static int put_rank_before_names(struct conversation *conversation, struct record *record) {
        char prefix[RANK_BYTES];
        size_t size = (size_t)snprintf(prefix, sizeof(prefix), "rank%u/", conversation->hello.rank), at = 0;
        int r = 0;

        if (record->n_metrics > conversation->metrics_capacity) {
                struct metric *metrics = reallocarray(conversation->metrics, record->n_metrics, sizeof(*metrics));

                if (!metrics)
                        return -ENOMEM;
                conversation->metrics = metrics;
                conversation->metrics_capacity = record->n_metrics;
        }
        buffer_clear(&conversation->names);
        for (size_t i = 0; i < record->n_metrics && r == 0; i++) {
                r = buffer_append(&conversation->names, prefix, size);
                if (r == 0)
                        r = buffer_append(&conversation->names, record->metrics[i].name.data, record->metrics[i].name.size_bytes);
        }
        for (size_t i = 0; i < record->n_metrics && r == 0; i++) {
                size_t n = size + record->metrics[i].name.size_bytes;

                conversation->metrics[i] = (struct metric){ { conversation->names.data + at, n }, record->metrics[i].value };
                at += n;
        }
        record->metrics = conversation->metrics;
        return r;
}

static int take_record(struct conversation *conversation, const struct record *said) {
        const struct conversation_host *host = conversation->host;
        struct record record = *said;
        int r = 0;

        record.source = host->source;
        record.rank = SOURCE_SOCKET;
        record.line = conversation->n_messages;
        if (conversation->hello.rank > 0 && record.n_metrics > 0)
                r = put_rank_before_names(conversation, &record);
        if (r == 0)
                host->sink->take_record(host->sink->userdata, &record);
        return r;
}

/* --- lines as in a metrics file --- */

static void take_line_record(void *userdata, const struct record *record) {
        (void)take_record(userdata, record);
}

static void take_line_reject(void *userdata, const struct reject *reject) {
        struct conversation *conversation = userdata;

        fault_set(&conversation->line_fault, 0, "not-understood", "column %zu: expected %s", reject->column, reject->expected);
        conversation->has_line_fault = true;
}

static int open_stream(struct conversation *conversation) {
        struct stream_config config = { .source = conversation->host->source, .format = &format_jsonl, .sink = &conversation->sink };

        if (conversation->stream)
                return 0;
        conversation->sink = (struct record_sink){ conversation, take_line_record, take_line_reject, NULL };
        return stream_new(&conversation->stream, &config);
}

static int take_line(struct conversation *conversation, struct slice line) {
        uint64_t before;
        int r = open_stream(conversation);

        if (r < 0)
                return r;
        before = stream_counts(conversation->stream).records;
        conversation->has_line_fault = false;
        r = stream_push(conversation->stream, line);
        if (r == 0)
                r = stream_push(conversation->stream, SLICE("\n"));
        if (r == 0 && !conversation->has_line_fault && stream_counts(conversation->stream).records == before) {
                fault_set(&conversation->line_fault, 0, "not-understood", "expected a metric, an epoch or a step in the line");
                conversation->has_line_fault = true;
        }
        if (r == 0 && conversation->has_line_fault)
                reject(conversation, &conversation->line_fault, line);
        return r;
}

/* --- numbers --- */

enum turn { TURN_NEW, TURN_AGAIN, TURN_REJECTED };

/* Is a message with that number to be counted? */
static enum turn take_number(struct conversation *conversation, uint64_t number, struct slice text) {
        const struct client *client = conversation->client;
        struct fault fault;

        if (number == 0)
                return TURN_NEW;
        if (!client) {
                fault_set(&fault, number, "hello-expected", "number: expected a hello, which was accepted, before it");
                reject(conversation, &fault, text);
                return TURN_REJECTED;
        }
        if (number <= conversation->last) {
                fault_set(&fault, number, "number-not-rising", "number: expected more than %" PRIu64 ", the one before it",
                          conversation->last);
                reject(conversation, &fault, text);
                return TURN_REJECTED;
        }
        conversation->last = number;
        return number <= client->last ? TURN_AGAIN : TURN_NEW;
}

/* The message with that number was counted, or rejected. */
static void deal_with(struct conversation *conversation, uint64_t number) {
        const struct conversation_host *host = conversation->host;
        struct client *client = conversation->client;

        if (number == 0)
                return;
        if (number > client->last + 1)
                host->take_dropped(host->userdata, number - client->last - 1);
        client->last = number;
        client->seen_us = host->now_us;
}

/* --- messages --- */

static int take_parameters(struct conversation *conversation, const struct message *message, struct slice text) {
        const struct conversation_host *host = conversation->host;
        int r = host->take_parameters(host->userdata, message->parameters.values, message->parameters.n_values);
        struct fault fault;

        if (r != -E2BIG)
                return r;
        fault_set(&fault, message->number, "parameters-too-long",
                  "parameters.values: expected fewer; all of the run's together are too long to be published");
        reject(conversation, &fault, text);
        return 0;
}

static void take_end(struct conversation *conversation, const struct message *message) {
        const struct conversation_host *host = conversation->host;

        if (conversation->hello.rank == 0)
                host->take_end(host->userdata, message->end.exit_status, message->end.message);
}

/* What fails is not dealt with: the client sends it again on its next connection. */
static int take_counted(struct conversation *conversation, const struct message *message, struct slice text) {
        int r = 0;

        if (take_number(conversation, message->number, text) != TURN_NEW)
                return 0;
        if (message->kind == MESSAGE_REPORT)
                r = take_record(conversation, &message->report);
        else if (message->kind == MESSAGE_PARAMETERS)
                r = take_parameters(conversation, message, text);
        else
                take_end(conversation, message);
        if (r == 0)
                deal_with(conversation, message->number);
        return r;
}

static int take_message(struct conversation *conversation, const struct message *message, struct slice text) {
        switch (message->kind) {
        case MESSAGE_HELLO:
                return take_hello(conversation, &message->hello, text);
        case MESSAGE_REPORT:
        case MESSAGE_PARAMETERS:
        case MESSAGE_END:
                return take_counted(conversation, message, text);
        case MESSAGE_PING:
                conversation->is_pinged = true;
                return 0;
        case MESSAGE_NESTED:
                return conversation->client ? 0 : take_line(conversation, text);
        case MESSAGE_LINE:
                return take_line(conversation, text);
        case MESSAGE_UNKNOWN:
                break;
        }
        return 0;
}

/* A message that is rejected is dealt with: its number is not sent again. */
static void reject_message(struct conversation *conversation, const struct fault *fault, struct slice text) {
        if (take_number(conversation, fault->number, text) != TURN_NEW)
                return;
        reject(conversation, fault, text);
        deal_with(conversation, fault->number);
}

/* --- bytes --- */

static int take_bytes(void *userdata, struct slice bytes) {
        struct conversation *conversation = userdata;
        struct message message;
        struct fault fault;
        int r = decoder_take(conversation->host->decoder, conversation->framing.encoding, bytes, &message, &fault);

        conversation->n_messages++;
        conversation->unkept_bytes += bytes.size_bytes + 1;
        if (r == DECODING_DONE)
                return take_message(conversation, &message, bytes);
        if (r == DECODING_REJECTED)
                reject_message(conversation, &fault, bytes);
        return r < 0 ? r : 0;
}

static void take_framing_fault(void *userdata, const struct fault *fault, struct slice text) {
        struct conversation *conversation = userdata;

        conversation->n_messages++;
        reject(conversation, fault, text);
}

int conversation_push(struct conversation *conversation, struct slice bytes, bool final) {
        const struct framing_sink sink = { conversation, take_bytes, take_framing_fault };
        int r = framing_push(&conversation->framing, bytes, final, &sink);

        if (r < 0)
                return r;
        return conversation->framing.state == FRAMING_LOST ? CONVERSATION_IS_OVER : CONVERSATION_GOES_ON;
}

void conversation_refuse(struct conversation *conversation, const char *code, const char *message) {
        struct fault fault;

        fault_set(&fault, 0, code, "%s", message);
        framing_lose(&conversation->framing);
        take_framing_fault(conversation, &fault, (struct slice){ 0 });
}

size_t conversation_pending_bytes(const struct conversation *conversation) {
        return conversation->framing.pending.size_bytes;
}

/* --- keeping and stopping --- */

size_t conversation_unkept_bytes(const struct conversation *conversation) {
        return conversation->unkept_bytes;
}

void conversation_kept(struct conversation *conversation) {
        conversation->unkept_bytes = 0;
        conversation->kept_is_due = conversation->kept_is_due || conversation->is_pinged;
        conversation->is_pinged = false;
}

void conversation_stop(struct conversation *conversation) {
        conversation->stop_is_due = conversation->client && !conversation->hello.no_stop;
}

struct slice conversation_answers(struct conversation *conversation) {
        if (conversation->answers.size_bytes < NEWEST_BYTES_MAX) {
                put_kept(conversation);
                put_stop(conversation);
        }
        return buffer_slice(&conversation->answers);
}

void conversation_sent(struct conversation *conversation, size_t size_bytes) {
        buffer_consume(&conversation->answers, size_bytes);
        if (conversation->answers.size_bytes == 0)
                conversation->n_rejected = 0;
}

/* --- the conversation as a whole --- */

int conversation_new(struct conversation **ret_conversation, struct conversation_host *host, void *connection) {
        struct conversation *conversation = calloc(1, sizeof(*conversation));

        if (!conversation)
                return -ENOMEM;
        conversation->host = host;
        conversation->connection = connection;
        conversation->framing = FRAMING_INIT;
        conversation->answers = BUFFER_INIT(ANSWERS_BYTES_MAX);
        conversation->names = BUFFER_INIT((size_t)MESSAGE_METRICS_MAX * (MESSAGE_NAME_BYTES_MAX + RANK_BYTES));
        *ret_conversation = conversation;
        return 0;
}

struct conversation *conversation_free(struct conversation *conversation) {
        if (!conversation)
                return NULL;
        if (conversation->client && conversation->client->connection == conversation->connection)
                conversation->client->connection = NULL;
        stream_free(conversation->stream);
        framing_release(&conversation->framing);
        buffer_release(&conversation->answers);
        buffer_release(&conversation->names);
        free(conversation->metrics);
        free(conversation);
        return NULL;
}
