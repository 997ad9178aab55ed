/* What a reply means, where a server is, and when to publish. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "kube/kube.h"
#include "kube/outcome.h"
#include "publish/spacing.h"

static void test_what_a_reply_means(void **state) {
        static const struct {
                int status;
                bool has_retry_after;
                const char *text;
                enum kube_outcome outcome;
        } cases[] = {
                { 200, false, "{\"metadata\":{\"resourceVersion\":\"7\"}}", KUBE_OK },
                { 201, false, "{\"metadata\":{\"resourceVersion\":\"7\"}}", KUBE_OK },
                { 200, false, "", KUBE_SERVER_ERROR },
                { 200, false, "<html>Please log in.</html>", KUBE_SERVER_ERROR },
                { 200, false, "{\"status\":\"ok\"}", KUBE_SERVER_ERROR },
                { 200, false, "{\"metadata\":{\"resourceVersion\":7}}", KUBE_SERVER_ERROR },
                { 200, false, "[{\"metadata\":{\"resourceVersion\":\"7\"}}]", KUBE_SERVER_ERROR },
                { 400, false, "{\"kind\":\"Status\"}", KUBE_INVALID },
                { 401, false, "{\"kind\":\"Status\"}", KUBE_UNAUTHORIZED },
                { 403, false, "{\"kind\":\"Status\"}", KUBE_FORBIDDEN },
                { 404, false, "{\"kind\":\"Status\"}", KUBE_NOT_FOUND },
                { 404, false, "404 page not found", KUBE_NO_SUCH_API },
                { 409, false, "{\"kind\":\"Status\"}", KUBE_CONFLICT },
                { 413, false, "", KUBE_TOO_LARGE },
                { 415, false, "{\"kind\":\"Status\"}", KUBE_INVALID },
                { 422, false, "{\"kind\":\"Status\"}", KUBE_INVALID },
                { 429, true, "{\"kind\":\"Status\"}", KUBE_BUSY },
                { 500, false, "{\"message\":\"etcdserver: request is too large\"}", KUBE_TOO_LARGE },
                { 500, false, "{\"kind\":\"Status\"}", KUBE_SERVER_ERROR },
                { 503, false, "", KUBE_SERVER_ERROR },
                { 503, true, "", KUBE_BUSY },
                { 302, false, "", KUBE_SERVER_ERROR },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct json_object *body = json_tokener_parse(cases[i].text);

                assert_int_equal(kube_outcome_of(cases[i].status, cases[i].has_retry_after, body,
                                                 slice_from(cases[i].text)),
                                 cases[i].outcome);
                json_object_put(body);
        }
}

static void test_retry_after(void **state) {
        (void)state;
        assert_int_equal(kube_parse_retry_after("1", 0), 1000);
        assert_int_equal(kube_parse_retry_after(" 30\r\n", 0), 30000);
        assert_int_equal(kube_parse_retry_after("999999", 0), 3600000);
        assert_int_equal(kube_parse_retry_after("-5", 0), 0);
        assert_int_equal(kube_parse_retry_after("Fri, 02 Jan 2026 03:04:15 GMT", 1767323045), 10000);
        assert_int_equal(kube_parse_retry_after("Fri, 02 Jan 2026 03:04:05 GMT", 1767323145), 0);
        assert_int_equal(kube_parse_retry_after("soon", 0), -1);
}

static void assert_server(const char *host, const char *port, const char *expected) {
        char *server = NULL;

        assert_int_equal(kube_server_from_host(host, port, &server), 0);
        assert_string_equal(server, expected);
        free(server);
}

static void test_where_the_server_is(void **state) {
        char *server = NULL;

        (void)state;
        assert_server("10.96.0.1", "443", "https://10.96.0.1:443");
        assert_server("fd00::1", "443", "https://[fd00::1]:443");
        assert_server("kubernetes.default.svc", "6443", "https://kubernetes.default.svc:6443");
        assert_int_equal(kube_server_from_host("", "443", &server), -EINVAL);
        assert_int_equal(kube_server_from_host("10.96.0.1", NULL, &server), -EINVAL);
}

static void assert_path(char *path, const char *expected) {
        assert_string_equal(path, expected);
        free(path);
}

static void test_paths_are_escaped(void **state) {
        (void)state;
        assert_path(kube_path("ml.intel.com", "v2", "ns", "results", "a", "status", "timeout=5s"),
                    "/apis/ml.intel.com/v2/namespaces/ns/results/a/status?timeout=5s");
        assert_path(kube_path("", "v1", "ns", "pods", "p", NULL, NULL), "/api/v1/namespaces/ns/pods/p");
        assert_path(kube_path("ml.intel.com", "v2", "ns", "results", "../x?y", NULL, NULL),
                    "/apis/ml.intel.com/v2/namespaces/ns/results/..%2Fx%3Fy");
}

static void test_spacing_grows_with_age_within_its_bounds(void **state) {
        const int64_t hour_ms = 3600000;

        (void)state;
        assert_int_equal(spacing_ms(0, SPACING_MIN_MS, SPACING_MAX_MS, 0.5), 5000);
        assert_int_equal(spacing_ms(hour_ms / 2, SPACING_MIN_MS, SPACING_MAX_MS, 0.5), 30000);
        assert_int_equal(spacing_ms(24 * hour_ms, SPACING_MIN_MS, SPACING_MAX_MS, 0.5), 60000);
        assert_int_equal(spacing_ms(0, SPACING_MIN_MS, SPACING_MAX_MS, 0), 3750);
        assert_int_equal(spacing_ms(0, SPACING_MIN_MS, SPACING_MAX_MS, 1), 6250);
}

static void test_backoff_doubles_and_honours_retry_after(void **state) {
        (void)state;
        assert_int_equal(backoff_ms(1, -1, 1), 1000);
        assert_int_equal(backoff_ms(2, -1, 1), 2000);
        assert_int_equal(backoff_ms(3, -1, 0), 2000);
        assert_int_equal(backoff_ms(100, -1, 1), BACKOFF_MAX_MS);
        assert_int_equal(backoff_ms(UINT32_MAX, -1, 0), BACKOFF_MAX_MS / 2);
        assert_int_equal(backoff_ms(1, 30000, 0), 30000);
        assert_int_equal(backoff_ms(1, 30000, 1), 37500);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_a_reply_means),
                cmocka_unit_test(test_retry_after),
                cmocka_unit_test(test_where_the_server_is),
                cmocka_unit_test(test_paths_are_escaped),
                cmocka_unit_test(test_spacing_grows_with_age_within_its_bounds),
                cmocka_unit_test(test_backoff_doubles_and_honours_retry_after),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
