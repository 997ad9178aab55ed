/* What the server was told last: whether there is anything new to say, and whether it still knows. */
#pragma once

#include <stdbool.h>

#include "base/buffer.h"

/* Bodies of patches to /status, without the fence. */
struct report {
        struct buffer sent;         /* the last that went out, or is about to */
        struct buffer acknowledged; /* the last that the server took; empty: none that it still has */
        struct buffer refused;      /* the same again would be refused again */
        char *version;              /* resourceVersion of the Result since the acknowledged one */
};

void report_init(struct report *report);
void report_release(struct report *report);

/* Is report->sent something that the server lacks? */
bool report_is_news(const struct report *report);
/* The server took it, or never will. version: the Result's resourceVersion now. */
void report_acknowledge(struct report *report, const char *version);
void report_refuse(struct report *report);
/* The server may not have what it acknowledged: it is sent again. refused is not: it would be the same. */
void report_forget(struct report *report);
/* The same, when the Result is at another version than after our last report: somebody else wrote, by
 * whose hand it may have lost ours, or the server was put back to an earlier time. True if so. */
bool report_check(struct report *report, const char *version);

/* Appends report->sent with the version in front, as a fence: {"metadata":{"resourceVersion":…},
 * "status":…}, so that it never goes over something that we have not seen. 0, -ENOBUFS, -ENOMEM. */
int report_write_fenced(const struct report *report, const char *version, struct buffer *out);
