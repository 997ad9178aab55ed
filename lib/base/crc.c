#include "base/crc.h"

#include <endian.h>
#include <stdbool.h>

enum {
        POLYNOMIAL_CASTAGNOLI = 0x82f63b78,
        POLYNOMIAL_IEEE = 0xedb88320,
};

/* Slicing by 8: columns[n][b] is what the byte b does to the CRC n bytes later, so that eight bytes
 * are eight look-ups that do not wait for each other. */
struct table {
        bool is_filled;
        uint32_t columns[8][256];
};

static void table_fill(struct table *table, uint32_t polynomial) {
        for (uint32_t byte = 0; byte < 256; byte++) {
                uint32_t crc = byte;

                for (int bit = 0; bit < 8; bit++)
                        crc = (crc >> 1) ^ (crc & 1 ? polynomial : 0);
                table->columns[0][byte] = crc;
        }
        for (int n = 1; n < 8; n++)
                for (uint32_t byte = 0; byte < 256; byte++) {
                        uint32_t crc = table->columns[n - 1][byte];

                        table->columns[n][byte] = (crc >> 8) ^ table->columns[0][crc & 0xff];
                }
        table->is_filled = true;
}

static uint32_t crc_with(const struct table *table, uint32_t crc, struct slice bytes) {
        const char *at = bytes.data, *end;

        if (bytes.size_bytes == 0)
                return crc;
        end = at + bytes.size_bytes;
        crc = ~crc;
        for (; end - at >= 8; at += 8) {
                uint64_t word;

                memcpy(&word, at, sizeof(word));
                word = le64toh(word) ^ crc;
                crc = table->columns[7][word & 0xff] ^ table->columns[6][word >> 8 & 0xff] ^
                      table->columns[5][word >> 16 & 0xff] ^ table->columns[4][word >> 24 & 0xff] ^
                      table->columns[3][word >> 32 & 0xff] ^ table->columns[2][word >> 40 & 0xff] ^
                      table->columns[1][word >> 48 & 0xff] ^ table->columns[0][word >> 56];
        }
        for (; at < end; at++)
                crc = (crc >> 8) ^ table->columns[0][(crc ^ (unsigned char)*at) & 0xff];
        return ~crc;
}

uint32_t crc32c(uint32_t crc, struct slice bytes) {
        static struct table table;

        if (!table.is_filled)
                table_fill(&table, POLYNOMIAL_CASTAGNOLI);
        return crc_with(&table, crc, bytes);
}

uint32_t crc32_ieee(uint32_t crc, struct slice bytes) {
        static struct table table;

        if (!table.is_filled)
                table_fill(&table, POLYNOMIAL_IEEE);
        return crc_with(&table, crc, bytes);
}
