/* Chance, for spreading load; nothing secret hangs on it. */
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

/* 0 to 1, 1 excluded. */
static inline double random_fraction(void) {
        uint32_t bits = 0;

        if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) != (ssize_t)sizeof(bits))
                bits = (uint32_t)rand();
        return bits / 4294967296.0;
}
