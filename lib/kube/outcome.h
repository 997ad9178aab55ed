/* What a reply means: the table of replies, apart from how they came. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "kube/kube.h"

struct json_object;

/* status: of HTTP. body: as parsed, NULL when it was no JSON. text: the same as it came. */
enum kube_outcome kube_outcome_of(int status, bool has_retry_after, struct json_object *body,
                                  struct slice text);

/* The value of a Retry-After header in milliseconds: seconds, or an HTTP date (now_s: seconds since
 * 1970). At most an hour; -1 when it is neither. */
int64_t kube_parse_retry_after(const char *value, int64_t now_s);
