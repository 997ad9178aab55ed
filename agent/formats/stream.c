#include "formats/stream.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/cleanup.h"

enum { PENDING_BYTES_IDLE = 4 * 1024 };

struct stream {
        char *source;
        struct stream_config config;
        const struct format *format; /* NULL: not known yet */
        const struct format *last_format; /* that was known; behind a document the next one may not be yet */
        struct parser *parser;
        struct parse_context context;
        struct record_sink counting; /* counts, ranks, and hands on to the owner's */
        enum source_rank rank;       /* of the first history; what follows a document is the same source */
        bool has_rank;
        struct buffer pending;       /* an unfinished line, or what is not recognised yet */
        struct stream_counts counts;
        bool refused;                /* of no known format */
        bool skipping;               /* in a line over the limit: until its end */
};

/* --- what the parser says --- */

static void take_record(void *userdata, const struct record *record) {
        struct stream *stream = userdata;
        struct record ranked = *record;

        if (!stream->has_rank && !record->is_snapshot) {
                stream->rank = stream->format->rank;
                stream->has_rank = true;
        }
        ranked.rank = stream->config.is_named ? SOURCE_NAMED : stream->has_rank ? stream->rank : stream->format->rank;
        stream->counts.records++;
        stream->config.sink->take_record(stream->config.sink->userdata, &ranked);
}

static void take_reject(void *userdata, const struct reject *reject) {
        struct stream *stream = userdata;

        stream->counts.rejects++;
        stream->config.sink->take_reject(stream->config.sink->userdata, reject);
}

static void take_passed(void *userdata, const struct reject *passed) {
        const struct stream *stream = userdata;

        stream->config.sink->take_passed(stream->config.sink->userdata, passed);
}

/* --- the stream as a whole --- */

static int open_parser(struct stream *stream, const struct format *format) {
        int r = format->open(&stream->parser);

        if (r == 0)
                stream->format = stream->last_format = format;
        return r;
}

static void close_parser(struct stream *stream) {
        if (stream->format)
                stream->format->free(stream->parser);
        stream->parser = NULL;
        stream->format = NULL;
}

int stream_new(struct stream **ret_stream, const struct stream_config *config) {
        CLEANUP(stream_freep) struct stream *stream = calloc(1, sizeof(*stream));

        if (!stream)
                return -ENOMEM;
        stream->source = strndup(config->source.data, config->source.size_bytes);
        if (!stream->source)
                return -ENOMEM;
        stream->config = *config;
        stream->config.source = (struct slice){ stream->source, config->source.size_bytes };
        stream->counting = (struct record_sink){ stream, take_record, take_reject,
                                                 config->sink->take_passed ? take_passed : NULL };
        stream->context = (struct parse_context){
                .source = stream->config.source,
                .sink = &stream->counting,
                .filters = config->filters,
        };
        stream->pending = BUFFER_INIT(LINE_BYTES_MAX + 1); /* with its newline */
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
        stream->last_format = NULL;
        stream->has_rank = false;
        buffer_clear(&stream->pending);
        stream->context.line = 0;
        stream->refused = false;
        stream->skipping = false;
}

/* --- recognising --- */

/* The first format of the table that says yes; RECOGNITION_MORE as long as one before it may. */
static enum recognition recognise(const struct stream *stream, struct slice head, bool final,
                                  const struct format **ret_format) {
        if (stream->config.format) {
                *ret_format = stream->config.format;
                return RECOGNITION_YES;
        }
        for (const struct format *const *format = formats; *format; format++) {
                enum recognition answer = (*format)->recognise(head, stream->config.source, final);

                *ret_format = *format;
                if (answer != RECOGNITION_NO)
                        return answer;
        }
        return RECOGNITION_NO;
}

/* Behind a document, in a file that is not read as text. */
static void reject_rest(struct stream *stream, struct slice rest) {
        const char *newline = memchr(rest.data, '\n', rest.size_bytes);

        stream->context.line++;
        line_reject(&stream->context, (struct slice){ rest.data, newline ? (size_t)(newline - rest.data) : rest.size_bytes }, 0,
                    "another document, or nothing; the rest of the file is passed over");
        stream->context.line--;
}

/* True when the format is open now. False: more is needed, the stream is refused, or *ret_error. */
static bool find_format(struct stream *stream, struct slice head, bool final, int *ret_error) {
        const struct format *format;
        enum recognition answer;

        *ret_error = 0;
        final = final || head.size_bytes >= STREAM_HEAD_BYTES_MAX;
        answer = recognise(stream, head, final, &format);
        if (answer == RECOGNITION_YES) {
                *ret_error = open_parser(stream, format);
        } else if (answer == RECOGNITION_NO || final) {
                stream->refused = true;
                if (stream->last_format)
                        reject_rest(stream, head);
        }
        return answer == RECOGNITION_YES && *ret_error == 0;
}

/* --- pushing --- */

/* Takes what is complete from the front of bytes; returns how many bytes that was. What follows a
 * document is recognised as if a file began with it. */
static ssize_t take(struct stream *stream, struct slice bytes, bool final) {
        size_t size = bytes.size_bytes;
        ssize_t taken;
        int r;

        do {
                uint64_t before = stream->context.line;

                if (!stream->format && !find_format(stream, bytes, final, &r))
                        return r < 0 ? r : (ssize_t)(stream->refused ? size : size - bytes.size_bytes);
                stream->context.is_over = false;
                taken = stream->format->consume(stream->parser, bytes, final, &stream->context);
                if (taken < 0)
                        return taken;
                stream->counts.lines += stream->context.line - before;
                if (taken > 0) /* at the end there may be none, and no data either */
                        bytes = (struct slice){ bytes.data + taken, bytes.size_bytes - (size_t)taken };
                if (stream->context.is_over)
                        close_parser(stream);
        } while (stream->context.is_over);
        return (ssize_t)(size - bytes.size_bytes);
}

/* Passes over the rest of a line that is too long. */
static struct slice skip_line(struct stream *stream, struct slice bytes) {
        const char *newline = memchr(bytes.data, '\n', bytes.size_bytes);

        if (!newline)
                return (struct slice){ bytes.data, 0 };
        stream->skipping = false;
        return (struct slice){ newline + 1, bytes.size_bytes - (size_t)(newline + 1 - bytes.data) };
}

/* Of a long line the memory is given back. */
static void release_long(struct buffer *pending) {
        if (pending->size_bytes == 0 && pending->capacity_bytes > PENDING_BYTES_IDLE)
                buffer_release(pending);
}

static void start_skipping(struct stream *stream) {
        stream->context.line++;
        stream->counts.lines++;
        line_reject(&stream->context, buffer_slice(&stream->pending), 0, LINE_EXPECTED_SHORTER);
        buffer_clear(&stream->pending);
        release_long(&stream->pending);
        stream->skipping = true;
}

/* Completes what is kept with the start of bytes, up to a newline where lines are what counts;
 * *bytes is what is left then. */
static int complete_pending(struct stream *stream, struct slice *bytes) {
        const char *newline = memchr(bytes->data, '\n', bytes->size_bytes);
        size_t size = newline ? (size_t)(newline + 1 - bytes->data) : bytes->size_bytes;
        size_t room = STREAM_HEAD_BYTES_MAX - stream->pending.size_bytes;
        ssize_t taken;
        int r;

        if (!stream->format && size > room)
                size = room; /* no more is looked at to tell the format */
        r = buffer_append(&stream->pending, bytes->data, size);
        if (r == -ENOBUFS) {
                start_skipping(stream);
                return 0;
        }
        if (r < 0)
                return r;
        *bytes = (struct slice){ bytes->data + size, bytes->size_bytes - size };
        if (!newline && stream->format && stream->format->by_line)
                return 0;
        taken = take(stream, buffer_slice(&stream->pending), false);
        if (taken < 0)
                return (int)taken;
        buffer_consume(&stream->pending, (size_t)taken);
        release_long(&stream->pending);
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
        while (bytes.size_bytes > 0 && !stream->refused) {
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

        if (!stream->refused && (stream->format || stream->pending.size_bytes > 0))
                taken = take(stream, buffer_slice(&stream->pending), true);
        buffer_clear(&stream->pending);
        stream->skipping = false;
        return taken < 0 ? (int)taken : 0;
}

const struct format *stream_format(const struct stream *stream) {
        return stream->last_format;
}

bool stream_is_refused(const struct stream *stream) {
        return stream->refused;
}

struct stream_counts stream_counts(const struct stream *stream) {
        return stream->counts;
}

size_t stream_pending_bytes(const struct stream *stream) {
        return stream->pending.size_bytes;
}
