/* Tables in text: a header of names, then rows of numbers under it, as fastai, spaCy, skorch, Chainer
 * and YOLO print them; cells are parted by blanks, by tabs, by commas, or by lines that are drawn. */
#pragma once

#include <stdbool.h>

#include "base/buffer.h"
#include "base/slice.h"
#include "formats/draft.h"
#include "formats/names.h"

enum { TABLE_COLUMNS_MAX = 64 };

enum table_style {
        TABLE_GAPS,   /* two blanks or more, or a tab */
        TABLE_DRAWN,  /* between | or │ */
        TABLE_COMMAS,
};

struct table_column {
        size_t name_start, name_bytes; /* in names */
        size_t first, last;            /* where the name stood in the header's line, bytes */
        struct name_class class;
};

struct table {
        struct table_column columns[TABLE_COLUMNS_MAX];
        size_t n_columns; /* 0: no header yet */
        size_t x_column;  /* SIZE_MAX: none; the row is of where the trainer is */
        enum table_style style;
        struct buffer names;
        unsigned misses;  /* lines since the last row */
};

void table_start(struct table *table);
void table_release(struct table *table);

/* Cells of a line, trimmed. Returns how many there are, at most TABLE_COLUMNS_MAX. */
size_t table_split(struct slice line, enum table_style style, struct slice ret_cells[static TABLE_COLUMNS_MAX]);

/* How a line that is drawn begins. */
bool table_is_drawn(struct slice line);
/* A line of dashes and the like, which parts what is above it from what is below. */
bool table_is_rule(struct slice line);

/* Is the line a header? Then it is the table's from now on. 1, 0, -ENOMEM. */
int table_take_header(struct table *table, struct slice line);

/* Is it a row under the header? Its x and values go to the draft. 1, 0, -ENOMEM. */
int table_take_row(struct table *table, struct slice line, struct draft *draft);
