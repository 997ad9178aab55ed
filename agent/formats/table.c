#include "formats/table.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>

#include "base/number.h"

enum {
        NAMES_BYTES_MAX = 8 * 1024,
        CELL_BYTES_MAX = 48,
        CELL_WORDS_MAX = 4,
        MISSES_MAX = 500, /* lines without a row after which a header is forgotten */
};

void table_start(struct table *table) {
        table->n_columns = 0;
        table->names.limit_bytes = NAMES_BYTES_MAX;
        buffer_clear(&table->names);
        table->misses = 0;
}

void table_release(struct table *table) {
        buffer_release(&table->names);
}

/* --- cells --- */

/* The length of a vertical line that is drawn here: | and U+2502, U+2503, U+2551. */
static size_t bar_length(const char *at, const char *end) {
        if (at < end && *at == '|')
                return 1;
        if (end - at < 3 || (unsigned char)at[0] != 0xe2)
                return 0;
        return ((unsigned char)at[1] == 0x94 && ((unsigned char)at[2] == 0x82 || (unsigned char)at[2] == 0x83)) ||
                               ((unsigned char)at[1] == 0x95 && (unsigned char)at[2] == 0x91) ?
                       3 :
                       0;
}

static bool is_blank(char c) {
        return c == ' ' || c == '\t';
}

static struct slice trim(const char *start, const char *end) {
        while (start < end && is_blank(*start))
                start++;
        while (start < end && is_blank(end[-1]))
                end--;
        return (struct slice){ start, (size_t)(end - start) };
}

bool table_is_drawn(struct slice line) {
        return line.size_bytes > 0 && bar_length(line.data, line.data + line.size_bytes) > 0;
}

bool table_is_rule(struct slice line) {
        bool is_long = false;

        for (size_t i = 0; i < line.size_bytes; i++) {
                unsigned char c = (unsigned char)line.data[i];

                if (c >= 0x80) {
                        /* U+2500 to U+257F are lines; letters are not. */
                        if (i + 2 >= line.size_bytes || c != 0xe2 ||
                            ((unsigned char)line.data[i + 1] != 0x94 && (unsigned char)line.data[i + 1] != 0x95))
                                return false;
                        i += 2;
                        is_long = true;
                } else if (!strchr("-=+| :*_", (char)c)) {
                        return false;
                } else if (c == '-' || c == '=' || c == '*' || c == '_') {
                        is_long = is_long || (i > 1 && line.data[i - 1] == (char)c && line.data[i - 2] == (char)c);
                }
        }
        return is_long;
}

/* Where the cell that begins at `at` ends; *ret_next is where the next one may begin. */
static const char *cell_end(const char *at, const char *end, enum table_style style, const char **ret_next) {
        for (; at < end; at++) {
                size_t bar = style == TABLE_DRAWN ? bar_length(at, end) : 0;

                if (bar > 0 || (style == TABLE_COMMAS && *at == ',') || (style == TABLE_GAPS && *at == '\t') ||
                    (style == TABLE_GAPS && *at == ' ' && at + 1 < end && is_blank(at[1]))) {
                        *ret_next = at + (bar ? bar : 1);
                        return at;
                }
        }
        *ret_next = end;
        return end;
}

size_t table_split(struct slice line, enum table_style style, struct slice ret_cells[static TABLE_COLUMNS_MAX]) {
        const char *at = line.data, *end = at + line.size_bytes;
        size_t n = 0;

        if (style == TABLE_DRAWN)
                at += bar_length(at, end);
        while (at < end && n < TABLE_COLUMNS_MAX) {
                const char *next, *stop;

                while (style == TABLE_GAPS && at < end && is_blank(*at))
                        at++;
                if (at == end)
                        break;
                stop = cell_end(at, end, style, &next);
                ret_cells[n++] = trim(at, stop);
                at = next;
        }
        return n;
}

/* A progress bar behind the last cell is none of the table: "640: 100%|███| 4/4 [00:02". */
static struct slice cut_bar(struct slice line) {
        const char *percent = memchr(line.data, '%', line.size_bytes), *at = percent;

        while (at && at > line.data && isdigit((unsigned char)at[-1]))
                at--;
        while (at && at > line.data && is_blank(at[-1]))
                at--;
        if (!at || at == percent || at == line.data || at[-1] != ':')
                return line;
        return (struct slice){ line.data, (size_t)(at - 1 - line.data) };
}

static enum table_style style_of(struct slice line) {
        size_t n_commas = 0, n_parted = 0;

        if (table_is_drawn(line))
                return TABLE_DRAWN;
        for (size_t i = 0; i + 1 < line.size_bytes; i++) {
                n_commas += line.data[i] == ',';
                n_parted += line.data[i] == ',' && line.data[i + 1] != ' ';
        }
        return n_commas > 0 && n_parted == n_commas ? TABLE_COMMAS : TABLE_GAPS;
}

/* --- headers --- */

static bool is_x(enum key_role role) {
        return role == KEY_EPOCH || role == KEY_STEP || role == KEY_TRIAL;
}

/* spaCy's first two columns are E and #. */
static struct name_class class_of(struct slice cell) {
        struct name_class class = names_classify(cell);

        if (slice_equal(cell, SLICE("E")))
                class.key = (struct key){ KEY_EPOCH, 20 };
        else if (slice_equal(cell, SLICE("#")))
                class.key = (struct key){ KEY_STEP, 60 };
        return class;
}

static bool is_name(struct slice cell) {
        size_t n_words = 1;

        if (cell.size_bytes == 0 || cell.size_bytes > CELL_BYTES_MAX || isdigit((unsigned char)cell.data[0]))
                return false;
        for (size_t i = 0; i < cell.size_bytes; i++) {
                if (strchr("=\"{}<>;!?,[]", cell.data[i]) ||
                    (cell.data[i] == ':' && (i + 1 == cell.size_bytes || cell.data[i + 1] == ' ')) ||
                    (cell.data[i] == ' ' && isdigit((unsigned char)cell.data[i + 1])))
                        return false;
                n_words += cell.data[i] == ' ';
        }
        return n_words <= CELL_WORDS_MAX;
}

/* A header has an x among its first two names, and a metric that is known; under an epoch, what
 * stands beside it is a metric whatever its name. Detectors print scores by class: the row of "all"
 * is theirs. */
static bool is_header(const struct slice *cells, size_t n, size_t *ret_x) {
        bool has_x = false, is_epoch = false, has_result = false;

        if (n < 2)
                return false;
        *ret_x = SIZE_MAX;
        for (size_t i = 0; i < n; i++) {
                struct name_class class;

                if (!is_name(cells[i]))
                        return false;
                class = class_of(cells[i]);
                if (i < 2 && is_x(class.key.role) && !has_x) {
                        has_x = true;
                        is_epoch = class.key.role == KEY_EPOCH;
                        *ret_x = i;
                } else if (class.key.role == KEY_METRIC && class.kind == METRIC_RESULT) {
                        has_result = true;
                }
        }
        if (slice_equal(cells[0], SLICE("Class")))
                return has_result && n >= 4;
        return has_x && (has_result || (is_epoch && n >= 4));
}

/* Box(P and mAP50-95) are P and mAP50-95 of boxes. */
static struct slice without_brackets(struct slice cell) {
        const char *open = memchr(cell.data, '(', cell.size_bytes), *close = memchr(cell.data, ')', cell.size_bytes);

        if (open && !close)
                return (struct slice){ open + 1, cell.size_bytes - (size_t)(open + 1 - cell.data) };
        if (close && !open)
                cell.size_bytes = (size_t)(close - cell.data);
        return cell;
}

int table_take_header(struct table *table, struct slice line) {
        struct slice cells[TABLE_COLUMNS_MAX];
        enum table_style style = style_of(line);
        size_t n, x;
        int r = 0;

        line = cut_bar(line);
        n = table_split(line, style, cells);

        if (!is_header(cells, n, &x))
                return 0;
        table_start(table);
        for (size_t i = 0; i < n && r == 0; i++) {
                cells[i] = without_brackets(cells[i]);
                table->columns[i] = (struct table_column){
                        .name_start = table->names.size_bytes, .name_bytes = cells[i].size_bytes,
                        .first = (size_t)(cells[i].data - line.data),
                        .last = (size_t)(cells[i].data - line.data) + cells[i].size_bytes,
                        .class = class_of(cells[i]),
                };
                r = buffer_append(&table->names, cells[i].data, cells[i].size_bytes);
        }
        if (r < 0)
                return r == -ENOBUFS ? 0 : r;
        table->n_columns = n;
        table->x_column = x;
        table->style = style;
        return 1;
}

/* --- rows --- */

/* The whole cell as a number: with a percent sign, or for x as 3/50. */
static bool cell_number(struct slice cell, bool is_x_cell, double *ret_value, double *ret_total) {
        size_t n;

        *ret_total = NAN;
        if (cell.size_bytes > 1 && cell.data[cell.size_bytes - 1] == '%')
                cell.size_bytes--;
        if (number_parse(cell, ret_value))
                return true;
        n = number_scan(cell, ret_value);
        return is_x_cell && n > 0 && n < cell.size_bytes && cell.data[n] == '/' &&
               number_parse((struct slice){ cell.data + n + 1, cell.size_bytes - n - 1 }, ret_total);
}

/* The column under whose name a cell stands: the one that it overlaps, or whose end is nearest. */
static size_t column_under(const struct table *table, size_t first, size_t last) {
        size_t best = 0, best_distance = SIZE_MAX;

        for (size_t i = 0; i < table->n_columns; i++) {
                const struct table_column *column = &table->columns[i];
                size_t distance = last > column->last ? last - column->last : column->last - last;

                if (first < column->last && last > column->first)
                        return i;
                if (distance < best_distance) {
                        best_distance = distance;
                        best = i;
                }
        }
        return best;
}

static int take_cell(const struct table *table, const struct table_column *column, struct slice cell, struct draft *draft) {
        struct slice name = { table->names.data + column->name_start, column->name_bytes };
        bool is_x_cell = is_x(column->class.key.role);
        double value, total;

        if (!cell_number(cell, is_x_cell, &value, &total))
                return 0;
        if (is_x_cell) {
                (void)draft_set_x(draft, column->class.key, value);
                if (column->class.key.role == KEY_EPOCH && isfinite(total))
                        (void)draft_set_x(draft, (struct key){ KEY_TOTAL_EPOCHS, 0 }, total);
                return 0;
        }
        return column->class.key.role == KEY_METRIC ? draft_add(draft, (struct slice){ 0 }, name, value) : 0;
}

static bool has_x_at(const struct table *table, struct slice cell) {
        double value, total;

        if (table->x_column == SIZE_MAX)
                return slice_equal(cell, SLICE("all"));
        return cell_number(cell, true, &value, &total) && isfinite(value) && value >= 0;
}

static bool is_whole(struct slice cell) {
        for (size_t i = 0; i < cell.size_bytes; i++)
                if (!isdigit((unsigned char)cell.data[i]))
                        return false;
        return cell.size_bytes > 0;
}

/* A data frame that is printed has its index in front, which has no name: "0      1   0.5", with the epoch
 * second. */
static bool has_index(const struct table *table, const struct slice *cells, size_t n) {
        return table->style == TABLE_GAPS && table->x_column == 0 && n == table->n_columns + 1 && is_whole(cells[0]) &&
               is_whole(cells[1]);
}

int table_take_row(struct table *table, struct slice line, struct draft *draft) {
        struct slice cells[TABLE_COLUMNS_MAX];
        size_t n, x;
        int r = 0;

        if (table->n_columns == 0)
                return 0;
        line = cut_bar(line);
        n = table_split(line, table->style, cells);
        if (has_index(table, cells, n))
                memmove(cells, cells + 1, --n * sizeof(*cells));
        x = table->x_column == SIZE_MAX ? 0 : table->x_column;
        draft_start(draft);
        if (n >= 2 && n > x && has_x_at(table, cells[x]) && (x == 0 || n == table->n_columns))
                for (size_t i = 0; i < n && r == 0; i++) {
                        size_t first = (size_t)(cells[i].data - line.data);
                        size_t column = n >= table->n_columns || table->style != TABLE_GAPS ?
                                                i :
                                                column_under(table, first, first + cells[i].size_bytes);

                        if (column < table->n_columns)
                                r = take_cell(table, &table->columns[column], cells[i], draft);
                }
        if (r < 0)
                return r;
        if ((draft_has_x(draft) || table->x_column == SIZE_MAX) && draft->n_metrics > 0) {
                table->misses = 0;
                return 1;
        }
        if (++table->misses > MISSES_MAX)
                table->n_columns = 0;
        return 0;
}
