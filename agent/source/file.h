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

enum { FILE_MORE = 1 }; /* there is more to read: look again */

/* path is copied; format NULL: found by content; is_named: the user pointed at it. filters (NULL: none)
 * and sink are borrowed. 0 or -ENOMEM. */
int file_new(struct file **ret_file, const char *path, const struct format *format, bool is_named,
             const struct filters *filters, const struct record_sink *sink);
struct file *file_free(struct file *file); /* NULL allowed; returns NULL */

/* Looks at what the path leads to now and reads on, for at most a bounded number of bytes.
 * Another file than before: the old one is read to its end first. Shorter than what was read: read
 * from its start. 0: read to the end; FILE_MORE; -ENOENT: nothing is there (any more); other
 * negative errno: it cannot be read (and may be later). */
int file_look(struct file *file);

/* Reads to the end, and takes an unfinished last line as complete: no more will come. */
void file_finish(struct file *file);

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
