/* Any bytes as the messages of an event file whose framing is right, which fuzz_stream cannot guess:
 * no crash, no leak, each record within its bounds. The bytes are a sequence of: length of the data in
 * one byte, data. build/fuzz/tests/fuzz/fuzz_tfevents CORPUS */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/crc.h"
#include "formats/stream.h"
#include "formats/tfevents.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(struct buffer *file, const void *data, size_t size_bytes) {
        if (buffer_append(file, data, size_bytes) < 0)
                abort();
}

static void put_crc(struct buffer *file, struct slice bytes) {
        uint32_t crc = crc32c(0, bytes);

        crc = htole32((crc >> 15 | crc << 17) + 0xa282ead8);
        put(file, &crc, sizeof(crc));
}

static void put_tfrecord(struct buffer *file, struct slice data) {
        uint64_t length = htole64(data.size_bytes);

        put(file, &length, sizeof(length));
        put_crc(file, (struct slice){ (const char *)&length, sizeof(length) });
        put(file, data.data, data.size_bytes);
        put_crc(file, data);
}

static void take_record(void *userdata, const struct record *record) {
        volatile double *sum = userdata;

        if (record->n_metrics > RECORD_METRICS_MAX)
                abort();
        for (size_t i = 0; i < record->n_metrics; i++) {
                if (record->metrics[i].name.size_bytes == 0)
                        abort();
                *sum += record->metrics[i].name.data[record->metrics[i].name.size_bytes - 1];
        }
}

static void take_reject(void *userdata, const struct reject *reject) {
        (void)userdata;
        if (reject->line == 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP(buffer_release) struct buffer file = BUFFER_INIT(16 * 1024 * 1024);
        CLEANUP(stream_freep) struct stream *stream = NULL;
        double sum = 0;
        const struct record_sink sink = { .userdata = &sum, .take_record = take_record, .take_reject = take_reject };
        const struct stream_config config = { .source = SLICE("/run/a_b/events"), .format = &format_tfevents, .sink = &sink };
        const char *at = (const char *)data, *end = at + size;

        while (at < end) {
                size_t n = (unsigned char)*at++;

                if (n > (size_t)(end - at))
                        n = (size_t)(end - at);
                put_tfrecord(&file, (struct slice){ at, n });
                at += n;
        }
        if (stream_new(&stream, &config) < 0 || stream_push(stream, buffer_slice(&file)) < 0 ||
            stream_finish(stream) < 0)
                abort();
        return 0;
}
