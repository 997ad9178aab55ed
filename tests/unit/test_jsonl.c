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
        assert_said("jsonl", "{\"epoch\":1,\"pid\":77,\"eta_seconds\":5,\"train_runtime\":3,\"config\":{\"lr\":1},\"l\":2}\n",
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
        assert_said(NULL, "{\"lr\": 0.1, \"layers\": 3}\n", "");
        assert_said(NULL, "{\"loss\": 0.1}\n{\"loss\": 0.2}\n", "1: loss=0.1\n2: loss=0.2\n");
        assert_said(NULL, "{\"loss\": 0.1, \"step\": 1}", "1: STEP=1 loss=0.1\n");
        /* A document over several lines is none, nor is a text. */
        assert_said(NULL, "{\n  \"epoch\": 1,\n  \"loss\": 0.5\n}\n", "");
        assert_said(NULL, "{'epoch': 1, 'loss': 0.5}\n", "");
        assert_said(NULL, "{\"name\": \"x\"}\n{\"name\": \"y\"}\n", "");
        /* Below other lines, from the first that says where it is. */
        assert_said(NULL, "Loading data\n{\"lr\": 0.1}\n{\"epoch\": 1, \"loss\": 2}\n{\"epoch\": 2, \"loss\": 1}\n",
                    "3: EPOCH=1 loss=2\n4: EPOCH=2 loss=1\n");
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
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
