#include "formats/lines.h"

enum { REJECT_TEXT_BYTES = 200 };

ssize_t lines_consume(struct parser *parser, struct slice bytes, bool final, struct parse_context *context,
                      int (*take_line)(struct parser *parser, struct slice line, struct parse_context *context)) {
        const char *at = bytes.data, *end = bytes.size_bytes > 0 ? at + bytes.size_bytes : at;

        while (at < end) {
                const char *newline = memchr(at, '\n', (size_t)(end - at));
                struct slice line = { at, (size_t)((newline ? newline : end) - at) };
                int r = 0;

                if (!newline && !final)
                        break;
                context->line++;
                if (line.size_bytes > LINE_BYTES_MAX)
                        line_reject(context, line, 0, LINE_EXPECTED_SHORTER);
                else
                        r = take_line(parser, line, context);
                if (r < 0)
                        return r;
                at = newline ? newline + 1 : end;
        }
        return at - bytes.data;
}

static bool is_blank(char c) {
        return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice line_trim(struct slice line, bool is_first) {
        static const struct slice byte_order_mark = SLICE("\xef\xbb\xbf");

        if (is_first && slice_starts_with(line, byte_order_mark))
                line = (struct slice){ line.data + 3, line.size_bytes - 3 };
        while (line.size_bytes > 0 && is_blank(line.data[line.size_bytes - 1]))
                line.size_bytes--;
        while (line.size_bytes > 0 && is_blank(line.data[0]))
                line = (struct slice){ line.data + 1, line.size_bytes - 1 };
        return line;
}

static struct reject reject_of(const struct parse_context *context, struct slice line, size_t column,
                               const char *expected) {
        return (struct reject){
                .source = context->source,
                .line = context->line,
                .column = column,
                .expected = expected,
                .text = { line.data, line.size_bytes < REJECT_TEXT_BYTES ? line.size_bytes : REJECT_TEXT_BYTES },
        };
}

void line_reject(struct parse_context *context, struct slice line, size_t column, const char *expected) {
        const struct reject reject = reject_of(context, line, column, expected);

        context->sink->take_reject(context->sink->userdata, &reject);
}

void line_passed(struct parse_context *context, struct slice line, size_t column, const char *expected) {
        const struct reject passed = reject_of(context, line, column, expected);

        if (context->sink->take_passed)
                context->sink->take_passed(context->sink->userdata, &passed);
}

struct slice lines_take_first(struct slice *head, bool *ret_complete) {
        const char *newline = memchr(head->data, '\n', head->size_bytes);
        struct slice line = { head->data, newline ? (size_t)(newline - head->data) : head->size_bytes };
        size_t used = line.size_bytes + (newline != NULL);

        if (line.size_bytes > 0 && line.data[line.size_bytes - 1] == '\r')
                line.size_bytes--;
        *head = (struct slice){ head->data + used, head->size_bytes - used };
        *ret_complete = newline != NULL;
        return line;
}

struct slice lines_skip_preamble(struct slice head) {
        if (slice_starts_with(head, SLICE("\xef\xbb\xbf")))
                head = (struct slice){ head.data + 3, head.size_bytes - 3 };
        while (head.size_bytes > 0) {
                struct slice rest = head;
                bool complete;
                struct slice line = line_trim(lines_take_first(&rest, &complete), false);

                if (line.size_bytes > 0 && line.data[0] != '#')
                        break;
                head = rest;
        }
        return head;
}
