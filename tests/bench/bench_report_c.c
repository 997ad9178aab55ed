/* What one report costs a trainer in C: exp_report() beside printf() with fflush(), each call timed, in turns.
 *
 *     bench_report_c ROUNDS TIGHT PACED FILE    its standard output is a pipe that is read; FILE is written
 *
 * Prints to stderr a line for each round, way and kind: "tight|paced NAME P50 P99", in nanoseconds. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <experiments.h>

enum { PACE_NS = 10000000, BETWEEN_NS = 200000000, CALLS_MAX = 1000000 };

static FILE *file;

static int64_t now_ns(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void pause_ns(long nanoseconds) {
        struct timespec pause = { 0, nanoseconds };

        while (nanosleep(&pause, &pause) != 0 && errno == EINTR)
                ;
}

static void report(int step, double loss, double accuracy) {
        EXP_REPORT_STEP(step, { "loss", loss }, { "accuracy", accuracy });
}

static void print_to(FILE *out, int step, double loss, double accuracy) {
        fprintf(out, "{\"step\": %d, \"loss\": %g, \"accuracy\": %g}\n", step, loss, accuracy);
        fflush(out);
}

static void print_to_pipe(int step, double loss, double accuracy) {
        print_to(stdout, step, loss, accuracy);
}

static void print_to_file(int step, double loss, double accuracy) {
        print_to(file, step, loss, accuracy);
}

static const struct {
        const char *name;
        void (*call)(int step, double loss, double accuracy);
} ways[] = { { "exp_report", report }, { "printf+fflush-to-a-pipe", print_to_pipe }, { "printf+fflush-to-a-file", print_to_file } };

enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

static int64_t times[WAYS][CALLS_MAX];
static int steps[WAYS];

static void measure(int way, int i) {
        int step = ++steps[way];
        double loss = 1.0 / step, accuracy = 1 - 0.7 / step;
        int64_t started = now_ns();

        ways[way].call(step, loss, accuracy);
        times[way][i] = now_ns() - started;
}

static int compare(const void *a, const void *b) {
        int64_t first = *(const int64_t *)a, second = *(const int64_t *)b;

        return (first > second) - (first < second);
}

static void show(const char *kind, int way, int n) {
        qsort(times[way], (size_t)n, sizeof(times[way][0]), compare);
        fprintf(stderr, "%s %s %lld %lld\n", kind, ways[way].name, (long long)times[way][n / 2], (long long)times[way][n * 99 / 100]);
}

static void tight(int round, int n) {
        for (int turn = 0; turn < WAYS; turn++) {
                int way = (round + turn) % WAYS;

                for (int i = 0; i < n; i++)
                        measure(way, i);
                pause_ns(BETWEEN_NS); /* what goes on behind a call is not the next one's */
                exp_flush(NULL, 10000);
                show("tight", way, n);
        }
}

static void paced(int n) {
        for (int i = 0; i < n; i++)
                for (int way = 0; way < WAYS; way++) {
                        pause_ns(PACE_NS);
                        measure(way, i);
                }
        for (int way = 0; way < WAYS; way++)
                show("paced", way, n);
}

int main(int n_arguments, char **arguments) {
        int rounds = n_arguments == 5 ? atoi(arguments[1]) : 0;

        file = n_arguments == 5 ? fopen(arguments[4], "w") : NULL;
        if (!file || atoi(arguments[2]) > CALLS_MAX || atoi(arguments[3]) > CALLS_MAX)
                return 2;
        report(0, 1, 0);
        if (exp_flush(NULL, 10000) != 0)
                return 1;
        for (int round = 0; round < rounds; round++) {
                tight(round, atoi(arguments[2]));
                paced(atoi(arguments[3]));
        }
        if (exp_flush(NULL, 60000) != 0 || exp_dropped(NULL) > 0)
                fprintf(stderr, "%llu reports were lost\n", exp_dropped(NULL));
        return exp_dropped(NULL) > 0;
}
