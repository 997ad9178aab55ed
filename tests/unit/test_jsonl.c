/* JSON lines: what counts, and what becomes of everything that is wrong. */
#include "said.h"

static void test_numbers_and_x(void **state) {
        (void)state;
        assert_said("jsonl", "{\"epoch\": 1, \"loss\": 0.5}\n{\"epoch\":2,\"loss\":-2.5e-3}\n",
                    "1: EPOCH=1 loss=0.5\n2: EPOCH=2 loss=-0.0025\n");
        assert_said("jsonl", "{\"global_step\": 10, \"step\": 3, \"loss\": 1}\n", "1: STEP=10 loss=1\n");
        assert_said("jsonl", "{\"step\": 3, \"global_step\": 10, \"loss\": 1}\n", "1: STEP=10 loss=1\n");
        assert_said("jsonl", "{\"trainer/global_step\": 10, \"loss/step\": 3}\n", "1: STEP=10 loss/step=3\n");
        assert_said("jsonl", "{\"Epoch\": 1, \"total_epochs\": 90, \"trial\": 4, \"x\": 1}\n",
                    "1: EPOCH=1 TRIAL=4 EPOCHS=90 x=1\n");
        assert_said("jsonl", "{\"loss\": 1}\n", "1: loss=1\n");
}

static void test_a_shape_that_changes(void **state) {
        (void)state;
        assert_said("jsonl",
                    "{\"epoch\": 1, \"loss\": 0.5}\n{\"epoch\": 2, \"loss\": 0.25}\n"
                    "{\"epoch\": 2, \"val\": 7}\n{\"epoch\": 3, \"loss\": 0.125, \"more\": 1}\n"
                    "{\"epoch\": 4, \"loss\": 0.0625, \"more\": {\"a\": 1}}\n"
                    "{\"epoch\": 5, \"loss\": 0.5, \"more\": {\"a\": 2}}\n{\"epoch\":6,\"loss\":1}\n",
                    "1: EPOCH=1 loss=0.5\n2: EPOCH=2 loss=0.25\n3: EPOCH=2 val=7\n"
                    "4: EPOCH=3 loss=0.125 more=1\n5: EPOCH=4 loss=0.0625 more/a=1\n"
                    "6: EPOCH=5 loss=0.5 more/a=2\n7: EPOCH=6 loss=1\n");
}

static void test_not_finite(void **state) {
        (void)state;
        assert_said("jsonl",
                    "{\"epoch\":1,\"a\":NaN,\"b\":Infinity,\"c\":-Infinity,\"d\":1e400,\"e\":\"nan\",\"f\":\"-inf\"}\n",
                    "1: EPOCH=1 a=NaN b=Inf c=-Inf d=Inf e=NaN f=-Inf\n");
}

static void test_numbers_as_text(void **state) {
        (void)state;
        assert_said("jsonl", "{\"epoch\":\"3\",\"loss\":\"0.21\",\"lr\":\" 1e-05 \",\"note\":\"0.5 or so\"}\n",
                    "1: EPOCH=3 loss=0.21 lr=1e-5\n");
        assert_said("jsonl", "{\"global_step/max_steps\": \"10/438\", \"percentage\": \"2.28%\", \"loss\": 1}\n",
                    "1: STEP=10 loss=1\n");
}

static void test_what_is_no_number_is_passed_over(void **state) {
        (void)state;
        assert_said("jsonl",
                    "{\"epoch\":1,\"ok\":true,\"none\":null,\"list\":[1,{\"a\":[\"]\"]},3],\"text\":\"a, \\\"b\\\"\","
                    "\"empty\":{},\"loss\":1}\n",
                    "1: EPOCH=1 loss=1\n");
        assert_said("jsonl", "{\"epoch\":1,\"pid\":77,\"eta_seconds\":5,\"eval_runtime\":3,\"config\":{\"lr\":1},\"l\":2}\n",
                    "1: EPOCH=1 l=2\n");
}

static void test_time(void **state) {
        (void)state;
        assert_said("jsonl", "{\"timestamp\": \"2021-12-02T14:27:51Z\", \"epoch\": 0, \"foo\": \"0.5\"}\n",
                    "1: EPOCH=0 TIME=1638455271 foo=0.5\n");
        assert_said("jsonl", "{\"time\": 1700000000.5, \"epoch\": 0, \"a\": 1}\n{\"time\": 12.5, \"epoch\": 1, \"a\": 1}\n",
                    "1: EPOCH=0 TIME=1700000000.5 a=1\n2: EPOCH=1 a=1\n");
        assert_said("jsonl", "{\"timestamp\": 1700000000500, \"epoch\": 0, \"a\": 1}\n",
                    "1: EPOCH=0 TIME=1700000000.5 a=1\n");
}

static void test_paths_and_the_end(void **state) {
        (void)state;
        assert_said("jsonl", "{\"output_path\": \"/mnt/a b\", \"checkpoint\": \"C:\\\\new\\u00e9\"}\n{\"end\": true}\n",
                    "1: OUTPUT=/mnt/a b CHECKPOINT=C:\\new\xc3\xa9\n2: END\n");
        assert_said("jsonl", "{\"end\": false, \"epoch\": 1, \"a\": 1}\n", "1: EPOCH=1 a=1\n");
}

static void test_strange_names(void **state) {
        (void)state;
        assert_said("jsonl", "{\"epoch\":1,\"train loss\":1,\"a/b\":2,\"\xc3\xa9t\xc3\xa9\":3,\"\\ud83d\\ude00\":4,\"\\ud83d\":5}\n",
                    "1: EPOCH=1 train loss=1 a/b=2 \xc3\xa9t\xc3\xa9=3 \xf0\x9f\x98\x80=4 \xef\xbf\xbd=5\n");
        assert_said("jsonl", "{\"epoch\":1,\"\":1,\"a\":2}\n", "1: EPOCH=1 a=2\n");
}

static void test_duplicate_keys_the_last_counts(void **state) {
        (void)state;
        assert_said("jsonl", "{\"epoch\":1,\"loss\":1,\"loss\":2}\n{\"epoch\":2,\"loss\":3,\"loss\":4}\n",
                    "1: EPOCH=1 loss=2\n2: EPOCH=2 loss=4\n");
}

static void test_line_ends_marks_and_blanks(void **state) {
        (void)state;
        assert_said("jsonl", "\xef\xbb\xbf{\"epoch\":1,\"a\":1}\r\n\r\n  {\"epoch\":2,\"a\":2}  \n{\"epoch\":3,\"a\":3}",
                    "1: EPOCH=1 a=1\n3: EPOCH=2 a=2\n4: EPOCH=3 a=3\n");
}

static void test_a_bad_line_is_one_reject(void **state) {
        (void)state;
        assert_said("jsonl", "{\"epoch\":1,\"a\":1}\nnoise\n{\"epoch\":2,\"a\":}\n{\"epoch\":2 \"a\":1}\n{\"epoch\":3,\"a\":3}\n",
                    "1: EPOCH=1 a=1\n2:1: expected a JSON object, { … }\n3:16: expected a value\n"
                    "4:12: expected a comma or }\n5: EPOCH=3 a=3\n");
        assert_said("jsonl", "{\"epoch\":1,\"a\":1} x\n{\"a\n{\"a\":1\n{a:1}\n[1]\n{\"a\":1,}\n{\"a\" 1}\n{\"a\":[1}\n",
                    "1:19: expected the end of the line after }\n2:4: expected a closing quote\n"
                    "3:7: expected a comma or }\n4:2: expected a key in quotes\n5:1: expected a JSON object, { … }\n"
                    "6:8: expected a key in quotes\n7:6: expected a colon after the key\n8:8: expected the bracket that was opened to be closed first\n");
}

static void test_nul_bytes(void **state) {
        (void)state;
        assert_said_bytes("jsonl", SLICE("{\"epoch\":1,\"a\":1}\n\0\0\0\0\n{\"epoch\":2,\"a\0\":1}\n{\"epoch\":3,\"a\":3}\n"),
                          "1: EPOCH=1 a=1\n2:1: expected a JSON object, { … }\n3:14: expected no NUL byte\n"
                          "4: EPOCH=3 a=3\n");
}

static void test_nesting(void **state) {
        (void)state;
        assert_said("jsonl", "{\"epoch\":1,\"a\":{\"b\":{\"c\":1},\"d\":2},\"e\":3}\n{\"epoch\":2,\"a\":{\"b\":{\"c\":4},\"d\":5},\"e\":6}\n",
                    "1: EPOCH=1 a/b/c=1 a/d=2 e=3\n2: EPOCH=2 a/b/c=4 a/d=5 e=6\n");
        assert_said("jsonl", "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}}\n",
                    "1:41: expected at most 8 levels of objects\n");
}

static void test_many_keys(void **state) {
        CLEANUP(buffer_release) struct buffer line = BUFFER_INIT(1 << 20), said = BUFFER_INIT(1 << 20);

        (void)state;
        (void)buffer_append_string(&line, "{\"epoch\":1");
        for (int i = 0; i < 3000; i++)
                (void)buffer_printf(&line, ",\"m%d\":%d", i, i);
        (void)buffer_append_string(&line, "}\n{\"epoch\":2,\"a\":1}\n");
        said_of_bytes(&said, format_find(SLICE("jsonl")), buffer_slice(&line), 0);
        assert_non_null(strstr(buffer_string(&said), " m1000=1000"));
        assert_null(strstr(buffer_string(&said), " m2999="));
        assert_non_null(strstr(buffer_string(&said), "\n2: EPOCH=2 a=1\n"));
}

static void test_recognised_by_content(void **state) {
        (void)state;
        /* One object without x could be settings; two are lines. */
        assert_said(NULL, "{\"loss\": 0.1}\n{\"loss\": 0.2}\n", "1: loss=0.1\n2: loss=0.2\n");
        assert_said(NULL, "{\"loss\": 0.1, \"step\": 1}", "1: STEP=1 loss=0.1\n");
        assert_int_equal(format_find(SLICE("jsonl"))->recognise(SLICE("{\"name\": \"x\"}\n{\"name\": \"y\"}\n"), SLICE("x"), true),
                         RECOGNITION_NO);
        /* Names that say nothing: an x that grows is enough, one that does not is none. */
        assert_said(NULL, "{\"step\": 1, \"foo\": 3}\n{\"step\": 2, \"foo\": 4}\n", "1: STEP=1 foo=3\n2: STEP=2 foo=4\n");
        assert_said(NULL, "{\"step\": 1, \"foo\": 3}\n{\"step\": 1, \"foo\": 4}\n", "");
        assert_said(NULL, "{\"epoch\": 1, \"foo\": 3}\n", "1: EPOCH=1 foo=3\n");
        /* Settings first. */
        assert_said(NULL, "{\"lr\": 0.1, \"layers\": 3, \"epochs\": 9}\n{\"epoch\": 1, \"loss\": 3}\n{\"epoch\": 2, \"loss\": 2}\n",
                    "1: EPOCHS=9\n2: EPOCH=1 loss=3\n3: EPOCH=2 loss=2\n");
}

/* Lines below other text are those of the format text. */
static enum recognition recognise(const char *path, const char *text, bool final) {
        return format_find(SLICE("jsonl"))->recognise(slice_from(text), slice_from(path), final);
}

static void test_what_is_of_other_formats(void **state) {
        (void)state;
        assert_int_equal(recognise("x", "Loading data\n{\"epoch\": 1, \"loss\": 2}\n", true), RECOGNITION_NO);
        assert_int_equal(recognise("x", "{'epoch': 1, 'loss': 0.5}\n", true), RECOGNITION_NO);
        assert_int_equal(recognise("x", "{\n  \"epoch\": 1,\n  \"loss\": 0.5\n}\n", false), RECOGNITION_NO);
        /* A line that may be all of a document waits for the second. */
        assert_int_equal(recognise("x/metrics.json", "{\"epoch\": 1, \"loss\": 2}\n", false), RECOGNITION_MORE);
        assert_int_equal(recognise("x/metrics.json", "{\"epoch\": 1, \"loss\": 2}\n", true), RECOGNITION_NO);
        assert_int_equal(recognise("x/metrics.json", "{\"epoch\": 1, \"loss\": 2}\n{", false), RECOGNITION_YES);
        assert_int_equal(recognise("x", "{\"epoch\": 1, \"loss\": 2, \"log_history\": [{}]}\n", false), RECOGNITION_MORE);
        assert_int_equal(recognise("x", "{\"epoch\": 1, \"loss\": 2}\n", false), RECOGNITION_YES);
        assert_int_equal(recognise("x", "\n\n", true), RECOGNITION_NO);
}

/* No structured format takes it; what the format text makes of it is for its own tests. */
static void assert_unclaimed(const char *text) {
        static const char *const names[] = { "jsonl", "json", "csv" };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (format_find(slice_from(names[i]))->recognise(slice_from(text), SLICE("test"), true) == RECOGNITION_YES)
                        fail_msg("%s takes %s", names[i], text);
}

static void test_data_and_predictions_give_nothing(void **state) {
        (void)state;
        assert_unclaimed("{\"id\":1,\"label\":\"cat\",\"score\":0.93}\n{\"id\":2,\"label\":\"dog\",\"score\":0.5}\n");
        assert_unclaimed("{\"text\":\"good\",\"label\":1}\n{\"text\":\"bad\",\"label\":0}\n");
        assert_unclaimed("{\"<pad>\":0,\"the\":2,\"loss\":3,\"epoch\":5}\n{\"a\":0}\n");
        assert_unclaimed("{\"score\":0.93}\n{\"score\":0.5}\n");
        assert_unclaimed("{\"model\":\"a\",\"accuracy\":0.93}\n{\"model\":\"b\",\"accuracy\":0.5}\n");
        assert_unclaimed("{\"prompt\":\"a\",\"reward\":0.9,\"step\":1}\n{\"prompt\":\"b\",\"reward\":0.5,\"step\":2}\n");
        assert_unclaimed("{\"step\":1,\"action\":2,\"reward\":0.9}\n{\"step\":2,\"action\":2,\"reward\":0.5}\n");
        assert_unclaimed("{\"level\":\"info\",\"msg\":\"request\",\"time\":\"2024-01-01T00:00:00Z\",\"status\":200,\"latency\":0.02}\n"
                    "{\"level\":\"info\",\"msg\":\"request\",\"time\":\"2024-01-01T00:00:01Z\",\"status\":404,\"latency\":0.01}\n");
        assert_unclaimed("{\"event\":\"login\",\"user\":7}\n{\"event\":\"logout\",\"user\":7}\n");
}

static void test_application_logs(void **state) {
        (void)state;
        assert_said(NULL,
                    "{\"level\":\"info\",\"ts\":1700000000.5,\"msg\":\"start\",\"workers\":4}\n"
                    "{\"level\":\"info\",\"ts\":1700000001.5,\"msg\":\"epoch done\",\"epoch\":3,\"loss\":0.5,\"took\":3}\n"
                    "{\"level\":\"info\",\"ts\":1700000002.5,\"msg\":\"saved\",\"files\":4}\n",
                    "2: EPOCH=3 TIME=1700000001.5 loss=0.5 took=3\n");
        assert_said(NULL,
                    "{\"name\":\"t\",\"hostname\":\"h\",\"pid\":7,\"level\":30,\"epoch\":1,\"loss\":2,\"msg\":\"e\",\"v\":0}\n",
                    "1: EPOCH=1 loss=2\n");
}

static void test_mmengine(void **state) {
        (void)state;
        assert_said(NULL,
                    "{\"lr\": 0.02, \"data_time\": 0.1, \"loss\": 1.5, \"time\": 0.1, \"epoch\": 1, \"iter\": 69, \"memory\": 3060, \"step\": 69}\n"
                    "{\"accuracy/top1\": 43.1, \"data_time\": 0.09, \"time\": 0.1, \"step\": 1}\n"
                    "{\"lr\": 0.02, \"data_time\": 0.1, \"loss\": 0.5, \"time\": 0.1, \"epoch\": 2, \"iter\": 138, \"memory\": 3060, \"step\": 138}\n"
                    "{\"accuracy/top1\": 70.9, \"data_time\": 0.09, \"time\": 0.1, \"step\": 2}\n",
                    "1: EPOCH=1 STEP=69 lr=0.02 loss=1.5\n2: EPOCH=1 accuracy/top1=43.1\n"
                    "3: EPOCH=2 STEP=138 lr=0.02 loss=0.5\n4: EPOCH=2 accuracy/top1=70.9\n");
}

static void test_lines_that_say_train_or_val(void **state) {
        (void)state;
        assert_said(NULL,
                    "{\"env_info\": \"sys.platform: linux\", \"seed\": 0, \"exp_name\": \"r50\"}\n"
                    "{\"mode\": \"train\", \"epoch\": 1, \"iter\": 50, \"lr\": 0.01, \"memory\": 900, \"loss\": 2.5, \"acc\": 10}\n"
                    "{\"mode\": \"val\", \"epoch\": 1, \"iter\": 9, \"lr\": 0.01, \"loss\": 2.25, \"acc\": 12, \"mAP\": 0.5}\n",
                    "2: EPOCH=1 STEP=50 lr=0.01 loss=2.5 acc=10\n"
                    "3: EPOCH=1 STEP=9 lr=0.01 val/loss=2.25 val/acc=12 mAP=0.5\n");
        assert_said(NULL,
                    "{\"split\": \"train\", \"epoch\": 1, \"loss\": 2}\n{\"split\": \"test\", \"epoch\": 1, \"loss\": 3}\n"
                    "{\"split\": \"train\", \"epoch\": 2, \"loss\": 1}\n",
                    "1: EPOCH=1 loss=2\n2: EPOCH=1 test/loss=3\n3: EPOCH=2 loss=1\n");
}

static void test_lines_of_frameworks(void **state) {
        (void)state;
        /* cloudml-hypertune, fairseq, ms-swift, Ray. */
        assert_said(NULL, "{\"timestamp\": 1700000000.5, \"trial\": \"0\", \"loss\": \"0.5\", \"global_step\": \"3\", \"checkpoint_path\": \"\"}\n",
                    "1: STEP=3 TRIAL=0 TIME=1700000000.5 loss=0.5\n");
        assert_said(NULL, "{\"epoch\": 1, \"update\": 0.0, \"loss\": \"16.475\", \"ppl\": \"91120.8\", \"wps\": \"0\", \"bsz\": \"8\","
                          " \"num_updates\": \"1\", \"lr\": \"2e-05\", \"gnorm\": \"20.751\", \"train_wall\": \"1\", \"gb_free\": \"9\"}\n",
                    "1: EPOCH=1 STEP=1 loss=16.475 ppl=91120.8 lr=2e-5 gnorm=20.751\n");
        assert_said(NULL, "{\"loss\": 2.5, \"token_acc\": 0.5, \"epoch\": 0.02, \"global_step/max_steps\": \"10/438\", \"percentage\": \"2.28%\","
                          " \"elapsed_time\": \"51s\", \"memory(GiB)\": 37.5, \"train_speed(iter/s)\": 0.2}\n",
                    "1: EPOCH=0.02 STEP=10 loss=2.5 token_acc=0.5\n");
        assert_said(NULL, "{\"loss\": 1.5, \"epoch\": 1}\n{\"train_runtime\": 9.5, \"train_loss\": 1.25, \"epoch\": 2}\n",
                    "1: EPOCH=1 loss=1.5\n2: EPOCH=2\n");
        assert_said(NULL, "{\"episode_reward_mean\": 1.5, \"training_iteration\": 1, \"time_total_s\": 20, \"done\": false, \"pid\": 3,"
                          " \"episodes_total\": 4, \"timestamp\": 1700000000, \"config\": {\"model\": {\"dim\": 84}}, \"timers\": {\"learn\": 3}}\n",
                    "1: STEP=1 TIME=1700000000 episode_reward_mean=1.5\n");
}

static void test_lists_are_counted(void **state) {
        CLEANUP(buffer_release) struct buffer said = BUFFER_INIT(1 << 20);
        const struct record_sink sink = { &said, said_record, said_reject, said_reject };
        const struct stream_config config = { .source = SLICE("test"), .sink = &sink };
        CLEANUP(stream_freep) struct stream *stream = NULL;

        (void)state;
        assert_int_equal(stream_new(&stream, &config), 0);
        assert_int_equal(stream_push(stream, SLICE("{\"epoch\":1,\"loss\":2,\"ap\":[1,2]}\n{\"epoch\":2,\"loss\":1,\"ap\":[1]}\n")), 0);
        assert_string_equal(buffer_string(&said),
                            "1:0: expected lists, which are no numbers, here and in lines like this\n"
                            "1: EPOCH=1 loss=2\n2: EPOCH=2 loss=1\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_numbers_and_x),
                cmocka_unit_test(test_a_shape_that_changes),
                cmocka_unit_test(test_not_finite),
                cmocka_unit_test(test_numbers_as_text),
                cmocka_unit_test(test_what_is_no_number_is_passed_over),
                cmocka_unit_test(test_time),
                cmocka_unit_test(test_paths_and_the_end),
                cmocka_unit_test(test_strange_names),
                cmocka_unit_test(test_duplicate_keys_the_last_counts),
                cmocka_unit_test(test_line_ends_marks_and_blanks),
                cmocka_unit_test(test_a_bad_line_is_one_reject),
                cmocka_unit_test(test_nul_bytes),
                cmocka_unit_test(test_nesting),
                cmocka_unit_test(test_many_keys),
                cmocka_unit_test(test_recognised_by_content),
                cmocka_unit_test(test_what_is_of_other_formats),
                cmocka_unit_test(test_data_and_predictions_give_nothing),
                cmocka_unit_test(test_application_logs),
                cmocka_unit_test(test_mmengine),
                cmocka_unit_test(test_lines_that_say_train_or_val),
                cmocka_unit_test(test_lines_of_frameworks),
                cmocka_unit_test(test_lists_are_counted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
