/* Results as files: DIR/<job>.json, ready for kubectl apply --server-side. */
#pragma once

#include "base/slice.h"

/* Replaces directory/name.json by json and a newline: a reader sees the old or the new content,
 * whole, and after a crash one of the two is there. Makes the directory where it is missing.
 * 0 or negative errno; then what was there is there still. */
int directory_publish(const char *directory, const char *name, struct slice json);
