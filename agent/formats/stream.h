/* A stream of bytes whose format is found by its content: the one way from a source's bytes to
 * records. Keeps an unfinished line until the rest comes; a line over LINE_BYTES_MAX is one reject. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "formats/format.h"
#include "formats/lines.h"
#include "result/record.h"

/* What cannot be told from so many bytes at the start of a file is not told from more. */
enum { STREAM_HEAD_BYTES_MAX = LINE_BYTES_MAX };

struct stream;

struct stream_config {
        struct slice source;              /* names it in records and rejects; copied */
        const struct format *format;      /* NULL: found by content */
        bool is_named;                    /* the user pointed at this source: it owns what it reports */
        const struct filters *filters;    /* borrowed; NULL: none */
        const struct record_sink *sink;   /* borrowed for the life of the stream */
};

struct stream_counts {
        uint64_t lines;      /* complete lines seen */
        uint64_t records;    /* handed to the sink */
        uint64_t rejects;    /* handed to the sink */
};

/* 0 or -ENOMEM. */
int stream_new(struct stream **ret_stream, const struct stream_config *config);
struct stream *stream_free(struct stream *stream); /* NULL allowed; returns NULL */
void stream_freep(struct stream **stream);

/* Takes all of bytes. 0 or -ENOMEM (then the rest of bytes is lost and counted as one reject). */
int stream_push(struct stream *stream, struct slice bytes);

/* No more will come: an unfinished last line counts as complete. */
int stream_finish(struct stream *stream);

/* The source begins anew (replaced, truncated, a document that changed): an unfinished line is
 * dropped, line numbers and header start over; a format given by name stays. */
void stream_restart(struct stream *stream);

/* The format, or NULL while it is not known; behind a document that of the document, until it is known
 * what follows. */
const struct format *stream_format(const struct stream *stream);

/* Is it none of the formats? Then all that is pushed is passed over until it begins anew. */
bool stream_is_refused(const struct stream *stream);

/* Counts since stream_new(). */
struct stream_counts stream_counts(const struct stream *stream);

/* Bytes of an unfinished line that are kept. */
size_t stream_pending_bytes(const struct stream *stream);
