/* The reporter for C: a client of proto/PROTOCOL.md in JSON lines. experiments.h says what each function does.
 *
 * What is reported becomes a line in a ring, and stays there until the agent has acknowledged it. Each call sends as much of
 * the ring as the socket takes. After a lost connection all of the ring is sent again: the agent counts no number twice.
 * There is no thread, so answers are read where somebody asks for them, and where the ring becomes full.
 *
 * This file is also C++. It is built with -ffast-math, too, by trainers who do: nothing compares with NaN. */
#if !defined(_POSIX_C_SOURCE) && !defined(_GNU_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif

#include "experiments.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define NUMBER_MAX 9007199254740991.0 /* of a message, 2^53 - 1 */

#ifndef EXP_RETRY_MS
#define EXP_RETRY_MS 1000 /* between two attempts to connect; tests cannot wait so long */
#endif

enum {
        LINE_BYTES = 131072, /* a line has no more, without its LF */
        METRICS = 1024,
        RING_BYTES = 1 << 20,
        RESERVED_BYTES = 64 * 1024, /* of the ring: no report takes them from parameters and the end */
        HEARD_BYTES = 8192,         /* of one line from the agent; a longer one is skipped */
        REASON_BYTES = 1024,
        REASONS = 8, /* of a stop, each other than the one before; more are not heard */
        PROGRAM_BYTES = 256,
        TEXT_BYTES = 4096,    /* of a parameter */
        MESSAGE_BYTES = 1024, /* of an end */
        ID_DIGITS = 16,
        RANK_MAX = 65535,
        NUMBER_BYTES = 32, /* of a double or integer as text */
        DEPTH_MAX = 32,    /* of JSON from the agent */
        WAIT_MS = 1000     /* at most, in one poll() */
};

/* Bytes that go round; positions count all that ever passed. first <= sent <= end. */
struct ring {
        char *data;
        size_t size; /* a power of two */
        uint64_t first, sent, end;
};

struct exp_reporter {
        pthread_mutex_t lock;
        struct exp_reporter *next; /* of those that live */

        int off;    /* there is nobody to report to */
        int silent; /* this process does not report, but hears of a stop */
        int named; /* the socket's path was given, so that an agent is expected there */
        int told_no_agent, told_rejected; /* on stderr, once, or never */
        char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
        char program[PROGRAM_BYTES + 1];
        int rank;

        char id[ID_DIGITS + 1]; /* empty: not made yet */
        int fd;                 /* -1: not connected */
        int64_t retry_ms;       /* no attempt to connect before */
        char hello[256 + 6 * PROGRAM_BYTES];
        size_t hello_bytes, hello_sent;

        struct ring ring;
        size_t look_bytes; /* when so much is in the ring, answers are read */
        uint64_t number;   /* the last one that was given out */
        uint64_t kept;     /* the last one that is dealt with */
        unsigned long long dropped;

        char heard[HEARD_BYTES];
        size_t heard_bytes;
        int skipping; /* the rest of a line that is too long */

        int stopping; /* how many reasons there are, the last of which is lent by exp_stop_reason(): none is written over */
        char stop_reasons[REASONS][REASON_BYTES];
        double stop_deadline;
        unsigned long long rejected;
        char reject_reason[REASON_BYTES];

        char line[LINE_BYTES + 1]; /* in the making */
};

/* --- writing JSON --- */

struct writer {
        char *data;
        size_t n, max;
        int full;
};

static void put(struct writer *writer, const char *data, size_t n) {
        if (writer->full || n > writer->max - writer->n) {
                writer->full = 1;
                return;
        }
        memcpy(writer->data + writer->n, data, n);
        writer->n += n;
}

static void put_raw(struct writer *writer, const char *text) {
        put(writer, text, strlen(text));
}

static void put_unsigned(struct writer *writer, uint64_t value) {
        char text[NUMBER_BYTES], *digit = text + sizeof(text);

        do
                *--digit = (char)('0' + value % 10);
        while ((value /= 10) > 0);
        put(writer, digit, (size_t)(text + sizeof(text) - digit));
}

/* Bytes of the UTF-8 character at text; 0: it is none. (RFC 3629) */
static size_t utf8_bytes(const unsigned char *text) {
        unsigned char low = 0x80, high = 0xbf;
        size_t n = text[0] < 0x80 ? 1 : text[0] < 0xc2 ? 0 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : text[0] < 0xf5 ? 4 : 0;

        if (n < 2)
                return n;
        if (text[0] == 0xe0)
                low = 0xa0; /* shorter ones exist */
        else if (text[0] == 0xed)
                high = 0x9f; /* surrogates */
        else if (text[0] == 0xf0)
                low = 0x90; /* shorter ones exist */
        else if (text[0] == 0xf4)
                high = 0x8f; /* above U+10FFFF */
        if (text[1] < low || text[1] > high)
                return 0;
        for (size_t i = 2; i < n; i++)
                if ((text[i] & 0xc0) != 0x80)
                        return 0;
        return n;
}

static void put_character(struct writer *writer, const char *text, size_t n) {
        static const char hex[] = "0123456789abcdef";
        unsigned char first = (unsigned char)text[0];
        char escaped[6] = { '\\', 'u', '0', '0', hex[first >> 4], hex[first & 15] };

        if (n == 0)
                put_raw(writer, "\xef\xbf\xbd"); /* U+FFFD: the agent would not take the message */
        else if (first == '"' || first == '\\')
                put(writer, escaped, 1), put(writer, text, 1);
        else if (first < 0x20)
                put(writer, escaped, sizeof(escaped));
        else
                put(writer, text, n);
}

static int is_plain(unsigned char byte) {
        return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

/* The characters that have max_bytes in UTF-8 together. */
static void put_start(struct writer *writer, const char *text, size_t max_bytes) {
        put(writer, "\"", 1);
        while (*text && !writer->full) {
                size_t n = 0, said;

                while (n < max_bytes && is_plain((unsigned char)text[n]))
                        n++;
                put(writer, text, n);
                text += n;
                max_bytes -= n;
                if (!*text)
                        break;
                n = utf8_bytes((const unsigned char *)text);
                said = n > 0 ? n : 3; /* U+FFFD */
                if (said > max_bytes)
                        break;
                put_character(writer, text, n);
                text += n > 0 ? n : 1;
                max_bytes -= said;
        }
        put(writer, "\"", 1);
}

static void put_string(struct writer *writer, const char *text) {
        put_start(writer, text, SIZE_MAX);
}

static void put_key(struct writer *writer, const char *key) {
        char last = writer->n > 0 ? writer->data[writer->n - 1] : '{';

        if (last != '{')
                put(writer, ",", 1);
        put_string(writer, key);
        put(writer, ":", 1);
}

/* --- doubles: the shortest text that is the same double, in any locale --- */

static uint64_t bits_of(double value) {
        uint64_t bits;

        memcpy(&bits, &value, sizeof(bits));
        return bits;
}

static int is_finite(double value) {
        return (bits_of(value) >> 52 & 0x7ff) != 0x7ff;
}

/* These have fewer digits, and are 0 to what was built with -ffast-math. */
static int is_subnormal(double value) {
        return (bits_of(value) >> 52 & 0x7ff) == 0 && bits_of(value) << 1 != 0;
}

static int is_told(double value) {
        return is_finite(value) && value >= 0;
}

#ifdef __SIZEOF_INT128__

__extension__ typedef unsigned __int128 wide;

/* digits / 10^point */
static void put_decimal(struct writer *writer, uint64_t digits, int point) {
        char fraction[NUMBER_BYTES];

        while (point > 0 && digits % 10 == 0)
                digits /= 10, point--;
        for (int i = point; i-- > 0; digits /= 10)
                fraction[i] = (char)('0' + digits % 10);
        put_unsigned(writer, digits);
        if (point > 0)
                put(writer, ".", 1), put(writer, fraction, (size_t)point);
}

/* The last one is the largest below 2^63. */
static const uint64_t powers_of_five[] = {
        1u, 5u, 25u, 125u, 625u, 3125u, 15625u, 78125u, 390625u, 1953125u, 9765625u, 48828125u, 244140625u, 1220703125u,
        6103515625u, 30517578125u, 152587890625u, 762939453125u, 3814697265625u, 19073486328125u, 95367431640625u,
        476837158203125u, 2384185791015625u, 11920928955078125u, 59604644775390625u, 298023223876953125u,
        1490116119384765625u, 7450580596923828125u,
};

/* The multiple of unit that is nearest to scaled / 2^shift. */
static uint64_t round_to(uint64_t unit, wide scaled, int shift) {
        uint64_t below = (uint64_t)(scaled >> shift) / unit * unit;

        return ((wide)below << shift) + ((wide)unit << (shift - 1)) <= scaled ? below + unit : below;
}

/* Whether digits / 10^point is nearer to a double than to its neighbours: scaled is the double times 10^point 2^shift, and
 * its neighbours are five away, or below it half of that where `narrow`. */
static int is_same(uint64_t digits, wide scaled, int shift, uint64_t five, int narrow) {
        wide candidate = (wide)digits << shift;
        wide distance = candidate > scaled ? candidate - scaled : scaled - candidate;

        return distance << (narrow ? 2 : 1) < five;
}

/* Of 1e-11 to some 1e15, without rounding: mantissa 5^point fits 128 bits. 17 digits are always enough. 15 digits tell any two decimals
 * of so many apart, so where they do, the shortest is the same but for zeros. */
static int put_short(struct writer *writer, double value) {
        uint64_t bits = bits_of(value), fraction = bits & (((uint64_t)1 << 52) - 1);
        int exponent = (int)(bits >> 52 & 0x7ff) - 1075, shift;
        int point = 16 - (((exponent + 52) * 1233 + (1233 << 12)) / 4096 - 1233); /* 1233 / 4096: log10(2); rounded down */
        wide scaled;

        for (;; point--) { /* the estimate is one too many at most */
                shift = -exponent - point;
                if (point < 0 || point >= (int)(sizeof(powers_of_five) / sizeof(powers_of_five[0])) || shift < 1)
                        return 0;
                scaled = (wide)(fraction | (uint64_t)1 << 52) * powers_of_five[point];
                if (scaled >> shift < 100000000000000000u)
                        break;
        }
        for (uint64_t unit = 100; unit > 0; unit /= 10) {
                uint64_t digits = round_to(unit, scaled, shift);

                if (unit == 1 || is_same(digits, scaled, shift, powers_of_five[point], fraction == 0)) {
                        put_decimal(writer, digits, point);
                        break;
                }
        }
        return 1;
}

#else

static int put_short(struct writer *writer, double value) {
        (void)writer;
        (void)value;
        return 0;
}

#endif

/* The C library's digits. Its decimal point is the locale's, which may have several bytes. */
static void put_long(struct writer *writer, double value) {
        char text[64];
        size_t n = 0;
        int precision = is_subnormal(value) ? 1 : 15;

        do
                snprintf(text, sizeof(text), "%.*g", precision, value);
        while (precision++ < 17 && bits_of(strtod(text, NULL)) != bits_of(value));
        while (text[n]) {
                size_t kept = strspn(text + n, "0123456789e+-");

                put(writer, text + n, kept);
                n += kept;
                if (text[n])
                        put(writer, ".", 1);
                n += strcspn(text + n, "0123456789e+-");
        }
}

static void put_double(struct writer *writer, double value) {
        int negative = (int)(bits_of(value) >> 63);

        if (!is_finite(value)) {
                put_raw(writer, bits_of(value) << 12 ? "\"NaN\"" : negative ? "\"-Infinity\"" : "\"Infinity\"");
                return;
        }
        if (negative) {
                put(writer, "-", 1);
                value = -value;
        }
        if (is_subnormal(value))
                put_long(writer, value);
        else if (value < 9007199254740992.0 && (double)(uint64_t)value == value)
                put_unsigned(writer, (uint64_t)value);
        else if (!put_short(writer, value))
                put_long(writer, value);
}

/* --- reading JSON: what the agent says, one line of it --- */

struct scanner {
        const char *at, *end;
        int depth;
        int bad;
};

static char peek(struct scanner *scanner) {
        while (scanner->at < scanner->end && strchr(" \t\r\n", *scanner->at) && *scanner->at)
                scanner->at++;
        if (scanner->at == scanner->end)
                scanner->bad = 1;
        return scanner->bad ? '\0' : *scanner->at;
}

static int take(struct scanner *scanner, char wanted) {
        if (peek(scanner) != wanted)
                return 0;
        scanner->at++;
        return 1;
}

static void append_utf8(char *text, size_t *n, size_t max, unsigned long code) {
        char bytes[4];
        size_t n_bytes = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

        if (*n + n_bytes >= max)
                return;
        for (size_t i = n_bytes; i-- > 1; code >>= 6)
                bytes[i] = (char)(0x80 | (code & 0x3f));
        bytes[0] = (char)(n_bytes == 1 ? code : (0xf00ul >> n_bytes & 0xf0) | code);
        memcpy(text + *n, bytes, n_bytes);
        *n += n_bytes;
}

static unsigned long scan_hex(struct scanner *scanner) {
        unsigned long code = 0;

        for (int i = 0; i < 4; i++) {
                char c = scanner->at < scanner->end ? *scanner->at++ : '\0';

                if (c >= '0' && c <= '9')
                        code = code << 4 | (unsigned long)(c - '0');
                else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
                        code = code << 4 | (unsigned long)((c | 0x20) - 'a' + 10);
                else
                        scanner->bad = 1;
        }
        return code;
}

/* What stands behind a backslash. */
static unsigned long scan_escape(struct scanner *scanner) {
        static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
        char c = scanner->at < scanner->end ? *scanner->at++ : '\0';
        const char *letter = c ? strchr(letters, c) : NULL;
        unsigned long code, low;

        if (c != 'u')
                return letter ? (unsigned char)meanings[letter - letters] : (unsigned char)c;
        code = scan_hex(scanner);
        if (code >= 0xd800 && code < 0xdc00 && scanner->end - scanner->at >= 6 && memcmp(scanner->at, "\\u", 2) == 0) {
                scanner->at += 2;
                low = scan_hex(scanner);
                return 0x10000 + ((code - 0xd800) << 10) + ((low - 0xdc00) & 0x3ff);
        }
        return code >= 0xd800 && code < 0xe000 ? 0xfffd : code;
}

/* As much of the string as fits into max bytes. */
static void scan_string(struct scanner *scanner, char *ret_text, size_t max) {
        size_t n = 0;

        if (!take(scanner, '"'))
                scanner->bad = 1;
        while (!scanner->bad && scanner->at < scanner->end && *scanner->at != '"') {
                char c = *scanner->at++;

                if (c == '\\')
                        append_utf8(ret_text, &n, max, scan_escape(scanner));
                else if (n + 1 < max)
                        ret_text[n++] = c;
        }
        ret_text[n] = '\0';
        if (!take(scanner, '"'))
                scanner->bad = 1;
}

static void skip_value(struct scanner *scanner);

/* The next member of an object, whose key goes into ret_key; 0: there is none. *first is 1 before the first. */
static int next_member(struct scanner *scanner, int *first, char *ret_key, size_t max) {
        int begins = *first;

        *first = 0;
        if (begins && !take(scanner, '{')) {
                skip_value(scanner); /* not an object: without members */
                return 0;
        }
        if (take(scanner, '}'))
                return 0;
        if (!begins && !take(scanner, ','))
                scanner->bad = 1;
        scan_string(scanner, ret_key, max);
        if (!take(scanner, ':'))
                scanner->bad = 1;
        return !scanner->bad;
}

static void skip_array(struct scanner *scanner) {
        (void)take(scanner, '[');
        while (!scanner->bad && !take(scanner, ']')) {
                skip_value(scanner);
                if (!take(scanner, ',') && peek(scanner) != ']')
                        scanner->bad = 1;
        }
}

static void skip_value(struct scanner *scanner) {
        char text[8], c = peek(scanner);
        int first = 1;

        if (++scanner->depth > DEPTH_MAX)
                scanner->bad = 1;
        else if (c == '"')
                scan_string(scanner, text, sizeof(text));
        else if (c == '{')
                while (next_member(scanner, &first, text, sizeof(text)))
                        skip_value(scanner);
        else if (c == '[')
                skip_array(scanner);
        else
                while (scanner->at < scanner->end && !strchr(",]} \t\r\n", *scanner->at))
                        scanner->at++;
        scanner->depth--;
}

/* Near enough: up to 2^53 exact where it has no fraction. What is no number is 0. */
static double scan_number(struct scanner *scanner) {
        const char *at;
        double value = 0, scale = 1;
        int exponent = 0, is_small = 0;

        (void)peek(scanner);
        at = scanner->at;
        skip_value(scanner);
        for (; at < scanner->at && *at >= '0' && *at <= '9'; at++)
                value = value * 10 + (*at - '0');
        if (at < scanner->at && *at == '.')
                for (at++; at < scanner->at && *at >= '0' && *at <= '9'; at++)
                        value = value * 10 + (*at - '0'), scale *= 10;
        if (at + 1 < scanner->at && (*at | 0x20) == 'e') {
                is_small = *++at == '-';
                for (at += is_small || *at == '+'; at < scanner->at && *at >= '0' && *at <= '9' && exponent < 1000; at++)
                        exponent = exponent * 10 + (*at - '0');
        }
        for (value /= scale; exponent > 0; exponent--)
                value = is_small ? value / 10 : value * 10;
        return value;
}

/* --- the ring --- */

static size_t ring_used(const struct ring *ring) {
        return (size_t)(ring->end - ring->first);
}

/* The bytes from position on that lie in one piece. */
static char *ring_at(const struct ring *ring, uint64_t position, size_t *ret_n) {
        size_t offset = (size_t)position & (ring->size - 1);
        size_t to_end = ring->size - offset, n = (size_t)(ring->end - position);

        *ret_n = n < to_end ? n : to_end;
        return ring->data + offset;
}

static void ring_append(struct ring *ring, const char *data, size_t n) {
        size_t offset = (size_t)ring->end & (ring->size - 1);
        size_t piece = n < ring->size - offset ? n : ring->size - offset;

        memcpy(ring->data + offset, data, piece);
        memcpy(ring->data, data + piece, n - piece);
        ring->end += n;
}

/* The position behind the line that begins at position. */
static uint64_t ring_line_end(const struct ring *ring, uint64_t position) {
        while (position < ring->end) {
                size_t n;
                const char *piece = ring_at(ring, position, &n);
                const char *newline = (const char *)memchr(piece, '\n', n);

                if (newline)
                        return position + (size_t)(newline - piece) + 1;
                position += n;
        }
        return position;
}

/* The number of the line at position: what stands behind its second colon, as begin_message() writes it. */
static uint64_t ring_number(const struct ring *ring, uint64_t position) {
        uint64_t number = 0;
        int colons = 0;

        for (;; position++) {
                char c = ring->data[(size_t)position & (ring->size - 1)];

                if (c == ':')
                        colons++;
                else if (colons == 2 && (c < '0' || c > '9'))
                        return number;
                else if (colons == 2)
                        number = number * 10 + (uint64_t)(c - '0');
        }
}

/* Forgets the lines up to number. A line that is on its way is sent to its end. */
static void ring_release(struct ring *ring, uint64_t number) {
        while (ring->first < ring->sent && ring_number(ring, ring->first) <= number) {
                uint64_t end = ring_line_end(ring, ring->first);

                if (end > ring->sent)
                        return;
                ring->first = end;
        }
}

/* --- time --- */

static int64_t now_ms(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Seconds since 1970, to the millisecond. */
static double wall_time(void) {
        struct timespec now;

        clock_gettime(CLOCK_REALTIME, &now);
        return (double)((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000) / 1000;
}

/* --- the connection --- */

static void make_id(char ret_id[ID_DIGITS + 1]) {
        struct timespec now;
        uint64_t random = 0;
        int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);

        if (fd < 0 || read(fd, &random, sizeof(random)) != (ssize_t)sizeof(random)) {
                clock_gettime(CLOCK_REALTIME, &now);
                random = ((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec) ^ (uint64_t)getpid() << 40;
        }
        if (fd >= 0)
                close(fd);
        snprintf(ret_id, ID_DIGITS + 1, "%08lx%08lx", (unsigned long)(random >> 32), (unsigned long)(random & 0xffffffffu));
}

static void make_hello(struct exp_reporter *reporter) {
        struct writer writer = { reporter->hello, 0, sizeof(reporter->hello), 0 };

        if (!reporter->id[0])
                make_id(reporter->id);
        put_raw(&writer, "{\"hello\":{");
        put_key(&writer, "version");
        put_unsigned(&writer, 1);
        put_key(&writer, "client");
        put_string(&writer, reporter->id);
        if (reporter->program[0]) {
                put_key(&writer, "program");
                put_start(&writer, reporter->program, PROGRAM_BYTES);
        }
        put_key(&writer, "pid");
        put_unsigned(&writer, (uint64_t)getpid());
        if (reporter->rank > 0) {
                put_key(&writer, "rank");
                put_unsigned(&writer, (uint64_t)reporter->rank);
        }
        put_raw(&writer, "}}\n");
        reporter->hello_bytes = writer.n;
        reporter->hello_sent = 0;
}

static void disconnect(struct exp_reporter *reporter) {
        if (reporter->fd >= 0)
                close(reporter->fd);
        reporter->fd = -1;
        reporter->heard_bytes = 0;
        reporter->skipping = 0;
        reporter->ring.sent = reporter->ring.first;
}

/* After a call that failed. Where the program has closed the descriptor, its number is another file's by now. */
static void disconnect_after_error(struct exp_reporter *reporter) {
        if (errno == EBADF || errno == ENOTSOCK)
                reporter->fd = -1;
        disconnect(reporter);
}

/* Without an agent and without its directory there will hardly be one. */
static void tell_no_agent(struct exp_reporter *reporter) {
        char directory[sizeof(reporter->path)];
        struct stat status;
        char *slash;

        memcpy(directory, reporter->path, sizeof(directory));
        slash = strrchr(directory, '/');
        if (!slash || slash == directory || stat(directory, &status) == 0)
                return;
        *slash = '\0';
        if (stat(directory, &status) == 0)
                return;
        if (!reporter->told_no_agent)
                fprintf(stderr, "experiments: no agent at %s: nothing is reported\n", reporter->path);
        reporter->told_no_agent = 1;
        reporter->off = !reporter->named;
}

static int open_socket(void) {
#if defined(SOCK_CLOEXEC) && defined(SOCK_NONBLOCK)
        return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
#else
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        if (fd >= 0 && (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)) {
                close(fd);
                fd = -1;
        }
        return fd;
#endif
}

/* Connects when that is due. A non-blocking connect() of a Unix socket is done at once, or fails. */
static void connect_when_due(struct exp_reporter *reporter) {
        struct sockaddr_un address;
        int64_t now;

        if (reporter->fd >= 0 || reporter->off)
                return;
        now = now_ms();
        if (now < reporter->retry_ms)
                return;
        reporter->retry_ms = now + EXP_RETRY_MS;
        reporter->fd = open_socket();
        if (reporter->fd < 0)
                return;
        memset(&address, 0, sizeof(address));
        address.sun_family = AF_UNIX;
        memcpy(address.sun_path, reporter->path, sizeof(reporter->path));
        if (connect(reporter->fd, (const struct sockaddr *)&address, sizeof(address)) == 0) {
                make_hello(reporter);
                return;
        }
        if (errno == ENOENT)
                tell_no_agent(reporter);
        disconnect(reporter);
}

/* --- what the agent says --- */

static const char *stop_reason(const struct exp_reporter *reporter) {
        return reporter->stopping > 0 ? reporter->stop_reasons[reporter->stopping - 1] : NULL;
}

static void hear_stop(struct exp_reporter *reporter, struct scanner *scanner) {
        char key[32], reason[REASON_BYTES] = "";
        int first = 1;

        while (next_member(scanner, &first, key, sizeof(key))) {
                if (strcmp(key, "reason") == 0 && peek(scanner) == '"')
                        scan_string(scanner, reason, sizeof(reason));
                else if (strcmp(key, "deadline") == 0 && peek(scanner) != 'n')
                        reporter->stop_deadline = scan_number(scanner);
                else
                        skip_value(scanner);
        }
        if (reporter->stopping == 0 || (reporter->stopping < REASONS && strcmp(reason, stop_reason(reporter)) != 0))
                memcpy(reporter->stop_reasons[reporter->stopping++], reason, sizeof(reason));
}

/* kept and welcome */
static void hear_kept(struct exp_reporter *reporter, struct scanner *scanner, const char *number) {
        char key[32];
        int first = 1;

        while (next_member(scanner, &first, key, sizeof(key))) {
                if (strcmp(key, number) == 0 && peek(scanner) != 'n') {
                        double kept = scan_number(scanner);

                        kept = kept < NUMBER_MAX ? kept : NUMBER_MAX;
                        if (kept > (double)reporter->kept)
                                reporter->kept = (uint64_t)kept;
                } else if (strcmp(key, "stop") == 0 && peek(scanner) == '{') {
                        hear_stop(reporter, scanner);
                } else {
                        skip_value(scanner);
                }
        }
}

static void take_rejection(struct exp_reporter *reporter, const char *code, const char *message) {
        if (strcmp(code, "client-id-taken") == 0) {
                disconnect(reporter); /* and tries again: what was sent under this id could count twice under another */
                return;
        }
        if (strcmp(code, "hello-expected") == 0)
                return; /* follows from a hello that was not taken */
        reporter->off = reporter->off || strcmp(code, "version-not-spoken") == 0;
        /* After these the connection closes, and all is sent again. */
        if (strcmp(code, "too-many-clients") != 0 && strcmp(code, "no-room") != 0)
                reporter->rejected++;
        snprintf(reporter->reject_reason, sizeof(reporter->reject_reason), "%s%s%s", code, *message ? ": " : "", message);
        if (!reporter->told_rejected)
                fprintf(stderr, "experiments: the agent rejected a message: %s\n", reporter->reject_reason);
        reporter->told_rejected = 1;
}

static void hear_rejected(struct exp_reporter *reporter, struct scanner *scanner) {
        char key[32], code[64] = "", message[REASON_BYTES - 80] = "";
        int first = 1;

        while (next_member(scanner, &first, key, sizeof(key))) {
                if (strcmp(key, "code") == 0 && peek(scanner) == '"')
                        scan_string(scanner, code, sizeof(code));
                else if (strcmp(key, "message") == 0 && peek(scanner) == '"')
                        scan_string(scanner, message, sizeof(message));
                else
                        skip_value(scanner);
        }
        if (!scanner->bad)
                take_rejection(reporter, code, message);
}

static void hear_line(struct exp_reporter *reporter, const char *line, size_t n) {
        struct scanner scanner = { line, line + n, 0, 0 };
        char key[32];
        int first = 1;

        while (next_member(&scanner, &first, key, sizeof(key))) {
                if (strcmp(key, "kept") == 0)
                        hear_kept(reporter, &scanner, "number");
                else if (strcmp(key, "welcome") == 0)
                        hear_kept(reporter, &scanner, "kept");
                else if (strcmp(key, "stop") == 0)
                        hear_stop(reporter, &scanner);
                else if (strcmp(key, "rejected") == 0)
                        hear_rejected(reporter, &scanner);
                else
                        skip_value(&scanner);
        }
}

/* Takes the complete lines out of what was heard. */
static void hear_lines(struct exp_reporter *reporter) {
        size_t done = 0;

        while (done < reporter->heard_bytes) {
                const char *line = reporter->heard + done;
                const char *newline = (const char *)memchr(line, '\n', reporter->heard_bytes - done);

                if (!newline)
                        break;
                if (!reporter->skipping)
                        hear_line(reporter, line, (size_t)(newline - line));
                reporter->skipping = 0;
                done = (size_t)(newline - reporter->heard) + 1;
        }
        if (done == 0 && reporter->heard_bytes == sizeof(reporter->heard)) {
                reporter->skipping = 1;
                done = reporter->heard_bytes;
        }
        if (reporter->heard_bytes < done)
                return; /* the connection is given up, and what was heard with it */
        reporter->heard_bytes -= done;
        memmove(reporter->heard, reporter->heard + done, reporter->heard_bytes);
}

/* Reads what has arrived. */
static void hear(struct exp_reporter *reporter) {
        int more = 1;

        while (more && reporter->fd >= 0) {
                size_t room = sizeof(reporter->heard) - reporter->heard_bytes;
                ssize_t n = recv(reporter->fd, reporter->heard + reporter->heard_bytes, room, 0);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n == 0)
                        disconnect(reporter);
                else if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
                        disconnect_after_error(reporter);
                more = n == (ssize_t)room;
                if (n > 0) {
                        reporter->heard_bytes += (size_t)n;
                        hear_lines(reporter);
                }
        }
        ring_release(&reporter->ring, reporter->kept);
}

/* --- what is said --- */

static int has_unsent(const struct exp_reporter *reporter) {
        return reporter->ring.sent < reporter->ring.end || reporter->hello_sent < reporter->hello_bytes;
}

static void count_sent(struct exp_reporter *reporter, size_t n) {
        size_t hello = reporter->hello_bytes - reporter->hello_sent;

        hello = n < hello ? n : hello;
        reporter->hello_sent += hello;
        reporter->ring.sent += n - hello;
}

/* The hello where it is not sent, and the ring in its one or two pieces. */
static ssize_t send_pieces(struct exp_reporter *reporter) {
        struct iovec pieces[3];
        struct msghdr message;
        const struct ring *ring = &reporter->ring;

        pieces[0].iov_base = reporter->hello + reporter->hello_sent;
        pieces[0].iov_len = reporter->hello_bytes - reporter->hello_sent;
        pieces[1].iov_base = ring_at(ring, ring->sent, &pieces[1].iov_len);
        pieces[2].iov_base = ring_at(ring, ring->sent + pieces[1].iov_len, &pieces[2].iov_len);
        memset(&message, 0, sizeof(message));
        message.msg_iov = pieces;
        message.msg_iovlen = 3;
        return sendmsg(reporter->fd, &message, MSG_NOSIGNAL);
}

/* Sends what the socket takes. A connection that is lost may be replaced at once. */
static void send_some(struct exp_reporter *reporter) {
        for (int attempt = 0; attempt < 2; attempt++) {
                ssize_t n;

                connect_when_due(reporter);
                if (reporter->fd < 0 || reporter->off || !has_unsent(reporter))
                        return;
                do
                        n = send_pieces(reporter);
                while (n < 0 && errno == EINTR);
                if (n >= 0) {
                        count_sent(reporter, (size_t)n);
                        return;
                }
                if (errno == EAGAIN || errno == EWOULDBLOCK)
                        return;
                if (errno == EPIPE || errno == ECONNRESET)
                        hear(reporter); /* what was acknowledged before it closed */
                else
                        disconnect_after_error(reporter);
                disconnect(reporter);
        }
}

/* The ring has room for n bytes, after a look at what was acknowledged where it seems full. */
static int make_room(struct exp_reporter *reporter, size_t n, size_t reserved) {
        struct ring *ring = &reporter->ring;

        if (ring_used(ring) + n > reporter->look_bytes || ring_used(ring) + n + reserved > ring->size) {
                hear(reporter);
                reporter->look_bytes = ring_used(ring) + ring->size / 16;
                if (reporter->look_bytes < ring->size / 2)
                        reporter->look_bytes = ring->size / 2;
        }
        return n + reserved <= ring->size - ring_used(ring);
}

/* Begins a line in reporter->line: {"NAME":{"number":N */
static struct writer begin_message(struct exp_reporter *reporter, const char *name) {
        struct writer writer = { reporter->line, 0, LINE_BYTES, 0 };

        put(&writer, "{", 1);
        put_key(&writer, name);
        put(&writer, "{", 1);
        put_key(&writer, "number");
        put_unsigned(&writer, reporter->number + 1);
        return writer;
}

/* Ends the line, and has it sent. The last reserved bytes of the ring are left free. */
static int end_message(struct exp_reporter *reporter, struct writer *writer, size_t reserved) {
        int fits;

        put(writer, "}}", 2);
        if (writer->full)
                return -EMSGSIZE;
        writer->data[writer->n++] = '\n';
        reporter->number++;
        fits = make_room(reporter, writer->n, reserved);
        if (fits)
                ring_append(&reporter->ring, writer->data, writer->n);
        else
                reporter->dropped++;
        send_some(reporter);
        return fits ? 0 : -ENOBUFS;
}

/* --- reporters --- */

/* Of those that live, for fork(). Taken before the lock of any of them. */
static pthread_mutex_t reporters_lock = PTHREAD_MUTEX_INITIALIZER;
static struct exp_reporter *reporters;

static pthread_once_t once_forks = PTHREAD_ONCE_INIT, once_own = PTHREAD_ONCE_INIT;
static struct exp_reporter *own;

static void before_fork(void) {
        pthread_mutex_lock(&reporters_lock);
        for (struct exp_reporter *reporter = reporters; reporter; reporter = reporter->next)
                pthread_mutex_lock(&reporter->lock);
}

static void after_fork(void) {
        for (struct exp_reporter *reporter = reporters; reporter; reporter = reporter->next)
                pthread_mutex_unlock(&reporter->lock);
        pthread_mutex_unlock(&reporters_lock);
}

/* A new client, with nothing said yet. The connection, and what waits to be sent, are the parent's. */
static void after_fork_in_child(void) {
        for (struct exp_reporter *reporter = reporters; reporter; reporter = reporter->next) {
                reporter->ring.first = reporter->ring.sent = reporter->ring.end = 0;
                disconnect(reporter);
                reporter->id[0] = '\0';
                reporter->retry_ms = 0;
                reporter->number = reporter->kept = 0;
                reporter->dropped = reporter->rejected = 0;
                reporter->look_bytes = reporter->ring.size / 2;
        }
        after_fork();
}

static void watch_forks(void) {
        pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

static const char *environment(const char *name) {
        const char *value = getenv(name);

        return value && *value ? value : NULL;
}

/* The path of the socket; one that is too long is none. */
static void find_socket(struct exp_reporter *reporter, const char *path) {
        const char *directory = environment("EXPERIMENTS_DIR");
        int n;

        if (!path)
                path = environment("EXPERIMENTS_SOCKET");
        if (path && strcmp(path, "none") == 0) {
                reporter->off = 1;
                return;
        }
        reporter->named = path != NULL;
        if (path)
                n = snprintf(reporter->path, sizeof(reporter->path), "%s", path);
        else
                n = snprintf(reporter->path, sizeof(reporter->path), "%s/agent.sock", directory ? directory : "/experiments");
        if (n >= 0 && (size_t)n < sizeof(reporter->path))
                return;
        if (!reporter->told_no_agent)
                fprintf(stderr, "experiments: the path of the agent's socket has %d bytes, at most %d fit: nothing is reported: %s%s\n",
                        n, (int)sizeof(reporter->path) - 1, path ? path : directory, path ? "" : "/agent.sock");
        reporter->off = 1;
}

/* The rank that the launcher has set; 0 where there is none. Of Slurm's the others are looked at first: what mpirun starts
 * in a batch script inherits the script's own, which is 0. */
static int rank_of_environment(void) {
        static const char *const names[] = { "RANK",     "OMPI_COMM_WORLD_RANK", "PMIX_RANK",
                                             "PMI_RANK", "SLURM_PROCID",         "LOCAL_RANK" };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                const char *value = environment(names[i]);
                char *end;
                long rank = value ? strtol(value, &end, 10) : -1;

                if (value && *end == '\0' && rank >= 0 && rank <= RANK_MAX)
                        return (int)rank;
        }
        return 0;
}

static void find_rank(struct exp_reporter *reporter, int wanted) {
        const char *ranks = environment("EXPERIMENTS_RANKS");

        reporter->rank = wanted > 0 ? wanted : rank_of_environment();
        reporter->silent = wanted == EXP_RANK_ZERO && reporter->rank > 0 && !(ranks && strcmp(ranks, "all") == 0);
        reporter->told_no_agent = reporter->told_no_agent || reporter->silent; /* rank 0 says so */
}

static void find_program(struct exp_reporter *reporter, const char *program) {
        ssize_t n;
        int fd;

        if (program) {
                snprintf(reporter->program, sizeof(reporter->program), "%s", program);
                return;
        }
        fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return;
        n = read(fd, reporter->program, PROGRAM_BYTES);
        close(fd);
        reporter->program[n > 0 ? n : 0] = '\0';
        reporter->program[strcspn(reporter->program, "\n")] = '\0';
}

static void join_reporters(struct exp_reporter *reporter) {
        pthread_once(&once_forks, watch_forks);
        pthread_mutex_lock(&reporters_lock);
        reporter->next = reporters;
        reporters = reporter;
        pthread_mutex_unlock(&reporters_lock);
}

static void leave_reporters(struct exp_reporter *reporter) {
        struct exp_reporter **link = &reporters;

        pthread_mutex_lock(&reporters_lock);
        while (*link != reporter)
                link = &(*link)->next;
        *link = reporter->next;
        pthread_mutex_unlock(&reporters_lock);
}

struct exp_reporter *exp_reporter_new(const struct exp_options *options) {
        static const struct exp_options defaults = { NULL, NULL, EXP_RANK_ZERO, 0, 0 };
        struct exp_reporter *reporter = (struct exp_reporter *)calloc(1, sizeof(*reporter));
        size_t size = RING_BYTES;
        int error = errno;

        options = options ? options : &defaults;
        while (size < options->buffer_bytes && size <= SIZE_MAX / 4)
                size *= 2;
        if (reporter)
                reporter->ring.data = (char *)malloc(size);
        if (!reporter || !reporter->ring.data) {
                free(reporter);
                return NULL;
        }
        pthread_mutex_init(&reporter->lock, NULL);
        reporter->fd = -1;
        reporter->ring.size = size;
        reporter->look_bytes = size / 2;
        reporter->stop_deadline = EXP_NONE;
        reporter->told_no_agent = reporter->told_rejected = options->quiet;
        find_socket(reporter, options->socket);
        find_rank(reporter, options->rank);
        find_program(reporter, options->program);
        join_reporters(reporter);
        errno = error;
        return reporter;
}

void exp_reporter_free(struct exp_reporter *reporter) {
        int error = errno;

        if (!reporter)
                return;
        leave_reporters(reporter);
        if (has_unsent(reporter))
                send_some(reporter);
        disconnect(reporter);
        pthread_mutex_destroy(&reporter->lock);
        free(reporter->ring.data);
        free(reporter);
        errno = error;
}

/* At exit() what a lost connection has left is tried once more, without waiting; also not for a thread that is just
 * reporting, or for this one where a signal handler ends it there. */
static void send_own(void) {
        if (pthread_mutex_trylock(&own->lock) != 0)
                return;
        if (ring_used(&own->ring) > 0)
                send_some(own);
        pthread_mutex_unlock(&own->lock);
}

static void make_own(void) {
        own = exp_reporter_new(NULL);
        if (own)
                atexit(send_own);
}

/* Every call begins and ends with these. errno is the caller's. NULL: there is no memory for a reporter. */
static struct exp_reporter *enter(struct exp_reporter *reporter, int *ret_errno) {
        *ret_errno = errno;
        if (!reporter) {
                pthread_once(&once_own, make_own);
                reporter = own;
        }
        if (reporter)
                pthread_mutex_lock(&reporter->lock);
        return reporter;
}

static void leave(struct exp_reporter *reporter, int error) {
        pthread_mutex_unlock(&reporter->lock);
        errno = error;
}

/* --- reports --- */

static int is_reporting(const struct exp_reporter *reporter) {
        return !reporter->off && !reporter->silent;
}

static void put_told(struct writer *writer, const char *key, double value) {
        if (!is_told(value))
                return;
        put_key(writer, key);
        put_double(writer, value);
}

static void put_path(struct writer *writer, const char *key, const char *path) {
        if (!path)
                return;
        put_key(writer, key);
        put_string(writer, path);
}

static void put_metrics(struct writer *writer, const struct exp_metric *metrics, size_t n) {
        if (n == 0)
                return;
        put_key(writer, "metrics");
        put(writer, "{", 1);
        for (size_t i = 0; i < n; i++) {
                put_key(writer, metrics[i].name);
                put_double(writer, metrics[i].value);
        }
        put(writer, "}", 1);
}

static int is_moment(const struct exp_moment *moment) {
        if (moment->n_metrics > METRICS)
                return 0;
        for (size_t i = 0; i < moment->n_metrics; i++)
                if (!moment->metrics[i].name || !*moment->metrics[i].name)
                        return 0;
        return moment->n_metrics > 0 || is_told(moment->epoch) || is_told(moment->step) ||
               (is_told(moment->epochs) && moment->epochs > 0) || moment->output || moment->checkpoint;
}

static int say_moment(struct exp_reporter *reporter, const struct exp_moment *moment) {
        struct writer writer = begin_message(reporter, "report");

        put_told(&writer, "epoch", moment->epoch);
        put_told(&writer, "step", moment->step);
        put_told(&writer, "time", is_told(moment->time) ? moment->time : wall_time());
        put_metrics(&writer, moment->metrics, moment->n_metrics);
        if (moment->epochs > 0)
                put_told(&writer, "totalEpochs", moment->epochs);
        put_path(&writer, "outputPath", moment->output);
        put_path(&writer, "checkpoint", moment->checkpoint);
        return end_message(reporter, &writer, RESERVED_BYTES);
}

int exp_report(struct exp_reporter *reporter, const struct exp_moment *moment) {
        int error, r = 0;

        if (!is_moment(moment))
                return -EINVAL;
        reporter = enter(reporter, &error);
        if (!reporter)
                return -ENOMEM;
        if (is_reporting(reporter))
                r = say_moment(reporter, moment);
        leave(reporter, error);
        return r;
}

int exp_report_epoch(struct exp_reporter *reporter, double epoch, const struct exp_metric *metrics, size_t n_metrics) {
        struct exp_moment moment = EXP_MOMENT_INIT;

        moment.epoch = epoch;
        moment.metrics = metrics;
        moment.n_metrics = n_metrics;
        return exp_report(reporter, &moment);
}

int exp_report_step(struct exp_reporter *reporter, double step, const struct exp_metric *metrics, size_t n_metrics) {
        struct exp_moment moment = EXP_MOMENT_INIT;

        moment.step = step;
        moment.metrics = metrics;
        moment.n_metrics = n_metrics;
        return exp_report(reporter, &moment);
}

static int say_parameters(struct exp_reporter *reporter, const struct exp_parameter *parameters, size_t n) {
        struct writer writer = begin_message(reporter, "parameters");

        put_key(&writer, "values");
        put(&writer, "{", 1);
        for (size_t i = 0; i < n; i++) {
                put_key(&writer, parameters[i].name);
                if (parameters[i].text)
                        put_start(&writer, parameters[i].text, TEXT_BYTES);
                else
                        put_double(&writer, parameters[i].number);
        }
        put(&writer, "}", 1);
        return end_message(reporter, &writer, 0);
}

int exp_parameters(struct exp_reporter *reporter, const struct exp_parameter *parameters, size_t n_parameters) {
        int error, r = 0;

        if (n_parameters == 0 || n_parameters > METRICS)
                return -EINVAL;
        for (size_t i = 0; i < n_parameters; i++)
                if (!parameters[i].name || !*parameters[i].name || (!parameters[i].text && !is_finite(parameters[i].number)))
                        return -EINVAL;
        reporter = enter(reporter, &error);
        if (!reporter)
                return -ENOMEM;
        if (is_reporting(reporter))
                r = say_parameters(reporter, parameters, n_parameters);
        leave(reporter, error);
        return r;
}

static int say_end(struct exp_reporter *reporter, int exit_status, const char *message) {
        struct writer writer = begin_message(reporter, "end");

        if (exit_status != 0) {
                put_key(&writer, "exitStatus");
                put_double(&writer, exit_status);
        }
        if (message && *message) {
                put_key(&writer, "message");
                put_start(&writer, message, MESSAGE_BYTES);
        }
        return end_message(reporter, &writer, 0);
}

int exp_end(struct exp_reporter *reporter, int exit_status, const char *message) {
        int error, r = 0;

        if (exit_status < -128 || exit_status > 255)
                return -EINVAL;
        reporter = enter(reporter, &error);
        if (!reporter)
                return -ENOMEM;
        if (is_reporting(reporter))
                r = say_end(reporter, exit_status, message);
        leave(reporter, error);
        return r;
}

/* --- what came back --- */

int exp_should_stop(struct exp_reporter *reporter) {
        int error, stopping;

        reporter = enter(reporter, &error);
        if (!reporter)
                return 0;
        if (reporter->fd < 0 || has_unsent(reporter))
                send_some(reporter); /* what was held up is not held up until the next report */
        if (reporter->stopping == 0)
                hear(reporter);
        stopping = reporter->stopping > 0;
        leave(reporter, error);
        return stopping;
}

const char *exp_stop_reason(struct exp_reporter *reporter) {
        const char *reason;
        int error;

        reporter = enter(reporter, &error);
        if (!reporter)
                return NULL;
        reason = stop_reason(reporter);
        leave(reporter, error);
        return reason;
}

double exp_stop_deadline(struct exp_reporter *reporter) {
        double deadline;
        int error;

        reporter = enter(reporter, &error);
        if (!reporter)
                return EXP_NONE;
        deadline = reporter->stop_deadline;
        leave(reporter, error);
        return deadline;
}

unsigned long long exp_dropped(struct exp_reporter *reporter) {
        unsigned long long dropped;
        int error;

        reporter = enter(reporter, &error);
        if (!reporter)
                return 0;
        dropped = reporter->dropped;
        leave(reporter, error);
        return dropped;
}

unsigned long long exp_rejected(struct exp_reporter *reporter, char *ret_reason, size_t reason_bytes) {
        unsigned long long rejected;
        int error;

        if (ret_reason && reason_bytes > 0)
                ret_reason[0] = '\0';
        reporter = enter(reporter, &error);
        if (!reporter)
                return 0;
        rejected = reporter->rejected;
        if (ret_reason && reason_bytes > 0)
                snprintf(ret_reason, reason_bytes, "%s", reporter->reject_reason);
        leave(reporter, error);
        return rejected;
}

/* --- waiting --- */

/* Milliseconds until the next attempt to connect is due, at most until deadline_ms. */
static int wait_ms(const struct exp_reporter *reporter, int64_t now, int64_t deadline_ms) {
        int64_t until = reporter->fd < 0 && reporter->retry_ms < deadline_ms ? reporter->retry_ms : deadline_ms;

        until -= now;
        return until < 0 ? 0 : until > WAIT_MS ? WAIT_MS : (int)until;
}

/* Sends and hears what it can, and says what to wait for next. 1: wait; else the outcome of exp_flush(). */
static int flush_step(struct exp_reporter *reporter, int64_t deadline_ms, struct pollfd *ret_wait, int *ret_wait_ms) {
        int64_t now;

        if (!is_reporting(reporter))
                return -ENOTCONN;
        if (ring_used(&reporter->ring) > 0)
                send_some(reporter);
        hear(reporter);
        if (!is_reporting(reporter))
                return -ENOTCONN;
        if (ring_used(&reporter->ring) == 0)
                return 0;
        now = now_ms();
        if (now >= deadline_ms)
                return -ETIMEDOUT;
        ret_wait->fd = reporter->fd;
        ret_wait->events = (short)(has_unsent(reporter) ? POLLIN | POLLOUT : POLLIN);
        *ret_wait_ms = wait_ms(reporter, now, deadline_ms);
        return 1;
}

int exp_flush(struct exp_reporter *reporter, int timeout_ms) {
        int64_t deadline_ms = timeout_ms < 0 ? INT64_MAX : now_ms() + timeout_ms;
        struct pollfd wait = { -1, 0, 0 };
        int error, r, milliseconds = 0;

        reporter = enter(reporter, &error);
        if (!reporter)
                return -ENOMEM;
        /* Others may report while this one waits. */
        while ((r = flush_step(reporter, deadline_ms, &wait, &milliseconds)) > 0) {
                pthread_mutex_unlock(&reporter->lock);
                (void)poll(&wait, 1, milliseconds);
                pthread_mutex_lock(&reporter->lock);
        }
        leave(reporter, error);
        return r;
}
