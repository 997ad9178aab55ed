/* What a client is told, in both encodings: protobuf is read again by protobuf-c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>

#include <agent.pb-c.h>

#include "base/cleanup.h"
#include "protocol/message.h"

static void assert_line(const struct answer *answer, const char *expected) {
        CLEANUP(buffer_release) struct buffer out = BUFFER_INIT(1 << 16);

        assert_int_equal(answer_put(&out, ENCODING_JSON, answer), 0);
        assert_string_equal(buffer_string(&out), expected);
}

static Experiments__Agent__V1__AgentMessage *read_frame(const struct answer *answer) {
        CLEANUP(buffer_release) struct buffer out = BUFFER_INIT(1 << 16);
        Experiments__Agent__V1__AgentMessage *message;
        const unsigned char *bytes;

        assert_int_equal(buffer_append(&out, "before", 6), 0);
        assert_int_equal(answer_put(&out, ENCODING_PROTOBUF, answer), 0);
        bytes = (const unsigned char *)out.data + 6;
        assert_int_equal((size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3], out.size_bytes - 10);
        message = experiments__agent__v1__agent_message__unpack(NULL, out.size_bytes - 10, bytes + 4);
        assert_non_null(message);
        return message;
}

static void test_welcome(void **state) {
        struct answer answer = { .kind = ANSWER_WELCOME, .number = 9007199254740991 };
        Experiments__Agent__V1__AgentMessage *message;

        (void)state;
        answer.welcome.agent = "1.2";
        answer.welcome.job = "job \"\xc3\xa9\"\n";
        answer.welcome.result = NULL;
        answer.welcome.stop = (struct stop_request){ true, "late", 1e9 };
        assert_line(&answer, "{\"welcome\":{\"version\":1,\"agent\":\"1.2\",\"job\":\"job \\\"\xc3\xa9\\\"\\n\",\"result\":\"\","
                             "\"kept\":9007199254740991,\"limits\":{\"messageBytes\":131072,\"metrics\":1024,\"nameBytes\":1024,"
                             "\"unacknowledgedBytes\":262144},\"stop\":{\"reason\":\"late\",\"deadline\":1000000000}}}\n");
        message = read_frame(&answer);
        assert_int_equal(message->message_case, EXPERIMENTS__AGENT__V1__AGENT_MESSAGE__MESSAGE_WELCOME);
        assert_int_equal(message->welcome->version, 1);
        assert_string_equal(message->welcome->agent, "1.2");
        assert_string_equal(message->welcome->job, "job \"\xc3\xa9\"\n");
        assert_string_equal(message->welcome->result, "");
        assert_int_equal(message->welcome->kept, 9007199254740991);
        assert_int_equal(message->welcome->limits->message_bytes, 131072);
        assert_int_equal(message->welcome->limits->metrics, 1024);
        assert_int_equal(message->welcome->limits->name_bytes, 1024);
        assert_int_equal(message->welcome->limits->unacknowledged_bytes, 262144);
        assert_string_equal(message->welcome->stop->reason, "late");
        assert_true(message->welcome->stop->has_deadline && message->welcome->stop->deadline == 1e9);
        experiments__agent__v1__agent_message__free_unpacked(message, NULL);
}

static void test_a_welcome_with_nothing_kept(void **state) {
        struct answer answer = { .kind = ANSWER_WELCOME };
        Experiments__Agent__V1__AgentMessage *message;

        (void)state;
        answer.welcome.stop = (struct stop_request){ false, "unused", NAN };
        assert_line(&answer, "{\"welcome\":{\"version\":1,\"agent\":\"\",\"job\":\"\",\"result\":\"\",\"limits\":{\"messageBytes\":131072,"
                             "\"metrics\":1024,\"nameBytes\":1024,\"unacknowledgedBytes\":262144}}}\n");
        message = read_frame(&answer);
        assert_false(message->welcome->has_kept);
        assert_null(message->welcome->stop);
        experiments__agent__v1__agent_message__free_unpacked(message, NULL);
}

static void test_kept(void **state) {
        struct answer answer = { .kind = ANSWER_KEPT, .number = 12345678901 };
        Experiments__Agent__V1__AgentMessage *message;

        (void)state;
        assert_line(&answer, "{\"kept\":{\"number\":12345678901}}\n");
        message = read_frame(&answer);
        assert_int_equal(message->message_case, EXPERIMENTS__AGENT__V1__AGENT_MESSAGE__MESSAGE_KEPT);
        assert_int_equal(message->kept->number, 12345678901);
        experiments__agent__v1__agent_message__free_unpacked(message, NULL);
        answer.number = 0;
        assert_line(&answer, "{\"kept\":{\"number\":0}}\n");
}

static void test_stop(void **state) {
        struct answer answer = { .kind = ANSWER_STOP };
        Experiments__Agent__V1__AgentMessage *message;

        (void)state;
        answer.stop = (struct stop_request){ true, NULL, NAN };
        assert_line(&answer, "{\"stop\":{\"reason\":\"\"}}\n");
        message = read_frame(&answer);
        assert_int_equal(message->message_case, EXPERIMENTS__AGENT__V1__AGENT_MESSAGE__MESSAGE_STOP);
        assert_string_equal(message->stop->reason, "");
        assert_false(message->stop->has_deadline);
        experiments__agent__v1__agent_message__free_unpacked(message, NULL);
        answer.stop.deadline_s = 1700000000.123;
        assert_line(&answer, "{\"stop\":{\"reason\":\"\",\"deadline\":1700000000.123}}\n");
}

/* As long as an object of the API may be: it is cut, and what a client hears stays within what may wait for it. */
static void test_a_reason_without_end(void **state) {
        enum { REASON_BYTES = 1000000 };
        CLEANUP(cleanup_free) char *reason = malloc(REASON_BYTES + 2);
        CLEANUP(buffer_release) struct buffer out = BUFFER_INIT(32 * 1024);
        struct answer answer = { .kind = ANSWER_WELCOME };
        Experiments__Agent__V1__AgentMessage *message;

        (void)state;
        assert_non_null(reason);
        reason[0] = 'x';
        for (size_t i = 1; i <= REASON_BYTES; i++)
                reason[i] = i % 2 ? '\xc3' : '\xa9';
        reason[REASON_BYTES + 1] = '\0';
        answer.welcome.stop = (struct stop_request){ true, reason, NAN };
        assert_int_equal(answer_put(&out, ENCODING_JSON, &answer), 0);
        message = read_frame(&answer);
        assert_int_equal(strlen(message->welcome->stop->reason), 1023);
        assert_memory_equal(message->welcome->stop->reason, reason, 1023);
        experiments__agent__v1__agent_message__free_unpacked(message, NULL);
}

static void test_rejected(void **state) {
        struct fault fault;
        struct answer answer = { .kind = ANSWER_REJECTED, .number = 3, .fault = &fault };
        Experiments__Agent__V1__AgentMessage *message;

        (void)state;
        fault_set(&fault, 3, "invalid-value", "report.epoch: expected %s", "0");
        assert_line(&answer, "{\"rejected\":{\"number\":3,\"code\":\"invalid-value\",\"message\":\"report.epoch: expected 0\"}}\n");
        message = read_frame(&answer);
        assert_int_equal(message->message_case, EXPERIMENTS__AGENT__V1__AGENT_MESSAGE__MESSAGE_REJECTED);
        assert_int_equal(message->rejected->number, 3);
        assert_string_equal(message->rejected->code, "invalid-value");
        assert_string_equal(message->rejected->message, "report.epoch: expected 0");
        experiments__agent__v1__agent_message__free_unpacked(message, NULL);
        answer.number = 0;
        assert_line(&answer, "{\"rejected\":{\"code\":\"invalid-value\",\"message\":\"report.epoch: expected 0\"}}\n");
        message = read_frame(&answer);
        assert_false(message->rejected->has_number);
        experiments__agent__v1__agent_message__free_unpacked(message, NULL);
}

/* Whatever is put into a fault, its message is UTF-8 without control characters, and ends. */
static void test_a_fault_is_text(void **state) {
        static const char accent[] = "\xc3\xa9";
        char text[2 * FAULT_BYTES_MAX];
        struct fault fault;

        (void)state;
        for (size_t i = 0; i < sizeof(text); i++)
                text[i] = accent[i % 2];
        text[sizeof(text) - 1] = '\0';
        fault_set(&fault, 0, "malformed", "x%s", text);
        assert_int_equal(strlen(fault.message), FAULT_BYTES_MAX);
        assert_memory_equal(fault.message, "x\xc3\xa9", 3);
        assert_memory_equal(fault.message + FAULT_BYTES_MAX - 2, accent, 2);
        fault_set(&fault, 0, "malformed", "xx%s", text);
        assert_memory_equal(fault.message + FAULT_BYTES_MAX - 3, "\xc3\xa9?", 3);
        fault_set(&fault, 0, "malformed", "%s", "a\xff\n\x1b[2Jb");
        for (const char *at = fault.message; *at; at++)
                assert_true((unsigned char)*at >= ' ');
        assert_null(strchr(fault.message, '\xff'));
}

/* What does not fit is left out as a whole. */
static void test_no_room(void **state) {
        const struct answer answer = { .kind = ANSWER_KEPT, .number = 1 };

        (void)state;
        for (size_t limit = 1; limit < 40; limit++)
                for (int encoding = ENCODING_JSON; encoding <= ENCODING_PROTOBUF; encoding++) {
                        CLEANUP(buffer_release) struct buffer out = BUFFER_INIT(limit);
                        size_t needed = encoding == ENCODING_JSON ? sizeof("{\"kept\":{\"number\":1}}\n") - 1 : 8;

                        assert_int_equal(buffer_append_char(&out, 'x'), 0);
                        assert_int_equal(answer_put(&out, (enum encoding)encoding, &answer), limit > needed ? 0 : -ENOBUFS);
                        assert_int_equal(out.size_bytes, limit > needed ? 1 + needed : 1);
                }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_welcome),
                cmocka_unit_test(test_a_welcome_with_nothing_kept),
                cmocka_unit_test(test_kept),
                cmocka_unit_test(test_stop),
                cmocka_unit_test(test_a_reason_without_end),
                cmocka_unit_test(test_rejected),
                cmocka_unit_test(test_a_fault_is_text),
                cmocka_unit_test(test_no_room),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
