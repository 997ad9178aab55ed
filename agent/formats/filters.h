/* Filters of --filter: regular expressions whose first group is a metric's name and whose second is
 * its value, as Katib's metrics collector has them. They are written for Go's engine and matched by
 * POSIX's: what means the same is translated (\d \w \s \D \W \S, also in brackets, (?: ), a brace
 * that repeats nothing), everything else is refused. Of several ways to match at one place the longest
 * counts, where Go takes the first. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

enum { FILTERS_MAX = 8 };

struct filters;

/* Adds one; *filters is made when it is NULL. 0, -EINVAL (then *ret_expected says what was expected; a
 * static text), -ENOMEM. */
int filters_add(struct filters **filters, const char *regex, const char **ret_expected);
struct filters *filters_free(struct filters *filters); /* NULL allowed; returns NULL */

/* The first match in text whose value is a number: false when there is none. The slices are of text;
 * the next match is in what comes after *ret_end bytes. Of a long text the first 64 KiB are looked at. */
bool filters_match(const struct filters *filters, struct slice text, struct slice *ret_name,
                   struct slice *ret_value, size_t *ret_end);
/* The same from a byte of text on, so that ^ is the start of text and not of its rest. */
bool filters_match_from(const struct filters *filters, struct slice text, size_t from, struct slice *ret_name,
                        struct slice *ret_value, size_t *ret_end);
