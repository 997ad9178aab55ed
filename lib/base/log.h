/* Log lines on standard error, one event a line, as text or as JSON.
 * Lower layers return errors; whoever decides what happens next logs it, once. */
#pragma once

#include <stdbool.h>

enum log_level {
        LOG_LEVEL_ERROR, /* something is lost or will not be reported until a person acts */
        LOG_LEVEL_WARNING, /* something unexpected that was handled */
        LOG_LEVEL_INFO, /* what a person wants to know of a normal run */
        LOG_LEVEL_DEBUG, /* with --verbose */
};

enum log_format {
        LOG_FORMAT_TEXT, /* experiments-agent: warning: message */
        LOG_FORMAT_JSON, /* {"time":"2026-01-02T03:04:05.678Z","level":"warning","message":"…"} */
};

/* Sets how lines look and which are written: those up to and including max_level.
 * Before the first call: text, up to LOG_LEVEL_INFO. program is borrowed for good. */
void log_setup(const char *program, enum log_format format, enum log_level max_level);

/* From here on a line for which standard error is not ready is left out, and none is longer than PIPE_BUF: where others
 * write there, too, and nobody reads it or a terminal is stopped (Ctrl-S), it would be waited for. */
void log_never_wait(void);

/* Writes one line, cut at 4 KiB, with control characters escaped; errno is left as it is. */
void log_write(enum log_level level, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
