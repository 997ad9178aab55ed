#include "formats/history.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/number.h"
#include "formats/evidence.h"
#include "formats/json_walk.h"
#include "formats/keys.h"
#include "formats/layout.h"
#include "result/metric_name.h"

enum {
        NAMES_BYTES_MAX = 1024 * 1024, /* of one record, or of the columns of one object */
        ENTRIES_MAX = RECORD_METRICS_MAX,
        DEPTH_MAX = 8,
        JUDGED_MAX = 64, /* records of a list that are looked at to tell what it is */
        UNIX_TIME_MIN = 100000000,
        SNAPSHOT_LEVELS_MAX = 4,
};

/* Part of the names. */
struct span {
        size_t start, size_bytes;
};

/* A name with a value: one of a record, or a column of values. */
struct entry {
        struct span name;
        struct key key;
        struct slice value; /* JSON */
        struct json_walk walk;
        size_t n_values;    /* of a column */
};

struct history {
        const struct parse_context *context;
        struct record_builder builder;
        struct buffer names;
        struct entry *entries;
        size_t n_entries;
        uint64_t n_records;
        int error;
};

/* --- names and entries --- */

static struct slice name_of(const struct history *history, struct span span) {
        return (struct slice){ history->names.data + span.start, span.size_bytes };
}

static void clear_entries(struct history *history, size_t n_entries, size_t names_bytes) {
        history->n_entries = n_entries;
        history->names.size_bytes = names_bytes;
}

/* prefix/key, where either may be empty. False: no room, or no memory (then history->error is set). */
static bool put_name(struct history *history, struct span prefix, struct slice key, struct span *ret_name) {
        struct buffer *names = &history->names;
        size_t start = names->size_bytes;
        int r = buffer_reserve(names, prefix.size_bytes + 1 + 4 * key.size_bytes);

        if (r == 0 && prefix.size_bytes > 0)
                r = buffer_append(names, names->data + prefix.start, prefix.size_bytes);
        if (r == 0 && prefix.size_bytes > 0 && key.size_bytes > 0)
                r = buffer_append_char(names, '/');
        if (r == 0)
                r = json_decode_text(names, key);
        if (r < 0 && r != -ENOBUFS)
                history->error = r;
        *ret_name = (struct span){ start, names->size_bytes - start };
        return r == 0;
}

/* The role of a name: x and time also where the whole record stands below a branch (train/epoch). */
static struct key key_of_entry(struct slice name, struct slice bare) {
        struct key key = key_of(name), bare_key;

        if (key.role == KEY_METRIC || key.role == KEY_IGNORED) {
                bare_key = key_of(bare);
                if (key_is_x(bare_key) || bare_key.role == KEY_TIME)
                        return bare_key;
        }
        return key;
}

static struct entry *add_entry_at(struct history *history, struct span prefix, struct slice key, struct slice value,
                                  bool is_top) {
        struct entry *entry;
        struct span name;

        if (history->n_entries == ENTRIES_MAX || !put_name(history, prefix, key, &name))
                return NULL;
        entry = &history->entries[history->n_entries++];
        *entry = (struct entry){
                .name = name,
                .key = is_top ? key_of_entry(name_of(history, name), key) : key_of(name_of(history, name)),
                .value = value,
        };
        return entry;
}

static struct entry *add_entry(struct history *history, struct span prefix, struct slice key, struct slice value) {
        return add_entry_at(history, prefix, key, value, true);
}

/* --- records --- */

/* All below an object becomes entries, with its names joined by slashes. Of a list only the name is
 * of use. */
static void flatten(struct history *history, struct span prefix, struct slice object, int depth) {
        struct json_walk walk = json_walk_into(object);
        struct slice key, value;
        struct span name;

        while (depth < DEPTH_MAX && json_walk_next(&walk, &key, &value)) {
                if (!json_is_object(value))
                        (void)add_entry_at(history, prefix, key, value, depth == 1);
                else if (put_name(history, prefix, key, &name))
                        flatten(history, name, value, depth + 1);
        }
}

static struct evidence evidence_of_entries(const struct history *history, size_t first) {
        struct evidence evidence = { 0 };

        for (size_t i = first; i < history->n_entries; i++) {
                const struct entry *entry = &history->entries[i];
                double number;

                if (json_number(entry->value, &number) || entry->n_values > 0)
                        evidence_add_number(&evidence, name_of(history, entry->name), entry->key);
                else
                        evidence_add_other(&evidence, name_of(history, entry->name), entry->key);
        }
        return evidence;
}

static void start_record(struct history *history) {
        builder_start(&history->builder);
        history->builder.record.source = history->context->source;
}

static void deliver(struct history *history) {
        if (history->error < 0 || !builder_has_content(&history->builder))
                return;
        history->n_records++;
        history->context->sink->take_record(history->context->sink->userdata, &history->builder.record);
}

static void put_value(struct history *history, const struct entry *entry, struct slice value) {
        struct slice name = name_of(history, entry->name), text;
        double number;
        int r = 0;

        if (entry->key.role == KEY_IGNORED)
                return;
        if (json_text(value, &text))
                r = builder_add_text(&history->builder, entry->key, name, text);
        else if (json_number(value, &number))
                r = builder_add_number(&history->builder, entry->key, name, number);
        if (r < 0)
                history->error = r;
}

static void put_entries(struct history *history, size_t first) {
        for (size_t i = first; i < history->n_entries; i++)
                put_value(history, &history->entries[i], history->entries[i].value);
}

/* --- lists of records --- */

/* What the whole list is read as. */
struct records {
        struct span prefix;
        bool is_known;        /* a list that only trainers write: Trainer's log_history */
        struct slice set_names, metric_names; /* CatBoost */
        double row;
};

/* Learning rates and the like, and results: no name that could as well be a setting. */
static bool has_only_known_metrics(const struct evidence *evidence) {
        return evidence->n_metrics == evidence->n_results + evidence->n_schedules;
}

static bool judge_records(struct history *history, struct slice list) {
        struct json_walk walk = json_walk_into(list);
        struct slice key, value;
        size_t names_bytes = history->names.size_bytes, first = history->n_entries;
        unsigned n = 0, n_history = 0, n_rows = 0, n_empty = 0;

        for (; n < JUDGED_MAX && json_walk_next(&walk, &key, &value); n++) {
                struct evidence evidence;

                if (!json_is_object(value))
                        return false;
                flatten(history, (struct span){ 0 }, value, 1);
                evidence = evidence_of_entries(history, first);
                clear_entries(history, first, names_bytes);
                if (evidence.has_samples)
                        return false;
                n_history += evidence_is_history(&evidence);
                n_rows += evidence_may_be_rows(&evidence) && has_only_known_metrics(&evidence);
                n_empty += evidence.n_metrics == 0;
        }
        return n_history > 0 || (n_rows >= 2 && n_rows + n_empty == n);
}

/* The summary at the end of Trainer's log_history is no point of the curve. */
static bool has_summary(const struct history *history, size_t first) {
        for (size_t i = first; i < history->n_entries; i++)
                if (key_is_of_summary(name_of(history, history->entries[i].name)))
                        return true;
        return false;
}

static void take_record(struct history *history, struct slice object, struct records *records, double epoch) {
        size_t names_bytes = history->names.size_bytes, first = history->n_entries;
        struct record *record = &history->builder.record;

        flatten(history, records->prefix, object, 1);
        start_record(history);
        put_entries(history, first);
        if (isnan(record->epoch))
                record->epoch = epoch;
        if (isnan(record->epoch) && isnan(record->step) && isnan(record->trial))
                record->row = records->row;
        records->row++;
        if (!has_summary(history, first))
                deliver(history);
        clear_entries(history, first, names_bytes);
}

static bool read_records(struct history *history, struct slice list, struct records *records) {
        struct json_walk walk = json_walk_into(list);
        struct slice key, value;

        if (!records->is_known && !judge_records(history, list))
                return false;
        while (json_walk_next(&walk, &key, &value))
                if (json_is_object(value))
                        take_record(history, value, records, NAN);
        return true;
}

/* --- CatBoost: the values of an iteration are a list, the names are in "meta" --- */

static bool find_member(struct slice object, struct slice name, struct slice *ret_value) {
        struct json_walk walk = json_walk_into(object);
        struct slice key;

        if (!json_is_object(object))
                return false;
        while (json_walk_next(&walk, &key, ret_value))
                if (slice_equal(key, name))
                        return true;
        return false;
}

static bool has_text(struct slice list, struct slice wanted) {
        struct json_walk walk = json_walk_into(list);
        struct slice key, value, text;

        while (json_walk_next(&walk, &key, &value))
                if (json_text(value, &text) && slice_equal(text, wanted))
                        return true;
        return false;
}

/* values are those of one set, metrics [{"name": "Logloss"}, …] says which. */
static void add_positional(struct history *history, struct slice set, struct slice values, struct slice metrics) {
        struct json_walk value_walk = json_walk_into(values), metric_walk = json_walk_into(metrics);
        struct slice key, value, metric, name, text;
        struct span prefix;

        if (!put_name(history, (struct span){ 0 }, set, &prefix))
                return;
        while (json_walk_next(&value_walk, &key, &value) && json_walk_next(&metric_walk, &key, &metric))
                if (find_member(metric, SLICE("name"), &name) && json_text(name, &text))
                        (void)add_entry(history, prefix, text, value);
}

static void take_iteration(struct history *history, struct slice iteration, struct slice meta) {
        struct json_walk walk = json_walk_into(iteration);
        struct slice key, value, sets, metrics;
        size_t names_bytes = history->names.size_bytes, first = history->n_entries;

        while (json_walk_next(&walk, &key, &value))
                if (!json_is_list(value))
                        (void)add_entry(history, (struct span){ 0 }, key, value);
                else if (find_member(meta, SLICE("learn_sets"), &sets) && has_text(sets, key) &&
                         find_member(meta, SLICE("learn_metrics"), &metrics))
                        add_positional(history, key, value, metrics);
                else if (find_member(meta, SLICE("test_metrics"), &metrics))
                        add_positional(history, key, value, metrics);
        start_record(history);
        put_entries(history, first);
        deliver(history);
        clear_entries(history, first, names_bytes);
}

static bool read_catboost(struct history *history, struct slice document) {
        struct slice meta, iterations, metrics, key, value;
        struct json_walk walk;

        if (!find_member(document, SLICE("meta"), &meta) || !find_member(meta, SLICE("learn_metrics"), &metrics) ||
            !find_member(document, SLICE("iterations"), &iterations))
                return false;
        walk = json_walk_into(iterations);
        while (json_walk_next(&walk, &key, &value))
                take_iteration(history, value, meta);
        return true;
}

/* --- TensorBoard's download --- */

static bool is_point(struct slice list, double ret_point[static 3]) {
        struct json_walk walk = json_walk_into(list);
        struct slice key, value;
        size_t n = 0;

        while (json_walk_next(&walk, &key, &value))
                if (n == 3 || !json_number(value, &ret_point[n++]))
                        return false;
        return n == 3 && ret_point[0] >= UNIX_TIME_MIN && ret_point[1] >= 0 && ret_point[1] == floor(ret_point[1]);
}

static bool read_points(struct history *history, struct slice list) {
        struct slice key, value, tag = layout_tag(history->context->source);
        struct json_walk walk = json_walk_into(list);
        double point[3];
        int r;

        while (json_walk_next(&walk, &key, &value))
                if (!is_point(value, point))
                        return false;
        if (key_of(tag).role != KEY_METRIC || tag.size_bytes == 0)
                return true;
        for (walk = json_walk_into(list); json_walk_next(&walk, &key, &value) && is_point(value, point);) {
                start_record(history);
                history->builder.record.time_s = point[0];
                history->builder.record.step = point[1];
                r = builder_add_number(&history->builder, (struct key){ .role = KEY_METRIC }, tag, point[2]);
                if (r < 0)
                        history->error = r;
                deliver(history);
        }
        return true;
}

/* --- columns --- */

static bool parse_whole(struct slice text, double *ret_number) {
        if (text.size_bytes == 0 || text.size_bytes > 15)
                return false;
        for (size_t i = 0; i < text.size_bytes; i++)
                if (!isdigit((unsigned char)text.data[i]))
                        return false;
        return number_parse(text, ret_number);
}

/* How many values a column has: all are numbers or null, and in an object the keys are numbers. 0: it
 * is no column. */
static size_t count_column(struct slice value, bool *ret_is_of_texts) {
        struct json_walk walk = json_walk_into(value);
        struct slice key, inner, text;
        size_t n = 0, n_texts = 0;
        double number;

        while (json_walk_next(&walk, &key, &inner)) {
                if (walk.is_object && !parse_whole(key, &number))
                        return 0;
                if (!json_number(inner, &number) && inner.data[0] != 'n' && inner.data[0] != 'N') {
                        if (!json_text(inner, &text))
                                return 0;
                        n_texts++;
                }
                n++;
        }
        *ret_is_of_texts = n_texts > 0;
        return n;
}

/* Members that are columns become entries; the others are only heard for what they say. Returns how
 * many are neither. */
static void add_columns(struct history *history, struct span prefix, struct slice object,
                        struct evidence *evidence) {
        struct json_walk walk = json_walk_into(object);
        struct slice key, value;

        while (json_walk_next(&walk, &key, &value)) {
                bool is_of_texts = false;
                size_t n = json_is_list(value) || json_is_object(value) ? count_column(value, &is_of_texts) : 0;
                struct entry *entry = n > 0 ? add_entry(history, prefix, key, value) : NULL;

                if (!entry) {
                        evidence_add_other(evidence, key, key_of(key));
                        continue;
                }
                entry->n_values = n;
                if (entry->key.role == KEY_TOTAL_EPOCHS) /* a list of them: the epochs themselves */
                        entry->key = key_of(SLICE("epoch"));
                if (is_of_texts && entry->key.role != KEY_TIME) {
                        evidence_add_other(evidence, key, entry->key);
                        entry->key.role = KEY_IGNORED;
                }
        }
}

static struct evidence evidence_of_columns(const struct history *history, size_t first, size_t n_values,
                                           struct evidence evidence) {
        for (size_t i = first; i < history->n_entries; i++) {
                const struct entry *entry = &history->entries[i];

                if (entry->n_values == n_values && entry->key.role != KEY_IGNORED)
                        evidence_add_number(&evidence, name_of(history, entry->name), entry->key);
        }
        return evidence;
}

/* Is this a history? What describes samples may stand in columns of any length, and above them. */
static bool are_columns_of_training(const struct history *history, size_t first, size_t n_values,
                                    const struct evidence *others) {
        struct evidence evidence = evidence_of_columns(history, first, n_values, *others);

        for (size_t i = first; i < history->n_entries; i++) {
                struct slice name = name_of(history, history->entries[i].name);
                const char *slash = memrchr(name.data, '/', name.size_bytes);

                if (slash)
                        name = (struct slice){ slash + 1, name.size_bytes - (size_t)(slash + 1 - name.data) };
                evidence_add_other(&evidence, name, history->entries[i].key);
        }
        evidence.has_subjects = false; /* beside columns these are the run's: "name", "model" */
        return evidence_is_history(&evidence) || (n_values >= 2 && evidence_may_be_rows(&evidence));
}

static void take_columns(struct history *history, size_t first, size_t n_values) {
        for (size_t i = first; i < history->n_entries; i++)
                history->entries[i].walk = json_walk_into(history->entries[i].value);
        for (size_t row = 0; row < n_values; row++) {
                struct record *record = &history->builder.record;
                double number = (double)row;

                start_record(history);
                for (size_t i = first; i < history->n_entries; i++) {
                        struct entry *entry = &history->entries[i];
                        struct slice key, value;

                        if (entry->n_values != n_values || !json_walk_next(&entry->walk, &key, &value))
                                continue;
                        (void)parse_whole(key, &number);
                        put_value(history, entry, value);
                }
                if (isnan(record->epoch) && isnan(record->step) && isnan(record->trial))
                        record->row = number;
                deliver(history);
        }
}

/* Columns of one length belong together. */
static void read_columns(struct history *history, struct span prefix, struct slice object) {
        size_t names_bytes = history->names.size_bytes, first = history->n_entries;
        struct evidence others = { 0 };

        add_columns(history, prefix, object, &others);
        for (size_t i = first; i < history->n_entries; i++) {
                size_t n_values = history->entries[i].n_values, j = first;

                while (history->entries[j].n_values != n_values)
                        j++;
                if (j == i && are_columns_of_training(history, first, n_values, &others))
                        take_columns(history, first, n_values);
        }
        clear_entries(history, first, names_bytes);
}

/* --- series: each metric with its own x --- */

static bool find_one_of(struct slice object, const char *const *names, struct slice *ret_key, struct slice *ret_value) {
        for (; *names; names++)
                if (find_member(object, slice_from(*names), ret_value) && json_is_list(*ret_value)) {
                        *ret_key = slice_from(*names);
                        return true;
                }
        return false;
}

/* Sacred, and whoever has x and y. */
static bool read_series(struct history *history, struct span name, struct slice object) {
        static const char *const x_names[] = { "steps", "step", "epochs", "epoch", "iterations", "x", NULL };
        static const char *const y_names[] = { "values", "value", "y", NULL };
        struct slice xs, ys, x_key, y_key, times, key, x, y, time = { 0 };
        struct entry metric = { .name = name, .key = key_of(name_of(history, name)) };
        struct json_walk x_walk, y_walk, time_walk;
        bool is_of_texts, has_times = find_member(object, SLICE("timestamps"), &times);
        double number;

        if (!find_one_of(object, x_names, &x_key, &xs) || !find_one_of(object, y_names, &y_key, &ys) ||
            count_column(xs, &is_of_texts) != count_column(ys, &is_of_texts))
                return false;
        if (!has_times && metric_kind_of(name_of(history, name)) != METRIC_RESULT)
                return false;
        time_walk = has_times ? json_walk_into(times) : (struct json_walk){ 0 };
        x_walk = json_walk_into(xs);
        y_walk = json_walk_into(ys);
        while (json_walk_next(&x_walk, &key, &x) && json_walk_next(&y_walk, &key, &y)) {
                struct entry time_entry = { .key = key_of(SLICE("timestamp")) };

                start_record(history);
                if (json_number(x, &number))
                        *(x_key.data[0] == 'e' ? &history->builder.record.epoch : &history->builder.record.step) = number;
                if (has_times && json_walk_next(&time_walk, &key, &time))
                        put_value(history, &time_entry, time);
                put_value(history, &metric, y);
                deliver(history);
        }
        return true;
}

/* --- records by number --- */

/* "3" or "epoch_3". */
static bool parse_numbered(struct slice key, bool *ret_is_epoch, double *ret_number) {
        *ret_is_epoch = key.size_bytes > 5 && strncasecmp(key.data, "epoch", 5) == 0;
        if (*ret_is_epoch)
                key = (struct slice){ key.data + 5, key.size_bytes - 5 };
        if (*ret_is_epoch && strchr(" _-", key.data[0]) && key.size_bytes > 1)
                key = (struct slice){ key.data + 1, key.size_bytes - 1 };
        return parse_whole(key, ret_number);
}

static bool judge_numbered(struct history *history, struct slice object) {
        struct json_walk walk = json_walk_into(object);
        struct slice key, value;
        size_t names_bytes = history->names.size_bytes, first = history->n_entries;
        unsigned n = 0, n_rows = 0;

        for (; json_walk_next(&walk, &key, &value); n++) {
                struct evidence evidence;
                bool is_epoch;
                double number;

                if (!json_is_object(value) || !parse_numbered(key, &is_epoch, &number))
                        return false;
                flatten(history, (struct span){ 0 }, value, 1);
                evidence = evidence_of_entries(history, first);
                evidence.has_x = evidence.has_x || is_epoch;
                clear_entries(history, first, names_bytes);
                n_rows += evidence_is_history(&evidence) ||
                          (evidence_may_be_rows(&evidence) && has_only_known_metrics(&evidence));
        }
        return n > 0 && n_rows == n && n_rows >= 2;
}

static bool read_numbered(struct history *history, struct span prefix, struct slice object) {
        struct json_walk walk = json_walk_into(object);
        struct records records = { .prefix = prefix };
        struct slice key, value;

        if (!judge_numbered(history, object))
                return false;
        while (json_walk_next(&walk, &key, &value)) {
                bool is_epoch;
                double number;

                (void)parse_numbered(key, &is_epoch, &number);
                records.row = number;
                take_record(history, value, &records, is_epoch ? number : NAN);
        }
        return true;
}

/* --- the document --- */

static bool is_one_of(struct slice text, const char *const *names) {
        for (; *names; names++)
                if (text.size_bytes == strlen(*names) && strncasecmp(text.data, *names, text.size_bytes) == 0)
                        return true;
        return false;
}

/* Keys that say that a history is below, and nothing of its metrics. */
static bool is_envelope(struct slice key) {
        static const char *const names[] = {
                "history",  "log_history",      "logs",          "log",          "metrics",       "results",
                "data",     "records",          "rows",          "epochs",       "epoch",         "iterations",
                "steps",    "training_history", "train_history", "training_log", "train_log",     "curves",
                "training", "learning_curve",   "scalars",       "stats",        "learning_curves", NULL,
        };

        return is_one_of(key, names);
}

/* Keys of which nothing below is a history. */
static bool is_of_no_training(struct slice key) {
        static const char *const names[] = {
                "config",       "params",          "args",         "hparams",        "hyperparameters",
                "settings",     "options",         "predictions",  "best_params",    "hyper_parameters",
                "model_config", "annotations",     "images",       "categories",     "vocab",
                "cells",        "added_tokens",    "per_class",    "confusion_matrix", "features",
                "trainer_config", "parameters",    "roc_curve",    "pr_curve",       "roc",
                "samples",      "examples",        "cv_results",   "embeddings",     NULL,
        };

        return is_one_of(key, names);
}

static void read_value(struct history *history, struct span prefix, struct slice value, int depth);

static void read_list(struct history *history, struct span prefix, struct slice list, bool is_known) {
        struct records records = { .prefix = prefix, .is_known = is_known };
        struct json_walk walk = json_walk_into(list);
        struct slice key, first;

        if (json_walk_next(&walk, &key, &first) && json_is_object(first))
                (void)read_records(history, list, &records);
}

static void read_member(struct history *history, struct span prefix, struct slice key, struct slice value, int depth) {
        size_t names_bytes = history->names.size_bytes;
        bool is_known = slice_equal(key, SLICE("log_history"));
        struct span name = prefix;

        if (is_of_no_training(key) || (!is_envelope(key) && !put_name(history, prefix, key, &name)))
                return;
        if (json_is_list(value))
                read_list(history, name, value, is_known);
        else if (json_is_object(value) && !read_series(history, name, value))
                read_value(history, name, value, depth + 1);
        history->names.size_bytes = names_bytes;
}

static void read_value(struct history *history, struct span prefix, struct slice value, int depth) {
        struct json_walk walk = json_walk_into(value);
        struct slice key, inner;

        if (depth > DEPTH_MAX || !json_is_object(value) || read_numbered(history, prefix, value))
                return;
        read_columns(history, prefix, value);
        while (json_walk_next(&walk, &key, &inner))
                read_member(history, prefix, key, inner, depth);
}

/* Trainer's state says how many epochs are meant. */
static void read_total_epochs(struct history *history, struct slice document) {
        struct slice value;

        if (!find_member(document, SLICE("log_history"), &value) ||
            !find_member(document, SLICE("num_train_epochs"), &value))
                return;
        start_record(history);
        if (json_number(value, &history->builder.record.total_epochs))
                deliver(history);
}

/* --- snapshots --- */

bool history_is_snapshot_name(struct slice source) {
        static const char *const names[] = {
                "all_results.json", "train_results.json", "eval_results.json", "test_results.json",
                "predict_results.json", "metrics.json", "summary.json", "wandb-summary.json",
                "results.json", "scores.json", "eval_metrics.json", "test_metrics.json",
                "train_metrics.json", "val_metrics.json", "final_metrics.json", NULL,
        };

        return is_one_of(layout_base_name(source), names);
}

static bool is_settings_name(struct slice source) {
        static const char *const words[] = { "config", "param", "args", "setting", "option" };
        struct slice base = layout_base_name(source);

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                for (size_t at = 0; at + strlen(words[i]) <= base.size_bytes; at++)
                        if (strncasecmp(base.data + at, words[i], strlen(words[i])) == 0)
                                return true;
        return false;
}

static bool is_clear_x(struct slice name) {
        static const char *const names[] = { "epoch",     "step",      "_step", "global_step", "iteration",
                                             "iter",      "num_steps", NULL };

        return is_one_of(name, names) || key_of(name).role == KEY_EPOCH;
}

static size_t count_levels(struct slice name) {
        size_t n = 1;

        for (size_t i = 0; i < name.size_bytes; i++)
                n += name.data[i] == '/';
        return n;
}

static bool is_runtime(struct slice name) {
        static const struct slice end = SLICE("runtime");

        return name.size_bytes >= end.size_bytes && count_levels(name) <= 2 &&
               memcmp(name.data + name.size_bytes - end.size_bytes, end.data, end.size_bytes) == 0;
}

/* Says where in the training it is, or how long that took, and is not as deep as other documents. */
static bool is_snapshot_by_names(const struct history *history) {
        bool has_sign = false;
        double number;

        for (size_t i = 0; i < history->n_entries; i++) {
                struct slice name = name_of(history, history->entries[i].name);

                if (count_levels(name) > SNAPSHOT_LEVELS_MAX)
                        return false;
                has_sign = has_sign || (json_number(history->entries[i].value, &number) &&
                                        (is_clear_x(name) || is_runtime(name)));
        }
        return has_sign;
}

static void read_snapshot(struct history *history, struct slice document) {
        struct slice source = history->context->source;
        struct evidence evidence;
        bool is_snapshot;

        if (is_settings_name(source))
                return;
        flatten(history, (struct span){ 0 }, document, 1);
        evidence = evidence_of_entries(history, 0);
        is_snapshot = history_is_snapshot_name(source)
                              ? evidence.n_results > 0
                              : evidence.n_sure_results > 0 && is_snapshot_by_names(history);
        if (is_snapshot && !evidence.has_samples) {
                start_record(history);
                put_entries(history, 0);
                history->builder.record.is_snapshot = true;
                deliver(history);
        }
        clear_entries(history, 0, 0);
}

/* --- */

int history_new(struct history **ret_history) {
        struct history *history = calloc(1, sizeof(*history));

        if (!history)
                return -ENOMEM;
        history->names = BUFFER_INIT(NAMES_BYTES_MAX);
        history->entries = calloc(ENTRIES_MAX, sizeof(*history->entries));
        if (!history->entries) {
                free(history);
                return -ENOMEM;
        }
        *ret_history = history;
        return 0;
}

void history_free(struct history *history) {
        if (!history)
                return;
        builder_release(&history->builder);
        buffer_release(&history->names);
        free(history->entries);
        free(history);
}

/* Our own Results among them. */
static bool is_kubernetes_object(struct slice document) {
        struct slice value;

        return find_member(document, SLICE("apiVersion"), &value) && find_member(document, SLICE("kind"), &value);
}

int history_read(struct history *history, struct slice document, const struct parse_context *context) {
        struct slice key, first;
        struct json_walk walk = json_walk_into(document);

        history->context = context;
        history->n_records = 0;
        history->error = 0;
        clear_entries(history, 0, 0);
        if (is_kubernetes_object(document))
                return 0;
        if (json_is_list(document)) {
                if (json_walk_next(&walk, &key, &first) && json_is_list(first))
                        (void)read_points(history, document);
                else
                        read_list(history, (struct span){ 0 }, document, false);
        } else if (!read_catboost(history, document)) {
                read_total_epochs(history, document);
                read_value(history, (struct span){ 0 }, document, 1);
                if (history->n_records == 0)
                        read_snapshot(history, document);
        }
        return history->error;
}
