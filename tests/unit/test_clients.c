/* Who is remembered of the socket's clients, and who is forgotten for whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <errno.h>

#include "protocol/clients.h"

static struct client *get(struct clients *clients, const char *id) {
        struct client *client = NULL;

        assert_int_equal(clients_get(clients, slice_from(id), &client), 0);
        assert_string_equal(client->id, id);
        return client;
}

static struct client *get_nth(struct clients *clients, int n) {
        char id[32];

        (void)snprintf(id, sizeof(id), "client%d", n);
        return get(clients, id);
}

static bool is_known(const struct clients *clients, const char *id) {
        for (size_t i = 0; i < clients_count(clients); i++)
                if (strcmp(clients_at(clients, i)->id, id) == 0)
                        return true;
        return false;
}

/* So many as are remembered, heard one after the other, and gone. */
static struct clients *fill(void) {
        struct clients *clients;

        assert_int_equal(clients_new(&clients), 0);
        for (int i = 0; i < CLIENTS_MAX; i++) {
                struct client *client = get_nth(clients, i);

                client->last = 7;
                client->seen_us = 1000 + i;
        }
        assert_int_equal(clients_count(clients), CLIENTS_MAX);
        return clients;
}

static void test_the_same_id_is_the_same_client(void **state) {
        struct clients *clients;
        struct client *first, *second;

        (void)state;
        assert_int_equal(clients_new(&clients), 0);
        first = get(clients, "a");
        second = get(clients, "aa");
        first->last = 3;
        second->last = 5;
        clients_mark_kept(clients);
        second->last = 6;
        for (int i = 0; i < 100; i++)
                (void)get_nth(clients, i);
        assert_ptr_equal(get(clients, "a"), first);
        assert_int_equal(first->kept, 3);
        assert_int_equal(second->kept, 5);
        assert_int_equal(clients_count(clients), 102);
        clients_free(clients);
}

static void test_an_id_that_is_none(void **state) {
        static const char long_id[] = "01234567890123456789012345678901234567890123456789012345678901234";
        struct clients *clients;
        struct client *client;

        (void)state;
        assert_int_equal(clients_new(&clients), 0);
        assert_int_equal(clients_get(clients, SLICE(""), &client), -EINVAL);
        assert_int_equal(clients_get(clients, SLICE(long_id), &client), -EINVAL);
        assert_int_equal(clients_get(clients, (struct slice){ long_id, 64 }, &client), 0);
        assert_int_equal(clients_count(clients), 1);
        clients_free(clients);
}

static void test_who_was_gone_the_longest_is_forgotten(void **state) {
        struct clients *clients = fill();

        (void)state;
        get(clients, "client0")->seen_us = 5000; /* heard again */
        get(clients, "client1")->connection = clients;
        get(clients, "new")->last = 1;
        get(clients, "new")->seen_us = 6000;
        assert_int_equal(clients_count(clients), CLIENTS_MAX);
        assert_false(is_known(clients, "client2"));
        (void)get(clients, "newer");
        assert_false(is_known(clients, "client3"));
        assert_true(is_known(clients, "client0") && is_known(clients, "client1") && is_known(clients, "new"));
        clients_free(clients);
}

/* One that says hello and nothing else does not cost others what is remembered of them: of two it costs one, since
 * the next takes its place. */
static void test_who_said_nothing_is_forgotten_first(void **state) {
        struct clients *clients = fill();

        (void)state;
        for (int i = 0; i < 1000; i++) {
                char id[32];

                (void)snprintf(id, sizeof(id), "idle%d", i);
                get(clients, id)->seen_us = 1000000 + i;
        }
        assert_false(is_known(clients, "client0"));
        assert_false(is_known(clients, "idle998"));
        assert_true(is_known(clients, "client1"));
        assert_true(is_known(clients, "idle999"));
        clients_free(clients);
}

static void test_who_is_connected_is_never_forgotten(void **state) {
        struct clients *clients = fill();
        struct client *client;

        (void)state;
        for (int i = 0; i < CLIENTS_MAX; i++)
                get_nth(clients, i)->connection = clients;
        assert_int_equal(clients_get(clients, SLICE("new"), &client), -ENOBUFS);
        assert_int_equal(clients_count(clients), CLIENTS_MAX);
        get(clients, "client9")->connection = NULL;
        assert_int_equal(clients_get(clients, SLICE("new"), &client), 0);
        assert_false(is_known(clients, "client9"));
        assert_int_equal(client->last, 0);
        assert_null(client->connection);
        clients_free(clients);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_same_id_is_the_same_client),
                cmocka_unit_test(test_an_id_that_is_none),
                cmocka_unit_test(test_who_was_gone_the_longest_is_forgotten),
                cmocka_unit_test(test_who_said_nothing_is_forgotten_first),
                cmocka_unit_test(test_who_is_connected_is_never_forgotten),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
