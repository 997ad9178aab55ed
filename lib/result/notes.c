#include "base/buffer.h"
#include "base/utf8.h"
#include "result/fold_state.h"

enum { NOTE_SOURCE_BYTES_MAX = 60 };

/* The end of a path: its last part, and with more set the one before it too. */
static struct slice path_end(struct slice path, bool more) {
        size_t start = path.size_bytes;

        for (; start > 0; start--)
                if (path.data[start - 1] == '/') {
                        if (!more)
                                break;
                        more = false;
                }
        if (path.size_bytes - start > NOTE_SOURCE_BYTES_MAX)
                start = path.size_bytes - NOTE_SOURCE_BYTES_MAX;
        return (struct slice){ path.data + start, path.size_bytes - start };
}

static struct slice origin_path(const struct fold *fold, uint8_t origin) {
        return (struct slice){ fold->origins[origin].path, fold->origins[origin].path_bytes };
}

static bool shares_name(const struct fold *fold, uint8_t origin) {
        struct slice name = path_end(origin_path(fold, origin), false);

        for (size_t i = 0; i < fold->n_origins; i++)
                if (i != origin && slice_equal(path_end(origin_path(fold, (uint8_t)i), false), name))
                        return true;
        return false;
}

static void put_clean(struct buffer *note, struct slice text) {
        while (text.size_bytes > 0) {
                size_t n = utf8_character(text);
                bool is_shown = n > 0 && (unsigned char)text.data[0] >= ' ' && text.data[0] != 0x7f;

                (void)buffer_append(note, is_shown ? text.data : "?", is_shown ? n : 1);
                text = (struct slice){ text.data + (n ? n : 1), text.size_bytes - (n ? n : 1) };
        }
}

static void put_source(struct buffer *note, const struct fold *fold, uint8_t origin) {
        if (!fold->origins[origin].path)
                (void)buffer_append_string(note, "one of many sources");
        else
                put_clean(note, path_end(origin_path(fold, origin), shares_name(fold, origin)));
}

static size_t take_note(struct buffer *note, char ret_note[static FOLD_NOTE_BYTES_MAX + 1]) {
        size_t n = utf8_cut(buffer_slice(note), FOLD_NOTE_BYTES_MAX);

        if (n > 0)
                memcpy(ret_note, note->data, n);
        ret_note[n] = '\0';
        buffer_clear(note);
        return n > 0;
}

/* --- x --- */

static bool counts(const struct origin *origin) {
        return !isnan(origin->epoch) || !isnan(origin->step) || !isnan(origin->trial);
}

/* Names the source that sets x, when others have one too. */
static void put_x(struct buffer *note, const struct fold *fold) {
        static const char *const what[] = { [AXIS_ROW] = "rows", [AXIS_TRIAL] = "trials", [AXIS_STEP] = "steps",
                                            [AXIS_EPOCH] = "epochs" };
        bool others = false;

        for (size_t i = 0; i < fold->n_origins; i++)
                others = others || (fold->origins[i].claim < fold->x_claim && counts(&fold->origins[i]));
        if (!others || fold->axis == AXIS_ROW)
                return;
        (void)buffer_printf(note, "x: %s of ", what[fold->axis]);
        put_source(note, fold, fold->x_origin);
        for (size_t i = 0; i < fold->n_origins; i++)
                if (fold->origins[i].is_moved && fold->origins[i].claim < fold->x_claim) {
                        (void)buffer_append_string(note, fold->first_epoch == 0 ? ", from 0, others moved to it"
                                                                                : ", from 1, others moved to it");
                        break;
                }
}

/* --- who owns what --- */

static bool is_alike(const struct metric_state *a, const struct metric_state *b) {
        return a->origin == b->origin && a->also == b->also;
}

/* Does an earlier metric's note name this one too? */
static bool is_noted(const struct fold *fold, size_t rank) {
        for (size_t i = 0; i < rank; i++)
                if (is_alike(fold->metrics[i], fold->metrics[rank]))
                        return true;
        return false;
}

/* "loss, acc: from results.csv, also in stdout.log": the names give way where there are many. */
static void put_owner(struct buffer *note, const struct fold *fold, size_t rank) {
        enum { NAMES_BYTES = FOLD_NOTE_BYTES_MAX / 2 };
        const struct metric_state *first = fold->metrics[rank];
        size_t more = 0;

        (void)buffer_append_string(note, first->name);
        for (size_t i = rank + 1; i < fold->n_metrics; i++) {
                if (!is_alike(first, fold->metrics[i]))
                        continue;
                if (more > 0 || note->size_bytes + strlen(fold->metrics[i]->name) + 2 > NAMES_BYTES)
                        more++;
                else
                        (void)buffer_printf(note, ", %s", fold->metrics[i]->name);
        }
        if (more > 0)
                (void)buffer_printf(note, " and %zu more", more);
        (void)buffer_append_string(note, ": from ");
        put_source(note, fold, first->origin);
        (void)buffer_append_string(note, ", also in ");
        put_source(note, fold, first->also);
}

size_t fold_notes(const struct fold *fold, char ret_notes[FOLD_NOTES_MAX][FOLD_NOTE_BYTES_MAX + 1]) {
        struct buffer note = BUFFER_INIT(4 * FOLD_NOTE_BYTES_MAX);
        size_t n = 0;

        put_x(&note, fold);
        n += take_note(&note, ret_notes[n]);
        for (size_t rank = 0; rank < fold->n_metrics && n < FOLD_NOTES_MAX; rank++) {
                if (fold->metrics[rank]->also == ORIGIN_NONE || is_noted(fold, rank))
                        continue;
                put_owner(&note, fold, rank);
                n += take_note(&note, ret_notes[n]);
        }
        buffer_release(&note);
        return n;
}
