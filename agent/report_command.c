#include "report_command.h"

#include <errno.h>
#include <experiments.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/slice.h"

#define PROGRAM "experiments-agent report"

enum {
        ANSWER_MS = 10000,
        WAIT_SECONDS_MAX = 1000000,
        METRICS_MAX = 1024, /* in one message */
        EXIT_NOT_KEPT = 1,
        EXIT_WRONG_USE = 2,
        GO_ON = -1,
};

/* What the command line says. Lists have room for all arguments; texts are those of the command line. */
struct telling {
        char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
        struct exp_moment moment;
        struct exp_metric *metrics;
        struct exp_parameter *parameters;
        size_t n_parameters;
        bool ended;
        int exit_status;
        int wait_ms; /* for an agent that is not there, -1: not at all */
};

static void telling_release(struct telling *telling) {
        free(telling->metrics);
        free(telling->parameters);
}

static int wrong_use(const char *what, const char *expected) {
        fprintf(stderr, PROGRAM ": %s: expected %s (see --help)\n", what, expected);
        return EXIT_WRONG_USE;
}

/* --- sending --- */

/* A connection by itself, to know why there is none. Unless it is non-blocking it waits where many do. */
static int try_to_connect(const struct telling *telling) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        CLEANUP(cleanup_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0)
                return -errno;
        memcpy(address.sun_path, telling->path, sizeof(address.sun_path));
        return connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

static int no_agent(const struct telling *telling, int error) {
        fprintf(stderr, PROGRAM ": no agent at %s: %s\n", telling->path, strerror(-error));
        return EXIT_NOT_KEPT;
}

static int switched_off(void) {
        fprintf(stderr, PROGRAM ": the socket is \"none\": nothing is reported\n");
        return EXIT_NOT_KEPT;
}

static bool has_moment(const struct telling *telling) {
        return telling->moment.n_metrics > 0 || telling->moment.epoch >= 0 || telling->moment.step >= 0 ||
               telling->moment.epochs > 0 || telling->moment.output || telling->moment.checkpoint;
}

static int tell(const struct telling *telling, struct exp_reporter *reporter) {
        int r = 0;

        if (telling->n_parameters > 0)
                r = exp_parameters(reporter, telling->parameters, telling->n_parameters);
        if (r == 0 && has_moment(telling))
                r = exp_report(reporter, &telling->moment);
        if (r == 0 && telling->ended)
                r = exp_end(reporter, telling->exit_status, NULL);
        return r;
}

/* What became of it, in words and as an exit status. */
static int answer(const struct telling *telling, struct exp_reporter *reporter, int flushed) {
        char reason[512];
        int r;

        if (exp_rejected(reporter, reason, sizeof(reason)) > 0 || (flushed < 0 && reason[0]))
                fprintf(stderr, PROGRAM ": rejected: %s\n", reason);
        else if (flushed == -ETIMEDOUT && (r = try_to_connect(telling)) < 0)
                return no_agent(telling, r);
        else if (flushed == -ETIMEDOUT)
                fprintf(stderr, PROGRAM ": the agent at %s does not answer\n", telling->path);
        else if (flushed < 0)
                fprintf(stderr, PROGRAM ": %s\n", strerror(-flushed));
        else
                return 0;
        return EXIT_NOT_KEPT;
}

static int send_and_wait(const struct telling *telling) {
        const struct exp_options options = {
                .socket = telling->path, .program = PROGRAM, .rank = EXP_RANK_EVERY, .quiet = true,
        };
        struct exp_reporter *reporter;
        int r;

        if (strcmp(telling->path, "none") == 0)
                return switched_off();
        r = telling->wait_ms < 0 ? try_to_connect(telling) : 0;
        if (r < 0)
                return no_agent(telling, r);
        reporter = exp_reporter_new(&options);
        r = reporter ? tell(telling, reporter) : -ENOMEM;
        if (r == 0)
                r = exp_flush(reporter, telling->wait_ms < 0 ? ANSWER_MS : telling->wait_ms);
        if (r == -EMSGSIZE)
                fprintf(stderr, PROGRAM ": this is too long for one message\n"), r = EXIT_NOT_KEPT;
        else
                r = answer(telling, reporter, r);
        exp_reporter_free(reporter);
        return r;
}

/* --- the command line --- */

static int print_help(void) {
        printf("Usage: " PROGRAM " [FLAG]... NAME=VALUE...\n"
               "\n"
               "Tells the agent one moment of a training, and waits until it is kept:\n"
               "\n"
               "    " PROGRAM " --epoch 3 loss=0.21 accuracy=0.93\n"
               "\n"
               "      --epoch N             as the trainer counts: from 0 or from 1\n"
               "      --step N              optimizer step or iteration\n"
               "      --time SECONDS        since 1970 (default: now)\n"
               "      --epochs N            how many the trainer intends\n"
               "      --checkpoint PATH     a checkpoint that is complete\n"
               "      --output PATH         directory of the run's output\n"
               "  -p, --parameter NAME=VALUE\n"
               "                            a hyperparameter, a number or a text; may be repeated\n"
               "      --end STATUS          the training is over; 0: it is complete, else it failed\n"
               "      --socket PATH         of the agent (default: EXPERIMENTS_SOCKET, else agent.sock in\n"
               "                            EXPERIMENTS_DIR, else in /experiments)\n"
               "      --wait SECONDS        wait so long, also for an agent that is not there (default: 10 for the answer,\n"
               "                            0 for the agent)\n"
               "  -h, --help                print this and exit\n"
               "\n"
               "Exit status: 0 when all of it is kept, 1 when not (one line says why), 2 for wrong use.\n");
        return 0;
}

/* A number that is told has to be 0 or more, and finite. */
static bool parse_told(const char *text, double *ret_value) {
        return number_parse(slice_from(text), ret_value) && isfinite(*ret_value) && *ret_value >= 0;
}

/* The name ends at the first '=' of a parameter, whose text may have others, and at the last one of a metric. */
static char *split(char *argument, char *equals) {
        if (!equals || equals == argument)
                return NULL;
        *equals = '\0';
        return equals + 1;
}

static int add_metric(struct telling *telling, char *argument) {
        struct exp_metric *metric = &telling->metrics[telling->moment.n_metrics++];
        char *value = split(argument, strrchr(argument, '='));

        if (!value)
                return wrong_use(argument, "NAME=VALUE");
        metric->name = argument;
        if (!number_parse(slice_from(value), &metric->value)) {
                value[-1] = '=';
                return wrong_use(argument, "a number as VALUE");
        }
        return GO_ON;
}

static int add_parameter(struct telling *telling, char *argument) {
        struct exp_parameter *parameter = &telling->parameters[telling->n_parameters++];
        char *value = split(argument, strchr(argument, '='));

        if (!value)
                return wrong_use("--parameter", "NAME=VALUE");
        parameter->name = argument;
        if (!number_parse(slice_from(value), &parameter->number) || !isfinite(parameter->number))
                parameter->text = value;
        return GO_ON;
}

static int set_told(const char *flag, double *ret_value) {
        return parse_told(optarg, ret_value) ? GO_ON : wrong_use(flag, "a number, 0 or more");
}

static int set_path(struct telling *telling, const char *path) {
        int n = snprintf(telling->path, sizeof(telling->path), "%s", path);

        return n < (int)sizeof(telling->path) ? GO_ON : wrong_use("the socket's path", "at most 107 bytes");
}

static int set_end(struct telling *telling) {
        double status;

        if (!number_parse(slice_from(optarg), &status) || status < -128 || status > 255 || status != floor(status))
                return wrong_use("--end", "an exit status, -128 to 255");
        telling->exit_status = (int)status;
        telling->ended = true;
        return GO_ON;
}

static int set_wait(struct telling *telling) {
        double seconds;

        if (!parse_told(optarg, &seconds) || seconds > WAIT_SECONDS_MAX)
                return wrong_use("--wait", "seconds, 0 to 1000000");
        telling->wait_ms = (int)(seconds * 1000);
        return GO_ON;
}

/* GO_ON, or the exit status to end with. */
static int take_flag(struct telling *telling, int found, const char *flag) {
        switch (found) {
        case 'e':
                return set_told("--epoch", &telling->moment.epoch);
        case 's':
                return set_told("--step", &telling->moment.step);
        case 't':
                return set_told("--time", &telling->moment.time);
        case 'n':
                return parse_told(optarg, &telling->moment.epochs) && telling->moment.epochs > 0
                               ? GO_ON : wrong_use("--epochs", "a number above 0");
        case 'c':
                telling->moment.checkpoint = optarg;
                return GO_ON;
        case 'o':
                telling->moment.output = optarg;
                return GO_ON;
        case 'p':
                return add_parameter(telling, optarg);
        case 'E':
                return set_end(telling);
        case 'S':
                return set_path(telling, optarg);
        case 'w':
                return set_wait(telling);
        case 'h':
                return print_help();
        default:
                return wrong_use(flag, found == ':' ? "an argument" : "a flag that there is");
        }
}

static int take_flags(struct telling *telling, int n_arguments, char **arguments) {
        static const struct option options[] = {
                { "epoch", required_argument, NULL, 'e' },      { "step", required_argument, NULL, 's' },
                { "time", required_argument, NULL, 't' },       { "epochs", required_argument, NULL, 'n' },
                { "checkpoint", required_argument, NULL, 'c' }, { "output", required_argument, NULL, 'o' },
                { "parameter", required_argument, NULL, 'p' },  { "end", required_argument, NULL, 'E' },
                { "socket", required_argument, NULL, 'S' },     { "wait", required_argument, NULL, 'w' },
                { "help", no_argument, NULL, 'h' },             { 0 },
        };
        int found, status;

        opterr = 0;
        optind = 0;
        while ((found = getopt_long(n_arguments, arguments, ":hp:", options, NULL)) != -1) {
                status = take_flag(telling, found, arguments[optind - 1]);
                if (status != GO_ON)
                        return status;
        }
        for (; optind < n_arguments; optind++) {
                status = add_metric(telling, arguments[optind]);
                if (status != GO_ON)
                        return status;
        }
        if (telling->moment.n_metrics > METRICS_MAX || telling->n_parameters > METRICS_MAX)
                return wrong_use("so many", "at most 1024 metrics, and as many parameters");
        if (!has_moment(telling) && telling->n_parameters == 0 && !telling->ended)
                return wrong_use("nothing to tell", "NAME=VALUE or a flag that says something");
        return GO_ON;
}

/* Where the environment says that the agent is (proto/PROTOCOL.md). */
static int find_socket(struct telling *telling) {
        const char *path = getenv("EXPERIMENTS_SOCKET"), *directory = getenv("EXPERIMENTS_DIR");
        char in_directory[PATH_MAX];

        if (path && *path)
                return set_path(telling, path);
        (void)snprintf(in_directory, sizeof(in_directory), "%s/agent.sock", directory && *directory ? directory : "/experiments");
        return set_path(telling, in_directory);
}

int report_command(int n_arguments, char **arguments) {
        CLEANUP(telling_release) struct telling telling = {
                .moment = EXP_MOMENT_INIT, .wait_ms = -1,
                .metrics = calloc((size_t)n_arguments, sizeof(*telling.metrics)),
                .parameters = calloc((size_t)n_arguments, sizeof(*telling.parameters)),
        };
        int status = telling.metrics && telling.parameters ? GO_ON : EXIT_NOT_KEPT;

        if (status == GO_ON)
                status = take_flags(&telling, n_arguments, arguments);
        if (status == GO_ON && !telling.path[0])
                status = find_socket(&telling);
        if (status != GO_ON)
                return status;
        telling.moment.metrics = telling.metrics;
        return send_and_wait(&telling);
}
