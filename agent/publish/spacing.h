/* When to publish: pure arithmetic, so that a fleet's load can be reckoned. */
#pragma once

#include <stdint.h>

enum {
        SPACING_MIN_MS = 5000,
        SPACING_MAX_MS = 60000,
        BACKOFF_FIRST_MS = 1000,
        BACKOFF_MAX_MS = 60000,
};

/* From one report to the next, for a run of that age: a sixtieth of it within min and max, and up
 * to a quarter less or more by random (0 to 1), so that jobs that start together drift apart. */
int64_t spacing_ms(int64_t age_ms, int64_t min_ms, int64_t max_ms, double random);

/* Until the next try after so many failures in a row (from 1): doubles from BACKOFF_FIRST_MS to
 * BACKOFF_MAX_MS, less up to half by random. Never before the server's Retry-After (-1: none),
 * and up to a quarter later, lest all come back at once. */
int64_t backoff_ms(unsigned failures, int64_t retry_after_ms, double random);
