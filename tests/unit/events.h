/* Writes TensorBoard's event files: messages, TFRecords around them, events of summaries. */
#pragma once

#include <endian.h>

#include "base/crc.h"
#include "said.h"

enum { BYTES_MAX = 4 * 1024 * 1024 };

static inline void put(struct buffer *out, const void *data, size_t size_bytes) {
        assert_int_equal(buffer_append(out, data, size_bytes), 0);
}

static inline void put_varint(struct buffer *out, uint64_t value) {
        do {
                uint8_t byte = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));

                put(out, &byte, 1);
                value >>= 7;
        } while (value > 0);
}

static inline void put_number_field(struct buffer *out, unsigned field, uint64_t value) {
        put_varint(out, field << 3);
        put_varint(out, value);
}

static inline void put_double_field(struct buffer *out, unsigned field, double value) {
        put_varint(out, field << 3 | 1);
        put(out, &value, sizeof(value));
}

static inline void put_float_field(struct buffer *out, unsigned field, float value) {
        put_varint(out, field << 3 | 5);
        put(out, &value, sizeof(value));
}

static inline void put_bytes_field(struct buffer *out, unsigned field, struct slice bytes) {
        put_varint(out, field << 3 | 2);
        put_varint(out, bytes.size_bytes);
        put(out, bytes.data, bytes.size_bytes);
}

/* The message becomes the field of another, and is empty then. */
static inline void put_message_field(struct buffer *out, unsigned field, struct buffer *message) {
        put_bytes_field(out, field, buffer_slice(message));
        buffer_clear(message);
}

static inline void put_crc(struct buffer *out, struct slice bytes) {
        uint32_t crc = crc32c(0, bytes);

        crc = htole32((crc >> 15 | crc << 17) + 0xa282ead8);
        put(out, &crc, sizeof(crc));
}

static inline void put_tfrecord(struct buffer *out, struct slice data) {
        uint64_t length = htole64(data.size_bytes);

        put(out, &length, sizeof(length));
        put_crc(out, (struct slice){ (const char *)&length, sizeof(length) });
        put(out, data.data, data.size_bytes);
        put_crc(out, data);
}

static inline void put_version(struct buffer *file) {
        CLEANUP(buffer_release) struct buffer event = BUFFER_INIT(BYTES_MAX);

        put_double_field(&event, 1, 1.5e9);
        put_bytes_field(&event, 3, SLICE("brain.Event:2"));
        put_tfrecord(file, buffer_slice(&event));
}

/* SessionLog START, as a writer that continues a run writes it. */
static inline void put_session_start(struct buffer *file, int64_t step) {
        CLEANUP(buffer_release) struct buffer event = BUFFER_INIT(BYTES_MAX), session = BUFFER_INIT(BYTES_MAX);

        put_double_field(&event, 1, 1.5e9);
        put_number_field(&event, 2, (uint64_t)step);
        put_number_field(&session, 1, 1);
        put_message_field(&event, 7, &session);
        put_tfrecord(file, buffer_slice(&event));
}

/* An event of a summary, whose values are in it already. */
static inline void put_event(struct buffer *file, int64_t step, struct buffer *summary) {
        CLEANUP(buffer_release) struct buffer event = BUFFER_INIT(BYTES_MAX);

        put_double_field(&event, 1, 1.5e9);
        put_number_field(&event, 2, (uint64_t)step);
        put_message_field(&event, 5, summary);
        put_tfrecord(file, buffer_slice(&event));
}

static inline void put_simple_value(struct buffer *summary, const char *tag, float number) {
        CLEANUP(buffer_release) struct buffer value = BUFFER_INIT(BYTES_MAX);

        put_bytes_field(&value, 1, slice_from(tag));
        put_float_field(&value, 2, number);
        put_message_field(summary, 1, &value);
}

/* A value that is a tensor, whose fields are in it already; plugin NULL: without metadata. */
static inline void put_tensor_value(struct buffer *summary, const char *tag, const char *plugin, struct buffer *tensor) {
        CLEANUP(buffer_release) struct buffer value = BUFFER_INIT(BYTES_MAX), data = BUFFER_INIT(BYTES_MAX),
                                              metadata = BUFFER_INIT(BYTES_MAX);

        put_bytes_field(&value, 1, slice_from(tag));
        if (plugin) {
                put_bytes_field(&data, 1, slice_from(plugin));
                put_bytes_field(&data, 2, SLICE("content"));
                put_message_field(&metadata, 1, &data);
                put_number_field(&metadata, 4, 1);
                put_message_field(&value, 9, &metadata);
        }
        put_message_field(&value, 8, tensor);
        put_message_field(summary, 1, &value);
}

static inline void put_scalar(struct buffer *file, int64_t step, const char *tag, float number) {
        CLEANUP(buffer_release) struct buffer summary = BUFFER_INIT(BYTES_MAX);

        put_simple_value(&summary, tag, number);
        put_event(file, step, &summary);
}

static inline void put_float_tensor(struct buffer *file, int64_t step, const char *tag, const char *plugin, float number) {
        CLEANUP(buffer_release) struct buffer summary = BUFFER_INIT(BYTES_MAX), tensor = BUFFER_INIT(BYTES_MAX);

        put_number_field(&tensor, 1, 1);
        put_bytes_field(&tensor, 4, (struct slice){ (const char *)&number, sizeof(number) });
        put_tensor_value(&summary, tag, plugin, &tensor);
        put_event(file, step, &summary);
}

#define FILE_BUFFER(name) CLEANUP(buffer_release) struct buffer name = BUFFER_INIT(BYTES_MAX)
