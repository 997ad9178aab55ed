/* The format text as it would be if no line were passed over unread. */
#include "formats/sieve.h"

#define sieve_keeps keep_all
#define sieve_skip skip_nothing
#define format_text format_text_unsieved

static bool keep_all(struct slice line) {
        return line.size_bytes > 0;
}

static size_t skip_nothing(struct slice text, uint64_t *ret_lines) {
        (void)text;
        *ret_lines = 0;
        return 0;
}

#include "formats/text.c"
