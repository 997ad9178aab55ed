#include "store/header.h"

#include <endian.h>
#include <stddef.h>
#include <string.h>

#include "base/crc.h"

struct wire {
        char magic[HEADER_MAGIC_BYTES];
        uint16_t major, minor;
        uint32_t crc;
        uint64_t generation, durable, size_bytes;
        uint32_t header_crc;
        uint8_t is_suspect, zero[3];
};

/* So that the one after it can be counted as well. */
#define GENERATIONS_MAX (UINT64_MAX / 2)

_Static_assert(sizeof(struct wire) == HEADER_BYTES && offsetof(struct wire, is_suspect) == HEADER_SUSPECT_AT, "as in header.h");

static const char magic[HEADER_MAGIC_BYTES] = { '\x8d', 'E', 'X', 'P', 'S', 'T', '\r', '\n' };

static uint32_t crc_of(const struct wire *wire) {
        return crc32c(0, (struct slice){ (const char *)wire, offsetof(struct wire, header_crc) });
}

struct header header_of(struct slice bytes, uint64_t generation, uint64_t durable) {
        return (struct header){
                .major = STORE_MAJOR,
                .minor = STORE_MINOR,
                .crc = crc32c(0, bytes),
                .generation = generation,
                .durable = durable,
                .size_bytes = bytes.size_bytes,
        };
}

void header_write(const struct header *header, char ret_bytes[static HEADER_BYTES]) {
        struct wire wire = {
                .major = htole16(header->major),
                .minor = htole16(header->minor),
                .crc = htole32(header->crc),
                .generation = htole64(header->generation),
                .durable = htole64(header->durable),
                .size_bytes = htole64(header->size_bytes),
                .is_suspect = header->is_suspect,
        };

        memcpy(wire.magic, magic, sizeof(magic));
        wire.header_crc = htole32(crc_of(&wire));
        memcpy(ret_bytes, &wire, sizeof(wire));
}

bool header_has_magic(const char bytes[static HEADER_BYTES]) {
        return memcmp(bytes, magic, sizeof(magic)) == 0;
}

bool header_read(const char bytes[static HEADER_BYTES], struct header *ret_header) {
        struct wire wire;

        memcpy(&wire, bytes, sizeof(wire));
        *ret_header = (struct header){
                .major = le16toh(wire.major),
                .minor = le16toh(wire.minor),
                .crc = le32toh(wire.crc),
                .generation = le64toh(wire.generation),
                .durable = le64toh(wire.durable),
                .size_bytes = le64toh(wire.size_bytes),
                .is_suspect = wire.is_suspect != 0,
        };
        return header_has_magic(bytes) && le32toh(wire.header_crc) == crc_of(&wire) && ret_header->generation > 0 &&
               ret_header->generation < GENERATIONS_MAX && ret_header->size_bytes <= STORE_BYTES_MAX;
}
