/* Text: what trainers print for people. Each frame of it (see terminal.h) is taken apart into names with
 * numbers (scan.h); what makes them metrics is what stands around them:
 *
 *   own x     the line says where in the training it is (Epoch 3/50, step=10, [12], a table's row)
 *   context   an earlier line said so (Keras: "Epoch 1/50", then "loss: 0.5")
 *   block     lines of nothing but name and number, one below the other, or in a drawn box
 *
 * and a name that is known as a loss or a score (result/metric_name.h). A line with an x of its own and
 * none but unknown names counts when another of the same names comes with an x that has moved on. */
#include "formats/text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/number.h"
#include "formats/draft.h"
#include "formats/filters.h"
#include "formats/lines.h"
#include "formats/pattern.h"
#include "formats/prefix.h"
#include "formats/reading.h"
#include "formats/sieve.h"
#include "formats/table.h"
#include "formats/terminal.h"

enum {
        HELD = 4,
        PATTERNS = 4,    /* lines of that many kinds in turns are read quickly */
        TRUSTED_MAX = 8, /* shapes of lines with unknown names that have proved themselves */
        ASIDE_WORDS_MAX = 8,
        LAST_LINES = 10, /* of a text, where a lone result is one */
        PROBE_BYTES = 4096, /* in which NUL bytes say that it is no text */
};

/* The x that lines without one of their own have. */
struct position {
        double epoch, step, trial, total_epochs;
};

struct parser {
        struct terminal terminal;
        size_t probed_bytes;  /* of the first PROBE_BYTES */
        bool is_binary;       /* there are NUL bytes in them: no text from there on */
        struct reader reader;
        struct table table;
        struct position context;
        struct draft held[HELD]; /* lines of unknown names, each waits for a second one */
        size_t next_held;
        struct draft block;   /* lines of one name each */
        bool block_is_open;   /* under a line that said where: each name counts */
        bool block_is_drawn;  /* in a box: handed over as a whole at its end */
        bool block_counts;    /* one of its names is known */
        bool block_is_weak;   /* name value, without a separator */
        bool block_is_aside;  /* indented, or behind a label */
        struct draft unplaced;/* of blocks without any x, until it is known what they are */
        bool unplaced_is_weak, unplaced_is_aside, unplaced_is_trusted;
        struct buffer section;/* of a box: "rollout/" */
        struct buffer wrapped, joined; /* a name whose value is on the next line, and both together */
        const struct filters *filters; /* --filter; NULL: none */
        bool has_spoken;      /* the line before was worth taking apart */
        bool after_best;      /* the line before is a heading of the best result */
        bool is_indented;     /* the line began with blanks */
        bool after_wrapped;   /* the line before was put together */
        bool had_x;           /* the line says where in the training it is */
        uint32_t trusted[TRUSTED_MAX];
        size_t n_trusted;
        struct pattern *patterns; /* PATTERNS of them, from the first one on */
        size_t next_pattern;
        struct slice raw;     /* the line as it came, where a pattern can be made of it; else empty */
        double bar, bar_base; /* how far the last bar was, and what is behind it */
        double last_bare;     /* the last [n] */
        double next_row;
        bool row_is_taken;    /* a record of the unfinished line has this row */
        bool has_metrics;     /* it is the text of a training */
        bool decimal_commas;
        int process;          /* of many that print: the one that is read; -1: not known yet */
};

static const struct position nowhere = { NAN, NAN, NAN, NAN };

static bool is_somewhere(const struct position *position) {
        return !isnan(position->epoch) || !isnan(position->step) || !isnan(position->trial);
}

/* --- handing over --- */

static bool record_has_x(const struct record *record) {
        return !isnan(record->epoch) || !isnan(record->step) || !isnan(record->trial);
}

/* Where the record does not say, the context does. A new epoch has no step yet. */
static void complete_x(const struct parser *parser, struct record *record) {
        const struct position *context = &parser->context;

        if (!record_has_x(record)) {
                record->step = context->step;
                record->trial = context->trial;
        }
        if (isnan(record->epoch))
                record->epoch = context->epoch;
        if (isnan(record->total_epochs))
                record->total_epochs = context->total_epochs;
}

static void remember_x(struct parser *parser, const struct record *record) {
        struct position *context = &parser->context;

        if (!isnan(record->epoch) && record->epoch != context->epoch)
                context->step = NAN;
        context->epoch = isnan(record->epoch) ? context->epoch : record->epoch;
        context->step = isnan(record->step) ? context->step : record->step;
        context->trial = isnan(record->trial) ? context->trial : record->trial;
        context->total_epochs = isnan(record->total_epochs) ? context->total_epochs : record->total_epochs;
}

static void deliver(struct parser *parser, struct draft *draft, struct parse_context *context) {
        if (draft->n_metrics == 0)
                return;
        complete_x(parser, &draft->record);
        if (!draft_has_x(draft)) {
                draft->record.row = parser->next_row;
                parser->row_is_taken = true;
        }
        parser->has_metrics = true;
        draft_deliver(draft, context);
}

static void end_row(struct parser *parser) {
        parser->next_row += parser->row_is_taken;
        parser->row_is_taken = false;
}

/* --- lines of unknown names --- */

static uint32_t shape_of(const struct draft *draft) {
        return name_hash(buffer_slice(&draft->names)) ^ (uint32_t)draft->n_metrics;
}

static bool is_trusted(const struct parser *parser, uint32_t shape) {
        for (size_t i = 0; i < parser->n_trusted && i < TRUSTED_MAX; i++)
                if (parser->trusted[i] == shape)
                        return true;
        return false;
}

static bool has_moved_on(const struct draft *before, const struct draft *now) {
        const struct record *a = &before->record, *b = &now->record;

        if (b->epoch != a->epoch && !isnan(b->epoch))
                return b->epoch > a->epoch;
        return b->step > a->step || b->trial > a->trial;
}

static void swap_drafts(struct draft *a, struct draft *b) {
        struct draft other = *a;

        *a = *b;
        *b = other;
}

/* A line with an x and none but unknown names: the second of its kind proves the first. */
static void take_unknown(struct parser *parser, struct parse_context *context) {
        uint32_t shape = shape_of(&parser->reader.line);

        if (is_trusted(parser, shape)) {
                deliver(parser, &parser->reader.line, context);
                return;
        }
        for (size_t i = 0; i < HELD; i++) {
                struct draft *held = &parser->held[i];

                if (held->n_metrics == 0 || !draft_is_alike(held, &parser->reader.line))
                        continue;
                if (has_moved_on(held, &parser->reader.line)) {
                        parser->trusted[parser->n_trusted++ % TRUSTED_MAX] = shape;
                        deliver(parser, held, context);
                        deliver(parser, &parser->reader.line, context);
                        draft_start(held);
                }
                return;
        }
        swap_drafts(&parser->held[parser->next_held], &parser->reader.line);
        parser->next_held = (parser->next_held + 1) % HELD;
}

/* --- blocks --- */

static bool shares_name(const struct draft *a, const struct draft *b) {
        for (size_t i = 0; i < b->n_metrics; i++)
                if (draft_has(a, draft_name(b, i)))
                        return true;
        return false;
}

static void deliver_row(struct parser *parser, struct draft *draft, struct parse_context *context) {
        deliver(parser, draft, context);
        if (draft_has_x(draft))
                remember_x(parser, &draft->record);
        end_row(parser);
        draft_start(draft);
}

/* A block with no x, in text that never said one: settings look so too. It counts when it comes again
 * with other values; or when a first x follows, unless it reads like a setting; or at the very end. */
static void hold_unplaced(struct parser *parser, struct parse_context *context) {
        struct draft *block = &parser->block, *unplaced = &parser->unplaced;

        if (parser->unplaced_is_trusted || shares_name(unplaced, block)) {
                parser->unplaced_is_trusted = true;
                if (unplaced->n_metrics > 0)
                        deliver_row(parser, unplaced, context);
                deliver_row(parser, block, context);
        } else {
                for (size_t i = 0; i < block->n_metrics; i++)
                        (void)draft_add(unplaced, (struct slice){ 0 }, draft_name(block, i), block->metrics[i].value);
                unplaced->record.line = block->record.line;
                parser->unplaced_is_weak = parser->block_is_weak;
                parser->unplaced_is_aside = parser->unplaced_is_aside || parser->block_is_aside;
        }
}

/* The first x of the text has come, or its end. */
static void decide_unplaced(struct parser *parser, bool counts, struct parse_context *context) {
        if (parser->unplaced.n_metrics > 0 && counts)
                deliver_row(parser, &parser->unplaced, context);
        draft_start(&parser->unplaced);
        parser->unplaced_is_aside = false;
}

static void end_block(struct parser *parser, struct parse_context *context) {
        struct draft *block = &parser->block;

        if (block->n_metrics == 0 && !parser->block_is_open && !parser->block_is_drawn)
                return;

        if (parser->block_counts || parser->block_is_open) {
                if (parser->block_is_open || parser->block_is_drawn || draft_has_x(block) || is_somewhere(&parser->context))
                        deliver_row(parser, block, context);
                else
                        hold_unplaced(parser, context);
        }
        draft_start(block);
        buffer_clear(&parser->section);
        parser->block_is_open = parser->block_is_drawn = parser->block_counts = false;
        parser->block_is_weak = parser->block_is_aside = false;
}

/* One line of pure pairs goes to the block; a name that is there already begins another. */
static int add_to_block(struct parser *parser, bool is_known, struct parse_context *context) {
        struct draft *line = &parser->reader.line, *block = &parser->block;
        bool is_open = parser->block_is_open;
        int r = 0;

        if (shares_name(block, line)) {
                end_block(parser, context);
                parser->block_is_open = is_open;
        }
        for (size_t i = 0; i < line->n_metrics && r == 0; i++)
                r = draft_add(block, (struct slice){ 0 }, draft_name(line, i), line->metrics[i].value);
        block->record.line = context->line;
        parser->block_counts = parser->block_counts || is_known;
        parser->block_is_weak = parser->block_is_weak || parser->reader.scan->items[0].form == ITEM_WEAK;
        parser->block_is_aside = parser->block_is_aside || parser->is_indented || parser->reader.scan->items[0].label.size_bytes > 0;
        return r;
}

/* --- drawn boxes --- */

/* | name | value | */
static int take_box_line(struct parser *parser, const struct slice *cells, struct parse_context *context) {
        struct name_class class;
        struct slice name = cells[0], text = cells[1];
        double value;
        char whole[128];
        int n;

        while (name.size_bytes > 0 && name.data[name.size_bytes - 1] == ':')
                name.size_bytes--;
        if (cells[1].size_bytes == 0 && name.size_bytes > 0 && name.data[name.size_bytes - 1] == '/') {
                if (!parser->block_is_drawn)
                        end_block(parser, context);
                parser->block_is_drawn = true;
                buffer_clear(&parser->section);
                return buffer_append(&parser->section, name.data, name.size_bytes);
        }
        if (name.size_bytes == 0 || name.size_bytes > 64 || isdigit((unsigned char)name.data[0]))
                return 0;
        n = snprintf(whole, sizeof(whole), "%.*s%.*s", (int)(parser->section.size_bytes < 60 ? parser->section.size_bytes : 0),
                     parser->section.data ? parser->section.data : "", (int)name.size_bytes, name.data);
        class = names_classify((struct slice){ whole, (size_t)n });
        if (text.size_bytes > 1 && text.data[text.size_bytes - 1] == '%')
                text.size_bytes--;
        if (!number_parse(text, &value))
                return 0;
        if (!parser->block_is_drawn)
                end_block(parser, context);
        parser->block_is_drawn = true;
        parser->block.record.line = context->line;
        if (reader_is_x(class.key.role)) {
                (void)draft_set_x(&parser->block, class.key, value);
                return 0;
        }
        parser->block_counts = parser->block_counts || class.kind == METRIC_RESULT;
        return class.key.role == KEY_METRIC ? draft_add(&parser->block, (struct slice){ 0 }, (struct slice){ whole, (size_t)n }, value) : 0;
}

/* --- decisions --- */

static void take_table_row(struct parser *parser, struct parse_context *context) {
        parser->reader.line.record.line = context->line;
        deliver(parser, &parser->reader.line, context);
        remember_x(parser, &parser->reader.line.record);
}

static bool says_it_is_over(struct slice text) {
        static const char *const words[] = { "early stop", "Early stop", "EarlyStop", "early_stop", "aving", "saved", "Saved",
                                             "improved",   "inished",    "took",  "Restoring" };

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                if (memmem(text.data, text.size_bytes, words[i], strlen(words[i])))
                        return true;
        return false;
}

static bool is_one_word(struct slice name) {
        for (size_t i = 0; i < name.size_bytes; i++)
                if (!isalpha((unsigned char)name.data[i]))
                        return false;
        return true;
}

/* A line that only says where: what follows is there. */
static void take_place(struct parser *parser, const struct reading *reading, struct slice text, struct parse_context *context) {
        if (memchr(text.data, '=', text.size_bytes) && (parser->is_indented || reader_is_shouted(parser->reader.scan->items[0].name)))
                return; /* EPOCH=3 in a list of variables */
        if ((text.data[0] == '"' || text.data[0] == '\'') && !is_one_word(parser->reader.scan->items[0].name))
                return; /* "profile_step": 1, in settings that are printed as JSON; but "epoch": 1 of a result is one */
        if (!reading->is_first_x || reading->place == PLACE_BARE || parser->reader.scan->n_words > 6 || says_it_is_over(text))
                return;
        end_block(parser, context);
        remember_x(parser, &parser->reader.line.record);
        parser->block_is_open = parser->reader.scan->n_words == 0;
}

/* Boosting prints its best iteration again at the end, and begins anew in each fold: neither is a
 * point of the curve. */
static bool goes_back(struct parser *parser) {
        double x = parser->reader.line.record.step;

        if (x <= parser->last_bare)
                return true;
        parser->last_bare = x;
        return false;
}

/* --- patterns --- */

/* The line was understood, and its like will be without being taken apart. */
static int learn(struct parser *parser, bool is_bare) {
        struct pattern *pattern;
        int r;

        if (parser->raw.size_bytes == 0)
                return 0;
        if (!parser->patterns)
                parser->patterns = calloc(PATTERNS, sizeof(*parser->patterns));
        if (!parser->patterns)
                return -ENOMEM;
        pattern = &parser->patterns[parser->next_pattern];
        reader_name_numbers(&parser->reader);
        r = pattern_learn(pattern, parser->raw, parser->reader.numbers, parser->reader.n_numbers);
        pattern->is_bare = is_bare;
        parser->next_pattern = (parser->next_pattern + 1) % PATTERNS;
        return r;
}

static bool take_quickly(struct parser *parser, struct slice text, struct parse_context *context) {
        for (size_t i = 0; parser->patterns && i < PATTERNS; i++) {
                struct pattern *pattern = &parser->patterns[i];
                struct record record = RECORD_EMPTY;

                if (!pattern_read(pattern, text, &record))
                        continue;
                if (pattern->is_bare && (record.step <= parser->last_bare || record.step != floor(record.step)))
                        return false;
                if (pattern->is_bare)
                        parser->last_bare = record.step;
                if (parser->block.n_metrics > 0 || parser->block_is_open)
                        end_block(parser, context);
                remember_x(parser, &record);
                complete_x(parser, &record);
                record.source = context->source;
                record.line = context->line;
                context->sink->take_record(context->sink->userdata, &record);
                return true;
        }
        return false;
}

static int take_own(struct parser *parser, const struct reading *reading, struct slice text, struct parse_context *context) {
        if (reading->n_metrics == 0) {
                take_place(parser, reading, text, context);
                return 0;
        }
        if (reading->place == PLACE_BARE && (reading->n_strong == 0 || goes_back(parser))) {
                line_passed(context, text, 0, "no iteration after the last one: it repeats an earlier line, or is of another fold");
                return 0;
        }
        end_block(parser, context);
        if (!parser->has_metrics)
                decide_unplaced(parser, parser->unplaced_is_weak, context);
        if (reading->n_strong == 0 && parser->reader.scan->n_words > 2 && says_it_is_over(text))
                return 0;
        if (reading->n_known + (parser->has_metrics ? reading->n_schedule : 0) > 0 && (reading->n_strong > 0 || reading->n_parted > 0 || parser->reader.scan->n_words <= 3)) {
                deliver(parser, &parser->reader.line, context);
                remember_x(parser, &parser->reader.line.record);
                return reading->is_odd ? 0 : learn(parser, reading->place == PLACE_BARE);
        }
        if (reading->n_fractions > 0 && parser->reader.scan->n_words <= (reading->n_strong >= 2 ? 8 : 2)) {
                bool is_known = is_trusted(parser, shape_of(&parser->reader.line));

                complete_x(parser, &parser->reader.line.record);
                remember_x(parser, &parser->reader.line.record);
                take_unknown(parser, context);
                return is_known && !reading->is_odd ? learn(parser, reading->place == PLACE_BARE) : 0;
        } else {
                line_passed(context, text, 0, "no name that is known as a metric's, and no line before with the same names");
        }
        return 0;
}

/* With an x before it: the line, where it says a result that one can be sure of. */
static bool counts_in_context(const struct scan *scan, const struct reading *reading, bool is_alone) {
        if (reading->n_known == 0 || !(is_alone || reading->is_unmistakable))
                return false;
        return reading->n_strong > 0 || scan->n_words <= (reading->n_parted > 0 ? 3 : 1);
}

/* A line with metrics and no x of its own. */
static int take_placeless(struct parser *parser, const struct reading *reading, struct slice text, struct parse_context *context) {
        const struct scan *scan = parser->reader.scan;
        bool has_context = is_somewhere(&parser->context);
        bool is_alone = scan->n_words + scan->n_bare == 0 && (has_context || scan->n_units == 0);
        bool is_pure = is_alone && reading->n_strong == reading->n_metrics;
        size_t n_known = reading->n_known + (parser->has_metrics ? reading->n_schedule : 0);

        if (is_pure || (is_alone && reading->is_unmistakable && !has_context))
                return add_to_block(parser, has_context ? n_known > 0 : reading->is_unmistakable, context);
        end_block(parser, context);
        if (!has_context && reading->is_unmistakable && reading->n_strong > 0 && scan->n_words < ASIDE_WORDS_MAX) {
                int r = add_to_block(parser, true, context);

                parser->block_is_aside = true;
                end_block(parser, context);
                return r;
        }
        if (has_context && counts_in_context(scan, reading, is_alone))
                deliver(parser, &parser->reader.line, context);
        else
                line_passed(context, text, 0, "no epoch or step, here or on a line before, and not a line of nothing but a known metric");
        return 0;
}

/* --- filters --- */

/* What the user's regular expressions find counts, and nothing else; only where the trainer is, is read
 * as ever. */
static int take_filtered(struct parser *parser, struct slice text, struct parse_context *context) {
        struct slice name, value;
        struct reading reading;
        size_t from = 0;
        int r;

        r = reader_take(&parser->reader, text, false, &reading);
        parser->reader.line.n_metrics = 0;
        buffer_clear(&parser->reader.line.names);
        while (r == 0 && filters_match_from(parser->filters, text, from, &name, &value, &from)) {
                struct key key = key_of(name);
                double number;

                if (!number_parse(value, &number))
                        continue;
                if (reader_is_x(key.role))
                        (void)draft_set_x(&parser->reader.line, key, number);
                else
                        r = draft_add(&parser->reader.line, (struct slice){ 0 }, name, number);
        }
        if (r < 0)
                return r;
        parser->reader.line.record.line = context->line;
        if (parser->reader.line.n_metrics > 0)
                deliver_row(parser, &parser->reader.line, context);
        else if (reading.place == PLACE_OWN && reading.is_first_x)
                remember_x(parser, &parser->reader.line.record);
        return 0;
}

/* Where no epoch is ever said, a bar counts steps; one that begins anew goes on where the last one was,
 * since loops over data begin theirs once an epoch. */
static int take_bar(struct parser *parser, const struct reading *reading, struct parse_context *context) {
        const struct key step = { KEY_STEP, UINT8_MAX - 1 };

        if (reading->bar < parser->bar)
                parser->bar_base += parser->bar;
        parser->bar = reading->bar;
        (void)draft_set_x(&parser->reader.line, step, parser->bar_base + reading->bar);
        deliver(parser, &parser->reader.line, context);
        return 0;
}

static int take_scanned(struct parser *parser, struct slice text, struct parse_context *context) {
        struct reading reading;
        int r;

        r = reader_take(&parser->reader, text, parser->decimal_commas, &reading);
        if (r < 0)
                return r;
        parser->decimal_commas = parser->decimal_commas || reading.has_decimal_comma;
        parser->reader.line.record.line = context->line;
        if (!isnan(parser->reader.line.record.total_epochs))
                parser->context.total_epochs = parser->reader.line.record.total_epochs;
        if (parser->after_best && reading.n_metrics > 0 && reading.place == PLACE_NONE) {
                parser->after_best = false;
                line_passed(context, text, 0, "of the best time, as the line above says");
                return 0;
        }
        parser->after_best = reading.n_metrics == 0 && text.data[text.size_bytes - 1] == ':' && reader_is_of_best(text);
        if (reading.is_summary) {
                line_passed(context, text, 0, "the summary at the end, no point of the curve");
                return 0;
        }
        if (reading.is_settings && !reading.is_first_x) {
                line_passed(context, text, 0, "a list of settings");
                return 0;
        }
        parser->had_x = reading.place == PLACE_OWN;
        if (reading.place != PLACE_NONE)
                return take_own(parser, &reading, text, context);
        if (reading.n_known > 0 && isfinite(reading.bar) && isnan(parser->context.epoch) && isnan(parser->context.trial))
                return take_bar(parser, &reading, context);
        if (reading.n_metrics > 0)
                return take_placeless(parser, &reading, text, context);
        end_block(parser, context);
        return 0;
}

/* A row or a header of a table: 1, else 0, or -ENOMEM. */
static int take_of_table(struct parser *parser, struct slice text, struct parse_context *context) {
        int r = table_take_row(&parser->table, text, &parser->reader.line);

        if (r > 0)
                take_table_row(parser, context);
        return r ? r : table_take_header(&parser->table, text);
}

static int take_drawn(struct parser *parser, struct slice text, struct parse_context *context) {
        struct slice cells[TABLE_COLUMNS_MAX];
        size_t n = table_split(text, TABLE_DRAWN, cells);

        if (n == 2 || (n == 3 && cells[2].size_bytes == 0))
                return take_box_line(parser, cells, context);
        return take_scanned(parser, text, context);
}

/* --- frames --- */

static struct slice trim(struct slice text) {
        return line_trim(text, false);
}

static bool is_of_other_process(struct parser *parser, int process) {
        if (process < 0)
                return false;
        if (parser->process < 0)
                parser->process = process;
        return process != parser->process;
}

/* A name at the end of a line whose value the terminal's width moved to the next (rich's bars). */
static void note_wrapped(struct parser *parser, struct slice text) {
        const char *end = text.data + text.size_bytes, *at = end;

        if (text.size_bytes < 2 || end[-1] != ':' || !isalnum((unsigned char)end[-2]))
                return;
        while (at > text.data && at[-1] != ' ' && at[-1] != '\t')
                at--;
        if (end - at > READER_LABEL_BYTES_MAX || isdigit((unsigned char)*at)) /* "Epoch 1:" is no name */
                return;
        (void)buffer_append(&parser->wrapped, at, (size_t)(end - at));
        (void)buffer_append_char(&parser->wrapped, ' ');
}

static int take_unwrapped(struct parser *parser, struct slice text, struct parse_context *context);

static int take_text(struct parser *parser, struct slice text, struct parse_context *context) {
        bool was_wrapped = parser->wrapped.size_bytes > 0;
        int r;

        parser->is_indented = text.size_bytes > 0 && (text.data[0] == ' ' || text.data[0] == '\t');
        text = trim(text);
        if (was_wrapped) {
                buffer_clear(&parser->joined);
                (void)buffer_append(&parser->joined, parser->wrapped.data, parser->wrapped.size_bytes);
                if (buffer_append(&parser->joined, text.data, text.size_bytes) == 0)
                        text = buffer_slice(&parser->joined);
                buffer_clear(&parser->wrapped);
        }
        parser->had_x = false;
        parser->has_spoken = true;
        if (!was_wrapped && !parser->filters && take_quickly(parser, text, context)) {
                parser->after_wrapped = false;
                return 0;
        }
        parser->raw = was_wrapped ? (struct slice){ 0 } : text;
        r = take_unwrapped(parser, text, context);
        if (was_wrapped || parser->had_x || parser->after_wrapped)
                note_wrapped(parser, text);
        parser->after_wrapped = was_wrapped;
        return r;
}

/* Under a header, lines of numbers count. */
static bool has_rows(const struct parser *parser, struct slice text) {
        return parser->table.n_columns > 0 && (isdigit((unsigned char)text.data[0]) || text.data[0] == 'a');
}

static int take_unwrapped(struct parser *parser, struct slice text, struct parse_context *context) {
        int process, r;

        if (parser->filters)
                return text.size_bytes > 0 ? take_filtered(parser, text, context) : 0;
        if (text.size_bytes == 0 || table_is_rule(text)) {
                if (text.size_bytes == 0 || parser->block_is_drawn)
                        end_block(parser, context);
                return 0;
        }
        parser->has_spoken = has_rows(parser, text) || sieve_keeps(text);
        if (!parser->has_spoken) {
                end_block(parser, context);
                return 0;
        }
        if (memchr(text.data, ';', text.size_bytes) == text.data + text.size_bytes - 1)
                return 0; /* source code */
        if (text.data[0] == '+' && !parser->is_indented)
                return 0; /* of a diff */
        if (text.data[0] == '>' && text.size_bytes > 1 && isalnum((unsigned char)text.data[1]))
                return 0; /* FASTA, and what mail quotes */
        r = take_of_table(parser, text, context);
        if (r != 0)
                return r < 0 ? r : 0;
        if (table_is_drawn(text))
                return take_drawn(parser, text, context);
        text = prefix_skip(text, &process);
        if (process >= 0)
                parser->raw = (struct slice){ 0 };
        if (is_of_other_process(parser, process))
                return 0;
        if (text.size_bytes > 0)
                return take_scanned(parser, text, context);
        end_block(parser, context);
        return 0;
}

static int take_frame(struct parser *parser, const struct frame *frame, struct parse_context *context) {
        int r;

        context->line++; /* of a line that is still being drawn it is taken back below */
        r = take_text(parser, frame->text, context);
        if (!frame->is_line)
                context->line--;
        else
                end_row(parser);
        if (frame->is_cut)
                line_reject(context, frame->text, 0, "a line of at most 128 KiB; the rest of it is passed over");
        return r;
}

/* Lines that say nothing, in one go, at the start of a line. */
static void skip_noise(struct parser *parser, struct slice *bytes, struct parse_context *context) {
        uint64_t n_lines;
        size_t n;

        if (parser->table.n_columns > 0 || parser->wrapped.size_bytes > 0 || parser->after_wrapped || parser->filters || !terminal_is_idle(&parser->terminal))
                return;
        n = sieve_skip(*bytes, &n_lines);
        if (n == 0)
                return;
        end_block(parser, context);
        context->line += n_lines;
        *bytes = (struct slice){ bytes->data + n, bytes->size_bytes - n };
}

/* What of bytes is text: all, or what stands before the first NUL byte near the file's start. */
static struct slice probe(struct parser *parser, struct slice bytes) {
        size_t left = PROBE_BYTES - parser->probed_bytes, n = bytes.size_bytes < left ? bytes.size_bytes : left;
        const char *nul = n > 0 ? memchr(bytes.data, '\0', n) : NULL;

        if (parser->is_binary)
                return (struct slice){ bytes.data, 0 };
        parser->probed_bytes += n;
        parser->is_binary = nul != NULL;
        return nul ? (struct slice){ bytes.data, (size_t)(nul - bytes.data) } : bytes;
}

static ssize_t consume(struct parser *parser, struct slice bytes, bool final, struct parse_context *context) {
        size_t size = bytes.size_bytes;
        struct frame frame;
        int r;

        parser->filters = context->filters;
        bytes = probe(parser, bytes);
        /* Only where one push of all would do so, too: a rule under a line that spoke does not end its block. */
        if (!parser->has_spoken)
                skip_noise(parser, &bytes, context);
        while ((r = terminal_next(&parser->terminal, &bytes, &frame)) > 0) {
                r = take_frame(parser, &frame, context);
                if (r < 0)
                        return r;
                if (frame.is_line && !parser->has_spoken)
                        skip_noise(parser, &bytes, context);
        }
        if (r < 0)
                return r;
        if (final) {
                if (terminal_finish(&parser->terminal, &frame) && !parser->is_binary)
                        r = take_frame(parser, &frame, context);
                end_block(parser, context);
                decide_unplaced(parser, !parser->unplaced_is_weak && !parser->unplaced_is_aside && !is_somewhere(&parser->context) &&
                                        context->line - parser->unplaced.record.line < LAST_LINES, context);
        }
        return r < 0 ? r : (ssize_t)size;
}

/* --- recognising --- */

/* Files that are written for people or compilers, and quote what trainers print; and tables and JSON that
 * the formats for those did not take for a history. */
static bool is_document(struct slice path) {
        static const char *const ends[] = {
                ".md",  ".rst",  ".html", ".htm", ".xml", ".tex", ".py",  ".pyi", ".ipynb", ".c",   ".h",    ".cc",
                ".cpp", ".hpp",  ".cu",   ".go",  ".rs",  ".java", ".js", ".ts",  ".sh",    ".bash", ".yaml", ".yml",
                ".toml", ".ini", ".cfg",  ".conf", ".css", ".svg", ".sql", ".diff", ".patch", ".lock", ".srt", ".R",
                ".vtt", ".eml",  ".jl",   ".scala", ".kt", ".rb", ".pl",  ".php", ".lua",  ".proto", ".prototxt", ".bib",
                ".ics", ".jsonc", ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".env", ".mk",  "Makefile", ".ps", ".eps", "Dockerfile", "CMakeLists.txt", "requirements.txt",
        };

        for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
                size_t n = strlen(ends[i]);

                if (path.size_bytes >= n && memcmp(path.data + path.size_bytes - n, ends[i], n) == 0)
                        return true;
        }
        return false;
}

/* NUL bytes further down are for consume(): what is told here must not depend on how much there is. */
static enum recognition recognise(struct slice head, struct slice source, bool final) {
        size_t n = 0, most = head.size_bytes < PROBE_BYTES ? head.size_bytes : PROBE_BYTES;

        if (is_document(source))
                return RECOGNITION_NO;
        while (n < most && head.data[n] != '\n' && head.data[n] != '\r' && head.data[n] != '\0')
                n++;
        if (n < most)
                return head.data[n] == '\0' ? RECOGNITION_NO : RECOGNITION_YES;
        /* What was told from less would not be told when more comes at a time. */
        if (n < PROBE_BYTES && !final)
                return RECOGNITION_MORE;
        return n > 0 ? RECOGNITION_YES : RECOGNITION_NO;
}

/* --- the format --- */

static void free_parser(struct parser *parser) {
        if (!parser)
                return;
        terminal_release(&parser->terminal);
        table_release(&parser->table);
        reader_release(&parser->reader);
        for (size_t i = 0; parser->patterns && i < PATTERNS; i++)
                pattern_release(&parser->patterns[i]);
        free(parser->patterns);
        for (size_t i = 0; i < HELD; i++)
                draft_release(&parser->held[i]);
        draft_release(&parser->block);
        draft_release(&parser->unplaced);
        buffer_release(&parser->section);
        buffer_release(&parser->wrapped);
        buffer_release(&parser->joined);
        free(parser);
}

static int open_parser(struct parser **ret_parser) {
        struct parser *parser = calloc(1, sizeof(*parser));

        if (!parser)
                return -ENOMEM;
        reader_start(&parser->reader);
        sieve_prepare();
        terminal_start(&parser->terminal);
        table_start(&parser->table);
        for (size_t i = 0; i < HELD; i++)
                draft_start(&parser->held[i]);
        draft_start(&parser->block);
        draft_start(&parser->unplaced);
        parser->section = parser->wrapped = BUFFER_INIT(READER_LABEL_BYTES_MAX + 1);
        parser->joined = BUFFER_INIT(FRAME_BYTES_MAX + READER_LABEL_BYTES_MAX + 1);
        parser->context = nowhere;
        parser->last_bare = -1;
        parser->process = -1;
        *ret_parser = parser;
        return 0;
}

const struct format format_text = {
        .name = "text",
        .description = "text that a trainer prints",
        .rank = SOURCE_TEXT,
        .recognise = recognise,
        .open = open_parser,
        .consume = consume,
        .free = free_parser,
};
