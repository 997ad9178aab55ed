#include <errno.h>
#include <math.h>
#include <string.h>

#include <agent.pb-c.h>

#include "base/json_put.h"
#include "base/utf8.h"
#include "protocol/message.h"

enum {
        UNACKNOWLEDGED_BYTES_MAX = 256 * 1024,
        LENGTH_BYTES = 4,
        REASON_BYTES_MAX = 1024, /* of a stop: the API has no limit, what waits for a client has one */
};

static struct slice reason_of(const struct stop_request *stop) {
        struct slice reason = slice_from(stop->reason ? stop->reason : "");

        return (struct slice){ reason.data, utf8_cut(reason, REASON_BYTES_MAX) };
}

/* --- JSON --- */

static void put_stop(struct json_writer *writer, const struct stop_request *stop) {
        json_put_key(writer, "stop");
        json_put_open(writer, '{');
        json_put_key(writer, "reason");
        json_put_text(writer, reason_of(stop));
        if (!isnan(stop->deadline_s)) {
                json_put_key(writer, "deadline");
                json_put_number(writer, stop->deadline_s, 17);
        }
        json_put_close(writer, '}');
}

static void put_limits(struct json_writer *writer) {
        static const struct {
                const char *name;
                int value;
        } limits[] = { { "messageBytes", MESSAGE_BYTES_MAX }, { "metrics", MESSAGE_METRICS_MAX },
                       { "nameBytes", MESSAGE_NAME_BYTES_MAX }, { "unacknowledgedBytes", UNACKNOWLEDGED_BYTES_MAX } };

        json_put_key(writer, "limits");
        json_put_open(writer, '{');
        for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
                json_put_key(writer, limits[i].name);
                json_put_integer(writer, limits[i].value);
        }
        json_put_close(writer, '}');
}

static void put_pair(struct json_writer *writer, const char *key, const char *text) {
        json_put_key(writer, key);
        json_put_string(writer, text ? text : "");
}

static void put_welcome(struct json_writer *writer, const struct answer *answer) {
        json_put_key(writer, "welcome");
        json_put_open(writer, '{');
        json_put_key(writer, "version");
        json_put_integer(writer, PROTOCOL_VERSION);
        put_pair(writer, "agent", answer->welcome.agent);
        put_pair(writer, "job", answer->welcome.job);
        put_pair(writer, "result", answer->welcome.result);
        if (answer->number > 0) {
                json_put_key(writer, "kept");
                json_put_integer(writer, (int64_t)answer->number);
        }
        put_limits(writer);
        if (answer->welcome.stop.is_requested)
                put_stop(writer, &answer->welcome.stop);
        json_put_close(writer, '}');
}

static void put_kept(struct json_writer *writer, const struct answer *answer) {
        json_put_key(writer, "kept");
        json_put_open(writer, '{');
        json_put_key(writer, "number");
        json_put_integer(writer, (int64_t)answer->number);
        json_put_close(writer, '}');
}

static void put_rejected(struct json_writer *writer, const struct answer *answer) {
        json_put_key(writer, "rejected");
        json_put_open(writer, '{');
        if (answer->number > 0) {
                json_put_key(writer, "number");
                json_put_integer(writer, (int64_t)answer->number);
        }
        put_pair(writer, "code", answer->fault->code);
        put_pair(writer, "message", answer->fault->message);
        json_put_close(writer, '}');
}

static int put_json(struct buffer *out, const struct answer *answer) {
        struct json_writer writer = JSON_WRITER_INIT(out);

        json_put_open(&writer, '{');
        switch (answer->kind) {
        case ANSWER_WELCOME: put_welcome(&writer, answer); break;
        case ANSWER_KEPT: put_kept(&writer, answer); break;
        case ANSWER_STOP: put_stop(&writer, &answer->stop); break;
        case ANSWER_REJECTED: put_rejected(&writer, answer); break;
        }
        json_put_close(&writer, '}');
        return writer.error < 0 ? writer.error : buffer_append_char(out, '\n');
}

/* --- protobuf --- */

typedef Experiments__Agent__V1__AgentMessage AgentMessage;
typedef Experiments__Agent__V1__Stop Stop;

/* protobuf-c takes texts that it only reads as if they were its own. */
static char *text_of(const char *text) {
        union {
                const char *in;
                char *out;
        } cast = { .in = text ? text : "" };

        return cast.out;
}

static int put_message(struct buffer *out, const AgentMessage *message) {
        size_t size = experiments__agent__v1__agent_message__get_packed_size(message);
        const char length[LENGTH_BYTES] = { (char)(size >> 24), (char)(size >> 16), (char)(size >> 8), (char)size };
        int r = buffer_reserve(out, size + LENGTH_BYTES);

        if (r == 0)
                r = buffer_append(out, length, sizeof(length));
        if (r == 0)
                out->size_bytes += experiments__agent__v1__agent_message__pack(message, (uint8_t *)out->data + out->size_bytes);
        return r;
}

/* With its reason, which is cut. */
struct stop_message {
        Stop stop;
        char reason[REASON_BYTES_MAX + 1];
};

static Stop *set_stop(struct stop_message *message, const struct stop_request *request) {
        struct slice reason = reason_of(request);

        memcpy(message->reason, reason.data, reason.size_bytes);
        message->reason[reason.size_bytes] = '\0';
        experiments__agent__v1__stop__init(&message->stop);
        message->stop.reason = message->reason;
        message->stop.has_deadline = !isnan(request->deadline_s);
        message->stop.deadline = message->stop.has_deadline ? request->deadline_s : 0;
        return &message->stop;
}

static int pack_welcome(struct buffer *out, const struct answer *answer) {
        Experiments__Agent__V1__Welcome welcome;
        Experiments__Agent__V1__Limits limits;
        struct stop_message stop;
        AgentMessage message;

        experiments__agent__v1__agent_message__init(&message);
        experiments__agent__v1__welcome__init(&welcome);
        experiments__agent__v1__limits__init(&limits);
        limits.has_message_bytes = limits.has_metrics = limits.has_name_bytes = limits.has_unacknowledged_bytes = true;
        limits.message_bytes = MESSAGE_BYTES_MAX;
        limits.metrics = MESSAGE_METRICS_MAX;
        limits.name_bytes = MESSAGE_NAME_BYTES_MAX;
        limits.unacknowledged_bytes = UNACKNOWLEDGED_BYTES_MAX;
        welcome.has_version = true;
        welcome.version = PROTOCOL_VERSION;
        welcome.agent = text_of(answer->welcome.agent);
        welcome.job = text_of(answer->welcome.job);
        welcome.result = text_of(answer->welcome.result);
        welcome.has_kept = answer->number > 0;
        welcome.kept = answer->number;
        welcome.limits = &limits;
        welcome.stop = answer->welcome.stop.is_requested ? set_stop(&stop, &answer->welcome.stop) : NULL;
        message.message_case = EXPERIMENTS__AGENT__V1__AGENT_MESSAGE__MESSAGE_WELCOME;
        message.welcome = &welcome;
        return put_message(out, &message);
}

static int put_protobuf(struct buffer *out, const struct answer *answer) {
        Experiments__Agent__V1__Kept kept = EXPERIMENTS__AGENT__V1__KEPT__INIT;
        Experiments__Agent__V1__Rejected rejected = EXPERIMENTS__AGENT__V1__REJECTED__INIT;
        AgentMessage message = EXPERIMENTS__AGENT__V1__AGENT_MESSAGE__INIT;
        struct stop_message stop;

        if (answer->kind == ANSWER_WELCOME)
                return pack_welcome(out, answer);
        if (answer->kind == ANSWER_KEPT) {
                kept.has_number = true;
                kept.number = answer->number;
                message.message_case = EXPERIMENTS__AGENT__V1__AGENT_MESSAGE__MESSAGE_KEPT;
                message.kept = &kept;
        } else if (answer->kind == ANSWER_STOP) {
                message.message_case = EXPERIMENTS__AGENT__V1__AGENT_MESSAGE__MESSAGE_STOP;
                message.stop = set_stop(&stop, &answer->stop);
        } else {
                rejected.has_number = answer->number > 0;
                rejected.number = answer->number;
                rejected.code = text_of(answer->fault->code);
                rejected.message = text_of(answer->fault->message);
                message.message_case = EXPERIMENTS__AGENT__V1__AGENT_MESSAGE__MESSAGE_REJECTED;
                message.rejected = &rejected;
        }
        return put_message(out, &message);
}

int answer_put(struct buffer *out, enum encoding encoding, const struct answer *answer) {
        size_t before = out->size_bytes;
        int r = encoding == ENCODING_JSON ? put_json(out, answer) : put_protobuf(out, answer);

        if (r < 0)
                out->size_bytes = before;
        return r;
}
