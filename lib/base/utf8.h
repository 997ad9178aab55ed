/* UTF-8 as the Unicode standard 15, table 3-7, defines it. */
#pragma once

#include <stddef.h>

#include "base/slice.h"

/* Bytes of the well-formed character at the start of text, 0 when there is none. */
size_t utf8_character(struct slice text);

/* The longest start of text that is at most max_bytes and does not cut a character. */
size_t utf8_cut(struct slice text, size_t max_bytes);

/* Makes "?" of every byte of a control character (C0, DEL, C1), in place: what others wrote must not move a
 * terminal's cursor. */
void utf8_hide_controls(char *text, size_t size_bytes);
