#include "parse.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/json_put.h"
#include "base/number.h"
#include "formats/format.h"
#include "formats/stream.h"
#include "result/fold.h"

#define PROGRAM "experiments-agent parse"

enum {
        READ_BYTES = 256 * 1024,
        OUTPUT_BYTES_MAX = 16 * 1024 * 1024, /* of one record as JSON */
        EXIT_NOT_UNDERSTOOD = 1,
        EXIT_WRONG_USE = 2,
};

enum mode { MODE_TABLE, MODE_RECORDS, MODE_WHY };

struct parsing {
        enum mode mode;
        const char *path;
        struct fold *fold;
        struct buffer output;
        int error;
};

/* --- records as JSON --- */

/* JSON has no NaN: what is not finite is a text. */
static void put_value(struct json_writer *writer, double value) {
        if (isnan(value))
                json_put_string(writer, "NaN");
        else if (isinf(value))
                json_put_string(writer, value > 0 ? "Infinity" : "-Infinity");
        else
                json_put_number(writer, value, 17);
}

static void put_known(struct json_writer *writer, const char *key, double value) {
        if (isnan(value))
                return;
        json_put_key(writer, key);
        put_value(writer, value);
}

static void put_path(struct json_writer *writer, const char *key, struct slice path) {
        if (path.size_bytes == 0)
                return;
        json_put_key(writer, key);
        json_put_text(writer, path);
}

static bool is_overwritten(const struct record *record, size_t i) {
        for (size_t j = i + 1; j < record->n_metrics; j++)
                if (slice_equal(record->metrics[i].name, record->metrics[j].name))
                        return true;
        return false;
}

static void put_metrics(struct json_writer *writer, struct buffer *name, const struct record *record) {
        if (record->n_metrics == 0)
                return;
        json_put_key(writer, "metrics");
        json_put_open(writer, '{');
        for (size_t i = 0; i < record->n_metrics; i++) {
                if (is_overwritten(record, i))
                        continue;
                buffer_clear(name);
                (void)buffer_append(name, record->metrics[i].name.data, record->metrics[i].name.size_bytes);
                json_put_key(writer, buffer_string(name));
                put_value(writer, record->metrics[i].value);
        }
        json_put_close(writer, '}');
}

static void print_record(struct parsing *parsing, const struct record *record) {
        CLEANUP(buffer_release) struct buffer name = BUFFER_INIT(LINE_BYTES_MAX);
        struct json_writer writer = JSON_WRITER_INIT(&parsing->output);

        buffer_clear(&parsing->output);
        json_put_open(&writer, '{');
        json_put_key(&writer, "source");
        json_put_text(&writer, record->source);
        json_put_key(&writer, "line");
        json_put_integer(&writer, (int64_t)record->line);
        put_known(&writer, "epoch", record->epoch);
        put_known(&writer, "step", record->step);
        put_known(&writer, "trial", record->trial);
        put_known(&writer, "row", record->row);
        put_known(&writer, "time", record->time_s);
        put_metrics(&writer, &name, record);
        put_known(&writer, "epochs", record->total_epochs);
        put_path(&writer, "output", record->output_path);
        put_path(&writer, "checkpoint", record->checkpoint);
        if (record->end) {
                json_put_key(&writer, "end");
                json_put_bool(&writer, true);
        }
        json_put_close(&writer, '}');
        if (writer.error == 0)
                printf("%.*s\n", (int)parsing->output.size_bytes, parsing->output.data);
}

/* --- for people --- */

static void print_number(double value) {
        char text[NUMBER_TEXT_BYTES] = "-";

        if (isfinite(value))
                number_format(value, 6, text);
        printf("  %12s", text);
}

static double first_value(const struct fold *fold, const struct column *column) {
        for (size_t row = 0; row < fold_n_rows(fold); row++)
                if (!isnan(column->values[row]))
                        return column->values[row];
        return NAN;
}

static void print_columns(const struct fold *fold) {
        size_t n_rows = fold_n_rows(fold);
        int width = (int)strlen("metric");
        char text[NUMBER_TEXT_BYTES];

        for (size_t i = 0; i < fold_n_columns(fold); i++)
                if ((int)strlen(fold_column(fold, i).name) > width)
                        width = (int)strlen(fold_column(fold, i).name);
        number_format(fold_row_x(fold, 0), 6, text);
        printf("  x: %s, %zu row%s, %s", axis_name(fold_axis(fold)), n_rows, n_rows == 1 ? "" : "s", text);
        number_format(fold_row_x(fold, n_rows - 1), 6, text);
        printf(" to %s\n  %-*s  %12s  %12s  %12s  %12s\n", text, width, "metric", "first", "last", "min", "max");
        for (size_t i = 0; i < fold_n_columns(fold); i++) {
                struct column column = fold_column(fold, i);

                printf("  %-*s", width, column.name);
                print_number(first_value(fold, &column));
                print_number(column.latest);
                print_number(column.min);
                print_number(column.max);
                if (column.non_finite > 0)
                        printf("  not finite: %llu", (unsigned long long)column.non_finite);
                putchar('\n');
        }
        if (fold_n_left_out(fold) > 0)
                printf("  left out: %zu more metrics\n", fold_n_left_out(fold));
}

static void print_table(const struct parsing *parsing, const struct stream *stream,
                        const struct format *format) {
        struct stream_counts counts = stream_counts(stream);

        printf("%s: %s, %llu records, %llu lines rejected\n", parsing->path, format->description,
               (unsigned long long)counts.records, (unsigned long long)counts.rejects);
        if (fold_n_rows(parsing->fold) > 0)
                print_columns(parsing->fold);
}

/* --- taking what the stream yields --- */

static void take_record(void *userdata, const struct record *record) {
        struct parsing *parsing = userdata;

        if (parsing->mode == MODE_RECORDS)
                print_record(parsing, record);
        if (parsing->mode == MODE_TABLE && parsing->error == 0)
                parsing->error = fold_take(parsing->fold, record);
}

static void take_reject(void *userdata, const struct reject *reject) {
        const struct parsing *parsing = userdata;
        FILE *out = parsing->mode == MODE_WHY ? stdout : stderr;

        fprintf(out, "%.*s:%llu:", (int)reject->source.size_bytes, reject->source.data,
                (unsigned long long)reject->line);
        if (reject->column > 0)
                fprintf(out, "%zu:", reject->column);
        fprintf(out, " expected %s\n", reject->expected);
}

/* --- files --- */

static int read_file(int fd, struct stream *stream, const struct format **ret_format) {
        CLEANUP(cleanup_free) char *chunk = malloc(READ_BYTES);
        int r = chunk ? 0 : -ENOMEM;

        while (r == 0) {
                ssize_t n = read(fd, chunk, READ_BYTES);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0) {
                        r = n < 0 ? -errno : stream_finish(stream);
                        break;
                }
                r = stream_push(stream, (struct slice){ chunk, (size_t)n });
        }
        *ret_format = stream_format(stream);
        return r;
}

static int cannot(const char *path, int error) {
        fprintf(stderr, PROGRAM ": %s: %s\n", path, strerror(-error));
        return EXIT_NOT_UNDERSTOOD;
}

static int parse_file(const char *path, const struct format *named, enum mode mode) {
        static const struct fold_config fold_config = { .axis = AXIS_AUTO, .metrics_max = FOLD_METRICS_MAX };
        CLEANUP(fold_freep) struct fold *fold = NULL;
        CLEANUP(stream_freep) struct stream *stream = NULL;
        struct parsing parsing = { .mode = mode, .path = path, .output = BUFFER_INIT(OUTPUT_BYTES_MAX) };
        const struct record_sink sink = { &parsing, take_record, take_reject };
        const struct stream_config config = {
                .source = slice_from(path), .format = named, .sink = &sink, .explain = mode == MODE_WHY,
        };
        bool is_stdin = strcmp(path, "-") == 0;
        CLEANUP(cleanup_close) int fd = is_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
        const struct format *format = NULL;
        int r;

        if (fd < 0)
                return cannot(path, -errno);
        r = fold_new(&fold, &fold_config);
        parsing.fold = fold;
        if (r == 0)
                r = stream_new(&stream, &config);
        if (r == 0)
                r = read_file(fd, stream, &format);
        buffer_release(&parsing.output);
        if (r == 0)
                r = parsing.error;
        if (r < 0)
                return cannot(path, r);
        if (stream_counts(stream).records == 0) {
                fprintf(stderr, PROGRAM ": %s: no metrics were found in it\n", path);
                return EXIT_NOT_UNDERSTOOD;
        }
        if (mode == MODE_TABLE)
                print_table(&parsing, stream, format);
        return 0;
}

/* --- the command --- */

static int wrong_use(const char *what, const char *expected) {
        fprintf(stderr, PROGRAM ": %s: expected %s (see --help)\n", what, expected);
        return EXIT_WRONG_USE;
}

static int print_help(void) {
        printf("Usage: " PROGRAM " [--records|--why] [--format FORMAT] FILE...\n"
               "\n"
               "Shows what the agent would understand of metrics files; - is standard input.\n"
               "\n"
               "      --records         print each record as a line of JSON\n"
               "      --why             print each line that was not understood, and why\n"
               "      --format FORMAT   do not look at the content to find the format\n"
               "  -h, --help            print this and exit\n"
               "\n"
               "Formats:");
        for (const struct format *const *format = formats; *format; format++)
                printf("%s %s (%s)", format == formats ? "" : ",", (*format)->name, (*format)->description);
        printf("\n\nExit status: 0 when something was understood of every file, 1 when not or when a file cannot\n"
               "be read, 2 for wrong use.\n");
        return 0;
}

int parse_command(int n_arguments, char **arguments) {
        static const struct option options[] = {
                { "records", no_argument, NULL, 'r' }, { "why", no_argument, NULL, 'w' },
                { "format", required_argument, NULL, 'f' }, { "help", no_argument, NULL, 'h' },
                { NULL, 0, NULL, 0 },
        };
        const struct format *format = NULL;
        enum mode mode = MODE_TABLE;
        int found, status = 0;

        opterr = 0;
        optind = 0;
        while ((found = getopt_long(n_arguments, arguments, ":h", options, NULL)) != -1) {
                switch (found) {
                case 'r':
                case 'w':
                        mode = found == 'r' ? MODE_RECORDS : MODE_WHY;
                        break;
                case 'f':
                        format = format_find(slice_from(optarg));
                        if (!format)
                                return wrong_use("--format", "the name of a format");
                        break;
                case 'h':
                        return print_help();
                default:
                        return wrong_use(arguments[optind - 1], found == ':' ? "an argument" : "a flag that there is");
                }
        }
        if (optind == n_arguments)
                return wrong_use("no file", "FILE, or - for standard input");
        for (; optind < n_arguments; optind++) {
                int r = parse_file(arguments[optind], format, mode);

                if (r > status)
                        status = r;
        }
        return fflush(stdout) == 0 ? status : EXIT_NOT_UNDERSTOOD;
}
