/* The system calls that at_call knows by name. */
#pragma once

#include <stdbool.h>

struct call {
        long number;
        const char *name;
        int path;   /* which argument is a path, from 0; -1: none. The descriptor that it is relative to is 0 */
        int fd;     /* which is a descriptor; -1: none */
        bool is_transfer; /* argument 2 says how many bytes are wanted: fewer are a success, too */
};

/* NULL: none of these. */
const struct call *call_by_number(long number);
const struct call *call_by_name(const char *name);
