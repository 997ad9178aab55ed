/* Which of two pods of a Job is the newer one; what a Result and a Pod say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <json-c/json.h>
#include <math.h>

#include "publish/attempt.h"
#include "publish/earlier.h"
#include "publish/report.h"

#define UNKNOWN { POD_UNKNOWN, NAN }
#define GONE { POD_GONE, NAN }

static struct json_object *parse(const char *text) {
        struct json_object *object = json_tokener_parse(text);

        assert_non_null(object);
        return object;
}

static struct identity identity_of(const char *job_uid, const char *pod_uid) {
        struct identity identity = { 0 };

        assert_int_equal(identity_set(&identity.job_uid, job_uid), 0);
        assert_int_equal(identity_set(&identity.pod_uid, pod_uid), 0);
        return identity;
}

static enum attempt_met meet(struct attempt *attempt, const char *job_uid, const char *pod_uid, const char *result) {
        struct identity identity = identity_of(job_uid, pod_uid);
        struct json_object *object = parse(result);
        enum attempt_met met = attempt_meet(attempt, &identity, object);

        json_object_put(object);
        identity_release(&identity);
        return met;
}

#define ATTEMPT(job, pod, number) \
        "{\"status\":{\"attempt\":{\"jobUID\":\"" job "\",\"podUID\":\"" pod "\",\"number\":" #number "}}}"

static void test_a_result_of_ours_or_of_nobody(void **state) {
        struct attempt attempt = { 0 };

        (void)state;
        assert_int_equal(meet(&attempt, "j", "p", "{}"), ATTEMPT_OURS);
        assert_int_equal(attempt.number, 1);
        assert_int_equal(meet(&attempt, "j", "p", ATTEMPT("j", "p", 3)), ATTEMPT_OURS);
        assert_int_equal(attempt.number, 3);
        assert_int_equal(meet(&attempt, "j", "p", ATTEMPT("j", "p", 2)), ATTEMPT_OURS);
        assert_int_equal(attempt.number, 3);
        assert_int_equal(meet(&attempt, NULL, NULL, ATTEMPT("j", "q", 4)), ATTEMPT_OURS);
        assert_int_equal(meet(&attempt, "j", "p", "{\"status\":{\"attempt\":[7]}}"), ATTEMPT_OURS);
        attempt_release(&attempt);
}

static void test_a_result_of_another_is_looked_into_once(void **state) {
        struct attempt attempt = { 0 };

        (void)state;
        assert_int_equal(meet(&attempt, "j", "p", ATTEMPT("j", "q", 1)), ATTEMPT_ASK_PODS);
        attempt.theirs.life = POD_GONE;
        attempt.ours.life = POD_ALIVE;
        assert_false(attempt_is_over(&attempt));
        assert_int_equal(attempt.number, 2);
        assert_int_equal(meet(&attempt, "j", "p", ATTEMPT("j", "q", 2)), ATTEMPT_OURS);
        assert_int_equal(attempt.number, 3);
        assert_int_equal(meet(&attempt, "j", "p", ATTEMPT("j", "r", 1)), ATTEMPT_ASK_PODS);
        assert_int_equal(meet(&attempt, "j", "p", ATTEMPT("i", "p", 1)), ATTEMPT_ASK_JOB);
        attempt_release(&attempt);
}

static void test_which_pod_is_the_newer_one(void **state) {
        static const struct {
                struct pod_view theirs, ours;
                int their_number, our_number; /* 0: not known yet */
                bool is_over;
        } cases[] = {
                /* the one that lives reports: our replacement, or the first of several */
                { { POD_ALIVE, 2 }, { POD_ALIVE, 1 }, 1, 0, true },
                { { POD_ALIVE, 1 }, { POD_ALIVE, 2 }, 1, 0, true },
                { { POD_ALIVE, 2 }, { POD_ENDED, 1 }, 1, 0, true },
                { { POD_ALIVE, 2 }, { POD_ENDED, 1 }, 1, 1, true },
                { { POD_ALIVE, NAN }, UNKNOWN, 1, 3, true },
                /* it has ended: the one that was made later counts */
                { { POD_ENDED, 1 }, { POD_ALIVE, 2 }, 1, 0, false },
                { { POD_ENDED, 1 }, { POD_ENDED, 2 }, 1, 0, false }, /* a short life, first heard at its end */
                { { POD_ENDED, 2 }, { POD_ENDED, 1 }, 1, 0, true },  /* a replacement that is done */
                { { POD_ENDED, 1 }, { POD_ALIVE, 2 }, 5, 2, false }, /* etcd was put back */
                { { POD_ENDED, 2 }, { POD_ENDED, 2 }, 1, 0, true },  /* in the same second */
                { { POD_ENDED, 2 }, { POD_ALIVE, 2 }, 1, 0, false },
                { { POD_ENDED, 1 }, UNKNOWN, 1, 0, false },
                { { POD_ENDED, 1 }, UNKNOWN, 2, 1, true },
                /* it is gone */
                { GONE, { POD_ALIVE, 1 }, 1, 0, false },
                { GONE, { POD_ALIVE, 1 }, 5, 1, false },
                { GONE, { POD_ENDED, 1 }, 1, 0, true },
                { GONE, UNKNOWN, 1, 0, false },
                { GONE, UNKNOWN, 2, 1, true },
                { GONE, UNKNOWN, 1, 2, false },
                /* pods may not be read */
                { UNKNOWN, UNKNOWN, 3, 0, false },
                { UNKNOWN, UNKNOWN, 2, 1, true },
                { UNKNOWN, UNKNOWN, 1, 1, false },
                { UNKNOWN, UNKNOWN, 1, 2, false },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct attempt attempt = { .number = cases[i].our_number, .their_number = cases[i].their_number,
                                           .theirs = cases[i].theirs, .ours = cases[i].ours };

                if (attempt_is_over(&attempt) != cases[i].is_over)
                        fail_msg("case %zu", i);
                assert_true(cases[i].is_over || attempt.number > cases[i].their_number);
                attempt_release(&attempt);
        }
}

static void test_which_job_is_there_counts_before_pods(void **state) {
        struct identity identity = identity_of("new", "p");
        struct json_object *new = parse("{\"metadata\":{\"uid\":\"new\"}}"), *old = parse("{\"metadata\":{\"uid\":\"old\"}}");
        struct attempt attempt = { 0 };

        (void)state;
        assert_int_equal(meet(&attempt, "new", "p", ATTEMPT("old", "q", 3)), ATTEMPT_ASK_JOB);
        attempt.theirs.life = POD_ALIVE;
        attempt_take_job(&attempt, &identity, new);
        assert_false(attempt_is_over(&attempt));
        assert_int_equal(attempt.number, 4);
        attempt_take_job(&attempt, &identity, old);
        assert_true(attempt_is_over(&attempt));
        attempt_take_job(&attempt, &identity, NULL);
        assert_false(attempt.job_is_ours || attempt.job_is_theirs);
        json_object_put(new);
        json_object_put(old);
        identity_release(&identity);
        attempt_release(&attempt);
}

static struct pod_view view_of(const char *text, const char *uid) {
        struct json_object *pod = parse(text);
        struct pod_view view = pod_view(pod, uid);

        json_object_put(pod);
        return view;
}

static void test_what_a_pod_says_of_its_life(void **state) {
        (void)state;
        assert_int_equal(view_of("{\"metadata\":{\"uid\":\"u\"},\"status\":{\"phase\":\"Running\"}}", "u").life, POD_ALIVE);
        assert_int_equal(view_of("{\"metadata\":{\"uid\":\"u\"},\"status\":{\"phase\":\"Running\"}}", "v").life, POD_GONE);
        assert_int_equal(view_of("{\"metadata\":{\"uid\":\"u\"},\"status\":{\"phase\":\"Failed\"}}", NULL).life, POD_ENDED);
        assert_int_equal(view_of("{\"metadata\":{\"uid\":\"u\"},\"status\":{\"phase\":\"Succeeded\"}}", "u").life, POD_ENDED);
        assert_int_equal(view_of("{\"metadata\":{\"uid\":\"u\",\"deletionTimestamp\":\"2026-01-02T03:04:05Z\"}}", "u").life,
                         POD_ENDED);
        assert_int_equal(view_of("{}", "u").life, POD_UNKNOWN);
        assert_true(view_of("{\"metadata\":{\"uid\":\"u\",\"creationTimestamp\":\"1970-01-01T00:01:00Z\"}}", "u").created_s == 60);
        assert_true(isnan(view_of("{\"metadata\":{\"uid\":\"u\",\"creationTimestamp\":\"soon\"}}", "u").created_s));
}

#define ENDED(code, why) "{\"terminated\":{\"exitCode\":" #code ",\"reason\":\"" why "\"}}"

static void test_what_a_pod_says_of_its_trainer(void **state) {
        struct json_object *pod = parse(
                "{\"status\":{\"containerStatuses\":["
                "{\"name\":\"experiments-agent\",\"restartCount\":7,\"state\":" ENDED(1, "Error") "},"
                "{\"name\":\"log\",\"restartCount\":1,\"state\":" ENDED(0, "Completed") "},"
                "{\"name\":\"train\",\"restartCount\":2,\"state\":" ENDED(3, "Error") ",\"lastState\":" ENDED(137, "OOMKilled") "}]}}");
        struct json_object *bare = parse("{\"status\":{}}");

        (void)state;
        assert_int_equal(pod_end_now(pod).exit_code, 3);
        assert_int_equal(pod_end_now(pod).restarts, 3);
        assert_int_equal(pod_end_before(pod).exit_code, 137);
        assert_string_equal(pod_end_before(pod).reason, "OOMKilled");
        assert_int_equal(pod_end_now(bare).exit_code, -1);
        assert_int_equal(pod_end_now(bare).restarts, -1);
        json_object_put(pod);
        json_object_put(bare);
}

static const char result[] =
        "{\"status\":{\"axis\":\"epoch\",\"x\":[1,2.5],\"epoch\":2.5,\"step\":20,\"startTime\":\"1970-01-01T00:00:05Z\","
        "\"metrics\":[{\"name\":\"acc\",\"latest\":0.123456789,\"min\":0.1,\"max\":0.2,\"values\":[null,0.1235]},"
        "{\"name\":\"odd\",\"values\":[1]},{\"values\":[1,2]}],"
        "\"objective\":{\"metric\":\"acc\",\"value\":0.123456789,\"epoch\":2.5},\"nonFinite\":{\"acc\":3},"
        "\"checkpoint\":{\"path\":\"/c\",\"epoch\":2},\"outputPath\":\"/o\",\"attempt\":{\"restarts\":4},"
        "\"agent\":{\"accepted\":12,\"rejected\":1,\"lostBytes\":-5}}}";

static void test_a_result_is_read_back(void **state) {
        struct json_object *object = parse(result);
        struct earlier earlier;

        (void)state;
        assert_int_equal(earlier_read(&earlier, object, true), 0);
        assert_int_equal(earlier.history.axis, AXIS_EPOCH);
        assert_int_equal(earlier.history.n_rows, 2);
        assert_true(earlier.history.x[1] == 2.5);
        assert_int_equal(earlier.history.n_columns, 2);
        assert_true(isnan(earlier.history.columns[0].values[0]));
        assert_true(earlier.history.columns[0].values[1] == 0.123456789); /* all digits of the objective */
        assert_int_equal(earlier.history.columns[0].non_finite, 3);
        assert_true(isnan(earlier.history.columns[1].values[0]) && isnan(earlier.history.columns[1].latest));
        assert_string_equal(earlier.history.checkpoint, "/c");
        assert_string_equal(earlier.history.output_path, "/o");
        assert_true(earlier.history.epoch == 2.5 && earlier.history.step == 20);
        assert_true(isnan(earlier.history.total_epochs));
        assert_int_equal(earlier.history.accepted, 12);
        assert_int_equal(earlier.rejected, 1);
        assert_int_equal(earlier.lost_bytes, 0);
        assert_int_equal(earlier.restarts, 4);
        assert_int_equal(earlier.start_us, 5000000);
        earlier_release(&earlier);
        assert_int_equal(earlier_read(&earlier, object, false), 0);
        assert_int_equal(earlier.restarts, -1);
        earlier_release(&earlier);
        json_object_put(object);
}

/* Anybody may have written it, and v1 has no schema. */
static void test_what_is_no_curve_is_left_out(void **state) {
        static const char *const texts[] = {
                "{}", "{\"status\":7}", "{\"status\":{\"x\":[1,2]}}", "{\"status\":{\"x\":[1],\"axis\":\"moon\"}}",
                "{\"status\":{\"x\":[2,1],\"axis\":\"epoch\"}}", "{\"status\":{\"x\":[1,1],\"axis\":\"epoch\"}}",
                "{\"status\":{\"x\":[1,\"2\"],\"axis\":\"epoch\"}}", "{\"status\":{\"x\":{},\"metrics\":{},\"axis\":\"epoch\"}}",
                "{\"status\":{\"values\":{\"step-1\":{\"loss\":1}}}}",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                struct json_object *object = parse(texts[i]);
                struct earlier earlier;

                assert_int_equal(earlier_read(&earlier, object, true), 0);
                assert_int_equal(earlier.history.n_rows, 0);
                assert_int_equal(earlier.history.n_columns, 0);
                earlier_release(&earlier);
                json_object_put(object);
        }
}

static void send(struct report *report, const char *text) {
        buffer_clear(&report->sent);
        assert_int_equal(buffer_append_string(&report->sent, text), 0);
}

static void test_what_the_server_still_knows_is_no_news(void **state) {
        struct report report;

        (void)state;
        report_init(&report);
        send(&report, "{\"status\":1}");
        assert_true(report_is_news(&report));
        assert_true(report_check(&report, "6"));
        report_acknowledge(&report, "7");
        assert_false(report_is_news(&report));
        assert_false(report_check(&report, "7"));
        assert_true(report_check(&report, "5")); /* put back to an earlier time */
        assert_true(report_is_news(&report));
        report_acknowledge(&report, NULL);
        assert_true(report_check(&report, "8"));
        report_refuse(&report);
        assert_false(report_is_news(&report));
        report_release(&report);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_result_of_ours_or_of_nobody),
                cmocka_unit_test(test_a_result_of_another_is_looked_into_once),
                cmocka_unit_test(test_which_pod_is_the_newer_one),
                cmocka_unit_test(test_which_job_is_there_counts_before_pods),
                cmocka_unit_test(test_what_a_pod_says_of_its_life),
                cmocka_unit_test(test_what_a_pod_says_of_its_trainer),
                cmocka_unit_test(test_a_result_is_read_back),
                cmocka_unit_test(test_what_is_no_curve_is_left_out),
                cmocka_unit_test(test_what_the_server_still_knows_is_no_news),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
