#include "publish/spacing.h"

static int64_t clamp(int64_t value, int64_t min, int64_t max) {
        if (value > max)
                value = max;
        return value < min ? min : value;
}

int64_t spacing_ms(int64_t age_ms, int64_t min_ms, int64_t max_ms, double random) {
        return (int64_t)((double)clamp(age_ms / 60, min_ms, max_ms) * (0.75 + random / 2));
}

int64_t backoff_ms(unsigned failures, int64_t retry_after_ms, double random) {
        unsigned doublings = failures > 0 ? failures - 1 : 0;
        int64_t delay = BACKOFF_FIRST_MS * (INT64_C(1) << (doublings < 16 ? doublings : 16));

        delay = (int64_t)((double)clamp(delay, BACKOFF_FIRST_MS, BACKOFF_MAX_MS) * (0.5 + random / 2));
        if (retry_after_ms >= 0)
                retry_after_ms += (int64_t)((double)retry_after_ms * random / 4);
        return delay > retry_after_ms ? delay : retry_after_ms;
}
