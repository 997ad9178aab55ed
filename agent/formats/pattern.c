#include "formats/pattern.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>

#include "base/number.h"

enum { NAMES_BYTES_MAX = 8 * 1024, X_MAX = 1000000000 };

void pattern_start(struct pattern *pattern) {
        pattern->line.limit_bytes = PATTERN_LINE_BYTES_MAX;
        pattern->names.limit_bytes = NAMES_BYTES_MAX;
        buffer_clear(&pattern->line);
        buffer_clear(&pattern->names);
        pattern->n_slots = pattern->n_metrics = pattern->tail_start = 0;
        pattern->is_bare = false;
}

void pattern_release(struct pattern *pattern) {
        buffer_release(&pattern->line);
        buffer_release(&pattern->names);
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

/* --- learning --- */

static const struct pattern_number *number_at(const struct pattern_number *numbers, size_t n, const char *at) {
        for (size_t i = 0; i < n; i++)
                if (numbers[i].text.data == at && numbers[i].text.size_bytes > 0)
                        return &numbers[i];
        return NULL;
}

static bool add_slot(struct pattern *pattern, size_t gap_start, size_t at, const struct pattern_number *number) {
        struct pattern_slot *slot = &pattern->slots[pattern->n_slots];

        if (pattern->n_slots == PATTERN_SLOTS_MAX)
                return false;
        *slot = (struct pattern_slot){ .gap_start = gap_start, .gap_bytes = at - gap_start,
                                       .role = number ? number->role : KEY_IGNORED };
        pattern->n_slots++;
        if (slot->role != KEY_METRIC)
                return true;
        slot->metric = pattern->n_metrics;
        /* Where the name lies is filled in when all names are there. */
        pattern->metrics[pattern->n_metrics++].name = (struct slice){ NULL, number->name.size_bytes };
        return buffer_append(&pattern->names, number->name.data, number->name.size_bytes) == 0;
}

static void place_names(struct pattern *pattern) {
        const char *at = pattern->names.data;

        for (size_t i = 0; i < pattern->n_metrics; i++) {
                pattern->metrics[i].name.data = at;
                at += pattern->metrics[i].name.size_bytes;
        }
}

/* A number that number_scan() reads as the scanner did: no commas in it, and no words. */
static bool is_plain(struct slice text) {
        double ignored;

        return number_scan(text, &ignored) == text.size_bytes;
}

/* Digits behind a letter of the same word belong to a name: head_0_loss, recall@5. In a time stamp they
 * do not: 2026-01-02T03:04. */
static bool is_in_name(struct slice line, size_t at) {
        while (at > 0 && !strchr(" \t:=,;|()[]{}<>\"'", line.data[at - 1])) {
                char c = line.data[--at];

                if ((isalpha((unsigned char)c) && c != 'T') || (unsigned char)c >= 0x80 || c == '_')
                        return true;
        }
        return false;
}

int pattern_learn(struct pattern *pattern, struct slice line, const struct pattern_number *numbers, size_t n) {
        size_t gap_start = 0, at = 0, n_found = 0;
        bool ok = line.size_bytes <= PATTERN_LINE_BYTES_MAX;

        pattern_start(pattern);
        if (!ok)
                return 0;
        if (buffer_append(&pattern->line, line.data, line.size_bytes) < 0)
                return -ENOMEM;
        while (at < line.size_bytes && ok) {
                const struct pattern_number *number = number_at(numbers, n, line.data + at);

                if (!number && (!is_digit(line.data[at]) || is_in_name(line, at))) {
                        at++;
                        continue;
                }
                ok = add_slot(pattern, gap_start, at, number) && (!number || is_plain(number->text));
                n_found += number != NULL;
                if (number)
                        at += number->text.size_bytes;
                else
                        while (at < line.size_bytes && is_digit(line.data[at]))
                                at++;
                gap_start = at;
        }
        if (!ok || n_found != n)
                pattern_start(pattern);
        pattern->tail_start = gap_start;
        place_names(pattern);
        return 0;
}

/* --- reading --- */

static bool is_place(enum key_role role, double value) {
        return value >= 0 && value <= X_MAX && (role == KEY_EPOCH || value == floor(value));
}

bool pattern_read(struct pattern *pattern, struct slice line, struct record *ret_record) {
        const char *at = line.data, *end = at + line.size_bytes, *known = pattern->line.data;

        if (pattern->n_slots == 0)
                return false;
        for (size_t i = 0; i < pattern->n_slots; i++) {
                const struct pattern_slot *slot = &pattern->slots[i];
                double value;
                size_t n;

                if ((size_t)(end - at) <= slot->gap_bytes || memcmp(at, known + slot->gap_start, slot->gap_bytes) != 0)
                        return false;
                at += slot->gap_bytes;
                if (slot->role == KEY_IGNORED) {
                        if (!is_digit(*at))
                                return false;
                        while (at < end && is_digit(*at))
                                at++;
                        continue;
                }
                n = number_scan((struct slice){ at, (size_t)(end - at) }, &value);
                if (n == 0 || (slot->role != KEY_METRIC && !is_place(slot->role, value)))
                        return false;
                at += n;
                if (slot->role == KEY_METRIC)
                        pattern->metrics[slot->metric].value = value;
                else
                        key_set(ret_record, slot->role, value);
        }
        if (!slice_equal((struct slice){ at, (size_t)(end - at) },
                         (struct slice){ known + pattern->tail_start, pattern->line.size_bytes - pattern->tail_start }))
                return false;
        ret_record->metrics = pattern->metrics;
        ret_record->n_metrics = pattern->n_metrics;
        return true;
}
