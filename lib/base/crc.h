/* Cyclic redundancy checks of 32 bits, reflected, as framings of log files use them. */
#pragma once

#include <stdint.h>

#include "base/slice.h"

/* The CRC of what came so far (crc; 0: nothing) and then bytes. */
uint32_t crc32c(uint32_t crc, struct slice bytes);    /* Castagnoli: TFRecord */
uint32_t crc32_ieee(uint32_t crc, struct slice bytes); /* Ethernet, zlib: W&B */
