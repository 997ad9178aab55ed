/* One client's conversation as a state machine: hello, numbers, what is kept, framing, limits. */
#include "talk.h"

#define WELCOME(kept)                                                                                        \
        "{\"welcome\":{\"version\":1,\"agent\":\"1.2.3\",\"job\":\"job\",\"result\":\"default/job\"," kept         \
        "\"limits\":{\"messageBytes\":131072,\"metrics\":1024,\"nameBytes\":1024,\"unacknowledgedBytes\":262144}}}\n"
#define KEPT(number) "{\"kept\":{\"number\":" #number "}}\n"
#define HELLO_A "{\"hello\":{\"client\":\"a\",\"pid\":7}}\n"
#define REPORT_N(number) "{\"report\":{\"number\":" #number ",\"epoch\":" #number "}}\n"
#define REJECTED(number, code, message) "{\"rejected\":{\"number\":" #number ",\"code\":\"" code "\",\"message\":\"" message "\"}}\n"
#define REJECTED_NO(code, message) "{\"rejected\":{\"code\":\"" code "\",\"message\":\"" message "\"}}\n"

static void say(struct conversation *conversation, const char *text) {
        assert_int_equal(talk_push(conversation, slice_from(text), 0), CONVERSATION_GOES_ON);
}

static void assert_answers(struct conversation *conversation, const char *expected) {
        CLEANUP(buffer_release) struct buffer answers = BUFFER_INIT(1 << 20);

        talk_read(conversation, &answers);
        assert_string_equal(buffer_string(&answers), expected);
}

static void assert_said_by_now(struct talk *talk, const char *expected) {
        assert_string_equal(buffer_string(&talk->said), expected);
        buffer_clear(&talk->said);
}

/* One client that says all that at once, hears nothing meanwhile, then that it is kept. */
static void check_talk(const char *text, const char *said, const char *answers) {
        CLEANUP(talk_release) struct talk talk;
        struct conversation *conversation;

        talk_start(&talk);
        talk_connect(&talk, &conversation);
        say(conversation, text);
        talk_keep(&talk, conversation);
        assert_said_by_now(&talk, said);
        assert_answers(conversation, answers);
        conversation_free(conversation);
}

/* --- hello --- */

static void test_without_hello(void **state) {
        (void)state;
        check_talk("{\"report\":{\"epoch\":1,\"metrics\":{\"loss\":0.5}}}\n{\"epoch\":2,\"loss\":0.25}\n",
                   "1: EPOCH=1 loss=0.5\n2: EPOCH=2 loss=0.25\n", "");
        check_talk(REPORT_N(1), "reject 1: expected a hello, which was accepted, before it\n",
                   REJECTED(1, "hello-expected", "number: expected a hello, which was accepted, before it"));
        check_talk("{\"ping\":{}}\n{\"ping\":{}}\n", "", KEPT(0));
        check_talk("{\"end\":{\"exitStatus\":3,\"message\":\"why\"}}\n", "end 3 why\n", "");
        check_talk("{\"parameters\":{\"values\":{\"lr\":0.5}}}\n", "parameters lr=0.5\n", "");
}

static void test_hello_and_kept(void **state) {
        (void)state;
        check_talk(HELLO_A, "", WELCOME());
        check_talk(HELLO_A REPORT_N(1) REPORT_N(2), "2: EPOCH=1\n3: EPOCH=2\n", WELCOME() KEPT(2));
        check_talk("{\"report\":{\"epoch\":1}}\n" HELLO_A REPORT_N(1), "1: EPOCH=1\n3: EPOCH=1\n", WELCOME() KEPT(1));
        check_talk(HELLO_A "{\"hello\":{\"client\":\"b\"}}\n" REPORT_N(1),
                   "reject 2: expected once a connection; the first one stays\n3: EPOCH=1\n",
                   WELCOME() REJECTED_NO("hello-repeated", "hello: expected once a connection; the first one stays") KEPT(1));
}

static void test_hello_that_is_not_accepted(void **state) {
        (void)state;
        check_talk("{\"hello\":{\"client\":\"a\",\"version\":2}}\n" REPORT_N(1) HELLO_A REPORT_N(1),
                   "reject 1: expected 1, the version that this agent speaks, not 2\n"
                   "reject 2: expected a hello, which was accepted, before it\n4: EPOCH=1\n",
                   REJECTED_NO("version-not-spoken", "hello.version: expected 1, the version that this agent speaks, not 2")
                   REJECTED(1, "hello-expected", "number: expected a hello, which was accepted, before it") WELCOME() KEPT(1));
        check_talk("{\"hello\":{\"client\":\"a b\"}}\n" HELLO_A, "reject 1: expected 1 to 64 of A-Z a-z 0-9 . _ -\n",
                   REJECTED_NO("invalid-client-id", "hello.client: expected 1 to 64 of A-Z a-z 0-9 . _ -") WELCOME());
}

/* --- numbers --- */

static void test_numbers_rise(void **state) {
        (void)state;
        check_talk(HELLO_A REPORT_N(2) REPORT_N(2) REPORT_N(1) REPORT_N(5),
                   "2: EPOCH=2\ndropped 1\nreject 3: expected more than 2, the one before it\n"
                   "reject 4: expected more than 2, the one before it\n5: EPOCH=5\ndropped 2\n",
                   WELCOME() REJECTED(2, "number-not-rising", "number: expected more than 2, the one before it")
                   REJECTED(1, "number-not-rising", "number: expected more than 2, the one before it") KEPT(5));
}

/* What is rejected is dealt with, whatever is wrong with it. */
static void test_rejected_is_dealt_with(void **state) {
        (void)state;
        check_talk(HELLO_A "{\"report\":{\"number\":1}}\n{\"report\":{\"epoch\":-1,\"number\":2}}\n" REPORT_N(2) REPORT_N(3),
                   "reject 2: expected something besides number and time\nreject 3: expected a finite number, 0 or more\n"
                   "reject 4: expected more than 2, the one before it\n5: EPOCH=3\n",
                   WELCOME() REJECTED(1, "nothing-reported", "report: expected something besides number and time")
                   REJECTED(2, "invalid-value", "report.epoch: expected a finite number, 0 or more")
                   REJECTED(2, "number-not-rising", "number: expected more than 2, the one before it") KEPT(3));
        /* A number that is wrong twice is told once. */
        check_talk(HELLO_A REPORT_N(1) "{\"report\":{\"number\":1,\"epoch\":-1}}\n",
                   "2: EPOCH=1\nreject 3: expected more than 1, the one before it\n",
                   WELCOME() REJECTED(1, "number-not-rising", "number: expected more than 1, the one before it") KEPT(1));
}

/* Sent again on a new connection: each counts once, what was rejected is not rejected again. */
static void test_once(void **state) {
        CLEANUP(talk_release) struct talk talk;
        struct conversation *first, *second;

        (void)state;
        talk_start(&talk);
        talk_connect(&talk, &first);
        say(first, HELLO_A REPORT_N(1) "{\"report\":{\"number\":2}}\n" REPORT_N(3));
        talk_keep(&talk, first);
        say(first, REPORT_N(4));
        conversation_free(first);
        buffer_clear(&talk.said);

        talk_connect(&talk, &second);
        say(second, HELLO_A REPORT_N(1) "{\"report\":{\"number\":2}}\n" REPORT_N(3) REPORT_N(4) REPORT_N(5));
        assert_said_by_now(&talk, "6: EPOCH=5\n");
        assert_answers(second, WELCOME("\"kept\":3,"));
        talk_keep(&talk, second);
        assert_answers(second, KEPT(5));
        conversation_free(second);
}

/* kept tells what survives, not what was taken, and each once. */
static void test_kept_is_what_was_kept(void **state) {
        CLEANUP(talk_release) struct talk talk;
        struct conversation *conversation;

        (void)state;
        talk_start(&talk);
        talk_connect(&talk, &conversation);
        say(conversation, HELLO_A REPORT_N(1));
        assert_answers(conversation, WELCOME());
        talk_keep(&talk, conversation);
        assert_true(conversation_unkept_bytes(conversation) == 0);
        say(conversation, REPORT_N(2));
        assert_true(conversation_unkept_bytes(conversation) >= sizeof(REPORT_N(2)) - 1);
        assert_answers(conversation, KEPT(1));
        say(conversation, "{\"ping\":{}}\n");
        assert_answers(conversation, "");
        talk_keep(&talk, conversation);
        assert_answers(conversation, KEPT(2));
        talk_keep(&talk, conversation);
        assert_answers(conversation, "");
        conversation_free(conversation);
}

static void test_wishes(void **state) {
        (void)state;
        check_talk("{\"hello\":{\"client\":\"a\",\"wishes\":{\"noKept\":true}}}\n" REPORT_N(1), "2: EPOCH=1\n", WELCOME());
        check_talk("{\"hello\":{\"client\":\"a\",\"wishes\":{\"noKept\":true}}}\n" REPORT_N(1) "{\"ping\":{}}\n", "2: EPOCH=1\n",
                   WELCOME() KEPT(1));
}

/* What could not be taken is not dealt with: it comes again on another connection, and counts then. */
static void test_a_failure_is_not_dealt_with(void **state) {
        static const char parameters[] = HELLO_A REPORT_N(2) "{\"parameters\":{\"number\":4,\"values\":{\"a\":1}}}\n";
        CLEANUP(talk_release) struct talk talk;
        struct conversation *conversation;

        (void)state;
        talk_start(&talk);
        talk_connect(&talk, &conversation);
        talk.parameters_result = -ENOMEM;
        assert_int_equal(talk_push(conversation, slice_from(parameters), 0), -ENOMEM);
        assert_said_by_now(&talk, "2: EPOCH=2\ndropped 1\n");
        conversation_free(conversation);
        talk.parameters_result = 0;
        talk_connect(&talk, &conversation);
        say(conversation, parameters);
        assert_said_by_now(&talk, "parameters a=1\ndropped 1\n");
        conversation_free(conversation);
}

static void test_parameters_that_are_too_long(void **state) {
        CLEANUP(talk_release) struct talk talk;
        struct conversation *conversation;

        (void)state;
        talk_start(&talk);
        talk_connect(&talk, &conversation);
        talk.parameters_result = -E2BIG;
        say(conversation, HELLO_A "{\"parameters\":{\"number\":1,\"values\":{\"a\":1}}}\n");
        talk_keep(&talk, conversation);
        assert_said_by_now(&talk, "reject 2: expected fewer; all of the run's together are too long to be published\n");
        assert_answers(conversation,
                       WELCOME() REJECTED(1, "parameters-too-long",
                                          "parameters.values: expected fewer; all of the run's together are too long to be published")
                       KEPT(1));
        conversation_free(conversation);
}

/* --- two with one id --- */

static void test_an_id_is_taken_over_by_its_process(void **state) {
        CLEANUP(talk_release) struct talk talk;
        struct conversation *first, *second, *third;

        (void)state;
        talk_start(&talk);
        talk_connect(&talk, &first);
        talk_connect(&talk, &second);
        talk_connect(&talk, &third);
        say(first, HELLO_A REPORT_N(1));
        assert_answers(first, WELCOME());
        buffer_clear(&talk.said);
        say(second, "{\"hello\":{\"client\":\"a\",\"pid\":8}}\n{\"hello\":{\"client\":\"a\"}}\n" REPORT_N(2));
        assert_answers(second, REJECTED_NO("client-id-taken", "hello.client: expected an id of its own; another process is connected "
                                                              "with this one")
                                   REJECTED_NO("client-id-taken", "hello.client: expected an id of its own; another process is "
                                                                  "connected with this one")
                                           REJECTED(2, "hello-expected", "number: expected a hello, which was accepted, before it"));
        buffer_clear(&talk.said);
        say(third, HELLO_A REPORT_N(1) REPORT_N(2));
        assert_said_by_now(&talk, "taken over\n3: EPOCH=2\n");
        assert_null(first);
        /* When it has gone the other one may have it. */
        conversation_free(third);
        say(second, "{\"hello\":{\"client\":\"a\",\"pid\":8}}\n" REPORT_N(3));
        assert_said_by_now(&talk, "5: EPOCH=3\n");
        conversation_free(second);
}

/* More than a socket lets in: who is connected is not forgotten for another. */
static void test_no_room_for_another_id(void **state) {
        CLEANUP(talk_release) struct talk talk;
        struct conversation *conversation;
        struct client *client;

        (void)state;
        talk_start(&talk);
        for (int i = 0; i < CLIENTS_MAX; i++) {
                char id[16];

                (void)snprintf(id, sizeof(id), "c%d", i);
                assert_int_equal(clients_get(talk.host.clients, slice_from(id), &client), 0);
                client->connection = &talk;
        }
        talk_connect(&talk, &conversation);
        say(conversation, HELLO_A);
        assert_answers(conversation, REJECTED_NO("too-many-clients", "hello.client: expected fewer clients; so many are connected"));
        client->connection = NULL;
        say(conversation, HELLO_A);
        assert_answers(conversation, WELCOME());
        conversation_free(conversation);
}

/* --- stop --- */

static void test_stop(void **state) {
        CLEANUP(talk_release) struct talk talk;
        struct conversation *known, *unknown, *deaf, *late;

        (void)state;
        talk_start(&talk);
        talk_connect(&talk, &known);
        talk_connect(&talk, &unknown);
        talk_connect(&talk, &deaf);
        talk_connect(&talk, &late);
        say(known, HELLO_A);
        say(unknown, "{\"epoch\":1}\n");
        say(deaf, "{\"hello\":{\"client\":\"b\",\"wishes\":{\"noStop\":true}}}\n");
        assert_answers(known, WELCOME());
        assert_answers(deaf, WELCOME());
        talk.host.stop = (struct stop_request){ true, "worse than the \"median\"", NAN };
        conversation_stop(known);
        conversation_stop(unknown);
        conversation_stop(deaf);
        assert_answers(known, "{\"stop\":{\"reason\":\"worse than the \\\"median\\\"\"}}\n");
        assert_answers(known, "");
        assert_answers(unknown, "");
        assert_answers(deaf, "");
        talk.host.stop.deadline_s = 1700000000.5;
        conversation_stop(known);
        assert_answers(known, "{\"stop\":{\"reason\":\"worse than the \\\"median\\\"\",\"deadline\":1700000000.5}}\n");
        say(late, "{\"hello\":{\"client\":\"c\"}}\n");
        assert_answers(late, "{\"welcome\":{\"version\":1,\"agent\":\"1.2.3\",\"job\":\"job\",\"result\":\"default/job\",\"limits\":{"
                             "\"messageBytes\":131072,\"metrics\":1024,\"nameBytes\":1024,\"unacknowledgedBytes\":262144},\"stop\":{"
                             "\"reason\":\"worse than the \\\"median\\\"\",\"deadline\":1700000000.5}}}\n");
        conversation_free(known);
        conversation_free(unknown);
        conversation_free(deaf);
        conversation_free(late);
}

/* --- lines, ranks --- */

static void test_lines(void **state) {
        (void)state;
        check_talk("{\"epoch\":3,\"loss\":0.2,\"val\":{\"acc\":0.9}}\r\n\n  \t\r\n{\"val\":{\"acc\":1}}\n",
                   "1: EPOCH=3 loss=0.2 val/acc=0.9\n2: val/acc=1\n", "");
        check_talk("{\"name\":\"a\"}\n{}\n", "reject 1: expected a metric, an epoch or a step in the line\n"
                                           "reject 2: expected a metric, an epoch or a step in the line\n",
                   REJECTED_NO("not-understood", "expected a metric, an epoch or a step in the line")
                   REJECTED_NO("not-understood", "expected a metric, an epoch or a step in the line"));
        check_talk("{\"epoch\":1\n{\"epoch\":2}\n", "reject 1: expected a comma or }\n2: EPOCH=2\n",
                   REJECTED_NO("malformed", "column 11: expected a comma or }"));
        check_talk("{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{\"f\":{\"g\":{\"h\":{\"i\":1}}}}}}}},\"epoch\":1}\n",
                   "reject 1: expected at most 8 levels of objects\n",
                   REJECTED_NO("not-understood", "column 41: expected at most 8 levels of objects"));
        /* A message of a later version: of a client that said hello. */
        check_talk(HELLO_A "{\"progress\":{\"percent\":50}}\n{\"epoch\":1}\n", "3: EPOCH=1\n", WELCOME());
}

static void test_ranks(void **state) {
        (void)state;
        check_talk("{\"hello\":{\"client\":\"a\",\"rank\":65535}}\n"
                   "{\"report\":{\"number\":1,\"epoch\":1,\"metrics\":{\"loss\":1,\"acc\":2}}}\n{\"epoch\":1,\"x\":3}\n" REPORT_N(2)
                   "{\"end\":{\"number\":3}}\n",
                   "2: EPOCH=1 rank65535/loss=1 rank65535/acc=2\n3: EPOCH=1 rank65535/x=3\n4: EPOCH=2\n", WELCOME() KEPT(3));
        check_talk(HELLO_A "{\"end\":{\"number\":1,\"exitStatus\":-1,\"message\":\"m\"}}\n", "end -1 m\n", WELCOME() KEPT(1));
}

/* Both sides of a report's limits at once. */
static void test_a_full_report_of_another_rank(void **state) {
        CLEANUP(talk_release) struct talk talk;
        CLEANUP(buffer_release) struct buffer line = BUFFER_INIT(1 << 20);
        struct conversation *conversation;
        size_t n_names = 0;

        (void)state;
        talk_start(&talk);
        talk_connect(&talk, &conversation);
        (void)buffer_append_string(&line, "{\"report\":{\"epoch\":1,\"metrics\":{");
        for (int i = 0; i < 1024; i++)
                (void)buffer_printf(&line, "%s\"%0100d\":1", i ? "," : "", i);
        (void)buffer_append_string(&line, "}}}\n");
        say(conversation, "{\"hello\":{\"client\":\"a\",\"rank\":3}}\n");
        assert_int_equal(talk_push(conversation, buffer_slice(&line), 0), CONVERSATION_GOES_ON);
        for (const char *at = buffer_string(&talk.said); (at = strstr(at, " rank3/")); at++)
                n_names++;
        assert_int_equal(n_names, 1024);
        conversation_free(conversation);
}

/* --- framing --- */

static void check_lost(struct slice bytes, bool final, const char *answers) {
        CLEANUP(talk_release) struct talk talk;
        struct conversation *conversation;

        talk_start(&talk);
        talk_connect(&talk, &conversation);
        assert_int_equal(conversation_push(conversation, bytes, final), CONVERSATION_IS_OVER);
        buffer_clear(&talk.said);
        assert_answers(conversation, answers);
        assert_int_equal(conversation_push(conversation, SLICE(HELLO_A REPORT_N(1)), true), CONVERSATION_IS_OVER);
        assert_said_by_now(&talk, "");
        assert_answers(conversation, "");
        assert_int_equal(conversation_pending_bytes(conversation), 0);
        conversation_free(conversation);
}

static void test_framing_that_is_lost(void **state) {
        (void)state;
        check_lost(SLICE("GET / HTTP/1.0\n"), false,
                   REJECTED_NO("wrong-first-byte", "expected { (JSON lines) or 0x00 (protobuf) first, not 0x47"));
        check_lost(SLICE("\n{\"epoch\":1}\n"), false,
                   REJECTED_NO("wrong-first-byte", "expected { (JSON lines) or 0x00 (protobuf) first, not 0x0a"));
        check_lost(SLICE("\xff"), true, REJECTED_NO("wrong-first-byte", "expected { (JSON lines) or 0x00 (protobuf) first, not 0xff"));
}

/* The one rejected of a conversation in protobuf. */
static void check_lost_frame(struct slice bytes, bool final, const char *code, const char *message) {
        CLEANUP(talk_release) struct talk talk;
        CLEANUP(buffer_release) struct buffer answers = BUFFER_INIT(1 << 20);
        Experiments__Agent__V1__AgentMessage *answer;
        struct conversation *conversation;

        talk_start(&talk);
        talk_connect(&talk, &conversation);
        assert_int_equal(conversation_push(conversation, bytes, final), CONVERSATION_IS_OVER);
        talk_read(conversation, &answers);
        answer = experiments__agent__v1__agent_message__unpack(NULL, answers.size_bytes - 4, (const uint8_t *)answers.data + 4);
        assert_non_null(answer);
        assert_int_equal(answer->message_case, EXPERIMENTS__AGENT__V1__AGENT_MESSAGE__MESSAGE_REJECTED);
        assert_string_equal(answer->rejected->code, code);
        assert_string_equal(answer->rejected->message, message);
        assert_false(answer->rejected->has_number);
        experiments__agent__v1__agent_message__free_unpacked(answer, NULL);
        conversation_free(conversation);
}

static void test_frames_that_are_lost(void **state) {
        static const char too_long[] = "expected at most 131072 bytes; the connection is closed";

        (void)state;
        check_lost_frame(SLICE("\0\2\0\1"), false, "message-too-long", too_long);
        check_lost_frame(SLICE("\0\0\0\0\xff\xff\xff\xff????"), false, "message-too-long", too_long);
        check_lost_frame(SLICE("\0\2\0\0????"), true, "malformed",
                         "expected the rest of a frame; the connection ended after 8 bytes of it");
        check_lost_frame(SLICE("\0"), true, "malformed", "expected the rest of a frame; the connection ended after 1 bytes of it");
}

/* Also what is due when framing is lost is answered in the encoding of the connection. */
static void test_answers_behind_a_lost_frame(void **state) {
        CLEANUP(talk_release) struct talk talk;
        CLEANUP(buffer_release) struct buffer answers = BUFFER_INIT(1 << 20);
        struct conversation *conversation;

        (void)state;
        talk_start(&talk);
        talk_connect(&talk, &conversation);
        assert_int_equal(conversation_push(conversation, SLICE("\0\0\0\2\x2a\0\xff\0\0\0"), false), CONVERSATION_IS_OVER);
        conversation_sent(conversation, conversation_answers(conversation).size_bytes);
        talk_keep(&talk, conversation);
        talk_read(conversation, &answers);
        assert_true(slice_equal(buffer_slice(&answers), SLICE("\0\0\0\4\x12\2\x08\0"))); /* kept { number: 0 } */
        conversation_free(conversation);
}

static void put_line_of(struct buffer *out, size_t n_bytes, const char *line_end) {
        size_t start = out->size_bytes;

        (void)buffer_append_string(out, "{\"epoch\":1,\"x\":\"");
        while (out->size_bytes - start < n_bytes - 2)
                (void)buffer_append_char(out, 'x');
        (void)buffer_append_string(out, "\"}");
        (void)buffer_append_string(out, line_end);
}

static void check_long_line(size_t n_bytes, const char *line_end, const char *said) {
        static const size_t pieces[] = { 0, 1, 4096, 65536, MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX + 1 };

        for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
                CLEANUP(talk_release) struct talk talk;
                CLEANUP(buffer_release) struct buffer line = BUFFER_INIT(1 << 24);
                struct conversation *conversation;

                talk_start(&talk);
                talk_connect(&talk, &conversation);
                put_line_of(&line, n_bytes, line_end);
                assert_int_equal(talk_push(conversation, buffer_slice(&line), pieces[i]), CONVERSATION_GOES_ON);
                assert_int_equal(conversation_push(conversation, SLICE("{\"epoch\":2}"), true), CONVERSATION_GOES_ON);
                assert_said_by_now(&talk, said);
                conversation_free(conversation);
        }
}

static void test_long_lines(void **state) {
        (void)state;
        check_long_line(MESSAGE_BYTES_MAX, "\n", "1: EPOCH=1\n2: EPOCH=2\n");
        check_long_line(MESSAGE_BYTES_MAX, "\r\n", "1: EPOCH=1\n2: EPOCH=2\n");
        check_long_line(MESSAGE_BYTES_MAX + 1, "\n", "reject 1: expected at most 131072 bytes; the line is skipped\n2: EPOCH=2\n");
        check_long_line(MESSAGE_BYTES_MAX + 1, "\r\n", "reject 1: expected at most 131072 bytes; the line is skipped\n2: EPOCH=2\n");
        check_long_line(1000000, "\n", "reject 1: expected at most 131072 bytes; the line is skipped\n2: EPOCH=2\n");
}

static void test_a_long_line_to_the_end(void **state) {
        CLEANUP(talk_release) struct talk talk;
        CLEANUP(buffer_release) struct buffer line = BUFFER_INIT(1 << 24);
        struct conversation *conversation;

        (void)state;
        talk_start(&talk);
        talk_connect(&talk, &conversation);
        put_line_of(&line, 200000, "");
        assert_int_equal(conversation_push(conversation, buffer_slice(&line), true), CONVERSATION_GOES_ON);
        assert_said_by_now(&talk, "reject 1: expected at most 131072 bytes; the line is skipped\n");
        conversation_free(conversation);
}

static void test_a_frame_of_full_length(void **state) {
        CLEANUP(talk_release) struct talk talk;
        CLEANUP(buffer_release) struct buffer frame = BUFFER_INIT(1 << 20);
        struct conversation *conversation;

        (void)state;
        talk_start(&talk);
        talk_connect(&talk, &conversation);
        (void)buffer_append(&frame, "\0\2\0\0\x7a\xfc\xff\x07", 8); /* a field that is not known, of all that is left */
        while (frame.size_bytes < MESSAGE_BYTES_MAX + 4)
                (void)buffer_append_char(&frame, 'x');
        talk_frame(&frame, REPORT(VALUE(epoch, 4)));
        assert_int_equal(talk_push(conversation, buffer_slice(&frame), 10000), CONVERSATION_GOES_ON);
        assert_said_by_now(&talk, "2: EPOCH=4\n");
        conversation_free(conversation);
}

static void test_refused(void **state) {
        CLEANUP(talk_release) struct talk talk;
        struct conversation *conversation;

        (void)state;
        talk_start(&talk);
        talk_connect(&talk, &conversation);
        say(conversation, "{\"epoch\":1");
        assert_int_equal(conversation_pending_bytes(conversation), 10);
        conversation_refuse(conversation, "no-room", "expected less");
        assert_int_equal(conversation_pending_bytes(conversation), 0);
        assert_answers(conversation, REJECTED_NO("no-room", "expected less"));
        assert_int_equal(conversation_push(conversation, SLICE("}\n"), false), CONVERSATION_IS_OVER);
        conversation_free(conversation);
}

/* --- a client that does not read --- */

static void test_a_client_that_does_not_read(void **state) {
        CLEANUP(talk_release) struct talk talk;
        CLEANUP(buffer_release) struct buffer answers = BUFFER_INIT(1 << 20);
        struct conversation *conversation;
        size_t n = 0;

        (void)state;
        talk_start(&talk);
        talk_connect(&talk, &conversation);
        say(conversation, HELLO_A);
        for (int i = 1; i <= 10000; i++) {
                char line[64];

                (void)snprintf(line, sizeof(line), "{\"report\":{\"number\":%d,\"epoch\":1}}\n{\"report\":{}}\n", i);
                say(conversation, line);
                talk_keep(&talk, conversation);
                if (i == 5000) {
                        talk.host.stop = (struct stop_request){ true, "now", NAN };
                        conversation_stop(conversation);
                }
                assert_true(conversation_answers(conversation).size_bytes < 4096);
        }
        talk_read(conversation, &answers);
        for (const char *at = buffer_string(&answers); (at = strstr(at, "nothing-reported")); at++)
                n++;
        assert_int_equal(n, 16);
        assert_non_null(strstr(buffer_string(&answers), "{\"stop\":{\"reason\":\"now\"}}\n"));
        assert_non_null(strstr(buffer_string(&answers), KEPT(10000)));
        say(conversation, "{\"report\":{}}\n");
        assert_answers(conversation, REJECTED_NO("nothing-reported", "report: expected something besides number and time"));
        conversation_free(conversation);
}

/* --- in whatever pieces --- */

static void hear(struct talk *talk, struct slice bytes, size_t piece_bytes, struct buffer *ret_all) {
        struct conversation *conversation;

        talk_connect(talk, &conversation);
        (void)talk_push(conversation, bytes, piece_bytes);
        (void)conversation_push(conversation, (struct slice){ 0 }, true);
        talk_keep(talk, conversation);
        assert_int_equal(buffer_append(ret_all, talk->said.data, talk->said.size_bytes), 0);
        talk_read(conversation, ret_all);
        conversation_free(conversation);
}

static void check_pieces(struct slice bytes) {
        CLEANUP(buffer_release) struct buffer whole = BUFFER_INIT(1 << 20);

        for (size_t piece = 0; piece <= bytes.size_bytes; piece++) {
                CLEANUP(talk_release) struct talk talk;
                CLEANUP(buffer_release) struct buffer all = BUFFER_INIT(1 << 20);

                talk_start(&talk);
                hear(&talk, bytes, piece, piece == 0 ? &whole : &all);
                if (piece > 0)
                        assert_true(slice_equal(buffer_slice(&whole), buffer_slice(&all)));
        }
        assert_true(whole.size_bytes > 100);
}

static void test_json_in_pieces(void **state) {
        (void)state;
        check_pieces(SLICE(HELLO_A "\n" REPORT_N(1) "\r\n{\"epoch\":1,\"loss\":0.5}\r\n{\"epoch\":\n" REPORT_N(3)
                           "{\"parameters\":{\"number\":4,\"values\":{\"a\":\"\\u00e9\"}}}\n{\"ping\":{}}\n{\"report\":{\"number\":5}}\n"
                           "{\"end\":{\"number\":6}}"));
}

static void test_protobuf_in_pieces(void **state) {
        CLEANUP(buffer_release) struct buffer bytes = BUFFER_INIT(1 << 20);

        (void)state;
        talk_frame(&bytes, HELLO(TEXT(client, "a")));
        talk_frame(&bytes, REPORT(VALUE(number, 1), VALUE(epoch, 1), METRICS(METRIC("loss", 0.5), METRIC("acc", NAN))));
        (void)buffer_append(&bytes, "\0\0\0\0\0\0\0\1\x12\0\0\0\2\x2a\0", 15); /* empty; malformed; ping */
        talk_frame(&bytes, REPORT(VALUE(number, 3)));
        talk_frame(&bytes, PARAMETERS(VALUE(number, 4), VALUES(PARAMETER("lr", IS_NUMBER(1)))));
        talk_frame(&bytes, END(VALUE(number, 5)));
        (void)buffer_append(&bytes, "\0\0\0\5abc", 7);
        check_pieces(buffer_slice(&bytes));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_without_hello),
                cmocka_unit_test(test_hello_and_kept),
                cmocka_unit_test(test_hello_that_is_not_accepted),
                cmocka_unit_test(test_numbers_rise),
                cmocka_unit_test(test_rejected_is_dealt_with),
                cmocka_unit_test(test_once),
                cmocka_unit_test(test_kept_is_what_was_kept),
                cmocka_unit_test(test_wishes),
                cmocka_unit_test(test_a_failure_is_not_dealt_with),
                cmocka_unit_test(test_parameters_that_are_too_long),
                cmocka_unit_test(test_an_id_is_taken_over_by_its_process),
                cmocka_unit_test(test_no_room_for_another_id),
                cmocka_unit_test(test_stop),
                cmocka_unit_test(test_lines),
                cmocka_unit_test(test_ranks),
                cmocka_unit_test(test_a_full_report_of_another_rank),
                cmocka_unit_test(test_framing_that_is_lost),
                cmocka_unit_test(test_frames_that_are_lost),
                cmocka_unit_test(test_answers_behind_a_lost_frame),
                cmocka_unit_test(test_long_lines),
                cmocka_unit_test(test_a_long_line_to_the_end),
                cmocka_unit_test(test_a_frame_of_full_length),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_a_client_that_does_not_read),
                cmocka_unit_test(test_json_in_pieces),
                cmocka_unit_test(test_protobuf_in_pieces),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
