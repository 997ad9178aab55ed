/* Any bytes: no crash, no leak, each record within its bounds, and the same records in whatever pieces
 * the bytes come. build/fuzz/tests/fuzz/fuzz_stream -dict=tests/fuzz/stream.dict CORPUS tests/samples/ray */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "formats/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What came out, as a number that depends on all of it. */
static void mix(uint64_t *sum, const void *data, size_t size_bytes) {
        for (size_t i = 0; i < size_bytes; i++)
                *sum = (*sum ^ ((const unsigned char *)data)[i]) * UINT64_C(1099511628211);
}

static void take_record(void *userdata, const struct record *record) {
        if (record->n_metrics > RECORD_METRICS_MAX)
                abort();
        mix(userdata, &record->line, sizeof(record->line));
        mix(userdata, &record->epoch, sizeof(record->epoch));
        mix(userdata, &record->step, sizeof(record->step));
        mix(userdata, record->output_path.data, record->output_path.size_bytes);
        for (size_t i = 0; i < record->n_metrics; i++) {
                mix(userdata, record->metrics[i].name.data, record->metrics[i].name.size_bytes);
                mix(userdata, &record->metrics[i].value, sizeof(record->metrics[i].value));
        }
}

static void take_reject(void *userdata, const struct reject *reject) {
        mix(userdata, &reject->line, sizeof(reject->line));
        mix(userdata, reject->expected, strlen(reject->expected));
}

static uint64_t sum_of(struct slice bytes, size_t piece_bytes) {
        CLEANUP(stream_freep) struct stream *stream = NULL;
        uint64_t sum = UINT64_C(14695981039346656037);
        const struct record_sink sink = { &sum, take_record, take_reject };
        const struct stream_config config = { .source = SLICE("fuzz"), .sink = &sink };

        if (stream_new(&stream, &config) < 0)
                abort();
        while (bytes.size_bytes > 0) {
                size_t n = piece_bytes < bytes.size_bytes ? piece_bytes : bytes.size_bytes;
                /* A copy of its own, so that a read past its end is found. */
                CLEANUP(cleanup_free) char *piece = malloc(n);

                if (!piece)
                        abort();
                memcpy(piece, bytes.data, n);
                if (stream_push(stream, (struct slice){ piece, n }) < 0)
                        abort();
                bytes = (struct slice){ bytes.data + n, bytes.size_bytes - n };
        }
        if (stream_finish(stream) < 0)
                abort();
        return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct slice bytes = { (const char *)data, size };
        uint64_t whole = sum_of(bytes, SIZE_MAX);

        if (sum_of(bytes, 1) != whole || sum_of(bytes, 13) != whole)
                abort();
        return 0;
}
