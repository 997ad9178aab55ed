/* Any bytes: no crash, no leak, each record within its bounds, and the same records in whatever pieces
 * the bytes come. A first byte from 0x80 to 0xbf, with which no text begins, says of which format the
 * rest is, and where it lies; any other is the file's own, whose format is found by its content. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "formats/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Paths mean something to some formats (formats/layout.h). */
static const char *const sources[] = {
        "fuzz",
        "run/plots/metrics/train/loss.tsv",
        "mlruns/0/0f/metrics/val/loss",
        "d3rlpy_logs/run/loss.csv",
        "catboost_info/learn_error.tsv",
        "run-train-tag-epoch_loss.json",
        "checkpoint-10/trainer_state.json",
        "wandb/run-1/wandb-summary.json",
};

/* What came out, as a number that depends on all of it. */
static void mix(uint64_t *sum, const void *data, size_t size_bytes) {
        for (size_t i = 0; i < size_bytes; i++)
                *sum = (*sum ^ ((const unsigned char *)data)[i]) * UINT64_C(1099511628211);
}

static void mix_number(uint64_t *sum, double value) {
        mix(sum, &value, sizeof(value));
}

static void take_record(void *userdata, const struct record *record) {
        if (record->n_metrics > RECORD_METRICS_MAX)
                abort();
        mix(userdata, &record->line, sizeof(record->line));
        mix_number(userdata, record->epoch);
        mix_number(userdata, record->step);
        mix_number(userdata, record->trial);
        mix_number(userdata, record->row);
        mix_number(userdata, record->time_s);
        mix_number(userdata, record->total_epochs);
        mix_number(userdata, record->end + 2 * record->is_snapshot);
        mix(userdata, record->output_path.data, record->output_path.size_bytes);
        mix(userdata, record->checkpoint.data, record->checkpoint.size_bytes);
        for (size_t i = 0; i < record->n_metrics; i++) {
                if (record->metrics[i].name.size_bytes == 0)
                        abort();
                mix(userdata, record->metrics[i].name.data, record->metrics[i].name.size_bytes);
                mix_number(userdata, record->metrics[i].value);
        }
}

static void take_reject(void *userdata, const struct reject *reject) {
        mix(userdata, &reject->line, sizeof(reject->line));
        mix(userdata, &reject->column, sizeof(reject->column));
        mix(userdata, reject->expected, strlen(reject->expected));
        mix(userdata, reject->text.data, reject->text.size_bytes);
}

static uint64_t sum_of(const struct stream_config *base, struct slice bytes, size_t piece_bytes) {
        CLEANUP(stream_freep) struct stream *stream = NULL;
        uint64_t sum = UINT64_C(14695981039346656037);
        const struct record_sink sink = { .userdata = &sum, .take_record = take_record, .take_reject = take_reject };
        struct stream_config config = *base;

        config.sink = &sink;
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

/* Takes the byte that chooses from the front of *bytes, where there is one. */
static struct stream_config choose(struct slice *bytes) {
        struct stream_config config = { .source = slice_from(sources[0]) };
        size_t n_formats = 0, choice;

        if (bytes->size_bytes == 0 || ((unsigned char)bytes->data[0] & 0xc0) != 0x80)
                return config;
        while (formats[n_formats])
                n_formats++;
        choice = (unsigned char)bytes->data[0] & 0x3f;
        config.format = formats[choice % (n_formats + 1)]; /* the last one is NULL: by content */
        config.source = slice_from(sources[choice / (n_formats + 1) % (sizeof(sources) / sizeof(sources[0]))]);
        *bytes = (struct slice){ bytes->data + 1, bytes->size_bytes - 1 };
        return config;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct slice bytes = { (const char *)data, size };
        struct stream_config config = choose(&bytes);
        uint64_t whole = sum_of(&config, bytes, SIZE_MAX);

        if (sum_of(&config, bytes, 1) != whole || sum_of(&config, bytes, 13) != whole)
                abort();
        return 0;
}
