#include "formats/tfevents.h"

#include <errno.h>
#include <stdlib.h>

#include <tensorboard/event.pb-c.h>

#include "formats/keys.h"
#include "formats/lines.h"
#include "formats/message.h"
#include "formats/tags.h"
#include "formats/tensor.h"
#include "formats/tfrecord.h"

struct parser {
        struct tfrecord_reader reader;
        struct message_memory memory;
        struct tags tags;
        bool is_tags_full_said;
        struct record_builder builder;

        /* Where the epoch is a tag of its own (Lightning, transformers), its event comes last of those
         * of one step, and the others of that step wait for it. */
        bool has_epochs;
        bool is_waiting;      /* the builder holds values of events before this one */
        double epoch_step;    /* step of the last epoch, and that epoch; NAN: none yet */
        double epoch;

        /* What transformers logs at the end begins with train_runtime and ends with the epoch; the loss
         * in between is a mean over the whole training. */
        bool is_summary;
};

static void reject(struct parse_context *context, const char *expected) {
        line_reject(context, (struct slice){ 0 }, 0, expected);
}

/* --- values --- */

static void note_plugin(struct tag *tag, const Tensorboard__Metadata *metadata) {
        const Tensorboard__Plugin *plugin = metadata ? metadata->plugin_data : NULL;
        struct slice name;

        if (!plugin || plugin->plugin_name.len == 0)
                return;
        name = (struct slice){ (const char *)plugin->plugin_name.data, plugin->plugin_name.len };
        tag->plugin = slice_equal(name, SLICE("scalars")) ? TAG_PLUGIN_SCALARS : TAG_PLUGIN_OTHER;
}

/* Is it a scalar as TensorBoard shows them? A tensor of one integer may be anything, unless its tag's
 * first value said that it is one. */
static bool read_scalar(const struct tag *tag, const Tensorboard__Value *value, double *ret_value) {
        if (tag->plugin == TAG_PLUGIN_OTHER)
                return false;
        switch (value->value_case) {
        case TENSORBOARD__VALUE__VALUE_SIMPLE_VALUE:
                *ret_value = (double)value->simple_value;
                return true;
        case TENSORBOARD__VALUE__VALUE_TENSOR:
                return (tag->plugin == TAG_PLUGIN_SCALARS || tensor_is_floating(value->tensor)) &&
                       tensor_read_number(value->tensor, ret_value);
        default:
                return false;
        }
}

/* Lightning gives every run this one as a place-holder for the table of hyperparameters. */
static bool is_place_holder(struct slice name, double number) {
        return number == -1 && slice_equal(name, SLICE("hp_metric"));
}

static int take_value(struct parser *parser, const Tensorboard__Value *value, struct parse_context *context) {
        struct slice text = { (const char *)value->tag.data, value->tag.len };
        struct tag *tag;
        double number;
        int r;

        if (text.size_bytes == 0)
                return 0;
        r = tags_find(&parser->tags, text, context->source, &tag);
        if (r < 0)
                return r;
        if (r == TAGS_FULL) {
                if (!parser->is_tags_full_said)
                        reject(context, "at most 4,096 tags a file, of at most 1,024 bytes each; further tags are passed over");
                parser->is_tags_full_said = true;
                return 0;
        }
        note_plugin(tag, value->metadata);
        if (tag->role == TAG_SUMMARY || tag->role == TAG_EPOCH)
                parser->is_summary = tag->role == TAG_SUMMARY && parser->has_epochs;
        if (tag->role > TAG_EPOCH || (tag->role == TAG_METRIC && parser->is_summary) ||
            !read_scalar(tag, value, &number) || is_place_holder(tag_name(tag), number))
                return 0;
        return builder_add_number(&parser->builder,
                                  (struct key){ .role = tag->role == TAG_EPOCH ? KEY_EPOCH : KEY_METRIC },
                                  tag_name(tag), number);
}

/* --- events --- */

static void deliver(struct parser *parser, struct parse_context *context) {
        struct record *record = &parser->builder.record;

        parser->is_waiting = false;
        if (record->n_metrics == 0 && isnan(record->epoch))
                return;
        record->source = context->source;
        context->sink->take_record(context->sink->userdata, record);
}

static void start(struct parser *parser, const Tensorboard__Event *event) {
        builder_start(&parser->builder);
        (void)builder_add_number(&parser->builder, (struct key){ .role = KEY_TIME }, (struct slice){ 0 },
                                 event->wall_time);
        parser->builder.record.step = (double)event->step;
}

/* What is known of this step's epoch; false: wait for it. */
static bool complete_epoch(struct parser *parser) {
        struct record *record = &parser->builder.record;

        if (!isnan(record->epoch)) {
                parser->has_epochs = true;
                parser->epoch = record->epoch;
                parser->epoch_step = record->step;
        } else if (record->n_metrics > 0 && parser->epoch_step == record->step) {
                record->epoch = parser->epoch;
        }
        return !parser->has_epochs || !isnan(record->epoch) || record->n_metrics == 0;
}

/* A session that begins anew at an earlier step. */
static void begin_session(struct parser *parser, double step, struct parse_context *context) {
        struct record record = RECORD_EMPTY;

        if (parser->is_waiting)
                deliver(parser, context);
        record.source = context->source;
        record.line = context->line;
        record.void_from_step = step;
        context->sink->take_record(context->sink->userdata, &record);
}

static int take_event(struct parser *parser, const Tensorboard__Event *event, struct parse_context *context) {
        const Tensorboard__Summary *summary = event->summary;
        struct record *record = &parser->builder.record;
        int r = 0;

        /* At step 0 every run begins. */
        if (event->session_log && event->session_log->status == TENSORBOARD__SESSION__STATUS__START && event->step > 0)
                begin_session(parser, (double)event->step, context);
        if (!summary || summary->n_value == 0)
                return 0;
        if (record->step != (double)event->step)
                parser->is_summary = false;
        if (parser->is_waiting && (record->step != (double)event->step ||
                                   record->n_metrics + summary->n_value > RECORD_METRICS_MAX))
                deliver(parser, context);
        if (!parser->is_waiting)
                start(parser, event);
        for (size_t i = 0; r == 0 && i < summary->n_value; i++)
                r = take_value(parser, summary->value[i], context);
        if (r < 0)
                return r;
        record->line = context->line;
        if (complete_epoch(parser))
                deliver(parser, context);
        else
                parser->is_waiting = true;
        return 0;
}

static int take_data(struct parser *parser, struct slice data, struct parse_context *context) {
        const Tensorboard__Event *event;
        int r = message_unpack(&parser->memory, &tensorboard__event__descriptor, data, &event);

        if (r == MESSAGE_INVALID)
                reject(context, "an Event message of TensorBoard; this record is passed over");
        return r == 0 ? take_event(parser, event, context) : r < 0 ? r : 0;
}

static int take_outcome(struct parser *parser, int outcome, struct slice data, struct parse_context *context) {
        context->line++;
        switch (outcome) {
        case TFRECORD_DATA:
                return take_data(parser, data, context);
        case TFRECORD_BAD_DATA:
                reject(context, "data whose CRC-32C is the one written behind them; this record is passed over");
                break;
        case TFRECORD_BAD_LENGTH:
                reject(context, "a record's length and its CRC-32C; where the next record begins is not known, "
                                "so the rest is passed over until the file begins anew");
                break;
        default:
                break;
        }
        return 0;
}

static void finish(struct parser *parser, struct parse_context *context) {
        if (parser->is_waiting)
                deliver(parser, context);
        if (!tfrecord_is_within(&parser->reader))
                return;
        context->line++;
        reject(context, "the rest of the record; the file ends within it");
        tfrecord_release(&parser->reader);
        tfrecord_init(&parser->reader);
}

static ssize_t consume(struct parser *parser, struct slice bytes, bool final, struct parse_context *context) {
        ssize_t size = (ssize_t)bytes.size_bytes;

        for (;;) {
                struct slice data;
                int r = tfrecord_read(&parser->reader, &bytes, &data);

                if (r == TFRECORD_MORE)
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

/* An Event begins with its time, a field 1 of eight bytes. In other files of TFRecords (tf.train.Example)
 * field 1 is a message. */
static bool is_event_start(char c) {
        return c != '\x0a';
}

/* Of the 8 bytes of a length: no file begins with an event of 16 MiB, and no text has a NUL there. */
enum { LENGTH_BYTES_USED = 3 };

static enum recognition recognise(struct slice head, struct slice source, bool final) {
        uint64_t length_bytes;

        (void)source;
        if (head.size_bytes > LENGTH_BYTES_USED && head.data[LENGTH_BYTES_USED] != '\0')
                return RECOGNITION_NO;
        if (head.size_bytes < TFRECORD_HEADER_BYTES)
                return final ? RECOGNITION_NO : RECOGNITION_MORE;
        if (!tfrecord_check_header(head.data, &length_bytes) || length_bytes == 0)
                return RECOGNITION_NO;
        if (head.size_bytes == TFRECORD_HEADER_BYTES)
                return final ? RECOGNITION_YES : RECOGNITION_MORE;
        return is_event_start(head.data[TFRECORD_HEADER_BYTES]) ? RECOGNITION_YES : RECOGNITION_NO;
}

static int open_parser(struct parser **ret_parser) {
        struct parser *parser = calloc(1, sizeof(*parser));

        if (!parser)
                return -ENOMEM;
        tfrecord_init(&parser->reader);
        parser->epoch = parser->epoch_step = NAN;
        *ret_parser = parser;
        return 0;
}

static void free_parser(struct parser *parser) {
        if (!parser)
                return;
        tfrecord_release(&parser->reader);
        message_memory_release(&parser->memory);
        tags_release(&parser->tags);
        builder_release(&parser->builder);
        free(parser);
}

const struct format format_tfevents = {
        .name = "tfevents",
        .description = "TensorBoard event files",
        .rank = SOURCE_EVENTS,
        .recognise = recognise,
        .open = open_parser,
        .consume = consume,
        .free = free_parser,
};
