/* Walks a whole JSON text without building anything: a value is the slice of its text, and its
 * members or elements are found one after the other. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"
#include "formats/json_scan.h"

enum { JSON_DEPTH_MAX = 64 };

/* NULL when a value stands at *at, which moves behind it; or what was expected at *at. *ret_cut: the
 * text ended where more was expected, so that more of it could make it right. */
const char *json_check(const char **at, const char *end, bool *ret_cut);

/* All below is for texts that were checked. */
struct json_walk {
        const char *at, *end;
        bool is_object;
};

/* Into a list or an object; anything else has nothing inside. */
struct json_walk json_walk_into(struct slice value);

/* The next member (with its key between the quotes, escapes as they stand) or element; false: the
 * last was before. ret_key is empty in a list. */
bool json_walk_next(struct json_walk *walk, struct slice *ret_key, struct slice *ret_value);

bool json_is_object(struct slice value);
bool json_is_list(struct slice value);

/* A number, or a text that is one. */
bool json_number(struct slice value, double *ret_number);

/* A text, between its quotes. */
bool json_text(struct slice value, struct slice *ret_text);
