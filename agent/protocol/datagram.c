#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "formats/keys.h"
#include "formats/lines.h"
#include "protocol/message.h"

struct datagram {
        struct slice source;
        const struct record_sink *sink;
        struct record_builder builder;
        uint64_t line;
};

static void hand_on(struct datagram *datagram) {
        struct record *record = &datagram->builder.record;

        if (!builder_has_content(&datagram->builder))
                return;
        record->source = datagram->source;
        record->rank = SOURCE_SOCKET;
        record->line = datagram->line;
        record->metrics = datagram->builder.metrics;
        datagram->sink->take_record(datagram->sink->userdata, record);
}

static void reject(struct datagram *datagram, struct slice line, const char *expected) {
        struct reject reject = { .source = datagram->source, .line = datagram->line, .text = line, .expected = expected };

        datagram->sink->take_reject(datagram->sink->userdata, &reject);
}

/* --- sd_notify --- */

/* sd_notify(3) and systemd 257's sd-daemon.h; what is of X_ is of others. */
static bool is_systemd_key(struct slice key) {
        static const char *const keys[] = {
                "READY", "RELOADING", "STOPPING", "STATUS", "NOTIFYACCESS", "ERRNO", "BUSERROR", "VARLINKERROR", "EXIT_STATUS",
                "MAINPID", "MAINPIDFDID", "WATCHDOG", "WATCHDOG_USEC", "EXTEND_TIMEOUT_USEC", "FDSTORE", "FDSTOREREMOVE",
                "FDNAME", "FDPOLL", "BARRIER", "MONOTONIC_USEC", "MEMORY_PRESSURE_WATCH",
        };

        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
                if (slice_equal(key, slice_from(keys[i])))
                        return true;
        return slice_starts_with(key, SLICE("X_"));
}

static int take_assignment(struct datagram *datagram, struct slice line) {
        const char *equals = memchr(line.data, '=', line.size_bytes);
        struct slice key = line_trim((struct slice){ line.data, equals ? (size_t)(equals - line.data) : 0 }, false);
        struct slice value;
        struct key role;

        if (key.size_bytes == 0) {
                reject(datagram, line, "KEY=value");
                return 0;
        }
        if (is_systemd_key(key))
                return 0;
        value = line_trim((struct slice){ equals + 1, (size_t)(line.data + line.size_bytes - equals - 1) }, false);
        role = key_of(key);
        if (role.role == KEY_END) {
                builder_add_bool(&datagram->builder, role, slice_equal(value, SLICE("1")) || slice_equal(value, SLICE("true")));
                return 0;
        }
        return builder_add_text(&datagram->builder, role, key, value);
}

/* --- statsd --- */

static struct slice cut(struct slice *rest, char c) {
        const char *at = rest->size_bytes > 0 ? memchr(rest->data, c, rest->size_bytes) : NULL;
        size_t n = at ? (size_t)(at - rest->data) : rest->size_bytes;
        struct slice part = { rest->data, n };

        *rest = (struct slice){ rest->data + n + (at != NULL), rest->size_bytes - n - (at != NULL) };
        return part;
}

static int take_tags(struct datagram *datagram, struct slice tags) {
        int r = 0;

        while (tags.size_bytes > 0 && r == 0) {
                struct slice value = cut(&tags, ','), name = cut(&value, ':');
                struct key role = key_of(name);
                double number;

                if (key_is_x(role) && number_parse(value, &number))
                        r = builder_add_number(&datagram->builder, role, name, number);
        }
        return r;
}

static bool is_gauge(struct slice line) {
        (void)cut(&line, '|');
        return slice_equal(cut(&line, '|'), SLICE("g"));
}

/* NAME:VALUE[:VALUE…]|TYPE[|SECTION…]; the name may have no colon in it. */
static int take_gauge(struct datagram *datagram, struct slice line) {
        struct slice rest = line, values = cut(&rest, '|'), name = cut(&values, ':'), value = values;
        double number;
        int r;

        while (memchr(value.data, ':', value.size_bytes))
                (void)cut(&value, ':');
        if (name.size_bytes == 0 || !number_parse(value, &number)) {
                reject(datagram, line, "NAME:VALUE|g with a number as its value");
                return 0;
        }
        (void)cut(&rest, '|');
        builder_start(&datagram->builder);
        r = builder_add_number(&datagram->builder, (struct key){ .role = KEY_METRIC }, name, number);
        while (rest.size_bytes > 0 && r == 0) {
                struct slice section = cut(&rest, '|');

                if (section.size_bytes > 0 && section.data[0] == '#')
                        r = take_tags(datagram, (struct slice){ section.data + 1, section.size_bytes - 1 });
        }
        if (r == 0)
                hand_on(datagram);
        return r;
}

/* Counters, timers, sets, events (_e{) and service checks (_sc|) are no curves. */
static bool is_statsd(struct slice line) {
        const char *bar = memchr(line.data, '|', line.size_bytes), *equals = memchr(line.data, '=', line.size_bytes);

        return bar && (!equals || bar < equals || memchr(line.data, ':', (size_t)(equals - line.data)));
}

int datagram_take(struct slice bytes, struct slice source, const struct record_sink *sink) {
        struct datagram datagram = { .source = source, .sink = sink };
        bool is_known = false, is_of_statsd = false;
        int r = 0;

        builder_start(&datagram.builder);
        while (bytes.size_bytes > 0 && r == 0) {
                struct slice line = line_trim(cut(&bytes, '\n'), false);

                datagram.line++;
                if (line.size_bytes == 0)
                        continue;
                if (!is_known)
                        is_of_statsd = is_statsd(line);
                is_known = true;
                if (!is_of_statsd)
                        r = take_assignment(&datagram, line);
                else if (!is_statsd(line))
                        reject(&datagram, line, "NAME:VALUE|TYPE");
                else if (is_gauge(line))
                        r = take_gauge(&datagram, line);
        }
        if (r == 0 && !is_of_statsd)
                hand_on(&datagram);
        builder_release(&datagram.builder);
        return r;
}
