/* at_call runs a program and, at its n-th system call, kills it, has the call fail or come short, or has
 * others do something. It can also stand in for time and for the rest of the world: whenever the program
 * would wait, its clock is set forward, and whenever nothing would ever happen again, the driver is asked.
 * The program keeps its process id, and its end is its own. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calls.h"
#include "tracee.h"

enum {
        COUNTED_MAX = 64,
        BYTES_ARGUMENT = 2, /* of read, write and those like them */
        ENVIRONMENT_MAX = 16,
        AT_REST_MS = 5000,  /* so much of its own time without anything from outside: nothing more will come */
        SPIN_CALLS = 100000, /* so many calls without once waiting: it would go on for ever */
        EXIT_USAGE = 2,
        EXIT_CANNOT_TRACE = 125, /* as env(1) and others have it */
        EXIT_NOT_FOUND = 127,
};

enum action { ACTION_NONE, ACTION_KILL, ACTION_KILL_AFTER, ACTION_FAIL, ACTION_SHORT, ACTION_ASK };

struct plan {
        enum action action;
        uint64_t at, times;
        int error;
        const struct call *counted[COUNTED_MAX];
        size_t n_counted; /* 0: every call counts */
        const char *list, *clock;
        int driver; /* -1: none */
        char *environment[ENVIRONMENT_MAX];
        size_t n_environment;
};

struct tracer {
        const struct plan *plan;
        pid_t pid;
        FILE *list;
        int clock;
        uint64_t n;         /* calls counted so far */
        bool is_hit;        /* the call that it is in */
        bool is_listed;     /* is the beginning of the call it is in */
        long number;        /* of that call */
        uint64_t arguments[6];
        int64_t waited_ms;  /* by its clock, since the driver was asked */
        uint64_t unwaited;  /* calls since it waited */
};

/* --- options --- */

static const char help_text[] =
        "usage: at_call [OPTIONS] PROGRAM [ARGUMENTS]\n"
        "Runs PROGRAM, and does something to it at its n-th system call after its start, not counting\n"
        "what the dynamic loader does.\n"
        "\n"
        "  --at N             which call, from 1\n"
        "  --calls NAME,...   count only these\n"
        "  --times N          that call and those that follow it, N in all (1; 0: without end)\n"
        "  --kill             SIGKILL, in place of the call\n"
        "  --kill-after       SIGKILL, when the call is done\n"
        "  --fail ERROR       the call is not made and fails (EINTR, EIO, ...)\n"
        "  --short            read and write half of what they are asked for, 1 byte at least\n"
        "  --ask              ask the driver before the call is made\n"
        "  --list FILE        write down every call: number, name, what on = result\n"
        "  --clock FIFO       EXPERIMENTS_TEST_CLOCK of the program: where it would wait in epoll_wait, set it\n"
        "                     forward by as much instead; that it reads this FIFO does not count\n"
        "  --driver FD        a socket: 'h' is written when the call is hit; 'a' and 'i' ask (--ask, and when\n"
        "                     nothing would ever happen), and it goes on when one byte comes back\n"
        "  --env NAME=VALUE   for PROGRAM alone\n"
        "  --help\n";

/* The errors that tests name. */
static int error_by_name(const char *name) {
        for (int error = 1; error < 134; error++) {
                const char *known = strerrorname_np(error);

                if (known && strcmp(known, name) == 0)
                        return error;
        }
        return 0;
}

static int wrong(const char *what, const char *expected) {
        fprintf(stderr, "at_call: %s: expected %s\n", what, expected);
        return -EINVAL;
}

static int take_number(const char *text, uint64_t *ret_number) {
        char *end;

        errno = 0;
        *ret_number = strtoull(text, &end, 10);
        return errno || end == text || *end ? wrong(text, "a number") : 0;
}

static int take_calls(struct plan *plan, char *names) {
        char *rest = NULL;

        for (char *name = strtok_r(names, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
                const struct call *call = call_by_name(name);

                if (!call || plan->n_counted == COUNTED_MAX)
                        return wrong(name, "the name of a system call");
                plan->counted[plan->n_counted++] = call;
        }
        return 0;
}

static int take_failure(struct plan *plan, const char *error) {
        plan->action = ACTION_FAIL;
        plan->error = error_by_name(error);
        return plan->error ? 0 : wrong(error, "the name of an error, such as EIO");
}

static int take_environment(struct plan *plan, char *setting) {
        if (!strchr(setting, '=') || plan->n_environment == ENVIRONMENT_MAX)
                return wrong(setting, "NAME=VALUE");
        plan->environment[plan->n_environment++] = setting;
        return 0;
}

static int take_driver(struct plan *plan, const char *text) {
        uint64_t fd;
        int r = take_number(text, &fd);

        plan->driver = (int)fd;
        return r < 0 ? r : fcntl(plan->driver, F_SETFD, FD_CLOEXEC) < 0 ? wrong(text, "an open descriptor") : 0;
}

static int take_option(struct plan *plan, int option) {
        switch (option) {
        case 'n':
                return take_number(optarg, &plan->at);
        case 't':
                return take_number(optarg, &plan->times);
        case 'c':
                return take_calls(plan, optarg);
        case 'f':
                return take_failure(plan, optarg);
        case 'd':
                return take_driver(plan, optarg);
        case 'l':
                plan->list = optarg;
                return 0;
        case 'C':
                plan->clock = optarg;
                return 0;
        case 'e':
                return take_environment(plan, optarg);
        case 'k':
                plan->action = ACTION_KILL;
                return 0;
        case 'K':
                plan->action = ACTION_KILL_AFTER;
                return 0;
        case 's':
                plan->action = ACTION_SHORT;
                return 0;
        case 'a':
                plan->action = ACTION_ASK;
                return 0;
        default:
                return -EINVAL;
        }
}

/* 1: help was asked for. */
static int parse_options(struct plan *plan, int n_arguments, char **arguments) {
        static const struct option options[] = {
                { "at", required_argument, NULL, 'n' },      { "times", required_argument, NULL, 't' },
                { "calls", required_argument, NULL, 'c' },   { "fail", required_argument, NULL, 'f' },
                { "driver", required_argument, NULL, 'd' },  { "clock", required_argument, NULL, 'C' },
                { "list", required_argument, NULL, 'l' },    { "env", required_argument, NULL, 'e' },
                { "kill", no_argument, NULL, 'k' },          { "kill-after", no_argument, NULL, 'K' },
                { "short", no_argument, NULL, 's' },         { "ask", no_argument, NULL, 'a' },
                { "help", no_argument, NULL, 'h' },          { NULL, 0, NULL, 0 },
        };
        int option;

        while ((option = getopt_long(n_arguments, arguments, "+", options, NULL)) != -1) {
                int r = option == 'h' ? 1 : take_option(plan, option);

                if (r != 0)
                        return r;
        }
        if (optind == n_arguments)
                return wrong("nothing to run", "PROGRAM");
        return plan->action != ACTION_NONE && plan->at == 0 ? wrong("--at", "which call, from 1") : 0;
}

/* --- the driver --- */

static void tell(struct tracer *tracer, char what) {
        if (tracer->plan->driver >= 0)
                (void)!send(tracer->plan->driver, &what, 1, MSG_NOSIGNAL);
}

/* False: there is no driver any more. */
static bool ask(struct tracer *tracer, char what) {
        char answer;

        tell(tracer, what);
        tracer->waited_ms = 0;
        return tracer->plan->driver >= 0 && read(tracer->plan->driver, &answer, 1) == 1;
}

/* --- the list --- */

static void list_fd(struct tracer *tracer, int fd) {
        char path[PATH_MAX];

        if (tracee_read_fd(tracer->pid, fd, path, sizeof(path)))
                fputs(path, tracer->list);
        else
                fprintf(tracer->list, "%d", fd);
}

static void list_begin(struct tracer *tracer, long number, const uint64_t *arguments) {
        const struct call *call = call_by_number(number);

        if (!tracer->list)
                return;
        if (call)
                fprintf(tracer->list, "%llu %s", (unsigned long long)tracer->n, call->name);
        else
                fprintf(tracer->list, "%llu %ld", (unsigned long long)tracer->n, number);
        putc(' ', tracer->list);
        if (call && call->path >= 0)
                tracee_print_string(tracer->pid, arguments[call->path], tracer->list);
        else if (call && call->fd >= 0)
                list_fd(tracer, (int)arguments[call->fd]);
        tracer->is_listed = true;
}

static void list_end(struct tracer *tracer, int64_t result) {
        if (tracer->list && tracer->is_listed)
                fprintf(tracer->list, " = %lld%s%s\n", (long long)result, result < 0 && result > -4096 ? " " : "",
                        result < 0 && result > -4096 ? strerrorname_np((int)-result) : "");
        tracer->is_listed = false;
}

static void list_close(struct tracer *tracer) {
        if (!tracer->list)
                return;
        if (tracer->is_listed)
                fprintf(tracer->list, " = ?\n");
        fclose(tracer->list);
        tracer->list = NULL;
}

/* --- waiting --- */

static bool is_wait(long number) {
#ifdef SYS_epoll_wait
        if (number == SYS_epoll_wait)
                return true;
#endif
        return number == SYS_epoll_pwait;
}

/* Has it got a signal that it has not taken yet? */
static bool has_signals(pid_t pid) {
        unsigned long long pending = 0, more;
        char path[32], line[128];
        FILE *status;

        (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
        status = fopen(path, "re");
        while (status && fgets(line, sizeof(line), status))
                if (sscanf(line, "SigPnd: %llx", &more) == 1 || sscanf(line, "ShdPnd: %llx", &more) == 1)
                        pending |= more;
        if (status)
                fclose(status);
        return pending != 0;
}

/* Would it not wait? An epoll descriptor is itself readable while it has events (epoll(7)). Signals come
 * first: a signalfd is asked for those of the process that asks, which would take the event away. */
static bool has_events(pid_t pid, int epoll) {
        int process = has_signals(pid) ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
        int fd = process >= 0 ? (int)syscall(SYS_pidfd_getfd, process, epoll, 0) : -1;
        struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
        bool is_ready = process < 0 || (fd >= 0 && poll(&poll_fd, 1, 0) > 0);

        if (fd >= 0)
                close(fd);
        if (process >= 0)
                close(process);
        return is_ready;
}

static void advance(struct tracer *tracer, int64_t ms) {
        char line[32];
        int size = snprintf(line, sizeof(line), "%.3f\n", (double)ms / 1000);

        if (write(tracer->clock, line, (size_t)size) == size)
                tracer->waited_ms += ms;
}

/* The driver is asked until something has come of it: what the program does not listen to wakes it never. */
static void before_wait(struct tracer *tracer, const uint64_t *arguments) {
        int epoll = (int)arguments[0], timeout_ms = (int)arguments[3];

        while (timeout_ms != 0 && !has_events(tracer->pid, epoll)) {
                tracer->unwaited = 0;
                if (timeout_ms > 0 && tracer->clock < 0)
                        return;
                if (timeout_ms > 0 && tracer->waited_ms < AT_REST_MS)
                        advance(tracer, timeout_ms);
                else if (!ask(tracer, 'i'))
                        return;
        }
}

/* --- at each call --- */

static bool is_counted(const struct plan *plan, long number) {
        for (size_t i = 0; i < plan->n_counted; i++)
                if (plan->counted[i]->number == number)
                        return true;
        return plan->n_counted == 0;
}

/* It reads the clock for its driver's sake only. */
static bool is_clock(const struct tracer *tracer, long number, int fd) {
        char path[PATH_MAX];

        return tracer->plan->clock && number == SYS_read && tracee_read_fd(tracer->pid, fd, path, sizeof(path)) &&
               strcmp(path, tracer->plan->clock) == 0;
}

static bool hits(struct tracer *tracer, long number, const uint64_t *arguments) {
        const struct plan *plan = tracer->plan;

        if (!is_counted(plan, number) || is_clock(tracer, number, (int)arguments[0]))
                return false;
        tracer->n++;
        return plan->action != ACTION_NONE && tracer->n >= plan->at &&
               (plan->times == 0 || tracer->n - plan->at < plan->times);
}

static void cut_call(struct tracer *tracer, long number) {
        const struct call *call = call_by_number(number);
        uint64_t bytes = tracer->arguments[BYTES_ARGUMENT];

        if (call && call->is_transfer && bytes > 1)
                (void)tracee_set_argument(tracer->pid, BYTES_ARGUMENT, bytes / 2);
}

/* The kernel's brk does not fail like the others: it returns the break that there is (brk(2), notes). */
static void fail_call(struct tracer *tracer, long number) {
        if (number == SYS_brk)
                (void)tracee_set_argument(tracer->pid, 0, 0);
        else if (number != SYS_close) /* which frees the descriptor in any case: close(2), "Dealing with error returns" */
                (void)tracee_skip_call(tracer->pid);
}

static void fail_end(struct tracer *tracer, int64_t *result) {
        if (tracer->number == SYS_brk) {
                (void)tracee_put_back(tracer->pid, 0, tracer->arguments[0]);
                return;
        }
        *result = -tracer->plan->error;
        (void)tracee_set_result(tracer->pid, *result);
}

static void on_begin(struct tracer *tracer, long number, const uint64_t *arguments) {
        tracer->is_hit = hits(tracer, number, arguments);
        tracer->number = number;
        memcpy(tracer->arguments, arguments, sizeof(tracer->arguments));
        list_begin(tracer, number, arguments);
        if (tracer->is_hit)
                tell(tracer, 'h');
        if (tracer->is_hit && tracer->plan->action == ACTION_KILL)
                (void)kill(tracer->pid, SIGKILL);
        else if (tracer->is_hit && tracer->plan->action == ACTION_FAIL)
                fail_call(tracer, number);
        else if (tracer->is_hit && tracer->plan->action == ACTION_SHORT)
                cut_call(tracer, number);
        else if (tracer->is_hit && tracer->plan->action == ACTION_ASK)
                (void)ask(tracer, 'a');
        if (is_wait(number) && !(tracer->is_hit && tracer->plan->action != ACTION_ASK))
                before_wait(tracer, arguments);
}

static void on_end(struct tracer *tracer, int64_t result) {
        if (tracer->is_hit && tracer->plan->action == ACTION_FAIL)
                fail_end(tracer, &result);
        if (tracer->is_hit && tracer->plan->action == ACTION_SHORT)
                (void)tracee_put_back(tracer->pid, BYTES_ARGUMENT, tracer->arguments[BYTES_ARGUMENT]);
        if (tracer->is_hit && tracer->plan->action == ACTION_KILL_AFTER)
                (void)kill(tracer->pid, SIGKILL);
        tracer->is_hit = false;
        list_end(tracer, result);
}

static void on_call(struct tracer *tracer) {
        struct __ptrace_syscall_info info;

        if (ptrace(PTRACE_GET_SYSCALL_INFO, tracer->pid, sizeof(info), &info) < 0)
                return;
        if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
                on_begin(tracer, (long)info.entry.nr, (const uint64_t *)info.entry.args);
        else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
                on_end(tracer, info.exit.rval);
}

static bool spins(struct tracer *tracer) {
        if (++tracer->unwaited < 2 * SPIN_CALLS) /* each call stops it twice */
                return false;
        fprintf(stderr, "at_call: killed: %d calls without waiting once\n", SPIN_CALLS);
        return true;
}

/* --- two processes --- */

static int open_places(struct tracer *tracer) {
        const struct plan *plan = tracer->plan;

        tracer->list = plan->list ? fopen(plan->list, "we") : NULL;
        if (tracer->list)
                (void)setvbuf(tracer->list, NULL, _IOLBF, 0);
        /* Open for reading too, so that it can be opened before the program does (fifo(7)). */
        tracer->clock = plan->clock ? open(plan->clock, O_RDWR | O_NONBLOCK | O_CLOEXEC) : -1;
        return (plan->list && !tracer->list) || (plan->clock && tracer->clock < 0) ? -errno : 0;
}

/* Says 0 or the error into the pipe when the program can go on, and follows it to its end. */
static void trace(const struct plan *plan, pid_t pid, int ready) {
        struct tracer tracer = { .plan = plan, .pid = pid };
        int r = open_places(&tracer);

        if (r == 0)
                r = tracee_seize(pid);
        if (write(ready, &r, sizeof(r)) != (ssize_t)sizeof(r) || r < 0)
                return;
        close(ready);
        r = tracee_run_to_start(pid);
        if (r < 0)
                fprintf(stderr, "at_call: the start of the program is not found: %s\n", strerror(-r));
        while (r == 0 && (r = tracee_next(pid)) == 0 && !spins(&tracer))
                on_call(&tracer);
        list_close(&tracer);
        if (r <= 0)
                tracee_kill(pid);
}

/* The tracer is nobody's child: the program finds none that it did not start itself. */
static void start_tracer(const struct plan *plan, pid_t pid, int ready) {
        pid_t middle = fork();

        if (middle > 0)
                (void)waitpid(middle, NULL, 0);
        if (middle != 0)
                return;
        if (fork() == 0)
                trace(plan, pid, ready);
        _exit(0);
}

static int be_traced(const struct plan *plan) {
        int ready[2], r = -ECHILD;

        if (pipe2(ready, O_CLOEXEC) < 0)
                return -errno;
        /* Where Yama lets parents trace their children only (Documentation/admin-guide/LSM/Yama.rst). */
        (void)prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
        start_tracer(plan, getpid(), ready[1]);
        close(ready[1]);
        if (read(ready[0], &r, sizeof(r)) != (ssize_t)sizeof(r))
                r = -ECHILD;
        close(ready[0]);
        return r;
}

int main(int n_arguments, char **arguments) {
        struct plan plan = { .times = 1, .driver = -1 };
        int r = parse_options(&plan, n_arguments, arguments);

        if (r > 0)
                return fputs(help_text, stdout) < 0;
        if (r < 0)
                return EXIT_USAGE;
        r = be_traced(&plan);
        if (r < 0) {
                fprintf(stderr, "at_call: cannot trace: %s\n", strerror(-r));
                return EXIT_CANNOT_TRACE;
        }
        for (size_t i = 0; i < plan.n_environment; i++)
                (void)putenv(plan.environment[i]);
        execvp(arguments[optind], arguments + optind);
        fprintf(stderr, "at_call: %s: %s\n", arguments[optind], strerror(errno));
        return EXIT_NOT_FOUND;
}
