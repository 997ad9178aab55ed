/* Any bytes as a frame of a client, and the message in it as JSON, too: no crash, no leak, and both encodings say the
 * same, or are both rejected. The first byte chooses among the ways to write the same JSON. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <agent.pb-c.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "protocol/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { JSON_BYTES_MAX = 1 << 24 };

enum style { STYLE_SNAKE = 1, STYLE_ESCAPES = 2, STYLE_BARE = 4, STYLE_BLANKS = 8, STYLE_NULLS = 16 };

static void check(bool holds) {
        if (!holds)
                abort();
}

/* --- JSON of a message --- */

struct writer {
        struct buffer out;
        unsigned style;
        bool has_member;
};

static void put(struct writer *writer, const char *text) {
        check(buffer_append_string(&writer->out, text) == 0);
}

static void put_text(struct writer *writer, const char *text) {
        put(writer, "\"");
        for (; text && *text; text++) {
                unsigned char c = (unsigned char)*text;

                if (c < ' ' || c == '"' || c == '\\' || (c < 0x80 && (writer->style & STYLE_ESCAPES)))
                        check(buffer_printf(&writer->out, "\\u%04x", c) == 0);
                else
                        check(buffer_append_char(&writer->out, (char)c) == 0);
        }
        put(writer, "\"");
}

static void put_number(struct writer *writer, double value) {
        bool is_bare = writer->style & STYLE_BARE;

        if (isnan(value))
                put(writer, is_bare ? "NaN" : "\"NaN\"");
        else if (isinf(value) && value > 0)
                put(writer, is_bare ? "Infinity" : "\"Infinity\"");
        else if (isinf(value))
                put(writer, is_bare ? "-Infinity" : "\"-Infinity\"");
        else
                check(buffer_printf(&writer->out, "%.17g", value) == 0);
}

static void put_key(struct writer *writer, const char *camel, const char *snake) {
        put(writer, writer->has_member ? "," : "");
        put(writer, writer->style & STYLE_BLANKS ? "\t " : "");
        put_text(writer, writer->style & STYLE_SNAKE ? snake : camel);
        put(writer, writer->style & STYLE_BLANKS ? " : " : ":");
        writer->has_member = true;
}

static void put_open(struct writer *writer) {
        put(writer, "{");
        writer->has_member = false;
}

static void put_close(struct writer *writer) {
        put(writer, "}");
        writer->has_member = true;
}

static void put_double(struct writer *writer, bool is_there, const char *camel, const char *snake, double value) {
        if (!is_there && !(writer->style & STYLE_NULLS))
                return;
        put_key(writer, camel, snake);
        if (is_there)
                put_number(writer, value);
        else
                put(writer, "null");
}

static void put_whole(struct writer *writer, bool is_there, const char *camel, const char *snake, int64_t value) {
        if (!is_there)
                return;
        put_key(writer, camel, snake);
        check(buffer_printf(&writer->out, "%" PRId64, value) == 0);
}

static void put_number_of_message(struct writer *writer, bool is_there, uint64_t number) {
        if (!is_there)
                return;
        put_key(writer, "number", "number");
        check(buffer_printf(&writer->out, "%" PRIu64, number) == 0);
}

static void put_string(struct writer *writer, const char *camel, const char *snake, const char *text) {
        if (!text)
                return;
        put_key(writer, camel, snake);
        put_text(writer, text);
}

static void put_bool(struct writer *writer, bool is_there, const char *camel, const char *snake, bool value) {
        if (!is_there)
                return;
        put_key(writer, camel, snake);
        put(writer, value ? "true" : "false");
}

static void put_hello(struct writer *writer, const Experiments__Agent__V1__Hello *hello) {
        put_whole(writer, hello->has_version, "version", "version", hello->version);
        put_string(writer, "client", "client", hello->client);
        put_string(writer, "program", "program", hello->program);
        put_whole(writer, hello->has_pid, "pid", "pid", hello->pid);
        put_whole(writer, hello->has_rank, "rank", "rank", hello->rank);
        if (!hello->wishes)
                return;
        put_key(writer, "wishes", "wishes");
        put_open(writer);
        put_bool(writer, hello->wishes->has_no_kept, "noKept", "no_kept", hello->wishes->no_kept);
        put_bool(writer, hello->wishes->has_no_stop, "noStop", "no_stop", hello->wishes->no_stop);
        put_close(writer);
}

static void put_report(struct writer *writer, const Experiments__Agent__V1__Report *report) {
        put_number_of_message(writer, report->has_number, report->number);
        put_double(writer, report->has_epoch, "epoch", "epoch", report->epoch);
        put_double(writer, report->has_step, "step", "step", report->step);
        put_double(writer, report->has_time, "time", "time", report->time);
        put_double(writer, report->has_total_epochs, "totalEpochs", "total_epochs", report->total_epochs);
        put_string(writer, "outputPath", "output_path", report->output_path);
        put_string(writer, "checkpoint", "checkpoint", report->checkpoint);
        put_key(writer, "metrics", "metrics");
        put_open(writer);
        for (size_t i = 0; i < report->n_metrics; i++) {
                const char *name = report->metrics[i]->name ? report->metrics[i]->name : "";

                put_key(writer, name, name);
                put_number(writer, report->metrics[i]->value);
        }
        put_close(writer);
}

static void put_parameters(struct writer *writer, const Experiments__Agent__V1__Parameters *parameters) {
        put_number_of_message(writer, parameters->has_number, parameters->number);
        put_key(writer, "values", "values");
        put_open(writer);
        for (size_t i = 0; i < parameters->n_values; i++) {
                const Experiments__Agent__V1__Parameter *parameter = parameters->values[i];
                const char *name = parameter->name ? parameter->name : "";

                put_key(writer, name, name);
                if (parameter->value_case == EXPERIMENTS__AGENT__V1__PARAMETER__VALUE_NUMBER)
                        put_number(writer, parameter->number);
                else if (parameter->value_case == EXPERIMENTS__AGENT__V1__PARAMETER__VALUE_TEXT)
                        put_text(writer, parameter->text);
                else if (parameter->value_case == EXPERIMENTS__AGENT__V1__PARAMETER__VALUE_BOOLEAN)
                        put(writer, parameter->boolean ? "true" : "false");
                else
                        put(writer, "null");
        }
        put_close(writer);
}

static void put_end(struct writer *writer, const Experiments__Agent__V1__End *end) {
        put_number_of_message(writer, end->has_number, end->number);
        put_whole(writer, end->has_exit_status, "exitStatus", "exit_status", end->exit_status);
        put_string(writer, "message", "message", end->message);
}

/* False: it is no message that this version knows. */
static bool put_message(struct writer *writer, const Experiments__Agent__V1__ClientMessage *message) {
        static const char *const names[] = { "", "hello", "report", "parameters", "end", "ping" };

        if (message->message_case < 1 || message->message_case > 5)
                return false;
        put_open(writer);
        put_key(writer, names[message->message_case], names[message->message_case]);
        put_open(writer);
        switch (message->message_case) {
        case EXPERIMENTS__AGENT__V1__CLIENT_MESSAGE__MESSAGE_HELLO: put_hello(writer, message->hello); break;
        case EXPERIMENTS__AGENT__V1__CLIENT_MESSAGE__MESSAGE_REPORT: put_report(writer, message->report); break;
        case EXPERIMENTS__AGENT__V1__CLIENT_MESSAGE__MESSAGE_PARAMETERS: put_parameters(writer, message->parameters); break;
        case EXPERIMENTS__AGENT__V1__CLIENT_MESSAGE__MESSAGE_END: put_end(writer, message->end); break;
        default: break;
        }
        put_close(writer);
        put_close(writer);
        return true;
}

/* --- what was understood --- */

static void mix(uint64_t *sum, const void *data, size_t size_bytes) {
        for (size_t i = 0; i < size_bytes; i++)
                *sum = (*sum ^ ((const unsigned char *)data)[i]) * UINT64_C(1099511628211);
}

static void mix_text(uint64_t *sum, struct slice text) {
        mix(sum, &text.size_bytes, sizeof(text.size_bytes));
        mix(sum, text.data, text.size_bytes);
        while (text.size_bytes > 0) {
                size_t n = utf8_character(text);

                check(n > 0 && *text.data);
                text = (struct slice){ text.data + n, text.size_bytes - n };
        }
}

/* -0 is 0, and one NaN another. */
static void mix_number(uint64_t *sum, double value) {
        double plain = isnan(value) ? 0.125 : value + 0.0;

        mix(sum, &plain, sizeof(plain));
        mix(sum, &(bool){ isnan(value) }, sizeof(bool));
}

static void mix_report(uint64_t *sum, const struct record *report) {
        check(report->n_metrics <= MESSAGE_METRICS_MAX);
        mix_number(sum, report->epoch);
        mix_number(sum, report->step);
        mix_number(sum, report->time_s);
        mix_number(sum, report->total_epochs);
        mix_text(sum, report->output_path);
        mix_text(sum, report->checkpoint);
        for (size_t i = 0; i < report->n_metrics; i++) {
                mix_text(sum, report->metrics[i].name);
                mix_number(sum, report->metrics[i].value);
        }
}

static void mix_parameter(uint64_t *sum, const struct parameter *parameter) {
        mix_text(sum, parameter->name);
        mix(sum, &parameter->kind, sizeof(parameter->kind));
        if (parameter->kind == PARAMETER_NUMBER)
                mix_number(sum, parameter->number);
        else if (parameter->kind == PARAMETER_TEXT)
                mix_text(sum, parameter->text);
        else if (parameter->kind == PARAMETER_BOOLEAN)
                mix(sum, &parameter->boolean, sizeof(parameter->boolean));
}

static uint64_t sum_of(const struct message *message) {
        uint64_t sum = UINT64_C(14695981039346656037);

        check(message->number <= MESSAGE_NUMBER_MAX);
        mix(&sum, &message->kind, sizeof(message->kind));
        mix(&sum, &message->number, sizeof(message->number));
        if (message->kind == MESSAGE_HELLO) {
                mix_text(&sum, message->hello.client);
                mix_text(&sum, message->hello.program);
                mix(&sum, &message->hello.version, sizeof(message->hello.version));
                mix(&sum, &message->hello.pid, sizeof(message->hello.pid));
                mix(&sum, &message->hello.rank, sizeof(message->hello.rank));
                mix(&sum, &(int){ message->hello.no_kept + 2 * message->hello.no_stop }, sizeof(int));
        } else if (message->kind == MESSAGE_REPORT) {
                mix_report(&sum, &message->report);
        } else if (message->kind == MESSAGE_PARAMETERS) {
                for (size_t i = 0; i < message->parameters.n_values; i++)
                        mix_parameter(&sum, &message->parameters.values[i]);
        } else if (message->kind == MESSAGE_END) {
                mix(&sum, &message->end.exit_status, sizeof(message->end.exit_status));
                mix_text(&sum, message->end.message);
        }
        return sum;
}

/* 0: it was rejected. */
static uint64_t decode(enum encoding encoding, struct slice bytes, struct fault *ret_fault) {
        static struct decoder *decoder;
        /* A copy of its own, so that a read past its end is found. */
        CLEANUP(cleanup_free) char *copy = malloc(bytes.size_bytes + !bytes.size_bytes);
        struct message message;
        int r;

        if (!decoder)
                check(decoder_new(&decoder) == 0);
        check(copy);
        if (bytes.size_bytes > 0)
                memcpy(copy, bytes.data, bytes.size_bytes);
        r = decoder_take(decoder, encoding, (struct slice){ copy, bytes.size_bytes }, &message, ret_fault);
        check(r == DECODING_DONE || (r == DECODING_REJECTED && ret_fault->code && strlen(ret_fault->message) <= FAULT_BYTES_MAX));
        return r == DECODING_DONE ? sum_of(&message) : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct slice frame = { (const char *)data + (size > 0), size - (size > 0) };
        struct writer writer = { .out = BUFFER_INIT(JSON_BYTES_MAX), .style = size > 0 ? data[0] : 0 };
        struct fault fault;
        uint64_t sum;
        Experiments__Agent__V1__ClientMessage *message;

        if (frame.size_bytes > MESSAGE_BYTES_MAX)
                return 0;
        if (frame.size_bytes > 0)
                (void)decode(ENCODING_JSON, frame, &fault);
        sum = decode(ENCODING_PROTOBUF, frame, &fault);
        message = experiments__agent__v1__client_message__unpack(NULL, frame.size_bytes, (const uint8_t *)frame.data);
        /* A U+0000 is where a text of protobuf-c ends. */
        if (message && !(sum == 0 && strcmp(fault.code, "invalid-utf8") == 0) && put_message(&writer, message) &&
            writer.out.size_bytes <= MESSAGE_BYTES_MAX)
                check(decode(ENCODING_JSON, buffer_slice(&writer.out), &fault) == sum);
        if (!message)
                check(sum == 0);
        if (message)
                experiments__agent__v1__client_message__free_unpacked(message, NULL);
        buffer_release(&writer.out);
        return 0;
}
