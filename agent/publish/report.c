#include "publish/report.h"

#include <stdlib.h>
#include <string.h>

#include "publish/identity.h"

enum { BODY_BYTES_MAX = 16 * 1024 };

void report_init(struct report *report) {
        *report = (struct report){ .sent = BUFFER_INIT(BODY_BYTES_MAX), .acknowledged = BUFFER_INIT(BODY_BYTES_MAX),
                                   .refused = BUFFER_INIT(BODY_BYTES_MAX) };
}

void report_release(struct report *report) {
        buffer_release(&report->sent);
        buffer_release(&report->acknowledged);
        buffer_release(&report->refused);
        free(report->version);
        report->version = NULL;
}

bool report_is_news(const struct report *report) {
        return !slice_equal(buffer_slice(&report->sent), buffer_slice(&report->acknowledged)) &&
               !slice_equal(buffer_slice(&report->sent), buffer_slice(&report->refused));
}

/* A copy that cannot be made is as good as none: then it is sent once more. */
static void copy(struct buffer *to, const struct buffer *from) {
        buffer_clear(to);
        if (buffer_append(to, from->data, from->size_bytes) < 0)
                buffer_clear(to);
}

void report_acknowledge(struct report *report, const char *version) {
        copy(&report->acknowledged, &report->sent);
        if (!version || identity_set(&report->version, version) < 0)
                report_forget(report);
}

void report_refuse(struct report *report) {
        copy(&report->refused, &report->sent);
}

void report_forget(struct report *report) {
        buffer_clear(&report->acknowledged);
}

bool report_check(struct report *report, const char *version) {
        if (report->acknowledged.size_bytes > 0 && version && report->version &&
            strcmp(version, report->version) == 0)
                return false;
        report_forget(report);
        return true;
}

int report_write_fenced(const struct report *report, const char *version, struct buffer *out) {
        int r = buffer_append_string(out, "{\"metadata\":{\"resourceVersion\":\"");

        if (r == 0)
                r = buffer_append_string(out, version);
        if (r == 0)
                r = buffer_append_string(out, "\"},");
        if (r == 0)
                r = buffer_append(out, report->sent.data + 1, report->sent.size_bytes - 1);
        return r;
}
