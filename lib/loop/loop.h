/* One thread's event loop over epoll: file descriptors, timers, signals, and the one clock.
 * Callbacks never block and do bounded work. A source may be freed from any callback, its own
 * included: it is called no more, and its memory goes when the dispatch ends. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct loop;
struct loop_fd;
struct loop_timer;

/* events: EPOLLIN and so on, what is ready now. */
typedef void (*loop_fd_callback)(void *userdata, uint32_t events);
typedef void (*loop_timer_callback)(void *userdata);
typedef void (*loop_signal_callback)(void *userdata, int signal_number);

/* 0 or negative errno. Where the environment has EXPERIMENTS_TEST_CLOCK, it names a FIFO: each
 * line "NUMBER" that is written to it sets both clocks forward by so many seconds (a fraction is
 * allowed), so that a test can drive an hour's outage in a second. The wall clock alone jumps with
 * "wall NUMBER", which may be negative. */
int loop_new(struct loop **ret_loop);
struct loop *loop_free(struct loop *loop); /* NULL allowed; returns NULL; frees what is left in it */
void loop_freep(struct loop **loop);

/* Runs until loop_quit(). Returns the argument of that, or negative errno. */
int loop_run(struct loop *loop);
void loop_quit(struct loop *loop, int result);

/* The clock that never goes back, in milliseconds; timers are set by it. */
int64_t loop_now_ms(const struct loop *loop);
/* The wall clock, in microseconds since 1970. */
int64_t loop_wall_us(const struct loop *loop);

/* Watches fd (borrowed: the caller closes it, after loop_fd_free()). */
int loop_fd_new(struct loop_fd **ret_source, struct loop *loop, int fd, uint32_t events,
                loop_fd_callback callback, void *userdata);
int loop_fd_set_events(struct loop_fd *source, uint32_t events);
struct loop_fd *loop_fd_free(struct loop_fd *source); /* NULL allowed; returns NULL */

/* A timer that is not set. */
int loop_timer_new(struct loop_timer **ret_timer, struct loop *loop, loop_timer_callback callback,
                   void *userdata);
/* Calls back once, delay_ms from now (0 or less: at the next turn); replaces what was set. */
void loop_timer_set(struct loop_timer *timer, int64_t delay_ms);
void loop_timer_clear(struct loop_timer *timer);
bool loop_timer_is_set(const struct loop_timer *timer);
/* Milliseconds until it calls back, 0 when due, -1 when not set. */
int64_t loop_timer_left_ms(const struct loop_timer *timer);
struct loop_timer *loop_timer_free(struct loop_timer *timer); /* NULL allowed; returns NULL */

/* Takes the signals of set (blocks them for the process) until the loop is freed; once a loop. */
int loop_take_signals(struct loop *loop, const sigset_t *set, loop_signal_callback callback,
                      void *userdata);

/* How often epoll_wait() has returned: what tests of idleness count. */
uint64_t loop_wakeups(const struct loop *loop);
