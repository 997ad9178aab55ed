#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "formats/filters.h"

#define PROGRAM "experiments-agent"

/* Kubernetes gives a pod 30 s by default, and some of it is gone when a sidecar's turn comes. */
enum { GRACE_MS = 20000 };

struct option_row {
        const char *name;     /* of the flag, without dashes; NULL: a variable alone */
        char letter;          /* of the short flag, or 0 */
        const char *argument; /* how --help calls it; NULL: the flag has none */
        const char *variable; /* the agent's own, or NULL */
        const char *inherited;/* set by the original's launcher or the downward API, or NULL */
        /* Takes value (NULL where there is none); NULL, or what was expected instead. */
        const char *(*apply)(struct options *options, const char *value);
        const char *help;
};

/* --- values --- */

#define TEXT_OPTION(field)                                                           \
        static const char *apply_##field(struct options *options, const char *value) { \
                if (!*value)                                                         \
                        return "a value that is not empty";                          \
                options->field = value;                                              \
                return NULL;                                                         \
        }

TEXT_OPTION(dir)
TEXT_OPTION(state)
TEXT_OPTION(socket)
TEXT_OPTION(to)
TEXT_OPTION(ca_file)
TEXT_OPTION(token_file)
TEXT_OPTION(client_cert)
TEXT_OPTION(client_key)
TEXT_OPTION(output)
TEXT_OPTION(experiment)
TEXT_OPTION(experiment_uid)
TEXT_OPTION(job_uid)
TEXT_OPTION(pod)
TEXT_OPTION(pod_uid)
TEXT_OPTION(completion_index)
TEXT_OPTION(install)

#define FLAG_OPTION(field)                                                           \
        static const char *apply_##field(struct options *options, const char *value) { \
                if (value && strcasecmp(value, "true") != 0 && strcmp(value, "1") != 0 && \
                    strcasecmp(value, "false") != 0 && strcmp(value, "0") != 0)      \
                        return "true or false";                                      \
                options->field = !value || tolower((unsigned char)*value) == 't' || *value == '1'; \
                return NULL;                                                         \
        }

FLAG_OPTION(follow_symlinks)
FLAG_OPTION(watch)
FLAG_OPTION(verbose)
FLAG_OPTION(help)
FLAG_OPTION(version)

static const char *apply_server(struct options *options, const char *value) {
        if (strncmp(value, "https://", 8) != 0 && strncmp(value, "http://", 7) != 0)
                return "https://HOST[:PORT]";
        options->server = value;
        return NULL;
}

/* RFC 1123 label: what Kubernetes takes for names of namespaces and Jobs. */
static bool is_label(const char *text) {
        size_t n = strlen(text);

        if (n == 0 || n > 63 || text[0] == '-' || text[n - 1] == '-')
                return false;
        return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-.") == n;
}

static const char *apply_namespace_name(struct options *options, const char *value) {
        options->namespace_name = value;
        return is_label(value) ? NULL : "the name of a namespace: up to 63 of a-z, 0-9 and -";
}

static const char *apply_job(struct options *options, const char *value) {
        options->job = value;
        return is_label(value) ? NULL : "the name of a Job: up to 63 of a-z, 0-9, - and .";
}

/* Each part of a list that is separated by commas, as variables have it. */
static const char *apply_each(struct options *options, const char *value,
                              const char *(*apply)(struct options *, const char *, size_t)) {
        const char *wrong = NULL;

        do {
                size_t n = strcspn(value, ",");

                if (n > 0)
                        wrong = apply(options, value, n);
                value += n + (value[n] == ',');
        } while (*value && !wrong);
        return wrong;
}

static const char *add_metrics(struct options *options, const char *value, size_t size) {
        CLEANUP(cleanup_free) char *text = strndup(value, size);
        struct tail_place *place = &options->metrics[options->n_metrics];
        size_t path_bytes;

        if (options->n_metrics == OPTIONS_METRICS_MAX)
                return "at most 64 of them";
        if (!text)
                return "more memory";
        path_bytes = tail_split_place(text, &place->format);
        if (path_bytes == 0)
                return "PATH[:FORMAT]";
        place->path = strndup(text, path_bytes);
        place->is_named = true;
        options->n_metrics += place->path != NULL;
        return NULL;
}

static const char *apply_metrics(struct options *options, const char *value) {
        return apply_each(options, value, add_metrics);
}

const char *options_add_filter(struct filters **filters, const char *regex) {
        const char *expected = NULL;
        int r = filters_add(filters, regex, &expected);

        return r == 0 ? NULL : r == -EINVAL ? expected : "more memory";
}

/* A variable may have several, one a line. */
static const char *apply_filter(struct options *options, const char *value) {
        const char *wrong = NULL;

        do {
                size_t n = strcspn(value, "\n");
                CLEANUP(cleanup_free) char *regex = strndup(value, n);

                if (!regex)
                        return "more memory";
                if (n > 0)
                        wrong = options_add_filter(&options->filters, regex);
                value += n + (value[n] == '\n');
        } while (*value && !wrong);
        return wrong;
}

static const char *add_aggregate(struct options *options, const char *value, size_t size) {
        const char *equals = memrchr(value, '=', size);
        const char *word = equals ? equals + 1 : value;
        int aggregate = aggregate_from_name((struct slice){ word, size - (size_t)(word - value) });
        struct aggregate_rule *rule = &options->aggregates[options->n_aggregates];

        if (options->n_aggregates == OPTIONS_AGGREGATES_MAX)
                return "at most 64 of them";
        if (aggregate < 0 || equals == value)
                return "[METRIC=]last, mean, min or max";
        *rule = (struct aggregate_rule){ .aggregate = (enum aggregate)aggregate };
        if (equals && !(rule->metric = strndup(value, (size_t)(equals - value))))
                return "more memory";
        options->n_aggregates++;
        return NULL;
}

static const char *apply_aggregate(struct options *options, const char *value) {
        return apply_each(options, value, add_aggregate);
}

/* "5", "5s", "500ms", "1.5m", "1h"; without a unit seconds. */
static bool parse_duration(struct slice text, int64_t *ret_ms) {
        static const struct {
                struct slice unit;
                double ms;
        } units[] = { { SLICE("ms"), 1 }, { SLICE("s"), 1000 }, { SLICE("m"), 60000 },
                      { SLICE("h"), 3600000 }, { SLICE(""), 1000 } };
        double value;
        size_t n = number_scan(text, &value);
        struct slice unit = { text.data + n, text.size_bytes - n };

        if (n == 0 || !(value > 0) || value > 1e6)
                return false;
        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
                if (slice_equal(unit, units[i].unit)) {
                        *ret_ms = (int64_t)(value * units[i].ms);
                        return *ret_ms > 0;
                }
        return false;
}

static const char *apply_interval(struct options *options, const char *value) {
        static const char expected[] = "MIN[,MAX], durations such as 5s,60s, MAX not below MIN";
        size_t n = strcspn(value, ",");

        if (!parse_duration((struct slice){ value, n }, &options->interval_min_ms))
                return expected;
        options->interval_max_ms = options->interval_min_ms > SPACING_MAX_MS ? options->interval_min_ms
                                                                             : SPACING_MAX_MS;
        if (value[n] == ',' && !parse_duration(slice_from(value + n + 1), &options->interval_max_ms))
                return expected;
        return options->interval_max_ms < options->interval_min_ms ? expected : NULL;
}

static const char *apply_grace(struct options *options, const char *value) {
        return parse_duration(slice_from(value), &options->grace_ms) ? NULL : "a duration such as 20s";
}

static const char *apply_axis(struct options *options, const char *value) {
        int axis = axis_from_name(slice_from(value));

        options->axis = axis < 0 ? AXIS_AUTO : (enum axis)axis;
        return axis < 0 ? "auto, epoch, step, trial or row" : NULL;
}

static const char *apply_objective(struct options *options, const char *value) {
        const char *colon = strrchr(value, ':');
        int goal = colon ? goal_from_name(slice_from(colon + 1)) : -1;
        size_t n = goal < 0 ? strlen(value) : (size_t)(colon - value);

        if (n == 0)
                return "METRIC[:min|max]";
        free(options->objective);
        options->objective = strndup(value, n);
        if (!options->objective)
                return "more memory";
        options->goal = goal < 0 ? goal_of_metric(options->objective) : (enum goal)goal;
        return NULL;
}

static const char *apply_owner(struct options *options, const char *value) {
        static const struct {
                const char *name;
                enum owner owner;
        } owners[] = { { "auto", OWNER_AUTO }, { "experiment", OWNER_EXPERIMENT }, { "job", OWNER_JOB },
                       { "none", OWNER_NONE } };

        for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++)
                if (strcasecmp(value, owners[i].name) == 0) {
                        options->owner = owners[i].owner;
                        return NULL;
                }
        return "auto, experiment, job or none";
}

/* By its name, with or without SIG, or its number; 0: none of these. */
static int signal_from_name(const char *name) {
        static const struct {
                const char *name;
                int number;
        } signals[] = { { "HUP", SIGHUP }, { "INT", SIGINT }, { "QUIT", SIGQUIT }, { "ABRT", SIGABRT }, { "KILL", SIGKILL },
                        { "USR1", SIGUSR1 }, { "USR2", SIGUSR2 }, { "ALRM", SIGALRM }, { "TERM", SIGTERM }, { "CONT", SIGCONT },
                        { "STOP", SIGSTOP }, { "TSTP", SIGTSTP }, { "URG", SIGURG }, { "WINCH", SIGWINCH }, { "IO", SIGIO },
                        { "PWR", SIGPWR }, { "VTALRM", SIGVTALRM }, { "PROF", SIGPROF } };
        size_t digits = strspn(name, "0123456789");

        if (digits > 0 && digits <= 2 && !name[digits])
                return atoi(name) <= SIGRTMAX ? atoi(name) : 0;
        if (strncasecmp(name, "SIG", 3) == 0)
                name += 3;
        for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
                if (strcasecmp(name, signals[i].name) == 0)
                        return signals[i].number;
        return 0;
}

static const char *apply_stop_signal(struct options *options, const char *value) {
        options->stop_signal = signal_from_name(value);
        return options->stop_signal > 0 ? NULL : "a signal such as TERM, SIGUSR1 or 10";
}

static const char *apply_log_format(struct options *options, const char *value) {
        bool is_json = strcasecmp(value, "json") == 0;

        options->log_format = is_json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
        return is_json || strcasecmp(value, "text") == 0 ? NULL : "text or json";
}

/* --- the table --- */

static const struct option_row rows[] = {
        { "dir", 'd', "DIR", "EXPERIMENTS_DIR", NULL, apply_dir,
          "follow every metrics file under DIR (default /experiments)" },
        { "metrics", 'm', "PATH[:FORMAT]", "EXPERIMENTS_METRICS", NULL, apply_metrics,
          "follow this file, glob or directory instead of --dir; may be repeated" },
        { "filter", 'f', "REGEX", "EXPERIMENTS_FILTER", NULL, apply_filter,
          "of text, take what this matches: group 1 is a name, group 2 a value; may be repeated" },
        { "to", 't', "DIR", "EXPERIMENTS_TO", NULL, apply_to,
          "publish as a file: DIR/JOB.json, ready for kubectl apply" },
        { "state", 0, "DIR", "EXPERIMENTS_STATE", NULL, apply_state,
          "keep in DIR what a restart goes on with (default: .agent in --dir)" },
        { "socket", 0, "PATH", "EXPERIMENTS_SOCKET", NULL, apply_socket,
          "take reports on this socket; none: on none (default: agent.sock in --dir)" },
        { "server", 's', "URL", "EXPERIMENTS_SERVER", NULL, apply_server,
          "publish to this API server (default: the pod's cluster)" },
        { "ca-file", 0, "FILE", "EXPERIMENTS_CA_FILE", NULL, apply_ca_file,
          "certificates (PEM) to trust for the server" },
        { "token-file", 0, "FILE", "EXPERIMENTS_TOKEN_FILE", NULL, apply_token_file,
          "bearer token, read anew for each request" },
        { "client-cert", 0, "FILE", "EXPERIMENTS_CLIENT_CERT", NULL, apply_client_cert,
          "client certificate (PEM)" },
        { "client-key", 0, "FILE", "EXPERIMENTS_CLIENT_KEY", NULL, apply_client_key,
          "key of the client certificate (PEM)" },
        { "namespace", 'n', "NAME", "EXPERIMENTS_NAMESPACE", "EXPERIMENT_NAMESPACE", apply_namespace_name,
          "namespace of the Job (default: the pod's, else default)" },
        { "job", 'j', "NAME", "EXPERIMENTS_JOB", "JOB_NAME", apply_job,
          "name of the Job, and so of its Result" },
        { "output", 'o', "PATH", "EXPERIMENTS_OUTPUT_PATH", NULL, apply_output,
          "the run's output directory on shared storage" },
        { "interval", 'i', "MIN[,MAX]", "EXPERIMENTS_INTERVAL", NULL, apply_interval,
          "time between two reports, growing with the run's age (default 5s,60s; files 1s)" },
        { "grace", 0, "TIME", "EXPERIMENTS_GRACE", NULL, apply_grace,
          "from SIGTERM to the end, at most (default 20s)" },
        { "axis", 0, "AXIS", "EXPERIMENTS_AXIS", NULL, apply_axis,
          "what x counts: auto, epoch, step, trial or row (default auto)" },
        { "aggregate", 0, "[METRIC=]HOW", "EXPERIMENTS_AGGREGATE", NULL, apply_aggregate,
          "several values at one x become: last, mean, min or max (default last); may be repeated" },
        { "objective", 0, "METRIC[:GOAL]", "EXPERIMENTS_OBJECTIVE", NULL, apply_objective,
          "the metric that matters, min or max (default: the Experiment's)" },
        { "owner", 0, "KIND", "EXPERIMENTS_OWNER", NULL, apply_owner,
          "who owns the Result: auto (experiment, else job), experiment, job or none" },
        { "follow-symlinks", 0, NULL, "EXPERIMENTS_FOLLOW_SYMLINKS", NULL, apply_follow_symlinks,
          "in a directory that is searched, follow links that lead out of it, too" },
        { "watch", 'w', NULL, "EXPERIMENTS_WATCH", NULL, apply_watch,
          "watch the Result, so that a stop request arrives within a second" },
        { "verbose", 'v', NULL, "EXPERIMENTS_VERBOSE", NULL, apply_verbose, "log every step" },
        { "log-format", 0, "FORMAT", "EXPERIMENTS_LOG_FORMAT", NULL, apply_log_format,
          "text or json (default text)" },
        { "stop-signal", 0, "SIGNAL", "EXPERIMENTS_STOP_SIGNAL", NULL, apply_stop_signal,
          "send the command SIGNAL when a stop is requested (default: none)" },
        { "install", 0, "DIR", NULL, NULL, apply_install,
          "run nothing: copy this program to DIR/experiments-agent" },
        { "help", 'h', NULL, NULL, NULL, apply_help, "print this and exit" },
        { "version", 'V', NULL, NULL, NULL, apply_version, "print the version and exit" },
        { NULL, 0, NULL, "EXPERIMENTS_EXPERIMENT", "EXPERIMENT_NAME", apply_experiment, NULL },
        { NULL, 0, NULL, "EXPERIMENTS_EXPERIMENT_UID", "EXPERIMENT_UID", apply_experiment_uid, NULL },
        { NULL, 0, NULL, "EXPERIMENTS_JOB_UID", "JOB_UID", apply_job_uid, NULL },
        { NULL, 0, NULL, "EXPERIMENTS_POD", "POD_NAME", apply_pod, NULL },
        { NULL, 0, NULL, "EXPERIMENTS_POD_UID", "POD_UID", apply_pod_uid, NULL },
        { NULL, 0, NULL, NULL, "JOB_COMPLETION_INDEX", apply_completion_index, NULL },
};

static bool is_of_run(const struct option_row *row) {
        return row->apply == apply_stop_signal || row->apply == apply_install;
}

enum { N_ROWS = sizeof(rows) / sizeof(rows[0]), FIRST_LONG = 256 };

/* --- reading --- */

static int usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int usage_error(const char *format, ...) {
        va_list arguments;

        fputs(PROGRAM ": ", stderr);
        va_start(arguments, format);
        vfprintf(stderr, format, arguments);
        va_end(arguments);
        fputs("\n", stderr);
        return EXIT_USAGE;
}

/* A variable that is set to nothing is as good as not set. */
static int apply_variable(struct options *options, const struct option_row *row, const char *name) {
        const char *value = name ? getenv(name) : NULL, *expected;

        if (!value || !*value)
                return 0;
        expected = row->apply(options, value);
        return expected ? usage_error("%s=%s: expected %s", name, value, expected) : 0;
}

/* What a variable gave for a flag that may be repeated ends when the flag itself is given. */
static void forget_variable(struct options *options, const struct option_row *row) {
        if (row->apply == apply_metrics)
                while (options->n_metrics > 0)
                        free((char *)(uintptr_t)options->metrics[--options->n_metrics].path);
        if (row->apply == apply_filter)
                options->filters = filters_free(options->filters);
        if (row->apply == apply_aggregate)
                while (options->n_aggregates > 0)
                        free((char *)(uintptr_t)options->aggregates[--options->n_aggregates].metric);
}

static int apply_flag(struct options *options, const struct option_row *row, const char *value,
                      bool is_first) {
        const char *expected;

        if (is_first)
                forget_variable(options, row);
        expected = row->apply(options, value);
        if (!expected)
                return 0;
        return usage_error("--%s: expected %s, not '%s'", row->name, expected, value ? value : "");
}

static void make_getopt_tables(bool is_run, struct option long_options[N_ROWS + 1], char letters[2 * N_ROWS + 3]) {
        char *letter = letters;

        memset(long_options, 0, (N_ROWS + 1) * sizeof(*long_options));
        *letter++ = '+'; /* stop at the first word that is no flag */
        *letter++ = ':'; /* tell a missing argument from an unknown flag */
        for (int i = 0, n = 0; i < N_ROWS; i++) {
                if (!rows[i].name || (is_of_run(&rows[i]) && !is_run))
                        continue;
                long_options[n++] = (struct option){
                        .name = rows[i].name,
                        .has_arg = rows[i].argument ? required_argument : no_argument,
                        .val = FIRST_LONG + i,
                };
                if (!rows[i].letter)
                        continue;
                *letter++ = rows[i].letter;
                if (rows[i].argument)
                        *letter++ = ':';
        }
        *letter = '\0';
}

static int row_of(int found) {
        for (int i = 0; i < N_ROWS && found < FIRST_LONG; i++)
                if (rows[i].letter == found)
                        return i;
        return found - FIRST_LONG;
}

static int read_flags(struct options *options, int n_arguments, char **arguments) {
        struct option long_options[N_ROWS + 1];
        char letters[2 * N_ROWS + 3];
        bool seen[N_ROWS] = { false };
        int found, r;

        make_getopt_tables(options->is_run, long_options, letters);
        opterr = 0;
        optind = 0; /* glibc: read anew, also a second time */
        while ((found = getopt_long(n_arguments, arguments, letters, long_options, NULL)) != -1) {
                const char *argument = arguments[optind - 1];

                if (found == ':')
                        return usage_error("%s: expected an argument (see --help)", argument);
                if (found == '?')
                        return usage_error("%s: no such flag, or ambiguous (see --help)", argument);
                r = apply_flag(options, &rows[row_of(found)], optarg, !seen[row_of(found)]);
                seen[row_of(found)] = true;
                if (r != 0)
                        return r;
        }
        if (options->is_run)
                options->command = optind < n_arguments ? arguments + optind : NULL;
        else if (optind < n_arguments)
                return usage_error("'%s': expected a flag, or a command (run, report, parse, state) as first word (see --help)",
                                   arguments[optind]);
        return 0;
}

static int parse(struct options *ret_options, const char *dir, bool is_run, int n_arguments, char **arguments) {
        int r = 0;

        *ret_options = (struct options){ .dir = dir, .is_run = is_run, .grace_ms = GRACE_MS, .axis = AXIS_AUTO };
        for (int i = 0; i < N_ROWS && r == 0; i++) {
                r = apply_variable(ret_options, &rows[i], rows[i].inherited);
                if (r == 0)
                        r = apply_variable(ret_options, &rows[i], rows[i].variable);
        }
        if (r == 0)
                r = read_flags(ret_options, n_arguments, arguments);
        if (r != 0)
                options_release(ret_options);
        return r;
}

int options_parse(struct options *ret_options, int n_arguments, char **arguments) {
        return parse(ret_options, OPTIONS_DIR, false, n_arguments, arguments);
}

int options_parse_run(struct options *ret_options, int n_arguments, char **arguments) {
        return parse(ret_options, NULL, true, n_arguments, arguments);
}

void options_release(struct options *options) {
        for (int i = 0; i < N_ROWS; i++)
                forget_variable(options, &rows[i]);
        free(STEAL(options->objective));
}

static void print_flags(bool of_run) {
        for (int i = 0; i < N_ROWS; i++) {
                char flag[64];

                if (!rows[i].name || is_of_run(&rows[i]) != of_run)
                        continue;
                (void)snprintf(flag, sizeof(flag), "--%s%s%s", rows[i].name, rows[i].argument ? " " : "",
                               rows[i].argument ? rows[i].argument : "");
                printf("  %c%c%c %-26s %s\n", rows[i].letter ? '-' : ' ', rows[i].letter ? rows[i].letter : ' ',
                       rows[i].letter ? ',' : ' ', flag, rows[i].help);
        }
}

void options_print_help_of_run(void) {
        printf("Usage: " PROGRAM " run [FLAG]... [--] COMMAND [ARGUMENT]...\n"
               "       " PROGRAM " run --install DIR\n"
               "\n"
               "Runs COMMAND as if it ran alone, and publishes its metrics: those that it prints, those of its\n"
               "files under --dir (default /experiments, or experiments/NAME where that cannot be written to) and\n"
               "those that it reports on the socket. Where there is no cluster, the Result is a file in experiments/.\n"
               "\n");
        print_flags(true);
        printf("\nAnd those of " PROGRAM " without run (see " PROGRAM " --help), of which --job is named after COMMAND\n"
               "and the time. Only warnings are logged, unless --verbose.\n"
               "\n"
               "COMMAND has EXPERIMENTS_DIR and EXPERIMENTS_SOCKET in its environment.\n"
               "\n"
               "Exit status: that of COMMAND, 128+N when signal N ended it; 127 when it is not found, 126 when it\n"
               "cannot be run; 2 for wrong use; 1 when the agent cannot start otherwise.\n");
}

void options_print_help(void) {
        printf("Usage: " PROGRAM " [FLAG]...\n"
               "       " PROGRAM " run [FLAG]... [--] COMMAND [ARGUMENT]...\n"
               "       " PROGRAM " report [--epoch N] [--step N] NAME=VALUE...\n"
               "       " PROGRAM " parse [--records|--why] [--filter REGEX] FILE|DIR...\n"
               "       " PROGRAM " state [--output json] DIR\n"
               "\n"
               "Follows the metrics files that a training job writes and publishes them, an epoch a row, as\n"
               "the job's Result: to the cluster's API server, or with --to as a file.\n"
               "\n");
        print_flags(false);
        printf("\nFormats:");
        for (const struct format *const *format = formats; *format; format++)
                printf("%s %s (%s)", format == formats ? "" : ",", (*format)->name, (*format)->description);
        printf("\n\nEach flag has a variable: EXPERIMENTS_ and its name (--ca-file: EXPERIMENTS_CA_FILE;\n"
               "--output: EXPERIMENTS_OUTPUT_PATH); a flag beats its variable. JOB_NAME, EXPERIMENT_NAME,\n"
               "EXPERIMENT_UID, EXPERIMENT_NAMESPACE, POD_NAME, POD_UID and PARAMETER_<NAME>_<TYPE> are read\n"
               "where nothing else says more.\n"
               "\n"
               "Exit status: 0 after SIGTERM, also when the last report did not get through (the log says so);\n"
               "2 for wrong use; 1 when it cannot start otherwise.\n");
}
