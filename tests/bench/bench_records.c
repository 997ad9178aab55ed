/* Lines to records: our scanner beside json-c and beside a loop that only counts newlines, on the same
 * bytes, in turns, in one process.
 *
 *     bench_records FILE [ROUNDS]
 *
 * prints one JSON object: bytes, and for each way its records and the CPU seconds a byte of each round. */
#include <json-c/json.h>
#include <regex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "formats/stream.h"

enum { CHUNK_BYTES = 256 * 1024 };

static uint64_t n_records;
static volatile double sum; /* what is read is used */

static double cpu_seconds(void) {
        struct timespec time;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
        return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void take_record(void *userdata, const struct record *record) {
        (void)userdata;
        n_records++;
        sum += record->metrics[record->n_metrics - 1].value;
}

static void take_reject(void *userdata, const struct reject *reject) {
        (void)userdata;
        (void)reject;
}

static void run_ours(struct slice bytes) {
        static const struct record_sink sink = { .userdata = NULL, .take_record = take_record, .take_reject = take_reject };
        const struct stream_config config = { .source = SLICE("bench"), .sink = &sink };
        struct stream *stream;

        if (stream_new(&stream, &config) < 0)
                abort();
        while (bytes.size_bytes > 0) {
                size_t n = bytes.size_bytes < CHUNK_BYTES ? bytes.size_bytes : CHUNK_BYTES;

                if (stream_push(stream, (struct slice){ bytes.data, n }) < 0)
                        abort();
                bytes = (struct slice){ bytes.data + n, bytes.size_bytes - n };
        }
        (void)stream_finish(stream);
        stream_free(stream);
}

static void take_json_line(struct json_tokener *tokener, struct slice line) {
        struct json_object *object;

        json_tokener_reset(tokener);
        object = json_tokener_parse_ex(tokener, line.data, (int)line.size_bytes);
        if (json_object_is_type(object, json_type_object)) {
                n_records++;
                json_object_object_foreach(object, key, value) {
                        (void)key;
                        sum += json_object_get_double(value);
                }
        }
        json_object_put(object);
}

static void run_json_c(struct slice bytes) {
        struct json_tokener *tokener = json_tokener_new();
        const char *at = bytes.data, *end = at + bytes.size_bytes, *newline;

        for (; at < end && (newline = memchr(at, '\n', (size_t)(end - at))); at = newline + 1)
                if (*at == '{') /* the noise is not json-c's to read */
                        take_json_line(tokener, (struct slice){ at, (size_t)(newline - at) });
        json_tokener_free(tokener);
}

static void run_newlines(struct slice bytes) {
        const char *at = bytes.data, *end = at + bytes.size_bytes, *newline;

        for (; at < end && (newline = memchr(at, '\n', (size_t)(end - at))); at = newline + 1)
                n_records++;
}

/* What Katib's file collector does with each line, by default, with POSIX regular expressions. */
static void run_regex(struct slice bytes) {
        static const char filter[] = "([[:alnum:]_|-]+)[[:space:]]*=[[:space:]]*([+-]?[[:digit:]]*(\\.[[:digit:]]+)?([Ee][+-]?[[:digit:]]+)?)";
        const char *at = bytes.data, *end = at + bytes.size_bytes, *newline;
        regmatch_t match[3];
        regex_t regex;

        if (regcomp(&regex, filter, REG_EXTENDED) != 0)
                abort();
        for (; at < end && (newline = memchr(at, '\n', (size_t)(end - at))); at = newline + 1) {
                const char *from = at;

                for (; from < newline; from += match[0].rm_eo) {
                        match[0] = (regmatch_t){ .rm_so = 0, .rm_eo = (regoff_t)(newline - from) };
                        if (regexec(&regex, from, 3, match, REG_STARTEND) != 0)
                                break;
                        sum += strtod(from + match[2].rm_so, NULL);
                }
                n_records += from > at;
        }
        regfree(&regex);
}

static struct slice read_all(const char *path) {
        FILE *file = fopen(path, "re");
        struct stat status;
        char *bytes;

        if (!file || fstat(fileno(file), &status) < 0 || !(bytes = malloc((size_t)status.st_size)) ||
            fread(bytes, 1, (size_t)status.st_size, file) != (size_t)status.st_size) {
                perror(path);
                exit(1);
        }
        fclose(file);
        return (struct slice){ bytes, (size_t)status.st_size };
}

int main(int n_arguments, char **arguments) {
        /* A regular expression is so slow that a part of the file has to do. */
        static const struct {
                const char *name;
                void (*run)(struct slice bytes);
                size_t bytes_max;
        } ways[] = {
                { "ours", run_ours, SIZE_MAX },
                { "json-c", run_json_c, SIZE_MAX },
                { "newlines", run_newlines, SIZE_MAX },
                { "regex", run_regex, 1024 * 1024 },
        };
        enum { N_WAYS = sizeof(ways) / sizeof(ways[0]), ROUNDS_MAX = 100 };
        double seconds[N_WAYS][ROUNDS_MAX];
        uint64_t records[N_WAYS];
        struct slice bytes;
        int rounds = n_arguments > 2 ? atoi(arguments[2]) : 7;

        if (n_arguments < 2 || rounds < 1 || rounds > ROUNDS_MAX) {
                fprintf(stderr, "Usage: bench_records FILE [ROUNDS up to 100]\n");
                return 2;
        }
        bytes = read_all(arguments[1]);
        for (int round = -1; round < rounds; round++) /* the first warms up */
                for (int way = 0; way < N_WAYS; way++) {
                        size_t n = bytes.size_bytes < ways[way].bytes_max ? bytes.size_bytes : ways[way].bytes_max;
                        double start = cpu_seconds();

                        n_records = 0;
                        ways[way].run((struct slice){ bytes.data, n });
                        records[way] = n_records;
                        if (round >= 0)
                                seconds[way][round] = (cpu_seconds() - start) / (double)n;
                }

        printf("{\"bytes\": %zu", bytes.size_bytes);
        for (int way = 0; way < N_WAYS; way++) {
                printf(", \"%s\": {\"records\": %llu, \"seconds_a_byte\": [", ways[way].name,
                       (unsigned long long)records[way]);
                for (int round = 0; round < rounds; round++)
                        printf("%s%.6e", round ? ", " : "", seconds[way][round]);
                printf("]}");
        }
        printf("}\n");
        return 0;
}
