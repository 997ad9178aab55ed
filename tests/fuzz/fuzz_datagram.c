/* Any bytes as a datagram: no crash, no leak, each record within its bounds and with something in it. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "protocol/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds) {
        if (!holds)
                abort();
}

static void touch(struct slice text) {
        volatile char last = text.size_bytes > 0 ? text.data[text.size_bytes - 1] : 0;

        (void)last;
}

static void take_record(void *userdata, const struct record *record) {
        size_t *n_lines = userdata;

        check(record->rank == SOURCE_SOCKET && record->line > 0 && record->line <= *n_lines);
        check(record->n_metrics <= RECORD_METRICS_MAX);
        touch(record->output_path);
        touch(record->checkpoint);
        for (size_t i = 0; i < record->n_metrics; i++) {
                check(record->metrics[i].name.size_bytes > 0);
                touch(record->metrics[i].name);
        }
}

static void take_reject(void *userdata, const struct reject *reject) {
        size_t *n_lines = userdata;

        check(reject->line > 0 && reject->line <= *n_lines && strlen(reject->expected) > 0);
        touch(reject->text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        size_t n_lines = 1;
        const struct record_sink sink = { &n_lines, take_record, take_reject, NULL };
        /* A copy of its own, so that a read past its end is found. */
        CLEANUP(cleanup_free) char *copy = malloc(size + !size);

        check(copy);
        if (size > 0)
                memcpy(copy, data, size);
        for (size_t i = 0; i < size; i++)
                n_lines += data[i] == '\n';
        check(datagram_take((struct slice){ copy, size }, SLICE("agent.dgram"), &sink) == 0);
        return 0;
}
