#include "protocol/decoder.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/random.h"
#include "base/utf8.h"

enum { PLACES_BITS = 12, PLACES = 1 << PLACES_BITS };

_Static_assert(PLACES >= 2 * MESSAGE_METRICS_MAX, "a name that is new finds a free place soon");

/* --- faults --- */

void fault_set(struct fault *fault, uint64_t number, const char *code, const char *format, ...) {
        va_list arguments;
        int n;

        fault->number = number;
        fault->code = code;
        va_start(arguments, format);
        n = vsnprintf(fault->message, sizeof(fault->message), format, arguments);
        va_end(arguments);
        n = n < 0 ? 0 : n > FAULT_BYTES_MAX ? FAULT_BYTES_MAX : n;
        utf8_hide_controls(fault->message, (size_t)n);
        /* The cut may have gone through a character. */
        for (size_t at = 0; at < (size_t)n;) {
                size_t size = utf8_character((struct slice){ fault->message + at, (size_t)n - at });

                if (size == 0)
                        fault->message[at] = '?';
                at += size ? size : 1;
        }
}

bool decoder_reject(struct decoder *decoder, const char *code, const char *field, const char *expected) {
        if (!decoder->has_fault)
                fault_set(decoder->fault, decoder->message->number, code, "%s: expected %s", field, expected);
        decoder->has_fault = true;
        return false;
}

/* --- fields --- */

static const struct {
        const char *name;
        double min, max;   /* of numbers */
        bool is_fraction;  /* may have one */
        size_t bytes_max;  /* of texts */
        const char *expected;
} fields[] = {
        [FIELD_NUMBER] = { "number", 1, 9007199254740991.0, false, 0, "a whole number from 1 to 9007199254740991" },
        [FIELD_VERSION] = { "hello.version", 0, UINT32_MAX, false, 0, "a whole number from 0 to 4294967295" },
        [FIELD_CLIENT] = { "hello.client", 0, 0, false, MESSAGE_CLIENT_BYTES_MAX, "1 to 64 of A-Z a-z 0-9 . _ -" },
        [FIELD_PROGRAM] = { "hello.program", 0, 0, false, MESSAGE_PROGRAM_BYTES_MAX, "at most 256 bytes" },
        [FIELD_PID] = { "hello.pid", 0, UINT32_MAX, false, 0, "a whole number from 0 to 4294967295" },
        [FIELD_RANK] = { "hello.rank", 0, MESSAGE_RANK_MAX, false, 0, "a whole number from 0 to 65535" },
        [FIELD_EPOCH] = { "report.epoch", 0, INFINITY, true, 0, "a finite number, 0 or more" },
        [FIELD_STEP] = { "report.step", 0, INFINITY, true, 0, "a finite number, 0 or more" },
        [FIELD_TIME] = { "report.time", 0, INFINITY, true, 0, "seconds since 1970, finite, 0 or more" },
        [FIELD_TOTAL_EPOCHS] = { "report.totalEpochs", 0, INFINITY, true, 0, "a finite number above 0" },
        [FIELD_OUTPUT_PATH] = { "report.outputPath", 0, 0, false, MESSAGE_TEXT_BYTES_MAX, "at most 4096 bytes" },
        [FIELD_CHECKPOINT] = { "report.checkpoint", 0, 0, false, MESSAGE_TEXT_BYTES_MAX, "at most 4096 bytes" },
        [FIELD_EXIT_STATUS] = { "end.exitStatus", -128, 255, false, 0, "a whole number from -128 to 255" },
        [FIELD_END_MESSAGE] = { "end.message", 0, 0, false, MESSAGE_END_BYTES_MAX, "at most 1024 bytes" },
};

static void store_number(struct message *message, enum field field, double value) {
        switch (field) {
        case FIELD_NUMBER: message->number = (uint64_t)value; break;
        case FIELD_VERSION: message->hello.version = (uint32_t)value; break;
        case FIELD_PID: message->hello.pid = (uint32_t)value; break;
        case FIELD_RANK: message->hello.rank = (uint32_t)value; break;
        case FIELD_EPOCH: message->report.epoch = value; break;
        case FIELD_STEP: message->report.step = value; break;
        case FIELD_TIME: message->report.time_s = value; break;
        case FIELD_TOTAL_EPOCHS: message->report.total_epochs = value; break;
        case FIELD_EXIT_STATUS: message->end.exit_status = (int)value; break;
        default: break;
        }
}

bool decoder_set_number(struct decoder *decoder, enum field field, double value) {
        bool is_good = isfinite(value) && value >= fields[field].min && value <= fields[field].max &&
                       (fields[field].is_fraction || value == floor(value)) && (field != FIELD_TOTAL_EPOCHS || value > 0);

        if (!is_good)
                return decoder_reject(decoder, "invalid-value", fields[field].name, fields[field].expected);
        store_number(decoder->message, field, value);
        return true;
}

static bool is_text(struct slice text) {
        while (text.size_bytes > 0) {
                unsigned char c = (unsigned char)text.data[0];
                size_t n = c < 0x80 ? c != 0 : utf8_character(text);

                if (n == 0)
                        return false;
                text = (struct slice){ text.data + n, text.size_bytes - n };
        }
        return true;
}

static bool is_id(struct slice text) {
        for (size_t i = 0; i < text.size_bytes; i++) {
                char c = text.data[i];

                if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
                        return false;
        }
        return text.size_bytes > 0;
}

bool decoder_set_text(struct decoder *decoder, enum field field, struct slice text) {
        struct message *message = decoder->message;

        if (!is_text(text))
                return decoder_reject(decoder, "invalid-utf8", fields[field].name, "UTF-8 without U+0000");
        if (text.size_bytes > fields[field].bytes_max)
                return decoder_reject(decoder, field == FIELD_CLIENT ? "invalid-client-id" : "invalid-value", fields[field].name,
                                    fields[field].expected);
        switch (field) {
        case FIELD_CLIENT: message->hello.client = text; break;
        case FIELD_PROGRAM: message->hello.program = text; break;
        case FIELD_OUTPUT_PATH: message->report.output_path = text; break;
        case FIELD_CHECKPOINT: message->report.checkpoint = text; break;
        case FIELD_END_MESSAGE: message->end.message = text; break;
        default: break;
        }
        return true;
}

/* --- names --- */

/* FNV-1a from a start of our own: else a client could have all its names in one place. */
static uint32_t hash_name(const struct decoder *decoder, struct slice name) {
        uint32_t hash = decoder->hash_start;

        for (size_t i = 0; i < name.size_bytes; i++)
                hash = (hash ^ (unsigned char)name.data[i]) * 16777619u;
        return hash >> (32 - PLACES_BITS);
}

static struct slice name_at(const struct decoder *decoder, size_t i) {
        return decoder->message->kind == MESSAGE_REPORT ? decoder->metrics[i].name : decoder->parameters[i].name;
}

/* Where the name is, or is put: n where it is new. */
static size_t place_of(struct decoder *decoder, struct slice name) {
        uint32_t at = hash_name(decoder, name);

        for (; decoder->places[at].turn == decoder->turn; at = (at + 1) & (PLACES - 1))
                if (slice_equal(name_at(decoder, decoder->places[at].i), name))
                        return decoder->places[at].i;
        if (decoder->n < MESSAGE_METRICS_MAX)
                decoder->places[at] = (struct place){ decoder->turn, (uint16_t)decoder->n };
        return decoder->n;
}

static bool check_name(struct decoder *decoder, struct slice name, const char *field) {
        if (name.size_bytes == 0)
                return decoder_reject(decoder, "name-empty", field, "a name of 1 to 1024 bytes");
        if (name.size_bytes > MESSAGE_NAME_BYTES_MAX)
                return decoder_reject(decoder, "name-too-long", field, "a name of 1 to 1024 bytes");
        if (!is_text(name))
                return decoder_reject(decoder, "invalid-utf8", field, "names in UTF-8 without U+0000");
        return true;
}

bool decoder_add_metric(struct decoder *decoder, struct slice name, double value) {
        size_t place;

        if (!check_name(decoder, name, "report.metrics"))
                return false;
        place = place_of(decoder, name);
        if (place == MESSAGE_METRICS_MAX)
                return decoder_reject(decoder, "too-many-metrics", "report.metrics", "at most 1024 metrics");
        decoder->n += place == decoder->n;
        decoder->metrics[place] = (struct metric){ name, value };
        return true;
}

bool decoder_add_parameter(struct decoder *decoder, const struct parameter *parameter) {
        size_t place;

        if (!check_name(decoder, parameter->name, "parameters.values"))
                return false;
        if (parameter->kind == PARAMETER_TEXT && !is_text(parameter->text))
                return decoder_reject(decoder, "invalid-utf8", "parameters.values", "texts in UTF-8 without U+0000");
        if (parameter->kind == PARAMETER_TEXT && parameter->text.size_bytes > MESSAGE_TEXT_BYTES_MAX)
                return decoder_reject(decoder, "invalid-value", "parameters.values", "texts of at most 4096 bytes");
        if (parameter->kind == PARAMETER_NUMBER && !isfinite(parameter->number))
                return decoder_reject(decoder, "invalid-value", "parameters.values", "finite numbers");
        place = place_of(decoder, parameter->name);
        if (place == MESSAGE_METRICS_MAX)
                return decoder_reject(decoder, "too-many-parameters", "parameters.values", "at most 1024 parameters");
        decoder->n += place == decoder->n;
        decoder->parameters[place] = *parameter;
        return true;
}

void decoder_clear_names(struct decoder *decoder) {
        decoder->n = 0;
        if (++decoder->turn > 0)
                return;
        memset(decoder->places, 0, PLACES * sizeof(*decoder->places));
        decoder->turn = 1;
}

/* --- the message as a whole --- */

int decoder_start(struct decoder *decoder, enum message_kind kind, size_t texts_bytes, struct message *message,
                struct fault *fault) {
        decoder->message = message;
        decoder->fault = fault;
        decoder->has_fault = false;
        *message = (struct message){ .kind = kind };
        if (kind == MESSAGE_HELLO)
                message->hello.version = PROTOCOL_VERSION;
        if (kind == MESSAGE_REPORT) {
                message->report = RECORD_EMPTY;
                message->report.rank = SOURCE_SOCKET;
        }
        if (kind == MESSAGE_PARAMETERS && !decoder->parameters)
                decoder->parameters = calloc(MESSAGE_METRICS_MAX, sizeof(*decoder->parameters));
        if (kind == MESSAGE_PARAMETERS && !decoder->parameters)
                return -ENOMEM;
        decoder_clear_names(decoder);
        buffer_clear(&decoder->texts);
        return texts_bytes > 0 ? buffer_reserve(&decoder->texts, texts_bytes) : 0;
}

static bool says_something(const struct record *report) {
        return report->n_metrics > 0 || !isnan(report->epoch) || !isnan(report->step) || !isnan(report->total_epochs) ||
               report->output_path.size_bytes > 0 || report->checkpoint.size_bytes > 0;
}

/* What else a hello of another version says, and how, that version knows. */
static bool is_of_another_version(struct message *message) {
        if (message->kind != MESSAGE_HELLO || message->hello.version == PROTOCOL_VERSION)
                return false;
        message->hello = (struct hello){ .version = message->hello.version };
        return true;
}

/* All fields were set. Is the message whole? */
static bool finish(struct decoder *decoder) {
        struct message *message = decoder->message;

        if (is_of_another_version(message))
                return true;
        if (decoder->has_fault)
                return false;
        if (message->kind == MESSAGE_HELLO && !is_id(message->hello.client))
                return decoder_reject(decoder, "invalid-client-id", "hello.client", fields[FIELD_CLIENT].expected);
        if (message->kind == MESSAGE_PARAMETERS) {
                message->parameters.values = decoder->parameters;
                message->parameters.n_values = decoder->n;
                if (decoder->n == 0)
                        return decoder_reject(decoder, "nothing-reported", "parameters.values", "a parameter");
        }
        if (message->kind == MESSAGE_REPORT) {
                message->report.metrics = decoder->metrics;
                message->report.n_metrics = decoder->n;
                if (!says_something(&message->report))
                        return decoder_reject(decoder, "nothing-reported", "report", "something besides number and time");
        }
        return true;
}

int decoder_new(struct decoder **ret_decoder) {
        CLEANUP(decoder_freep) struct decoder *decoder = calloc(1, sizeof(*decoder));

        if (!decoder)
                return -ENOMEM;
        decoder->texts = BUFFER_INIT(2 * MESSAGE_BYTES_MAX);
        decoder->hash_start = (uint32_t)(random_fraction() * UINT32_MAX);
        decoder->metrics = calloc(MESSAGE_METRICS_MAX, sizeof(*decoder->metrics));
        decoder->places = calloc(PLACES, sizeof(*decoder->places));
        if (!decoder->metrics || !decoder->places)
                return -ENOMEM;
        *ret_decoder = STEAL(decoder);
        return 0;
}

struct decoder *decoder_free(struct decoder *decoder) {
        if (!decoder)
                return NULL;
        free(decoder->metrics);
        free(decoder->parameters);
        free(decoder->places);
        buffer_release(&decoder->texts);
        free(decoder);
        return NULL;
}

void decoder_freep(struct decoder **decoder) {
        *decoder = decoder_free(*decoder);
}

int decoder_take(struct decoder *decoder, enum encoding encoding, struct slice bytes, struct message *ret_message,
                 struct fault *ret_fault) {
        int r = encoding == ENCODING_JSON ? json_message_take(decoder, bytes, ret_message, ret_fault)
                                          : protobuf_message_take(decoder, bytes, ret_message, ret_fault);

        return r < 0 ? r : finish(decoder) ? DECODING_DONE : DECODING_REJECTED;
}
