/* Timers in order, sources that are freed in callbacks, signals, and sleep when nothing is due. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop/loop.h"

struct scene {
        struct loop *loop;
        struct loop_timer *timers[3];
        struct loop_fd *sources[2];
        char order[16];
        int n;
};

static void say(struct scene *scene, char what) {
        scene->order[scene->n++] = what;
}

static int set_up(void **state) {
        static struct scene scene;

        scene = (struct scene){ 0 };
        *state = &scene;
        return loop_new(&scene.loop);
}

static int tear_down(void **state) {
        struct scene *scene = *state;

        loop_free(scene->loop);
        return 0;
}

static void on_a(void *userdata) { say(userdata, 'a'); }
static void on_b(void *userdata) { say(userdata, 'b'); }

static void on_last(void *userdata) {
        struct scene *scene = userdata;

        say(scene, 'z');
        loop_quit(scene->loop, 7);
}

static void test_timers_come_in_order_and_a_cleared_one_never(void **state) {
        struct scene *scene = *state;

        assert_int_equal(loop_timer_new(&scene->timers[0], scene->loop, on_b, scene), 0);
        assert_int_equal(loop_timer_new(&scene->timers[1], scene->loop, on_a, scene), 0);
        assert_int_equal(loop_timer_new(&scene->timers[2], scene->loop, on_last, scene), 0);
        assert_int_equal(loop_timer_left_ms(scene->timers[0]), -1);
        loop_timer_set(scene->timers[0], 20);
        loop_timer_set(scene->timers[1], 10);
        loop_timer_set(scene->timers[2], 30);
        loop_timer_clear(scene->timers[0]);
        assert_false(loop_timer_is_set(scene->timers[0]));
        assert_int_equal(loop_run(scene->loop), 7);
        assert_string_equal(scene->order, "az");
}

static void on_free_both(void *userdata, uint32_t events) {
        struct scene *scene = userdata;

        (void)events;
        say(scene, 'f');
        scene->sources[0] = loop_fd_free(scene->sources[0]);
        scene->sources[1] = loop_fd_free(scene->sources[1]);
        loop_timer_set(scene->timers[2], 0);
}

static void test_a_source_that_is_freed_in_a_callback_is_called_no_more(void **state) {
        struct scene *scene = *state;
        int ends[2];

        assert_int_equal(pipe(ends), 0);
        assert_int_equal(write(ends[1], "x", 1), 1);
        assert_int_equal(loop_timer_new(&scene->timers[2], scene->loop, on_last, scene), 0);
        /* Both are ready at once: whichever comes first frees the other and itself. */
        assert_int_equal(loop_fd_new(&scene->sources[0], scene->loop, ends[0], EPOLLIN, on_free_both, scene), 0);
        assert_int_equal(loop_fd_new(&scene->sources[1], scene->loop, ends[1], EPOLLOUT, on_free_both, scene), 0);
        assert_int_equal(loop_run(scene->loop), 7);
        assert_string_equal(scene->order, "fz");
        close(ends[0]);
        close(ends[1]);
}

static void on_signal(void *userdata, int signal_number) {
        struct scene *scene = userdata;

        say(scene, signal_number == SIGUSR1 ? 'u' : '?');
        loop_quit(scene->loop, 0);
}

static void test_a_signal_is_one_callback(void **state) {
        struct scene *scene = *state;
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        assert_int_equal(loop_take_signals(scene->loop, &set, on_signal, scene), 0);
        assert_int_equal(raise(SIGUSR1), 0);
        assert_int_equal(loop_run(scene->loop), 0);
        assert_string_equal(scene->order, "u");
}

static void test_it_wakes_only_when_something_is_due(void **state) {
        struct scene *scene = *state;

        assert_int_equal(loop_timer_new(&scene->timers[2], scene->loop, on_last, scene), 0);
        loop_timer_set(scene->timers[2], 50);
        assert_int_equal(loop_run(scene->loop), 7);
        assert_in_range(loop_wakeups(scene->loop), 1, 2); /* 2: epoll's clock and ours may round apart */
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_timers_come_in_order_and_a_cleared_one_never, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_a_source_that_is_freed_in_a_callback_is_called_no_more, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_a_signal_is_one_callback, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_it_wakes_only_when_something_is_due, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
