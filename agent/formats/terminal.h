/* What a terminal would show of a stream of text, as frames: a frame is the line as it stands when
 * it ends, or when it begins to be redrawn (carriage return, backspaces, a cursor sequence). Colours
 * and other sequences are gone from it (ECMA-48, console_codes(4)).
 *
 * A carriage return begins the line anew: what a longer frame before it left standing is not shown,
 * since it belongs to that frame. Of a long line that backspaces change by little, not every state is a
 * frame. Memory is one frame, whatever comes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"

enum { FRAME_BYTES_MAX = 128 * 1024 }; /* what is longer is cut, and counted */

struct terminal {
        struct buffer line;   /* of the unfinished frame */
        uint8_t state;        /* in the middle of which sequence */
        uint32_t parameter;   /* of a control sequence, its last number */
        size_t new_bytes;     /* of the frame, since it was handed out last */
        bool is_shown;        /* the frame was handed out as it stands */
        bool is_long;         /* more came than a frame holds */
        bool after_return;    /* a carriage return was last: with a newline it is a line end */
        bool is_over;         /* the frame handed out last is: the next byte begins another */
};

struct frame {
        struct slice text;    /* borrowed until the next call */
        bool is_line;         /* it ends with a newline, or the writer's end; false: it is redrawn */
        bool is_cut;          /* it was longer than FRAME_BYTES_MAX */
};

void terminal_start(struct terminal *terminal);
void terminal_release(struct terminal *terminal);

/* Takes from *bytes up to the end of the next frame. 1: *ret_frame is one; 0: all bytes are taken and
 * none ended; -ENOMEM. */
int terminal_next(struct terminal *terminal, struct slice *bytes, struct frame *ret_frame);

/* The writer is gone: the frame as it stands. 1 or 0. */
int terminal_finish(struct terminal *terminal, struct frame *ret_frame);

/* Is it at the start of a line, in no sequence, so that whole lines can be passed over? */
static inline bool terminal_is_idle(const struct terminal *terminal) {
        return terminal->state == 0 && (terminal->is_over || (terminal->line.size_bytes == 0 && !terminal->after_return));
}
