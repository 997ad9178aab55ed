#include "formats/message.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>

enum {
        MEMORY_BYTES_FIRST = 16 * 1024,
        MEMORY_BYTES_IDLE = 64 * 1024, /* more is given back with the next message */
        MEMORY_BYTES_MAX = 16 * 1024 * 1024,
};

static void *allocate(void *userdata, size_t size_bytes) {
        struct message_memory *memory = userdata;
        size_t rounded = (size_bytes + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
        void *found = memory->data + memory->used_bytes;

        if (rounded < size_bytes || rounded > memory->capacity_bytes - memory->used_bytes) {
                memory->is_full = true;
                return NULL;
        }
        memory->used_bytes += rounded;
        return found;
}

/* All of it is freed at once, by the next message. */
static void keep_for_now(void *userdata, void *pointer) {
        (void)userdata;
        (void)pointer;
}

/* Throws away what is in there. */
static int grow(struct message_memory *memory) {
        size_t capacity = memory->capacity_bytes ? 4 * memory->capacity_bytes : MEMORY_BYTES_FIRST;
        char *data = malloc(capacity);

        if (!data)
                return -ENOMEM;
        free(memory->data);
        memory->data = data;
        memory->capacity_bytes = capacity;
        return 0;
}

int message_unpack(struct message_memory *memory, const ProtobufCMessageDescriptor *descriptor,
                   struct slice bytes, void *ret_message) {
        ProtobufCAllocator allocator = { .alloc = allocate, .free = keep_for_now, .allocator_data = memory };

        if (memory->capacity_bytes > MEMORY_BYTES_IDLE)
                message_memory_release(memory);
        for (;;) {
                ProtobufCMessage *message = NULL;

                memory->used_bytes = 0;
                memory->is_full = memory->capacity_bytes == 0;
                if (!memory->is_full)
                        message = protobuf_c_message_unpack(descriptor, &allocator, bytes.size_bytes,
                                                            (const uint8_t *)bytes.data);
                if (message) {
                        *(ProtobufCMessage **)ret_message = message;
                        return 0;
                }
                if (!memory->is_full || memory->capacity_bytes >= MEMORY_BYTES_MAX)
                        return MESSAGE_INVALID;
                if (grow(memory) < 0)
                        return -ENOMEM;
        }
}

void message_memory_release(struct message_memory *memory) {
        free(memory->data);
        *memory = (struct message_memory){ 0 };
}
