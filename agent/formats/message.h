/* Unpacking messages of protobuf-c into memory that is kept and used again: no allocation a message,
 * and a bound on what a small message may unfold to. */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct message_memory {
        char *data;
        size_t capacity_bytes, used_bytes;
        bool is_full; /* the last unpacking needed more */
};

enum { MESSAGE_INVALID = 1 }; /* not such a message, or one that unfolds to more than 16 MiB */

/* 0, MESSAGE_INVALID or -ENOMEM. *ret_message is valid until the next message of this memory. */
int message_unpack(struct message_memory *memory, const ProtobufCMessageDescriptor *descriptor,
                   struct slice bytes, void *ret_message);

/* Frees the memory, which is empty then. */
void message_memory_release(struct message_memory *memory);
