/* A message of a client as text, whatever it was encoded in, so that a test is a comparison; and a ClientMessage as
 * a C literal. */
#pragma once

#include <math.h>

#include <agent.pb-c.h>

#include "protocol/message.h"
#include "said.h"

/* HELLO(.client = (char[]){ "a" }), REPORT(.has_epoch = true, .epoch = 3), …: the address of a ClientMessage. */
#define CLIENT_MESSAGE(KIND, Type, member, descriptor_of, ...)                                        \
        (&(Experiments__Agent__V1__ClientMessage){                                                    \
                .base = PROTOBUF_C_MESSAGE_INIT(&experiments__agent__v1__client_message__descriptor), \
                .message_case = EXPERIMENTS__AGENT__V1__CLIENT_MESSAGE__MESSAGE_##KIND,               \
                .member = &(Experiments__Agent__V1__##Type){                                          \
                        .base = PROTOBUF_C_MESSAGE_INIT(&experiments__agent__v1__##descriptor_of##__descriptor), __VA_ARGS__ } })
#define HELLO(...) CLIENT_MESSAGE(HELLO, Hello, hello, hello, __VA_ARGS__)
#define REPORT(...) CLIENT_MESSAGE(REPORT, Report, report, report, __VA_ARGS__)
#define PARAMETERS(...) CLIENT_MESSAGE(PARAMETERS, Parameters, parameters, parameters, __VA_ARGS__)
#define END(...) CLIENT_MESSAGE(END, End, end, end, __VA_ARGS__)
#define PING() CLIENT_MESSAGE(PING, Ping, ping, ping, )

#define WISHES(...) \
        .wishes = &(Experiments__Agent__V1__Wishes){ PROTOBUF_C_MESSAGE_INIT(&experiments__agent__v1__wishes__descriptor), __VA_ARGS__ }
#define METRIC(text, number)                                                                            \
        &(Experiments__Agent__V1__Metric){ PROTOBUF_C_MESSAGE_INIT(&experiments__agent__v1__metric__descriptor), \
                                           .name = (char[]){ text }, .has_value = true, .value = (number) }
#define METRICS(...)                                                                       \
        .n_metrics = sizeof((Experiments__Agent__V1__Metric *[]){ __VA_ARGS__ }) / sizeof(void *), \
        .metrics = (Experiments__Agent__V1__Metric *[]){ __VA_ARGS__ }
#define PARAMETER(text_, ...)                                                                                 \
        &(Experiments__Agent__V1__Parameter){ PROTOBUF_C_MESSAGE_INIT(&experiments__agent__v1__parameter__descriptor), \
                                              .name = (char[]){ text_ }, __VA_ARGS__ }
#define VALUES(...)                                                                             \
        .n_values = sizeof((Experiments__Agent__V1__Parameter *[]){ __VA_ARGS__ }) / sizeof(void *), \
        .values = (Experiments__Agent__V1__Parameter *[]){ __VA_ARGS__ }
#define IS_NUMBER(value) .value_case = EXPERIMENTS__AGENT__V1__PARAMETER__VALUE_NUMBER, .number = (value)
#define IS_TEXT(value) .value_case = EXPERIMENTS__AGENT__V1__PARAMETER__VALUE_TEXT, .text = (char[]){ value }
#define IS_BOOLEAN(value) .value_case = EXPERIMENTS__AGENT__V1__PARAMETER__VALUE_BOOLEAN, .boolean = (value)
#define TEXT(field, value) .field = (char[]){ value }
#define VALUE(field, value) .has_##field = true, .field = (value)

static inline void said_text(struct buffer *said, const char *key, struct slice text) {
        if (text.size_bytes > 0)
                (void)buffer_printf(said, " %s=%.*s", key, (int)text.size_bytes, text.data);
}

static inline void said_hello(struct buffer *said, const struct hello *hello) {
        (void)buffer_printf(said, "hello version=%u rank=%u pid=%u", hello->version, hello->rank, hello->pid);
        said_text(said, "client", hello->client);
        said_text(said, "program", hello->program);
        (void)buffer_printf(said, "%s%s", hello->no_kept ? " noKept" : "", hello->no_stop ? " noStop" : "");
}

static inline void said_parameter(struct buffer *said, const struct parameter *parameter) {
        (void)buffer_printf(said, " %.*s=", (int)parameter->name.size_bytes, parameter->name.data);
        switch (parameter->kind) {
        case PARAMETER_NULL: (void)buffer_append_string(said, "null"); break;
        case PARAMETER_NUMBER: (void)buffer_printf(said, "%.17g", parameter->number); break;
        case PARAMETER_TEXT: (void)buffer_printf(said, "\"%.*s\"", (int)parameter->text.size_bytes, parameter->text.data); break;
        case PARAMETER_BOOLEAN: (void)buffer_append_string(said, parameter->boolean ? "true" : "false"); break;
        }
}

/* Without the newline at its end. */
static inline void said_message(struct buffer *said, const struct message *message) {
        static const char *const kinds[] = { "unknown", "hello", "report", "parameters", "end", "ping", "line", "nested" };

        if (message->kind == MESSAGE_HELLO)
                said_hello(said, &message->hello);
        else
                (void)buffer_append_string(said, kinds[message->kind]);
        if (message->number > 0)
                (void)buffer_printf(said, " number=%" PRIu64, message->number);
        if (message->kind == MESSAGE_REPORT) {
                (void)buffer_append_char(said, ' ');
                said_record(said, &message->report);
                said->size_bytes--;
        } else if (message->kind == MESSAGE_PARAMETERS) {
                for (size_t i = 0; i < message->parameters.n_values; i++)
                        said_parameter(said, &message->parameters.values[i]);
        } else if (message->kind == MESSAGE_END) {
                (void)buffer_printf(said, " status=%d", message->end.exit_status);
                said_text(said, "message", message->end.message);
        }
}

/* The same of what is rejected: "!CODE number=N: MESSAGE". */
static inline void said_fault(struct buffer *said, const struct fault *fault) {
        (void)buffer_printf(said, "!%s", fault->code);
        if (fault->number > 0)
                (void)buffer_printf(said, " number=%" PRIu64, fault->number);
        (void)buffer_printf(said, ": %s", fault->message);
}

/* A copy of its own, so that a read past its end is found. */
static inline void said_of_message(struct buffer *said, struct decoder *decoder, enum encoding encoding, struct slice bytes) {
        CLEANUP(cleanup_free) char *copy = malloc(bytes.size_bytes ? bytes.size_bytes : 1);
        struct message message;
        struct fault fault;
        int r;

        assert_non_null(copy);
        if (bytes.size_bytes > 0)
                memcpy(copy, bytes.data, bytes.size_bytes);
        r = decoder_take(decoder, encoding, (struct slice){ copy, bytes.size_bytes }, &message, &fault);
        assert_true(r == DECODING_DONE || r == DECODING_REJECTED);
        if (r == DECODING_DONE)
                said_message(said, &message);
        else
                said_fault(said, &fault);
}

static inline struct slice packed(struct buffer *out, const Experiments__Agent__V1__ClientMessage *message) {
        size_t size = experiments__agent__v1__client_message__get_packed_size(message);

        buffer_clear(out);
        assert_int_equal(buffer_reserve(out, size + 1), 0);
        out->size_bytes = experiments__agent__v1__client_message__pack(message, (uint8_t *)out->data);
        return buffer_slice(out);
}
