#include "formats/scan.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <strings.h>

#include "base/number.h"
#include "formats/value.h"

enum { SENTENCE_WORD_BYTES = 4 };

struct scanner {
        const char *start, *at, *end;
        struct scan *scan;
        const char *name;        /* start of the name under construction, or NULL */
        const char *name_end;
        size_t n_name_words;
        bool name_is_delimited;  /* it began at a delimiter */
        bool at_delimiter;       /* nothing but blanks since a delimiter, or the line's start */
        struct slice label, group;
        const char *group_end, *aside_end; /* where the brackets close; NULL: in none */
        const char *after_item;  /* where the last item ended */
        bool is_answer;          /* a ':' or '=' behind a number was last */
        bool decimal_commas;
};

/* --- numbers --- */

static bool take_number(struct scanner *scanner, const char **at, double *ret_value) {
        return value_take_number(at, scanner->end, scanner->decimal_commas, &scanner->scan->has_decimal_comma, ret_value);
}

/* 1st, 2nd, 3rd, 4th. */
static bool is_ordinal(const char *at, const char *end) {
        static const char *const ends[] = { "st", "nd", "rd", "th" };

        for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]) && end - at >= 2; i++)
                if (memcmp(at, ends[i], 2) == 0 && (end - at == 2 || !(kind_of(at[2]) & C_WORD)))
                        return true;
        return false;
}

/* Is the number that ends at *at all that stands there? *at moves behind what belongs to it: a percent
 * sign, a word that is glued to it. */
static bool is_clean(const struct scanner *scanner, const char **at) {
        const char *end = scanner->end, *after = *at, *word;

        if (after < end && *after == '%') {
                after++;
                if (after < end && *after == '|') { /* of a bar */
                        *at = after;
                        return false;
                }
        }
        else if (after + 1 < end && (after[0] | 32) == 'd' && (after[1] | 32) == 'b')
                after += 2;
        if (is_ordinal(after, end))
                after += 2;
        *at = after;
        if (after == end)
                return true;
        if (*after == ':' && is_digit_at(after + 1, end)) { /* 04:39 */
                while (after < end && (isdigit((unsigned char)*after) || strchr(":.,", *after)))
                        after++;
                *at = word_end(after, end);
                return false;
        }
        if ((*after == '.' || *after == '\'') && (after + 1 == end || !(kind_of(after[1]) & C_WORD))) {
                *at = after + 1;
                return true;
        }
        if (*after == '-' && (after + 1 == end || (kind_of(after[1]) & C_BLANK)))
                return true;
        if (*after == '+' || (unsigned char)*after == 0xc2 || (unsigned char)*after == 0xe2)
                return true; /* a deviation, or something that is drawn */
        if (kind_of(*after) & C_WORD) {
                *at = word_end(after, end);
                return false;
        }
        word = skip_blanks(after, end);
        if (word > after && word < end && (kind_of(*word) & C_START)) {
                const char *stop = word_end(word, end);

                while (stop > word && strchr(".-", stop[-1]))
                        stop--;
                /* "0.5 s: …" and "0.5<tab>s" name what comes; "0.5 s" is a time. */
                if (value_is_unit((struct slice){ word, (size_t)(stop - word) }) &&
                    (stop == end || !strchr(":=(", *stop)) && !memchr(after, '\t', (size_t)(word - after))) {
                        *at = stop;
                        return false;
                }
        }
        return true;
}

/* What says more of the value before it: (average), ± deviation. */
static void skip_aside(struct scanner *scanner) {
        const char *at = skip_blanks(scanner->at, scanner->end), *end = scanner->end, *start;
        double ignored;

        if (at < end && (*at == '+' || slice_starts_with((struct slice){ at, (size_t)(end - at) }, SLICE("\xc2\xb1")))) {
                at += *at == '+' ? 1 : 2;
                if (at < end && *at == '/')
                        at += at + 1 < end && at[1] == '-' ? 2 : 1;
                at = skip_blanks(at, end);
                if (take_number(scanner, &at, &ignored))
                        scanner->at = at;
                return;
        }
        if (at >= end || *at != '(')
                return;
        start = at++;
        at = skip_blanks(at, end);
        if (!take_number(scanner, &at, &ignored) && !value_take_not_finite(&at, end, &ignored))
                return;
        while (at < end && *at != ')' && at - start < 64)
                at++;
        if (at < end && *at == ')')
                scanner->at = at + 1;
}

/* --- names --- */

static void end_name(struct scanner *scanner) {
        scanner->scan->n_words += scanner->n_name_words;
        scanner->name = NULL;
        scanner->n_name_words = 0;
}

static struct slice name_of(const struct scanner *scanner) {
        return scanner->name ? (struct slice){ scanner->name, (size_t)(scanner->name_end - scanner->name) } :
                               (struct slice){ 0 };
}

/* What no value follows is a label of what comes. */
static void delimit(struct scanner *scanner) {
        scanner->is_answer = false;
        if (scanner->name)
                scanner->label = name_of(scanner);
        end_name(scanner);
        scanner->at_delimiter = true;
}

/* Lines, blocks and arrows that bars and tables are drawn with (U+2190 to U+2BFF), and bullets. */
static size_t drawn_length(const char *at, const char *end) {
        unsigned char a = (unsigned char)at[0], b;

        if (end - at < 2)
                return 0;
        b = (unsigned char)at[1];
        if (a == 0xc2 && (b == 0xb7 || b == 0xa0 || b == 0xb1))
                return 2;
        if (end - at >= 3 && a == 0xe2 && (b >= 0x80 && b <= 0xaf))
                return 3;
        return end - at >= 4 && a == 0xf0 ? 4 : 0;
}

/* Does the name so far end in a word that counts, so that a number may follow "#"? */
static bool ends_in_counter(const struct scanner *scanner) {
        static const char *const words[] = { "epoch", "iteration", "iter", "step", "trial", "round", "episode", "update" };
        struct slice name = name_of(scanner);

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
                size_t n = strlen(words[i]);

                if (name.size_bytes >= n && strncasecmp(name.data + name.size_bytes - n, words[i], n) == 0)
                        return true;
        }
        return false;
}

/* A unit or qualifier in parentheses that belongs to the name: acc(%), "time per iteration (ms)",
 * mAP50-95(B). Returns its end, or NULL. */
static const char *parenthesis_of_name(const struct scanner *scanner, const char *at) {
        const char *start = at + 1, *stop = start;

        while (stop < scanner->end && stop - start < 24 && *stop != ')' && *stop != '(')
                stop++;
        if (stop == scanner->end || *stop != ')' || stop == start || isdigit((unsigned char)*start))
                return NULL;
        for (const char *p = start; p < stop; p++)
                if (*p == '=' || *p == ':')
                        return NULL;
        return stop + 1;
}

/* Ep. and L.r. keep their last point. */
static bool is_abbreviated(const char *start, const char *stop) {
        return stop - start <= 3 || memchr(start, '.', (size_t)(stop - start - 1));
}

static void take_word(struct scanner *scanner) {
        const char *start = scanner->at, *stop = start, *parenthesis;
        size_t n_drawn = 0;

        if (*start == '#' && is_digit_at(start + 1, scanner->end) && ends_in_counter(scanner)) {
                scanner->at++;
                return;
        }
        for (; stop < scanner->end && (kind_of(*stop) & C_WORD); stop++) {
                n_drawn = (unsigned char)*stop >= 0xc2 ? drawn_length(stop, scanner->end) : 0;
                if (n_drawn > 0)
                        break;
        }
        if (stop == start) {
                delimit(scanner);
                scanner->at = start + n_drawn;
                return;
        }
        /* A dash or a full stop at its end is punctuation. */
        while (stop > start + 1 && strchr(".-'", stop[-1]) && !(stop[-1] == '.' && is_abbreviated(start, stop)))
                stop--;
        if (stop < scanner->end && *stop == '(') {
                parenthesis = parenthesis_of_name(scanner, stop);
                if (parenthesis)
                        stop = parenthesis;
        }
        if (!scanner->name) {
                scanner->name = start;
                scanner->name_is_delimited = scanner->at_delimiter;
        }
        scanner->at_delimiter = false;
        scanner->name_end = stop;
        scanner->n_name_words++;
        scanner->at = stop;
        if (scanner->at < scanner->end && *scanner->at == '.') {
                scanner->at++;
                if (stop - start >= SENTENCE_WORD_BYTES) /* "Avg. loss" is a name, "Training. Loss" is not */
                        delimit(scanner);
        }
}

/* --- items --- */

static void add_item(struct scanner *scanner, const struct item *item) {
        struct scan *scan = scanner->scan;

        if (scan->n_items < ITEMS_MAX)
                scan->items[scan->n_items++] = *item;
        scanner->name = NULL;
        scanner->n_name_words = 0;
        scanner->at_delimiter = false;
}

/* "/total", and "/more", behind a value that counts up. */
static bool take_total(struct scanner *scanner, double *ret_total, struct slice *ret_text) {
        const char *at = skip_blanks(scanner->at, scanner->end), *end = scanner->end;
        bool found = false;

        while (at < end && *at == '/') {
                const char *number = skip_blanks(at + 1, end);
                double total;

                if (!is_digit_at(number, end) || !take_number(scanner, &number, &total))
                        break;
                if (!found) {
                        const char *start = skip_blanks(at + 1, end);

                        *ret_total = total;
                        *ret_text = (struct slice){ start, (size_t)(number - start) };
                }
                found = true;
                at = number;
        }
        if (!found && end - at > 3 && slice_starts_with((struct slice){ at, (size_t)(end - at) }, SLICE("of "))) {
                const char *number = skip_blanks(at + 3, end);

                *ret_text = (struct slice){ number, 0 };
                found = is_digit_at(number, end) && take_number(scanner, &number, ret_total);
                ret_text->size_bytes = (size_t)(number - ret_text->data);
                at = number;
        }
        if (found)
                scanner->at = at;
        return found;
}

/* "(97%)" behind a ratio. */
static void take_percent(struct scanner *scanner, double *ret_percent, struct slice *ret_text) {
        const char *at = skip_blanks(scanner->at, scanner->end), *end = scanner->end;

        if (at >= end || *at != '(')
                return;
        at = skip_blanks(at + 1, end);
        *ret_text = (struct slice){ at, 0 };
        if (!take_number(scanner, &at, ret_percent) || at >= end || *at != '%') {
                *ret_percent = NAN;
                return;
        }
        ret_text->size_bytes = (size_t)(at - ret_text->data);
        scanner->at = at + 1;
}

/* A value at scanner->at, which is known to begin one. */
static void take_value(struct scanner *scanner, enum item_form form, bool is_bracketed) {
        struct item item = {
                .form = form, .name = name_of(scanner), .label = scanner->label, .is_bracketed = is_bracketed,
                .is_delimited = scanner->name ? scanner->name_is_delimited : scanner->at_delimiter,
                .is_first = scanner->scan->n_items == 0 && scanner->scan->n_words == 0 && scanner->label.size_bytes == 0,
                .group = scanner->at < scanner->group_end ? scanner->group : (struct slice){ 0 },
                .is_answer = scanner->is_answer && !scanner->name, .is_aside = scanner->at < scanner->aside_end,
                .total = NAN, .percent = NAN,
        };
        const char *at = scanner->at;
        bool is_clean_number;

        scanner->is_answer = false;

        if (!value_take_not_finite(&at, scanner->end, &item.value) && !take_number(scanner, &at, &item.value)) {
                scanner->at = word_end(at + 1, scanner->end);
                delimit(scanner);
                return;
        }
        item.is_integer = isfinite(item.value) && !memchr(scanner->at, '.', (size_t)(at - scanner->at - (at[-1] == '.'))) &&
                          item.value == floor(item.value) && (at == scanner->end || *at != '%');
        item.value_text = (struct slice){ scanner->at, (size_t)(at - scanner->at) };
        scanner->at = at;
        if (!take_total(scanner, &item.total, &item.total_text)) {
                is_clean_number = is_clean(scanner, &scanner->at);
                if (!is_clean_number) {
                        scanner->scan->n_units++;
                        scanner->name = NULL;
                        scanner->n_name_words = 0;
                        scanner->at_delimiter = true;
                        return;
                }
        } else {
                take_percent(scanner, &item.percent, &item.percent_text);
        }
        if (item.name.size_bytes == 0)
                item.form = ITEM_BARE;
        scanner->scan->n_bare += item.form == ITEM_BARE;
        add_item(scanner, &item);
        skip_aside(scanner);
        scanner->after_item = skip_blanks(scanner->at, scanner->end);
        if (is_bracketed && scanner->after_item < scanner->end && *scanner->after_item == ']')
                scanner->after_item = skip_blanks(scanner->after_item + 1, scanner->end);
}

static bool is_settings_word(struct slice name) {
        static const char *const words[] = { "param", "config", "args", "hparams", "options", "setting", "namespace", "kwargs" };

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
                size_t n = strlen(words[i]);

                for (size_t at = 0; at + n <= name.size_bytes; at++)
                        if (strncasecmp(name.data + at, words[i], n) == 0)
                                return true;
        }
        return false;
}

/* Does the name end in that of a source file? */
static bool is_file_name(const struct scanner *scanner) {
        static const char *const ends[] = { ".py", ".cc", ".cpp", ".c", ".h", ".go", ".rs", ".java", ".scala", ".js", ".ts", ".cu", ".rb", ".kt" };
        struct slice name = name_of(scanner);

        for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
                size_t n = strlen(ends[i]);

                if (name.size_bytes > n && memcmp(name.data + name.size_bytes - n, ends[i], n) == 0)
                        return true;
        }
        return false;
}

/* Has the number no point and no exponent? */
static bool is_counter(const char *number, const char *end) {
        return !memchr(number, '.', (size_t)(end - number)) && !memchr(number, 'e', (size_t)(end - number));
}

/* ':' or '=' behind a name: its value, or else it was a label of what follows. */
static void take_separator(struct scanner *scanner) {
        char c = *scanner->at;
        const char *end = scanner->end, *at = scanner->at + 1, *number, *wrapping_end = NULL;
        bool is_answer = !scanner->name && scanner->scan->n_items > 0 && scanner->after_item == scanner->at;

        if (at < end && c == ':' && *at == ':' && scanner->name && is_blank_at(scanner->at - 1) && at + 1 < end && is_blank_at(at + 1))
                at++; /* loss :: 0.5 */
        else if (at < end && (*at == c || *at == '>' || (c == ':' && (*at == '/' || *at == '=')))) { /* ::, ==, =>, ://, := */
                while (at < end && strchr(":=>", *at))
                        at++;
                scanner->at = c == ':' && at < end && *at == '/' ? word_end(at, end) : at;
                delimit(scanner);
                return;
        }
        at = skip_blanks(at, end);
        if (at < end && (*at == '"' || *at == '\'') && value_begins(at + 1, end)) {
                scanner->at = at + 1;
                take_value(scanner, ITEM_STRONG, false);
                return;
        }
        number = value_unwrap(at, end, &wrapping_end);
        /* Epoch: [3] is left for take_bracket(). */
        if (scanner->name && number && (*at != '[' || c == '=' || !is_counter(number, wrapping_end))) {
                scanner->at = number;
                take_value(scanner, ITEM_STRONG, false);
                scanner->at = wrapping_end;
                return;
        }
        if (scanner->name && c == ':' && is_digit_at(scanner->at + 1, end) && is_file_name(scanner)) {
                scanner->at = word_end(at, end); /* train.py:30 */
                delimit(scanner);
                return;
        }
        if (value_begins(at, end) && scanner->name) {
                scanner->at = at;
                take_value(scanner, ITEM_STRONG, false);
                return;
        }
        if (at < end && *at == '[') { /* Epoch: [3/50] counts; lr=[0.1, 0.2] is a list */
                scanner->at = at;
                return;
        }
        scanner->n_name_words = 0;
        scanner->at = at;
        if (at < end && (*at == '{' || *at == '(') && is_settings_word(name_of(scanner)))
                scanner->at = value_skip_brackets(at, end);
        delimit(scanner);
        scanner->is_answer = is_answer;
}

/* '[': a number with its total, as in "Epoch [3/50]" and "[12]"; else a delimiter. */
static void take_bracket(struct scanner *scanner) {
        const char *end = scanner->end, *at = skip_blanks(scanner->at + 1, end), *start = scanner->at;
        double ignored;
        bool has_name = scanner->name != NULL;

        scanner->at++;
        if (!is_digit_at(at, end)) {
                const char *stop = word_end(at, end);

                if (has_name && start > scanner->start && (kind_of(start[-1]) & C_WORD)) { /* loss[a=1, b=2] */
                        scanner->group = name_of(scanner);
                        scanner->group_end = value_skip_brackets(start, end);
                }

                /* A word alone in brackets says of what the rest of the line is: [valid] */
                delimit(scanner);
                if (stop > at && stop < end && *stop == ']')
                        scanner->label = (struct slice){ at, (size_t)(stop - at) };
                return;
        }
        if (take_number(scanner, &at, &ignored) && skip_blanks(at, end) < end) {
                at = skip_blanks(at, end);
                if (*at == ']' || *at == '/' || (*at == ',' && !has_name)) {
                        bool is_list = *at == ',' && memchr(at + 1, ',', (size_t)(end - at - 1)) &&
                                       (const char *)memchr(at + 1, ',', (size_t)(end - at - 1)) <
                                               (const char *)(memchr(at, ']', (size_t)(end - at)) ?: end);

                        if (!is_list) {
                                const char *second = skip_blanks(at + 1, end);

                                scanner->at = skip_blanks(scanner->at, end);
                                take_value(scanner, ITEM_WEAK, true);
                                if (*at == ',' && is_digit_at(second, end)) { /* [epoch, step] */
                                        scanner->at = second;
                                        take_value(scanner, ITEM_WEAK, true);
                                }
                                return;
                        }
                }
                if (*at == ',')
                        scanner->at = value_skip_brackets(start, end); /* a list */
        }
        delimit(scanner);
}

/* Quotes around names and values of a dict are passed over; an opening one begins a name. */
static void take_quote(struct scanner *scanner) {
        const char *after = scanner->at + 1;

        if (!scanner->name || (after < scanner->end && *after != ':' && !(kind_of(*after) & C_BLANK)))
                delimit(scanner);
        scanner->at = after;
}

/* "loss (for one batch) at step 200" is one name. */
static bool is_preposition(const char *at, const char *end) {
        struct slice rest = { at, (size_t)(end - at) };

        return slice_starts_with(rest, SLICE("at ")) || slice_starts_with(rest, SLICE("after "));
}

static void take_parenthesis(struct scanner *scanner) {
        const char *parenthesis = scanner->name ? parenthesis_of_name(scanner, scanner->at) : NULL, *after;

        if (parenthesis) {
                after = skip_blanks(parenthesis, scanner->end);
                if (after < scanner->end && (*after == ':' || *after == '=' || is_digit_at(after, scanner->end) ||
                                             (after > parenthesis && is_preposition(after, scanner->end)))) {
                        scanner->name_end = parenthesis;
                        scanner->at = parenthesis;
                        return;
                }
        }
        delimit(scanner);
        if (scanner->scan->n_items + scanner->scan->n_units > 0 && *scanner->at == '(' && scanner->at > scanner->start)
                scanner->aside_end = value_skip_brackets(scanner->at, scanner->end);
        scanner->at++;
}

/* Blanks: two or more, or a tab, end a name unless its value or separator follows. */
static void take_blanks(struct scanner *scanner) {
        const char *after = skip_blanks(scanner->at, scanner->end);
        bool is_wide = after - scanner->at > 1 || *scanner->at == '\t';

        if (after < scanner->end && scanner->name && is_wide && (kind_of(*after) & C_START) &&
            !value_begins(after, scanner->end))
                delimit(scanner);
        else if (is_wide && !scanner->name)
                scanner->at_delimiter = true;
        scanner->at = after;
}

static bool is_number_start(const struct scanner *scanner) {
        const char *at = scanner->at;

        return is_digit_at(at, scanner->end) ||
               (strchr("+-.", *at) && value_begins(at, scanner->end) &&
                (at == scanner->start || !(kind_of(at[-1]) & (C_WORD & ~C_DIGIT))));
}

/* Digits that a word goes on with are one word: 3rd, 2of5, 1epoch. */
static bool take_numbered_word(struct scanner *scanner) {
        static const char *const counted[] = { "epoch", "iter", "step" };
        const char *at = scanner->at, *end = scanner->end;

        while (is_digit_at(at, end))
                at++;
        for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]) && at > scanner->at; i++) {
                size_t n = strlen(counted[i]);

                if ((size_t)(end - at) >= n && strncasecmp(at, counted[i], n) == 0 &&
                    (at + n == end || !isalpha((unsigned char)at[n]))) {
                        struct item item = { .form = ITEM_STRONG, .name = { at, n }, .is_delimited = true,
                                             .value = value_of_digits(scanner->at, at), .total = NAN, .percent = NAN };

                        add_item(scanner, &item);
                        scanner->at = at + n;
                        return true;
                }
        }
        return false;
}

static void take_one(struct scanner *scanner) {
        char c = *scanner->at;
        uint8_t kind = kind_of(c);

        if (kind & C_BLANK)
                take_blanks(scanner);
        else if (is_number_start(scanner) && !take_numbered_word(scanner))
                take_value(scanner, ITEM_WEAK, false);
        else if (kind & C_DIGIT)
                return;
        else if (kind & C_START)
                take_word(scanner);
        else if (c == ':' || c == '=')
                take_separator(scanner);
        else if (c == '[')
                take_bracket(scanner);
        else if (c == '(')
                take_parenthesis(scanner);
        else if (c == '"' || c == '\'')
                take_quote(scanner);
        else {
                delimit(scanner);
                scanner->at++;
        }
}

/* A word that means that there is no number, in the place of one: "loss nan". */
static bool take_weak_not_finite(struct scanner *scanner) {
        const char *at = scanner->at;
        double ignored;

        if (!scanner->name || (kind_of(scanner->at[-1]) & C_BLANK) == 0 || !value_take_not_finite(&at, scanner->end, &ignored))
                return false;
        take_value(scanner, ITEM_WEAK, false);
        return true;
}

void scan_line(struct slice text, bool decimal_commas, struct scan *ret_scan) {
        struct scanner scanner = { .start = text.data, .at = text.data, .end = text.data + text.size_bytes,
                                   .scan = ret_scan, .at_delimiter = true, .decimal_commas = decimal_commas };

        ret_scan->n_items = ret_scan->n_words = ret_scan->n_units = ret_scan->n_bare = 0;
        ret_scan->has_decimal_comma = false;
        while (scanner.at < scanner.end && ret_scan->n_items < ITEMS_MAX)
                if (!((*scanner.at | 32) == 'n' || (*scanner.at | 32) == 'i') || !take_weak_not_finite(&scanner))
                        take_one(&scanner);
        end_name(&scanner);
}
