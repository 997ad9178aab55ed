#include "formats/wandb.h"

#include <errno.h>
#include <stdlib.h>

#include <wandb/record.pb-c.h>

#include "base/buffer.h"
#include "base/number.h"
#include "formats/journal.h"
#include "formats/keys.h"
#include "formats/lines.h"
#include "formats/message.h"

struct parser {
        struct journal_reader reader;
        struct message_memory memory;
        struct record_builder builder;
        struct buffer names; /* nested ones, joined */
};

static void reject(struct parse_context *context, const char *expected) {
        line_reject(context, (struct slice){ 0 }, 0, expected);
}

/* --- items --- */

static struct slice slice_of(const ProtobufCBinaryData *data) {
        return (struct slice){ (const char *)data->data, data->len };
}

/* {"val": {"acc": 1}} has the levels val and acc; its name is val/acc. There is room for it. */
static struct slice join_name(struct buffer *names, const Wandb__Item *item) {
        size_t start = names->size_bytes;

        if (item->n_nested_key == 0)
                return slice_of(&item->key);
        if (item->n_nested_key == 1)
                return slice_of(&item->nested_key[0]);
        for (size_t i = 0; i < item->n_nested_key; i++) {
                if (i > 0)
                        (void)buffer_append_char(names, '/');
                (void)buffer_append(names, item->nested_key[i].data, item->nested_key[i].len);
        }
        return (struct slice){ names->data + start, names->size_bytes - start };
}

/* Names are borrowed by the record, so their buffer must not move any more. */
static int reserve_names(struct buffer *names, const Wandb__History *history) {
        size_t size = 0;

        for (size_t i = 0; i < history->n_item; i++)
                for (size_t j = 0; j < history->item[i]->n_nested_key; j++)
                        size += history->item[i]->nested_key[j].len + 1;
        buffer_clear(names);
        return buffer_reserve(names, size);
}

/* Of W&B's own keys two say where and when; the others (_runtime, _wandb) are book-keeping. */
static struct key key_of_name(struct slice name) {
        if (name.data[0] != '_')
                return key_of(name);
        if (slice_equal(name, SLICE("_step")))
                return key_of(SLICE("step"));
        if (slice_equal(name, SLICE("_timestamp")))
                return key_of(SLICE("timestamp"));
        return (struct key){ .role = KEY_IGNORED };
}

static bool read_number(const Wandb__Item *item, double *ret_value) {
        switch (item->value_case) {
        case WANDB__ITEM__VALUE_INTEGER:
                *ret_value = (double)item->integer;
                return true;
        case WANDB__ITEM__VALUE_NUMBER:
                *ret_value = item->number;
                return true;
        case WANDB__ITEM__VALUE_VALUE_JSON:
                return number_parse(slice_of(&item->value_json), ret_value);
        default:
                return false;
        }
}

static int take_item(struct parser *parser, const Wandb__Item *item) {
        struct slice name = join_name(&parser->names, item);
        double number;

        if (name.size_bytes == 0 || !read_number(item, &number))
                return 0;
        return builder_add_number(&parser->builder, key_of_name(name), name, number);
}

/* --- records --- */

static int take_history(struct parser *parser, const Wandb__History *history, struct parse_context *context) {
        struct record *record = &parser->builder.record;
        int r = reserve_names(&parser->names, history);

        builder_start(&parser->builder);
        if (r == 0 && history->step)
                r = builder_add_number(&parser->builder, key_of(SLICE("step")), SLICE("_step"),
                                       (double)history->step->num);
        for (size_t i = 0; r == 0 && i < history->n_item; i++)
                r = take_item(parser, history->item[i]);
        if (r < 0 || record->n_metrics == 0)
                return r;
        record->source = context->source;
        record->line = context->line;
        context->sink->take_record(context->sink->userdata, record);
        return 0;
}

static int take_data(struct parser *parser, struct slice data, struct parse_context *context) {
        const Wandb__Record *record;
        int r = message_unpack(&parser->memory, &wandb__record__descriptor, data, &record);

        if (r == MESSAGE_INVALID)
                reject(context, "a Record message of W&B; it is passed over");
        if (r == 0 && record->history)
                r = take_history(parser, record->history, context);
        return r < 0 ? r : 0;
}

static int take_outcome(struct parser *parser, int outcome, struct slice data, struct parse_context *context) {
        context->line++;
        switch (outcome) {
        case JOURNAL_DATA:
                return take_data(parser, data, context);
        case JOURNAL_BAD_CHUNK:
                reject(context, "a chunk whose CRC-32 is the one written before it; the rest of its block of "
                                "32 KiB is passed over");
                break;
        case JOURNAL_BAD_HEADER:
                reject(context, "the header of a W&B run file of version 0; the file is passed over");
                break;
        default:
                break;
        }
        return 0;
}

static void finish(struct parser *parser, struct parse_context *context) {
        if (!journal_is_within(&parser->reader))
                return;
        context->line++;
        reject(context, "the rest of the record; the file ends within it");
        journal_release(&parser->reader);
        journal_init(&parser->reader);
}

static ssize_t consume(struct parser *parser, struct slice bytes, bool final, struct parse_context *context) {
        ssize_t size = (ssize_t)bytes.size_bytes;

        for (;;) {
                struct slice data;
                int r = journal_read(&parser->reader, &bytes, &data);

                if (r == JOURNAL_MORE)
                        break;
                if (r > 0)
                        r = take_outcome(parser, r, data, context);
                if (r < 0)
                        return r;
        }
        if (final)
                finish(parser, context);
        return size;
}

/* --- the format --- */

static enum recognition recognise(struct slice head, struct slice source, bool final) {
        const struct slice header = JOURNAL_HEADER;

        (void)source;
        if (head.size_bytes >= header.size_bytes)
                return slice_starts_with(head, header) ? RECOGNITION_YES : RECOGNITION_NO;
        return !final && slice_starts_with(header, head) ? RECOGNITION_MORE : RECOGNITION_NO;
}

static int open_parser(struct parser **ret_parser) {
        struct parser *parser = calloc(1, sizeof(*parser));

        if (!parser)
                return -ENOMEM;
        journal_init(&parser->reader);
        parser->names = BUFFER_INIT(2 * JOURNAL_DATA_BYTES_MAX);
        *ret_parser = parser;
        return 0;
}

static void free_parser(struct parser *parser) {
        if (!parser)
                return;
        journal_release(&parser->reader);
        message_memory_release(&parser->memory);
        builder_release(&parser->builder);
        buffer_release(&parser->names);
        free(parser);
}

const struct format format_wandb = {
        .name = "wandb",
        .description = "W&B run files",
        .rank = SOURCE_STRUCTURED,
        .recognise = recognise,
        .open = open_parser,
        .consume = consume,
        .free = free_parser,
};
