#include "result/result.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/instant.h"
#include "base/json_put.h"
#include "base/number.h"
#include "base/utf8.h"

enum {
        DIGITS_ALL = 17,          /* every double reads back */
        LEVELS = 48,              /* past any number of rows: the first, the last and the best are left */
        SUMMARY_METRICS = 4,
        SUMMARY_BYTES_MAX = 256,
        NOTE_LEFT_OUT_BYTES = 400,
};

/* One way to make the status smaller or not. */
struct cut {
        size_t n_columns; /* the first so many in rank */
        unsigned level;   /* every 2^level-th row */
        int digits;       /* of the history's values */
};

struct status {
        struct json_writer writer;
        const struct result_identity *identity;
        const struct fold *fold;
        const struct result_facts *facts;
        bool nulls; /* what has no value is null, instead of left out */
        struct cut cut;
        struct column columns[FOLD_METRICS_MAX];
};

const char *phase_name(enum phase phase) {
        static const char *const names[] = {
                [PHASE_PENDING] = "Pending",     [PHASE_RUNNING] = "Running",
                [PHASE_SUCCEEDED] = "Succeeded", [PHASE_FAILED] = "Failed",
                [PHASE_STOPPED] = "Stopped",     [PHASE_INTERRUPTED] = "Interrupted",
        };

        return names[phase];
}

/* --- one field --- */

/* Writes the key when the field has a value or is to be null; says whether the value follows. */
static bool put_field(struct status *status, const char *key, bool has_value) {
        if (!has_value && !status->nulls)
                return false;
        json_put_key(&status->writer, key);
        if (!has_value)
                json_put_null(&status->writer);
        return has_value;
}

static void put_text(struct status *status, const char *key, const char *value) {
        if (put_field(status, key, value))
                json_put_string(&status->writer, value);
}

static void put_number(struct status *status, const char *key, double value) {
        if (put_field(status, key, isfinite(value)))
                json_put_number(&status->writer, value, DIGITS_ALL);
}

static void put_integer(struct status *status, const char *key, int64_t value, bool has_value) {
        if (put_field(status, key, has_value))
                json_put_integer(&status->writer, value);
}

static void put_instant(struct status *status, const char *key, int64_t unix_us) {
        char text[INSTANT_TEXT_BYTES];

        if (!put_field(status, key, unix_us != 0))
                return;
        instant_format(unix_us, text);
        json_put_string(&status->writer, text);
}

/* --- the summary --- */

static void summary_add(struct buffer *summary, const struct column *column) {
        char text[NUMBER_TEXT_BYTES] = "NaN";

        if (isnan(column->last) && isnan(column->latest))
                return;
        if (isfinite(column->last))
                number_format(column->last, 4, text);
        else if (isinf(column->last))
                (void)snprintf(text, sizeof(text), "%sInf", column->last < 0 ? "-" : "");
        (void)buffer_printf(summary, "%s%s=%s", summary->size_bytes ? " " : "", column->name, text);
}

static void summary_add_x(struct buffer *summary, const char *word, double x, double total) {
        char text[NUMBER_TEXT_BYTES];

        number_format(x, x == floor(x) ? DIGITS_ALL : 4, text);
        (void)buffer_printf(summary, "%s %s", word, text);
        if (isfinite(total)) {
                number_format(total, DIGITS_ALL, text);
                (void)buffer_printf(summary, "/%s", text);
        }
}

/* "epoch 12/90 loss=0.21 val_acc=0.93": how far, and the highest ranked metrics, as the trainer
 * last said them. What does not fit is left out whole. */
static void put_summary(struct status *status) {
        CLEANUP(buffer_release) struct buffer summary = BUFFER_INIT(SUMMARY_BYTES_MAX);
        const struct fold *fold = status->fold;
        double epoch = fold_epoch(fold), step = fold_step(fold);

        if (isfinite(epoch))
                summary_add_x(&summary, "epoch", epoch, fold_total_epochs(fold));
        else if (isfinite(step))
                summary_add_x(&summary, "step", step, NAN);
        for (size_t i = 0; i < status->cut.n_columns && i < SUMMARY_METRICS; i++)
                summary_add(&summary, &status->columns[i]);

        if (put_field(status, "summary", summary.size_bytes > 0))
                json_put_text(&status->writer, buffer_slice(&summary));
}

/* --- the maps --- */

static bool column_has_value(const struct column *column) {
        return isfinite(column->latest);
}

/* Keys that were there once and are not meant any more: a merge patch keeps what it does not name. */
static void put_gone_keys(struct status *status) {
        const char *name;

        if (!status->nulls)
                return;
        for (size_t i = status->cut.n_columns; i < fold_n_columns(status->fold); i++) {
                json_put_key(&status->writer, status->columns[i].name);
                json_put_null(&status->writer);
        }
        for (size_t i = 0; (name = fold_retired_name(status->fold, i)); i++) {
                json_put_key(&status->writer, name);
                json_put_null(&status->writer);
        }
}

static void put_values(struct status *status) {
        json_put_key(&status->writer, "values");
        json_put_open(&status->writer, '{');
        for (size_t i = 0; i < status->cut.n_columns; i++)
                if (column_has_value(&status->columns[i]) || status->columns[i].is_replaced)
                        put_number(status, status->columns[i].name, status->columns[i].latest);
        put_gone_keys(status);
        json_put_close(&status->writer, '}');
}

static void put_non_finite(struct status *status) {
        bool any = status->nulls && (status->cut.n_columns < fold_n_columns(status->fold) ||
                                     fold_retired_name(status->fold, 0));

        for (size_t i = 0; i < status->cut.n_columns; i++)
                any = any || status->columns[i].non_finite > 0 || (status->nulls && status->columns[i].is_replaced);
        if (!any)
                return;
        json_put_key(&status->writer, "nonFinite");
        json_put_open(&status->writer, '{');
        for (size_t i = 0; i < status->cut.n_columns; i++)
                if (status->columns[i].non_finite > 0 || status->columns[i].is_replaced)
                        put_integer(status, status->columns[i].name, (int64_t)status->columns[i].non_finite,
                                    status->columns[i].non_finite > 0);
        put_gone_keys(status);
        json_put_close(&status->writer, '}');
}

/* --- the history --- */

/* Whole x stay exact whatever the digits: epoch 123456 is not epoch 123500. */
static void put_x(struct status *status, const uint16_t *rows, size_t n_rows) {
        json_put_key(&status->writer, "x");
        json_put_open(&status->writer, '[');
        for (size_t i = 0; i < n_rows; i++) {
                double x = fold_row_x(status->fold, rows[i]);

                json_put_number(&status->writer, x,
                                x == floor(x) ? DIGITS_ALL : status->cut.digits + 2);
        }
        json_put_close(&status->writer, ']');
}

static void put_known_number(struct json_writer *writer, const char *key, double value) {
        if (!isfinite(value))
                return;
        json_put_key(writer, key);
        json_put_number(writer, value, DIGITS_ALL);
}

static void put_column(struct status *status, const struct column *column, const uint16_t *rows,
                       size_t n_rows) {
        struct json_writer *writer = &status->writer;

        json_put_open(writer, '{');
        json_put_key(writer, "name");
        json_put_string(writer, column->name);
        /* Objects of a list are replaced as a whole: what is not known is left out, never null. */
        put_known_number(writer, "latest", column->latest);
        put_known_number(writer, "min", column->min);
        put_known_number(writer, "max", column->max);
        json_put_key(writer, "values");
        json_put_open(writer, '[');
        for (size_t i = 0; i < n_rows && writer->error == 0; i++)
                json_put_number(writer, column_value(column, rows[i]), status->cut.digits);
        json_put_close(writer, ']');
        json_put_close(writer, '}');
}

static void put_history(struct status *status) {
        uint16_t rows[FOLD_ROWS_MAX];
        size_t n_rows = fold_select_rows(status->fold, status->cut.level, rows);

        if (put_field(status, "axis", n_rows > 0))
                json_put_string(&status->writer, axis_name(fold_axis(status->fold)));
        put_x(status, rows, n_rows);
        json_put_key(&status->writer, "metrics");
        json_put_open(&status->writer, '[');
        for (size_t i = 0; i < status->cut.n_columns && status->writer.error == 0; i++)
                put_column(status, &status->columns[i], rows, n_rows);
        json_put_close(&status->writer, ']');
}

static void put_objective(struct status *status) {
        struct objective objective = fold_objective(status->fold);

        if (!put_field(status, "objective", objective.metric && status->cut.n_columns > 0))
                return;
        json_put_open(&status->writer, '{');
        put_text(status, "metric", objective.metric);
        put_number(status, "value", objective.value);
        put_number(status, "epoch", objective.x);
        json_put_close(&status->writer, '}');
}

/* --- the rest --- */

static void put_checkpoint(struct status *status) {
        const char *path = fold_checkpoint(status->fold);

        if (!put_field(status, "checkpoint", path))
                return;
        json_put_open(&status->writer, '{');
        put_text(status, "path", path);
        put_number(status, "epoch", fold_checkpoint_epoch(status->fold));
        json_put_close(&status->writer, '}');
}

static void put_attempt(struct status *status) {
        const struct result_facts *facts = status->facts;

        if (!put_field(status, "attempt", facts->attempt.number > 0))
                return;
        json_put_open(&status->writer, '{');
        put_text(status, "jobUID", facts->attempt.job_uid);
        put_text(status, "podName", facts->attempt.pod_name);
        put_text(status, "podUID", facts->attempt.pod_uid);
        put_integer(status, "number", facts->attempt.number, true);
        put_integer(status, "exitCode", facts->attempt.exit_code, facts->attempt.exit_code >= 0);
        put_integer(status, "restarts", facts->attempt.restarts, facts->attempt.restarts >= 0);
        put_text(status, "reason", facts->attempt.reason);
        json_put_close(&status->writer, '}');
}

/* One condition, as meta/v1 Condition of Kubernetes defines it. */
static void put_conditions(struct status *status) {
        const struct result_facts *facts = status->facts;
        struct json_writer *writer = &status->writer;
        char since[INSTANT_TEXT_BYTES];

        instant_format(facts->condition.since_us, since);
        json_put_key(writer, "conditions");
        json_put_open(writer, '[');
        if (facts->condition.reason) {
                json_put_open(writer, '{');
                put_text(status, "type", "Reporting");
                put_text(status, "status", facts->condition.reporting ? "True" : "False");
                put_text(status, "reason", facts->condition.reason);
                put_text(status, "message", facts->condition.message ? facts->condition.message : "");
                put_text(status, "lastTransitionTime", since);
                json_put_close(writer, '}');
        }
        json_put_close(writer, ']');
}

static size_t count_left_out(const struct status *status) {
        return fold_n_left_out(status->fold) + fold_n_columns(status->fold) - status->cut.n_columns;
}

static void note_name(struct buffer *note, size_t i, const char *name) {
        (void)buffer_printf(note, "%s%s", i == 0 ? "metrics left out: " : ", ", name);
}

/* Names what was left out: first those that did not fit the bytes, then those past the limit. */
static void put_note_left_out(struct status *status) {
        CLEANUP(buffer_release) struct buffer note = BUFFER_INIT(NOTE_LEFT_OUT_BYTES);
        const char *name;
        size_t n = 0;

        for (size_t i = status->cut.n_columns; i < fold_n_columns(status->fold); i++)
                note_name(&note, n++, status->columns[i].name);
        for (size_t i = 0; (name = fold_left_out(status->fold, i)); i++)
                note_name(&note, n++, name);
        if (n > 0)
                json_put_text(&status->writer,
                              (struct slice){ note.data, utf8_cut(buffer_slice(&note), RESULT_NOTE_BYTES_MAX) });
}

/* What is counted again, because it is read again, counts once. */
static int64_t count_in_all(const struct result_facts *facts, uint64_t before, uint64_t own) {
        if (facts->before.is_ours)
                return (int64_t)(before > own ? before : own);
        return (int64_t)(before + own);
}

static void put_agent(struct status *status) {
        const struct result_facts *facts = status->facts;

        json_put_key(&status->writer, "agent");
        json_put_open(&status->writer, '{');
        put_text(status, "version", facts->agent.version);
        put_integer(status, "accepted", (int64_t)fold_accepted_in_all(status->fold), true);
        put_integer(status, "rejected", count_in_all(facts, facts->before.rejected, facts->agent.rejected), true);
        put_integer(status, "dropped", (int64_t)(count_left_out(status) + facts->agent.dropped), true);
        put_integer(status, "lostBytes", count_in_all(facts, facts->before.lost_bytes, facts->agent.lost_bytes), true);
        json_put_key(&status->writer, "notes");
        json_put_open(&status->writer, '[');
        put_note_left_out(status);
        for (size_t i = 0; i < facts->agent.n_notes; i++)
                json_put_string(&status->writer, facts->agent.notes[i]);
        json_put_close(&status->writer, ']');
        json_put_close(&status->writer, '}');
}

static void put_status(struct status *status) {
        const struct fold *fold = status->fold;
        const struct result_facts *facts = status->facts;
        const char *parameters = status->identity->parameters;

        json_put_open(&status->writer, '{');
        put_text(status, "phase", phase_name(facts->phase));
        put_summary(status);
        put_number(status, "epoch", fold_epoch(fold));
        put_number(status, "totalEpochs", fold_total_epochs(fold));
        put_number(status, "step", fold_step(fold));
        put_values(status);
        if (put_field(status, "job_parameters", parameters))
                json_put_json(&status->writer, slice_from(parameters));
        put_history(status);
        put_objective(status);
        put_non_finite(status);
        put_text(status, "outputPath", facts->output_path ? facts->output_path : fold_output_path(fold));
        put_checkpoint(status);
        put_attempt(status);
        put_instant(status, "startTime", facts->start_us);
        put_instant(status, "lastReportTime", facts->last_report_us);
        put_instant(status, "completionTime", facts->completion_us);
        put_conditions(status);
        put_agent(status);
        json_put_close(&status->writer, '}');
}

/* --- the budget --- */

static int try_cut(struct status *status, struct cut cut) {
        buffer_clear(status->writer.out);
        status->writer = JSON_WRITER_INIT(status->writer.out);
        status->cut = cut;
        put_status(status);
        return status->writer.error;
}

/* A cell takes two bytes at least, a digit and a comma: saves trying what cannot fit. */
static bool is_hopeless(const struct status *status, struct cut cut) {
        uint16_t rows[FOLD_ROWS_MAX];
        size_t n_rows = fold_select_rows(status->fold, cut.level, rows);

        return n_rows * (cut.n_columns + 1) * 2 > status->writer.out->limit_bytes;
}

/* The smallest level that fits, and the most digits that fit at it. */
static int try_levels(struct status *status, size_t n_columns) {
        static const int digits[] = { DIGITS_ALL, 6, 5, 4 };

        for (unsigned level = 0; level < LEVELS; level++) {
                struct cut cut = { .n_columns = n_columns, .level = level };

                if (is_hopeless(status, cut))
                        continue;
                for (size_t d = 0; d < sizeof(digits) / sizeof(digits[0]); d++) {
                        int r;

                        cut.digits = digits[d];
                        r = try_cut(status, cut);
                        if (r != -ENOBUFS)
                                return r;
                }
        }
        return -ENOBUFS;
}

/* Writes the status into out, whose limit is the budget. */
static int write_status(struct status *status) {
        int r = -ENOBUFS;

        for (size_t n = fold_n_columns(status->fold) + 1; n-- > 0 && r == -ENOBUFS;) {
                struct cut smallest = { .n_columns = n, .level = LEVELS - 1, .digits = 4 };

                r = try_cut(status, smallest);
                if (r == 0)
                        r = try_levels(status, n);
        }
        return r;
}

/* --- the object --- */

static void put_owner(struct json_writer *writer, const struct result_identity *identity) {
        if (!identity->owner.uid)
                return;
        json_put_key(writer, "ownerReferences");
        json_put_open(writer, '[');
        json_put_open(writer, '{');
        json_put_key(writer, "apiVersion");
        json_put_string(writer, identity->owner.api_version);
        json_put_key(writer, "kind");
        json_put_string(writer, identity->owner.kind);
        json_put_key(writer, "name");
        json_put_string(writer, identity->owner.name);
        json_put_key(writer, "uid");
        json_put_string(writer, identity->owner.uid);
        if (identity->owner.controller) {
                json_put_key(writer, "controller");
                json_put_bool(writer, true);
        }
        json_put_close(writer, '}');
        json_put_close(writer, ']');
}

static void put_metadata(struct json_writer *writer, const struct result_identity *identity) {
        json_put_key(writer, "metadata");
        json_put_open(writer, '{');
        json_put_key(writer, "name");
        json_put_string(writer, identity->name);
        if (identity->namespace_name) {
                json_put_key(writer, "namespace");
                json_put_string(writer, identity->namespace_name);
        }
        if (identity->experiment) {
                json_put_key(writer, "labels");
                json_put_open(writer, '{');
                json_put_key(writer, "experiment");
                json_put_string(writer, identity->experiment);
                json_put_close(writer, '}');
        }
        put_owner(writer, identity);
        json_put_close(writer, '}');
}

static void put_spec(struct json_writer *writer, const struct result_identity *identity) {
        json_put_key(writer, "spec");
        json_put_open(writer, '{');
        if (identity->experiment) {
                json_put_key(writer, "experiment");
                json_put_string(writer, identity->experiment);
        }
        if (identity->parameters) {
                json_put_key(writer, "parameters");
                json_put_json(writer, slice_from(identity->parameters));
        }
        json_put_close(writer, '}');
}

static void put_object(struct json_writer *writer, const struct result_identity *identity,
                       struct slice status) {
        json_put_open(writer, '{');
        json_put_key(writer, "apiVersion");
        json_put_string(writer, RESULT_API_VERSION);
        json_put_key(writer, "kind");
        json_put_string(writer, "Result");
        put_metadata(writer, identity);
        put_spec(writer, identity);
        if (status.size_bytes > 0) {
                json_put_key(writer, "status");
                json_put_json(writer, status);
        }
        json_put_close(writer, '}');
}

/* How many bytes of the budget are left for the status. */
static int measure_budget(const struct result_identity *identity, size_t *ret_bytes) {
        CLEANUP(buffer_release) struct buffer object = BUFFER_INIT(RESULT_BYTES_MAX);
        struct json_writer writer = JSON_WRITER_INIT(&object);
        size_t used;

        put_object(&writer, identity, (struct slice){ 0 });
        if (writer.error < 0)
                return writer.error;
        used = object.size_bytes + strlen(",\"status\":") + RESULT_SERVER_BYTES;
        if (used >= RESULT_BYTES_MAX)
                return -ENOBUFS;
        *ret_bytes = RESULT_BYTES_MAX - used;
        return 0;
}

static int make_status(struct buffer *ret_status, const struct result_identity *identity,
                       const struct fold *fold, const struct result_facts *facts, bool nulls) {
        struct status status = { .writer = JSON_WRITER_INIT(ret_status), .identity = identity,
                                 .fold = fold, .facts = facts, .nulls = nulls };
        int r = measure_budget(identity, &ret_status->limit_bytes);

        if (r < 0)
                return r;
        for (size_t i = 0; i < fold_n_columns(fold); i++)
                status.columns[i] = fold_column(fold, i);
        return write_status(&status);
}

int result_write_patch(struct buffer *out, const struct result_identity *identity,
                       const struct fold *fold, const struct result_facts *facts) {
        CLEANUP(buffer_release) struct buffer status = BUFFER_INIT(0);
        struct json_writer writer = JSON_WRITER_INIT(out);
        int r = make_status(&status, identity, fold, facts, true);

        if (r < 0)
                return r;
        json_put_open(&writer, '{');
        json_put_key(&writer, "status");
        json_put_json(&writer, buffer_slice(&status));
        json_put_close(&writer, '}');
        return writer.error;
}

int result_write_manifest(struct buffer *out, const struct result_identity *identity,
                          const struct fold *fold, const struct result_facts *facts) {
        CLEANUP(buffer_release) struct buffer status = BUFFER_INIT(0);
        struct json_writer writer = JSON_WRITER_INIT(out);
        int r = fold ? make_status(&status, identity, fold, facts, false) : 0;

        if (r < 0)
                return r;
        put_object(&writer, identity, buffer_slice(&status));
        return writer.error;
}
