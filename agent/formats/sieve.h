/* Which lines of text are worth taking apart: most lines of a log are not. Fast, and never wrong about a
 * line that counts; about the others it may be. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* Before the first use; cheap to call again. */
void sieve_prepare(void);

/* May the line, trimmed, say a place in the training or a metric? That takes a ':' or '=' with a number
 * behind it, a number behind a word that is known, or a word of a table's header at its start. */
bool sieve_keeps(struct slice line);

/* How many bytes at the front of text, which begins at the start of a line, are complete lines that say
 * nothing and hold no control characters; how many lines that is goes to ret_lines. */
size_t sieve_skip(struct slice text, uint64_t *ret_lines);
