/* Reading values out of parsed JSON by path, without a check at each step. */
#pragma once

#include <stdint.h>

struct json_object;

/* Follows the keys, which end with NULL. NULL when one of them is missing, or object is NULL. The
 * value is borrowed from object. */
struct json_object *json_get(struct json_object *object, ...) __attribute__((sentinel));

/* The same for a text; NULL when it is missing, no text, or empty. Borrowed from object. */
const char *json_get_text(struct json_object *object, ...) __attribute__((sentinel));

/* The same for a whole number; otherwise fallback. */
int64_t json_get_integer(struct json_object *object, int64_t fallback, ...) __attribute__((sentinel));
