/* The agent's flags and variables: one table says what there is, how it reads and what --help
 * prints. A flag beats its EXPERIMENTS_… variable, which beats the variable of the original's
 * launcher. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "publish/identity.h"
#include "publish/spacing.h"
#include "result/fold.h"
#include "source/tail.h"

enum {
        OPTIONS_METRICS_MAX = 64,    /* --metrics */
        OPTIONS_AGGREGATES_MAX = 64, /* --aggregate */
        EXIT_USAGE = 2,
};

#define OPTIONS_DIR "/experiments" /* where a pod's volume for them is mounted */

/* Texts are borrowed from the command line and the environment, unless a comment says otherwise. */
struct options {
        const char *dir;
        struct tail_place metrics[OPTIONS_METRICS_MAX]; /* path: owned */
        size_t n_metrics;
        struct filters *filters; /* owned; NULL: none */

        const char *to, *state;
        const char *socket; /* "none": none; NULL: agent.sock in dir */
        const char *server, *ca_file, *token_file, *client_cert, *client_key;
        const char *namespace_name, *job;
        const char *output;
        int64_t grace_ms; /* from SIGTERM to the end */
        int64_t interval_min_ms, interval_max_ms; /* 0: the default of where it is published to */
        enum axis axis;
        struct aggregate_rule aggregates[OPTIONS_AGGREGATES_MAX]; /* metric: owned */
        size_t n_aggregates;
        char *objective; /* owned */
        enum goal goal;
        enum owner owner;
        bool follow_symlinks, watch, verbose, help, version;
        enum log_format log_format;

        /* Of run alone. */
        bool is_run;
        char *const *command; /* ends with NULL; NULL: none is given */
        int stop_signal;      /* 0: none */
        const char *install;  /* NULL: not that */

        /* Without a flag: identity as the downward API and the original's launcher give it. */
        const char *experiment, *experiment_uid, *job_uid, *pod, *pod_uid, *completion_index;
};

/* 0, or EXIT_USAGE after one line on standard error that names the flag or variable, what it was
 * given and what was expected. arguments: as main() has them. */
int options_parse(struct options *ret_options, int n_arguments, char **arguments);
/* The same for run: arguments[0] is "run". dir is NULL where nothing says it. */
int options_parse_run(struct options *ret_options, int n_arguments, char **arguments);
void options_release(struct options *options);

/* Adds one regular expression of --filter; NULL, or what was expected instead. */
const char *options_add_filter(struct filters **filters, const char *regex);

void options_print_help(void);
void options_print_help_of_run(void);
