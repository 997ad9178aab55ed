/* One line taken apart: names, values in every form, what is no value; and what log lines begin with. */
#include <math.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/number.h"
#include "formats/prefix.h"
#include "formats/scan.h"

enum { SAID_BYTES_MAX = 64 * 1024 };

static void put_number(struct buffer *said, const char *before, double value) {
        char text[NUMBER_TEXT_BYTES] = "nan";

        if (isfinite(value))
                number_format(value, 17, text);
        assert_int_equal(buffer_printf(said, "%s%s", before, isinf(value) ? value < 0 ? "-inf" : "inf" : text), 0);
}

/* <label> name=value, with "~" where there is no separator, then /total, (percent%), and [] where it
 * stands in brackets. */
static void put_item(struct buffer *said, const struct item *item) {
        if (said->size_bytes > 0)
                (void)buffer_append_string(said, "; ");
        if (item->label.size_bytes > 0)
                (void)buffer_printf(said, "<%.*s> ", (int)item->label.size_bytes, item->label.data);
        if (item->name.size_bytes > 0)
                (void)buffer_append(said, item->name.data, item->name.size_bytes);
        put_number(said, item->form == ITEM_WEAK ? "~" : item->form == ITEM_STRONG ? "=" : "", item->value);
        if (!isnan(item->total))
                put_number(said, "/", item->total);
        if (!isnan(item->percent))
                put_number(said, " %", item->percent);
        if (item->is_bracketed)
                (void)buffer_append_string(said, " []");
}

static void assert_items_with(const char *text, bool decimal_commas, const char *expected) {
        CLEANUP(buffer_release) struct buffer said = BUFFER_INIT(SAID_BYTES_MAX), copy = BUFFER_INIT(SAID_BYTES_MAX);
        struct scan scan;

        /* Without a terminator behind it. */
        assert_int_equal(buffer_append(&copy, text, strlen(text)), 0);
        scan_line(buffer_slice(&copy), decimal_commas, &scan);
        for (size_t i = 0; i < scan.n_items; i++)
                put_item(&said, &scan.items[i]);
        assert_string_equal(buffer_string(&said), expected);
}

static void assert_items(const char *text, const char *expected) {
        assert_items_with(text, false, expected);
}

/* A number that is none: of all the line no item is left. */
static void assert_no_value(const char *text) {
        assert_items(text, "");
}

static void test_names_and_separators(void **state) {
        (void)state;
        assert_items("loss=0.5", "loss=0.5");
        assert_items("loss: 0.5", "loss=0.5");
        assert_items("loss = 0.5", "loss=0.5");
        assert_items("loss  :  0.5", "loss=0.5");
        assert_items("loss :: 0.5", "loss=0.5");
        assert_items("loss 0.5", "loss~0.5");
        assert_items("train loss 0.5", "train loss~0.5");
        assert_items("a=1, b=2;c=3|d=4 e=5", "a=1; b=2; c=3; d=4; e=5");
        assert_items("{'loss': 0.5, 'lr': 1e-05}", "loss=0.5; lr=1e-5");
        assert_items("{\"loss\": \"0.5\", \"lr\": 1}", "loss=0.5; lr=1");
        assert_items("top5:0.61 Acc@1 79.8", "top5=0.61; Acc@1~79.8");
        assert_items("mAP50-95(B): 0.5 acc(%) 5 f1_score/macro: 5", "mAP50-95(B)=0.5; acc(%)~5; f1_score/macro=5");
        assert_items("valid's l2: 0.5", "valid's l2=0.5");
        assert_items("Avg. loss: 0.5", "Avg. loss=0.5");
        assert_items("v\xc3\xa9rlust=0.5 \xe6\x90\x8d\xe5\xa4\xb1: 0.25", "v\xc3\xa9rlust=0.5; \xe6\x90\x8d\xe5\xa4\xb1=0.25");
        assert_items("", "");
        assert_items("::0", "0");
}

static void test_numbers(void **state) {
        (void)state;
        assert_items("a=1 b=-1 c=+1 d=.5 e=-.5 f=5. g=5.", "a=1; b=-1; c=1; d=0.5; e=-0.5; f=5; g=5");
        assert_items("a=1e-4 b=1.e-4 c=1E+2 d=1e999", "a=0.0001; b=0.0001; c=100; d=inf");
        assert_items("The loss is 0.5. Then: 1", "The loss is~0.5; Then=1");
        assert_items("loss -0.5", "loss~-0.5");
        assert_no_value("a-1");
}

static void test_wrapped_values(void **state) {
        (void)state;
        assert_items("loss=(0.5,) a=(1)", "loss=0.5; a=1");
        assert_items("loss=[0.5] lr: [1e-05,] a: [0.5]", "loss=0.5; lr=1e-5; a=0.5");
        assert_items("loss: tensor(0.5, device='cuda:0', grad_fn=<A>), acc: 1", "loss=0.5; acc=1");
        assert_items("{'a': np.float64(0.5), 'b': array(1.5, dtype=float32), 'c': Decimal('2')}", "a=0.5; b=1.5; c=2");
        assert_items("loss: tensor(nan) acc: 1", "loss=nan; acc=1");
        assert_items("lr=[0.1, 0.2] a=1", "<lr> a=1");
}

/* What is behind a ratio, a mean, a current value. */
static void test_what_stands_behind_a_value(void **state) {
        (void)state;
        assert_items("loss 0.5 (0.6) acc: 1 (nan) x=1", "loss~0.5; acc=1; x=1");
        assert_items("auc: 0.5+0.01 a:0.5\xc2\xb1" "0.1 b: 0.5 +/- 0.1 c=0.5 \xc2\xb1 0.1 d=1", "auc=0.5; a=0.5; b=0.5; c=0.5; d=1");
        assert_items("acc: 45/50 (90%) a: 9037/10000 (90.37%)", "acc=45/50 %90; a=9037/10000 %90.37");
        assert_items("acc=90.62% psnr: 30.5 dB, ssim: 0.5dB", "acc=90.62; psnr=30.5; <dB> ssim=0.5");
        assert_items("epoch 3 of 50 step 1/8/2", "epoch~3/50; step~1/8");
}

static void test_places(void **state) {
        (void)state;
        assert_items("Epoch [3/50], Step [2/8]", "Epoch~3/50 []; Step~2/8 []");
        assert_items("Epoch: [3][10/100]", "Epoch~3 []; 10/100 []");
        assert_items("[12] loss: 1", "12 []; loss=1");
        assert_items("[1,  2000] loss: 0.5", "1 []; 2000 []; loss=0.5");
        assert_items("[1][5/20] loss: 0.5", "1 []; 5/20 []; loss=0.5");
        assert_items("0:\tlearn: 0.69\ttotal: 5ms", "0; learn=0.69");
        assert_items("1epoch loss=1", "epoch=1; loss=1");
        assert_items("Epoch #3", "Epoch~3");
        assert_items("8/8 [====] - 0s 1ms/step - loss: 0.5", "8/8; loss=0.5");
        assert_items("100%|\xe2\x96\x88\xe2\x96\x88| 4/4 [00:02<00:00, 1.2it/s, loss=0.5]", "4/4; loss=0.5");
}

static void test_labels(void **state) {
        (void)state;
        assert_items("Test set: loss 0.5", "<Test set> loss~0.5");
        assert_items("[valid] loss=0.5", "<valid> loss=0.5");
        assert_items("Training. Loss: 0.5", "<Training> Loss=0.5");
        assert_items("train: {'loss': 0.5}", "<train> loss=0.5");
}

static void test_thousands_and_decimal_commas(void **state) {
        struct scan scan;

        (void)state;
        assert_items("n=1,234,567 x=1", "n=1234567; x=1");
        assert_items("n: -12,345.5 step: 1,000 loss: 2", "n=-12345.5; step=1000; loss=2");
        assert_items("n=1,23 m=0,1,2", "n=1; 23; m=0; 1; 2");
        assert_items("loss=0,512 acc=0,25", "loss=0.512; acc=0.25");
        assert_items_with("loss=1,512 acc=12,5e-1", true, "loss=1.512; acc=1.25");
        scan_line(SLICE("loss=0,512"), false, &scan);
        assert_true(scan.has_decimal_comma);
        scan_line(SLICE("n=1,512"), false, &scan);
        assert_false(scan.has_decimal_comma);
}

static void test_what_is_not_finite(void **state) {
        static const char *const nans[] = { "nan", "NaN", "NAN", "-nan", "-nan(ind)", "1.#QNAN", "-1.#IND", "1.#QNAN0", "nan.", "nan%" },
                                *const infinities[] = { "inf", "Inf", "+inf", "infinity", "Infinity", "INF", "1.#INF", "1.#INF00" };

        (void)state;
        for (size_t i = 0; i < sizeof(nans) / sizeof(nans[0]); i++) {
                CLEANUP(buffer_release) struct buffer text = BUFFER_INIT(64);

                assert_int_equal(buffer_printf(&text, "loss=%s, acc=1", nans[i]), 0);
                assert_items(buffer_string(&text), "loss=nan; acc=1");
        }
        for (size_t i = 0; i < sizeof(infinities) / sizeof(infinities[0]); i++) {
                CLEANUP(buffer_release) struct buffer text = BUFFER_INIT(64);

                assert_int_equal(buffer_printf(&text, "loss: %s acc: 1", infinities[i]), 0);
                assert_items(buffer_string(&text), "loss=inf; acc=1");
        }
        assert_items("loss=-inf acc=-Infinity", "loss=-inf; acc=-inf");
        assert_items("loss nan acc inf", "loss~nan; acc~inf");
        assert_no_value("loss=name");
        assert_no_value("loss=info");
        assert_no_value("loss: None");
}

static void test_units(void **state) {
        static const char *const numbers[] = { "0.5s", "5 ms", "3.2it/s", "3.2 it/s", "1.5s/it", "12 GB", "12GB", "12.5MiB", "30 fps", "2 min", "2h",
                                               "7 samples/s", "35.1 TFLOPS", "8x" };

        (void)state;
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
                CLEANUP(buffer_release) struct buffer text = BUFFER_INIT(64);

                assert_int_equal(buffer_printf(&text, "a: %s", numbers[i]), 0);
                assert_no_value(buffer_string(&text));
                assert_int_equal(buffer_printf(&text, ", loss: 0.5"), 0);
                assert_items(buffer_string(&text), "loss=0.5");
        }
        /* What comes is named so. */
        assert_items("loss 0.5 s: 1", "loss~0.5; s=1");
}

static void test_dates_versions_addresses(void **state) {
        static const char *const texts[] = { "v=1.2.3", "ip=10.0.0.1", "at=10:30", "at: 12:30:59.123", "x=0x1f", "x=1_000", "x=12abc", "x=1.5e",
                                             "id=3f2a", "at 2023-05-15", "http://x:80/", "train.py:30", "<0x7f00>" };

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                assert_no_value(texts[i]);
        assert_items("ETA: 0:00:30 loss: 0.5", "loss=0.5");
        assert_items("http://x:80/ a=1", "<http> a=1");
}

static void test_settings_are_passed_over(void **state) {
        (void)state;
        assert_items("args={a: 1, b: [2, {c: 3}]} d=4", "<args> d=4");
        assert_items("hparams: (lr=1, x=(2)) d=4", "<hparams> d=4");
}

/* As many items as there is room for, and no step beyond. */
static void test_many_items(void **state) {
        CLEANUP(buffer_release) struct buffer text = BUFFER_INIT(SAID_BYTES_MAX);
        struct scan scan;

        (void)state;
        for (int i = 0; i < 2 * ITEMS_MAX; i++)
                assert_int_equal(buffer_printf(&text, "a%d=1 ", i), 0);
        scan_line(buffer_slice(&text), false, &scan);
        assert_int_equal(scan.n_items, ITEMS_MAX);
}

/* --- what log lines begin with --- */

static void assert_behind_prefix_of(const char *text, const char *expected, int process) {
        int found;
        struct slice rest = prefix_skip(slice_from(text), &found);
        CLEANUP(buffer_release) struct buffer said = BUFFER_INIT(SAID_BYTES_MAX);

        assert_int_equal(buffer_append(&said, rest.data, rest.size_bytes), 0);
        assert_string_equal(buffer_string(&said), expected);
        assert_int_equal(found, process);
}

static void test_prefixes(void **state) {
        static const char *const prefixes[] = {
                "2023-05-15 22:50:17 ", "2023-05-15 22:50:17,398 INFO ", "2023-05-15 22:50:17,398 - root - INFO - ", "2021-12-02T14:27:51Z ",
                "2021-12-02T14:27:51.123+01:00 ", "07/18/2023 10:00:00 - INFO - __main__ -   ", "2023/05/15 22:50:17 ", "12:30:01 ", "[12:30:01] ",
                "10:00:00 AM ", "Nov 24 22:51:02 ", "Tue Nov 24 22:51:02 2026 ", "[Tue Nov 24 22:51:02 2026] ",
                "I0515 12:34:56.789012   123 solver.cpp:218] ", "INFO ", "INFO:root:", "INFO:__main__:", "WARNING: ", "[INFO] ", "INFO train.py:30 ",
                "DEBUG:x.y:12:", "[2023-05-15 22:50:17 @train.py:30] ", "[logging.py:60] ", "(pid=123) ", "(train_fn pid=123, ip=10.0.0.1) ",
                "2021-03-08 12:29:51 | INFO | fairseq_cli.train | ", "2026-11-24 10:00:00.123 | INFO     | __main__:train:30 - ",
                "2026-11-24 10:00:00.123 | INFO     | a.b:<module>:30 - ", "[I 2021-01-01 10:00:00,123] ", "[1,0]<stdout>:",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
                CLEANUP(buffer_release) struct buffer text = BUFFER_INIT(SAID_BYTES_MAX);

                assert_int_equal(buffer_printf(&text, "%sEpoch 1 loss=0.5", prefixes[i]), 0);
                assert_behind_prefix_of(buffer_string(&text), "Epoch 1 loss=0.5", -1);
        }
}

static void test_processes(void **state) {
        (void)state;
        assert_behind_prefix_of("[rank1]: loss=0.5", "loss=0.5", 1);
        assert_behind_prefix_of("[default3]:loss=0.5", "loss=0.5", 3);
        assert_behind_prefix_of("[Rank 2] loss=0.5", "loss=0.5", 2);
        assert_behind_prefix_of("[worker-2] loss=0.5", "loss=0.5", 2);
        assert_behind_prefix_of("[2021-05-25 22:30:04,195] [INFO] [logging.py:60:log_dist] [Rank 0] step=10, loss=0.5", "step=10, loss=0.5", 0);
        assert_behind_prefix_of("[default0]:[Rank 3] INFO loss=0.5", "loss=0.5", 3);
}

/* Nothing that says something is taken for a prefix. */
static void test_what_is_no_prefix(void **state) {
        static const char *const texts[] = {
                "loss=0.5", "Epoch 1: loss=0.5", "[12] loss=0.5", "[0] loss=0.5", "epoch:3 loss:1", "{\"loss\": 0.5}", "12:30 loss=0.5", "rank=1 loss=0.5",
                "worker 3: loss=0.5", "1700000000.5 loss=0.5", "", "0: 2023-01-01 loss=0.5", "n1: loss=0.5", "May 5 runs",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                assert_behind_prefix_of(texts[i], texts[i], -1);
        assert_behind_prefix_of("INFO epoch:3 loss:1", "epoch:3 loss:1", -1);
        assert_behind_prefix_of("INFO:root:epoch:3 - loss:1", "epoch:3 - loss:1", -1);
        assert_behind_prefix_of("INFO - Test set: loss 0.5", "Test set: loss 0.5", -1);
        assert_behind_prefix_of("2023-05-15", "", -1);
        assert_behind_prefix_of("INFO", "", -1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names_and_separators),
                cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_wrapped_values),
                cmocka_unit_test(test_what_stands_behind_a_value),
                cmocka_unit_test(test_places),
                cmocka_unit_test(test_labels),
                cmocka_unit_test(test_thousands_and_decimal_commas),
                cmocka_unit_test(test_what_is_not_finite),
                cmocka_unit_test(test_units),
                cmocka_unit_test(test_dates_versions_addresses),
                cmocka_unit_test(test_settings_are_passed_over),
                cmocka_unit_test(test_many_items),
                cmocka_unit_test(test_prefixes),
                cmocka_unit_test(test_processes),
                cmocka_unit_test(test_what_is_no_prefix),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
