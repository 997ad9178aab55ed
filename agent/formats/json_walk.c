#include "formats/json_walk.h"

#include "base/number.h"

/* --- checking --- */

struct check {
        const char *at, *end;
        const char *expected;
        bool cut;
};

static bool fail(struct check *check, const char *expected) {
        check->expected = expected;
        check->cut = check->at == check->end;
        return false;
}

static bool take_char(struct check *check, char c, const char *expected) {
        check->at = json_skip_blanks(check->at, check->end);
        if (check->at == check->end || *check->at != c)
                return fail(check, expected);
        check->at++;
        return true;
}

static bool check_value(struct check *check, int depth);

static bool check_key(struct check *check) {
        struct slice key;
        const char *wrong;
        bool has_escapes;

        check->at = json_skip_blanks(check->at, check->end);
        if (check->at == check->end || *check->at != '"')
                return fail(check, "a key in quotes");
        wrong = json_scan_text(&check->at, check->end, &key, &has_escapes);
        return wrong ? fail(check, wrong) : take_char(check, ':', "a colon after the key");
}

static bool check_inside(struct check *check, bool is_object, int depth) {
        char close = is_object ? '}' : ']';

        if (depth == JSON_DEPTH_MAX)
                return fail(check, "at most 64 levels of brackets");
        check->at = json_skip_blanks(check->at + 1, check->end);
        if (check->at < check->end && *check->at == close) {
                check->at++;
                return true;
        }
        for (;;) {
                if ((is_object && !check_key(check)) || !check_value(check, depth + 1))
                        return false;
                check->at = json_skip_blanks(check->at, check->end);
                if (check->at == check->end || *check->at != ',')
                        return take_char(check, close, is_object ? "a comma or }" : "a comma or ]");
                check->at++;
        }
}

static bool check_value(struct check *check, int depth) {
        struct json_scalar scalar;
        const char *wrong;

        check->at = json_skip_blanks(check->at, check->end);
        if (check->at < check->end && (*check->at == '{' || *check->at == '['))
                return check_inside(check, *check->at == '{', depth);
        wrong = json_scan_scalar(&check->at, check->end, &scalar);
        if (!wrong)
                return true;
        /* A word or number that the end cuts: "tru", "-". */
        if (check->end - check->at < 9 && !memchr(check->at, '\n', (size_t)(check->end - check->at)))
                check->at = check->end;
        return fail(check, wrong);
}

const char *json_check(const char **at, const char *end, bool *ret_cut) {
        struct check check = { .at = *at, .end = end };
        bool ok = check_value(&check, 0);

        *at = check.at;
        *ret_cut = check.cut;
        return ok ? NULL : check.expected;
}

/* --- walking --- */

bool json_is_object(struct slice value) {
        return value.size_bytes > 0 && value.data[0] == '{';
}

bool json_is_list(struct slice value) {
        return value.size_bytes > 0 && value.data[0] == '[';
}

struct json_walk json_walk_into(struct slice value) {
        const char *end = value.data + value.size_bytes;
        bool has_inside = json_is_object(value) || json_is_list(value);

        return (struct json_walk){ has_inside ? value.data + 1 : end, end, json_is_object(value) };
}

static bool skip_value(const char **at, const char *end) {
        struct json_scalar scalar;

        if (*at < end && **at == '{')
                return json_skip_brackets(at, end) == NULL;
        return json_scan_scalar(at, end, &scalar) == NULL;
}

bool json_walk_next(struct json_walk *walk, struct slice *ret_key, struct slice *ret_value) {
        bool has_escapes;

        *ret_key = (struct slice){ 0 };
        walk->at = json_skip_blanks(walk->at, walk->end);
        if (walk->at < walk->end && *walk->at == ',')
                walk->at = json_skip_blanks(walk->at + 1, walk->end);
        if (walk->at == walk->end || *walk->at == '}' || *walk->at == ']')
                return false;
        if (walk->is_object) {
                if (*walk->at != '"' || json_scan_text(&walk->at, walk->end, ret_key, &has_escapes))
                        return false;
                walk->at = json_skip_blanks(walk->at, walk->end) + 1; /* the colon */
                walk->at = json_skip_blanks(walk->at, walk->end);
        }
        ret_value->data = walk->at;
        if (!skip_value(&walk->at, walk->end))
                return false;
        ret_value->size_bytes = (size_t)(walk->at - ret_value->data);
        return true;
}

bool json_text(struct slice value, struct slice *ret_text) {
        if (value.size_bytes < 2 || value.data[0] != '"')
                return false;
        *ret_text = (struct slice){ value.data + 1, value.size_bytes - 2 };
        return true;
}

bool json_number(struct slice value, double *ret_number) {
        struct slice text = value;

        (void)json_text(value, &text);
        return number_parse(text, ret_number);
}
