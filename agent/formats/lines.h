/* What formats of lines share. */
#pragma once

#include <sys/types.h>

#include "formats/format.h"

/* A longer line is one reject. What is unfinished is kept in memory, and all memory is to be under 1 MiB. */
enum { LINE_BYTES_MAX = 128 * 1024 };

/* The reject of a line over the limit says this. */
#define LINE_EXPECTED_SHORTER "a line of at most 128 KiB; it is passed over"

/* Hands each complete line of bytes, without its newline, to take_line, and with final set the
 * unfinished last one too; context->line is counted up before each. The result is that of
 * format.consume. take_line: 0 or -ENOMEM. */
ssize_t lines_consume(struct parser *parser, struct slice bytes, bool final, struct parse_context *context,
                      int (*take_line)(struct parser *parser, struct slice line, struct parse_context *context));

/* Without blanks and carriage returns around it, and without the byte order mark of a first line. */
struct slice line_trim(struct slice line, bool is_first);

/* Hands a reject to the context's sink, with the line's number; column from 1, 0: the whole line. */
void line_reject(struct parse_context *context, struct slice line, size_t column, const char *expected);

/* The same for a line that is passed over in peace, where the sink asks for those. */
void line_passed(struct parse_context *context, struct slice line, size_t column, const char *expected);

/* The head of a file without byte order mark, and without the blank and comment lines that it begins
 * with. Empty while there is nothing but those. */
struct slice lines_skip_preamble(struct slice head);

/* Cuts the first line off, without its line end; *ret_complete says whether that was there. */
struct slice lines_take_first(struct slice *head, bool *ret_complete);
