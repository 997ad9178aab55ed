/* Numbers as text: correctly rounded in, shortest out, independent of the locale. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

enum { NUMBER_TEXT_BYTES = 32 }; /* room for any number that number_format() writes, terminated */

/* Reads one number at the start of text: [+-]digits[.digits][(e|E)[+-]digits], a point may also
 * come first or last, and leading zeros are allowed. The value is the double nearest to the
 * decimal (ties to even), as strtod(3) gives it; past the range it is ±infinity or ±0.
 * Words (nan, inf) and hexadecimal are not read here. Returns the bytes read, 0 when there is no
 * number; *ret_value is set only then when bytes were read. */
size_t number_scan(struct slice text, double *ret_value);

/* Reads the whole of text (blanks around it allowed) as a number, or as one of the words that
 * trainers write for what is not finite: nan, inf, infinity, any case, with sign; also "NA",
 * "null", "None" are not numbers. */
bool number_parse(struct slice text, double *ret_value);

/* Writes value with the fewest significant digits that read back as the same double, at most
 * max_digits (1 to 17) of them, as a JSON number. value is finite. Returns the length.
 * Integers below 1e15 are written without exponent or point. */
size_t number_format(double value, int max_digits, char ret_text[static NUMBER_TEXT_BYTES]);
