#include "source/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "source/relay.h"

enum { N_OUTPUTS = 2 };

/* Passed on. SIGTTIN and SIGTTOU stop us and it alike: the kernel sends them to the whole process group. */
static const int forwarded[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT };

struct child {
        struct loop *loop;
        struct child_config config;
        struct relay *outputs[N_OUTPUTS]; /* NULL: none of its own */
        int signals;                      /* signalfd, -1: none */
        struct loop_fd *signals_source;
        pid_t pid;                        /* 0: does not run */
        int exit_status;                  /* once it has ended */
        size_t n_left;                    /* outputs that are not done yet, once it has ended */
        bool is_told;

        /* As we were started, and as it is to be. */
        sigset_t mask;
        struct sigaction pipe_action, size_action, child_action;
        struct rlimit files;
};

/* --- its end --- */

static void tell_end(struct child *child) {
        if (child->n_left > 0 || child->is_told)
                return;
        child->is_told = true;
        child->config.ended(child->config.userdata, child->exit_status);
}

static void output_done(void *userdata) {
        struct child *child = userdata;

        child->n_left--;
        tell_end(child);
}

static void take_end(struct child *child, const siginfo_t *info) {
        child->pid = 0;
        child->exit_status = info->si_code == CLD_EXITED ? info->si_status : CHILD_EXIT_SIGNAL + info->si_status;
        for (size_t i = 0; i < N_OUTPUTS; i++)
                child->n_left += child->outputs[i] != NULL;
        for (size_t i = 0; i < N_OUTPUTS; i++)
                if (child->outputs[i])
                        relay_finish(child->outputs[i]);
        tell_end(child);
}

/* As process 1 of a container we are given the children of processes that ended before them. */
static void reap_as_init(const struct child *child) {
        siginfo_t info = { 0 };

        if (getpid() != 1)
                return;
        while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid > 0 && info.si_pid != child->pid) {
                (void)waitpid(info.si_pid, NULL, WNOHANG);
                info.si_pid = 0;
        }
}

/* The shell that waits for us learns that its job was stopped. Not when it was told to go on meanwhile: to stop would
 * take that away (signal(7)). */
static void stop_too(void) {
        sigset_t stop, pending;

        if (sigpending(&pending) == 0 && sigismember(&pending, SIGCONT) == 1)
                return;
        sigemptyset(&stop);
        sigaddset(&stop, SIGTSTP);
        (void)raise(SIGTSTP);
        (void)sigprocmask(SIG_UNBLOCK, &stop, NULL);
        (void)sigprocmask(SIG_BLOCK, &stop, NULL);
}

static void look_at_child(struct child *child) {
        siginfo_t info = { 0 };

        while (child->pid > 0 && waitid(P_PID, (id_t)child->pid, &info, WEXITED | WSTOPPED | WNOHANG) == 0 && info.si_pid > 0) {
                if (info.si_code != CLD_STOPPED)
                        take_end(child, &info);
                else if (info.si_status == SIGTSTP)
                        stop_too();
                info.si_pid = 0;
        }
        reap_as_init(child);
}

/* --- signals --- */

void child_signal(struct child *child, int signal_number) {
        if (child->pid > 0)
                (void)kill(child->pid, signal_number);
}

/* It gets the signal of the terminal itself as one of its foreground group; but what it found then was the old size. */
static void resize(struct child *child) {
        for (size_t i = 0; i < N_OUTPUTS; i++)
                if (child->outputs[i])
                        relay_resize(child->outputs[i]);
        child_signal(child, SIGWINCH);
}

static bool is_to_end(int number) {
        return number == SIGTERM || number == SIGINT || number == SIGHUP || number == SIGQUIT;
}

/* As nohup(1) has it, and sh for what it runs in the background: signals that we take are kept for us all the same
 * (signal(7)), and may be for a child that has set its own handler. To us they say nothing. */
static bool is_ignored(int number) {
        struct sigaction action;

        return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* It has ended, and our output does not take what it wrote. */
static void abandon(struct child *child) {
        for (size_t i = 0; i < N_OUTPUTS; i++)
                if (child->outputs[i])
                        relay_abandon(child->outputs[i]);
}

/* A terminal that hangs up tells the leader of its session alone (Linux, tty_jobctrl.c, tty_signal_session_leader): others
 * learn it when the leader ends. */
static bool is_hangup_of_leader(int number) {
        return (number == SIGHUP || number == SIGCONT) && getsid(0) == getpid();
}

/* What else the terminal sends (SI_KERNEL) goes to its whole foreground group: to us and to it alike. Where it has made a
 * group of its own, as timeout(1) does, that one would be the terminal's without us. */
static void pass_signal_on(struct child *child, const struct signalfd_siginfo *info) {
        int number = (int)info->ssi_signo;
        pid_t group = child->pid > 0 ? getpgid(child->pid) : 0;

        if (info->ssi_code != SI_KERNEL || is_hangup_of_leader(number))
                child_signal(child, number);
        else if (group > 0 && group != getpgrp())
                (void)killpg(group, number);
}

static void take_signal(struct child *child, const struct signalfd_siginfo *info) {
        int number = (int)info->ssi_signo;
        bool was_running = child->pid > 0;

        look_at_child(child); /* signals come by their numbers, not in their order */
        if (number == SIGCHLD || (was_running && child->pid == 0)) /* then this is what ended it, most likely */
                return;
        if (child->pid == 0 && !child->is_told && is_to_end(number) && !is_ignored(number))
                abandon(child);
        else if (number == SIGWINCH)
                resize(child);
        else
                pass_signal_on(child, info);
        if (!is_ignored(number))
                child->config.signalled(child->config.userdata, number);
}

static void on_signals(void *userdata, uint32_t events) {
        struct child *child = userdata;
        struct signalfd_siginfo info;

        (void)events;
        if (read(child->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
                take_signal(child, &info);
}

static int take_signals(struct child *child) {
        sigset_t set;
        struct sigaction action = { .sa_handler = SIG_DFL };

        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
                sigaddset(&set, forwarded[i]);
        /* Where it is ignored, children leave no exit status behind (sigaction(2)). */
        if (sigaction(SIGCHLD, &action, &child->child_action) < 0 || sigaction(SIGPIPE, NULL, &child->pipe_action) < 0 ||
            sigaction(SIGXFSZ, NULL, &child->size_action) < 0 || sigprocmask(SIG_BLOCK, &set, &child->mask) < 0)
                return -errno;
        child->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
        if (child->signals < 0)
                return -errno;
        return loop_fd_new(&child->signals_source, child->loop, child->signals, EPOLLIN, on_signals, child);
}

/* --- starting --- */

void child_hold_descriptors(void) {
        int fd;

        do
                fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        while (fd >= 0 && fd <= STDERR_FILENO);
        cleanup_close(&fd);
}

static bool is_held(int fd) {
        return (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}

static bool is_same(int a, int b) {
        struct stat of_a, of_b;

        return fstat(a, &of_a) == 0 && fstat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

/* Better not read than not passed on, or not as before. */
static void make_output(struct child *child, int fd, int *ret_fd) {
        struct relay_config config = { .name = fd == STDOUT_FILENO ? "stdout" : "stderr", .fd = fd,
                                       .filters = child->config.filters, .sink = child->config.sink,
                                       .done = output_done, .userdata = child };
        int r = is_held(fd) ? 0 : relay_new(&child->outputs[fd - STDOUT_FILENO], child->loop, &config, ret_fd);

        if (r < 0)
                log_warning("%s: %s: it is not read; the command writes to it itself", config.name, strerror(-r));
}

static void restore(const struct child *child) {
        (void)sigaction(SIGPIPE, &child->pipe_action, NULL);
        (void)sigaction(SIGXFSZ, &child->size_action, NULL);
        (void)sigaction(SIGCHLD, &child->child_action, NULL);
        (void)setrlimit(RLIMIT_NOFILE, &child->files);
        (void)sigprocmask(SIG_SETMASK, &child->mask, NULL);
}

_Noreturn static void become_command(const struct child *child, const int outputs[N_OUTPUTS], int report) {
        int error;

        for (int i = 0; i < N_OUTPUTS; i++)
                if (outputs[i] >= 0 && dup2(outputs[i], STDOUT_FILENO + i) < 0)
                        _exit(CHILD_EXIT_NOT_EXECUTABLE);
        restore(child);
        (void)execvp(child->config.command[0], child->config.command);
        error = errno;
        (void)!write(report, &error, sizeof(error));
        _exit(CHILD_EXIT_NOT_EXECUTABLE);
}

/* The errno of a failed exec; 0 when it runs: then the other end was closed by it. */
static int wait_for_exec(int report) {
        int error = 0;
        ssize_t n;

        do
                n = read(report, &error, sizeof(error));
        while (n < 0 && errno == EINTR);
        return n == (ssize_t)sizeof(error) ? error : 0;
}

static int cannot_run(struct child *child, int error) {
        (void)waitpid(child->pid, NULL, 0);
        child->pid = 0;
        log_error("%s: %s", child->config.command[0], strerror(error));
        return error == ENOENT ? CHILD_EXIT_NOT_FOUND : CHILD_EXIT_NOT_EXECUTABLE;
}

/* Whoever writes to it learns when the command closes it. */
static void let_go_of_input(void) {
        CLEANUP(cleanup_close) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

        if (null >= 0)
                (void)dup3(null, STDIN_FILENO, O_CLOEXEC);
}

static int run(struct child *child, const int outputs[N_OUTPUTS]) {
        int fds[2], error;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        child->pid = fork();
        if (child->pid == 0)
                become_command(child, outputs, fds[1]);
        error = child->pid < 0 ? errno : 0;
        (void)close(fds[1]);
        if (child->pid > 0)
                error = wait_for_exec(fds[0]);
        (void)close(fds[0]);
        if (child->pid > 0)
                return error == 0 ? 0 : cannot_run(child, error);
        child->pid = 0;
        return -error;
}

int child_start(struct child *child) {
        int outputs[N_OUTPUTS] = { -1, -1 }, r;

        make_output(child, STDOUT_FILENO, &outputs[0]);
        /* What goes to one place keeps its order: a terminal, or a log with 2>&1. */
        if (outputs[0] >= 0 && !is_held(STDERR_FILENO) && is_same(STDOUT_FILENO, STDERR_FILENO))
                outputs[1] = fcntl(outputs[0], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        else
                make_output(child, STDERR_FILENO, &outputs[1]);
        r = run(child, outputs);
        if (r == 0)
                let_go_of_input();
        cleanup_close(&outputs[0]);
        cleanup_close(&outputs[1]);
        return r;
}

/* --- the child as a whole --- */

int child_new(struct child **ret_child, struct loop *loop, const struct child_config *config) {
        struct child *child = calloc(1, sizeof(*child));
        int r;

        if (!child)
                return -ENOMEM;
        child->loop = loop;
        child->config = *config;
        child->signals = -1;
        r = getrlimit(RLIMIT_NOFILE, &child->files) < 0 ? -errno : take_signals(child);
        if (r < 0) {
                child_free(child);
                return r;
        }
        *ret_child = child;
        return 0;
}

bool child_has_output(const struct child *child) {
        for (size_t i = 0; i < N_OUTPUTS; i++)
                if (child->outputs[i] && relay_has_output(child->outputs[i]))
                        return true;
        return false;
}

struct child *child_free(struct child *child) {
        if (!child)
                return NULL;
        for (size_t i = 0; i < N_OUTPUTS; i++)
                relay_free(child->outputs[i]);
        loop_fd_free(child->signals_source);
        cleanup_close(&child->signals);
        free(child);
        return NULL;
}
