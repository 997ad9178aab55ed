#include "formats/filters.h"

#include <ctype.h>
#include <errno.h>
#include <regex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/number.h"

enum {
        REGEX_BYTES_MAX = 4096,
        POSIX_BYTES_MAX = 64 * 1024,
        REPEAT_MAX = 1000,             /* Go's limit */
        TEXT_BYTES_MAX = 64 * 1024,
        WINDOW_BYTES = 4096,           /* looked at for one match: regexec(3) takes time and memory by it */
        GROUPS_MAX = 32,
        ASCII = 128,
};

struct filter {
        regex_t regex;
        size_t name, value; /* numbers of the groups, as POSIX counts them */
};

struct filters {
        struct filter filters[FILTERS_MAX];
        size_t n;
};

/* --- from Go's syntax to POSIX's --- */

struct translation {
        const char *at;        /* what is left of Go's */
        struct buffer out;     /* POSIX's */
        const char *expected;  /* NULL: all is well */
        size_t groups, wanted[2], n_wanted;
        size_t depth;
        bool can_repeat;       /* something is there that a quantifier would repeat */
        bool was_repeated;
};

static void refuse(struct translation *translation, const char *expected) {
        if (!translation->expected)
                translation->expected = expected;
}

static void emit(struct translation *translation, const char *text, size_t n) {
        if (buffer_append(&translation->out, text, n) < 0)
                refuse(translation, "a shorter regular expression");
}

static void emit_string(struct translation *translation, const char *text) {
        emit(translation, text, strlen(text));
}

static void emit_literal(struct translation *translation, char c) {
        if (strchr(".[()*+?{|^$\\", c))
                emit(translation, "\\", 1);
        emit(translation, &c, 1);
}

static void emit_atom(struct translation *translation) {
        translation->can_repeat = true;
        translation->was_repeated = false;
}

/* The control character that an escape means; 0: none. */
static char escaped_control(char c) {
        static const char letters[] = "tnrfva", controls[] = "\t\n\r\f\v\a";
        const char *found = c ? strchr(letters, c) : NULL;

        return found ? controls[found - letters] : '\0';
}

/* Says why a letter behind a backslash is refused. */
static void refuse_escape(struct translation *translation, char c) {
        if (c == 'b' || c == 'B' || c == 'A' || c == 'z')
                refuse(translation, "no \\b, \\B, \\A or \\z (a POSIX extended regular expression has none)");
        else if (c == '\0')
                refuse(translation, "something after the last backslash");
        else
                refuse(translation, "of letters after a backslash only d, w, s, D, W, S and t, n, r, f, v, a");
}

/* --- brackets, as the set of ASCII characters that they stand for --- */

struct set {
        bool has[ASCII];
        bool beyond; /* all that is not ASCII */
};

static bool in_class(char letter, int c) {
        switch (tolower((unsigned char)letter)) {
        case 'd':
                return isdigit(c);
        case 'w':
                return isalnum(c) || c == '_';
        default:
                return c == ' ' || (c >= '\t' && c <= '\r' && c != '\v');
        }
}

/* \d \w \s, and in capitals what they are not. */
static bool is_class(char letter) {
        return letter && strchr("dwsDWS", letter);
}

static void set_add_class(struct set *set, char letter) {
        bool negated = isupper((unsigned char)letter);

        for (int c = 0; c < ASCII; c++)
                if (in_class(letter, c) != negated)
                        set->has[c] = true;
        set->beyond = set->beyond || negated;
}

/* [:alpha:] and the like; false: this is none. */
static bool set_add_named(struct translation *translation, struct set *set) {
        static const struct {
                const char *name;
                int (*is)(int);
        } classes[] = { { "[:alnum:]", isalnum }, { "[:alpha:]", isalpha }, { "[:blank:]", isblank },
                        { "[:cntrl:]", iscntrl }, { "[:digit:]", isdigit }, { "[:graph:]", isgraph },
                        { "[:lower:]", islower }, { "[:print:]", isprint }, { "[:punct:]", ispunct },
                        { "[:space:]", isspace }, { "[:upper:]", isupper }, { "[:xdigit:]", isxdigit } };

        for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
                size_t n = strlen(classes[i].name);

                if (strncmp(translation->at, classes[i].name, n) != 0)
                        continue;
                for (int c = 0; c < ASCII; c++)
                        set->has[c] = set->has[c] || classes[i].is(c);
                translation->at += n;
                return true;
        }
        if (translation->at[0] == '[' && translation->at[1] == ':')
                refuse(translation, "in brackets the classes that POSIX has, such as [:alpha:]");
        return false;
}

/* One character of a bracket, maybe escaped. */
static int take_set_character(struct translation *translation) {
        char c = *translation->at;

        if (c == '\\') {
                c = *++translation->at;
                if (isalnum((unsigned char)c) || c == '\0') {
                        c = escaped_control(c);
                        if (!c)
                                refuse_escape(translation, *translation->at);
                }
        }
        if ((unsigned char)c >= ASCII)
                refuse(translation, "in brackets ASCII characters only");
        if (*translation->at)
                translation->at++;
        return (unsigned char)c % ASCII;
}

static void take_set_item(struct translation *translation, struct set *set) {
        int first, last;

        if (translation->at[0] == '\\' && is_class(translation->at[1])) {
                set_add_class(set, translation->at[1]);
                translation->at += 2;
                return;
        }
        if (set_add_named(translation, set))
                return;
        first = last = take_set_character(translation);
        if (translation->at[0] == '-' && translation->at[1] != ']' && translation->at[1] != '\0') {
                translation->at++;
                if (translation->at[0] == '\\' && is_class(translation->at[1]))
                        refuse(translation, "in brackets a range between two characters");
                last = take_set_character(translation);
                if (last < first)
                        refuse(translation, "in brackets ranges that go up");
        }
        for (int c = first; c <= last; c++)
                set->has[c] = true;
}

/* In POSIX's brackets ] comes first, - last, and ^ not first. */
static void emit_set_characters(struct translation *translation, const struct set *set, bool has) {
        size_t before = translation->out.size_bytes;

        if (set->has[']'] == has)
                emit_string(translation, "]");
        for (int c = 1; c < ASCII; c++) {
                char text = (char)c;

                if (set->has[c] == has && c != ']' && c != '^' && c != '-')
                        emit(translation, &text, 1);
        }
        if (set->has['^'] == has && translation->out.size_bytes > before)
                emit_string(translation, "^");
        if (set->has['-'] == has)
                emit_string(translation, "-");
        if (set->has['^'] == has && translation->out.size_bytes <= before + 1 &&
            (translation->out.size_bytes == before || translation->out.data[before] == '-'))
                emit_string(translation, "^");
}

static size_t set_count(const struct set *set) {
        size_t n = 0;

        for (int c = 1; c < ASCII; c++)
                n += set->has[c];
        return n;
}

static void emit_set(struct translation *translation, const struct set *set) {
        size_t n = set_count(set);

        if (n == 0 && !set->beyond) {
                refuse(translation, "in brackets something");
        } else if (n == ASCII - 1 && set->beyond) {
                emit_string(translation, ".");
        } else if (n == 1 && !set->beyond) {
                for (int c = 1; c < ASCII; c++)
                        if (set->has[c])
                                emit_literal(translation, (char)c);
        } else {
                emit_string(translation, set->beyond ? "[^" : "[");
                emit_set_characters(translation, set, !set->beyond);
                emit_string(translation, "]");
        }
}

static void take_bracket(struct translation *translation) {
        struct set set = { 0 };
        bool negated = *++translation->at == '^';

        translation->at += negated;
        do
                take_set_item(translation, &set);
        while (*translation->at && *translation->at != ']' && !translation->expected);
        if (*translation->at != ']')
                refuse(translation, "a ] for each [");
        else
                translation->at++;
        for (int c = 0; negated && c < ASCII; c++)
                set.has[c] = !set.has[c];
        set.beyond = set.beyond != negated;
        emit_set(translation, &set);
        emit_atom(translation);
}

/* --- the rest of the syntax --- */

static void take_escape(struct translation *translation) {
        char c = *++translation->at;

        if (is_class(c)) {
                struct set set = { 0 };

                set_add_class(&set, c);
                emit_set(translation, &set);
        } else if (escaped_control(c)) {
                char control = escaped_control(c);

                emit(translation, &control, 1);
        } else if (ispunct((unsigned char)c)) {
                emit_literal(translation, c);
        } else {
                refuse_escape(translation, c);
                return;
        }
        translation->at++;
        emit_atom(translation);
}

static void take_group(struct translation *translation) {
        bool captures = translation->at[1] != '?';

        translation->groups++;
        if (!captures && translation->at[2] != ':')
                refuse(translation, "of (? only (?: ), no named groups, lookaheads or flags");
        else if (captures && translation->n_wanted < 2)
                translation->wanted[translation->n_wanted++] = translation->groups;
        if (translation->groups >= GROUPS_MAX)
                refuse(translation, "at most 31 groups");
        translation->at += captures ? 1 : 3;
        translation->depth++;
        translation->can_repeat = false;
        emit_string(translation, "(");
}

static void take_end_of_group(struct translation *translation) {
        if (translation->depth == 0)
                refuse(translation, "a ( for each )");
        else
                translation->depth--;
        translation->at++;
        emit_string(translation, ")");
        emit_atom(translation);
}

/* Length of a {n}, {n,} or {n,m}; 0: the brace is one. */
static size_t repeat_length(const char *at) {
        size_t n = 1, digits = strspn(at + 1, "0123456789");

        if (digits == 0)
                return 0;
        n += digits;
        if (at[n] == ',')
                n += 1 + strspn(at + n + 1, "0123456789");
        return at[n] == '}' ? n + 1 : 0;
}

static void check_repeat(struct translation *translation, const char *at) {
        const char *comma = strchr(at, ',');
        long from = strtol(at + 1, NULL, 10), to = comma ? strtol(comma + 1, NULL, 10) : from;

        if (from > REPEAT_MAX || to > REPEAT_MAX || (to > 0 && to < from))
                refuse(translation, "repetitions of at most 1000, the lower first");
}

static void take_quantifier(struct translation *translation, size_t n) {
        if (n > 1)
                check_repeat(translation, translation->at);
        if (translation->was_repeated && *translation->at == '?')
                refuse(translation, "no lazy quantifiers such as *? and +?");
        else if (translation->was_repeated)
                refuse(translation, "one quantifier at a time");
        else if (!translation->can_repeat)
                refuse(translation, "something before a quantifier");
        emit(translation, translation->at, n);
        translation->at += n;
        translation->was_repeated = true;
}

static void take_one(struct translation *translation) {
        char c = *translation->at;

        switch (c) {
        case '\\':
                take_escape(translation);
                return;
        case '[':
                take_bracket(translation);
                return;
        case '(':
                take_group(translation);
                return;
        case ')':
                take_end_of_group(translation);
                return;
        case '*':
        case '+':
        case '?':
                take_quantifier(translation, 1);
                return;
        case '{':
                if (repeat_length(translation->at) > 0) {
                        take_quantifier(translation, repeat_length(translation->at));
                        return;
                }
                emit_literal(translation, c);
                break;
        default:
                emit(translation, &c, 1);
        }
        translation->at++;
        emit_atom(translation);
        if (c == '|' || c == '^')
                translation->can_repeat = false;
}

static void translate(struct translation *translation, const char *regex) {
        *translation = (struct translation){ .at = regex, .out = BUFFER_INIT(POSIX_BYTES_MAX) };
        if (strlen(regex) > REGEX_BYTES_MAX)
                refuse(translation, "a shorter regular expression");
        while (*translation->at && !translation->expected)
                take_one(translation);
        if (translation->depth > 0)
                refuse(translation, "a ) for each (");
        if (translation->n_wanted < 2)
                refuse(translation, "a group for the name and one for the value, such as ([a-z_]+)=([0-9.]+)");
}

/* --- adding --- */

static int compile(struct filter *filter, const char *posix, const char **ret_expected) {
        static char message[128];
        char reason[96];
        int r = regcomp(&filter->regex, posix, REG_EXTENDED);

        if (r == 0)
                return 0;
        if (r == REG_ESPACE)
                return -ENOMEM;
        regerror(r, &filter->regex, reason, sizeof(reason));
        (void)snprintf(message, sizeof(message), "a regular expression (%s)", reason);
        *ret_expected = message;
        return -EINVAL;
}

static int add(struct filters *filters, const char *regex, const char **ret_expected) {
        struct filter *filter = &filters->filters[filters->n];
        struct translation translation;
        const char *posix;
        int r = -EINVAL;

        if (filters->n == FILTERS_MAX) {
                *ret_expected = "at most 8 of them";
                return -EINVAL;
        }
        translate(&translation, regex);
        posix = buffer_string(&translation.out);
        *ret_expected = translation.expected;
        if (!translation.expected)
                r = posix ? compile(filter, posix, ret_expected) : -ENOMEM;
        filter->name = translation.wanted[0];
        filter->value = translation.wanted[1];
        filters->n += r == 0;
        buffer_release(&translation.out);
        return r;
}

int filters_add(struct filters **filters, const char *regex, const char **ret_expected) {
        if (!*filters)
                *filters = calloc(1, sizeof(**filters));
        return *filters ? add(*filters, regex, ret_expected) : -ENOMEM;
}

struct filters *filters_free(struct filters *filters) {
        if (!filters)
                return NULL;
        for (size_t i = 0; i < filters->n; i++)
                regfree(&filters->filters[i].regex);
        free(filters);
        return NULL;
}

/* --- matching --- */

struct match {
        size_t start, end; /* bytes of the text */
        struct slice name, value;
};

static struct slice group_of(struct slice window, const regmatch_t *group) {
        struct slice text = { window.data, 0 };

        if (group->rm_so >= 0)
                text = (struct slice){ window.data + group->rm_so, (size_t)(group->rm_eo - group->rm_so) };
        while (text.size_bytes > 0 && isspace((unsigned char)text.data[text.size_bytes - 1]))
                text.size_bytes--;
        while (text.size_bytes > 0 && isspace((unsigned char)text.data[0]))
                text = (struct slice){ text.data + 1, text.size_bytes - 1 };
        return text;
}

/* A copy that is terminated, as regexec(3) wants it; REG_STARTEND is neither in POSIX nor known to
 * AddressSanitizer. */
static void copy_window(struct slice window, char ret_copy[static WINDOW_BYTES + 1]) {
        for (size_t i = 0; i < window.size_bytes; i++)
                ret_copy[i] = window.data[i] ? window.data[i] : ' ';
        ret_copy[window.size_bytes] = '\0';
}

/* The first match from a byte on, whatever its value. */
static bool find(const struct filter *filter, struct slice text, size_t from, struct match *ret_match) {
        char copy[WINDOW_BYTES + 1];
        regmatch_t groups[GROUPS_MAX];
        size_t rest = text.size_bytes - from;
        struct slice window = { text.data + from, rest < WINDOW_BYTES ? rest : WINDOW_BYTES };
        int flags = (from > 0 ? REG_NOTBOL : 0) | (rest > WINDOW_BYTES ? REG_NOTEOL : 0);

        copy_window(window, copy);
        if (regexec(&filter->regex, copy, filter->value + 1, groups, flags) != 0)
                return false;
        *ret_match = (struct match){
                .start = from + (size_t)groups[0].rm_so,
                .end = from + (size_t)groups[0].rm_eo,
                .name = group_of(window, &groups[filter->name]),
                .value = group_of(window, &groups[filter->value]),
        };
        return true;
}

static bool is_metric(const struct match *match) {
        double value;

        return match->name.size_bytes > 0 && match->value.size_bytes > 0 && number_parse(match->value, &value);
}

/* The first match that is a metric and starts before that byte. */
static bool find_metric(const struct filter *filter, struct slice text, size_t from, size_t before,
                        struct match *ret_match) {
        while (from < text.size_bytes && from < before) {
                if (!find(filter, text, from, ret_match)) {
                        from += WINDOW_BYTES;
                        continue;
                }
                if (is_metric(ret_match))
                        return ret_match->start < before;
                from = ret_match->end + (ret_match->end == ret_match->start);
        }
        return false;
}

bool filters_match_from(const struct filters *filters, struct slice text, size_t from, struct slice *ret_name,
                        struct slice *ret_value, size_t *ret_end) {
        struct match first = { .start = SIZE_MAX }, match;

        if (text.size_bytes > TEXT_BYTES_MAX)
                text.size_bytes = TEXT_BYTES_MAX;
        for (size_t i = 0; i < filters->n; i++)
                if (find_metric(&filters->filters[i], text, from, first.start, &match))
                        first = match;
        if (first.start == SIZE_MAX)
                return false;
        *ret_name = first.name;
        *ret_value = first.value;
        *ret_end = first.end;
        return true;
}

bool filters_match(const struct filters *filters, struct slice text, struct slice *ret_name,
                   struct slice *ret_value, size_t *ret_end) {
        return filters_match_from(filters, text, 0, ret_name, ret_value, ret_end);
}
