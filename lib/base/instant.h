/* Points in time as text. Durations are int64_t in milliseconds or microseconds, named so. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum { INSTANT_TEXT_BYTES = 32 };

/* Writes unix_us (microseconds since 1970, UTC) as RFC 3339, in seconds: 2026-01-02T03:04:05Z,
 * which is what Kubernetes' metav1.Time reads. */
void instant_format(int64_t unix_us, char ret_text[static INSTANT_TEXT_BYTES]);

/* Reads RFC 3339 or ISO 8601 as trainers write it: date, T or blank, time, optional fraction,
 * optional Z or offset (none means UTC). Returns seconds since 1970 with fraction. */
bool instant_parse(struct slice text, double *ret_unix_s);
