#include "protocol/framing.h"

#include <sys/types.h>

#include "formats/lines.h"

enum { SHOWN_BYTES_MAX = 80 }; /* of what is no message at all */

static struct slice behind(struct slice bytes, size_t n) {
        return (struct slice){ bytes.data + n, bytes.size_bytes - n };
}

static int keep_pending(struct framing *framing, struct slice bytes) {
        return bytes.size_bytes > 0 ? buffer_append(&framing->pending, bytes.data, bytes.size_bytes) : 0;
}

void framing_release(struct framing *framing) {
        buffer_release(&framing->pending);
}

void framing_lose(struct framing *framing) {
        framing->state = FRAMING_LOST;
        buffer_release(&framing->pending);
}

/* --- JSON lines --- */

static void reject_long_line(const struct framing_sink *sink) {
        struct fault fault;

        fault_set(&fault, 0, "message-too-long", "expected at most %d bytes; the line is skipped", MESSAGE_BYTES_MAX);
        sink->take_fault(sink->userdata, &fault, (struct slice){ 0 });
}

static int take_whole_line(struct slice line, const struct framing_sink *sink) {
        if (line.size_bytes > 0 && line.data[line.size_bytes - 1] == '\r')
                line.size_bytes--;
        if (line.size_bytes > MESSAGE_BYTES_MAX) {
                reject_long_line(sink);
                return 0;
        }
        line = line_trim(line, false);
        return line.size_bytes > 0 ? sink->take_message(sink->userdata, line) : 0;
}

static int take_pending_line(struct framing *framing, const struct framing_sink *sink) {
        int r = take_whole_line(buffer_slice(&framing->pending), sink);

        buffer_release(&framing->pending);
        return r;
}

/* Up to the newline, or all that is there. Returns what was taken of bytes, or -ENOMEM. */
static ssize_t take_line(struct framing *framing, struct slice bytes, const struct framing_sink *sink) {
        const char *newline = memchr(bytes.data, '\n', bytes.size_bytes);
        size_t n = newline ? (size_t)(newline - bytes.data) : bytes.size_bytes;
        struct slice part = { bytes.data, n };
        int r = 0;

        /* One byte more may be the CR that does not count. */
        if (!framing->is_skipping && framing->pending.size_bytes + n > MESSAGE_BYTES_MAX + 1) {
                reject_long_line(sink);
                buffer_release(&framing->pending);
                framing->is_skipping = true;
        }
        if (framing->is_skipping) {
                framing->is_skipping = !newline;
        } else if (framing->pending.size_bytes == 0 && newline) {
                r = take_whole_line(part, sink);
        } else {
                r = keep_pending(framing, part);
                if (r == 0 && newline)
                        r = take_pending_line(framing, sink);
        }
        return r < 0 ? r : (ssize_t)(n + (newline != NULL));
}

/* --- protobuf --- */

static size_t frame_size(const char *data) {
        const unsigned char *bytes = (const unsigned char *)data;

        return (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
}

/* Fills pending up to size_bytes. 1: it is there; 0, -ENOMEM. */
static int gather(struct framing *framing, struct slice *bytes, size_t size_bytes) {
        size_t n = size_bytes > framing->pending.size_bytes ? size_bytes - framing->pending.size_bytes : 0;
        int r;

        if (n > bytes->size_bytes)
                n = bytes->size_bytes;
        r = keep_pending(framing, (struct slice){ bytes->data, n });
        *bytes = behind(*bytes, n);
        return r < 0 ? r : framing->pending.size_bytes >= size_bytes;
}

/* A frame of length 0 says nothing. */
static int take_whole_frame(struct slice frame, const struct framing_sink *sink) {
        return frame.size_bytes > 0 ? sink->take_message(sink->userdata, frame) : 0;
}

static void lose_long_frame(struct framing *framing, const struct framing_sink *sink) {
        struct fault fault;

        fault_set(&fault, 0, "message-too-long", "expected at most %d bytes; the connection is closed", MESSAGE_BYTES_MAX);
        framing_lose(framing);
        sink->take_fault(sink->userdata, &fault, (struct slice){ 0 });
}

/* Returns what was taken of bytes, or -ENOMEM. */
static ssize_t take_frame_in_pieces(struct framing *framing, struct slice bytes, const struct framing_sink *sink) {
        struct slice rest = bytes;
        size_t size;
        int r = gather(framing, &rest, FRAMING_LENGTH_BYTES);

        if (r <= 0)
                return r < 0 ? r : (ssize_t)bytes.size_bytes;
        size = frame_size(framing->pending.data);
        if (size > MESSAGE_BYTES_MAX) {
                lose_long_frame(framing, sink);
                return (ssize_t)bytes.size_bytes;
        }
        r = gather(framing, &rest, FRAMING_LENGTH_BYTES + size);
        if (r > 0) {
                r = take_whole_frame(behind(buffer_slice(&framing->pending), FRAMING_LENGTH_BYTES), sink);
                buffer_release(&framing->pending);
        }
        return r < 0 ? r : (ssize_t)(bytes.size_bytes - rest.size_bytes);
}

/* The same; a frame that is there in one piece is looked at where it lies. */
static ssize_t take_frame(struct framing *framing, struct slice bytes, const struct framing_sink *sink) {
        size_t size;
        int r;

        if (framing->pending.size_bytes > 0 || bytes.size_bytes < FRAMING_LENGTH_BYTES)
                return take_frame_in_pieces(framing, bytes, sink);
        size = frame_size(bytes.data);
        if (size > MESSAGE_BYTES_MAX || bytes.size_bytes - FRAMING_LENGTH_BYTES < size)
                return take_frame_in_pieces(framing, bytes, sink);
        r = take_whole_frame((struct slice){ bytes.data + FRAMING_LENGTH_BYTES, size }, sink);
        return r < 0 ? r : (ssize_t)(FRAMING_LENGTH_BYTES + size);
}

static void lose_cut_frame(struct framing *framing, const struct framing_sink *sink) {
        struct fault fault;

        fault_set(&fault, 0, "malformed", "expected the rest of a frame; the connection ended after %zu bytes of it",
                  framing->pending.size_bytes);
        framing_lose(framing);
        sink->take_fault(sink->userdata, &fault, (struct slice){ 0 });
}

/* --- either --- */

static void choose(struct framing *framing, struct slice bytes, const struct framing_sink *sink) {
        struct fault fault;

        if (bytes.data[0] == '{') {
                framing->state = FRAMING_LINES;
                return;
        }
        if (bytes.data[0] == '\0') {
                framing->state = FRAMING_FRAMES;
                framing->encoding = ENCODING_PROTOBUF;
                return;
        }
        fault_set(&fault, 0, "wrong-first-byte", "expected { (JSON lines) or 0x00 (protobuf) first, not 0x%02x",
                  (unsigned char)bytes.data[0]);
        framing_lose(framing);
        sink->take_fault(sink->userdata, &fault,
                         (struct slice){ bytes.data, bytes.size_bytes < SHOWN_BYTES_MAX ? bytes.size_bytes : SHOWN_BYTES_MAX });
}

int framing_push(struct framing *framing, struct slice bytes, bool final, const struct framing_sink *sink) {
        if (framing->state == FRAMING_NOT_KNOWN && bytes.size_bytes > 0)
                choose(framing, bytes, sink);
        while (bytes.size_bytes > 0 && framing->state != FRAMING_LOST) {
                ssize_t n = framing->state == FRAMING_LINES ? take_line(framing, bytes, sink) : take_frame(framing, bytes, sink);

                if (n < 0)
                        return (int)n;
                bytes = behind(bytes, (size_t)n);
        }
        if (!final || framing->pending.size_bytes == 0)
                return 0;
        if (framing->state == FRAMING_LINES)
                return take_pending_line(framing, sink);
        lose_cut_frame(framing, sink);
        return 0;
}
