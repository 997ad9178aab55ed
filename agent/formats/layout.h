/* What a file's path says where its content does not: the name of its one metric, and what its columns
 * are when it has no header. One table, in layout.c. */
#pragma once

#include <stdbool.h>

#include "base/buffer.h"
#include "base/slice.h"
#include "formats/format.h"

enum { LAYOUT_COLUMNS_MAX = 4 };

enum layout_column {
        COLUMN_NONE, /* passed over; also behind the last */
        COLUMN_EPOCH,
        COLUMN_STEP,
        COLUMN_TIME, /* in milliseconds or seconds since 1970 */
        COLUMN_VALUE,
        COLUMN_ANY,  /* as its header says */
};

struct layout; /* a row of the table */

/* The layout of a file with a header line, or NULL: its columns mean what they say. */
const struct layout *layout_of_header(struct slice source, struct slice header);

/* The layout of a file whose first line is a row already, or NULL. */
const struct layout *layout_of_row(struct slice source, struct slice row);

/* What column number i (from 0) is; header is its name, empty in a file without. */
enum layout_column layout_column(const struct layout *layout, size_t i, struct slice header);

/* Appends the name of the metric in a column, whose header may be empty. 0 or negative errno of
 * buffer_append(). Nothing is appended for what is no metric. */
int layout_put_name(const struct layout *layout, struct slice source, struct slice header, struct buffer *name);

char layout_separator(const struct layout *layout);

/* The last part of a path, without directories. */
struct slice layout_base_name(struct slice source);

/* The tag of a file that was downloaded from TensorBoard: run-train-tag-epoch_loss.json is epoch_loss. */
struct slice layout_tag(struct slice source);

/* MLflow's meta.yaml of a run: says where its artifacts are. */
extern const struct format format_mlflow_meta;
