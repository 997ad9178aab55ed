#include "formats/stream.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/cleanup.h"

struct stream {
        char *source;
        const struct format *named;  /* by the user, or NULL */
        const struct format *format; /* NULL: not known yet */
        struct parser *parser;
        struct parse_context context;
        struct record_sink counting; /* counts, and hands on to the owner's */
        const struct record_sink *sink;
        struct buffer pending;       /* an unfinished line, or what is not recognised yet */
        struct stream_counts counts;
        bool at_start;               /* no line yet that is neither blank nor a comment */
        bool skipping;               /* in a line over the limit: until its end */
};

/* --- counting --- */

static void take_record(void *userdata, const struct record *record) {
        struct stream *stream = userdata;

        stream->counts.records++;
        stream->sink->take_record(stream->sink->userdata, record);
}

static void take_reject(void *userdata, const struct reject *reject) {
        struct stream *stream = userdata;

        stream->counts.rejects++;
        stream->sink->take_reject(stream->sink->userdata, reject);
}

/* --- the stream as a whole --- */

static int open_parser(struct stream *stream, const struct format *format) {
        int r = format->open(&stream->parser);

        if (r == 0)
                stream->format = format;
        return r;
}

static void close_parser(struct stream *stream) {
        if (stream->format)
                stream->format->free(stream->parser);
        stream->parser = NULL;
        stream->format = NULL;
}

int stream_new(struct stream **ret_stream, struct slice source, const struct format *format,
               const struct record_sink *sink, bool explain) {
        CLEANUP(stream_freep) struct stream *stream = calloc(1, sizeof(*stream));

        if (!stream)
                return -ENOMEM;
        stream->source = strndup(source.data, source.size_bytes);
        if (!stream->source)
                return -ENOMEM;
        stream->sink = sink;
        stream->named = format;
        stream->counting = (struct record_sink){ stream, take_record, take_reject };
        stream->context = (struct parse_context){ .source = { stream->source, source.size_bytes },
                                                  .sink = &stream->counting, .explain = explain };
        stream->pending = BUFFER_INIT(LINE_BYTES_MAX);
        stream->at_start = true;
        *ret_stream = STEAL(stream);
        return 0;
}

struct stream *stream_free(struct stream *stream) {
        if (!stream)
                return NULL;
        close_parser(stream);
        buffer_release(&stream->pending);
        free(stream->source);
        free(stream);
        return NULL;
}

void stream_freep(struct stream **stream) {
        *stream = stream_free(*stream);
}

void stream_restart(struct stream *stream) {
        close_parser(stream);
        buffer_clear(&stream->pending);
        stream->context.line = 0;
        stream->at_start = true;
        stream->skipping = false;
}

/* --- recognising --- */

static bool is_blank_or_comment(struct slice line) {
        size_t i = 0;

        while (i < line.size_bytes && (line.data[i] == ' ' || line.data[i] == '\t' || line.data[i] == '\r'))
                i++;
        return i == line.size_bytes || line.data[i] == '#';
}

/* Which format begins here; RECOGNITION_MORE as long as one cannot tell. */
static enum recognition recognise(const struct stream *stream, struct slice head, bool final,
                                  const struct format **ret_format) {
        for (const struct format *const *format = formats; *format; format++) {
                enum recognition answer = (*format)->recognise(head, stream->at_start, final);

                *ret_format = *format;
                if (answer != RECOGNITION_NO)
                        return answer;
        }
        return RECOGNITION_NO;
}

/* Looks at the start of each line until one is of a known format. Returns the bytes that were passed
 * over; stream->format is set when one was found. */
static ssize_t find_format(struct stream *stream, struct slice bytes, bool final) {
        size_t at = 0;

        if (stream->named)
                return open_parser(stream, stream->named);
        while (at < bytes.size_bytes) {
                struct slice head = { bytes.data + at, bytes.size_bytes - at };
                const char *newline = memchr(head.data, '\n', head.size_bytes);
                struct slice line = { head.data, newline ? (size_t)(newline - head.data) : head.size_bytes };
                const struct format *format;
                enum recognition answer;

                if (!newline && !final && is_blank_or_comment(line))
                        break;
                answer = is_blank_or_comment(line) ? RECOGNITION_NO : recognise(stream, head, final, &format);
                if (answer == RECOGNITION_YES) {
                        int r = open_parser(stream, format);

                        return r < 0 ? r : (ssize_t)at;
                }
                if (answer == RECOGNITION_MORE || (!newline && !final))
                        break;
                stream->counts.unrecognised += !is_blank_or_comment(line);
                stream->at_start = stream->at_start && is_blank_or_comment(line);
                stream->context.line++;
                at += line.size_bytes + (newline != NULL);
        }
        return (ssize_t)at;
}

/* --- pushing --- */

/* Takes what is complete from the front of bytes; returns how many bytes that was. */
static ssize_t take(struct stream *stream, struct slice bytes, bool final) {
        ssize_t passed = 0, taken;
        uint64_t before;

        if (!stream->format) {
                passed = find_format(stream, bytes, final);
                if (passed < 0 || !stream->format)
                        return passed;
        }
        before = stream->context.line;
        taken = stream->format->consume(stream->parser,
                                        (struct slice){ bytes.data + passed, bytes.size_bytes - (size_t)passed },
                                        final, &stream->context);
        stream->counts.lines += stream->context.line - before;
        return taken < 0 ? taken : passed + taken;
}

/* Passes over the rest of a line that is too long. */
static struct slice skip_line(struct stream *stream, struct slice bytes) {
        const char *newline = memchr(bytes.data, '\n', bytes.size_bytes);

        if (!newline)
                return (struct slice){ bytes.data, 0 };
        stream->skipping = false;
        return (struct slice){ newline + 1, bytes.size_bytes - (size_t)(newline + 1 - bytes.data) };
}

static void start_skipping(struct stream *stream) {
        stream->context.line++;
        stream->counts.lines++;
        line_reject(&stream->context, buffer_slice(&stream->pending), 0, LINE_EXPECTED_SHORTER);
        buffer_clear(&stream->pending);
        stream->skipping = true;
        stream->at_start = false;
}

/* Completes the unfinished line that is kept with the start of bytes, up to its newline; returns
 * what is left of bytes. */
static int complete_pending(struct stream *stream, struct slice *bytes) {
        const char *newline = memchr(bytes->data, '\n', bytes->size_bytes);
        size_t size = newline ? (size_t)(newline + 1 - bytes->data) : bytes->size_bytes;
        ssize_t taken;
        int r = buffer_append(&stream->pending, bytes->data, size);

        if (r == -ENOBUFS) {
                start_skipping(stream);
                return 0;
        }
        if (r < 0)
                return r;
        *bytes = (struct slice){ bytes->data + size, bytes->size_bytes - size };
        if (!newline)
                return 0;
        taken = take(stream, buffer_slice(&stream->pending), false);
        if (taken < 0)
                return (int)taken;
        buffer_consume(&stream->pending, (size_t)taken);
        return 0;
}

/* Keeps what was not taken for when more comes. */
static int keep(struct stream *stream, struct slice bytes) {
        int r = buffer_append(&stream->pending, bytes.data, bytes.size_bytes);

        if (r != -ENOBUFS)
                return r;
        start_skipping(stream);
        return stream_push(stream, bytes);
}

int stream_push(struct stream *stream, struct slice bytes) {
        while (bytes.size_bytes > 0) {
                ssize_t taken;
                int r;

                if (stream->skipping) {
                        bytes = skip_line(stream, bytes);
                        continue;
                }
                if (stream->pending.size_bytes > 0) {
                        r = complete_pending(stream, &bytes);
                        if (r < 0)
                                return r;
                        continue;
                }
                taken = take(stream, bytes, false);
                if (taken < 0)
                        return (int)taken;
                bytes = (struct slice){ bytes.data + taken, bytes.size_bytes - (size_t)taken };
                return bytes.size_bytes > 0 ? keep(stream, bytes) : 0;
        }
        return 0;
}

int stream_finish(struct stream *stream) {
        ssize_t taken = 0;

        if (stream->pending.size_bytes > 0)
                taken = take(stream, buffer_slice(&stream->pending), true);
        buffer_clear(&stream->pending);
        stream->skipping = false;
        return taken < 0 ? (int)taken : 0;
}

const struct format *stream_format(const struct stream *stream) {
        return stream->format;
}

struct stream_counts stream_counts(const struct stream *stream) {
        return stream->counts;
}

size_t stream_pending_bytes(const struct stream *stream) {
        return stream->pending.size_bytes;
}
