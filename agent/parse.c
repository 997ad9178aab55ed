#include "parse.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/json_put.h"
#include "formats/filters.h"
#include "formats/format.h"
#include "formats/stream.h"
#include "options.h"
#include "print_fold.h"
#include "result/fold.h"

#define PROGRAM "experiments-agent parse"

enum {
        READ_BYTES = 256 * 1024,
        OUTPUT_BYTES_MAX = 16 * 1024 * 1024, /* of one record as JSON */
        DEPTH_MAX = 16,                      /* of directories, as when they are followed */
        EXIT_NOT_UNDERSTOOD = 1,
        EXIT_WRONG_USE = 2,
};

enum mode { MODE_TABLE, MODE_RECORDS, MODE_WHY };

/* What the command line says, and what became of it. */
struct parsing {
        enum mode mode;
        const struct format *format; /* NULL: found by content */
        struct filters *filters;     /* NULL: none */
        struct fold *fold;
        struct buffer output;
        int error;
};

/* What one file gave. */
struct outcome {
        struct stream_counts counts;
        const struct format *format; /* NULL: of none */
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
        put_known(&writer, "voidFromStep", record->void_from_step);
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

static void print_notes(const struct fold *fold) {
        char notes[FOLD_NOTES_MAX][FOLD_NOTE_BYTES_MAX + 1];
        size_t n = fold_notes(fold, notes);

        for (size_t i = 0; i < n; i++)
                printf("  %s\n", notes[i]);
}

static void print_table(const struct fold *fold, const char *path, const struct outcome *outcome) {
        printf("%s: %s, %llu records, %llu lines rejected\n", path, outcome->format->description,
               (unsigned long long)outcome->counts.records, (unsigned long long)outcome->counts.rejects);
        if (fold_n_rows(fold) > 0)
                print_fold(fold, NULL);
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

static void take_passed(void *userdata, const struct reject *passed) {
        (void)userdata;
        printf("%.*s:%llu: passed over: %s\n        ", (int)passed->source.size_bytes, passed->source.data,
               (unsigned long long)passed->line, passed->expected);
        print_clean(passed->text);
        putchar('\n');
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

static int read_path(struct parsing *parsing, const char *path, struct outcome *ret_outcome) {
        const struct record_sink sink = { parsing, take_record, take_reject,
                                          parsing->mode == MODE_WHY ? take_passed : NULL };
        const struct stream_config config = {
                .source = slice_from(path), .format = parsing->format, .filters = parsing->filters, .sink = &sink,
        };
        CLEANUP(stream_freep) struct stream *stream = NULL;
        bool is_stdin = strcmp(path, "-") == 0;
        CLEANUP(cleanup_close) int fd = is_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
        int r;

        if (fd < 0)
                return -errno;
        r = stream_new(&stream, &config);
        if (r == 0)
                r = read_file(fd, stream, &ret_outcome->format);
        if (r == 0)
                r = parsing->error;
        if (r == 0)
                ret_outcome->counts = stream_counts(stream);
        return r;
}

static int start_fold(struct parsing *parsing) {
        static const struct fold_config config = { .axis = AXIS_AUTO, .metrics_max = FOLD_METRICS_MAX };

        parsing->fold = fold_free(parsing->fold);
        return fold_new(&parsing->fold, &config);
}

/* Each file for itself. */
static int parse_file(struct parsing *parsing, const char *path) {
        struct outcome outcome = { 0 };
        int r = start_fold(parsing);

        if (r == 0)
                r = read_path(parsing, path, &outcome);
        if (r < 0)
                return cannot(path, r);
        if (outcome.counts.records == 0) {
                fprintf(stderr, PROGRAM ": %s: no metrics were found in it\n", path);
                return EXIT_NOT_UNDERSTOOD;
        }
        if (parsing->mode == MODE_TABLE)
                print_table(parsing->fold, path, &outcome);
        return 0;
}

/* --- directories: all files together, as the agent would take them --- */

struct paths {
        char **list;
        size_t n;
};

static void paths_release(struct paths *paths) {
        for (size_t i = 0; i < paths->n; i++)
                free(paths->list[i]);
        free(paths->list);
}

static int paths_add(struct paths *paths, const char *path) {
        char **list = reallocarray(paths->list, paths->n + 1, sizeof(*list));

        if (!list)
                return -ENOMEM;
        paths->list = list;
        list[paths->n] = strdup(path);
        if (!list[paths->n])
                return -ENOMEM;
        paths->n++;
        return 0;
}

/* Regular files under path; symbolic links in it lead nowhere. */
static int paths_collect(struct paths *paths, const char *path, int depth) {
        struct stat status;
        const struct dirent *entry;
        DIR *directory;
        int r = 0;

        if ((depth > 0 ? lstat(path, &status) : stat(path, &status)) < 0)
                return -errno;
        if (S_ISREG(status.st_mode))
                return paths_add(paths, path);
        if (!S_ISDIR(status.st_mode) || depth > DEPTH_MAX)
                return 0;
        directory = opendir(path);
        if (!directory)
                return depth > 0 ? (cannot(path, -errno), 0) : -errno;
        while (r == 0 && (entry = readdir(directory))) {
                CLEANUP(cleanup_free) char *child = NULL;

                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                if (asprintf(&child, "%s/%s", path, entry->d_name) < 0)
                        child = NULL;
                r = child ? paths_collect(paths, child, depth + 1) : -ENOMEM;
                r = r == -ENOENT ? 0 : r;
        }
        closedir(directory);
        return r;
}

static int compare_paths(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Reads the files into one fold, and counts those in which something was found. */
static int read_together(struct parsing *parsing, const struct paths *paths, size_t *ret_understood) {
        int status = 0;

        *ret_understood = 0;
        for (size_t i = 0; i < paths->n; i++) {
                struct outcome outcome = { 0 };
                int r = read_path(parsing, paths->list[i], &outcome);

                if (r == -ENOMEM)
                        return r;
                if (r < 0)
                        status = cannot(paths->list[i], r);
                *ret_understood += outcome.counts.records > 0;
                if (r == 0 && outcome.counts.records == 0 && parsing->mode == MODE_WHY)
                        printf("%s: no metrics were found in it\n", paths->list[i]);
                if (outcome.counts.records > 0 && parsing->mode == MODE_TABLE)
                        printf("%s: %s, %llu records, %llu lines rejected\n", paths->list[i], outcome.format->description,
                               (unsigned long long)outcome.counts.records, (unsigned long long)outcome.counts.rejects);
        }
        return status;
}

static int parse_together(struct parsing *parsing, char **places, int n_places) {
        CLEANUP(paths_release) struct paths paths = { 0 };
        size_t understood;
        int r = start_fold(parsing), status;

        for (int i = 0; i < n_places && r == 0; i++) {
                char *path = places[i];

                for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
                        path[n - 1] = '\0';
                r = strcmp(path, "-") == 0 ? paths_add(&paths, path) : paths_collect(&paths, path, 0);
                if (r < 0)
                        return cannot(path, r);
        }
        if (r < 0)
                return cannot(places[0], r);
        if (paths.n > 0)
                qsort(paths.list, paths.n, sizeof(*paths.list), compare_paths);
        status = read_together(parsing, &paths, &understood);
        if (status < 0)
                return cannot(places[0], status);
        if (understood == 0) {
                fprintf(stderr, PROGRAM ": %s: no metrics were found in %zu file%s\n", places[0], paths.n,
                        paths.n == 1 ? "" : "s");
                return EXIT_NOT_UNDERSTOOD;
        }
        if (parsing->mode == MODE_TABLE && fold_n_rows(parsing->fold) > 0) {
                print_fold(parsing->fold, places[0]);
                print_notes(parsing->fold);
        }
        return status;
}

/* --- the command --- */

static int wrong_use(const char *what, const char *expected) {
        fprintf(stderr, PROGRAM ": %s: expected %s (see --help)\n", what, expected);
        return EXIT_WRONG_USE;
}

static int print_help(void) {
        printf("Usage: " PROGRAM " [--records|--why] [--format FORMAT] [--filter REGEX] FILE|DIR...\n"
               "\n"
               "Shows what the agent would understand of metrics files; - is standard input. With a directory\n"
               "all files are taken together, and each metric from the source that owns it.\n"
               "\n"
               "      --records         print each record as a line of JSON\n"
               "      --why             print each line that was not understood, and why\n"
               "      --format FORMAT   do not look at the content to find the format\n"
               "  -f, --filter REGEX    of text, take what this matches: group 1 is a name, group 2 a value\n"
               "  -h, --help            print this and exit\n"
               "\n"
               "Formats:");
        for (const struct format *const *format = formats; *format; format++)
                printf("%s %s (%s)", format == formats ? "" : ",", (*format)->name, (*format)->description);
        printf("\n\nExit status: 0 when something was understood of every file (of a directory: of one), 1 when not\n"
               "or when a file cannot be read, 2 for wrong use.\n");
        return 0;
}

static bool is_directory(const char *path) {
        struct stat status;

        return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static int parse_places(struct parsing *parsing, char **places, int n_places) {
        bool together = false;
        int status = 0;

        for (int i = 0; i < n_places; i++)
                together = together || is_directory(places[i]);
        if (together)
                return parse_together(parsing, places, n_places);
        for (int i = 0; i < n_places; i++) {
                int r = parse_file(parsing, places[i]);

                status = r > status ? r : status;
        }
        return status;
}

enum { GO_ON = -1 };

/* One flag: GO_ON, or the exit status to end with. */
static int take_flag(struct parsing *parsing, int found, const char *flag) {
        const char *expected;

        switch (found) {
        case 'r':
        case 'w':
                parsing->mode = found == 'r' ? MODE_RECORDS : MODE_WHY;
                return GO_ON;
        case 'F':
                parsing->format = format_find(slice_from(optarg));
                return parsing->format ? GO_ON : wrong_use("--format", "the name of a format");
        case 'f':
                expected = options_add_filter(&parsing->filters, optarg);
                return expected ? wrong_use("--filter", expected) : GO_ON;
        case 'h':
                return print_help();
        default:
                return wrong_use(flag, found == ':' ? "an argument" : "a flag that there is");
        }
}

static int take_flags(struct parsing *parsing, int n_arguments, char **arguments) {
        static const struct option options[] = {
                { "records", no_argument, NULL, 'r' }, { "why", no_argument, NULL, 'w' },
                { "format", required_argument, NULL, 'F' }, { "filter", required_argument, NULL, 'f' },
                { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
        };
        int found, r = GO_ON;

        opterr = 0;
        optind = 0;
        while (r == GO_ON && (found = getopt_long(n_arguments, arguments, ":hf:", options, NULL)) != -1)
                r = take_flag(parsing, found, arguments[optind - 1]);
        if (r == GO_ON && optind == n_arguments)
                return wrong_use("no file", "FILE or DIR, or - for standard input");
        return r;
}

int parse_command(int n_arguments, char **arguments) {
        struct parsing parsing = { .mode = MODE_TABLE, .output = BUFFER_INIT(OUTPUT_BYTES_MAX) };
        int status = take_flags(&parsing, n_arguments, arguments);

        if (status == GO_ON)
                status = parse_places(&parsing, arguments + optind, n_arguments - optind);
        fold_free(parsing.fold);
        filters_free(parsing.filters);
        buffer_release(&parsing.output);
        return fflush(stdout) == 0 ? status : EXIT_NOT_UNDERSTOOD;
}
