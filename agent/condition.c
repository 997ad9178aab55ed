#include "condition.h"

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/utf8.h"

/* Text of others as part of a message: well-formed, without control characters. */
static void put_clean(struct buffer *out, struct slice text) {
        size_t before = out->size_bytes;

        while (text.size_bytes > 0) {
                size_t n = utf8_character(text);

                (void)buffer_append(out, n > 0 ? text.data : "?", n > 0 ? n : 1);
                text = (struct slice){ text.data + (n ? n : 1), text.size_bytes - (n ? n : 1) };
        }
        utf8_hide_controls(out->data + before, out->size_bytes - before);
}

/* Keeps the text of a buffer, cut to the place's size. */
static void keep_text(char *place, size_t max_bytes, struct buffer *text) {
        size_t n = utf8_cut(buffer_slice(text), max_bytes);

        if (n > 0)
                memcpy(place, text->data, n);
        place[n] = '\0';
        buffer_release(text);
}

static bool is_a_file(const char *path) {
        struct stat status;

        return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

static void put_files(struct buffer *message, const struct tail_view *view) {
        (void)buffer_printf(message, "%zu file%s looked at", view->files, view->files == 1 ? " was" : "s were");
        for (size_t i = 0; i < TAIL_NEWEST_MAX && view->newest[i]; i++) {
                (void)buffer_append_string(message, i == 0 ? view->files > 1 ? ", the newest " : ", " : ", ");
                put_clean(message, slice_from(view->newest[i]));
        }
}

/* The name of a file without its directories. */
static struct slice last_part(struct slice path) {
        const char *slash = path.size_bytes > 0 ? memrchr(path.data, '/', path.size_bytes) : NULL;

        return slash ? (struct slice){ slash + 1, (size_t)(path.data + path.size_bytes - slash - 1) } : path;
}

void condition_note_close_call(struct condition *condition, const struct reject *reject) {
        struct buffer note = BUFFER_INIT(16 * CLOSE_CALL_BYTES_MAX);

        put_clean(&note, last_part(reject->source));
        if (reject->line > 0)
                (void)buffer_printf(&note, ":%llu", (unsigned long long)reject->line);
        (void)buffer_append_string(&note, ": ");
        put_clean(&note, (struct slice){ reject->text.data, utf8_cut(reject->text, CLOSE_CALL_BYTES_MAX) });
        keep_text(condition->close_call, CLOSE_CALL_BYTES_MAX, &note);
}

void condition_note_loss(struct condition *condition, const char *path, uint64_t lost_bytes, uint64_t all_lost_bytes) {
        struct buffer note = BUFFER_INIT(16 * FOLD_NOTE_BYTES_MAX);

        if (lost_bytes == 0 && all_lost_bytes > 0 && *condition->loss)
                return; /* what is known to be lost is the better note */
        put_clean(&note, last_part(slice_from(path)));
        if (lost_bytes > 0)
                (void)buffer_printf(&note, " was truncated or deleted: %llu bytes were lost, all in all",
                                    (unsigned long long)all_lost_bytes);
        else
                (void)buffer_append_string(&note, " was truncated: what was written just before may be lost");
        keep_text(condition->loss, FOLD_NOTE_BYTES_MAX, &note);
}

/* --- why there is no record --- */

static void put_what_to_write(struct buffer *message, const char *place) {
        (void)buffer_printf(message, "; write lines like {\"epoch\": 1, \"loss\": 0.5} to %s",
                            is_a_file(place) ? "" : "a file in ");
        put_clean(message, slice_from(place));
}

static const char *say_denied(struct buffer *message, const struct tail_view *view) {
        put_clean(message, slice_from(view->denied_path));
        (void)buffer_printf(message, ": %s", strerror(view->denied_error));
        if (view->denied > 1)
                (void)buffer_printf(message, ", and so %zu more", view->denied - 1);
        (void)buffer_printf(message, "; the agent (user %u) has to be allowed to read what the trainer writes",
                            (unsigned)geteuid());
        return "PermissionDenied";
}

static const char *say_no_file(struct buffer *message, const char *place) {
        (void)buffer_append_string(message, "no metrics file has been written yet");
        put_what_to_write(message, place);
        return "NoMetricsFile";
}

static const char *say_nothing_recognised(struct buffer *message, const struct tail_view *view,
                                          const struct condition *condition, const char *place) {
        if (condition->has_output)
                (void)buffer_append_string(message, "what the command printed was looked at");
        if (condition->has_output && view->files > 0)
                (void)buffer_append_string(message, ", and ");
        if (view->files > 0)
                put_files(message, view);
        (void)buffer_append_string(message, ": no metrics were found");
        if (*condition->close_call)
                (void)buffer_printf(message, "; closest was %s", condition->close_call);
        put_what_to_write(message, place);
        return "NothingRecognized";
}

static const char *say_no_record(struct buffer *message, struct tail *tail, const struct condition *condition, const char *place) {
        struct tail_view view = tail_view(tail);

        if (view.denied > 0)
                return say_denied(message, &view);
        if (view.files == 0 && !condition->has_output)
                return say_no_file(message, place);
        return say_nothing_recognised(message, &view, condition, place);
}

/* --- the condition and the notes --- */

/* Takes the text. The time is that of the last change of the reason. */
static void set_condition(struct condition *condition, struct result_facts *facts, const char *reason,
                          struct buffer *message, int64_t now_us) {
        const char *old = facts->condition.reason;

        keep_text(condition->message, CONDITION_BYTES_MAX, message);
        facts->condition.message = condition->message;
        facts->condition.reporting = strcmp(reason, "Reporting") == 0;
        facts->condition.reason = reason;
        if (!old || strcmp(old, reason) != 0)
                facts->condition.since_us = now_us;
}

/* What was lost, and which source is taken where several say the same. */
static void update_notes(struct condition *condition, struct result_facts *facts, struct fold *fold) {
        size_t n = fold_notes(fold, condition->notes);

        facts->agent.n_notes = 0;
        if (*condition->loss)
                facts->agent.notes[facts->agent.n_notes++] = condition->loss;
        for (size_t i = 0; i < n && facts->agent.n_notes < RESULT_NOTES_MAX; i++)
                facts->agent.notes[facts->agent.n_notes++] = condition->notes[i];
}

void condition_update(struct condition *condition, struct result_facts *facts, struct fold *fold, struct tail *tail,
                      const char *place, int64_t now_us) {
        struct buffer message = BUFFER_INIT(64 * 1024);
        const char *reason;

        if (fold_accepted(fold) == 0) {
                reason = say_no_record(&message, tail, condition, place);
        } else if (fold_n_columns(fold) > 0 && !fold_has_finite(fold)) {
                (void)buffer_append_string(&message, "all values of all metrics are NaN or infinite");
                reason = "OnlyNonFinite";
        } else {
                (void)buffer_append_string(&message, "metrics are reported");
                reason = "Reporting";
        }
        set_condition(condition, facts, reason, &message, now_us);
        update_notes(condition, facts, fold);
}
