/* A whole JSON document: kept until its outermost bracket closes, then read at once. Its file is read
 * anew when it changes, so a document that is half written is waited for. What follows it is for the
 * stream to recognise: another document, or the log of a trainer that printed its settings first. */
#include "formats/document.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "formats/history.h"
#include "formats/json_walk.h"
#include "formats/lines.h"

enum {
        DOCUMENT_BYTES_MAX = 64 * 1024 * 1024,
        EXPECTED_BYTES = 96,
};

enum state {
        STATE_OPEN,   /* the outermost bracket is not closed yet */
        STATE_DONE,   /* it is, and the document was read or rejected */
        STATE_FAILED, /* it has no end; what follows is passed over */
};

struct parser {
        enum state state;
        uint64_t first_line;  /* in which it begins; 0: not known yet */
        struct buffer bytes;
        size_t depth;         /* of brackets at the end of bytes */
        bool in_text, escaped;
        struct history *history;
        char expected[EXPECTED_BYTES];
};

/* --- the end of the document --- */

static void scan_byte(struct parser *parser, char c) {
        if (parser->escaped) {
                parser->escaped = false;
        } else if (parser->in_text) {
                parser->escaped = c == '\\';
                parser->in_text = c != '"';
        } else if (c == '"') {
                parser->in_text = true;
        } else if (c == '{' || c == '[') {
                parser->depth++;
        } else if ((c == '}' || c == ']') && parser->depth > 0) {
                parser->depth--;
        }
}

/* True when the outermost bracket is closed within bytes, behind *ret_size. */
static bool find_end(struct parser *parser, struct slice bytes, size_t *ret_size) {
        for (size_t i = 0; i < bytes.size_bytes; i++) {
                char c = bytes.data[i];

                scan_byte(parser, c);
                if (parser->depth == 0 && !parser->in_text && (c == '}' || c == ']')) {
                        *ret_size = i + 1;
                        return true;
                }
        }
        *ret_size = bytes.size_bytes;
        return false;
}

/* --- what becomes of it --- */

/* The line in which the byte at `at` is, and its column; context->line is that of the last byte. */
static void reject_at(struct parser *parser, const char *at, const char *expected, struct parse_context *context) {
        const char *line = parser->bytes.data, *end = line + parser->bytes.size_bytes, *newline;
        uint64_t last_line = context->line;

        context->line = parser->first_line;
        while ((newline = memchr(line, '\n', (size_t)(at - line)))) {
                line = newline + 1;
                context->line++;
        }
        newline = memchr(line, '\n', (size_t)(end - line));
        line_reject(context, (struct slice){ line, (size_t)((newline ? newline : end) - line) },
                    (size_t)(at - line) + 1, expected);
        context->line = last_line;
}

static struct slice document_of(const struct parser *parser) {
        struct slice document = buffer_slice(&parser->bytes);

        if (slice_starts_with(document, SLICE("\xef\xbb\xbf")))
                document = (struct slice){ document.data + 3, document.size_bytes - 3 };
        return document;
}

static int read_document(struct parser *parser, struct parse_context *context) {
        struct slice document = document_of(parser);
        const char *at = document.data, *end = at + document.size_bytes, *expected;
        bool cut;

        parser->state = STATE_DONE;
        expected = json_check(&at, end, &cut);
        if (expected) {
                reject_at(parser, at, expected, context);
                return 0;
        }
        at = json_skip_blanks(document.data, end);
        return history_read(parser->history, (struct slice){ at, (size_t)(end - at) }, context);
}

/* The writer may be in the middle of it; then the file changes again, and is read from its start. */
static void reject_unfinished(struct parser *parser, struct parse_context *context) {
        struct slice document = document_of(parser);
        const char *at = document.data, *expected;
        bool cut;

        expected = json_check(&at, document.data + document.size_bytes, &cut);
        if (!expected)
                expected = "a JSON object or list";
        (void)snprintf(parser->expected, sizeof(parser->expected), "%s; nothing of the document counts", expected);
        reject_at(parser, at, parser->expected, context);
        parser->state = STATE_FAILED;
}

static void count_lines(struct slice bytes, struct parse_context *context) {
        const char *at = bytes.data, *end = at + bytes.size_bytes, *newline;

        for (; at < end && (newline = memchr(at, '\n', (size_t)(end - at))); at = newline + 1)
                context->line++;
}

/* How many of bytes are the document's, or -errno. */
static ssize_t take_bytes(struct parser *parser, struct slice bytes, struct parse_context *context) {
        size_t size_bytes;
        bool is_whole = find_end(parser, bytes, &size_bytes);
        int r = buffer_append(&parser->bytes, bytes.data, size_bytes);

        if (r == -ENOBUFS) {
                line_reject(context, (struct slice){ 0 }, 0, "a document of at most 64 MiB; it is passed over");
                parser->state = STATE_FAILED;
                return (ssize_t)bytes.size_bytes;
        }
        if (r == 0 && is_whole)
                r = read_document(parser, context);
        return r < 0 ? r : (ssize_t)size_bytes;
}

static size_t count_blanks(struct slice bytes) {
        const char *end = bytes.data + bytes.size_bytes;

        return bytes.size_bytes > 0 ? (size_t)(json_skip_blanks(bytes.data, end) - bytes.data) : 0;
}

static ssize_t consume(struct parser *parser, struct slice bytes, bool final, struct parse_context *context) {
        ssize_t taken = 0;

        if (parser->first_line == 0)
                parser->first_line = context->line + 1;
        if (parser->state == STATE_OPEN && bytes.size_bytes > 0)
                taken = take_bytes(parser, bytes, context);
        if (taken < 0)
                return taken;
        if (final && parser->state == STATE_OPEN && parser->bytes.size_bytes > 0)
                reject_unfinished(parser, context);
        if (parser->state == STATE_DONE && bytes.size_bytes > 0)
                taken += (ssize_t)count_blanks((struct slice){ bytes.data + taken, bytes.size_bytes - (size_t)taken });
        else if (parser->state == STATE_FAILED)
                taken = (ssize_t)bytes.size_bytes;
        if (parser->state != STATE_OPEN)
                buffer_release(&parser->bytes);
        if (taken > 0)
                count_lines((struct slice){ bytes.data, (size_t)taken }, context);
        context->is_over = (size_t)taken < bytes.size_bytes;
        return taken;
}

/* --- recognising --- */

/* A list of objects or lists: known as soon as the first of them is whole, which no line of text that
 * begins with a bracket survives. */
static enum recognition recognise_list(const char *at, const char *end, bool final) {
        bool cut;

        at = json_skip_blanks(at + 1, end);
        if (at < end && *at != '{' && *at != '[')
                return RECOGNITION_NO;
        if (json_check(&at, end, &cut))
                return !cut ? RECOGNITION_NO : final ? RECOGNITION_YES : RECOGNITION_MORE;
        at = json_skip_blanks(at, end);
        if (at == end)
                return final ? RECOGNITION_YES : RECOGNITION_MORE;
        return *at == ',' || *at == ']' ? RECOGNITION_YES : RECOGNITION_NO;
}

/* Its first line is a whole object: JSON lines when another object follows. */
static enum recognition recognise_line(const char *at, const char *end, bool final) {
        at = json_skip_blanks(at, end);
        if (at == end)
                return final ? RECOGNITION_YES : RECOGNITION_MORE;
        return RECOGNITION_NO;
}

static enum recognition recognise_object(const char *start, const char *end, bool final) {
        const char *at = json_skip_blanks(start + 1, end), *line_end = memchr(start, '\n', (size_t)(end - start));
        bool cut;

        if (at < end && *at != '"')
                return RECOGNITION_NO;
        if (!line_end && !final)
                return RECOGNITION_MORE;
        if (line_end && at > line_end) { /* a bracket alone: a key must follow */
                struct slice key;
                bool has_escapes;

                if (at == end || json_scan_text(&at, end, &key, &has_escapes))
                        return final ? RECOGNITION_NO : RECOGNITION_MORE;
                at = json_skip_blanks(at, end);
                if (at == end)
                        return final ? RECOGNITION_NO : RECOGNITION_MORE;
                return *at == ':' ? RECOGNITION_YES : RECOGNITION_NO;
        }
        at = start;
        if (!json_check(&at, line_end ? line_end : end, &cut))
                return recognise_line(at, end, final);
        return cut ? RECOGNITION_YES : RECOGNITION_NO;
}

static enum recognition recognise(struct slice head, struct slice source, bool final) {
        const char *at = head.data, *end = at + head.size_bytes;

        (void)source;
        if (slice_starts_with(head, SLICE("\xef\xbb\xbf")))
                at += 3;
        else if (head.size_bytes < 3 && slice_starts_with(SLICE("\xef\xbb\xbf"), head) && !final)
                return RECOGNITION_MORE;
        at = json_skip_blanks(at, end);
        if (at == end)
                return final ? RECOGNITION_NO : RECOGNITION_MORE;
        if (*at == '{')
                return recognise_object(at, end, final);
        return *at == '[' ? recognise_list(at, end, final) : RECOGNITION_NO;
}

/* --- the format --- */

static void free_parser(struct parser *parser) {
        if (!parser)
                return;
        history_free(parser->history);
        buffer_release(&parser->bytes);
        free(parser);
}

static int open_parser(struct parser **ret_parser) {
        struct parser *parser = calloc(1, sizeof(*parser));
        int r;

        if (!parser)
                return -ENOMEM;
        parser->bytes = BUFFER_INIT(DOCUMENT_BYTES_MAX);
        r = history_new(&parser->history);
        if (r < 0) {
                free_parser(parser);
                return r;
        }
        *ret_parser = parser;
        return 0;
}

const struct format format_document = {
        .name = "json",
        .description = "JSON documents with a history of training, or a snapshot of its latest values",
        .rank = SOURCE_STRUCTURED,
        .is_whole = true,
        .recognise = recognise,
        .open = open_parser,
        .consume = consume,
        .free = free_parser,
};
