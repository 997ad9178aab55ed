/* The client that tests/conformance tries: reports the lines of its standard input, JSON objects, and says when it is to stop.
 * It reads JSON with what the reporter has for it. */
#include "experiments.c"

enum { METRICS_MAX = 1024, INPUT_BYTES = 1 << 21 };

/* A number, or the text of one. */
static double scan_value(struct scanner *scanner) {
        char text[64], *end;
        double value;

        if (peek(scanner) == '"') {
                scan_string(scanner, text, sizeof(text));
                return strtod(text, NULL);
        }
        value = strtod(scanner->at, &end);
        scanner->at = end;
        return value;
}

static void report_line(const char *line, size_t n) {
        static char names[METRICS_MAX][1100];
        static struct exp_metric metrics[METRICS_MAX];
        struct exp_moment moment = EXP_MOMENT_INIT;
        struct scanner scanner = { line, line + n, 0, 0 };
        char name[1100];
        int first = 1;

        while (moment.n_metrics < METRICS_MAX && next_member(&scanner, &first, name, sizeof(name))) {
                double value = scan_value(&scanner);

                if (strcmp(name, "epoch") == 0)
                        moment.epoch = value;
                else if (strcmp(name, "step") == 0)
                        moment.step = value;
                else {
                        strcpy(names[moment.n_metrics], name);
                        metrics[moment.n_metrics].name = names[moment.n_metrics];
                        metrics[moment.n_metrics++].value = value;
                }
        }
        moment.metrics = metrics;
        exp_report(NULL, &moment);
}

/* Once for each reason. */
static void look_for_stop(void) {
        static const char *told;
        const char *reason = exp_should_stop(NULL) ? exp_stop_reason(NULL) : NULL;

        if (reason == told)
                return;
        told = reason;
        printf("stop: %s\n", reason);
        fflush(stdout);
}

int main(void) {
        static char input[INPUT_BYTES];
        struct pollfd wait = { STDIN_FILENO, POLLIN, 0 };
        size_t n = 0;

        for (;;) {
                ssize_t more;
                char *newline;

                exp_flush(NULL, 0); /* there is no thread: what was held up is sent when something is called */
                look_for_stop();
                if (poll(&wait, 1, 20) <= 0)
                        continue;
                more = read(STDIN_FILENO, input + n, sizeof(input) - 1 - n);
                if (more <= 0)
                        break;
                n += (size_t)more;
                input[n] = '\0';
                while ((newline = memchr(input, '\n', n))) {
                        size_t line = (size_t)(newline - input) + 1;

                        report_line(input, line);
                        n -= line;
                        memmove(input, newline + 1, n + 1);
                }
        }
        return exp_flush(NULL, -1) != 0;
}
