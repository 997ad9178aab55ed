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
        assert_said(NULL, "#{\"t_start\": 1}\nr,l,t\n-500.0,500,4.6\n", "3: r=-500 l=500\n");
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
        assert_said("csv", "1,2\n", "1:0: expected a header line: two names or more, separated by commas, semicolons, tabs or bars\n");
}

/* No structured format takes it; what the format text makes of it is for its own tests. */
static void assert_unclaimed(const char *text) {
        static const char *const names[] = { "jsonl", "json", "csv" };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (format_find(slice_from(names[i]))->recognise(slice_from(text), SLICE("test"), true) == RECOGNITION_YES)
                        fail_msg("%s takes %s", names[i], text);
}

static void test_what_is_no_csv(void **state) {
        (void)state;
        assert_unclaimed("Hello, world\nthis is, a test\n");
        assert_unclaimed("2021-01-01 10:00:00,123 INFO start\n2021-01-01 10:00:01,456 INFO go\n");
        assert_unclaimed("Loading, please wait\nEpoch 1, loss 0.5\n");
        assert_unclaimed("loss\n0.5\n");
        assert_unclaimed("epoch,loss\n");
        assert_unclaimed("a,a\n1,2\n");
        assert_unclaimed("1,2\n3,4\n");
        assert_unclaimed("<html>, <body>\n1,2\n");
        assert_unclaimed("some text first\nepoch,loss\n1,2\n");
}

static void test_more_separators(void **state) {
        (void)state;
        assert_said(NULL, "epoch|loss\n1|0.5\n", "2: EPOCH=1 loss=0.5\n");
        assert_said(NULL, "epoch | loss | note\n1 | 0.5 | a b\n", "2: EPOCH=1 loss=0.5\n");
        assert_said(NULL, "step   loss   acc\n 1    0.5  0.1\n10  0.25   0.2 \n", "2: STEP=1 loss=0.5 acc=0.1\n3: STEP=10 loss=0.25 acc=0.2\n");
        assert_said(NULL, "# epoch loss\n0.0 0.5\n1.0 0.25\n", "2: EPOCH=0 loss=0.5\n3: EPOCH=1 loss=0.25\n");
        assert_said(NULL, "epoch,loss,\n1,0.5,\n", "2: EPOCH=1 loss=0.5\n");
}

static void test_decimal_commas_and_thousands(void **state) {
        (void)state;
        assert_said(NULL, "epoch;loss;n\n1;0,125;1.234,5\n2;1,250;7\n", "2: EPOCH=1 loss=0.125 n=1234.5\n3: EPOCH=2 loss=1.25 n=7\n");
        assert_said(NULL, "epoch\tloss\n1\t0,5\n2\t0,25\n", "2: EPOCH=1 loss=0.5\n3: EPOCH=2 loss=0.25\n");
        /* A file with points has no decimal commas. */
        assert_said(NULL, "epoch;loss;n\n1;0.5;1,234\n2;0.25;1,5\n", "2: EPOCH=1 loss=0.5 n=1234\n3: EPOCH=2 loss=0.25\n");
        assert_said(NULL, "step,loss\n\"1,000\",\"1,234.5\"\n\"12,000\",\"-3,456\"\n\"1,2\",1\n",
                    "2: STEP=1000 loss=1234.5\n3: STEP=12000 loss=-3456\n4: loss=1\n");
}

static void test_cells_of_trainers(void **state) {
        (void)state;
        assert_said(NULL, "epoch,loss,acc,val\n0,None,90.62%,-\n1,inf,NaN,N/A\n", "2: EPOCH=0 acc=90.62\n3: EPOCH=1 loss=Inf acc=NaN\n");
        assert_said(NULL, "EPOCH\tTIMESTAMP\tBAD_EPOCHS\tLEARNING_RATE\tTRAIN_LOSS\n0\t13:54:52\t0\t0.1000\t0.25\n",
                    "2: EPOCH=0 LEARNING_RATE=0.1 TRAIN_LOSS=0.25\n");
        assert_said(NULL, "Step,run - loss,run - loss__MIN,run - loss__MAX\n1,0.5,0.5,0.5\n", "2: STEP=1 run - loss=0.5\n");
        assert_said(NULL, "\"Step\",\"a \"\"b\"\" loss\"\n1,0.5\n", "2: STEP=1 a \"\"b\"\" loss=0.5\n");
}

static void test_x_with_unknown_names(void **state) {
        (void)state;
        assert_said(NULL, "step,foo\n0,3\n1,2\n2,4\n", "2: STEP=0 foo=3\n3: STEP=1 foo=2\n4: STEP=2 foo=4\n");
        assert_said(NULL, "step,foo\n0,3\n1,2\n", "2: STEP=0 foo=3\n3: STEP=1 foo=2\n");
        assert_said(NULL, "step,foo\n7,3\n1,2\n2,4\n", "");
        assert_said(NULL, "step,foo,place\n0,3,Rome\n1,2,Oslo\n2,4,Bonn\n", "");
        assert_said(NULL, "step,foo\n0,3\n", "");
}

static void test_data_and_predictions_give_nothing(void **state) {
        (void)state;
        assert_unclaimed("file\tsource\tbytes\nx/y.txt\ta\t90959\nz\tb\t7\n");
        assert_unclaimed("id,label,score\n1,cat,0.9\n2,dog,0.5\n");
        assert_unclaimed("student,math score,reading score\n1,72,72\n2,69,90\n");
        assert_unclaimed("math score,reading score\n72,72\n69,90\n");
        assert_unclaimed("Hours,Scores\n2.5,21\n5.1,47\n");
        assert_unclaimed("date,open,close,return\n2020-01-01,1,2,0.5\n2020-01-02,1,2,0.5\n");
        assert_unclaimed("timestamp,loss\n2020-01-01 00:00:00,1\n2020-01-02 00:00:00,1\n");
        assert_unclaimed("model,accuracy,params\nresnet,0.9,25\nvgg,0.8,138\n");
        assert_unclaimed(",precision,recall,f1-score,support\ncat,0.9,0.8,0.85,10\ndog,0.9,0.8,0.85,10\n");
        assert_unclaimed("round,team,score\n1,Ajax,2\n2,PSV,3\n");
        assert_unclaimed("sepal_length,sepal_width,species\n5.1,3.5,setosa\n4.9,3.0,setosa\n");
        assert_unclaimed("fpr,tpr,thresholds,precision,recall\n0,0,1,1,0\n0,0.5,0.5,1,0\n");
        assert_unclaimed("text,label,epoch,loss\na,1,2,3\n");
        assert_unclaimed("inst,time,status,age,sex,ph.ecog,pat.karno,meal.cal,wt.loss\n3,306,2,74,1,1,100,1175,5\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_separators),
                cmocka_unit_test(test_x_anywhere_and_sparse_cells),
                cmocka_unit_test(test_headers),
                cmocka_unit_test(test_cells_that_are_no_numbers),
                cmocka_unit_test(test_bad_rows_are_rejected),
                cmocka_unit_test(test_what_is_no_csv),
                cmocka_unit_test(test_more_separators),
                cmocka_unit_test(test_decimal_commas_and_thousands),
                cmocka_unit_test(test_cells_of_trainers),
                cmocka_unit_test(test_x_with_unknown_names),
                cmocka_unit_test(test_data_and_predictions_give_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
