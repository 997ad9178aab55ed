/* Tells the experiments agent how a training is doing:
 *
 *         #include <experiments.h>
 *
 *         for (int epoch = 1; epoch <= epochs && !exp_should_stop(NULL); epoch++) {
 *                 ...
 *                 EXP_REPORT(epoch, {"loss", loss}, {"accuracy", accuracy});
 *         }
 *         exp_end(NULL, 0, NULL);
 *         exp_flush(NULL, 1000);
 *
 * Copy experiments.h and experiments.c into a program, or link libexperiments-reporter. C99 and POSIX, or C++11.
 *
 * No call waits, but for exp_flush. None fails the training: where there is no agent, nothing happens. What cannot
 * be sent yet waits in a buffer, and is sent by a later call; what does not fit is dropped and counted. Each
 * report counts exactly once, also when the agent is killed and comes back. Any thread may call. After a
 * fork() the child is a client of its own.
 *
 * `reporter` may be NULL everywhere: the process's own, which needs nothing to be set up.
 *
 * Functions that return int return 0, or a negative errno: for those who want to know. errno stays as it is. */
#ifndef EXPERIMENTS_H
#define EXPERIMENTS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* NaN and the infinities are values, too. */
struct exp_metric {
        const char *name;
        double value;
};

#define EXP_NONE (-1.0) /* an epoch, step, ... that is not told; so is anything below 0, and NaN */

/* One moment of the training. Start from EXP_MOMENT_INIT, in which nothing is told. */
struct exp_moment {
        double epoch;           /* as the trainer counts: from 0 or from 1, whole or fractional */
        double step;            /* optimizer step or iteration */
        double time;            /* seconds since 1970; EXP_NONE: now */
        double epochs;          /* how many the trainer intends */
        const char *output;     /* directory of the run's output on shared storage; NULL: not told */
        const char *checkpoint; /* path of a checkpoint that is complete; NULL: not told */
        const struct exp_metric *metrics;
        size_t n_metrics;
};

#define EXP_MOMENT_INIT { EXP_NONE, EXP_NONE, EXP_NONE, EXP_NONE, NULL, NULL, NULL, 0 }

/* A hyperparameter: the text, or where that is NULL the number. */
struct exp_parameter {
        const char *name;
        double number;
        const char *text;
};

enum exp_rank {
        EXP_RANK_ZERO = 0,  /* only the process reports whose rank is 0, or that has none; with EXPERIMENTS_RANKS=all, every one */
        EXP_RANK_EVERY = -1 /* each process reports, those above 0 as rank1/loss, rank2/loss, ... */
};

/* How to set up a reporter of one's own. Zero, or NULL, is the default of each. */
struct exp_options {
        const char *socket;  /* path; default: EXPERIMENTS_SOCKET, else agent.sock in EXPERIMENTS_DIR, else in /experiments */
        const char *program; /* what people call this program; default: its file's name */
        int rank;            /* EXP_RANK_ZERO or _EVERY: the rank is that of RANK, OMPI_COMM_WORLD_RANK, PMIX_RANK, PMI_RANK,
                              * SLURM_PROCID or LOCAL_RANK, the first that is set; above 0: report, as this rank */
        size_t buffer_bytes; /* for what is not acknowledged yet; default, and least: 1 MiB */
        int quiet;           /* not 0: nothing is said on stderr, also not that there is no agent */
};

struct exp_reporter;

/* Returns NULL when memory runs out. options may be NULL. */
struct exp_reporter *exp_reporter_new(const struct exp_options *options);

/* Sends what it can without waiting, and frees reporter. NULL: nothing. */
void exp_reporter_free(struct exp_reporter *reporter);

/* Reports one moment: one system call, which does not wait. -ENOBUFS: it was dropped, the buffer being full. -EINVAL:
 * nothing is told in it, or what no agent takes. -EMSGSIZE: over 131,072 bytes. Numbers may be of any locale. */
int exp_report(struct exp_reporter *reporter, const struct exp_moment *moment);

/* The same with metrics alone. */
int exp_report_epoch(struct exp_reporter *reporter, double epoch, const struct exp_metric *metrics, size_t n_metrics);
int exp_report_step(struct exp_reporter *reporter, double step, const struct exp_metric *metrics, size_t n_metrics);

/* Hyperparameters that are not in the environment; they are added to those that are known. Of a text 4,096 bytes count. */
int exp_parameters(struct exp_reporter *reporter, const struct exp_parameter *parameters, size_t n_parameters);

/* The training is over: complete with exit_status 0, else failed. message may be NULL; 1,024 bytes of it count. */
int exp_end(struct exp_reporter *reporter, int exit_status, const char *message);

/* Whether somebody asks the run to stop: write a checkpoint, and end with exit status 0. One system call, and one more where
 * something could not be sent before. On ranks that do not report, too; ranks may hear of it at different steps: let one decide
 * for all where they depend on each other. */
int exp_should_stop(struct exp_reporter *reporter);

/* Why; NULL: nobody asks. It stays where it is while reporter lives. What exp_should_stop has heard: no system call. */
const char *exp_stop_reason(struct exp_reporter *reporter);

/* When the process will be killed: seconds since 1970; EXP_NONE: no time is set. */
double exp_stop_deadline(struct exp_reporter *reporter);

/* Waits until the agent has kept, or rejected, all that was reported, at most timeout_ms (below 0: without an end).
 * -ETIMEDOUT: it has not. -ENOTCONN: this process does not report. */
int exp_flush(struct exp_reporter *reporter, int timeout_ms);

/* How many reports did not fit the buffer. */
unsigned long long exp_dropped(struct exp_reporter *reporter);

/* How many messages the agent rejected. Why it rejected a message or the connection last, "code: message", goes into
 * ret_reason where that is not NULL; empty: it never did. */
unsigned long long exp_rejected(struct exp_reporter *reporter, char *ret_reason, size_t reason_bytes);

#ifdef __cplusplus
}
#endif

/* EXP_REPORT(epoch, {"loss", loss}, ...), EXP_REPORT_STEP(step, {"loss", loss}, ...),
 * EXP_PARAMETERS({"lr", 0.01, NULL}, {"optimizer", 0, "adam"}): with the process's own reporter. */
#if defined(__cplusplus) && __cplusplus >= 201103L

#include <initializer_list>

inline int exp_report_epoch_list_(double epoch, std::initializer_list<exp_metric> metrics) {
        return exp_report_epoch(NULL, epoch, metrics.begin(), metrics.size());
}

inline int exp_report_step_list_(double step, std::initializer_list<exp_metric> metrics) {
        return exp_report_step(NULL, step, metrics.begin(), metrics.size());
}

inline int exp_parameters_list_(std::initializer_list<exp_parameter> parameters) {
        return exp_parameters(NULL, parameters.begin(), parameters.size());
}

#define EXP_REPORT(epoch, ...) exp_report_epoch_list_((double)(epoch), { __VA_ARGS__ })
#define EXP_REPORT_STEP(step, ...) exp_report_step_list_((double)(step), { __VA_ARGS__ })
#define EXP_PARAMETERS(...) exp_parameters_list_({ __VA_ARGS__ })

#elif !defined(__cplusplus)

/* sizeof does not evaluate its operand: each value is computed once. */
#define EXP_LIST_(type, ...) (const struct type[]){ __VA_ARGS__ }, sizeof((const struct type[]){ __VA_ARGS__ }) / sizeof(struct type)
#define EXP_REPORT(epoch, ...) exp_report_epoch(NULL, (double)(epoch), EXP_LIST_(exp_metric, __VA_ARGS__))
#define EXP_REPORT_STEP(step, ...) exp_report_step(NULL, (double)(step), EXP_LIST_(exp_metric, __VA_ARGS__))
#define EXP_PARAMETERS(...) exp_parameters(NULL, EXP_LIST_(exp_parameter, __VA_ARGS__))

#endif

#endif
