/* What log lines begin with. */
#pragma once

#include "base/slice.h"

/* What follows the time stamp, level, logger's name and the like that a log line begins with. The
 * number of the process among many that says it ([rank1], [default3]:), or -1, goes to ret_process. */
struct slice prefix_skip(struct slice text, int *ret_process);
