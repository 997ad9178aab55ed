/* Where messages begin and end in what a client sends: JSON lines, or protobuf behind lengths (proto/PROTOCOL.md, "Framing"). */
#pragma once

#include <stdbool.h>

#include "base/buffer.h"
#include "base/slice.h"
#include "protocol/message.h"

enum { FRAMING_LENGTH_BYTES = 4 }; /* before a frame */

enum framing_state { FRAMING_NOT_KNOWN, FRAMING_LINES, FRAMING_FRAMES, FRAMING_LOST };

struct framing {
        enum framing_state state;
        enum encoding encoding; /* as the first byte said, also when it is lost; else JSON */
        bool is_skipping;       /* the rest of a line that is too long */
        struct buffer pending;  /* an unfinished message; owned */
};

#define FRAMING_INIT ((struct framing){ .pending = BUFFER_INIT(MESSAGE_BYTES_MAX + FRAMING_LENGTH_BYTES) })

void framing_release(struct framing *framing);

/* Who takes it, in its order. */
struct framing_sink {
        void *userdata;
        /* One line, trimmed, or one frame without its length; never empty. Borrowed. 0 or -ENOMEM. */
        int (*take_message)(void *userdata, struct slice message);
        /* What was no message; text: the bytes, where they are worth showing. */
        void (*take_fault)(void *userdata, const struct fault *fault, struct slice text);
};

/* Takes bytes; with final set no more come. 0 or -ENOMEM; when framing is lost, nothing is taken any more. */
int framing_push(struct framing *framing, struct slice bytes, bool final, const struct framing_sink *sink);

/* It is lost: what is unfinished is forgotten. */
void framing_lose(struct framing *framing);
