#include "protocol/decoder.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <agent.pb-c.h>

/* An empty metric takes two bytes of a frame and some fifty of memory: what is unpacked has a limit of its own. */
enum { UNPACKED_BYTES_MAX = 1024 * 1024 };

typedef Experiments__Agent__V1__ClientMessage ClientMessage;
typedef Experiments__Agent__V1__Hello Hello;
typedef Experiments__Agent__V1__Report Report;
typedef Experiments__Agent__V1__Parameters Parameters;
typedef Experiments__Agent__V1__Parameter Parameter;
typedef Experiments__Agent__V1__End End;

struct quota {
        size_t left_bytes;
        bool is_exceeded, is_memory_out;
};

static void *quota_alloc(void *data, size_t size_bytes) {
        struct quota *quota = data;
        void *memory;

        if (size_bytes > quota->left_bytes) {
                quota->is_exceeded = true;
                return NULL;
        }
        quota->left_bytes -= size_bytes;
        memory = malloc(size_bytes);
        quota->is_memory_out = quota->is_memory_out || !memory;
        return memory;
}

static void quota_free(void *data, void *pointer) {
        (void)data;
        free(pointer);
}

/* --- U+0000 --- */

static bool read_varint(struct slice *bytes, uint64_t *ret_value) {
        *ret_value = 0;
        for (unsigned i = 0; i < 10 && i < bytes->size_bytes; i++) {
                *ret_value |= (uint64_t)(bytes->data[i] & 0x7f) << 7 * i;
                if (!(bytes->data[i] & 0x80)) {
                        *bytes = (struct slice){ bytes->data + i + 1, bytes->size_bytes - i - 1 };
                        return true;
                }
        }
        return false;
}

/* What stands behind a tag, which is passed over; empty but for texts and messages. */
static bool read_value(struct slice *bytes, unsigned wire_type, struct slice *ret_inside) {
        uint64_t size = wire_type == 1 ? 8 : 4;

        *ret_inside = (struct slice){ 0 };
        if (wire_type == 0)
                return read_varint(bytes, &size);
        if ((wire_type == 2 && !read_varint(bytes, &size)) || size > bytes->size_bytes)
                return false;
        if (wire_type == 2)
                *ret_inside = (struct slice){ bytes->data, (size_t)size };
        *bytes = (struct slice){ bytes->data + size, bytes->size_bytes - (size_t)size };
        return true;
}

/* protobuf-c ends a text with a NUL and drops its length, so that one inside would cut it: it is looked for in the
 * frame, which was unpacked already and so is well-formed. */
static bool has_nul(struct slice bytes, const ProtobufCMessageDescriptor *descriptor) {
        struct slice inside;
        uint64_t tag;

        while (bytes.size_bytes > 0) {
                const ProtobufCFieldDescriptor *field;

                if (!read_varint(&bytes, &tag) || !read_value(&bytes, tag & 7, &inside))
                        return false;
                field = protobuf_c_message_descriptor_get_field(descriptor, (unsigned)(tag >> 3));
                if (!field || inside.size_bytes == 0)
                        continue;
                if (field->type == PROTOBUF_C_TYPE_STRING && memchr(inside.data, 0, inside.size_bytes))
                        return true;
                if (field->type == PROTOBUF_C_TYPE_MESSAGE && has_nul(inside, field->descriptor))
                        return true;
        }
        return false;
}

/* --- fields --- */

/* The lives of the texts end with the message, so they are copied to where the decoder keeps them. */
static struct slice keep(struct decoder *decoder, const char *text) {
        struct slice slice = slice_from(text ? text : "");
        size_t before = decoder->texts.size_bytes;

        if (slice.size_bytes == 0 || buffer_append(&decoder->texts, slice.data, slice.size_bytes) < 0)
                return (struct slice){ "", 0 };
        return (struct slice){ decoder->texts.data + before, slice.size_bytes };
}

static bool take_hello(struct decoder *decoder, const Hello *hello) {
        struct message *message = decoder->message;

        if (hello->wishes) {
                message->hello.no_kept = hello->wishes->no_kept;
                message->hello.no_stop = hello->wishes->no_stop;
        }
        return (!hello->has_version || decoder_set_number(decoder, FIELD_VERSION, hello->version)) &&
               decoder_set_text(decoder, FIELD_CLIENT, keep(decoder, hello->client)) &&
               decoder_set_text(decoder, FIELD_PROGRAM, keep(decoder, hello->program)) &&
               decoder_set_number(decoder, FIELD_PID, hello->pid) && decoder_set_number(decoder, FIELD_RANK, hello->rank);
}

static bool take_number(struct decoder *decoder, bool has_number, uint64_t number) {
        if (!has_number)
                return true;
        return number > MESSAGE_NUMBER_MAX ? decoder_set_number(decoder, FIELD_NUMBER, INFINITY)
                                           : decoder_set_number(decoder, FIELD_NUMBER, (double)number);
}

static bool take_metrics(struct decoder *decoder, const Report *report) {
        for (size_t i = 0; i < report->n_metrics; i++)
                if (!decoder_add_metric(decoder, keep(decoder, report->metrics[i]->name), report->metrics[i]->value))
                        return false;
        return true;
}

static bool take_report(struct decoder *decoder, const Report *report) {
        return take_number(decoder, report->has_number, report->number) &&
               (!report->has_epoch || decoder_set_number(decoder, FIELD_EPOCH, report->epoch)) &&
               (!report->has_step || decoder_set_number(decoder, FIELD_STEP, report->step)) &&
               (!report->has_time || decoder_set_number(decoder, FIELD_TIME, report->time)) && take_metrics(decoder, report) &&
               (!report->has_total_epochs || decoder_set_number(decoder, FIELD_TOTAL_EPOCHS, report->total_epochs)) &&
               decoder_set_text(decoder, FIELD_OUTPUT_PATH, keep(decoder, report->output_path)) &&
               decoder_set_text(decoder, FIELD_CHECKPOINT, keep(decoder, report->checkpoint));
}

static struct parameter parameter_of(struct decoder *decoder, const Parameter *said) {
        struct parameter parameter = { .name = keep(decoder, said->name) };

        switch (said->value_case) {
        case EXPERIMENTS__AGENT__V1__PARAMETER__VALUE_NUMBER:
                parameter.kind = PARAMETER_NUMBER;
                parameter.number = said->number;
                break;
        case EXPERIMENTS__AGENT__V1__PARAMETER__VALUE_TEXT:
                parameter.kind = PARAMETER_TEXT;
                parameter.text = keep(decoder, said->text);
                break;
        case EXPERIMENTS__AGENT__V1__PARAMETER__VALUE_BOOLEAN:
                parameter.kind = PARAMETER_BOOLEAN;
                parameter.boolean = said->boolean;
                break;
        default:
                break;
        }
        return parameter;
}

static bool take_parameters(struct decoder *decoder, const Parameters *parameters) {
        if (!take_number(decoder, parameters->has_number, parameters->number))
                return false;
        for (size_t i = 0; i < parameters->n_values; i++) {
                struct parameter parameter = parameter_of(decoder, parameters->values[i]);

                if (!decoder_add_parameter(decoder, &parameter))
                        return false;
        }
        return true;
}

static bool take_end(struct decoder *decoder, const End *end) {
        return take_number(decoder, end->has_number, end->number) &&
               decoder_set_number(decoder, FIELD_EXIT_STATUS, end->exit_status) &&
               decoder_set_text(decoder, FIELD_END_MESSAGE, keep(decoder, end->message));
}

static enum message_kind kind_of(const ClientMessage *message) {
        switch (message->message_case) {
        case EXPERIMENTS__AGENT__V1__CLIENT_MESSAGE__MESSAGE_HELLO: return MESSAGE_HELLO;
        case EXPERIMENTS__AGENT__V1__CLIENT_MESSAGE__MESSAGE_REPORT: return MESSAGE_REPORT;
        case EXPERIMENTS__AGENT__V1__CLIENT_MESSAGE__MESSAGE_PARAMETERS: return MESSAGE_PARAMETERS;
        case EXPERIMENTS__AGENT__V1__CLIENT_MESSAGE__MESSAGE_END: return MESSAGE_END;
        case EXPERIMENTS__AGENT__V1__CLIENT_MESSAGE__MESSAGE_PING: return MESSAGE_PING;
        default: return MESSAGE_UNKNOWN;
        }
}

static void take(struct decoder *decoder, const ClientMessage *message, struct slice frame) {
        switch (decoder->message->kind) {
        case MESSAGE_HELLO: (void)take_hello(decoder, message->hello); break;
        case MESSAGE_REPORT: (void)take_report(decoder, message->report); break;
        case MESSAGE_PARAMETERS: (void)take_parameters(decoder, message->parameters); break;
        case MESSAGE_END: (void)take_end(decoder, message->end); break;
        default: break;
        }
        if (has_nul(frame, &experiments__agent__v1__client_message__descriptor))
                (void)decoder_reject(decoder, "invalid-utf8", "frame", "texts without U+0000");
}

/* What takes so much memory is a list, or what we do not know. */
static void reject_large(struct decoder *decoder, struct slice frame) {
        uint64_t tag = 0;

        (void)read_varint(&frame, &tag);
        if (tag >> 3 == EXPERIMENTS__AGENT__V1__CLIENT_MESSAGE__MESSAGE_REPORT)
                (void)decoder_reject(decoder, "too-many-metrics", "report.metrics", "at most 1024 metrics");
        else if (tag >> 3 == EXPERIMENTS__AGENT__V1__CLIENT_MESSAGE__MESSAGE_PARAMETERS)
                (void)decoder_reject(decoder, "too-many-parameters", "parameters.values", "at most 1024 parameters");
        else
                (void)decoder_reject(decoder, "malformed", "frame", "fewer fields");
}

int protobuf_message_take(struct decoder *decoder, struct slice frame, struct message *message, struct fault *fault) {
        struct quota quota = { .left_bytes = UNPACKED_BYTES_MAX };
        ProtobufCAllocator allocator = { quota_alloc, quota_free, &quota };
        ClientMessage *said = experiments__agent__v1__client_message__unpack(&allocator, frame.size_bytes,
                                                                             (const uint8_t *)frame.data);
        int r = quota.is_memory_out ? -ENOMEM : decoder_start(decoder, said ? kind_of(said) : MESSAGE_UNKNOWN,
                                                              frame.size_bytes, message, fault);

        if (r == 0 && said)
                take(decoder, said, frame);
        else if (r == 0 && quota.is_exceeded)
                reject_large(decoder, frame);
        else if (r == 0)
                (void)decoder_reject(decoder, "malformed", "frame", "a ClientMessage of agent.proto");
        if (said)
                experiments__agent__v1__client_message__free_unpacked(said, &allocator);
        return r;
}
