/* JSON lines, one pass over each line.
 *
 * A trainer's lines look alike: the same keys in the same order, with other numbers. So the last
 * line that was read with care is kept as a shape: what stands between its values (gaps), and what
 * each value means. A line of that shape costs one comparison and one number a value. */
#include "formats/jsonl.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/number.h"
#include "formats/evidence.h"
#include "formats/history.h"
#include "formats/json_scan.h"
#include "formats/keys.h"
#include "formats/lines.h"
#include "result/metric_name.h"

enum {
        SLOTS_MAX = RECORD_METRICS_MAX, /* values of one line that are looked at */
        DEPTH_MAX = 8,
        NAMES_BYTES_MAX = LINE_BYTES_MAX,
        SHAPE_LINE_BYTES_MAX = 32 * 1024, /* longer lines are read with care each time */
        TRAIN_NAMES_BYTES_MAX = 64 * 1024,
        HEAD_LINES_MAX = 200, /* of which none is a record: then the file is none of records */
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
        size_t tail_start;   /* what stands behind the last value */
        size_t mode_slot;    /* the value that says "train" or "val"; SIZE_MAX: none */
        size_t n_lists;      /* passed over */
        bool is_quiet;       /* numbers of no training: settings, a sample of a data set */
        bool is_usable;
};

struct parser {
        struct shape shape;
        struct record_builder builder;
        struct buffer output_path, checkpoint; /* decoded, where they have escapes */
        double last_epoch;                     /* NAN before the first line that has epoch and step */
        struct buffer train_names;             /* metrics of lines that say "train", each between NULs */
        struct buffer prefixed;                /* names that begin with what the line says of itself */
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
        shape->n_lists = 0;
        shape->mode_slot = SIZE_MAX;
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

/* MMCV and others: one name in lines of training and of validation, and a word that says which. */
static bool is_mode(struct slice name) {
        static const char *const names[] = { "mode", "split", "phase", "stage", "subset" };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (slice_equal(name, slice_from(names[i])))
                        return true;
        return false;
}

static bool scalar_number(const struct json_scalar *scalar, double *ret_number) {
        if (scalar->kind == JSON_TEXT)
                return number_parse(scalar->text, ret_number);
        if (scalar->kind == JSON_NUMBER)
                *ret_number = scalar->number;
        return scalar->kind == JSON_NUMBER;
}

/* What the line says by its names, and by which of them have numbers. */
static struct evidence shape_evidence(const struct shape *shape, const struct json_scalar *scalars) {
        struct evidence evidence = { 0 };

        for (size_t i = 0; i < shape->n_slots; i++) {
                const struct slot *slot = &shape->slots[i];
                double number;

                if (scalar_number(&scalars[i], &number))
                        evidence_add_number(&evidence, slot_name(shape, slot), slot->key);
                else
                        evidence_add_other(&evidence, slot_name(shape, slot), slot->key);
        }
        return evidence;
}

static void shape_judge(struct shape *shape, const struct json_scalar *scalars) {
        struct evidence evidence = shape_evidence(shape, scalars);

        shape->is_quiet = evidence.has_x ? evidence.has_samples && !evidence.has_epoch
                                         : evidence.has_samples || evidence.n_results == 0;
        for (size_t i = 0; i < shape->n_slots; i++) {
                if (scalars[i].kind == JSON_LIST)
                        shape->n_lists++;
                if (scalars[i].kind == JSON_TEXT && is_mode(slot_name(shape, &shape->slots[i])))
                        shape->mode_slot = i;
        }
        /* A number that is null in one line can be one in the next of the same shape. */
        shape->is_usable = shape->n_slots < SLOTS_MAX && shape->mode_slot == SIZE_MAX && !shape->is_quiet &&
                           shape->line.size_bytes > 0;
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
                return fail(reading, "shorter names: together they are over 128 KiB");
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
        ok = (line.size_bytes > SHAPE_LINE_BYTES_MAX ||
              check_memory(&reading, buffer_append(&shape->line, line.data, line.size_bytes))) &&
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
        if (scalars)
                shape_judge(shape, scalars);
        return NULL;
}

/* --- what a line means beside others --- */

/* mmengine: "step" is the iteration in lines of training, which have the epoch too, but the epoch in
 * those of validation. */
static void settle_x(struct parser *parser, struct record *record) {
        if (!isnan(record->epoch)) {
                if (!isnan(record->step))
                        parser->last_epoch = record->epoch;
        } else if (record->step <= parser->last_epoch) {
                record->epoch = record->step;
                record->step = NAN;
        }
}

static bool is_train_name(const struct parser *parser, struct slice name) {
        const char *at = parser->train_names.data, *end, *found;

        if (!at)
                return false;
        end = at + parser->train_names.size_bytes;
        while (at < end && (found = memmem(at, (size_t)(end - at), name.data, name.size_bytes))) {
                if (found > at && found + name.size_bytes < end && found[-1] == '\0' &&
                    found[name.size_bytes] == '\0')
                        return true;
                at = found + name.size_bytes;
        }
        return false;
}

/* More names than there is room for are forgotten. */
static int remember_train_names(struct parser *parser) {
        const struct record *record = &parser->builder.record;
        struct buffer *names = &parser->train_names;

        for (size_t i = 0; i < record->n_metrics; i++) {
                struct slice name = record->metrics[i].name;
                int r;

                if (is_train_name(parser, name))
                        continue;
                r = buffer_reserve(names, name.size_bytes + 2);
                if (r == -ENOBUFS)
                        return 0;
                if (r < 0)
                        return r;
                (void)buffer_append_char(names, '\0');
                (void)buffer_append(names, name.data, name.size_bytes);
                (void)buffer_append_char(names, '\0');
        }
        return 0;
}

/* Losses that are not of training, and what lines of training have under the same name. */
static bool takes_prefix(const struct parser *parser, struct slice name) {
        return metric_kind_of(name) != METRIC_SCHEDULE && (is_train_name(parser, name) || metric_is_minimized(name));
}

static int prefix_names(struct parser *parser, struct slice mode) {
        const struct record *record = &parser->builder.record;
        size_t n_bytes = 0;
        int r;

        for (size_t i = 0; i < record->n_metrics; i++)
                n_bytes += mode.size_bytes + 1 + record->metrics[i].name.size_bytes;
        buffer_clear(&parser->prefixed);
        r = buffer_reserve(&parser->prefixed, n_bytes); /* so that it does not move below */
        if (r < 0)
                return r == -ENOBUFS ? 0 : r;
        for (size_t i = 0; i < record->n_metrics; i++) {
                struct slice *name = &parser->builder.metrics[i].name;
                size_t start = parser->prefixed.size_bytes;

                if (!takes_prefix(parser, *name))
                        continue;
                (void)buffer_append(&parser->prefixed, mode.data, mode.size_bytes);
                (void)buffer_append_char(&parser->prefixed, '/');
                (void)buffer_append(&parser->prefixed, name->data, name->size_bytes);
                *name = (struct slice){ parser->prefixed.data + start, parser->prefixed.size_bytes - start };
        }
        return 0;
}

static int apply_mode(struct parser *parser, struct slice mode) {
        static const char *const validation[] = { "val", "valid", "validation", "eval", "evaluation", "test", "dev" };

        if (mode.size_bytes >= 5 && strncasecmp(mode.data, "train", 5) == 0)
                return remember_train_names(parser);
        for (size_t i = 0; i < sizeof(validation) / sizeof(validation[0]); i++)
                if (mode.size_bytes == strlen(validation[i]) &&
                    strncasecmp(mode.data, validation[i], mode.size_bytes) == 0)
                        return prefix_names(parser, mode);
        return 0;
}

/* The summary at the end is no point of the curve, nor are the numbers of a quiet line. */
static void drop_what_is_no_point(struct parser *parser) {
        bool is_summary = false;

        for (size_t i = 0; i < parser->shape.n_slots; i++)
                is_summary = is_summary || key_is_of_summary(slot_name(&parser->shape, &parser->shape.slots[i]));
        if (is_summary)
                parser->shape.is_usable = false;
        if (is_summary || parser->shape.is_quiet)
                parser->builder.record.n_metrics = 0;
}

/* --- lines --- */

static void deliver(struct parser *parser, struct parse_context *context) {
        struct record *record = &parser->builder.record;

        if (!builder_has_content(&parser->builder))
                return;
        settle_x(parser, record);
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
        if (!expected && r == 0) {
                drop_what_is_no_point(parser);
                if (parser->shape.mode_slot != SIZE_MAX)
                        r = apply_mode(parser, scalars[parser->shape.mode_slot].text);
        }
        free(scalars);
        if (r < 0)
                return r;
        if (!expected && parser->shape.n_lists > 0)
                line_passed(context, line, 0, "lists, which are no numbers, here and in lines like this");
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

/* What was learnt from the lines of a file's head. */
struct guess {
        double last_x;
        int n_ascending; /* lines with metrics whose x grew from one to the next */
        int n_rows;      /* lines without x that could be rows of results */
        bool is_bare;    /* the last line is an object, and has no list that could be a whole history */
};

static double first_x(const struct shape *shape, const struct json_scalar *scalars) {
        for (size_t i = 0; i < shape->n_slots; i++) {
                double number;

                if (key_is_x(shape->slots[i].key) && scalar_number(&scalars[i], &number))
                        return number;
        }
        return NAN;
}

/* A list of objects or lists in it: this can be a document on one line. */
static bool has_deep_list(const struct shape *shape, const struct json_scalar *scalars) {
        for (size_t i = 0; i < shape->n_slots; i++) {
                struct slice list = scalars[i].text;
                const char *at;

                if (scalars[i].kind != JSON_LIST)
                        continue;
                at = json_skip_blanks(list.data + 1, list.data + list.size_bytes);
                if (*at == '{' || *at == '[')
                        return true;
        }
        return false;
}

/* A line that says where in the training it is and names a result is a record; others need one like
 * them behind, since one could as well be settings (config.json on one line). */
static bool is_enough(struct guess *guess, const struct shape *shape, const struct json_scalar *scalars) {
        struct evidence evidence = shape_evidence(shape, scalars);
        double x = first_x(shape, scalars);

        guess->is_bare = !has_deep_list(shape, scalars);
        if (evidence_is_history(&evidence))
                return true;
        if (evidence.has_samples || evidence.has_subjects)
                return false;
        if (!evidence.has_x)
                return evidence_may_be_rows(&evidence) && ++guess->n_rows >= 2;
        if (evidence.n_metrics == 0)
                return false;
        if (evidence.has_epoch)
                return true;
        guess->n_ascending = x > guess->last_x ? guess->n_ascending + 1 : 1;
        guess->last_x = x;
        return guess->n_ascending >= 2;
}

static enum recognition judge_line(struct guess *guess, struct slice line) {
        struct shape shape = { .line = BUFFER_INIT(SHAPE_LINE_BYTES_MAX), .names = BUFFER_INIT(NAMES_BYTES_MAX) };
        static struct json_scalar scalars[SLOTS_MAX]; /* nothing of it stays; without memory for it we could not say no */
        enum recognition answer = RECOGNITION_NO;
        size_t column;
        int error;

        if (!read_carefully(&shape, line, scalars, &column, &error))
                answer = is_enough(guess, &shape, scalars) ? RECOGNITION_YES : RECOGNITION_MORE;
        shape_release(&shape);
        return answer;
}

/* A first line that may also be all of a document: it takes a second object to tell. */
static enum recognition wait_for_second(struct slice rest, bool final) {
        const char *at = json_skip_blanks(rest.data, rest.data + rest.size_bytes);

        if (at == rest.data + rest.size_bytes)
                return final ? RECOGNITION_NO : RECOGNITION_MORE;
        return *at == '{' ? RECOGNITION_YES : RECOGNITION_NO;
}

static enum recognition recognise(struct slice head, struct slice source, bool final) {
        struct guess guess = { .last_x = NAN };
        int n_objects = 0;

        if (head.size_bytes < 3 && slice_starts_with(SLICE("\xef\xbb\xbf"), head) && !final)
                return RECOGNITION_MORE;
        head = lines_skip_preamble(head);
        for (int n = 0; n < HEAD_LINES_MAX && head.size_bytes > 0; n++) {
                bool complete;
                struct slice line = line_trim(lines_take_first(&head, &complete), false);
                enum recognition answer;

                if (line.size_bytes == 0 || line.data[0] == '#')
                        continue;
                if (line.data[0] != '{')
                        return RECOGNITION_NO;
                if (!complete && !final)
                        return RECOGNITION_MORE;
                answer = judge_line(&guess, line);
                if (answer == RECOGNITION_NO && n_objects == 0)
                        return RECOGNITION_NO;
                if (answer == RECOGNITION_YES && n_objects == 0 &&
                    (!guess.is_bare || history_is_snapshot_name(source)))
                        return wait_for_second(head, final);
                if (answer == RECOGNITION_YES)
                        return RECOGNITION_YES;
                n_objects++;
                if (n == HEAD_LINES_MAX - 1)
                        return RECOGNITION_NO;
        }
        return final ? RECOGNITION_NO : RECOGNITION_MORE;
}

/* --- the format --- */

static int open_parser(struct parser **ret_parser) {
        struct parser *parser = calloc(1, sizeof(*parser));

        if (!parser)
                return -ENOMEM;
        parser->shape.line = BUFFER_INIT(SHAPE_LINE_BYTES_MAX);
        parser->shape.names = BUFFER_INIT(NAMES_BYTES_MAX);
        parser->output_path = parser->checkpoint = BUFFER_INIT(LINE_BYTES_MAX);
        parser->train_names = BUFFER_INIT(TRAIN_NAMES_BYTES_MAX);
        parser->prefixed = BUFFER_INIT(NAMES_BYTES_MAX);
        parser->last_epoch = NAN;
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
        buffer_release(&parser->train_names);
        buffer_release(&parser->prefixed);
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
