/* Messages of clients in both encodings: each field, its range and its default, and what is wrong with them. */
#include "message_said.h"

#define TOO_LONG_ID "0123456789012345678901234567890123456789012345678901234567890123x"

/* --- both encodings say the same --- */

struct pair {
        const char *json;
        const Experiments__Agent__V1__ClientMessage *message;
        const char *said;
};

static void check_json(struct decoder *decoder, struct slice line, const char *expected) {
        CLEANUP(buffer_release) struct buffer said = BUFFER_INIT(1 << 20);

        said_of_message(&said, decoder, ENCODING_JSON, line);
        assert_string_equal(buffer_string(&said), expected);
}

static void check_protobuf(struct decoder *decoder, struct slice frame, const char *expected) {
        CLEANUP(buffer_release) struct buffer said = BUFFER_INIT(1 << 20);

        said_of_message(&said, decoder, ENCODING_PROTOBUF, frame);
        assert_string_equal(buffer_string(&said), expected);
}

static void check_pairs(const struct pair *pairs, size_t n) {
        CLEANUP(decoder_freep) struct decoder *decoder = NULL;
        CLEANUP(buffer_release) struct buffer frame = BUFFER_INIT(1 << 20);

        assert_int_equal(decoder_new(&decoder), 0);
        for (size_t i = 0; i < n; i++) {
                check_json(decoder, slice_from(pairs[i].json), pairs[i].said);
                check_protobuf(decoder, packed(&frame, pairs[i].message), pairs[i].said);
        }
}

#define CHECK_PAIRS(pairs) check_pairs(pairs, sizeof(pairs) / sizeof((pairs)[0]))

static void test_hello(void **state) {
        const struct pair pairs[] = {
                { "{\"hello\":{\"client\":\"a\"}}", HELLO(TEXT(client, "a")), "hello version=1 rank=0 pid=0 client=a" },
                { "{\"hello\":{\"version\":1,\"client\":\"A.b_c-9\",\"program\":\"train.py\",\"pid\":4294967295,\"rank\":65535,"
                  "\"wishes\":{\"noKept\":true,\"noStop\":true}}}",
                  HELLO(VALUE(version, 1), TEXT(client, "A.b_c-9"), TEXT(program, "train.py"), VALUE(pid, UINT32_MAX), VALUE(rank, 65535),
                        WISHES(VALUE(no_kept, true), VALUE(no_stop, true))),
                  "hello version=1 rank=65535 pid=4294967295 client=A.b_c-9 program=train.py noKept noStop" },
                { "{\"hello\":{\"client\":\"a\",\"wishes\":{}}}", HELLO(TEXT(client, "a"), WISHES(VALUE(no_kept, false))),
                  "hello version=1 rank=0 pid=0 client=a" },
                { "{\"hello\":{\"client\":\"a\",\"wishes\":{\"no_kept\":true,\"no_stop\":false}}}",
                  HELLO(TEXT(client, "a"), WISHES(VALUE(no_kept, true))), "hello version=1 rank=0 pid=0 client=a noKept" },
                { "{\"hello\":{\"client\":\"a\",\"version\":4294967295}}", HELLO(TEXT(client, "a"), VALUE(version, UINT32_MAX)),
                  "hello version=4294967295 rank=0 pid=0" },
                { "{\"hello\":{\"client\":\"another kind of id\",\"rank\":70000,\"version\":2}}",
                  HELLO(TEXT(client, "another kind of id"), VALUE(rank, 70000), VALUE(version, 2)), "hello version=2 rank=0 pid=0" },
                { "{\"hello\":{\"version\":0}}", HELLO(VALUE(version, 0)), "hello version=0 rank=0 pid=0" },
                { "{\"hello\":{}}", HELLO(.has_pid = false),
                  "!invalid-client-id: hello.client: expected 1 to 64 of A-Z a-z 0-9 . _ -" },
                { "{\"hello\":{\"client\":\"\"}}", HELLO(TEXT(client, "")),
                  "!invalid-client-id: hello.client: expected 1 to 64 of A-Z a-z 0-9 . _ -" },
                { "{\"hello\":{\"client\":\"a b\"}}", HELLO(TEXT(client, "a b")),
                  "!invalid-client-id: hello.client: expected 1 to 64 of A-Z a-z 0-9 . _ -" },
                { "{\"hello\":{\"client\":\"\xc3\xa9\"}}", HELLO(TEXT(client, "\xc3\xa9")),
                  "!invalid-client-id: hello.client: expected 1 to 64 of A-Z a-z 0-9 . _ -" },
                { "{\"hello\":{\"client\":\"" TOO_LONG_ID "\"}}", HELLO(TEXT(client, TOO_LONG_ID)),
                  "!invalid-client-id: hello.client: expected 1 to 64 of A-Z a-z 0-9 . _ -" },
                { "{\"hello\":{\"client\":\"a\",\"rank\":65536}}", HELLO(TEXT(client, "a"), VALUE(rank, 65536)),
                  "!invalid-value: hello.rank: expected a whole number from 0 to 65535" },
                { "{\"hello\":{\"client\":\"\xff\"}}", HELLO(TEXT(client, "\xff")),
                  "!invalid-utf8: hello.client: expected UTF-8 without U+0000" },
        };

        (void)state;
        CHECK_PAIRS(pairs);
}

static void test_report(void **state) {
        const struct pair pairs[] = {
                { "{\"report\":{\"number\":1,\"epoch\":2.5,\"step\":3,\"time\":1700000000.25,\"metrics\":{\"loss\":0.5,\"val/acc\":1e-9},"
                  "\"totalEpochs\":10,\"outputPath\":\"/mnt/out\",\"checkpoint\":\"/mnt/out/3.pt\"}}",
                  REPORT(VALUE(number, 1), VALUE(epoch, 2.5), VALUE(step, 3), VALUE(time, 1700000000.25),
                         METRICS(METRIC("loss", 0.5), METRIC("val/acc", 1e-9)), VALUE(total_epochs, 10), TEXT(output_path, "/mnt/out"),
                         TEXT(checkpoint, "/mnt/out/3.pt")),
                  "report number=1 0: EPOCH=2.5 STEP=3 TIME=1700000000.25 EPOCHS=10 OUTPUT=/mnt/out CHECKPOINT=/mnt/out/3.pt loss=0.5 "
                  "val/acc=1e-9" },
                { "{\"report\":{\"epoch\":0,\"total_epochs\":0.5,\"output_path\":\"o\"}}",
                  REPORT(VALUE(epoch, 0), VALUE(total_epochs, 0.5), TEXT(output_path, "o")), "report 0: EPOCH=0 EPOCHS=0.5 OUTPUT=o" },
                { "{\"report\":{\"number\":9007199254740991,\"step\":1e300}}",
                  REPORT(VALUE(number, 9007199254740991), VALUE(step, 1e300)), "report number=9007199254740991 0: STEP=1e300" },
                { "{\"report\":{\"metrics\":{\"n\":\"NaN\",\"i\":\"Infinity\",\"j\":\"-Infinity\",\"z\":-0.0}}}",
                  REPORT(METRICS(METRIC("n", NAN), METRIC("i", INFINITY), METRIC("j", -INFINITY), METRIC("z", -0.0))),
                  "report 0: n=NaN i=Inf j=-Inf z=0" },
                { "{\"report\":{\"metrics\":{\"a\":1,\"b\":2,\"a\":3}}}",
                  REPORT(METRICS(METRIC("a", 1), METRIC("b", 2), METRIC("a", 3))), "report 0: a=3 b=2" },
                { "{\"report\":{\"checkpoint\":\"\xf0\x9f\x98\x80\"}}", REPORT(TEXT(checkpoint, "\xf0\x9f\x98\x80")),
                  "report 0: CHECKPOINT=\xf0\x9f\x98\x80" },
                { "{\"report\":{\"number\":0,\"epoch\":1}}", REPORT(VALUE(number, 0), VALUE(epoch, 1)),
                  "!invalid-value: number: expected a whole number from 1 to 9007199254740991" },
                { "{\"report\":{\"number\":9007199254740992,\"epoch\":1}}", REPORT(VALUE(number, 9007199254740992), VALUE(epoch, 1)),
                  "!invalid-value: number: expected a whole number from 1 to 9007199254740991" },
                { "{\"report\":{\"number\":18446744073709551615,\"epoch\":1}}", REPORT(VALUE(number, UINT64_MAX), VALUE(epoch, 1)),
                  "!invalid-value: number: expected a whole number from 1 to 9007199254740991" },
                { "{\"report\":{\"number\":7,\"epoch\":-1}}", REPORT(VALUE(number, 7), VALUE(epoch, -1)),
                  "!invalid-value number=7: report.epoch: expected a finite number, 0 or more" },
                { "{\"report\":{\"number\":7,\"epoch\":\"NaN\"}}", REPORT(VALUE(number, 7), VALUE(epoch, NAN)),
                  "!invalid-value number=7: report.epoch: expected a finite number, 0 or more" },
                { "{\"report\":{\"number\":7,\"step\":1e999}}", REPORT(VALUE(number, 7), VALUE(step, INFINITY)),
                  "!invalid-value number=7: report.step: expected a finite number, 0 or more" },
                { "{\"report\":{\"number\":7,\"epoch\":1,\"time\":-1}}", REPORT(VALUE(number, 7), VALUE(epoch, 1), VALUE(time, -1)),
                  "!invalid-value number=7: report.time: expected seconds since 1970, finite, 0 or more" },
                { "{\"report\":{\"number\":7,\"totalEpochs\":0}}", REPORT(VALUE(number, 7), VALUE(total_epochs, 0)),
                  "!invalid-value number=7: report.totalEpochs: expected a finite number above 0" },
                { "{\"report\":{}}", REPORT(.has_epoch = false), "!nothing-reported: report: expected something besides number and time" },
                { "{\"report\":{\"number\":3,\"time\":5}}", REPORT(VALUE(number, 3), VALUE(time, 5)),
                  "!nothing-reported number=3: report: expected something besides number and time" },
                { "{\"report\":{\"number\":3,\"metrics\":{\"\":1}}}", REPORT(VALUE(number, 3), METRICS(METRIC("", 1))),
                  "!name-empty number=3: report.metrics: expected a name of 1 to 1024 bytes" },
                { "{\"report\":{\"number\":3,\"metrics\":{\"\xc3\":1}}}", REPORT(VALUE(number, 3), METRICS(METRIC("\xc3", 1))),
                  "!invalid-utf8 number=3: report.metrics: expected names in UTF-8 without U+0000" },
                { "{\"report\":{\"number\":3,\"checkpoint\":\"\xed\xa0\x80\"}}", REPORT(VALUE(number, 3), TEXT(checkpoint, "\xed\xa0\x80")),
                  "!invalid-utf8 number=3: report.checkpoint: expected UTF-8 without U+0000" },
        };

        (void)state;
        CHECK_PAIRS(pairs);
}

static void test_parameters_end_ping(void **state) {
        const struct pair pairs[] = {
                { "{\"parameters\":{\"number\":2,\"values\":{\"lr\":0.1,\"optimizer\":\"adam\",\"amp\":true,\"ema\":false,\"clip\":null,"
                  "\"note\":\"\"}}}",
                  PARAMETERS(VALUE(number, 2), VALUES(PARAMETER("lr", IS_NUMBER(0.1)), PARAMETER("optimizer", IS_TEXT("adam")),
                                                      PARAMETER("amp", IS_BOOLEAN(true)), PARAMETER("ema", IS_BOOLEAN(false)),
                                                      PARAMETER("clip", .text = NULL), PARAMETER("note", IS_TEXT("")))),
                  "parameters number=2 lr=0.10000000000000001 optimizer=\"adam\" amp=true ema=false clip=null note=\"\"" },
                { "{\"parameters\":{\"values\":{\"a\":1,\"b\":true,\"a\":\"x\"}}}",
                  PARAMETERS(VALUES(PARAMETER("a", IS_NUMBER(1)), PARAMETER("b", IS_BOOLEAN(true)), PARAMETER("a", IS_TEXT("x")))),
                  "parameters a=\"x\" b=true" },
                { "{\"parameters\":{\"number\":4}}", PARAMETERS(VALUE(number, 4)),
                  "!nothing-reported number=4: parameters.values: expected a parameter" },
                { "{\"parameters\":{\"number\":0,\"values\":{\"a\":1}}}", PARAMETERS(VALUE(number, 0), VALUES(PARAMETER("a", IS_NUMBER(1)))),
                  "!invalid-value: number: expected a whole number from 1 to 9007199254740991" },
                { "{\"parameters\":{\"values\":{\"\":1}}}", PARAMETERS(VALUES(PARAMETER("", IS_NUMBER(1)))),
                  "!name-empty: parameters.values: expected a name of 1 to 1024 bytes" },
                { "{\"parameters\":{\"values\":{\"a\":1e999}}}", PARAMETERS(VALUES(PARAMETER("a", IS_NUMBER(INFINITY)))),
                  "!invalid-value: parameters.values: expected finite numbers" },
                { "{\"parameters\":{\"values\":{\"a\":NaN}}}", PARAMETERS(VALUES(PARAMETER("a", IS_NUMBER(NAN)))),
                  "!invalid-value: parameters.values: expected finite numbers" },
                { "{\"parameters\":{\"values\":{\"a\":\"\xff\"}}}", PARAMETERS(VALUES(PARAMETER("a", IS_TEXT("\xff")))),
                  "!invalid-utf8: parameters.values: expected texts in UTF-8 without U+0000" },
                { "{\"end\":{}}", END(.has_number = false), "end status=0" },
                { "{\"end\":{\"number\":9,\"exitStatus\":255,\"message\":\"out of memory\"}}",
                  END(VALUE(number, 9), VALUE(exit_status, 255), TEXT(message, "out of memory")),
                  "end number=9 status=255 message=out of memory" },
                { "{\"end\":{\"exit_status\":-128}}", END(VALUE(exit_status, -128)), "end status=-128" },
                { "{\"end\":{\"number\":9,\"exitStatus\":256}}", END(VALUE(number, 9), VALUE(exit_status, 256)),
                  "!invalid-value number=9: end.exitStatus: expected a whole number from -128 to 255" },
                { "{\"end\":{\"exitStatus\":-129}}", END(VALUE(exit_status, -129)),
                  "!invalid-value: end.exitStatus: expected a whole number from -128 to 255" },
                { "{\"ping\":{}}", PING(), "ping" },
        };

        (void)state;
        CHECK_PAIRS(pairs);
}

/* --- what only JSON can say --- */

struct line {
        const char *json, *said;
};

static void check_lines(const struct line *lines, size_t n) {
        CLEANUP(decoder_freep) struct decoder *decoder = NULL;

        assert_int_equal(decoder_new(&decoder), 0);
        for (size_t i = 0; i < n; i++)
                check_json(decoder, slice_from(lines[i].json), lines[i].said);
}

#define CHECK_LINES(lines) check_lines(lines, sizeof(lines) / sizeof((lines)[0]))

static void test_json_spellings(void **state) {
        static const struct line lines[] = {
                { "{\"report\":{\"metrics\":{\"a\":NaN,\"b\":Infinity,\"c\":-Infinity,\"d\":nan,\"e\":1e999,\"f\":-1e999,\"g\":1e-999}}}",
                  "report 0: a=NaN b=Inf c=-Inf d=NaN e=Inf f=-Inf g=0" },
                { "{\"report\":{\"epoch\":null,\"step\":1,\"metrics\":{\"a\":null,\"b\":2}}}", "report 0: STEP=1 b=2" },
                { "{\"report\":{\"epoch\":1,\"metrics\":null}}", "report 0: EPOCH=1" },
                { "{\"report\":{\"epoch\":1,\"epoch\":2}}", "report 0: EPOCH=2" },
                { "{\"report\":{\"epoch\":1,\"metrics\":{\"a\":1},\"metrics\":{\"b\":2}}}", "report 0: EPOCH=1 b=2" },
                { "{\"report\":{\"number\":1,\"number\":2,\"epoch\":1}}", "report number=2 0: EPOCH=1" },
                { "{\"report\":{\"number\":1e3,\"epoch\":1.0}}", "report number=1000 0: EPOCH=1" },
                { "{ \"report\" : { \"epoch\" : 1 , \"x\" : [ { } ] } }", "report 0: EPOCH=1" },
                { "{\"report\":{\"epoch\":1,\"later\":{\"epoch\":[7,\"]\"]},\"laterToo\":\"\\u0000\"}}", "report 0: EPOCH=1" },
                { "{\"report\":{\"metrics\":{\"\\u00e9\\\"\\/\\n\\ud83d\\ude00\":1,\"\\ud800\":2}}}",
                  "report 0: \xc3\xa9\"/\n\xf0\x9f\x98\x80=1 \xef\xbf\xbd=2" },
                { "{\"report\":{\"metrics\":{\"\\u0061\":1,\"a\":2}}}", "report 0: a=2" },
                { "{\"r\\u0065port\":{\"ep\\u006fch\":1,\"\\u006eumber\":3}}", "report number=3 0: EPOCH=1" },
                { "{\"hello\":{\"client\":\"\\u0061\",\"wishes\":{\"no\\u004bept\":true}}}", "hello version=1 rank=0 pid=0 client=a noKept" },
                { "{\"hello\":{\"client\":\"a\",\"wishes\":{\"noSleep\":1,\"noStop\":null,\"noKept\":true}}}",
                  "hello version=1 rank=0 pid=0 client=a noKept" },
                { "{\"end\":{\"exitStatus\":null,\"message\":null}}", "end status=0" },
                { "{\"ping\":{\"later\":1}}", "ping" },
        };

        (void)state;
        CHECK_LINES(lines);
}

static void test_json_of_another_type(void **state) {
        static const struct line lines[] = {
                { "{\"report\":{\"number\":\"7\",\"epoch\":1}}", "!invalid-value: report.number: expected a number" },
                { "{\"report\":{\"number\":true,\"epoch\":1}}", "!invalid-value: report.number: expected a number" },
                { "{\"report\":{\"number\":1.5,\"epoch\":1}}",
                  "!invalid-value: number: expected a whole number from 1 to 9007199254740991" },
                { "{\"report\":{\"number\":-1,\"epoch\":1}}", "!invalid-value: number: expected a whole number from 1 to 9007199254740991" },
                { "{\"report\":{\"epoch\":\"3\",\"number\":7}}", "!invalid-value number=7: report.epoch: expected a number" },
                { "{\"report\":{\"number\":7,\"epoch\":[1]}}", "!invalid-value number=7: report.epoch: expected a number" },
                { "{\"report\":{\"number\":7,\"epoch\":{}}}", "!invalid-value number=7: report.epoch: expected a number" },
                { "{\"report\":{\"number\":7,\"metrics\":[1]}}",
                  "!invalid-value number=7: report.metrics: expected an object, name to number" },
                { "{\"report\":{\"number\":7,\"metrics\":{\"a\":\"0.5\"}}}",
                  "!invalid-value number=7: report.metrics: expected a number as each value" },
                { "{\"report\":{\"number\":7,\"metrics\":{\"a\":true}}}",
                  "!invalid-value number=7: report.metrics: expected a number as each value" },
                { "{\"report\":{\"number\":7,\"metrics\":{\"a\":{\"b\":1}}}}",
                  "!invalid-value number=7: report.metrics: expected a number as each value" },
                { "{\"report\":{\"outputPath\":1,\"number\":7}}", "!invalid-value number=7: report.outputPath: expected a string" },
                { "{\"report\":{\"output_path\":[\"a\"],\"number\":7}}", "!invalid-value number=7: report.outputPath: expected a string" },
                { "{\"report\":{\"checkpoint\":\"a\\u0000b\",\"number\":7}}",
                  "!invalid-utf8 number=7: report.checkpoint: expected UTF-8 without U+0000" },
                { "{\"report\":{\"metrics\":{\"a\\u0000\":1}}}", "!invalid-utf8: report.metrics: expected names in UTF-8 without U+0000" },
                { "{\"hello\":{\"client\":{\"id\":7},\"version\":2}}", "hello version=2 rank=0 pid=0" },
                { "{\"hello\":{\"client\":7}}", "!invalid-value: hello.client: expected a string" },
                { "{\"hello\":{\"client\":\"a\",\"pid\":4294967296}}",
                  "!invalid-value: hello.pid: expected a whole number from 0 to 4294967295" },
                { "{\"hello\":{\"client\":\"a\",\"pid\":-1}}", "!invalid-value: hello.pid: expected a whole number from 0 to 4294967295" },
                { "{\"hello\":{\"client\":\"a\",\"version\":1.5}}",
                  "!invalid-value: hello.version: expected a whole number from 0 to 4294967295" },
                { "{\"hello\":{\"client\":\"a\",\"wishes\":true}}", "!invalid-value: hello.wishes: expected an object" },
                { "{\"hello\":{\"client\":\"a\",\"wishes\":{\"noKept\":1}}}", "!invalid-value: hello.wishes: expected true or false" },
                { "{\"parameters\":{\"number\":7,\"values\":[]}}",
                  "!invalid-value number=7: parameters.values: expected an object, name to value" },
                { "{\"parameters\":{\"number\":7,\"values\":{\"a\":[]}}}",
                  "!invalid-value number=7: parameters.values: expected a number, a string, true, false or null as each value" },
                { "{\"parameters\":{\"number\":7,\"values\":{\"a\":{}}}}",
                  "!invalid-value number=7: parameters.values: expected a number, a string, true, false or null as each value" },
                { "{\"end\":{\"exitStatus\":\"0\"}}", "!invalid-value: end.exitStatus: expected a number" },
                { "{\"end\":{\"exitStatus\":0.5}}", "!invalid-value: end.exitStatus: expected a whole number from -128 to 255" },
                { "{\"end\":{\"message\":{}}}", "!invalid-value: end.message: expected a string" },
        };

        (void)state;
        CHECK_LINES(lines);
}

static void test_json_that_is_no_message(void **state) {
        static const struct line lines[] = {
                { "{\"epoch\":1,\"loss\":0.5}", "line" },
                { "{\"report\":1}", "line" },
                { "{\"report\":{},\"epoch\":1}", "line" },
                { "{\"report\":{\"epoch\":1},\"report\":{\"epoch\":2}}", "line" },
                { "{}", "line" },
                { "{\"val\":{\"acc\":1}}", "nested" },
                { "{\"Report\":{\"epoch\":1}}", "nested" },
                { "[1]", "!malformed: column 1: expected a JSON object, { \xe2\x80\xa6 }" },
                { "loss 0.5", "!malformed: column 1: expected a JSON object, { \xe2\x80\xa6 }" },
                { "{\"report\":{\"epoch\":1}", "!malformed: column 22: expected a comma or }" },
                { "{\"report\":{\"epoch\":1}}}", "!malformed: column 23: expected nothing behind the object" },
                { "{\"report\":{\"epoch\":1}}{}", "!malformed: column 23: expected nothing behind the object" },
                { "{\"report\":{\"epoch\":tru}}", "!malformed: column 25: expected a value" },
                { "{\"report\":{epoch:1}}", "!malformed: column 12: expected a key in quotes" },
                { "{\"report\":{\"epoch\" 1}}", "!malformed: column 20: expected a colon after the key" },
                { "{\"report\":{\"a", "!malformed: column 14: expected a closing quote" },
                { "{\"report\":{\"a\\", "!malformed: column 15: expected a closing quote" },
        };

        (void)state;
        CHECK_LINES(lines);
}

static void put_times(struct buffer *out, const char *text, size_t n) {
        for (size_t i = 0; i < n; i++)
                assert_int_equal(buffer_append_string(out, text), 0);
}

static void check_nested(struct decoder *decoder, size_t levels, const char *expected) {
        CLEANUP(buffer_release) struct buffer line = BUFFER_INIT(1 << 20);

        put_times(&line, "{\"report\":{\"epoch\":1,\"later\":", 1);
        put_times(&line, "[", levels);
        put_times(&line, "]", levels);
        put_times(&line, "}}", 1);
        check_json(decoder, buffer_slice(&line), expected);
}

static void test_json_nesting(void **state) {
        CLEANUP(decoder_freep) struct decoder *decoder = NULL;

        (void)state;
        assert_int_equal(decoder_new(&decoder), 0);
        check_nested(decoder, 62, "report 0: EPOCH=1");
        check_nested(decoder, 63, "!malformed: column 92: expected at most 64 levels of brackets");
        check_nested(decoder, 60000, "!malformed: column 92: expected at most 64 levels of brackets");
}

/* An escape that says nothing becomes longer: U+FFFD. */
static void check_escapes_that_grow(size_t n) {
        CLEANUP(decoder_freep) struct decoder *decoder = NULL;
        CLEANUP(buffer_release) struct buffer line = BUFFER_INIT(1 << 20);
        CLEANUP(buffer_release) struct buffer said = BUFFER_INIT(1 << 20);

        assert_int_equal(decoder_new(&decoder), 0);
        put_times(&line, "{\"report\":{\"metrics\":{\"\\u0061\":1,\"", 1);
        put_times(&line, "\\u", n);
        put_times(&line, "\":2}}}", 1);
        put_times(&said, "report 0: a=1 ", 1);
        put_times(&said, "\xef\xbf\xbd", n);
        put_times(&said, "=2", 1);
        check_json(decoder, buffer_slice(&line), buffer_string(&said));
}

/* Whatever memory it has: what was decoded before stays where it is. */
static void test_json_escapes_that_grow(void **state) {
        (void)state;
        for (size_t n = 1; n < 300; n++)
                check_escapes_that_grow(n);
}

static void test_json_nul(void **state) {
        CLEANUP(decoder_freep) struct decoder *decoder = NULL;

        (void)state;
        assert_int_equal(decoder_new(&decoder), 0);
        check_json(decoder, SLICE("{\"report\":{\"checkpoint\":\"a\0b\"}}"), "!malformed: column 32: expected no NUL byte");
        check_json(decoder, SLICE("{\"report\":{\"epoch\":1}}\0"), "!malformed: column 23: expected nothing behind the object");
}

/* --- limits, in both --- */

static const char *repeat(struct buffer *out, const char *text, size_t n) {
        buffer_clear(out);
        put_times(out, text, n);
        return buffer_string(out);
}

static void check_checkpoint(struct decoder *decoder, size_t n_bytes, const char *expected) {
        CLEANUP(buffer_release) struct buffer text = BUFFER_INIT(1 << 20);
        CLEANUP(buffer_release) struct buffer bytes = BUFFER_INIT(1 << 20);
        CLEANUP(buffer_release) struct buffer said = BUFFER_INIT(1 << 20);

        repeat(&text, "x", n_bytes);
        (void)buffer_printf(&said, expected ? "%s" : "report 0: CHECKPOINT=%s", expected ? expected : buffer_string(&text));
        (void)buffer_printf(&bytes, "{\"report\":{\"checkpoint\":\"%s\"}}", buffer_string(&text));
        check_json(decoder, buffer_slice(&bytes), buffer_string(&said));
        check_protobuf(decoder, packed(&bytes, REPORT(.checkpoint = text.data)), buffer_string(&said));
}

static void test_long_texts(void **state) {
        CLEANUP(decoder_freep) struct decoder *decoder = NULL;

        (void)state;
        assert_int_equal(decoder_new(&decoder), 0);
        check_checkpoint(decoder, 4096, NULL);
        check_checkpoint(decoder, 4097, "!invalid-value: report.checkpoint: expected at most 4096 bytes");
        check_checkpoint(decoder, 100000, "!invalid-value: report.checkpoint: expected at most 4096 bytes");
}

static void check_metric_name(struct decoder *decoder, size_t n_bytes, const char *expected) {
        CLEANUP(buffer_release) struct buffer name = BUFFER_INIT(1 << 20);
        CLEANUP(buffer_release) struct buffer bytes = BUFFER_INIT(1 << 20);
        CLEANUP(buffer_release) struct buffer said = BUFFER_INIT(1 << 20);
        Experiments__Agent__V1__Metric metric = EXPERIMENTS__AGENT__V1__METRIC__INIT;

        repeat(&name, "x", n_bytes);
        metric.name = name.data;
        metric.has_value = true;
        (void)buffer_printf(&said, expected ? "%s" : "report 0: %s=0", expected ? expected : buffer_string(&name));
        (void)buffer_printf(&bytes, "{\"report\":{\"metrics\":{\"%s\":0}}}", buffer_string(&name));
        check_json(decoder, buffer_slice(&bytes), buffer_string(&said));
        check_protobuf(decoder, packed(&bytes, REPORT(METRICS(&metric))), buffer_string(&said));
}

static void test_long_names(void **state) {
        CLEANUP(decoder_freep) struct decoder *decoder = NULL;

        (void)state;
        assert_int_equal(decoder_new(&decoder), 0);
        check_metric_name(decoder, 1024, NULL);
        check_metric_name(decoder, 1025, "!name-too-long: report.metrics: expected a name of 1 to 1024 bytes");
        check_metric_name(decoder, 120000, "!name-too-long: report.metrics: expected a name of 1 to 1024 bytes");
}

/* before TEXT behind: is taken with bytes_max bytes of text, and not with one more. */
static void check_limit(const char *before, const char *behind, size_t bytes_max, const char *expected) {
        CLEANUP(decoder_freep) struct decoder *decoder = NULL;
        CLEANUP(buffer_release) struct buffer text = BUFFER_INIT(1 << 20);
        CLEANUP(buffer_release) struct buffer line = BUFFER_INIT(1 << 20);
        CLEANUP(buffer_release) struct buffer said = BUFFER_INIT(1 << 20);

        assert_int_equal(decoder_new(&decoder), 0);
        (void)buffer_printf(&line, "%s%s%s", before, repeat(&text, "y", bytes_max), behind);
        said_of_message(&said, decoder, ENCODING_JSON, buffer_slice(&line));
        assert_true(buffer_string(&said)[0] != '!');
        buffer_clear(&line);
        (void)buffer_printf(&line, "%s%s%s", before, repeat(&text, "y", bytes_max + 1), behind);
        check_json(decoder, buffer_slice(&line), expected);
}

static void test_limits_of_texts(void **state) {
        (void)state;
        check_limit("{\"hello\":{\"client\":\"a\",\"program\":\"", "\"}}", 256,
                    "!invalid-value: hello.program: expected at most 256 bytes");
        check_limit("{\"hello\":{\"client\":\"", "\"}}", 64,
                    "!invalid-client-id: hello.client: expected 1 to 64 of A-Z a-z 0-9 . _ -");
        check_limit("{\"end\":{\"message\":\"", "\"}}", 1024, "!invalid-value: end.message: expected at most 1024 bytes");
        check_limit("{\"report\":{\"outputPath\":\"", "\"}}", 4096,
                    "!invalid-value: report.outputPath: expected at most 4096 bytes");
        check_limit("{\"parameters\":{\"values\":{\"a\":\"", "\"}}}", 4096,
                    "!invalid-value: parameters.values: expected texts of at most 4096 bytes");
        check_limit("{\"parameters\":{\"values\":{\"", "\":1}}}", 1024,
                    "!name-too-long: parameters.values: expected a name of 1 to 1024 bytes");
}

static void put_json_list(struct buffer *out, const char *start, size_t n) {
        buffer_clear(out);
        put_times(out, start, 1);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(buffer_printf(out, "%s\"m%zu\":%zu", i ? "," : "", i, i), 0);
        put_times(out, "}}}", 1);
}

static void put_varint(struct buffer *out, size_t value) {
        for (; value >= 0x80; value >>= 7)
                assert_int_equal(buffer_append_char(out, (char)(value | 0x80)), 0);
        assert_int_equal(buffer_append_char(out, (char)value), 0);
}

static void put_delimited(struct buffer *out, unsigned field, struct slice inside) {
        put_varint(out, field << 3 | 2);
        put_varint(out, inside.size_bytes);
        assert_int_equal(buffer_append(out, inside.data, inside.size_bytes), 0);
}

/* A message of that kind with the same list: names alone, values have their defaults. */
static void put_protobuf_list(struct buffer *out, unsigned kind, unsigned field, size_t n) {
        CLEANUP(buffer_release) struct buffer list = BUFFER_INIT(64 << 20);

        for (size_t i = 0; i < n; i++) {
                char name[32];
                CLEANUP(buffer_release) struct buffer item = BUFFER_INIT(64);

                (void)snprintf(name, sizeof(name), "m%zu", i);
                put_delimited(&item, 1, slice_from(name));
                put_delimited(&list, field, buffer_slice(&item));
        }
        buffer_clear(out);
        put_delimited(out, kind, buffer_slice(&list));
}

static size_t taken(struct decoder *decoder, enum encoding encoding, struct slice bytes) {
        struct message message;
        struct fault fault;

        assert_int_equal(decoder_take(decoder, encoding, bytes, &message, &fault), DECODING_DONE);
        return message.kind == MESSAGE_REPORT ? message.report.n_metrics : message.parameters.n_values;
}

static void check_many(struct decoder *decoder, enum encoding encoding, struct slice bytes, const char *code) {
        CLEANUP(buffer_release) struct buffer said = BUFFER_INIT(1 << 20);

        said_of_message(&said, decoder, encoding, bytes);
        assert_true(slice_starts_with(buffer_slice(&said), slice_from(code)));
}

/* One code, whatever the encoding. 10^6 of them are more than a line has: nobody counts on that here. */
static void test_many_metrics(void **state) {
        static const size_t too_many[] = { 1025, 8000, 12000, 1000000 };
        CLEANUP(decoder_freep) struct decoder *decoder = NULL;
        CLEANUP(buffer_release) struct buffer bytes = BUFFER_INIT(64 << 20);

        (void)state;
        assert_int_equal(decoder_new(&decoder), 0);
        put_json_list(&bytes, "{\"report\":{\"metrics\":{", 1024);
        assert_int_equal(taken(decoder, ENCODING_JSON, buffer_slice(&bytes)), 1024);
        put_protobuf_list(&bytes, 2, 5, 1024);
        assert_int_equal(taken(decoder, ENCODING_PROTOBUF, buffer_slice(&bytes)), 1024);
        put_json_list(&bytes, "{\"parameters\":{\"values\":{", 1024);
        assert_int_equal(taken(decoder, ENCODING_JSON, buffer_slice(&bytes)), 1024);
        put_protobuf_list(&bytes, 3, 2, 1024);
        assert_int_equal(taken(decoder, ENCODING_PROTOBUF, buffer_slice(&bytes)), 1024);
        for (size_t i = 0; i < sizeof(too_many) / sizeof(too_many[0]); i++) {
                put_json_list(&bytes, "{\"report\":{\"metrics\":{", too_many[i]);
                check_many(decoder, ENCODING_JSON, buffer_slice(&bytes), "!too-many-metrics: report.metrics: expected at most 1024 metrics");
                put_json_list(&bytes, "{\"parameters\":{\"values\":{", too_many[i]);
                check_many(decoder, ENCODING_JSON, buffer_slice(&bytes), "!too-many-parameters: parameters.values: expected at most 1024");
                put_protobuf_list(&bytes, 2, 5, too_many[i]);
                if (bytes.size_bytes > MESSAGE_BYTES_MAX)
                        continue;
                check_many(decoder, ENCODING_PROTOBUF, buffer_slice(&bytes), "!too-many-metrics: report.metrics: expected at most 1024 metrics");
                put_protobuf_list(&bytes, 3, 2, too_many[i]);
                check_many(decoder, ENCODING_PROTOBUF, buffer_slice(&bytes), "!too-many-parameters: parameters.values: expected at most 1024");
        }
}

/* The most that fit into a frame: two bytes each. */
static void test_many_empty_metrics(void **state) {
        CLEANUP(decoder_freep) struct decoder *decoder = NULL;
        CLEANUP(buffer_release) struct buffer list = BUFFER_INIT(1 << 20);
        CLEANUP(buffer_release) struct buffer frame = BUFFER_INIT(1 << 20);

        (void)state;
        assert_int_equal(decoder_new(&decoder), 0);
        for (size_t i = 0; i < MESSAGE_BYTES_MAX / 2 - 4; i++)
                (void)buffer_append(&list, "\x2a\x00", 2);
        put_delimited(&frame, 2, buffer_slice(&list));
        assert_true(frame.size_bytes <= MESSAGE_BYTES_MAX);
        check_many(decoder, ENCODING_PROTOBUF, buffer_slice(&frame), "!too-many-metrics: ");
        for (size_t i = 0; i < list.size_bytes; i += 2)
                list.data[i] = '\x12';
        buffer_clear(&frame);
        put_delimited(&frame, 3, buffer_slice(&list));
        check_many(decoder, ENCODING_PROTOBUF, buffer_slice(&frame), "!too-many-parameters: ");
}

/* --- what only protobuf can say --- */

static void test_protobuf_bytes(void **state) {
        static const struct {
                struct slice frame;
                const char *said;
        } frames[] = {
                { SLICE(""), "unknown" },
                { SLICE("\x2a\x00"), "ping" },
                { SLICE("\x32\x02\x08\x01"), "unknown" },                     /* a message of a later version */
                { SLICE("\x12\x09\x11\0\0\0\0\0\0\xf0\x3f"), "report 0: EPOCH=1" },
                { SLICE("\x12\x0d\x11\0\0\0\0\0\0\xf0\x3f\x7a\x02hi"), "report 0: EPOCH=1" }, /* a field of one: 15, text */
                { SLICE("\x12\x10\x11\0\0\0\0\0\0\xf0\x3f\x78\x01\x7d\0\0\0\0"), "report 0: EPOCH=1" }, /* 15: varint, fixed32 */
                { SLICE("\x12\x12\x11\0\0\0\0\0\0\xf0\x3f\x11\0\0\0\0\0\0\0\x40"), "report 0: EPOCH=2" }, /* twice: the last */
                { SLICE("\x2a\x00\x22\x02\x10\x03"), "end status=3" },         /* of a oneof the last */
                { SLICE("\x22\x0b\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "end status=-1" },
                { SLICE("\x1a\x05\x12\x03\x0a\x01""a"), "parameters a=null" },
                { SLICE("\x1a\x07\x12\x05\x0a\x01""a\x20\x00"), "parameters a=false" },
                { SLICE("\x12\x05\x2a\x03\x0a\x01""a"), "report 0: a=0" },     /* a value that is absent is 0 */
                { SLICE("\x12\x02\x2a\x00"), "!name-empty: report.metrics: expected a name of 1 to 1024 bytes" },
                { SLICE("\x12\x05\x42\x03""a\0b"), "!invalid-utf8: frame: expected texts without U+0000" },
                { SLICE("\x12\x07\x08\x05\x42\x03""a\0b"), "!invalid-utf8 number=5: frame: expected texts without U+0000" },
                { SLICE("\x12\x05\x2a\x03\x0a\x01\0"), "!name-empty: report.metrics: expected a name of 1 to 1024 bytes" },
                { SLICE("\x12"), "!malformed: frame: expected a ClientMessage of agent.proto" },
                { SLICE("\x12\x05\x11"), "!malformed: frame: expected a ClientMessage of agent.proto" },
                { SLICE("\x00"), "!malformed: frame: expected a ClientMessage of agent.proto" },
                { SLICE("\x12\x02\x10\x01"), "!malformed: frame: expected a ClientMessage of agent.proto" }, /* epoch: a varint */
                { SLICE("\x13\x14"), "!malformed: frame: expected a ClientMessage of agent.proto" },         /* a group */
                { SLICE("{\"report\":{\"epoch\":1}}"), "!malformed: frame: expected a ClientMessage of agent.proto" },
                { SLICE("\x12\xff\xff\xff\xff\x0f"), "!malformed: frame: expected a ClientMessage of agent.proto" },
        };
        CLEANUP(decoder_freep) struct decoder *decoder = NULL;

        (void)state;
        assert_int_equal(decoder_new(&decoder), 0);
        for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
                check_protobuf(decoder, frames[i].frame, frames[i].said);
}

/* What is behind a message of unknown fields without end has to be bounded, too, and the decoder goes on. */
static void test_protobuf_many_unknown_fields(void **state) {
        CLEANUP(decoder_freep) struct decoder *decoder = NULL;
        CLEANUP(buffer_release) struct buffer bytes = BUFFER_INIT(64 << 20);
        CLEANUP(buffer_release) struct buffer said = BUFFER_INIT(1 << 20);

        (void)state;
        assert_int_equal(decoder_new(&decoder), 0);
        put_times(&bytes, "\x78\x01", 1000);
        check_protobuf(decoder, buffer_slice(&bytes), "unknown");
        put_times(&bytes, "\x78\x01", 64000);
        said_of_message(&said, decoder, ENCODING_PROTOBUF, buffer_slice(&bytes));
        assert_string_equal(buffer_string(&said), "!malformed: frame: expected fewer fields");
        check_protobuf(decoder, SLICE("\x2a\x00"), "ping");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_hello),
                cmocka_unit_test(test_report),
                cmocka_unit_test(test_parameters_end_ping),
                cmocka_unit_test(test_json_spellings),
                cmocka_unit_test(test_json_of_another_type),
                cmocka_unit_test(test_json_that_is_no_message),
                cmocka_unit_test(test_json_nesting),
                cmocka_unit_test(test_json_escapes_that_grow),
                cmocka_unit_test(test_json_nul),
                cmocka_unit_test(test_long_texts),
                cmocka_unit_test(test_long_names),
                cmocka_unit_test(test_limits_of_texts),
                cmocka_unit_test(test_many_metrics),
                cmocka_unit_test(test_many_empty_metrics),
                cmocka_unit_test(test_protobuf_bytes),
                cmocka_unit_test(test_protobuf_many_unknown_fields),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
