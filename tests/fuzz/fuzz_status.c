/* Any JSON as the status that was there before our first report, before or after records of our own: no
 * crash, no leak, and what is written then is within its bounds and read back as it was written. The first
 * byte says how many records, and whether they come before. build/fuzz/tests/fuzz/fuzz_status CORPUS */
#include <json-c/json.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "publish/earlier.h"
#include "result/result.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HOW_BEFORE = 1, HOW_OURS = 2, HOW_RECORDS = 4 };

static void release_json(struct json_object **object) {
        json_object_put(*object);
}

static void take_records(struct fold *fold, int n) {
        for (int i = 0; i < n; i++) {
                struct metric metric = { .name = SLICE("loss"), .value = i };
                struct record record = RECORD_EMPTY;

                record.source = SLICE("m.jsonl");
                record.line = (uint64_t)i + 1;
                record.epoch = i + 3;
                record.metrics = &metric;
                record.n_metrics = 1;
                if (fold_take(fold, &record) < 0)
                        abort();
        }
}

static void write_status(struct fold *fold, struct buffer *out) {
        struct result_identity identity = { .namespace_name = "default", .name = "job" };
        struct result_facts facts = { .phase = PHASE_RUNNING, .start_us = 1, .attempt = { .number = 1, .exit_code = -1,
                                                                                         .restarts = -1 } };

        if (result_write_manifest(out, &identity, fold, &facts) < 0 || out->size_bytes > RESULT_BYTES_MAX)
                abort();
}

static void take_history(struct fold *fold, struct json_object *result, bool is_ours) {
        CLEANUP(earlier_release) struct earlier earlier = { 0 };

        if (earlier_read(&earlier, result, is_ours) < 0 || fold_take_history(fold, &earlier.history) < 0)
                abort();
}

/* The next attempt reads what this one wrote. */
static void check_reading_back(const struct fold *fold, struct buffer *text) {
        uint64_t accepted = fold_accepted_in_all(fold);
        CLEANUP(release_json) struct json_object *result = json_tokener_parse(buffer_string(text));
        CLEANUP(earlier_release) struct earlier earlier = { 0 };

        if (!result || earlier_read(&earlier, result, false) < 0 ||
            earlier.history.accepted != (accepted > INT64_MAX ? 0 : accepted))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP(buffer_release) struct buffer input = BUFFER_INIT(1 << 20), output = BUFFER_INIT(1 << 16);
        CLEANUP(release_json) struct json_object *result = NULL;
        CLEANUP(fold_freep) struct fold *fold = NULL;
        const struct fold_config config = { .metrics_max = FOLD_METRICS_MAX };
        unsigned how = size > 0 ? data[0] : 0;

        if (size < 2 || buffer_append(&input, data + 1, size - 1) < 0)
                return 0;
        result = json_tokener_parse(buffer_string(&input));
        if (!result)
                return 0;
        if (fold_new(&fold, &config) < 0)
                abort();
        if (how & HOW_BEFORE)
                take_records(fold, (int)(how / HOW_RECORDS));
        take_history(fold, result, how & HOW_OURS);
        if (!(how & HOW_BEFORE))
                take_records(fold, (int)(how / HOW_RECORDS));
        write_status(fold, &output);
        check_reading_back(fold, &output);
        return 0;
}
