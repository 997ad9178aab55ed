/* Datagrams: KEY=value lines as of sd_notify, and gauges as of dogstatsd. */
#include "protocol/message.h"
#include "said.h"

static void assert_datagram_bytes(struct slice bytes, const char *expected) {
        CLEANUP(buffer_release) struct buffer said = BUFFER_INIT(1 << 20);
        const struct record_sink sink = { .userdata = &said, .take_record = said_record, .take_reject = said_reject };
        /* A copy of its own, so that a read past its end is found. */
        CLEANUP(cleanup_free) char *copy = malloc(bytes.size_bytes + !bytes.size_bytes);

        assert_non_null(copy);
        if (bytes.size_bytes > 0)
                memcpy(copy, bytes.data, bytes.size_bytes);
        assert_int_equal(datagram_take((struct slice){ copy, bytes.size_bytes }, SLICE("agent.dgram"), &sink), 0);
        assert_string_equal(buffer_string(&said), expected);
}

static void assert_datagram(const char *text, const char *expected) {
        assert_datagram_bytes(slice_from(text), expected);
}

/* --- sd_notify --- */

static void test_assignments_are_one_record(void **state) {
        (void)state;
        assert_datagram("EPOCH=3\nloss=0.21\nval_acc=0.93\n", "3: EPOCH=3 loss=0.21 val_acc=0.93\n");
        assert_datagram("EPOCH=3\r\nloss = 0.5\r\n\n\n", "4: EPOCH=3 loss=0.5\n");
        assert_datagram("loss=1\nloss=2", "2: loss=1 loss=2\n");
        assert_datagram("step=10\nlr=1e-3\nacc=90%\nnan_loss=nan\ninf_loss=-inf", "5: STEP=10 lr=0.001 acc=90 nan_loss=NaN inf_loss=-Inf\n");
        assert_datagram("CHECKPOINT=/out/3.pt\nOUTPUT_PATH=/out", "2: OUTPUT=/out CHECKPOINT=/out/3.pt\n");
        assert_datagram("epoch=2/10\nloss=1", "2: EPOCH=2 loss=1\n");
        assert_datagram("loss=1|2\n", "");
        assert_datagram("loss=high\n", "");
        assert_datagram("", "");
        assert_datagram("\n\n", "");
}

static void test_what_systemd_is_told_is_ignored(void **state) {
        (void)state;
        assert_datagram("READY=1\nSTATUS=epoch: 3|x\nMAINPID=17\nWATCHDOG=1\nX_FOO=1\n", "");
        assert_datagram("STATUS=training\nEPOCH=1\nERRNO=2\nFDSTORE=1", "4: EPOCH=1\n");
        assert_datagram("STOPPING=1", "");
        assert_datagram("WATCHDOG_USEC=20\nNOTIFYACCESS=all\nMONOTONIC_USEC=1\nBARRIER=1\n", "");
}

static void test_the_end(void **state) {
        (void)state;
        assert_datagram("END=1", "1: END\n");
        assert_datagram("END=true\nEPOCH=3\n", "2: EPOCH=3 END\n");
        assert_datagram("END=0", "");
}

static void test_assignments_that_are_none(void **state) {
        (void)state;
        assert_datagram("hello", "1:0: expected KEY=value\n");
        assert_datagram("=1\nEPOCH=1\nx\n", "1:0: expected KEY=value\n3:0: expected KEY=value\n3: EPOCH=1\n");
        assert_datagram("EPOCH=1\nloss:0.5|g\n", "2:0: expected KEY=value\n2: EPOCH=1\n");
        assert_datagram_bytes(SLICE("\0\0\0"), "1:0: expected KEY=value\n");
}

/* --- statsd --- */

static void test_each_gauge_is_a_record(void **state) {
        (void)state;
        assert_datagram("loss:0.21|g|#epoch:3\n", "1: EPOCH=3 loss=0.21\n");
        assert_datagram("loss:0.21|g|#epoch:3\nval.acc:0.93|g|#epoch:3,step:900", "1: EPOCH=3 loss=0.21\n2: EPOCH=3 STEP=900 val.acc=0.93\n");
        assert_datagram("loss:1|g", "1: loss=1\n");
        assert_datagram("loss:1:2:3.5|g|#trial:7", "1: TRIAL=7 loss=3.5\n");
        assert_datagram("loss:nan|g\nloss:-inf|g\nloss:1e400|g", "1: loss=NaN\n2: loss=-Inf\n3: loss=Inf\n");
        assert_datagram("epoch:3|g", "1: epoch=3\n");
}

static void test_other_sections_are_ignored(void **state) {
        (void)state;
        assert_datagram("loss:0.5|g|@0.5|#host:a,epoch:1,epoch\n", "1: EPOCH=1 loss=0.5\n");
        assert_datagram("loss:0.5|g|#epoch:1|c:ci-17|T1656581400|e:x", "1: EPOCH=1 loss=0.5\n");
        assert_datagram("loss:0.5|g|#epoch:one,step:,:,,time:5,loss:7", "1: loss=0.5\n");
        assert_datagram("loss:0.5|g|\nloss:0.5|g|#\nloss:0.5|g||||#step:1||", "1: loss=0.5\n2: loss=0.5\n3: STEP=1 loss=0.5\n");
}

static void test_other_types_are_ignored(void **state) {
        (void)state;
        assert_datagram("n:1|c\nt:3|ms\nh:3|h\nd:3|d\ns:a|s\n", "");
        assert_datagram("_e{5,4}:title|text|#a:b\n_sc|name|0|m:x\nloss:1|g\n", "3: loss=1\n");
        assert_datagram("loss:1|gauge\nloss:1|\n", "");
}

static void test_gauges_that_are_none(void **state) {
        (void)state;
        assert_datagram("loss:|g\n:1|g\nloss|g\nloss:x|g\nloss:1:|g\nloss:1|g\n",
                        "1:0: expected NAME:VALUE|g with a number as its value\n2:0: expected NAME:VALUE|g with a number as its value\n"
                        "3:0: expected NAME:VALUE|g with a number as its value\n4:0: expected NAME:VALUE|g with a number as its value\n"
                        "5:0: expected NAME:VALUE|g with a number as its value\n6: loss=1\n");
        assert_datagram("loss:1|g\nEPOCH=3\nx\n", "1: loss=1\n2:0: expected NAME:VALUE|TYPE\n3:0: expected NAME:VALUE|TYPE\n");
        assert_datagram("a=b:1|g\n", "");
}

/* As many as a datagram has: each is one, and none is kept. */
static void test_a_full_datagram(void **state) {
        CLEANUP(buffer_release) struct buffer text = BUFFER_INIT(65536);
        CLEANUP(buffer_release) struct buffer said = BUFFER_INIT(1 << 24);
        const struct record_sink sink = { .userdata = &said, .take_record = said_record, .take_reject = said_reject };
        size_t n = 0;

        (void)state;
        while (buffer_append_string(&text, "a=1\n") == 0)
                continue;
        assert_int_equal(datagram_take(buffer_slice(&text), SLICE("agent.dgram"), &sink), 0);
        for (const char *at = buffer_string(&said); (at = strstr(at, " a=1")); at++)
                n++;
        assert_true(n > 0 && n <= RECORD_METRICS_MAX);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_assignments_are_one_record),
                cmocka_unit_test(test_what_systemd_is_told_is_ignored),
                cmocka_unit_test(test_the_end),
                cmocka_unit_test(test_assignments_that_are_none),
                cmocka_unit_test(test_each_gauge_is_a_record),
                cmocka_unit_test(test_other_sections_are_ignored),
                cmocka_unit_test(test_other_types_are_ignored),
                cmocka_unit_test(test_gauges_that_are_none),
                cmocka_unit_test(test_a_full_datagram),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
