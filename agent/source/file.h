/* One followed file: a path, the file that it led to when we last looked, and how far that was
 * read. Reads only: a trainer's file is never locked, written or renamed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "formats/format.h"
#include "formats/stream.h"
#include "result/record.h"

struct file;

enum {
        FILE_MORE = 1,  /* there is more to read: look again */
        FILE_LATER = 2, /* a document changed that took long to read: look again at file_due_ms() */
};

/* path is copied; format NULL: found by content; is_named: the user pointed at it. filters (NULL: none)
 * and sink are borrowed. 0 or -ENOMEM. */
int file_new(struct file **ret_file, const char *path, const struct format *format, bool is_named,
             const struct filters *filters, const struct record_sink *sink);
struct file *file_free(struct file *file); /* NULL allowed; returns NULL */

/* Looks at what the path leads to now and reads on, for at most a bounded number of bytes.
 * Another file than before: the old one is read to its end first. Shorter than what was read, or
 * begins differently, or a document that changed: read from its start. What it had said before then
 * comes again, marked so (see struct record). 0: read to the end; FILE_MORE; FILE_LATER; -ENOENT:
 * nothing is there (any more); other negative errno: it cannot be read (and may be later). */
int file_look(struct file *file, int64_t now_ms);

/* Reads to the end, and takes an unfinished last line as complete: no more will come. */
void file_finish(struct file *file);

/* After FILE_LATER: when to look again; else INT64_MAX. */
int64_t file_due_ms(const struct file *file);

const char *file_path(const struct file *file);
/* The path that leads to the same file now, after a rename. 0 or -ENOMEM. */
int file_set_path(struct file *file, const char *path);
/* Is this the file that was opened? */
bool file_is(const struct file *file, dev_t device, ino_t inode);
bool file_is_open(const struct file *file);
/* Has any byte been read? */
bool file_has_content(const struct file *file);
/* Was a record found in it? */
bool file_is_recognised(const struct file *file);
/* When it was written last, as far as we know: nanoseconds since 1970. */
int64_t file_written_ns(const struct file *file);
/* What went wrong when we last looked, a negative errno; 0: nothing. */
int file_error(const struct file *file);
