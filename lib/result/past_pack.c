#include "result/past_pack.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/utf8.h"

enum { COLUMNS_MAX = 64 }; /* the CRD's bound */

#define SET(message, field, number) ((void)((message)->has_##field = true, (message)->field = (number)))
#define SET_KNOWN(message, field, number) \
        ((void)((message)->has_##field = !isnan(number), (message)->field = (number)))
#define KNOWN(message, field) ((message)->has_##field ? (message)->field : NAN)

/* --- packing --- */

/* protobuf-c knows no const; packing changes nothing. */
static void *borrow(const void *memory) {
        return (void *)(uintptr_t)memory;
}

static ProtobufCBinaryData bytes_of(const char *text) {
        return (ProtobufCBinaryData){ .len = slice_from(text).size_bytes, .data = borrow(text) };
}

static void pack_column(State__PastColumn *message, const struct history_column *column, size_t n_rows) {
        state__past_column__init(message);
        message->name = borrow(column->name);
        SET_KNOWN(message, latest, column->latest);
        SET_KNOWN(message, min, column->min);
        SET_KNOWN(message, max, column->max);
        SET(message, non_finite, column->non_finite);
        message->n_values = n_rows;
        message->values = borrow(column->values);
}

int past_pack(struct past_packing *packing, const struct past *past) {
        const struct history *history = &past->history;
        State__Past *message = &packing->past;

        state__past__init(message);
        packing->columns = calloc(history->n_columns + 1, sizeof(*packing->columns));
        packing->list = calloc(history->n_columns + 1, sizeof(*packing->list));
        if (!packing->columns || !packing->list)
                return -ENOMEM;
        for (size_t i = 0; i < history->n_columns; i++) {
                pack_column(&packing->columns[i], &history->columns[i], history->n_rows);
                packing->list[i] = &packing->columns[i];
        }
        message->n_columns = history->n_columns;
        message->columns = packing->list;
        SET(message, is_ours, history->is_ours);
        SET(message, axis, history->axis);
        message->n_x = history->n_rows;
        message->x = borrow(history->x);
        SET_KNOWN(message, epoch, history->epoch);
        SET_KNOWN(message, step, history->step);
        SET_KNOWN(message, total_epochs, history->total_epochs);
        message->has_output_path = history->output_path != NULL;
        message->output_path = bytes_of(history->output_path);
        message->has_checkpoint = history->checkpoint != NULL;
        message->checkpoint = bytes_of(history->checkpoint);
        SET_KNOWN(message, checkpoint_epoch, history->checkpoint_epoch);
        SET(message, accepted, history->accepted);
        return 0;
}

void past_packing_release(struct past_packing *packing) {
        free(packing->columns);
        free(packing->list);
}

/* --- unpacking --- */

static bool is_column(const State__PastColumn *column, size_t n_rows) {
        return column->name && *column->name && strlen(column->name) <= FOLD_NAME_BYTES_MAX &&
               column->n_values == n_rows;
}

bool past_is_valid(const State__Past *message) {
        if (message->axis >= AXIS_AUTO || message->n_x > FOLD_ROWS_MAX || message->n_columns > COLUMNS_MAX ||
            message->output_path.len > PATH_BYTES_MAX || message->checkpoint.len > PATH_BYTES_MAX)
                return false;
        for (size_t row = 0; row < message->n_x; row++)
                if (!isfinite(message->x[row]) || (row > 0 && message->x[row] <= message->x[row - 1]))
                        return false;
        for (size_t i = 0; i < message->n_columns; i++)
                if (!is_column(message->columns[i], message->n_x))
                        return false;
        return true;
}

static struct history_column column_of(const State__PastColumn *message) {
        return (struct history_column){ .name = message->name, .latest = KNOWN(message, latest),
                                        .min = KNOWN(message, min), .max = KNOWN(message, max),
                                        .non_finite = message->non_finite, .values = message->values };
}

static int text_of(bool is_there, ProtobufCBinaryData bytes, char **ret_text) {
        *ret_text = is_there ? strndup((const char *)bytes.data, bytes.len) : NULL;
        return is_there && !*ret_text ? -ENOMEM : 0;
}

int past_unpack(struct fold *fold, const State__Past *message) {
        CLEANUP(cleanup_free) char *output_path = NULL;
        CLEANUP(cleanup_free) char *checkpoint = NULL;
        struct history_column columns[COLUMNS_MAX];
        struct history history = {
                .is_ours = message->is_ours,
                .axis = (enum axis)message->axis,
                .n_rows = message->n_x,
                .x = message->x,
                .n_columns = message->n_columns,
                .columns = columns,
                .epoch = KNOWN(message, epoch),
                .step = KNOWN(message, step),
                .total_epochs = KNOWN(message, total_epochs),
                .checkpoint_epoch = KNOWN(message, checkpoint_epoch),
                .accepted = message->accepted,
        };
        int r = text_of(message->has_output_path, message->output_path, &output_path);

        if (r == 0)
                r = text_of(message->has_checkpoint, message->checkpoint, &checkpoint);
        if (r < 0)
                return r;
        for (size_t i = 0; i < message->n_columns; i++)
                columns[i] = column_of(message->columns[i]);
        history.output_path = output_path;
        history.checkpoint = checkpoint;
        return past_take(fold, &history);
}
