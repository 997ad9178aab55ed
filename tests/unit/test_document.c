/* JSON documents: the shapes of histories, snapshots, and what is neither. */
#include "said.h"

static void test_log_history(void **state) {
        (void)state;
        assert_said_file("out/checkpoint-500/trainer_state.json", NULL,
                         SLICE("{\n  \"best_metric\": 0.5,\n  \"epoch\": 2.0,\n  \"global_step\": 20,\n  \"log_history\": [\n"
                               "    {\"epoch\": 1.0, \"grad_norm\": 3.5, \"learning_rate\": 1e-05, \"loss\": 2.5, \"step\": 10},\n"
                               "    {\"epoch\": 1.0, \"eval_loss\": 2.25, \"eval_runtime\": 3, \"eval_samples_per_second\": 9, \"step\": 10},\n"
                               "    {\"epoch\": 2.0, \"step\": 20, \"total_flos\": 1e18, \"train_loss\": 2, \"train_runtime\": 9}\n"
                               "  ],\n  \"max_steps\": 20,\n  \"num_train_epochs\": 2\n}\n"),
                         "0: EPOCHS=2\n0: EPOCH=1 STEP=10 grad_norm=3.5 learning_rate=1e-5 loss=2.5\n"
                         "0: EPOCH=1 STEP=10 eval_loss=2.25\n");
        /* On one line. */
        assert_said(NULL, "{\"epoch\": 1, \"global_step\": 2, \"loss\": 9, \"log_history\": [{\"loss\": 2.5, \"epoch\": 1, \"step\": 2}]}",
                    "0: EPOCH=1 STEP=2 loss=2.5\n");
}

static void test_columns(void **state) {
        (void)state;
        assert_said(NULL, "{\"loss\": [0.5, 0.25], \"val_loss\": [0.75, NaN], \"lr\": [0.1, 0.1]}",
                    "0: loss=0.5 val_loss=0.75 lr=0.1\n0: loss=0.25 val_loss=NaN lr=0.1\n");
        assert_said(NULL, "{\"epoch\": [1, 2], \"acc\": [0.5, 0.25]}", "0: EPOCH=1 acc=0.5\n0: EPOCH=2 acc=0.25\n");
        assert_said(NULL, "{\n\"epochs\": [1, 2], \"train\": {\"loss\": [2, 1]}, \"val\": {\"loss\": [3, null]}, \"config\": {\"loss\": [1, 2]}}",
                    "0: train/loss=2\n0: train/loss=1\n0: val/loss=3\n");
        assert_said(NULL, "{\"history\": {\"loss\": [0.5, 0.25], \"time\": [12.5, 12.25]}, \"name\": \"x\"}", "0: loss=0.5\n0: loss=0.25\n");
        /* XGBoost's evals_result; columns of different length. */
        assert_said(NULL, "{\"train\": {\"rmse\": [2, 1]}, \"eval\": {\"rmse\": [3, 2]}}",
                    "0: train/rmse=2\n0: train/rmse=1\n0: eval/rmse=3\n0: eval/rmse=2\n");
        assert_said(NULL, "{\"train_loss\": [3, 2, 1], \"val_acc\": [0.5, 0.75], \"best_epoch\": 2}",
                    "0: train_loss=3\n0: train_loss=2\n0: train_loss=1\n0: val_acc=0.5\n0: val_acc=0.75\n");
}

static void test_pandas(void **state) {
        (void)state;
        assert_said(NULL, "{\"loss\":{\"0\":0.5,\"1\":0.25},\"val_loss\":{\"0\":0.75,\"1\":null}}",
                    "0: loss=0.5 val_loss=0.75\n0: loss=0.25\n");
        assert_said(NULL, "[{\"loss\":0.5,\"val_loss\":0.75},{\"loss\":0.25,\"val_loss\":0.5}]",
                    "0: loss=0.5 val_loss=0.75\n0: loss=0.25 val_loss=0.5\n");
        assert_said(NULL, "{\"0\":{\"loss\":0.5},\"1\":{\"loss\":0.25}}", "0: loss=0.5\n0: loss=0.25\n");
        assert_said(NULL, "{\"epoch_1\":{\"acc\":0.5},\"epoch_2\":{\"acc\":0.25}}", "0: EPOCH=1 acc=0.5\n0: EPOCH=2 acc=0.25\n");
}

static void test_records(void **state) {
        (void)state;
        assert_said(NULL, "[\n{\"epoch\": 1, \"train\": {\"loss\": 2}, \"lists\": [1, 2]},\n{\"epoch\": 2, \"train\": {\"loss\": 1}}\n]\n",
                    "0: EPOCH=1 train/loss=2\n0: EPOCH=2 train/loss=1\n");
        assert_said(NULL, "{\n\"train\": [{\"epoch\": 1, \"loss\": 2}], \"val\": [{\"epoch\": 1, \"loss\": 3}]}\n",
                    "0: EPOCH=1 train/loss=2\n0: EPOCH=1 val/loss=3\n");
        assert_said(NULL, "{\"iterations\": [{\"iteration\": 1, \"loss\": 2}]}", "0: STEP=1 loss=2\n");
}

static void test_catboost(void **state) {
        (void)state;
        assert_said_file("catboost_info/catboost_training.json", NULL,
                         SLICE("{\n\"meta\":{\"test_sets\":[\"test\"],\"test_metrics\":[{\"best_value\":\"Min\",\"name\":\"Logloss\"},"
                               "{\"best_value\":\"Max\",\"name\":\"AUC\"}],\"learn_metrics\":[{\"best_value\":\"Min\",\"name\":\"Logloss\"}],"
                               "\"launch_mode\":\"Train\",\"iteration_count\":500,\"learn_sets\":[\"learn\"],\"name\":\"experiment\"},\n"
                               "\"iterations\":[\n"
                               "{\"learn\":[0.5],\"iteration\":0,\"passed_time\":0.04,\"remaining_time\":21.3,\"test\":[0.75,\"nan\"]},\n"
                               "{\"learn\":[0.25],\"iteration\":1,\"passed_time\":0.07,\"remaining_time\":18.3,\"test\":[0.5,0.5]}\n]}"),
                         "0: STEP=0 learn/Logloss=0.5 test/Logloss=0.75 test/AUC=NaN\n"
                         "0: STEP=1 learn/Logloss=0.25 test/Logloss=0.5 test/AUC=0.5\n");
}

static void test_sacred(void **state) {
        (void)state;
        assert_said(NULL,
                    "{\n  \"traning.ep_rew_ag0\": {\n    \"steps\": [\n      73,\n      147\n    ],\n    \"timestamps\": [\n"
                    "      \"2021-12-02T14:27:51.5\",\n      \"2021-12-02T14:27:52\"\n    ],\n    \"values\": [\n      1.5,\n      NaN\n    ]\n  },\n"
                    "  \"foo\": {\"steps\": [1], \"timestamps\": [\"2021-12-02T14:27:51\"], \"values\": [2]}\n}",
                    "0: STEP=73 TIME=1638455271.5 traning.ep_rew_ag0=1.5\n"
                    "0: STEP=147 TIME=1638455272 traning.ep_rew_ag0=NaN\n0: STEP=1 TIME=1638455271 foo=2\n");
        assert_said(NULL, "{\"val\": {\"loss\": {\"x\": [1, 2], \"y\": [0.5, 0.25]}, \"foo\": {\"x\": [1], \"y\": [2]}}}",
                    "0: STEP=1 val/loss=0.5\n0: STEP=2 val/loss=0.25\n");
}

static void test_tensorboard(void **state) {
        (void)state;
        assert_said_file("d/run-train-tag-epoch_loss.json", NULL, SLICE("[[1700000000.5, 0, 0.5], [1700000001.5, 1, 0.25]]"),
                         "0: STEP=0 TIME=1700000000.5 epoch_loss=0.5\n0: STEP=1 TIME=1700000001.5 epoch_loss=0.25\n");
        assert_said(NULL, "[[1, 0, 0.5], [2, 1, 0.25]]", "");
}

static void test_snapshots(void **state) {
        (void)state;
        assert_said_file("out/all_results.json", NULL,
                         SLICE("{\n    \"epoch\": 4.0,\n    \"total_flos\": 2.5e+18,\n    \"train_loss\": 0.25,\n    \"train_runtime\": 20387.7\n}"),
                         "0: EPOCH=4 SNAPSHOT train_loss=0.25\n");
        assert_said_file("out/all_results.json", NULL, SLICE("{\"epoch\": 4.0, \"train_loss\": 0.25}\n"), "0: EPOCH=4 SNAPSHOT train_loss=0.25\n");
        assert_said_file("dvclive/metrics.json", NULL,
                         SLICE("{\n    \"loss\": 0.5,\n    \"step\": 214,\n    \"eval\": {\n        \"loss\": 0.75,\n        \"runtime\": 92.5\n    }\n}"),
                         "0: STEP=214 SNAPSHOT loss=0.5 eval/loss=0.75\n");
        assert_said_file("wandb-summary.json", NULL, SLICE("{\"_step\":7,\"loss\":0.5,\"_timestamp\":1700000000.5,\"_wandb\":{\"runtime\":11},\"_runtime\":11.3}"),
                         "0: STEP=7 TIME=1700000000.5 SNAPSHOT loss=0.5\n");
        assert_said_file("metrics.json", NULL, SLICE("{\"accuracy\": 0.5}"), "0: SNAPSHOT accuracy=0.5\n");
        /* Neither where nor how long, and a name of anything; settings. */
        assert_said_file("x.json", NULL, SLICE("{\"accuracy\": 0.5}"), "");
        assert_said_file("config.json", NULL, SLICE("{\n\"epoch\": 5, \"loss\": 0.5}"), "");
        assert_said_file("metrics.json", NULL, SLICE("{\"System/Peak GPU Memory (MB)\": 9418.5, \"step\": 1}"), "");
}

static void test_what_is_no_history(void **state) {
        (void)state;
        assert_said(NULL, "{\n  \"hidden_size\": 768,\n  \"dropout\": [0.1, 0.2],\n  \"lr\": 0.1,\n  \"epochs\": 10\n}\n", "");
        assert_said(NULL, "[{\"image_id\": 42, \"category_id\": 18, \"bbox\": [1, 2, 3, 4], \"score\": 0.236}, {\"image_id\": 43, \"score\": 0.3}]", "");
        assert_said(NULL, "{\n\"images\": [{\"id\": 1, \"width\": 3}], \"annotations\": [{\"id\": 1, \"area\": 4.5, \"iscrowd\": 0}]}", "");
        assert_said(NULL, "{\"boxes\": [[1, 2]], \"labels\": [1, 2], \"scores\": [0.5, 0.25]}", "");
        assert_said(NULL, "{\"precision\": [1, 0.5], \"recall\": [0, 1], \"thresholds\": [0.1, 0.2]}", "");
        assert_said(NULL, "{\"fit_time\": [1, 2], \"score_time\": [1, 2], \"test_accuracy\": [0.5, 0.75]}", "");
        assert_said(NULL, "{\"a\": [0.1, 0.2, 0.3], \"b\": [0.1, 0.2, 0.3]}", "");
        assert_said(NULL, "[[0.1, 0.2, 0.3], [0.1, 0.2, 0.3]]", "");
        assert_said(NULL, "{\n\"apiVersion\": \"v1\", \"kind\": \"Result\", \"status\": {\"epoch\": 3, \"loss\": 0.5}}", "");
        assert_said(NULL, "[1, 2, 3]", "");
        assert_said(NULL, "[]", "");
        assert_said(NULL, "{}", "");
        assert_said(NULL, "[{\"model\": \"a\", \"accuracy\": 0.5}, {\"model\": \"b\", \"accuracy\": 0.75}]", "");
        assert_said(NULL, "[{\"lr\": 0.1, \"hidden\": 32, \"accuracy\": 0.5}, {\"lr\": 0.2, \"hidden\": 64, \"accuracy\": 0.75}]", "");
        assert_said(NULL, "[{\"step\": 1, \"action\": 0, \"reward\": 1.5}, {\"step\": 2, \"action\": 0, \"reward\": 1.5}]", "");
        assert_said(NULL, "{\n\"cells\": [{\"execution_count\": 1, \"outputs\": [{\"epoch\": 1, \"loss\": 2}]}], \"nbformat\": 4}", "");
}

static void test_broken_documents(void **state) {
        (void)state;
        assert_said(NULL, "{\n\"loss\": [1, 2,\n", "3:1: expected a value; nothing of the document counts\n");
        assert_said(NULL, "{\n\"loss\": [1, 2]\n\"a\": 1}", "3:1: expected a comma or }\n");
        assert_said(NULL, "{\n\"loss\": [1, \"a\\\"]}", "2:19: expected a closing quote; nothing of the document counts\n");
        assert_said("json", "", "");
        assert_said("json", "{\"loss\": [1, 2]} and more", "0: loss=1\n0: loss=2\n1:9: expected a value; nothing of the document counts\n");
        assert_said("json", "{\n\"a\" 1}\n{\n\"loss\": [1,,\n2]}\n", "2:5: expected a colon after the key\n4:12: expected a value\n");
        assert_said("json", "\xef\xbb\xbf\n {\"loss\": [1, 2]}\n", "0: loss=1\n0: loss=2\n");
        assert_said("json", "true", "1:5: expected a JSON object or list; nothing of the document counts\n");
}

/* A trainer that prints its settings first, and one that prints a document each epoch. */
static void test_what_follows_a_document(void **state) {
        (void)state;
        assert_said(NULL, "{\n  \"lr\": 0.1,\n  \"epochs\": 3\n}\nEpoch 1 loss: 0.5\nEpoch 2 loss: 0.25\n",
                    "5: EPOCH=1 loss=0.5\n6: EPOCH=2 loss=0.25\n");
        assert_said(NULL, "{\n  \"epoch\": 1,\n  \"loss\": 0.5\n}\n{\n  \"epoch\": 2,\n  \"loss\": 0.25\n}\n",
                    "0: EPOCH=1 SNAPSHOT loss=0.5\n0: EPOCH=2 SNAPSHOT loss=0.25\n");
}

static enum recognition recognise(const char *text, bool final) {
        return format_find(SLICE("json"))->recognise(slice_from(text), SLICE("x"), final);
}

static void test_recognised_by_its_start(void **state) {
        (void)state;
        assert_int_equal(recognise("", false), RECOGNITION_MORE);
        assert_int_equal(recognise("{", false), RECOGNITION_MORE);
        assert_int_equal(recognise("{\n \"a\"", false), RECOGNITION_MORE);
        assert_int_equal(recognise("{\n \"a\":", false), RECOGNITION_YES);
        assert_int_equal(recognise("{\"a\": 1,\n", false), RECOGNITION_YES);
        assert_int_equal(recognise("{\"a\": 1}\n", false), RECOGNITION_MORE);
        assert_int_equal(recognise("{\"a\": 1}\n", true), RECOGNITION_YES);
        assert_int_equal(recognise("{\"a\": 1}\n{", false), RECOGNITION_NO);
        assert_int_equal(recognise("{'a': 1}\n", false), RECOGNITION_NO);
        assert_int_equal(recognise("{\n  int i;\n", false), RECOGNITION_NO);
        assert_int_equal(recognise("[2021-05-25 22:30:04,195] [INFO]", false), RECOGNITION_NO);
        assert_int_equal(recognise("[0]\ttrain-rmse:21.6\n", false), RECOGNITION_NO);
        assert_int_equal(recognise("[[1, 2], ", false), RECOGNITION_YES);
        assert_int_equal(recognise("[{\"a\": 1}", false), RECOGNITION_MORE);
        assert_int_equal(recognise("[{\"a\": 1}]", false), RECOGNITION_YES);
        assert_int_equal(recognise("[INFO] a", false), RECOGNITION_NO);
        assert_int_equal(recognise("\xef\xbb", false), RECOGNITION_MORE);
}

/* The file changes: it is read again, and a half-written version in between says nothing. */
static void test_rewritten(void **state) {
        CLEANUP(buffer_release) struct buffer said = BUFFER_INIT(1 << 20);
        const struct record_sink sink = { .userdata = &said, .take_record = said_record, .take_reject = said_reject };
        const struct stream_config config = { .source = SLICE("test"), .sink = &sink };
        CLEANUP(stream_freep) struct stream *stream = NULL;

        (void)state;
        assert_int_equal(stream_new(&stream, &config), 0);
        assert_int_equal(stream_push(stream, SLICE("{\n\"loss\": [1, 2]}\n")), 0);
        stream_restart(stream);
        assert_int_equal(stream_push(stream, SLICE("{\n\"loss\": [1, ")), 0);
        stream_restart(stream);
        assert_int_equal(stream_push(stream, SLICE("{\n\"loss\": [1, 2, 3]}\n")), 0);
        assert_int_equal(stream_finish(stream), 0);
        assert_string_equal(buffer_string(&said), "0: loss=1\n0: loss=2\n0: loss=1\n0: loss=2\n0: loss=3\n");
}

static void test_deep_and_wide(void **state) {
        CLEANUP(buffer_release) struct buffer text = BUFFER_INIT(1 << 22), said = BUFFER_INIT(1 << 20);

        (void)state;
        for (int i = 0; i < 100000; i++)
                (void)buffer_append_string(&text, i ? "{\"a\":" : "{\n\"a\":");
        said_of_bytes(&said, NULL, buffer_slice(&text), 0);
        assert_non_null(strstr(buffer_string(&said), "at most 64 levels"));
        buffer_clear(&text);
        buffer_clear(&said);
        (void)buffer_append_string(&text, "{\n");
        for (int i = 0; i < 5000; i++)
                (void)buffer_printf(&text, "%s\"loss%d\":[1,2]", i ? "," : "", i);
        (void)buffer_append_string(&text, "}");
        said_of_bytes(&said, NULL, buffer_slice(&text), 0);
        assert_non_null(strstr(buffer_string(&said), " loss1000=1"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_log_history),
                cmocka_unit_test(test_columns),
                cmocka_unit_test(test_pandas),
                cmocka_unit_test(test_records),
                cmocka_unit_test(test_catboost),
                cmocka_unit_test(test_sacred),
                cmocka_unit_test(test_tensorboard),
                cmocka_unit_test(test_snapshots),
                cmocka_unit_test(test_what_is_no_history),
                cmocka_unit_test(test_broken_documents),
                cmocka_unit_test(test_what_follows_a_document),
                cmocka_unit_test(test_recognised_by_its_start),
                cmocka_unit_test(test_rewritten),
                cmocka_unit_test(test_deep_and_wide),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
