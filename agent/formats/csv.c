/* CSV and TSV. The separator is what makes most of the header; a line of names further down is a new
 * header (fastai repeats it at every fit, others widen it). A file without header is read where its
 * path says what its columns are (layout.c).
 *
 * A row is read in one pass: a cell that begins like a number is one, nearly always. */
#include "formats/csv.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/number.h"
#include "formats/evidence.h"
#include "formats/keys.h"
#include "formats/layout.h"
#include "formats/lines.h"

enum {
        COLUMNS_MAX = RECORD_METRICS_MAX,
        NAME_BYTES_MAX = 1024,
        NUMBER_BYTES_MAX = 64,
        EXPECTED_BYTES = 96,
        JUDGED_ROWS = 3, /* that are looked at where the header does not say enough */
        UNIX_TIME_MIN = 100000000,
};

#define EXPECTED_HEADER "a header line: two names or more, separated by commas, semicolons, tabs or bars"

struct column {
        char *header; /* as it stands in the file, to find it again further down */
        struct slice name; /* owned; empty: of row numbers (pandas), when it is the first */
        struct key key;
};

struct parser {
        char separator; /* 0: no header yet; a blank: runs of blanks and tabs */
        char decimal;   /* '.' or ',' once the file has shown which; 0 before */
        struct column *columns;
        size_t n_columns;
        double next_row;
        struct record_builder builder;
        struct buffer comment; /* the last one before the header, which may be it (NumPy's savetxt) */
        char expected[EXPECTED_BYTES];
};

/* --- cells --- */

static bool is_blank(char c) {
        return c == ' ' || c == '\t';
}

static const char *skip_blanks(const char *at, const char *end) {
        while (at < end && is_blank(*at))
                at++;
        return at;
}

static const char *find_separator_after(const char *at, const char *end, char separator) {
        const char *found;

        if (separator != ' ') {
                found = memchr(at, separator, (size_t)(end - at));
                return found ? found : end;
        }
        while (at < end && !is_blank(*at))
                at++;
        return at;
}

/* A quoted cell without its quotes; *at moves behind them. Quotes that are doubled in it stay so: names
 * and numbers have none. */
static struct slice take_quoted(const char **at, const char *end) {
        const char *start = *at + 1, *stop = start;

        while (stop < end && (*stop != '"' || (stop + 1 < end && stop[1] == '"')))
                stop += *stop == '"' ? 2 : 1;
        if (stop > end)
                stop = end;
        *at = stop < end ? stop + 1 : end;
        return (struct slice){ start, (size_t)(stop - start) };
}

/* The cell at *at without blanks and quotes; *at moves to the separator behind it, or to end. */
static struct slice take_cell(const char **at, const char *end, char separator, bool *ret_quoted) {
        const char *start = *at;
        struct slice cell;

        while (start < end && *start == ' ' && separator != ' ')
                start++;
        *ret_quoted = start < end && *start == '"';
        if (*ret_quoted) {
                cell = take_quoted(&start, end);
                *at = find_separator_after(start, end, separator);
        } else {
                *at = find_separator_after(start, end, separator);
                cell = (struct slice){ start, (size_t)(*at - start) };
        }
        return line_trim(cell, false);
}

/* From the separator at *at to the next cell; false: there is none. */
static inline bool next_cell(const char **at, const char *end, char separator) {
        if (separator == ' ')
                *at = skip_blanks(*at, end);
        if (*at == end)
                return false;
        *at += separator != ' ';
        return true;
}

/* Blanks around a line are no cells where blanks part them. */
static struct slice trim_row(struct slice line, char separator) {
        return separator == ' ' ? line_trim(line, false) : line;
}

static size_t count_cells(struct slice line, char separator) {
        const char *at = line.data, *end = at + line.size_bytes;
        bool quoted;
        size_t n = 0;

        do {
                (void)take_cell(&at, end, separator, &quoted);
                n++;
        } while (next_cell(&at, end, separator));
        return n;
}

/* --- numbers as other countries write them --- */

/* "1,234" and "12,345,678.5": groups of three digits behind the first. */
static bool has_thousands(struct slice cell, char mark, char point) {
        size_t n_digits = 0, i = cell.size_bytes > 0 && (cell.data[0] == '-' || cell.data[0] == '+');
        bool has_mark = false;

        if (i < cell.size_bytes && cell.data[i] == '0')
                return false;
        for (; i < cell.size_bytes && cell.data[i] != point; i++) {
                if (cell.data[i] == mark) {
                        if (n_digits == 0 || n_digits > 3 || (has_mark && n_digits != 3))
                                return false;
                        has_mark = true;
                        n_digits = 0;
                } else {
                        n_digits++;
                }
        }
        return has_mark && n_digits == 3;
}

/* As number_parse() has it: without the marks between thousands, with a point as the point. */
static bool parse_with(struct slice cell, char mark, char point, double *ret_value) {
        char text[NUMBER_BYTES_MAX];
        size_t n = 0;

        if (cell.size_bytes > sizeof(text))
                return false;
        for (size_t i = 0; i < cell.size_bytes; i++)
                if (cell.data[i] != mark)
                        text[n++] = cell.data[i] == point ? '.' : cell.data[i];
        return number_parse((struct slice){ text, n }, ret_value);
}

/* A comma in a cell that is a number: between thousands, or the decimal point where the whole file uses
 * it so. What the first such cell shows holds for the rest of the file. */
static bool parse_with_comma(struct slice cell, char separator, char *decimal, double *ret_value) {
        bool is_foreign = separator == ';' || separator == '\t';

        if (!memchr(cell.data, ',', cell.size_bytes))
                return is_foreign && *decimal == ',' && has_thousands(cell, '.', ',') &&
                       parse_with(cell, '.', ',', ret_value);
        if (*decimal != ',' && has_thousands(cell, ',', '.') &&
            (*decimal == '.' || separator != ';' || memchr(cell.data, '.', cell.size_bytes)))
                return parse_with(cell, ',', '.', ret_value);
        if (!is_foreign || *decimal == '.' || !parse_with(cell, '.', ',', ret_value))
                return false;
        *decimal = ',';
        return true;
}

static bool parse_cell(struct slice cell, char separator, char *decimal, double *ret_value) {
        if (cell.size_bytes == 0)
                return false;
        if (*decimal != ',' && number_parse(cell, ret_value)) {
                if (!*decimal && memchr(cell.data, '.', cell.size_bytes))
                        *decimal = '.';
                return true;
        }
        return parse_with_comma(cell, separator, decimal, ret_value) || number_parse(cell, ret_value);
}

/* --- headers --- */

/* "#epoch" is a name, "# epoch" a comment; so is the JSON of Stable-Baselines3's Monitor. */
static bool is_comment(struct slice line) {
        return line.size_bytes > 0 && line.data[0] == '#' &&
               (line.size_bytes == 1 || strchr(" {#!=-", line.data[1]));
}

static struct slice uncomment(struct slice line) {
        while (line.size_bytes > 0 && (line.data[0] == '#' || line.data[0] == ' '))
                line = (struct slice){ line.data + 1, line.size_bytes - 1 };
        return line;
}

/* Without the separator at its end that some writers put behind the last name. */
static struct slice trim_header(struct slice line, char separator) {
        if (line.size_bytes > 0 && separator != ' ' && line.data[line.size_bytes - 1] == separator)
                line.size_bytes--;
        return trim_row(line, separator);
}

static char find_separator(struct slice line) {
        static const char separators[] = { '\t', ';', ',', '|' };
        size_t most = 1;
        char found = 0;

        for (size_t i = 0; i < sizeof(separators); i++) {
                size_t n = count_cells(trim_header(line, separators[i]), separators[i]);

                if (n > most) {
                        most = n;
                        found = separators[i];
                }
        }
        if (!found && count_cells(line_trim(line, false), ' ') > 1)
                found = ' ';
        return found;
}

static bool occurs_before(struct slice line, char separator, struct slice cell) {
        const char *at = line.data, *end = at + line.size_bytes;
        bool quoted;

        do {
                struct slice other = take_cell(&at, end, separator, &quoted);

                if (other.data >= cell.data)
                        return false;
                if (slice_equal(other, cell))
                        return true;
        } while (next_cell(&at, end, separator));
        return false;
}

/* A header has names: no number, none twice, and only its first cell may be empty. */
static bool is_header(struct slice line, char separator) {
        const char *at, *end;
        double number;
        size_t n = 0;

        if (memchr(line.data, '\0', line.size_bytes))
                return false;
        line = trim_header(line, separator);
        at = line.data;
        end = at + line.size_bytes;
        do {
                bool quoted;
                struct slice cell = take_cell(&at, end, separator, &quoted);

                if ((cell.size_bytes == 0 && n > 0) || cell.size_bytes > NAME_BYTES_MAX ||
                    number_parse(cell, &number) || occurs_before(line, separator, cell))
                        return false;
                n++;
        } while (n <= COLUMNS_MAX && next_cell(&at, end, separator));
        return n >= 2 && n <= COLUMNS_MAX;
}

static void forget_header(struct parser *parser) {
        for (size_t i = 0; i < parser->n_columns; i++) {
                free(parser->columns[i].header);
                free((void *)(uintptr_t)parser->columns[i].name.data);
        }
        free(parser->columns);
        parser->columns = NULL;
        parser->n_columns = 0;
        parser->separator = 0;
}

/* W&B's export has three columns a curve. */
static bool is_bound(struct slice name) {
        return name.size_bytes > 5 && (memcmp(name.data + name.size_bytes - 5, "__MIN", 5) == 0 ||
                                       memcmp(name.data + name.size_bytes - 5, "__MAX", 5) == 0);
}

static struct key key_of_column(struct slice header) {
        return is_bound(header) ? (struct key){ .role = KEY_IGNORED } : key_of(header);
}

static int set_column(struct column *column, struct slice header, struct slice name, struct key key) {
        column->header = strndup(header.data ? header.data : "", header.size_bytes);
        column->name = (struct slice){ strndup(name.data ? name.data : "", name.size_bytes), name.size_bytes };
        column->key = key;
        return column->header && column->name.data ? 0 : -ENOMEM;
}

static int set_column_by_layout(struct column *column, const struct layout *layout, size_t i, struct slice header,
                                struct slice source) {
        static const struct key keys[] = {
                [COLUMN_NONE] = { .role = KEY_IGNORED }, [COLUMN_EPOCH] = { .role = KEY_EPOCH },
                [COLUMN_STEP] = { .role = KEY_STEP },    [COLUMN_TIME] = { .role = KEY_TIME },
                [COLUMN_VALUE] = { .role = KEY_METRIC },
        };
        CLEANUP(buffer_release) struct buffer name = BUFFER_INIT(NAME_BYTES_MAX);
        enum layout_column what = layout_column(layout, i, header);
        int r = 0;

        if (what == COLUMN_ANY)
                return set_column(column, header, header, key_of_column(header));
        if (what == COLUMN_VALUE)
                r = layout_put_name(layout, source, header, &name);
        if (r == -ENOMEM)
                return r;
        if (what == COLUMN_VALUE && name.size_bytes == 0)
                what = COLUMN_NONE;
        return set_column(column, header, buffer_slice(&name), keys[what]);
}

/* Columns of a header line, or, with a layout of a file without header, of its first row. */
static int take_columns(struct parser *parser, struct slice line, char separator, const struct layout *layout,
                        struct slice source) {
        bool has_header = !layout || !layout_separator(layout), quoted;
        const char *at, *end;
        int r = 0;

        line = has_header ? trim_header(line, separator) : line;
        at = line.data;
        end = at + line.size_bytes;
        forget_header(parser);
        parser->columns = calloc(count_cells(line, separator), sizeof(*parser->columns));
        if (!parser->columns)
                return -ENOMEM;
        parser->separator = separator;
        do {
                struct slice header = take_cell(&at, end, separator, &quoted);
                struct column *column = &parser->columns[parser->n_columns];

                if (!has_header)
                        header = (struct slice){ 0 };
                r = layout ? set_column_by_layout(column, layout, parser->n_columns, header, source)
                           : set_column(column, header, header, key_of_column(header));
                parser->n_columns++;
        } while (r == 0 && next_cell(&at, end, separator));
        if (r < 0)
                forget_header(parser);
        return r;
}

/* A line of names that shares one with the header is the header again, perhaps with more columns. */
static bool is_new_header(const struct parser *parser, struct slice line) {
        const char *at, *end;
        bool quoted;

        if (!is_header(line, parser->separator))
                return false;
        line = trim_header(line, parser->separator);
        at = line.data;
        end = at + line.size_bytes;
        do {
                struct slice cell = take_cell(&at, end, parser->separator, &quoted);

                for (size_t i = 0; i < parser->n_columns && cell.size_bytes > 0; i++)
                        if (slice_equal(slice_from(parser->columns[i].header), cell))
                                return true;
        } while (next_cell(&at, end, parser->separator));
        return false;
}

/* --- rows --- */

struct row {
        size_t n_cells, n_numbers;
        bool ends_empty; /* one separator too many at the end is common, and harmless */
        bool has_nul;
};

static inline int put_number(struct parser *parser, size_t i, double number) {
        struct column *column;

        if (i >= parser->n_columns)
                return 0;
        column = &parser->columns[i];
        if (column->name.size_bytes > 0 || column->key.role != KEY_METRIC)
                return builder_add_number(&parser->builder, column->key, column->name, number);
        if (i == 0)
                parser->builder.record.row = number;
        return 0;
}

static int put_cell(struct parser *parser, size_t i, const char **at, const char *end, struct row *row) {
        const struct column *column = i < parser->n_columns ? &parser->columns[i] : NULL;
        bool quoted;
        struct slice cell = take_cell(at, end, parser->separator, &quoted);
        double number;

        row->ends_empty = cell.size_bytes == 0;
        if (cell.size_bytes == 0)
                return 0;
        if (parse_cell(cell, parser->separator, &parser->decimal, &number)) {
                row->n_numbers++;
                return put_number(parser, i, number);
        }
        row->has_nul = row->has_nul || memchr(cell.data, '\0', cell.size_bytes);
        return column && column->name.size_bytes > 0
                       ? builder_add_text(&parser->builder, column->key, column->name, cell)
                       : 0;
}

/* True when a whole cell at *at is a plain number; *at is at the separator behind it then. */
static inline bool take_plain_number(struct parser *parser, const char **at, const char *end, double *ret_number) {
        const char *start = *at, *stop;
        size_t n;

        while (start < end && *start == ' ')
                start++;
        if (start == end || (unsigned char)(*start - '+') > '9' - '+')
                return false;
        n = number_scan((struct slice){ start, (size_t)(end - start) }, ret_number);
        if (n == 0)
                return false;
        stop = start + n;
        while (stop < end && *stop == ' ' && parser->separator != ' ')
                stop++;
        if (stop < end && *stop != parser->separator && !(parser->separator == ' ' && *stop == '\t'))
                return false;
        if (parser->decimal != '.') {
                if (parser->decimal == ',')
                        return false;
                if (memchr(start, '.', n))
                        parser->decimal = '.';
        }
        *at = stop;
        return true;
}

static int read_row(struct parser *parser, struct slice line, struct row *row) {
        const char *at, *end;
        double number;
        int r;

        line = trim_row(line, parser->separator);
        at = line.data;
        end = at + line.size_bytes;
        do {
                if (take_plain_number(parser, &at, end, &number)) {
                        row->n_numbers++;
                        row->ends_empty = false;
                        r = put_number(parser, row->n_cells, number);
                } else {
                        r = put_cell(parser, row->n_cells, &at, end, row);
                }
                row->n_cells++;
        } while (r == 0 && next_cell(&at, end, parser->separator));
        return r;
}

static void reject_width(struct parser *parser, struct slice line, size_t n_cells, struct parse_context *context) {
        (void)snprintf(parser->expected, sizeof(parser->expected), "%zu cells, as the header has, not %zu",
                       parser->n_columns, n_cells);
        line_reject(context, line, 0, parser->expected);
}

static void deliver(struct parser *parser, struct parse_context *context) {
        struct record *record = &parser->builder.record;

        parser->next_row = record->row + 1;
        if (!builder_has_content(&parser->builder))
                return;
        record->source = context->source;
        record->line = context->line;
        context->sink->take_record(context->sink->userdata, record);
}

static int take_row(struct parser *parser, struct slice line, struct parse_context *context) {
        struct row row = { 0 };
        int r;

        builder_start(&parser->builder);
        parser->builder.record.row = parser->next_row;
        r = read_row(parser, line, &row);
        if (r < 0)
                return r;
        if (row.n_numbers == 0 && is_new_header(parser, line))
                return take_columns(parser, line, parser->separator, layout_of_header(context->source, line),
                                    context->source);
        if (row.has_nul)
                line_reject(context, line, 0, "text without NUL bytes; the line is passed over");
        else if (row.n_cells == parser->n_columns || (row.n_cells == parser->n_columns + 1 && row.ends_empty))
                deliver(parser, context);
        else
                reject_width(parser, line, row.n_cells, context);
        return 0;
}

/* --- the first lines --- */

/* What the columns of a file are: from its header, the comment before its first row, or its path. */
struct header {
        struct slice line;
        char separator;
        const struct layout *layout;
        bool is_row; /* line is the first row already */
};

static bool find_header(struct slice line, struct slice comment, struct slice source, struct header *ret_header) {
        struct header header = { .line = line, .layout = layout_of_row(source, line) };

        header.is_row = header.layout != NULL;
        if (header.layout) {
                header.separator = layout_separator(header.layout);
                *ret_header = header;
                return true;
        }
        header.separator = find_separator(line);
        if (header.separator && !is_header(line, header.separator) && comment.size_bytes > 0) {
                header.line = uncomment(comment);
                header.separator = find_separator(header.line);
                header.is_row = true;
        }
        if (!header.separator || !is_header(header.line, header.separator))
                return false;
        header.layout = layout_of_header(source, header.line);
        *ret_header = header;
        return true;
}

static int take_first_line(struct parser *parser, struct slice line, struct parse_context *context) {
        struct header header;
        int r;

        if (!find_header(line, buffer_slice(&parser->comment), context->source, &header)) {
                line_reject(context, line, 0, EXPECTED_HEADER);
                return 0;
        }
        r = take_columns(parser, header.line, header.separator, header.layout, context->source);
        return r == 0 && header.is_row ? take_row(parser, line, context) : r;
}

static int take_comment(struct parser *parser, struct slice line) {
        int r;

        if (parser->separator)
                return 0;
        buffer_clear(&parser->comment);
        r = buffer_append(&parser->comment, line.data, line.size_bytes);
        return r == -ENOBUFS ? 0 : r;
}

static int take_line(struct parser *parser, struct slice line, struct parse_context *context) {
        /* Blanks at the ends belong to cells, since a tab may be the separator. */
        if (context->line == 1 && slice_starts_with(line, SLICE("\xef\xbb\xbf")))
                line = (struct slice){ line.data + 3, line.size_bytes - 3 };
        if (line.size_bytes > 0 && line.data[line.size_bytes - 1] == '\r')
                line.size_bytes--;
        if (line.size_bytes == 0 || (is_blank(line.data[0]) && line_trim(line, false).size_bytes == 0))
                return 0;
        if (line.data[0] == '#' && is_comment(line))
                return take_comment(parser, line);
        return parser->separator ? take_row(parser, line, context) : take_first_line(parser, line, context);
}

static ssize_t consume(struct parser *parser, struct slice bytes, bool final, struct parse_context *context) {
        return lines_consume(parser, bytes, final, context, take_line);
}

/* --- recognising --- */

/* What the first rows say. */
struct table {
        const struct header *header;
        size_t n_rows;
        bool is_regular;   /* each row is as wide as the header and has a number */
        bool has_text;     /* a cell of words in a column that means nothing to us */
        bool has_dates;    /* a time series */
        bool all_numbers;  /* but in columns that are no metrics */
        bool is_ascending; /* x, from 0 or 1 */
        double last_x;
        struct evidence evidence; /* of the header and the first row */
};

static bool is_missing(struct slice cell) {
        static const char *const words[] = { "", "-", "--", "NA", "N/A", "n/a", "None", "null", "none" };

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                if (slice_equal(cell, slice_from(words[i])))
                        return true;
        return false;
}

static bool is_date(struct slice cell, bool is_number, double number) {
        double time;

        if (is_number)
                return number >= UNIX_TIME_MIN;
        return instant_parse(cell, &time) || memchr(cell.data, '-', cell.size_bytes) ||
               memchr(cell.data, '/', cell.size_bytes);
}

static void judge_x(struct table *table, double x) {
        if (table->n_rows == 0 ? x != 0 && x != 1 : x <= table->last_x)
                table->is_ascending = false;
        table->last_x = x;
}

static void judge_cell(struct table *table, struct slice name, struct slice cell, char *decimal, bool *has_number) {
        struct key key = key_of_column(name);
        double number = 0;
        bool is_number = parse_cell(cell, table->header->separator, decimal, &number);
        bool is_text = !is_number && !is_missing(cell);

        *has_number = *has_number || is_number;
        if (key.role == KEY_TIME && !is_missing(cell))
                table->has_dates = table->has_dates || is_date(cell, is_number, number);
        if (key.role == KEY_METRIC && is_text)
                table->has_text = true;
        if (key.role == KEY_METRIC && name.size_bytes > 0 && !is_number)
                table->all_numbers = false;
        if (key_is_x(key))
                judge_x(table, is_number ? number : -1);
        if (table->n_rows > 0)
                return;
        if (is_text)
                evidence_add_other(&table->evidence, name, key);
        else
                evidence_add_number(&table->evidence, name, key);
}

static void judge_row(struct table *table, struct slice row) {
        char separator = table->header->separator, decimal = 0;
        struct slice header = trim_header(table->header->line, separator);
        const char *name_at = header.data, *name_end = name_at + header.size_bytes, *at, *end;
        bool quoted, more_names, more, has_number = false;

        row = trim_row(row, separator);
        if (separator != ' ' && row.size_bytes > 0 && row.data[row.size_bytes - 1] == separator &&
            count_cells(row, separator) == count_cells(header, separator) + 1)
                row.size_bytes--;
        at = row.data;
        end = at + row.size_bytes;
        do {
                struct slice name = take_cell(&name_at, name_end, separator, &quoted);
                struct slice cell = take_cell(&at, end, separator, &quoted);

                judge_cell(table, name, cell, &decimal, &has_number);
                more_names = next_cell(&name_at, name_end, separator);
                more = next_cell(&at, end, separator);
        } while (more_names && more);
        table->is_regular = table->is_regular && more_names == more && has_number;
        table->n_rows++;
}

/* One row is enough where the names are of training. */
static enum recognition judge_table(const struct table *table) {
        const struct evidence *evidence = &table->evidence;
        bool is_vague = table->has_text && evidence->n_sure_results == 0 && !evidence->has_epoch;

        if (!table->is_regular)
                return RECOGNITION_NO;
        if (evidence_is_history(evidence))
                return is_vague ? RECOGNITION_NO : RECOGNITION_YES;
        if (!evidence->has_x)
                return evidence_may_be_rows(evidence) && !table->has_text && !table->has_dates ? RECOGNITION_YES
                                                                                               : RECOGNITION_NO;
        if (evidence->n_metrics == 0 || evidence->has_samples || evidence->has_subjects || !table->all_numbers ||
            !table->is_ascending || table->header->separator == ' ')
                return RECOGNITION_NO;
        return table->n_rows >= JUDGED_ROWS ? RECOGNITION_YES : RECOGNITION_MORE;
}

static enum recognition judge_rows(const struct header *header, struct slice head, bool final) {
        struct table table = { .header = header, .is_regular = true, .all_numbers = true, .is_ascending = true };
        enum recognition answer = RECOGNITION_MORE;

        while (answer == RECOGNITION_MORE && head.size_bytes > 0) {
                bool complete;
                struct slice line = lines_take_first(&head, &complete);

                if (!complete && !final)
                        return RECOGNITION_MORE;
                if (line_trim(line, false).size_bytes == 0 || is_comment(line))
                        continue;
                judge_row(&table, line);
                answer = judge_table(&table);
        }
        if (answer == RECOGNITION_MORE && final)
                return table.n_rows >= 2 ? RECOGNITION_YES : RECOGNITION_NO;
        return answer;
}

static enum recognition judge_layout(const struct header *header, struct slice head, bool final) {
        struct slice line = { 0 };
        bool complete = true;
        double number;

        if (header->is_row)
                return RECOGNITION_YES;
        while (head.size_bytes > 0 && line_trim(line, false).size_bytes == 0)
                line = lines_take_first(&head, &complete);
        if (!complete && !final)
                return RECOGNITION_MORE;
        if (line.size_bytes == 0)
                return final ? RECOGNITION_NO : RECOGNITION_MORE;
        return number_scan(line_trim(line, false), &number) > 0 ? RECOGNITION_YES : RECOGNITION_NO;
}

/* The first line that is neither blank nor a comment, and the comment before it. */
static bool take_preamble(struct slice *head, struct slice *ret_comment, struct slice *ret_line) {
        bool complete = false;

        *ret_comment = (struct slice){ 0 };
        if (slice_starts_with(*head, SLICE("\xef\xbb\xbf")))
                *head = (struct slice){ head->data + 3, head->size_bytes - 3 };
        while (head->size_bytes > 0) {
                *ret_line = lines_take_first(head, &complete);
                if (line_trim(*ret_line, false).size_bytes == 0)
                        continue;
                if (!is_comment(*ret_line))
                        return complete;
                *ret_comment = *ret_line;
        }
        return false;
}

/* A bar that is drawn again and again, with no newline before its end. */
static bool is_redrawn(struct slice head) {
        const char *carriage = memchr(head.data, '\r', head.size_bytes);

        return carriage && carriage + 1 < head.data + head.size_bytes && carriage[1] != '\n' &&
               !memchr(head.data, '\n', head.size_bytes);
}

static enum recognition recognise(struct slice head, struct slice source, bool final) {
        struct slice rest = head, comment, line;
        struct header header;

        if (!take_preamble(&rest, &comment, &line))
                return final || is_redrawn(head) ? RECOGNITION_NO : RECOGNITION_MORE;
        if (strchr("{[<|", line.data[0]) || !find_header(line, comment, source, &header))
                return RECOGNITION_NO;
        if (header.layout)
                return judge_layout(&header, rest, final);
        if (header.is_row) /* the header was a comment */
                rest = (struct slice){ line.data, (size_t)(head.data + head.size_bytes - line.data) };
        return judge_rows(&header, rest, final);
}

/* --- the format --- */

static int open_parser(struct parser **ret_parser) {
        struct parser *parser = calloc(1, sizeof(*parser));

        if (!parser)
                return -ENOMEM;
        parser->comment = BUFFER_INIT(LINE_BYTES_MAX);
        *ret_parser = parser;
        return 0;
}

static void free_parser(struct parser *parser) {
        if (!parser)
                return;
        forget_header(parser);
        builder_release(&parser->builder);
        buffer_release(&parser->comment);
        free(parser);
}

const struct format format_csv = {
        .name = "csv",
        .description = "CSV and TSV with a header line, and one-metric files of known frameworks",
        .rank = SOURCE_STRUCTURED,
        .by_line = true,
        .recognise = recognise,
        .open = open_parser,
        .consume = consume,
        .free = free_parser,
};
