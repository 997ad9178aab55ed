/* JSON lines, one pass over each line.
 *
 * A trainer's lines look alike: the same keys in the same order, with other numbers. So the last
 * line that was read with care is kept as a shape: what stands between its values (gaps), and what
 * each value means. A line of that shape costs one comparison and one number a value. */
#include "formats/jsonl.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/number.h"
#include "formats/json_scan.h"
#include "formats/keys.h"
#include "formats/lines.h"

enum {
        SLOTS_MAX = RECORD_METRICS_MAX, /* values of one line that are looked at */
        DEPTH_MAX = 8,
        NAMES_BYTES_MAX = 4 * LINE_BYTES_MAX,
};

/* One value of the shape, and what stands before it. */
struct slot {
        size_t gap_start, gap_bytes;   /* in the shape's line */
        size_t name_start, name_bytes; /* in the shape's names */
        struct key key;
};

struct shape {
        struct buffer line, names;
        struct slot *slots;
        size_t n_slots, slots_capacity;
        size_t tail_start; /* what stands behind the last value */
        bool is_usable;
};

struct parser {
        struct shape shape;
        struct record_builder builder;
        struct buffer output_path, checkpoint; /* decoded, where they have escapes */
};

/* Part of a buffer that may move while it grows. */
struct span {
        size_t start, size_bytes;
};

/* Reading one line with care. */
struct reading {
        struct shape *shape;
        struct json_scalar *scalars; /* one a slot; NULL: not asked for */
        const char *start, *at, *end;
        size_t gap_start;
        const char *expected; /* what was missing at `at` */
        int error;
};

/* --- the shape --- */

static void shape_release(struct shape *shape) {
        buffer_release(&shape->line);
        buffer_release(&shape->names);
        free(shape->slots);
}

static void shape_clear(struct shape *shape) {
        buffer_clear(&shape->line);
        buffer_clear(&shape->names);
        shape->n_slots = 0;
        shape->is_usable = false;
}

static struct slice slot_name(const struct shape *shape, const struct slot *slot) {
        return (struct slice){ shape->names.data + slot->name_start, slot->name_bytes };
}

static struct slot *shape_add_slot(struct shape *shape) {
        if (shape->n_slots == shape->slots_capacity) {
                size_t capacity = shape->slots_capacity ? 2 * shape->slots_capacity : 16;
                struct slot *slots = reallocarray(shape->slots, capacity, sizeof(*slots));

                if (!slots)
                        return NULL;
                shape->slots = slots;
                shape->slots_capacity = capacity;
        }
        return &shape->slots[shape->n_slots++];
}

/* Of a key that occurs twice, the last counts, as in Python's json. */
static void shape_drop_duplicates(struct shape *shape) {
        for (size_t i = 0; i < shape->n_slots; i++)
                for (size_t j = i + 1; j < shape->n_slots; j++)
                        if (shape->slots[i].name_bytes == shape->slots[j].name_bytes &&
                            slice_equal(slot_name(shape, &shape->slots[i]), slot_name(shape, &shape->slots[j]))) {
                                shape->slots[i].key.role = KEY_IGNORED;
                                break;
                        }
}

/* --- values into the record --- */

/* A text is decoded only where it is a path: a number, or a time, has no escapes. */
static int add_text(struct parser *parser, struct key key, struct slice name, const struct json_scalar *scalar) {
        struct slice text = scalar->text;
        bool is_path = key.role == KEY_OUTPUT_PATH || key.role == KEY_CHECKPOINT;

        if (is_path && scalar->has_escapes) {
                struct buffer *decoded =
                        key.role == KEY_OUTPUT_PATH ? &parser->output_path : &parser->checkpoint;
                int r;

                buffer_clear(decoded);
                r = json_decode_text(decoded, text);
                if (r < 0)
                        return r;
                text = buffer_slice(decoded);
        }
        return builder_add_text(&parser->builder, key, name, text);
}

static inline int add_scalar(struct parser *parser, const struct slot *slot, const struct json_scalar *scalar) {
        struct slice name = slot_name(&parser->shape, slot);

        switch (scalar->kind) {
        case JSON_NUMBER:
                return builder_add_number(&parser->builder, slot->key, name, scalar->number);
        case JSON_TEXT:
                return slot->key.role == KEY_IGNORED ? 0 : add_text(parser, slot->key, name, scalar);
        case JSON_BOOL:
                builder_add_bool(&parser->builder, slot->key, scalar->boolean);
                return 0;
        case JSON_NULL:
        case JSON_LIST:
                break;
        }
        return 0;
}

/* --- a line of the known shape --- */

/* True when the line was read; false when it is of another shape, or wrong. */
static bool read_quickly(struct parser *parser, struct slice line, int *ret_error) {
        const struct shape *shape = &parser->shape;
        const char *at = line.data, *end = at + line.size_bytes;

        builder_start(&parser->builder);
        *ret_error = 0;
        for (size_t i = 0; i < shape->n_slots; i++) {
                const struct slot *slot = &shape->slots[i];
                struct json_scalar scalar;

                if ((size_t)(end - at) < slot->gap_bytes ||
                    memcmp(at, shape->line.data + slot->gap_start, slot->gap_bytes) != 0)
                        return false;
                at += slot->gap_bytes;
                if (json_scan_scalar(&at, end, &scalar))
                        return false;
                *ret_error = add_scalar(parser, slot, &scalar);
                if (*ret_error < 0)
                        return false;
        }
        return slice_equal((struct slice){ at, (size_t)(end - at) },
                           (struct slice){ shape->line.data + shape->tail_start,
                                           shape->line.size_bytes - shape->tail_start });
}

/* --- a line with care --- */

static bool fail(struct reading *reading, const char *expected) {
        reading->expected = expected;
        return false;
}

static bool take_char(struct reading *reading, char c, const char *expected) {
        reading->at = json_skip_blanks(reading->at, reading->end);
        if (reading->at == reading->end || *reading->at != c)
                return fail(reading, expected);
        reading->at++;
        return true;
}

/* A buffer that is full is the line's fault; no memory is not. */
static bool check_memory(struct reading *reading, int r) {
        if (r == -ENOBUFS)
                return fail(reading, "shorter names: together they are over 4 MiB");
        if (r < 0)
                reading->error = r;
        return r == 0;
}

static bool read_value(struct reading *reading, size_t name_start) {
        struct json_scalar ignored, *scalar = &ignored;
        size_t n = reading->shape->n_slots;
        struct slot *slot;
        const char *wrong, *start = reading->at;

        if (n < SLOTS_MAX && reading->scalars)
                scalar = &reading->scalars[n];
        wrong = json_scan_scalar(&reading->at, reading->end, scalar);
        if (wrong)
                return fail(reading, wrong);
        if (n == SLOTS_MAX)
                return true;
        slot = shape_add_slot(reading->shape);
        if (!slot)
                return check_memory(reading, -ENOMEM);
        *slot = (struct slot){
                .gap_start = reading->gap_start,
                .gap_bytes = (size_t)(start - reading->start) - reading->gap_start,
                .name_start = name_start,
                .name_bytes = reading->shape->names.size_bytes - name_start,
        };
        slot->key = key_of(slot_name(reading->shape, slot));
        reading->gap_start = (size_t)(reading->at - reading->start);
        return true;
}

static bool read_object(struct reading *reading, struct span branch, int depth);

/* "key": value, where the whole name is branch/key. */
static bool read_member(struct reading *reading, struct span branch, int depth) {
        struct buffer *names = &reading->shape->names;
        size_t name_start = names->size_bytes;
        struct slice key;
        const char *wrong;
        bool has_escapes;

        reading->at = json_skip_blanks(reading->at, reading->end);
        if (reading->at == reading->end || *reading->at != '"')
                return fail(reading, "a key in quotes");
        wrong = json_scan_text(&reading->at, reading->end, &key, &has_escapes);
        if (wrong)
                return fail(reading, wrong);
        if (!check_memory(reading, buffer_reserve(names, branch.size_bytes + 1)))
                return false;
        if (branch.size_bytes > 0) {
                (void)buffer_append(names, names->data + branch.start, branch.size_bytes);
                (void)buffer_append_char(names, '/');
        }
        if (!check_memory(reading, json_decode_text(names, key)) || !take_char(reading, ':', "a colon after the key"))
                return false;
        reading->at = json_skip_blanks(reading->at, reading->end);
        if (reading->at < reading->end && *reading->at == '{')
                return read_object(reading, (struct span){ name_start, names->size_bytes - name_start },
                                   depth + 1);
        return read_value(reading, name_start);
}

static bool read_object(struct reading *reading, struct span branch, int depth) {
        if (depth > DEPTH_MAX)
                return fail(reading, "at most 8 levels of objects");
        if (!take_char(reading, '{', "a JSON object, { … }"))
                return false;
        reading->at = json_skip_blanks(reading->at, reading->end);
        if (reading->at < reading->end && *reading->at == '}') {
                reading->at++;
                return true;
        }
        for (;;) {
                if (!read_member(reading, branch, depth))
                        return false;
                reading->at = json_skip_blanks(reading->at, reading->end);
                if (reading->at < reading->end && *reading->at == ',') {
                        reading->at++;
                        continue;
                }
                return take_char(reading, '}', "a comma or }");
        }
}

/* NULL, or what was expected; *ret_column counts from 1. */
static const char *read_carefully(struct shape *shape, struct slice line, struct json_scalar *scalars,
                                  size_t *ret_column, int *ret_error) {
        struct reading reading = { .shape = shape, .scalars = scalars, .start = line.data, .at = line.data,
                                   .end = line.data + line.size_bytes };
        bool ok;

        shape_clear(shape);
        ok = check_memory(&reading, buffer_append(&shape->line, line.data, line.size_bytes)) &&
             read_object(&reading, (struct span){ 0 }, 1);
        if (ok) {
                reading.at = json_skip_blanks(reading.at, reading.end);
                if (reading.at < reading.end)
                        ok = fail(&reading, "the end of the line after }");
        }
        *ret_column = (size_t)(reading.at - reading.start) + 1;
        *ret_error = reading.error;
        if (!ok)
                return reading.expected;
        shape->tail_start = reading.gap_start;
        shape_drop_duplicates(shape);
        shape->is_usable = shape->n_slots < SLOTS_MAX;
        return NULL;
}

/* --- lines --- */

static void deliver(struct parser *parser, struct parse_context *context) {
        struct record *record = &parser->builder.record;

        if (!builder_has_content(&parser->builder))
                return;
        record->source = context->source;
        record->line = context->line;
        context->sink->take_record(context->sink->userdata, record);
}

static int take_carefully(struct parser *parser, struct slice line, struct parse_context *context) {
        struct json_scalar *scalars = malloc(SLOTS_MAX * sizeof(*scalars));
        const char *expected;
        size_t column;
        int r = 0;

        if (!scalars)
                return -ENOMEM;
        expected = read_carefully(&parser->shape, line, scalars, &column, &r);
        builder_start(&parser->builder);
        for (size_t i = 0; !expected && r == 0 && i < parser->shape.n_slots; i++)
                r = add_scalar(parser, &parser->shape.slots[i], &scalars[i]);
        free(scalars);
        if (r < 0)
                return r;
        if (expected) {
                shape_clear(&parser->shape);
                line_reject(context, line, column, expected);
        } else {
                deliver(parser, context);
        }
        return 0;
}

static int take_line(struct parser *parser, struct slice line, struct parse_context *context) {
        int r;

        if (line.size_bytes == 0 || line.data[0] != '{' || line.data[line.size_bytes - 1] != '}')
                line = line_trim(line, context->line == 1);
        if (line.size_bytes == 0 || line.data[0] == '#')
                return 0;
        if (line.data[0] != '{') {
                line_reject(context, line, 1, "a JSON object, { … }");
                return 0;
        }
        if (parser->shape.is_usable && read_quickly(parser, line, &r)) {
                deliver(parser, context);
                return 0;
        }
        return take_carefully(parser, line, context);
}

static ssize_t consume(struct parser *parser, struct slice bytes, bool final, struct parse_context *context) {
        return lines_consume(parser, bytes, final, context, take_line);
}

/* --- recognising --- */

enum says { SAYS_NOTHING, SAYS_METRIC, SAYS_X };

static enum says what_it_says(const struct shape *shape, const struct json_scalar *scalars) {
        enum says says = SAYS_NOTHING;

        for (size_t i = 0; i < shape->n_slots; i++) {
                enum key_role role = shape->slots[i].key.role;
                double number;
                bool is_number = scalars[i].kind == JSON_NUMBER ||
                                 (scalars[i].kind == JSON_TEXT && number_parse(scalars[i].text, &number));

                if (role == KEY_EPOCH || role == KEY_STEP || role == KEY_TRIAL)
                        return SAYS_X;
                if (role == KEY_METRIC && is_number)
                        says = SAYS_METRIC;
        }
        return says;
}

static enum says read_head_line(struct slice line) {
        struct shape shape = { .line = BUFFER_INIT(LINE_BYTES_MAX), .names = BUFFER_INIT(NAMES_BYTES_MAX) };
        struct json_scalar *scalars = malloc(SLOTS_MAX * sizeof(*scalars));
        enum says says = SAYS_NOTHING;
        size_t column;
        int error;

        if (scalars && !read_carefully(&shape, line, scalars, &column, &error))
                says = what_it_says(&shape, scalars);
        free(scalars);
        shape_release(&shape);
        return says;
}

/* A line that says where in the training it is, is a record. One without could as well be settings
 * (config.json on one line): it takes two of them. */
static enum recognition recognise(struct slice head, struct slice source, bool final) {
        (void)source;
        head = lines_skip_preamble(head);
        if (head.size_bytes == 0)
                return final ? RECOGNITION_NO : RECOGNITION_MORE;
        for (int n = 0; n < 2; n++) {
                bool complete;
                struct slice line = line_trim(lines_take_first(&head, &complete), false);
                enum says says;

                if (line.size_bytes > 0 && line.data[0] != '{')
                        return RECOGNITION_NO;
                if (!complete && !final)
                        return RECOGNITION_MORE;
                says = read_head_line(line);
                if (says == SAYS_X)
                        return RECOGNITION_YES;
                if (says == SAYS_NOTHING || !complete)
                        return RECOGNITION_NO;
        }
        return RECOGNITION_YES;
}

/* --- the format --- */

static int open_parser(struct parser **ret_parser) {
        struct parser *parser = calloc(1, sizeof(*parser));

        if (!parser)
                return -ENOMEM;
        parser->shape.line = BUFFER_INIT(LINE_BYTES_MAX);
        parser->shape.names = BUFFER_INIT(NAMES_BYTES_MAX);
        parser->output_path = parser->checkpoint = BUFFER_INIT(LINE_BYTES_MAX);
        *ret_parser = parser;
        return 0;
}

static void free_parser(struct parser *parser) {
        if (!parser)
                return;
        shape_release(&parser->shape);
        builder_release(&parser->builder);
        buffer_release(&parser->output_path);
        buffer_release(&parser->checkpoint);
        free(parser);
}

const struct format format_jsonl = {
        .name = "jsonl",
        .description = "JSON lines",
        .rank = SOURCE_STRUCTURED,
        .by_line = true,
        .recognise = recognise,
        .open = open_parser,
        .consume = consume,
        .free = free_parser,
};
