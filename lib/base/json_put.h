/* Writing JSON into a bounded buffer, compact and in the order of the calls. Commas are put where
 * they belong. The first error stays in the writer, and what follows does nothing. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"

struct json_writer {
        struct buffer *out; /* borrowed */
        int error;          /* 0, or what buffer_append() said first */
        bool comma;         /* a comma is due before the next value or key */
};

#define JSON_WRITER_INIT(buffer) ((struct json_writer){ .out = (buffer) })

void json_put_open(struct json_writer *writer, char bracket);  /* '{' or '[' */
void json_put_close(struct json_writer *writer, char bracket); /* '}' or ']' */
void json_put_key(struct json_writer *writer, const char *key);

/* text is UTF-8; bytes that are not become U+FFFD. */
void json_put_text(struct json_writer *writer, struct slice text);
void json_put_string(struct json_writer *writer, const char *string);
/* At most max_digits significant digits; null when value is not finite. */
void json_put_number(struct json_writer *writer, double value, int max_digits);
void json_put_integer(struct json_writer *writer, int64_t value);
void json_put_bool(struct json_writer *writer, bool value);
void json_put_null(struct json_writer *writer);
/* json is a complete JSON value already. */
void json_put_json(struct json_writer *writer, struct slice json);
