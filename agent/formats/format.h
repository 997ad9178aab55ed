/* A format turns the bytes of one file into records. Formats do no I/O and know nothing of files:
 * bytes in, records out. formats.c has the one table of them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/slice.h"
#include "result/record.h"

enum recognition {
        RECOGNITION_NO,    /* this is not mine */
        RECOGNITION_MORE,  /* cannot tell before more bytes have come */
        RECOGNITION_YES,
};

struct parser; /* of one file; each format has its own struct behind it */

/* Where in its source a parser is, and who takes what it finds. */
struct parse_context {
        struct slice source;             /* path, borrowed for the life of the parser */
        uint64_t line;                   /* number of the last line that was consumed; the parser counts it up */
        const struct record_sink *sink;
        bool explain;                    /* parse --why: also say why lines were passed over in peace */
};

struct format {
        const char *name;        /* as in --metrics PATH:FORMAT */
        const char *description; /* one line for --help */

        /* Is this the format of text that begins so? head begins at the start of a line; at_start:
         * of the file's first line that is neither blank nor a comment. final: no more will come. */
        enum recognition (*recognise)(struct slice head, bool at_start, bool final);

        /* 0 or -ENOMEM. *ret_parser is the caller's, to be freed with free(). */
        int (*open)(struct parser **ret_parser);

        /* Takes from the front of bytes what is complete and hands records and rejects to the
         * context's sink. Returns the bytes consumed; what was not is offered again with more behind
         * it. With final set, an unfinished last line counts as complete and everything is consumed.
         * Negative errno: memory is short; nothing was consumed, or what was consumed is lost and
         * counted by a reject. */
        ssize_t (*consume)(struct parser *parser, struct slice bytes, bool final,
                           struct parse_context *context);

        void (*free)(struct parser *parser);
};

/* The table, in the order of trial; ends with NULL. */
extern const struct format *const formats[];

/* The format of that name, or NULL. */
const struct format *format_find(struct slice name);
