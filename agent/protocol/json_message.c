#include "protocol/decoder.h"

#include <math.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "formats/json_walk.h"

enum type { TYPE_NUMBER, TYPE_TEXT, TYPE_METRICS, TYPE_PARAMETERS, TYPE_WISHES };

struct member {
        enum message_kind kind;
        struct slice camel, snake;
        enum type type;
        enum field field;
};

static const struct member members[] = {
        { MESSAGE_HELLO, SLICE("version"), SLICE("version"), TYPE_NUMBER, FIELD_VERSION },
        { MESSAGE_HELLO, SLICE("client"), SLICE("client"), TYPE_TEXT, FIELD_CLIENT },
        { MESSAGE_HELLO, SLICE("program"), SLICE("program"), TYPE_TEXT, FIELD_PROGRAM },
        { MESSAGE_HELLO, SLICE("pid"), SLICE("pid"), TYPE_NUMBER, FIELD_PID },
        { MESSAGE_HELLO, SLICE("rank"), SLICE("rank"), TYPE_NUMBER, FIELD_RANK },
        { MESSAGE_HELLO, SLICE("wishes"), SLICE("wishes"), TYPE_WISHES, 0 },
        { MESSAGE_REPORT, SLICE("number"), SLICE("number"), TYPE_NUMBER, FIELD_NUMBER },
        { MESSAGE_REPORT, SLICE("epoch"), SLICE("epoch"), TYPE_NUMBER, FIELD_EPOCH },
        { MESSAGE_REPORT, SLICE("step"), SLICE("step"), TYPE_NUMBER, FIELD_STEP },
        { MESSAGE_REPORT, SLICE("time"), SLICE("time"), TYPE_NUMBER, FIELD_TIME },
        { MESSAGE_REPORT, SLICE("metrics"), SLICE("metrics"), TYPE_METRICS, 0 },
        { MESSAGE_REPORT, SLICE("totalEpochs"), SLICE("total_epochs"), TYPE_NUMBER, FIELD_TOTAL_EPOCHS },
        { MESSAGE_REPORT, SLICE("outputPath"), SLICE("output_path"), TYPE_TEXT, FIELD_OUTPUT_PATH },
        { MESSAGE_REPORT, SLICE("checkpoint"), SLICE("checkpoint"), TYPE_TEXT, FIELD_CHECKPOINT },
        { MESSAGE_PARAMETERS, SLICE("number"), SLICE("number"), TYPE_NUMBER, FIELD_NUMBER },
        { MESSAGE_PARAMETERS, SLICE("values"), SLICE("values"), TYPE_PARAMETERS, 0 },
        { MESSAGE_END, SLICE("number"), SLICE("number"), TYPE_NUMBER, FIELD_NUMBER },
        { MESSAGE_END, SLICE("exitStatus"), SLICE("exit_status"), TYPE_NUMBER, FIELD_EXIT_STATUS },
        { MESSAGE_END, SLICE("message"), SLICE("message"), TYPE_TEXT, FIELD_END_MESSAGE },
};

static const struct {
        struct slice name;
        enum message_kind kind;
} kinds[] = {
        { SLICE("hello"), MESSAGE_HELLO }, { SLICE("report"), MESSAGE_REPORT }, { SLICE("parameters"), MESSAGE_PARAMETERS },
        { SLICE("end"), MESSAGE_END },     { SLICE("ping"), MESSAGE_PING },
};

enum { N_MEMBERS = sizeof(members) / sizeof(members[0]), N_KINDS = sizeof(kinds) / sizeof(kinds[0]), NAME_BYTES_MAX = 64 };

static bool is_null(struct slice value) {
        return slice_equal(value, SLICE("null")) || slice_equal(value, SLICE("None"));
}

/* Of a value that was checked. */
static bool is_bool(struct slice value) {
        return value.data[0] == 't' || value.data[0] == 'f';
}

static bool is_quoted(struct slice value) {
        return value.size_bytes > 0 && value.data[0] == '"';
}

/* In quotes only what JSON has no other way to say. */
static bool read_number(struct slice value, double *ret_number) {
        return !json_is_object(value) && !json_is_list(value) && json_number(value, ret_number) &&
               (!is_quoted(value) || !isfinite(*ret_number));
}

/* A key as it is meant, escapes and all (RFC 8259, 8.3); empty when it is longer than any that is known. */
static struct slice plain_key(struct slice key, struct buffer *room) {
        if (!memchr(key.data, '\\', key.size_bytes))
                return key;
        buffer_clear(room);
        return json_decode_text(room, key) == 0 ? buffer_slice(room) : (struct slice){ 0 };
}

/* An escape "\u" that says nothing is two bytes and becomes three: U+FFFD. */
static size_t decoded_bytes_max(struct slice line) {
        return line.size_bytes + line.size_bytes / 2 + 1;
}

/* Without escapes it is borrowed where it lies. The room was reserved when the message began: nothing moves or fails. */
static struct slice decode(struct decoder *decoder, struct slice raw) {
        size_t before = decoder->texts.size_bytes;

        if (!memchr(raw.data, '\\', raw.size_bytes))
                return raw;
        (void)json_decode_text(&decoder->texts, raw);
        return (struct slice){ decoder->texts.data + before, decoder->texts.size_bytes - before };
}

static bool reject_type(struct decoder *decoder, const struct member *member, const char *expected) {
        char name[NAME_BYTES_MAX];

        (void)snprintf(name, sizeof(name), "%s.%s", kinds[member->kind - MESSAGE_HELLO].name.data, member->camel.data);
        return decoder_reject(decoder, "invalid-value", name, expected);
}

static bool take_number(struct decoder *decoder, const struct member *member, struct slice value) {
        double number;

        return read_number(value, &number) ? decoder_set_number(decoder, member->field, number)
                                           : reject_type(decoder, member, "a number");
}

static bool take_text(struct decoder *decoder, const struct member *member, struct slice value) {
        struct slice raw;

        return is_quoted(value) && json_text(value, &raw) ? decoder_set_text(decoder, member->field, decode(decoder, raw))
                                                          : reject_type(decoder, member, "a string");
}

static bool take_metrics(struct decoder *decoder, struct slice value) {
        struct json_walk walk = json_walk_into(value);
        struct slice key, item;
        double number;

        if (!json_is_object(value))
                return decoder_reject(decoder, "invalid-value", "report.metrics", "an object, name to number");
        decoder_clear_names(decoder);
        while (json_walk_next(&walk, &key, &item)) {
                if (is_null(item))
                        continue;
                if (!read_number(item, &number))
                        return decoder_reject(decoder, "invalid-value", "report.metrics", "a number as each value");
                if (!decoder_add_metric(decoder, decode(decoder, key), number))
                        return false;
        }
        return true;
}

static bool read_parameter(struct decoder *decoder, struct slice value, struct parameter *parameter) {
        struct slice raw;

        if (is_quoted(value) && json_text(value, &raw)) {
                parameter->kind = PARAMETER_TEXT;
                parameter->text = decode(decoder, raw);
        } else if (is_bool(value)) {
                parameter->kind = PARAMETER_BOOLEAN;
                parameter->boolean = value.data[0] == 't';
        } else if (is_null(value)) {
                parameter->kind = PARAMETER_NULL;
        } else {
                parameter->kind = PARAMETER_NUMBER;
                return read_number(value, &parameter->number);
        }
        return true;
}

static bool take_parameters(struct decoder *decoder, struct slice value) {
        struct json_walk walk = json_walk_into(value);
        struct slice key, item;

        if (!json_is_object(value))
                return decoder_reject(decoder, "invalid-value", "parameters.values", "an object, name to value");
        decoder_clear_names(decoder);
        while (json_walk_next(&walk, &key, &item)) {
                struct parameter parameter = { .name = decode(decoder, key) };

                if (!read_parameter(decoder, item, &parameter))
                        return decoder_reject(decoder, "invalid-value", "parameters.values",
                                            "a number, a string, true, false or null as each value");
                if (!decoder_add_parameter(decoder, &parameter))
                        return false;
        }
        return true;
}

static bool take_wishes(struct decoder *decoder, struct slice value) {
        struct hello *hello = &decoder->message->hello;
        CLEANUP(buffer_release) struct buffer room = BUFFER_INIT(NAME_BYTES_MAX);
        struct json_walk walk = json_walk_into(value);
        struct slice key, item;

        if (!json_is_object(value))
                return decoder_reject(decoder, "invalid-value", "hello.wishes", "an object");
        while (json_walk_next(&walk, &key, &item)) {
                struct slice plain = plain_key(key, &room);
                bool *wish = slice_equal(plain, SLICE("noKept")) || slice_equal(plain, SLICE("no_kept")) ? &hello->no_kept :
                             slice_equal(plain, SLICE("noStop")) || slice_equal(plain, SLICE("no_stop")) ? &hello->no_stop : NULL;

                if (!wish || is_null(item))
                        continue;
                if (!is_bool(item))
                        return decoder_reject(decoder, "invalid-value", "hello.wishes", "true or false");
                *wish = item.data[0] == 't';
        }
        return true;
}

static bool take_member(struct decoder *decoder, const struct member *member, struct slice value) {
        switch (member->type) {
        case TYPE_NUMBER: return take_number(decoder, member, value);
        case TYPE_TEXT: return take_text(decoder, member, value);
        case TYPE_METRICS: return take_metrics(decoder, value);
        case TYPE_PARAMETERS: return take_parameters(decoder, value);
        case TYPE_WISHES: return take_wishes(decoder, value);
        }
        return true;
}

static bool is_told_anyhow(const struct member *member) {
        return member->type == TYPE_NUMBER && (member->field == FIELD_NUMBER || member->field == FIELD_VERSION);
}

static const struct member *find_member(enum message_kind kind, struct slice key) {
        CLEANUP(buffer_release) struct buffer room = BUFFER_INIT(NAME_BYTES_MAX);
        struct slice plain = plain_key(key, &room);

        for (size_t i = 0; i < N_MEMBERS; i++)
                if (members[i].kind == kind && (slice_equal(plain, members[i].camel) || slice_equal(plain, members[i].snake)))
                        return &members[i];
        return NULL;
}

/* Whatever is wrong, the client is told of which message, and which version is spoken: behind a fault these alone are
 * looked for. */
static void take_members(struct decoder *decoder, enum message_kind kind, struct slice object) {
        struct json_walk walk = json_walk_into(object);
        struct slice key, value;
        bool ok = true;

        while (json_walk_next(&walk, &key, &value)) {
                const struct member *member = find_member(kind, key);

                if (member && !is_null(value) && (ok || is_told_anyhow(member)))
                        ok = take_member(decoder, member, value) && ok;
        }
        if (!ok)
                decoder->fault->number = decoder->message->number;
}

/* Which message is it? With its object. */
static enum message_kind kind_of(struct slice line, struct slice *ret_object) {
        CLEANUP(buffer_release) struct buffer room = BUFFER_INIT(NAME_BYTES_MAX);
        struct json_walk walk = json_walk_into(line);
        struct slice key, second_key, second;

        if (!json_walk_next(&walk, &key, ret_object) || !json_is_object(*ret_object))
                return MESSAGE_LINE;
        if (json_walk_next(&walk, &second_key, &second))
                return MESSAGE_LINE;
        key = plain_key(key, &room);
        for (size_t i = 0; i < N_KINDS; i++)
                if (slice_equal(key, kinds[i].name))
                        return kinds[i].kind;
        return MESSAGE_NESTED;
}

int json_message_take(struct decoder *decoder, struct slice line, struct message *message, struct fault *fault) {
        const char *at = line.data, *end = line.data + line.size_bytes, *expected;
        struct slice object = { 0 };
        enum message_kind kind;
        bool is_cut;
        int r = decoder_start(decoder, MESSAGE_UNKNOWN, 0, message, fault);

        if (r < 0)
                return r;
        expected = json_is_object(line) ? json_check(&at, end, &is_cut) : "a JSON object, { … }";
        if (!expected && json_skip_blanks(at, end) < end)
                expected = "nothing behind the object";
        if (expected) {
                char place[48];

                (void)snprintf(place, sizeof(place), "column %zu", (size_t)(at - line.data) + 1);
                (void)decoder_reject(decoder, "malformed", place, expected);
                return 0;
        }
        kind = kind_of(line, &object);
        r = decoder_start(decoder, kind, memchr(line.data, '\\', line.size_bytes) ? decoded_bytes_max(line) : 0, message, fault);
        if (r == 0 && kind < MESSAGE_LINE)
                take_members(decoder, kind, object);
        return r;
}
