/* A scanner for the values of one JSON text, without allocation. Lenient where trainers are: NaN
 * and Infinity as Python writes them, numbers that begin with a point. */
#pragma once

#include <stdbool.h>

#include "base/buffer.h"
#include "base/slice.h"

enum json_kind { JSON_NUMBER, JSON_TEXT, JSON_BOOL, JSON_NULL, JSON_LIST };

struct json_scalar {
        enum json_kind kind;
        double number;      /* JSON_NUMBER; NAN and infinities too */
        bool boolean;       /* JSON_BOOL */
        struct slice text;  /* JSON_TEXT: between the quotes, escapes as they stand; JSON_LIST: the list */
        bool has_escapes;
};

/* Scans one value that is no object; a list is passed over as a whole. *at moves behind it. NULL, or
 * what was expected at *at. */
const char *json_scan_scalar(const char **at, const char *end, struct json_scalar *ret_scalar);

/* Passes over a list or an object, whose brackets are matched and nothing else: *at is at the first.
 * NULL, or what was expected at *at. */
const char *json_skip_brackets(const char **at, const char *end);

/* The same for a text alone: *at is at its opening quote. */
const char *json_scan_text(const char **at, const char *end, struct slice *ret_text, bool *ret_has_escapes);

/* Appends text with its escapes decoded; \uXXXX that is no character becomes U+FFFD. 0 or negative
 * errno of buffer_append(). */
int json_decode_text(struct buffer *out, struct slice text);

static inline const char *json_skip_blanks(const char *at, const char *end) {
        while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'))
                at++;
        return at;
}
