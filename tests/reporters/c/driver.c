/* A program that reports what its standard input says, a command a line, and answers each with a line. */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <experiments.h>

#define METRICS_MAX 2000

static struct exp_reporter *reporter; /* NULL: the process's own */

/* The locale of numbers on standard input is always C: "nan", "inf" and hexadecimal ones, too. */
static double number(const char *text) {
        char *locale = strdup(setlocale(LC_NUMERIC, NULL));
        double value;

        setlocale(LC_NUMERIC, "C");
        value = strtod(text, NULL);
        setlocale(LC_NUMERIC, locale);
        free(locale);
        return value;
}

/* report NAME=VALUE ...; names of fields are fields, a leading dot makes any name a metric. */
static int report(void) {
        static struct exp_metric metrics[METRICS_MAX];
        struct exp_moment moment = EXP_MOMENT_INIT;
        char *word;

        while ((word = strtok(NULL, " "))) {
                char *value = strchr(word, '=');

                *value++ = '\0';
                if (strcmp(word, "epoch") == 0)
                        moment.epoch = number(value);
                else if (strcmp(word, "step") == 0)
                        moment.step = number(value);
                else if (strcmp(word, "time") == 0)
                        moment.time = number(value);
                else if (strcmp(word, "epochs") == 0)
                        moment.epochs = number(value);
                else if (strcmp(word, "output") == 0)
                        moment.output = value;
                else if (strcmp(word, "checkpoint") == 0)
                        moment.checkpoint = value;
                else {
                        metrics[moment.n_metrics].name = *word == '.' ? word + 1 : word;
                        metrics[moment.n_metrics++].value = number(value);
                }
        }
        moment.metrics = metrics;
        return exp_report(reporter, &moment);
}

/* parameters NAME=NUMBER NAME=~TEXT ... */
static int parameters(void) {
        static struct exp_parameter list[METRICS_MAX];
        size_t n = 0;
        char *word;

        while ((word = strtok(NULL, " "))) {
                char *value = strchr(word, '=');

                *value++ = '\0';
                list[n].name = word;
                list[n].text = *value == '~' ? value + 1 : NULL;
                list[n++].number = number(value);
        }
        return exp_parameters(reporter, list, n);
}

static const char *argument(void) {
        const char *word = strtok(NULL, " ");

        return word ? word : "";
}

/* n reports, numbered from first; the answer is how many of them were taken. */
static int many(void) {
        int first = atoi(argument()), n = atoi(argument()), taken = 0;

        for (int i = first; i < first + n; i++) {
                struct exp_metric metrics[2] = { { "loss", 1.0 / i }, { "accuracy", 1 - 1.0 / i } };

                taken += exp_report_epoch(reporter, i, metrics, 2) == 0;
        }
        return taken;
}

/* The child reports epochs from 1 as rank 0 would, under another name. */
static int fork_once(void) {
        struct exp_metric metric = { "child", 0.5 };
        pid_t child = fork();
        int status;

        if (child == 0) {
                int r = exp_report_epoch(reporter, 1, &metric, 1);

                _exit(r == 0 && exp_flush(reporter, -1) == 0 ? 0 : 1);
        }
        waitpid(child, &status, 0);
        return WEXITSTATUS(status);
}

/* The number of the reporter's socket becomes that of a file, of which the answer is whether it is open still, and empty. */
static int close_under_it(void) {
        struct stat status;
        FILE *file = tmpfile();
        int fd = 3;

        while (fstat(fd, &status) < 0 || !S_ISSOCK(status.st_mode))
                fd++;
        dup2(fileno(file), fd);
        if (exp_report_epoch(reporter, 2, NULL, 0) != 0 || fstat(fd, &status) < 0 || status.st_size > 0)
                return 1;
        fclose(file);
        return close(fd) == 0 && exp_report_epoch(reporter, 3, NULL, 0) == 0 ? 0 : 1;
}

static int run(const char *command) {
        char reason[500];
        const char *text;

        if (strcmp(command, "report") == 0)
                return report();
        if (strcmp(command, "many") == 0)
                return many();
        if (strcmp(command, "parameters") == 0)
                return parameters();
        if (strcmp(command, "end") == 0) {
                int status = atoi(argument());

                return exp_end(reporter, status, argument());
        }
        if (strcmp(command, "flush") == 0)
                return exp_flush(reporter, atoi(argument()));
        if (strcmp(command, "fork") == 0)
                return fork_once();
        if (strcmp(command, "close_under_it") == 0)
                return close_under_it();
        if (strcmp(command, "end_with") == 0)
                return exp_end(reporter, 1, strtok(NULL, ""));
        if (strcmp(command, "should_stop") == 0)
                return exp_should_stop(reporter);
        if (strcmp(command, "stop_reason") == 0) {
                text = exp_stop_reason(reporter);
                printf("%s|%.3f\n", text ? text : "(none)", exp_stop_deadline(reporter));
                return 0;
        }
        if (strcmp(command, "dropped") == 0)
                return (int)exp_dropped(reporter);
        if (strcmp(command, "rejected") == 0) {
                int n = (int)exp_rejected(reporter, reason, sizeof(reason));

                printf("%s\n", reason);
                return n;
        }
        if (strcmp(command, "locale") == 0)
                return setlocale(LC_ALL, argument()) ? 0 : 1;
        if (strcmp(command, "new") == 0) {
                struct exp_options options = { NULL, "driver of tests", 0, 0, 0 };
                const char *program;

                options.rank = atoi(argument());
                program = argument();
                options.program = *program ? program : options.program;
                reporter = exp_reporter_new(&options);
                return reporter ? 0 : 1;
        }
        if (strcmp(command, "free") == 0) {
                exp_reporter_free(reporter);
                reporter = NULL;
                return 0;
        }
        return 77;
}

int main(void) {
        static char line[300000];

        setvbuf(stdout, NULL, _IOLBF, 0);
        while (fgets(line, sizeof(line), stdin)) {
                int r;

                line[strcspn(line, "\n")] = '\0';
                errno = 12345;
                r = run(strtok(line, " "));
                if (errno != 12345 && r != 77)
                        fprintf(stderr, "errno was changed\n");
                printf("%d\n", r);
        }
        return 0;
}
