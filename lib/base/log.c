#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/json_put.h"
#include "base/utf8.h"

enum { MESSAGE_BYTES = 4096, LINE_BYTES_MAX = 32 * 1024 };

static const char *program = "experiments";
static enum log_format line_format = LOG_FORMAT_TEXT;
static enum log_level max_level = LOG_LEVEL_INFO;
static bool waits = true;

static const char *const level_names[] = {
        [LOG_LEVEL_ERROR] = "error",
        [LOG_LEVEL_WARNING] = "warning",
        [LOG_LEVEL_INFO] = "info",
        [LOG_LEVEL_DEBUG] = "debug",
};

void log_setup(const char *name, enum log_format format, enum log_level level) {
        program = name;
        line_format = format;
        max_level = level;
}

void log_never_wait(void) {
        waits = false;
}

/* A pipe that is ready takes PIPE_BUF bytes (pipe(7)). */
static bool is_taken(struct buffer *line) {
        struct pollfd output = { .fd = STDERR_FILENO, .events = POLLOUT };

        if (waits)
                return true;
        if (line->size_bytes > PIPE_BUF) {
                line->size_bytes = PIPE_BUF;
                line->data[PIPE_BUF - 1] = '\n';
        }
        return poll(&output, 1, 0) != 0;
}

/* A trainer's file name or line may hold anything: nothing of it reaches a terminal as control. */
static void put_visible(struct buffer *line, struct slice text) {
        while (text.size_bytes > 0) {
                unsigned char c = (unsigned char)text.data[0];
                size_t n = utf8_character(text);

                if (n == 0 || c < 0x20 || c == 0x7f) {
                        (void)buffer_printf(line, "\\x%02x", c);
                        n = 1;
                } else {
                        (void)buffer_append(line, text.data, n);
                }
                text = (struct slice){ text.data + n, text.size_bytes - n };
        }
}

static void put_text_line(struct buffer *line, enum log_level level, struct slice message) {
        (void)buffer_printf(line, "%s: ", program);
        if (level != LOG_LEVEL_INFO)
                (void)buffer_printf(line, "%s: ", level_names[level]);
        put_visible(line, message);
}

static void put_json_line(struct buffer *line, enum log_level level, struct slice message) {
        struct json_writer writer = JSON_WRITER_INIT(line);
        char time[32], stamp[48];
        struct timespec now;
        struct tm utc;

        clock_gettime(CLOCK_REALTIME, &now);
        gmtime_r(&now.tv_sec, &utc);
        (void)strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%S", &utc);
        (void)snprintf(stamp, sizeof(stamp), "%s.%03dZ", time, (int)(now.tv_nsec / 1000000));
        json_put_open(&writer, '{');
        json_put_key(&writer, "time");
        json_put_string(&writer, stamp);
        json_put_key(&writer, "level");
        json_put_string(&writer, level_names[level]);
        json_put_key(&writer, "message");
        json_put_text(&writer, message);
        json_put_close(&writer, '}');
}

void log_write(enum log_level level, const char *format, ...) {
        CLEANUP(buffer_release) struct buffer line = BUFFER_INIT(LINE_BYTES_MAX);
        char message[MESSAGE_BYTES];
        int saved_errno = errno, size;
        va_list arguments;
        struct slice text;

        if (level > max_level)
                return;
        va_start(arguments, format);
        size = vsnprintf(message, sizeof(message), format, arguments);
        va_end(arguments);
        text = (struct slice){ message, size < 0 ? 0 : (size_t)size };
        if (text.size_bytes >= sizeof(message))
                text.size_bytes = utf8_cut((struct slice){ message, sizeof(message) }, sizeof(message) - 1);

        if (line_format == LOG_FORMAT_JSON)
                put_json_line(&line, level, text);
        else
                put_text_line(&line, level, text);
        (void)buffer_append_char(&line, '\n');
        /* One write, so that lines of several processes do not mix. */
        if (is_taken(&line) && write(STDERR_FILENO, line.data, line.size_bytes) < 0)
                line.size_bytes = 0; /* nobody listens, and there is nobody else to tell */
        errno = saved_errno;
}
