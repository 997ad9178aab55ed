#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/number.h"

enum {
        EVENTS_AT_ONCE = 32,
        CLOCK_LINE_BYTES = 64,
        NOT_SET = -1,
};

struct loop_fd {
        struct loop *loop;
        struct loop_fd *next;
        int fd;
        uint32_t events;
        loop_fd_callback callback; /* NULL: freed, memory goes after the dispatch */
        void *userdata;
};

struct loop_timer {
        struct loop *loop;
        struct loop_timer *next;
        int64_t due_ms; /* NOT_SET */
        loop_timer_callback callback; /* NULL: freed */
        void *userdata;
};

struct loop {
        int epoll;
        struct loop_fd *fds;
        struct loop_timer *timers;
        bool dispatching, quitting;
        int result;
        uint64_t wakeups;

        int signals; /* signalfd, -1: none */
        struct loop_fd *signal_source;
        loop_signal_callback signal_callback;
        void *signal_userdata;

        int clock; /* FIFO of the test clock, -1: none */
        struct loop_fd *clock_source;
        char clock_line[CLOCK_LINE_BYTES];
        size_t clock_line_bytes;
        int64_t clock_ahead_ms, wall_ahead_us; /* what tests have set them forward by */
};

/* --- the clocks --- */

static int64_t read_clock_ns(clockid_t clock) {
        struct timespec time;

        clock_gettime(clock, &time);
        return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int64_t loop_now_ms(const struct loop *loop) {
        return read_clock_ns(CLOCK_MONOTONIC) / 1000000 + loop->clock_ahead_ms;
}

int64_t loop_wall_us(const struct loop *loop) {
        return read_clock_ns(CLOCK_REALTIME) / 1000 + loop->wall_ahead_us;
}

/* "NUMBER": both clocks; "wall NUMBER": the wall clock alone. */
static void take_clock_line(struct loop *loop, struct slice line) {
        static const struct slice wall = SLICE("wall ");
        bool is_wall = slice_starts_with(line, wall);
        double seconds;

        if (is_wall)
                line = (struct slice){ line.data + wall.size_bytes, line.size_bytes - wall.size_bytes };
        if (!number_parse(line, &seconds) || !(seconds > -1e9 && seconds < 1e9))
                return;
        loop->wall_ahead_us += (int64_t)(seconds * 1e6);
        if (!is_wall && seconds > 0)
                loop->clock_ahead_ms += (int64_t)(seconds * 1e3);
}

static void on_clock(void *userdata, uint32_t events) {
        struct loop *loop = userdata;
        char c;

        (void)events;
        while (read(loop->clock, &c, 1) == 1) {
                if (c != '\n' && loop->clock_line_bytes < sizeof(loop->clock_line)) {
                        loop->clock_line[loop->clock_line_bytes++] = c;
                        continue;
                }
                take_clock_line(loop, (struct slice){ loop->clock_line, loop->clock_line_bytes });
                loop->clock_line_bytes = 0;
                return; /* a line a turn, so that what it makes due runs before the next */
        }
}

static int open_test_clock(struct loop *loop) {
        const char *path = getenv("EXPERIMENTS_TEST_CLOCK");

        if (!path || !*path)
                return 0;
        /* Open for writing too: the end of one writer is then not the end of the FIFO (fifo(7)). */
        loop->clock = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        if (loop->clock < 0)
                return -errno;
        return loop_fd_new(&loop->clock_source, loop, loop->clock, EPOLLIN, on_clock, loop);
}

/* --- file descriptors --- */

int loop_fd_new(struct loop_fd **ret_source, struct loop *loop, int fd, uint32_t events,
                loop_fd_callback callback, void *userdata) {
        struct loop_fd *source = calloc(1, sizeof(*source));
        struct epoll_event event = { .events = events, .data.ptr = source };

        if (!source)
                return -ENOMEM;
        *source = (struct loop_fd){ .loop = loop, .fd = fd, .events = events, .callback = callback,
                                    .userdata = userdata, .next = loop->fds };
        if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
                int r = -errno;

                free(source);
                return r;
        }
        loop->fds = source;
        *ret_source = source;
        return 0;
}

int loop_fd_set_events(struct loop_fd *source, uint32_t events) {
        struct epoll_event event = { .events = events, .data.ptr = source };

        if (source->events == events)
                return 0;
        if (epoll_ctl(source->loop->epoll, EPOLL_CTL_MOD, source->fd, &event) < 0)
                return -errno;
        source->events = events;
        return 0;
}

/* Takes out of the lists, and frees, what was freed while callbacks could still meet it. */
static void sweep(struct loop *loop) {
        for (struct loop_fd **at = &loop->fds; *at;) {
                struct loop_fd *source = *at;

                if (source->callback) {
                        at = &source->next;
                        continue;
                }
                *at = source->next;
                free(source);
        }
        for (struct loop_timer **at = &loop->timers; *at;) {
                struct loop_timer *timer = *at;

                if (timer->callback) {
                        at = &timer->next;
                        continue;
                }
                *at = timer->next;
                free(timer);
        }
}

struct loop_fd *loop_fd_free(struct loop_fd *source) {
        if (!source)
                return NULL;
        (void)epoll_ctl(source->loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
        source->callback = NULL;
        if (!source->loop->dispatching)
                sweep(source->loop);
        return NULL;
}

/* --- timers: few of them, so a list will do --- */

int loop_timer_new(struct loop_timer **ret_timer, struct loop *loop, loop_timer_callback callback,
                   void *userdata) {
        struct loop_timer *timer = calloc(1, sizeof(*timer));

        if (!timer)
                return -ENOMEM;
        *timer = (struct loop_timer){ .loop = loop, .due_ms = NOT_SET, .callback = callback,
                                      .userdata = userdata, .next = loop->timers };
        loop->timers = timer;
        *ret_timer = timer;
        return 0;
}

void loop_timer_set(struct loop_timer *timer, int64_t delay_ms) {
        timer->due_ms = loop_now_ms(timer->loop) + (delay_ms > 0 ? delay_ms : 0);
}

void loop_timer_clear(struct loop_timer *timer) {
        timer->due_ms = NOT_SET;
}

bool loop_timer_is_set(const struct loop_timer *timer) {
        return timer->due_ms != NOT_SET;
}

int64_t loop_timer_left_ms(const struct loop_timer *timer) {
        int64_t left_ms = timer->due_ms - loop_now_ms(timer->loop);

        if (timer->due_ms == NOT_SET)
                return -1;
        return left_ms > 0 ? left_ms : 0;
}

struct loop_timer *loop_timer_free(struct loop_timer *timer) {
        if (!timer)
                return NULL;
        timer->due_ms = NOT_SET;
        timer->callback = NULL;
        if (!timer->loop->dispatching)
                sweep(timer->loop);
        return NULL;
}

static struct loop_timer *next_timer(struct loop *loop) {
        struct loop_timer *first = NULL;

        for (struct loop_timer *timer = loop->timers; timer; timer = timer->next)
                if (timer->due_ms != NOT_SET && (!first || timer->due_ms < first->due_ms))
                        first = timer;
        return first;
}

/* Those that are due now, earliest first; what they set anew for at once waits for the next turn,
 * so that descriptors are not starved. */
static void run_timers(struct loop *loop) {
        int64_t now_ms = loop_now_ms(loop);
        struct loop_timer *timer;
        size_t n = 0;

        for (timer = loop->timers; timer; timer = timer->next)
                n += timer->due_ms != NOT_SET && timer->due_ms <= now_ms;
        while (n-- > 0 && !loop->quitting && (timer = next_timer(loop)) && timer->due_ms <= now_ms) {
                timer->due_ms = NOT_SET;
                timer->callback(timer->userdata);
        }
}

static int wait_ms(struct loop *loop) {
        struct loop_timer *timer = next_timer(loop);
        int64_t left_ms;

        if (!timer)
                return -1;
        left_ms = loop_timer_left_ms(timer);
        return left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

/* --- signals --- */

static void on_signals(void *userdata, uint32_t events) {
        struct loop *loop = userdata;
        struct signalfd_siginfo info;

        (void)events;
        if (read(loop->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
                loop->signal_callback(loop->signal_userdata, (int)info.ssi_signo);
}

int loop_take_signals(struct loop *loop, const sigset_t *set, loop_signal_callback callback,
                      void *userdata) {
        if (sigprocmask(SIG_BLOCK, set, NULL) < 0)
                return -errno;
        loop->signals = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);
        if (loop->signals < 0)
                return -errno;
        loop->signal_callback = callback;
        loop->signal_userdata = userdata;
        return loop_fd_new(&loop->signal_source, loop, loop->signals, EPOLLIN, on_signals, loop);
}

/* --- the loop as a whole --- */

int loop_new(struct loop **ret_loop) {
        CLEANUP(loop_freep) struct loop *loop = calloc(1, sizeof(*loop));
        int r;

        if (!loop)
                return -ENOMEM;
        loop->signals = loop->clock = -1;
        loop->epoll = epoll_create1(EPOLL_CLOEXEC);
        if (loop->epoll < 0)
                return -errno;
        r = open_test_clock(loop);
        if (r < 0)
                return r;
        *ret_loop = STEAL(loop);
        return 0;
}

struct loop *loop_free(struct loop *loop) {
        if (!loop)
                return NULL;
        for (struct loop_fd *source = loop->fds; source; source = source->next)
                source->callback = NULL;
        for (struct loop_timer *timer = loop->timers; timer; timer = timer->next)
                timer->callback = NULL;
        sweep(loop);
        cleanup_close(&loop->signals);
        cleanup_close(&loop->clock);
        cleanup_close(&loop->epoll);
        free(loop);
        return NULL;
}

void loop_freep(struct loop **loop) {
        *loop = loop_free(*loop);
}

static void dispatch(struct loop *loop, const struct epoll_event *events, int n) {
        loop->dispatching = true;
        for (int i = 0; i < n && !loop->quitting; i++) {
                struct loop_fd *source = events[i].data.ptr;

                if (source->callback)
                        source->callback(source->userdata, events[i].events);
        }
        run_timers(loop);
        loop->dispatching = false;
        sweep(loop);
}

int loop_run(struct loop *loop) {
        struct epoll_event events[EVENTS_AT_ONCE];

        while (!loop->quitting) {
                int n = epoll_wait(loop->epoll, events, EVENTS_AT_ONCE, wait_ms(loop));

                if (n < 0 && errno != EINTR)
                        return -errno;
                loop->wakeups++;
                dispatch(loop, events, n < 0 ? 0 : n);
        }
        loop->quitting = false;
        return loop->result;
}

void loop_quit(struct loop *loop, int result) {
        loop->quitting = true;
        loop->result = result;
}

uint64_t loop_wakeups(const struct loop *loop) {
        return loop->wakeups;
}
