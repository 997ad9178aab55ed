/* A fold for people: its x, and a line a metric. */
#pragma once

#include "result/fold.h"

/* On standard output. The fold has a row. base: what the paths of the owners have in common, so that these
 * are named; NULL: they are not. */
void print_fold(const struct fold *fold, const char *base);

/* Text of others, with blanks for control characters: a terminal obeys these. */
void print_clean(struct slice text);
