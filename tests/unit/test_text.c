/* Lines that trainers print for people: what each shape of them comes to, and what counts for nothing. */
#include "said.h"

#include <time.h>

#include "formats/filters.h"

static void assert_text(const char *text, const char *expected) {
        assert_said("text", text, expected);
}

static void assert_nothing(const char *text) {
        assert_text(text, "");
}

/* --- lines that say where they are --- */

static void test_own_x(void **state) {
        (void)state;
        assert_text("Epoch 1/3 loss=0.5 acc=0.25\nEpoch 2/3 loss=0.25 acc=0.5\n",
                    "1: EPOCH=1 EPOCHS=3 loss=0.5 acc=0.25\n2: EPOCH=2 EPOCHS=3 loss=0.25 acc=0.5\n");
        assert_text("step 10: train loss 0.5, val loss 0.75\nstep 20: train loss 0.25, val loss 0.5\n",
                    "1: STEP=10 train loss=0.5 val loss=0.75\n2: STEP=20 train loss=0.25 val loss=0.5\n");
        assert_text("Epoch [1/6], Step [2/8], Loss: 0.5\n", "1: EPOCH=1 STEP=2 EPOCHS=6 Loss=0.5\n");
        assert_text("[1,  2000] loss: 0.5\n[1,  4000] loss: 0.25\n", "1: EPOCH=1 STEP=2000 loss=0.5\n2: EPOCH=1 STEP=4000 loss=0.25\n");
        assert_text("Iteration 100, loss = 0.5\nIteration 200, loss = 0.25\n", "1: STEP=100 loss=0.5\n2: STEP=200 loss=0.25\n");
        assert_text("Score at iteration 100 is 1.5\n", "1: STEP=100 Score=1.5\n");
        assert_text("[LightGBM] [Info] Iteration:1, training auc : 0.5\n", "1: STEP=1 training auc=0.5\n");
        assert_text("step:1/100 train_loss:0.5 train_time:100ms step_avg:1.5ms\n", "1: STEP=1 train_loss=0.5\n");
        assert_text(" iteration        1/     100 | consumed samples:          512 | elapsed time per iteration (ms): 5000.5 |"
                    " learning rate: 1.5E-05 | lm loss: 1.5E+01 | loss scale: 4096.0 | grad norm: 2.5 |\n",
                    "1: STEP=1 learning rate=1.5e-5 lm loss=15 loss scale=4096 grad norm=2.5\n");
        assert_text("step 1 | loss: 0.5 | lr 1e-4 | 3.5 GB | 12.5 tok/s\n", "1: STEP=1 loss=0.5 lr=0.0001\n");
}

static void test_dictionaries_and_the_summary(void **state) {
        (void)state;
        assert_text("{'loss': 0.5, 'learning_rate': 1e-05, 'epoch': 0.5}\n{'eval_loss': 0.25, 'epoch': 1.0}\n"
                    "{'train_runtime': 10.5, 'train_loss': 0.4, 'epoch': 1.0}\n",
                    "1: EPOCH=0.5 loss=0.5 learning_rate=1e-5\n2: EPOCH=1 eval_loss=0.25\n");
        assert_text("2023-05-15 22:50:17,398 INFO {\"epoch\": 1, \"loss\": \"0.5\"}\n", "1: EPOCH=1 loss=0.5\n");
}

static void test_values(void **state) {
        (void)state;
        assert_text("epoch=1 loss=nan acc=inf\n", "1: EPOCH=1 loss=NaN acc=Inf\n");
        assert_text("epoch=1 val_acc=90.62% loss=[0.5]\n", "1: EPOCH=1 val_acc=90.62 loss=0.5\n");
        assert_text("epoch=1 loss=0,512 acc=0,25\nepoch=2 loss=1,512 acc=0,5\n", "1: EPOCH=1 loss=0.512 acc=0.25\n2: EPOCH=2 loss=1.512 acc=0.5\n");
        assert_text("step 1,000: loss 0.5\n", "1: STEP=1000 loss=0.5\n");
        assert_text("epoch 1 auc: 0.5+0.01, loss: 0.25 (0.75)\n", "1: EPOCH=1 auc=0.5 loss=0.25\n");
        assert_text("[1/5][50/100]\tLoss_D: 1.5\tLoss_G: 5.5\tD(x): 0.5\n", "1: EPOCH=1 STEP=50 EPOCHS=5 Loss_D=1.5 Loss_G=5.5 D(x)=0.5\n");
        assert_text("epoch 1 loss: 0.5 min: 0.25 took 3 min\n", "1: EPOCH=1 loss=0.5 min=0.25\n");
}

/* Boosting prints its best line again at the end, and begins anew in each fold. */
static void test_what_goes_back_is_no_point(void **state) {
        (void)state;
        assert_text("[0]\ttrain-rmse:0.5\teval-rmse:0.75\n[1]\ttrain-rmse:0.25\teval-rmse:0.5\n[0]\ttrain-rmse:9\teval-rmse:9\n",
                    "1: STEP=0 train-rmse=0.5 eval-rmse=0.75\n2: STEP=1 train-rmse=0.25 eval-rmse=0.5\n");
        assert_text("0:\tlearn: 0.69\ttest: 0.7\tbest: 0.7 (0)\ttotal: 5ms\tremaining: 1s\n1:\tlearn: 0.5\ttest: 0.6\tbest: 0.6 (1)\ttotal: 6ms\tremaining: 1s\n",
                    "1: STEP=0 learn=0.69 test=0.7\n2: STEP=1 learn=0.5 test=0.6\n");
}

/* --- lines whose x an earlier one said --- */

static void test_context(void **state) {
        (void)state;
        assert_text("Epoch 1/2\n8/8 - 0s - loss: 0.5 - accuracy: 0.25 - val_loss: 0.75 - 20ms/epoch\n"
                    "Epoch 2/2\n8/8 - 0s - loss: 0.25 - accuracy: 0.5 - val_loss: 0.5 - 20ms/epoch\n",
                    "2: EPOCH=1 EPOCHS=2 loss=0.5 accuracy=0.25 val_loss=0.75\n4: EPOCH=2 EPOCHS=2 loss=0.25 accuracy=0.5 val_loss=0.5\n");
        assert_text("Train Epoch: 1 [640/60000 (1%)]\tLoss: 0.5\nTest set: Average loss: 0.25, Accuracy: 9037/10000 (90%)\n",
                    "1: EPOCH=1 STEP=640 Loss=0.5\n2: EPOCH=1 STEP=640 Average loss=0.25 Accuracy=90\n");
        assert_text("Epoch: [1][ 10/100]\tTime  0.5 ( 0.6)\tLoss 6.5 (6.75)\tAcc@1   0.5 (  0.25)\n *   Acc@1 0.75 Acc@5 1.5\n",
                    "1: EPOCH=1 STEP=10 Loss=6.5 Acc@1=0.5\n2: EPOCH=1 STEP=10 Acc@1=0.75 Acc@5=1.5\n");
}

/* What was learned from one line does not make another say what it does not. */
static void test_lines_that_are_almost_alike(void **state) {
        (void)state;
        assert_text("step 1 recall@5: 0.5\nstep 2 recall@10: 0.25\n", "1: STEP=1 recall@5=0.5\n2: STEP=2 recall@10=0.25\n");
        assert_text("epoch 1 loss: 0.5 highest acc: 0.75\n", "1: EPOCH=1 loss=0.5\n");
        assert_text("Episode: 1, Steps: 200, Reward: 0.5\nEpisode: 2, Steps: 150, Reward: 1.5\n",
                    "1: STEP=1 Reward=0.5\n2: STEP=2 Reward=1.5\n");
        assert_text("Episode 1, step 200, reward: 0.5\n", "1: STEP=200 reward=0.5\n");
}

/* One that is printed over several lines, where the file does not begin with it. */
static void test_documents_within_text(void **state) {
        (void)state;
        assert_text("training\n{\n  \"epoch\": 1,\n  \"loss\": 0.5\n}\n{\n  \"epoch\": 2,\n  \"loss\": 0.25\n}\n",
                    "4: EPOCH=1 loss=0.5\n8: EPOCH=2 loss=0.25\n");
        assert_text("{\n  \"profile_step\": 1,\n  \"dropout\": 0.5\n}\n", "");
}

/* print(frame): its index has no name. */
static void test_an_index_is_no_column(void **state) {
        (void)state;
        assert_text("done\n   epoch  loss   acc\n0      1   0.5  0.25\n1      2  0.25   0.5\n",
                    "3: EPOCH=1 loss=0.5 acc=0.25\n4: EPOCH=2 loss=0.25 acc=0.5\n");
}

static void test_blocks(void **state) {
        (void)state;
        assert_text("Epoch 1\nTrain loss: 0.5\n| eval/      |     |\n|    reward  | 2.5 |\n|    ep_len  | 1.5 |\n",
                    "2: EPOCH=1 Train loss=0.5\n5: EPOCH=1 eval/reward=2.5 eval/ep_len=1.5\n");
        assert_text("epoch 1:\nloss=0.5\nacc=0.25\n\nepoch 2:\nloss=0.25\nacc=0.5\n", "3: EPOCH=1 loss=0.5 acc=0.25\n7: EPOCH=2 loss=0.25 acc=0.5\n");
        assert_text("Epoch 1\nTrain loss: 0.5\nValid loss: 0.75\n", "3: EPOCH=1 Train loss=0.5 Valid loss=0.75\n");
        assert_text("Epoch 1\nloss: 0.5\n------\nacc: 0.25\n", "4: EPOCH=1 loss=0.5 acc=0.25\n");
}

static void test_rows(void **state) {
        (void)state;
        assert_text("loss: 0.5\n", "1: loss=0.5\n");
        assert_text("loss: 0.5\nloss: 0.25\n", "1: loss=0.5\n2: loss=0.25\n");
        assert_nothing("accuracy 0.5\n");
}

static void test_boxes(void **state) {
        (void)state;
        assert_text("---------------------\n| rollout/ |        |\n|    ep_rew_mean | 12.5 |\n| time/    |        |\n|    total_timesteps | 2048 |\n"
                    "---------------------\n",
                    "5: STEP=2048 rollout/ep_rew_mean=12.5\n");
}

static void test_tables(void **state) {
        (void)state;
        assert_text("epoch  train_loss  valid_loss  accuracy  time\n0      0.5         0.75        0.25      00:04\n1      0.25        0.5         0.5       00:04\n",
                    "2: EPOCH=0 train_loss=0.5 valid_loss=0.75 accuracy=0.25\n3: EPOCH=1 train_loss=0.25 valid_loss=0.5 accuracy=0.5\n");
        assert_text("E    #       LOSS TOK2VEC  LOSS NER  ENTS_F\n---  ------  ------------  --------  ------\n"
                    "  0       0          0.00      5.50    0.25\n  1     200          1.50      2.50    0.50\n",
                    "3: EPOCH=0 STEP=0 LOSS TOK2VEC=0 LOSS NER=5.5 ENTS_F=0.25\n4: EPOCH=1 STEP=200 LOSS TOK2VEC=1.5 LOSS NER=2.5 ENTS_F=0.5\n");
}

/* Each frame of a bar that says something counts, also while its line is open. */
static void test_bars(void **state) {
        (void)state;
        assert_text("\rEpoch 1:  50%|##   | 1/2 [00:01<00:01, 1.2it/s, loss=0.75]\rEpoch 1: 100%|#####| 2/2 [00:02<00:00, 1.2it/s, loss=0.5]\n",
                    "1: EPOCH=1 loss=0.75\n1: EPOCH=1 loss=0.5\n");
        assert_nothing("Downloading: 100%|###| 5/5 [00:02<00:00, 1.2it/s]\n");
}

/* --- names --- */

/* Names that nobody knows count when they come again with an x that has moved on. */
static void test_unknown_names(void **state) {
        (void)state;
        assert_text("step=1 foo=0.5 bar=0.25\nnoise\nstep=2 foo=0.75 bar=0.5\nstep=3 foo=1.5 bar=1\n",
                    "1: STEP=1 foo=0.5 bar=0.25\n3: STEP=2 foo=0.75 bar=0.5\n4: STEP=3 foo=1.5 bar=1\n");
        assert_nothing("step=1 foo=0.5\nother text\n");
        assert_nothing("step=2 foo=0.5\nstep=1 foo=0.75\n");
        assert_text("[I 2021-01-01 10:00:00,123] Trial 0 finished with value: 0.5 and parameters: {'x': 2.5}. Best is trial 0 with value: 0.5.\n"
                    "[I 2021-01-01 10:00:01,123] Trial 1 finished with value: 0.25 and parameters: {'x': 1.5}. Best is trial 0 with value: 0.5.\n",
                    "1: TRIAL=0 value=0.5\n2: TRIAL=1 value=0.25\n");
}

/* The same name of two splits is two metrics: the first keeps its name. */
static void test_labels(void **state) {
        (void)state;
        assert_text("train: loss=0.5 acc=0.25 epoch=1\nvalid: loss=0.75 acc=0.5 epoch=1\ntrain: loss=0.25 acc=0.5 epoch=2\nvalid: loss=0.5 acc=0.5 epoch=2\n",
                    "1: EPOCH=1 loss=0.5 acc=0.25\n2: EPOCH=1 valid/loss=0.75 valid/acc=0.5\n"
                    "3: EPOCH=2 loss=0.25 acc=0.5\n4: EPOCH=2 valid/loss=0.5 valid/acc=0.5\n");
        assert_text("Epoch 1: train loss 0.5 acc 0.25\nEpoch 1: valid loss 0.75 acc 0.5\n",
                    "1: EPOCH=1 train loss=0.5 acc=0.25\n2: EPOCH=1 valid loss=0.75 valid/acc=0.5\n");
}

/* Of many processes that print, the first is read. */
static void test_processes(void **state) {
        (void)state;
        assert_text("[rank0]: Epoch 1 loss=0.5\n[rank1]: Epoch 1 loss=0.75\n[rank0]: Epoch 2 loss=0.25\n[rank1]: Epoch 2 loss=0.5\n",
                    "1: EPOCH=1 loss=0.5\n3: EPOCH=2 loss=0.25\n");
        assert_text("[default1]:[Rank 3] step=1 loss=0.5\n[default0]:[Rank 0] step=1 loss=0.75\n", "1: STEP=1 loss=0.5\n");
}

static void test_log_prefixes(void **state) {
        (void)state;
        /* A line of nothing else; one that the sieve keeps. */
        assert_nothing("2023-05-15 22:50:17,398 INFO\n[12:30:01]\n[rank0]:\n[loss rank=1]\n");
        assert_text("2023-05-15 22:50:17,398 INFO Epoch 1, loss: 0.5\n", "1: EPOCH=1 loss=0.5\n");
        assert_text("2026-11-24 10:00:00.123 | INFO     | __main__:train:30 - Epoch 1 loss=0.5\n", "1: EPOCH=1 loss=0.5\n");
        assert_text("Tue Nov 24 22:51:02 2026 Epoch 1 loss=0.5\n", "1: EPOCH=1 loss=0.5\n");
}

/* --- what is none --- */

static void test_what_counts_for_nothing(void **state) {
        static const char *const texts[] = {
                "EPOCH=3\nLOSS=0.5\n", "version: 1.5\nport: 8080\n", "Epoch 3: early stopping, best loss 0.5\n", "lr=0.1 epochs=10 loss=0.5\n",
                ">epoch=1 loss=0.5\n", "train(epoch=3, lr=0.1);\n", "Perf Stats: collect: 18.1 step: 0.1\n", "  File \"train.py\", line 12, in train\n",
                "GPU 0: 45C, 100W / 250W, 1024MiB / 16384MiB\n", "Sep 01 10:00:00 host kernel: [12.5] usb 1-1: new device\n", "Collecting torch==2.1.0\n",
                "loss = criterion(out, y)\n", "time: 12.5 elapsed: 3.5\n", "",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                assert_nothing(texts[i]);
}

/* --- long lines --- */

/* A line of one thing over and over is read in a time that is in proportion to its length: a quadratic one
 * would take a hundred times as long as is allowed here. */
static void test_long_lines_are_read_quickly(void **state) {
        static const char *const units[] = { "[", "(", "{", "a=(", "a: [", "loss=tensor(", "[INFO", "args={", "\"", "a=", "a=1 ", "1,", "1, ", "[1,", "0,5 ", " ",
                                             "\b", "abc\b", "x\r", "\x1b", "\x1b[", "\x1b[2K", "\x1b[9C", ":", "::", "a", "ab ", "1", "1/", "nan ", " at ", "is ",
                                             "best ", "\xe2\x94\x82", "\xc2\xb1", "\xf0\x9f\x98\x80", "| a ", "a | b ", "1 of 2 ", "{\"a\": ", "12:30 " };
        enum { LINE_BYTES = 128 * 1024, SECONDS_MAX = 5 };

        (void)state;
        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
                CLEANUP(buffer_release) struct buffer text = BUFFER_INIT(2 * LINE_BYTES), said = BUFFER_INIT(16 * 1024 * 1024);
                clock_t start = clock();

                assert_int_equal(buffer_append_string(&text, "epoch=1 loss=0.5 "), 0);
                while (text.size_bytes < LINE_BYTES)
                        assert_int_equal(buffer_append_string(&text, units[i]), 0);
                said_of_bytes(&said, format_find(SLICE("text")), buffer_slice(&text), 0);
                if ((clock() - start) / CLOCKS_PER_SEC >= SECONDS_MAX)
                        fail_msg("a line of \"%s\" takes %ld s", units[i], (long)((clock() - start) / CLOCKS_PER_SEC));
        }
}

/* --- --filter --- */

static void said_with_filter(struct buffer *said, const char *regex, const char *text, size_t chunk_bytes) {
        const struct record_sink sink = { .userdata = said, .take_record = said_record, .take_reject = said_reject };
        CLEANUP(stream_freep) struct stream *stream = NULL;
        struct filters *filters = NULL;
        struct stream_config config = { .source = SLICE("test"), .sink = &sink };
        const char *expected;

        assert_int_equal(filters_add(&filters, regex, &expected), 0);
        config.filters = filters;
        assert_int_equal(stream_new(&stream, &config), 0);
        for (; *text; text += chunk_bytes < strlen(text) ? chunk_bytes : strlen(text))
                assert_int_equal(stream_push(stream, (struct slice){ text, chunk_bytes < strlen(text) ? chunk_bytes : strlen(text) }), 0);
        assert_int_equal(stream_finish(stream), 0);
        stream = stream_free(stream);
        (void)filters_free(filters);
}

static void assert_filtered(const char *regex, const char *text, const char *expected) {
        for (size_t chunk = 1; chunk < 100; chunk += 33) {
                CLEANUP(buffer_release) struct buffer said = BUFFER_INIT(1 << 16);

                said_with_filter(&said, regex, text, chunk);
                assert_string_equal(buffer_string(&said), expected);
        }
}

static void test_filters(void **state) {
        static const char katib[] = "([\\w|-]+)\\s*=\\s*([+-]?\\d*(\\.\\d+)?([Ee][+-]?\\d+)?)";

        (void)state;
        assert_filtered(katib, "epoch 1:\nmyname=0.5 other = -2e-1\nloss: 7\nepoch 2:\nmyname=0.25\n",
                        "2: EPOCH=1 myname=0.5 other=-0.2\n5: EPOCH=2 myname=0.25\n");
        assert_filtered("\\{metricName: ([\\w|-]+), metricValue: ((-?\\d+)(\\.\\d+)?)\\}", "{metricName: loss, metricValue: 0.5}\n{metricName: loss, metricValue: 0.25}\n",
                        "1: loss=0.5\n2: loss=0.25\n");
        assert_filtered("(epoch|q) is ([0-9.]+)", "epoch is 3 and q is 0.5\nq is none\n", "1: EPOCH=3 q=0.5\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_own_x),
                cmocka_unit_test(test_dictionaries_and_the_summary),
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_what_goes_back_is_no_point),
                cmocka_unit_test(test_context),
                cmocka_unit_test(test_lines_that_are_almost_alike),
                cmocka_unit_test(test_documents_within_text),
                cmocka_unit_test(test_an_index_is_no_column),
                cmocka_unit_test(test_blocks),
                cmocka_unit_test(test_rows),
                cmocka_unit_test(test_boxes),
                cmocka_unit_test(test_tables),
                cmocka_unit_test(test_bars),
                cmocka_unit_test(test_unknown_names),
                cmocka_unit_test(test_labels),
                cmocka_unit_test(test_processes),
                cmocka_unit_test(test_log_prefixes),
                cmocka_unit_test(test_what_counts_for_nothing),
                cmocka_unit_test(test_long_lines_are_read_quickly),
                cmocka_unit_test(test_filters),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
