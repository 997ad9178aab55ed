/* Files whose path says what is in them. */
#include "said.h"

#include "formats/layout.h"

static void test_dvclive(void **state) {
        (void)state;
        assert_said_file("dvclive/plots/metrics/train/loss.tsv", NULL, SLICE("step\tloss\n1\t0.5\n3\t0.25\n"),
                         "2: STEP=1 train/loss=0.5\n3: STEP=3 train/loss=0.25\n");
        assert_said_file("plots/metrics/foo.tsv", NULL, SLICE("timestamp\tstep\tfoo\n1700000000500\t7\t0.5\n"),
                         "2: STEP=7 TIME=1700000000.5 foo=0.5\n");
        assert_said_file("plots/metrics/system/cpu/usage (%).tsv", NULL, SLICE("step\tusage (%)\n7\t0.5\n"), "2: STEP=7\n");
}

static void test_mlflow(void **state) {
        (void)state;
        assert_said_file("mlruns/0/0d86/metrics/train/loss", NULL,
                         SLICE("1668945034880 10.1338 0\r\n1668945034924 6.9156 1\r\n"),
                         "1: STEP=0 TIME=1668945034.88 train/loss=10.1338\n"
                         "2: STEP=1 TIME=1668945034.924 train/loss=6.9156\n");
        assert_said_file("/x/metrics/mlruns/0/models/m-1/metrics/f1.5", NULL,
                         SLICE("1761896626272 63268.0 0 0a32e54022914ed19010c983683be07d\n"),
                         "1: STEP=0 TIME=1761896626.272 f1.5=63268\n");
        assert_said_file("mlruns/0/0d86/metrics/nan_loss", NULL, SLICE("1668945034880 nan 0\n"),
                         "1: STEP=0 TIME=1668945034.88 nan_loss=NaN\n");
        assert_said_file("mlruns/0/0d86/metrics/system/cpu", NULL, SLICE("1668945034880 3 0\n"),
                         "1: STEP=0 TIME=1668945034.88\n");
        assert_said_file("mlflow/r2", NULL, SLICE("1668945034880 3 0\n"), "1: STEP=0 TIME=1668945034.88 r2=3\n");
        assert_said_file("mlruns/0/0d86/metrics/loss", NULL, SLICE("16689450348 3 0\n"), "");
}

static void test_mlflow_meta(void **state) {
        (void)state;
        assert_said_file("mlruns/0/0d86/meta.yaml", NULL,
                         SLICE("artifact_uri: file:///home/a b/mlruns/0/0d86/artifacts\nend_time: 1748257992525\nrun_id: 0d86\n"),
                         "1: OUTPUT=/home/a b/mlruns/0/0d86/artifacts\n");
        assert_said_file("mlruns/0/0d86/meta.yaml", NULL, SLICE("run_id: 0d86\nartifact_uri: 's3://bucket/x'\n"),
                         "2: OUTPUT=s3://bucket/x\n");
        assert_said_file("mlruns/0/meta.yaml", NULL, SLICE("artifact_location: file:///x\nname: y\n"), "");
}

static void test_headerless_csv(void **state) {
        (void)state;
        assert_said_file("logs/run/scalars/reward.csv", NULL, SLICE("0,0.5\n10,0.75\n"), "1: STEP=0 reward=0.5\n2: STEP=10 reward=0.75\n");
        assert_said_file("d3rlpy_logs/CQL_2024/time_step.csv", NULL, SLICE("1,100,0.5\n"), "1: EPOCH=1 STEP=100\n");
        assert_said_file("d3rlpy_logs/CQL_2024/environment.csv", NULL, SLICE("1,100,0.5\n"), "1: EPOCH=1 STEP=100 environment=0.5\n");
        assert_said_file("CQL_2024/td_error.csv", NULL, SLICE("1,100,0.5\n2,200,0.25\n"),
                         "1: EPOCH=1 STEP=100 td_error=0.5\n2: EPOCH=2 STEP=200 td_error=0.25\n");
        assert_said_file("data/points.csv", NULL, SLICE("1,100,0.5\n2,200,0.25\n"), "");
}

static void test_names_from_the_file(void **state) {
        (void)state;
        assert_said_file("catboost_info/learn_error.tsv", NULL, SLICE("iter\tLogloss\n0\t0.5\n"), "2: STEP=0 learn/Logloss=0.5\n");
        assert_said_file("catboost_info/test_error.tsv", NULL, SLICE("iter\tLogloss\tAUC\n0\t0.5\t0.75\n"),
                         "2: STEP=0 test/Logloss=0.5 test/AUC=0.75\n");
        assert_said_file("catboost_info/time_left.tsv", NULL, SLICE("iter\tPassed\tRemaining\n0\t5\t75\n"), "");
        assert_said_file("run-train-tag-epoch_loss.csv", NULL, SLICE("Wall time,Step,Value\r\n1700000000.5,3,0.25\r\n"),
                         "2: STEP=3 TIME=1700000000.5 epoch_loss=0.25\n");
        assert_said_file("x/loss.csv", NULL, SLICE("Wall time,Step,Value\n1700000000.5,3,0.25\n"),
                         "2: STEP=3 TIME=1700000000.5 loss=0.25\n");
        assert_said_file("csv_monitor/job/Train_Samples_train_loss.csv", NULL,
                         SLICE("step,train_loss\n16,0.5\nstep,train_loss\n32,0.25\n"),
                         "2: STEP=16 Train/Samples/train_loss=0.5\n4: STEP=32 Train/Samples/train_loss=0.25\n");
        assert_said_file("logs/0.monitor.csv", NULL, SLICE("#{\"t_start\": 1614619328.3, \"env_id\": \"A\"}\nr,l,t\n-500.0,500,4.6\n"),
                         "3: r=-500 l=500\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_dvclive),         cmocka_unit_test(test_mlflow),
                cmocka_unit_test(test_mlflow_meta),     cmocka_unit_test(test_headerless_csv),
                cmocka_unit_test(test_names_from_the_file),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
