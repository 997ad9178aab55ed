/* What a run is called, when nothing says it. */
#pragma once

#include <stddef.h>

enum { RUN_NAME_BYTES_MAX = 63 }; /* of a Job (Kubernetes, RFC 1123 label) */

/* The script's name without its ending, or the module's (python -m), or the program's, with what Kubernetes takes for a
 * name, and the time: train-20261125-143000. With n > 1 the n-th of that name: train-20261125-143000-2. */
void run_name(char *const *command, long long unix_s, unsigned n, char ret_name[static RUN_NAME_BYTES_MAX + 1]);
