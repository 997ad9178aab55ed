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
struct filters;

/* Where in its source a parser is, and who takes what it finds. */
struct parse_context {
        struct slice source;             /* path, borrowed for the life of the parser */
        uint64_t line;                   /* number of the last line that was consumed; the parser counts it up */
        bool is_over;                    /* consume() says so: what it did not take is of another format, or a
                                          * document of its own; the stream recognises it anew */
        const struct record_sink *sink;
        const struct filters *filters;   /* --filter: how to read text instead; NULL: none */
};

struct format {
        const char *name;        /* as in --metrics PATH:FORMAT */
        const char *description; /* one line for --help */
        enum source_rank rank;   /* of its records */
        bool by_line;            /* consumes complete lines; what is left of the last one is offered again */
        bool is_whole;           /* a document: when its file changes, it is read from its start again */

        /* Is this the format of a file that begins so? head is from the first byte on, source its
         * path; final: no more will come, or enough has, so MORE counts as NO. */
        enum recognition (*recognise)(struct slice head, struct slice source, bool final);

        /* 0 or -ENOMEM. *ret_parser is the caller's, to be freed with free(). */
        int (*open)(struct parser **ret_parser);

        /* Takes from the front of bytes what is complete and hands records and rejects to the
         * context's sink. Returns the bytes consumed: all of them, or with by_line at least every
         * complete line; what was not is offered again with more behind it. With final set, an
         * unfinished last line counts as complete and everything is consumed; bytes may be empty
         * then. Negative errno: memory is short; nothing was consumed, or what was consumed is lost
         * and counted by a reject. */
        ssize_t (*consume)(struct parser *parser, struct slice bytes, bool final,
                           struct parse_context *context);

        void (*free)(struct parser *parser);
};

/* The table, in the order of trial; ends with NULL. */
extern const struct format *const formats[];

/* The format of that name, or NULL. */
const struct format *format_find(struct slice name);
