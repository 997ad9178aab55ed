/* CSV and TSV: separators, headers, sparse and strange cells, and what is no CSV. */
#include "said.h"

static void test_separators(void **state) {
        (void)state;
        assert_said(NULL, "epoch,loss\n1,0.5\n2,0.25\n", "2: EPOCH=1 loss=0.5\n3: EPOCH=2 loss=0.25\n");
        assert_said(NULL, "epoch\tloss\n1\t0.5\n", "2: EPOCH=1 loss=0.5\n");
        assert_said(NULL, "epoch;loss;val loss\n1;0,5;0,75\n", "2: EPOCH=1 loss=0.5 val loss=0.75\n");
        assert_said(NULL, "epoch,loss\r\n1,0.5\r\n2,0.25", "2: EPOCH=1 loss=0.5\n3: EPOCH=2 loss=0.25\n");
}

static void test_x_anywhere_and_sparse_cells(void **state) {
        (void)state;
        assert_said(NULL, "acc,epoch,lr-Adam,step,train_loss\n,,0.003,0,\n,0,,49,0.36\n0.9,0,,49,\n",
                    "2: STEP=0 lr-Adam=0.003\n3: EPOCH=0 STEP=49 train_loss=0.36\n4: EPOCH=0 STEP=49 acc=0.9\n");
        assert_said(NULL, "epoch,loss,val\n0,0.5,NA\n1,nan,-inf\n2,,\n",
                    "2: EPOCH=0 loss=0.5\n3: EPOCH=1 loss=NaN val=-Inf\n4: EPOCH=2\n");
}

static void test_headers(void **state) {
        (void)state;
        /* Padded; quoted; a comment before it; an index column without a name. */
        assert_said(NULL, "   epoch,   train/box_loss\n       0,           1.6878\n", "2: EPOCH=0 train/box_loss=1.6878\n");
        assert_said(NULL, "\"epoch\",\"loss, total\"\n\"1\",\"0.5\"\n", "2: EPOCH=1 loss, total=0.5\n");
        assert_said(NULL, "#{\"t_start\": 1}\nr,l,t\n-500.0,500,4.6\n", "3: r=-500 l=500 t=4.6\n");
        assert_said(NULL, ",loss,val_loss\n0,0.5,0.6\n1,0.4,0.5\n", "2: loss=0.5 val_loss=0.6\n3: loss=0.4 val_loss=0.5\n");
        assert_said(NULL, "\xef\xbb\xbf" "epoch,loss\n1,0.5\n", "2: EPOCH=1 loss=0.5\n");
        /* Repeated, and widened, further down. */
        assert_said(NULL, "epoch,loss\n0,1\nepoch,loss\n0,2\nepoch,loss,acc\n1,3,0.5\n",
                    "2: EPOCH=0 loss=1\n4: EPOCH=0 loss=2\n6: EPOCH=1 loss=3 acc=0.5\n");
}

static void test_cells_that_are_no_numbers(void **state) {
        (void)state;
        assert_said(NULL, "epoch,loss,time,note\n0,0.81,04:39,\"a, b\"\n", "2: EPOCH=0 loss=0.81\n");
        assert_said(NULL, "epoch,date,acc\n0,2021-12-02 14:27:51,0.5\n", "2: EPOCH=0 TIME=1638455271 acc=0.5\n");
        assert_said(NULL, "info,training_iteration,reward\n\"{'a': 1, \"\"b\"\": 2}\",1,0.5\n", "2: STEP=1 reward=0.5\n");
}

static void test_bad_rows_are_rejected(void **state) {
        (void)state;
        assert_said(NULL, "epoch,loss,acc\n1,0.5,0.1\n2,0.4\n3,0.3,0.3,9\n4,0.2,0.4\n",
                    "2: EPOCH=1 loss=0.5 acc=0.1\n3:0: expected 3 cells, as the header has, not 2\n"
                    "4:0: expected 3 cells, as the header has, not 4\n5: EPOCH=4 loss=0.2 acc=0.4\n");
        assert_said(NULL, "epoch,loss\n1,0.5,\n\n2,0.4,\n", "2: EPOCH=1 loss=0.5\n4: EPOCH=2 loss=0.4\n");
        assert_said_bytes(NULL, SLICE("epoch,loss\n1,0.5\n\0\0\0,\0\0\n2,0.25\n"),
                          "2: EPOCH=1 loss=0.5\n3:0: expected text without NUL bytes; the line is passed over\n"
                          "4: EPOCH=2 loss=0.25\n");
        assert_said("csv", "1,2\n", "1:0: expected a header line: two names or more, separated by commas, semicolons or tabs\n");
}

static void test_what_is_no_csv(void **state) {
        (void)state;
        assert_said(NULL, "Hello, world\nthis is, a test\n", "");
        assert_said(NULL, "2021-01-01 10:00:00,123 INFO start\n2021-01-01 10:00:01,456 INFO go\n", "");
        assert_said(NULL, "Loading, please wait\nEpoch 1, loss 0.5\n", "");
        assert_said(NULL, "loss\n0.5\n", "");
        assert_said(NULL, "epoch,loss\n", "");
        assert_said(NULL, "a,a\n1,2\n", "");
        assert_said(NULL, "1,2\n3,4\n", "");
        assert_said(NULL, "<html>, <body>\n1,2\n", "");
        assert_said(NULL, "some text first\nepoch,loss\n1,2\n", "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_separators),
                cmocka_unit_test(test_x_anywhere_and_sparse_cells),
                cmocka_unit_test(test_headers),
                cmocka_unit_test(test_cells_that_are_no_numbers),
                cmocka_unit_test(test_bad_rows_are_rejected),
                cmocka_unit_test(test_what_is_no_csv),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
