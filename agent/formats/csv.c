/* CSV and TSV with a header. The separator is what makes most of the header; a line of names further
 * down is a new header (fastai repeats it at every fit, others widen it). */
#include "formats/csv.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/number.h"
#include "formats/keys.h"
#include "formats/lines.h"

enum {
        COLUMNS_MAX = RECORD_METRICS_MAX,
        NAME_BYTES_MAX = 1024,
        EXPECTED_BYTES = 96,
};

struct column {
        char *name; /* "": the first column, of row numbers (pandas) */
        struct key key;
};

struct parser {
        char separator; /* 0: no header yet */
        struct column *columns;
        size_t n_columns;
        double next_row;
        struct record_builder builder;
        char expected[EXPECTED_BYTES];
};

/* --- cells --- */

/* The cell at *at without blanks and quotes; *at moves behind the separator, or past end + 1 after
 * the last. Quotes that are doubled in a quoted cell stay so: names and numbers have none. */
static struct slice next_cell(const char **at, const char *end, char separator) {
        const char *start = *at, *stop;
        struct slice cell;

        while (start < end && *start == ' ')
                start++;
        if (start < end && *start == '"') {
                stop = start + 1;
                while (stop < end && (*stop != '"' || (stop + 1 < end && stop[1] == '"')))
                        stop += *stop == '"' ? 2 : 1;
                cell = (struct slice){ start + 1, (size_t)((stop < end ? stop : end) - start - 1) };
                if (stop < end)
                        stop++;
        } else {
                stop = start;
                cell = (struct slice){ start, 0 };
        }
        start = stop;
        stop = memchr(start, separator, (size_t)(end - start));
        if (!stop)
                stop = end;
        if (cell.size_bytes == 0 && cell.data == start)
                cell.size_bytes = (size_t)(stop - start);
        *at = stop + 1;
        return line_trim(cell, false);
}

static size_t count_cells(struct slice line, char separator) {
        const char *at = line.data, *end = at + line.size_bytes;
        size_t n = 0;

        while (at <= end) {
                (void)next_cell(&at, end, separator);
                n++;
        }
        return n;
}

/* One separator too many at the end is common, and harmless. */
static bool has_width(struct slice line, char separator, size_t n_columns) {
        size_t n = count_cells(line, separator);

        return n == n_columns || (n == n_columns + 1 && line.data[line.size_bytes - 1] == separator);
}

/* With semicolons between cells, a comma may be the decimal point (a European spreadsheet). */
static bool parse_cell(struct slice cell, char separator, double *ret_value) {
        char text[64];
        char *comma;

        if (number_parse(cell, ret_value))
                return true;
        if (separator != ';' || cell.size_bytes >= sizeof(text))
                return false;
        memcpy(text, cell.data, cell.size_bytes);
        text[cell.size_bytes] = '\0';
        comma = strchr(text, ',');
        if (!comma)
                return false;
        *comma = '.';
        return number_parse((struct slice){ text, cell.size_bytes }, ret_value);
}

static char find_separator(struct slice line) {
        static const char separators[] = { '\t', ';', ',' };
        size_t most = 1;
        char found = 0;

        for (size_t i = 0; i < sizeof(separators); i++) {
                size_t n = count_cells(line, separators[i]);

                if (n > most) {
                        most = n;
                        found = separators[i];
                }
        }
        return found;
}

/* --- headers --- */

static bool is_comment(struct slice line) {
        return line.size_bytes > 0 && line.data[0] == '#' &&
               (line.size_bytes == 1 || line.data[1] == ' ' || line.data[1] == '{' || line.data[1] == '#');
}

/* A header has names: no number, none twice, and only its first cell may be empty. */
static bool is_header(struct slice line, char separator) {
        const char *at = line.data, *end = at + line.size_bytes;
        double number;
        size_t n = 0;

        for (; at <= end; n++) {
                struct slice cell = next_cell(&at, end, separator);

                if ((cell.size_bytes == 0 && n > 0) || cell.size_bytes > NAME_BYTES_MAX ||
                    number_parse(cell, &number))
                        return false;
                for (const char *before = line.data; before < cell.data;) {
                        struct slice other = next_cell(&before, end, separator);

                        if (other.data < cell.data && slice_equal(other, cell))
                                return false;
                }
        }
        return n >= 2 && n <= COLUMNS_MAX;
}

static void forget_header(struct parser *parser) {
        for (size_t i = 0; i < parser->n_columns; i++)
                free(parser->columns[i].name);
        free(parser->columns);
        parser->columns = NULL;
        parser->n_columns = 0;
        parser->separator = 0;
}

static int take_header(struct parser *parser, struct slice line, char separator) {
        size_t n = count_cells(line, separator);
        const char *at = line.data, *end = at + line.size_bytes;
        struct column *columns = calloc(n, sizeof(*columns));

        if (!columns)
                return -ENOMEM;
        forget_header(parser);
        parser->columns = columns;
        parser->separator = separator;
        for (; at <= end; parser->n_columns++) {
                struct slice cell = next_cell(&at, end, separator);
                struct column *column = &columns[parser->n_columns];

                column->name = strndup(cell.data, cell.size_bytes);
                if (!column->name) {
                        forget_header(parser);
                        return -ENOMEM;
                }
                column->key = key_of(cell);
        }
        return 0;
}

/* A line of names that shares one with the header is the header again, perhaps with more columns. */
static bool is_new_header(const struct parser *parser, struct slice line) {
        const char *at = line.data, *end = at + line.size_bytes;

        if (!is_header(line, parser->separator))
                return false;
        while (at <= end) {
                struct slice cell = next_cell(&at, end, parser->separator);

                for (size_t i = 0; i < parser->n_columns && cell.size_bytes > 0; i++)
                        if (slice_equal(slice_from(parser->columns[i].name), cell))
                                return true;
        }
        return false;
}

/* --- rows --- */

static int take_cell(struct parser *parser, const struct column *column, struct slice cell) {
        double number;

        if (cell.size_bytes == 0)
                return 0;
        if (!parse_cell(cell, parser->separator, &number))
                return builder_add_text(&parser->builder, column->key, slice_from(column->name), cell);
        if (!*column->name) {
                parser->builder.record.row = number;
                return 0;
        }
        return builder_add_number(&parser->builder, column->key, slice_from(column->name), number);
}

static int take_row(struct parser *parser, struct slice line, struct parse_context *context) {
        const char *at = line.data, *end = at + line.size_bytes;
        struct record *record = &parser->builder.record;
        int r = 0;

        builder_start(&parser->builder);
        record->source = context->source;
        record->line = context->line;
        record->row = parser->next_row;
        for (size_t i = 0; at <= end && r == 0; i++) {
                struct slice cell = next_cell(&at, end, parser->separator);

                if (i < parser->n_columns)
                        r = take_cell(parser, &parser->columns[i], cell);
        }
        if (r < 0)
                return r;
        parser->next_row = record->row + 1;
        if (builder_has_content(&parser->builder))
                context->sink->take_record(context->sink->userdata, record);
        return 0;
}

static int take_first_line(struct parser *parser, struct slice line, struct parse_context *context) {
        char separator = find_separator(line);

        if (separator && is_header(line, separator))
                return take_header(parser, line, separator);
        line_reject(context, line, 0, "a header line: two names or more, separated by commas, semicolons or tabs");
        return 0;
}

static int take_line(struct parser *parser, struct slice line, struct parse_context *context) {
        /* Blanks at the ends belong to cells, since a tab may be the separator. */
        if (context->line == 1 && slice_starts_with(line, SLICE("\xef\xbb\xbf")))
                line = (struct slice){ line.data + 3, line.size_bytes - 3 };
        if (line.size_bytes > 0 && line.data[line.size_bytes - 1] == '\r')
                line.size_bytes--;
        if (line_trim(line, false).size_bytes == 0 || is_comment(line))
                return 0;
        if (!parser->separator)
                return take_first_line(parser, line, context);
        if (memchr(line.data, '\0', line.size_bytes)) {
                line_reject(context, line, 0, "text without NUL bytes; the line is passed over");
                return 0;
        }
        if (is_new_header(parser, line))
                return take_header(parser, line, parser->separator);
        if (has_width(line, parser->separator, parser->n_columns))
                return take_row(parser, line, context);
        (void)snprintf(parser->expected, sizeof(parser->expected), "%zu cells, as the header has, not %zu",
                       parser->n_columns, count_cells(line, parser->separator));
        line_reject(context, line, 0, parser->expected);
        return 0;
}

static ssize_t consume(struct parser *parser, struct slice bytes, bool final, struct parse_context *context) {
        return lines_consume(parser, bytes, final, context, take_line);
}

/* --- recognising --- */

/* A row under a header: as many cells, and a number in one at least. */
static bool is_row(struct slice line, struct slice header, char separator) {
        const char *at = line.data, *end = at + line.size_bytes;
        bool has_number = false;
        double number;

        if (line.size_bytes == 0 || !has_width(line, separator, count_cells(header, separator)))
                return false;
        while (at <= end)
                has_number = parse_cell(next_cell(&at, end, separator), separator, &number) || has_number;
        return has_number;
}

static enum recognition recognise(struct slice head, struct slice source, bool final) {
        struct slice header;
        bool complete;
        char separator;

        (void)source;
        head = lines_skip_preamble(head);
        if (head.size_bytes == 0)
                return final ? RECOGNITION_NO : RECOGNITION_MORE;
        header = lines_take_first(&head, &complete);
        if (!complete)
                return final ? RECOGNITION_NO : RECOGNITION_MORE;
        separator = find_separator(header);
        if (!separator || !is_header(header, separator) || strchr("{[<", header.data[0]))
                return RECOGNITION_NO;
        if (!memchr(head.data, '\n', head.size_bytes) && !final)
                return RECOGNITION_MORE;
        return is_row(lines_take_first(&head, &complete), header, separator) ? RECOGNITION_YES : RECOGNITION_NO;
}

/* --- the format --- */

static int open_parser(struct parser **ret_parser) {
        *ret_parser = calloc(1, sizeof(struct parser));
        return *ret_parser ? 0 : -ENOMEM;
}

static void free_parser(struct parser *parser) {
        if (!parser)
                return;
        forget_header(parser);
        builder_release(&parser->builder);
        free(parser);
}

const struct format format_csv = {
        .name = "csv",
        .description = "CSV and TSV with a header line",
        .rank = SOURCE_STRUCTURED,
        .by_line = true,
        .recognise = recognise,
        .open = open_parser,
        .consume = consume,
        .free = free_parser,
};
