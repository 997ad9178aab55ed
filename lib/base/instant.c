#include "base/instant.h"

#include <ctype.h>
#include <stdio.h>
#include <time.h>

void instant_format(int64_t unix_us, char ret_text[static INSTANT_TEXT_BYTES]) {
        time_t seconds = (time_t)(unix_us / 1000000 - (unix_us % 1000000 < 0));
        struct tm utc;

        gmtime_r(&seconds, &utc);
        if (strftime(ret_text, INSTANT_TEXT_BYTES, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
                ret_text[0] = '\0';
}

/* Exactly n digits at *at, which moves on. */
static bool take_digits(const char **at, const char *end, int n, int *ret_value) {
        int value = 0;

        for (; n > 0; n--, (*at)++) {
                if (*at == end || !isdigit((unsigned char)**at))
                        return false;
                value = value * 10 + (**at - '0');
        }
        *ret_value = value;
        return true;
}

static bool take_char(const char **at, const char *end, const char *allowed) {
        if (*at == end || !**at || !strchr(allowed, **at))
                return false;
        (*at)++;
        return true;
}

static bool take_date(const char **at, const char *end, struct tm *date) {
        if (!take_digits(at, end, 4, &date->tm_year) || !take_char(at, end, "-") ||
            !take_digits(at, end, 2, &date->tm_mon) || !take_char(at, end, "-") ||
            !take_digits(at, end, 2, &date->tm_mday))
                return false;
        if (date->tm_mon < 1 || date->tm_mon > 12 || date->tm_mday < 1 || date->tm_mday > 31)
                return false;
        date->tm_year -= 1900;
        date->tm_mon -= 1;
        return true;
}

static bool take_time(const char **at, const char *end, struct tm *date) {
        if (!take_digits(at, end, 2, &date->tm_hour) || !take_char(at, end, ":") ||
            !take_digits(at, end, 2, &date->tm_min))
                return false;
        if (take_char(at, end, ":") && !take_digits(at, end, 2, &date->tm_sec))
                return false;
        return date->tm_hour < 24 && date->tm_min < 60 && date->tm_sec <= 60;
}

/* ".678" or ",678", as Python's logging writes it. */
static double take_fraction(const char **at, const char *end) {
        double fraction = 0, weight = 0.1;

        if (!take_char(at, end, ".,"))
                return 0;
        for (; *at < end && isdigit((unsigned char)**at); (*at)++, weight /= 10)
                fraction += (**at - '0') * weight;
        return fraction;
}

/* "Z", "+02:00", "-0530" or nothing; in seconds. */
static bool take_offset(const char **at, const char *end, int *ret_offset_s) {
        int sign, hours, minutes = 0;

        *ret_offset_s = 0;
        if (*at == end || take_char(at, end, "Zz"))
                return true;
        sign = **at == '-' ? -1 : 1;
        if (!take_char(at, end, "+-") || !take_digits(at, end, 2, &hours))
                return false;
        (void)take_char(at, end, ":");
        if (*at < end && !take_digits(at, end, 2, &minutes))
                return false;
        *ret_offset_s = sign * (hours * 3600 + minutes * 60);
        return true;
}

bool instant_parse(struct slice text, double *ret_unix_s) {
        const char *at = text.data, *end = text.data + text.size_bytes;
        struct tm date = { 0 };
        double fraction;
        int offset_s;

        if (text.size_bytes == 0 || !take_date(&at, end, &date) || !take_char(&at, end, "Tt ") ||
            !take_time(&at, end, &date))
                return false;
        fraction = take_fraction(&at, end);
        if (!take_offset(&at, end, &offset_s) || at != end)
                return false;
        *ret_unix_s = (double)timegm(&date) - offset_s + fraction;
        return true;
}
