#include "formats/prefix.h"

#include <ctype.h>
#include <math.h>
#include <strings.h>

#include "formats/keys.h"
#include "formats/value.h"
#include "result/metric_name.h"

enum { PREFIX_BYTES_MAX = 160, PREFIX_PARTS_MAX = 16 };

static const char *const levels[] = { "INFO", "WARNING", "WARN", "DEBUG", "ERROR", "CRITICAL", "NOTICE", "TRACE" };

/* 2023-05-15, 22:50:17,398, 07/18/2023, 2021-12-02T14:27:51Z: its end, or NULL. */
static const char *stamp_end(const char *at, const char *end) {
        size_t colons = 0, dashes = 0, slashes = 0, points = 0;
        const char *start = at;

        if (!is_digit_at(at, end))
                return NULL;
        for (; at < end && (isdigit((unsigned char)*at) || strchr(":-/.,TZ+", *at)); at++) {
                colons += *at == ':';
                dashes += *at == '-';
                slashes += *at == '/';
                points += *at == '.' || *at == ',';
        }
        if (end - at >= 3 && at[0] == ' ' && (at[1] == 'A' || at[1] == 'P') && at[2] == 'M')
                at++;
        if (end - at >= 2 && (at[0] == 'A' || at[0] == 'P') && at[1] == 'M')
                at += 2;
        while (at > start && strchr(":,-.", at[-1]))
                at--;
        if (at < end && (kind_of(*at) & C_WORD))
                return NULL;
        return colons >= 2 || dashes >= 2 || slashes == 2 || (colons == 1 && points > 0) ? at : NULL;
}

/* Nov 24 22:51:02, and Tue Nov 24 22:51:02 2026. */
static const char *dated_end(const char *at, const char *end) {
        static const char names[] = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec Mon Tue Wed Thu Fri Sat Sun ";
        const char *stop = at;
        char word[5];

        while (end - stop > 4 && stop[3] == ' ') {
                memcpy(word, stop, 4);
                word[4] = '\0';
                if (!strstr(names, word))
                        break;
                stop += 4;
        }
        if (stop == at)
                return NULL;
        stop = skip_blanks(stop, end);
        while (is_digit_at(stop, end))
                stop++;
        stop = skip_blanks(stop, end);
        stop = stamp_end(stop, end);
        if (!stop || end - stop < 5 || !(slice_starts_with((struct slice){ stop, 5 }, SLICE(" 20")) && is_digit_at(stop + 3, end) && is_digit_at(stop + 4, end)))
                return stop;
        return stop + 5 == end || !(kind_of(stop[5]) & C_WORD) ? stop + 5 : stop;
}

static bool is_level(struct slice word) {
        for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
                if (slice_equal(word, slice_from(levels[i])))
                        return true;
        return false;
}

/* Behind the first level near the start of the line, and behind the bracket that it stands in. */
static const char *level_end(const char *start, const char *end) {
        const char *limit = end - start > PREFIX_BYTES_MAX ? start + PREFIX_BYTES_MAX : end;

        for (const char *at = start; at < limit; at++) {
                const char *stop = at;

                if (*at < 'A' || *at > 'Z' || (at > start && isalnum((unsigned char)at[-1])))
                        continue;
                while (stop < limit && *stop >= 'A' && *stop <= 'Z')
                        stop++;
                if (is_level((struct slice){ at, (size_t)(stop - at) }) && (stop == end || !isalnum((unsigned char)*stop))) {
                        const char *open = memrchr(start, '[', (size_t)(at - start)), *close;

                        close = open ? memchr(open, ']', (size_t)(limit - open)) : NULL;
                        return close && close > at ? close + 1 : stop;
                }
                at = stop - 1;
        }
        return NULL;
}

static int process_in(struct slice text) {
        static const char *const words[] = { "rank", "default", "worker" };

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
                size_t n = strlen(words[i]);
                const char *at = text.data + n, *end = text.data + text.size_bytes;

                if (text.size_bytes <= n || strncasecmp(text.data, words[i], n) != 0)
                        continue;
                while (at < end && strchr(" -_=:", *at))
                        at++;
                if (is_digit_at(at, end))
                        return (int)fmin(value_of_digits(at, word_end(at, end)), 1e6);
        }
        return -1;
}

/* [rank0], [2021-05-25 22:30:04,195], [logging.py:60:log_dist], (pid=123), [12345]: behind it, or NULL. */
static const char *group_end(const char *at, const char *end, int *process) {
        char closing = *at == '[' ? ']' : ')';
        const char *close = memchr(at, closing, (size_t)(end - at)), *colon;
        struct slice inside;
        const char *first;

        if (!close || close - at > PREFIX_BYTES_MAX)
                return NULL;
        first = skip_blanks(at + 1, close);
        inside = (struct slice){ first, (size_t)(close - first) };
        if (process_in(inside) >= 0) {
                *process = process_in(inside);
                return close + 1;
        }
        for (const char *p = first; p < close; p++)
                if ((p == first || !(kind_of(p[-1]) & C_WORD)) && (stamp_end(p, close) || dated_end(p, close)))
                        return close + 1;
        if (slice_starts_with((struct slice){ close, (size_t)(end - close) }, SLICE("]<std")))
                return memchr(close, ':', (size_t)(end - close));
        if (memmem(first, inside.size_bytes, "pid=", 4) || memmem(first, inside.size_bytes, "rank=", 5))
                return close + 1;
        colon = memchr(first, ':', inside.size_bytes);
        if (colon && is_digit_at(colon + 1, close) && !memchr(first, ' ', inside.size_bytes) &&
            !memchr(first, ',', inside.size_bytes) && memchr(first, '.', (size_t)(colon - first)))
                return close + 1; /* file.py:60 */
        return NULL;
}

/* I0515 12:34:56.789012  123 solver.cpp:218] (glog, absl): behind it, or NULL. */
static const char *glog_end(const char *at, const char *end) {
        const char *close;

        if (end - at < 20 || !strchr("IWEF", *at) || !is_digit_at(at + 1, end) || !is_digit_at(at + 4, end) || at[5] != ' ')
                return NULL;
        close = memchr(at, ']', (size_t)(end - at > PREFIX_BYTES_MAX ? PREFIX_BYTES_MAX : end - at));
        return close ? close + 1 : NULL;
}

/* The function and the line that follow a module's name: __main__:train:30 - (loguru). */
static const char *function_end(const char *at, const char *end) {
        const char *start = at + 1, *stop = start;
        struct slice word;

        while (stop < end && (isalnum((unsigned char)*stop) || strchr("_.<>", *stop)))
                stop++;
        word = (struct slice){ start, (size_t)(stop - start) };
        if (word.size_bytes == 0 || stop == end || *stop != ':' || !is_digit_at(stop + 1, end) ||
            key_of(word).role != KEY_METRIC || metric_kind_of(word) != METRIC_OTHER)
                return NULL;
        do
                stop++;
        while (is_digit_at(stop, end));
        return slice_starts_with((struct slice){ stop, (size_t)(end - stop) }, SLICE(" - ")) ? stop : NULL;
}

/* [ Info: and the like (Julia's Logging): behind it, or NULL. */
static const char *julia_end(const char *at, const char *end) {
        static const char *const begins[] = { "[ Info: ", "[ Warning: ", "\u250c Info: ", "\u2502 ", "\u2514 " };
        struct slice rest = { at, (size_t)(end - at) };

        for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
                if (slice_starts_with(rest, slice_from(begins[i])))
                        return at + strlen(begins[i]);
        return NULL;
}

/* A logger's name, or file and line, that a separator follows and no value. */
static const char *logger_end(const char *at, const char *end) {
        const char *stop = at, *after;

        if (at == end || !(isalpha((unsigned char)*at) || *at == '_'))
                return NULL;
        while (stop < end && (isalnum((unsigned char)*stop) || strchr("._", *stop) || (*stop == ':' && stop + 1 < end && (isdigit((unsigned char)stop[1]) || stop[1] == '_'))))
                stop++;
        if (stop < end && *stop == ':' && function_end(stop, end))
                stop = function_end(stop, end);
        after = skip_blanks(stop, end);
        if (after == end || !strchr(":-|>]", *after))
                return NULL;
        if (*after == '-' && (after == stop || after + 1 == end || after[1] != ' '))
                return NULL;
        if (*after == ':' && value_begins(skip_blanks(after + 1, end), end))
                return NULL;
        if (*after == ':' && after + 1 < end && after[1] == ' ') /* "Test set: loss" is a label */
                return NULL;
        return after + 1;
}

/* train.py:30, after a level, where no separator follows; epoch:3 and loss:1 are no places. */
static const char *place_end(const char *at, const char *end) {
        const char *stop = at, *digits;
        struct slice word;

        while (stop < end && (isalnum((unsigned char)*stop) || strchr("._-/", *stop)))
                stop++;
        word = (struct slice){ at, (size_t)(stop - at) };
        if (word.size_bytes == 0 || stop == end || *stop != ':' || !is_digit_at(stop + 1, end) ||
            key_of(word).role != KEY_METRIC || metric_kind_of(word) != METRIC_OTHER)
                return NULL;
        digits = stop + 1;
        while (is_digit_at(digits, end))
                digits++;
        return digits < end && is_blank_at(digits) ? digits : NULL;
}

struct slice prefix_skip(struct slice text, int *ret_process) {
        const char *at = text.data, *end = at + text.size_bytes, *next = level_end(at, end);
        bool has_level = next != NULL, skipped = has_level;

        *ret_process = -1;
        if (next) {
                for (const char *p = text.data; p < next; p++)
                        if (*p == '[')
                                (void)group_end(p, next, ret_process);
                at = next;
        }
        for (int i = 0; i < PREFIX_PARTS_MAX; i++) {
                at = skip_blanks(at, end);
                if (at == end)
                        break;
                if (i == 0 && !skipped && ((next = glog_end(at, end)) || (next = julia_end(at, end))))
                        ;
                else if ((next = stamp_end(at, end)) || (next = dated_end(at, end)))
                        ;
                else if ((*at == '[' || *at == '(') && (next = group_end(at, end, ret_process)))
                        ;
                else if (skipped && strchr("|:-,>]", *at))
                        next = at + 1;
                else if (has_level && ((next = logger_end(at, end)) || (next = place_end(at, end))))
                        has_level = false;
                else
                        break;
                skipped = true;
                at = next;
        }
        return (struct slice){ at, (size_t)(end - at) };
}
