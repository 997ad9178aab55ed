/* One followed file: which one it is, how far it was read, and what it said. Reads only: a trainer's
 * file is never locked, written or renamed.
 *
 * A path is where a file was found; the file is what was opened there. When the path comes to lead to
 * another one, or the content is another, this says so, and its owner (tail.c) decides what becomes of
 * the old one. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "formats/format.h"
#include "formats/stream.h"
#include "result/record.h"
#include "source/print.h"
#include "source/said.h"

struct file;

enum {
        FILE_MORE = 1,    /* there is more to read: look again */
        FILE_LATER = 2,   /* a document changed that took long to read: look again at file_due_ms() */
        FILE_OTHER = 3,   /* the path leads to another file than before, or to other content */
        FILE_CHANGED = 4, /* the open file holds other content than what was read */
};

/* Tells files apart for good: the number of an inode is given again soon after a file is deleted
 * (ext4), but then its birth time is another. */
struct file_id {
        dev_t device;
        ino_t inode;
        int64_t born_ns; /* since 1970; 0: the file system knows none */
};

/* Of one inode, once for each name; devices are numbered anew by each mount, so they do not count. */
bool file_id_is(struct file_id a, struct file_id b);

/* What a path leads to, or an open file is. */
struct file_status {
        mode_t mode;
        nlink_t links;
        struct file_id id;
        int64_t size_bytes, written_ns, changed_ns; /* times since 1970 */
};

/* Of path; with follow, of what a symbolic link leads to. 0 or negative errno. */
int file_status_at(const char *path, bool follow, struct file_status *ret_status);

/* What of a file outlives the agent, or goes over to another name of it. Borrowed. */
struct file_kept {
        const char *path, *source;
        struct file_id id;
        int64_t size_bytes, written_ns;
        struct print print;
        uint64_t records, chain, rejects;
        const uint32_t *said;
        size_t n_said;
};

struct file_config {
        const char *path;              /* copied */
        const char *source;            /* names it in records; copied; NULL: path */
        const struct format *format;   /* NULL: found by content */
        bool is_named;                 /* the user pointed at it */
        const struct filters *filters; /* borrowed; NULL: none */
        const struct record_sink *sink;/* borrowed */
        const struct file_kept *kept;  /* go on from there; NULL: from the start */
        /* A file that said the same first: one that is written beside the other, and then moved over it, says
         * again what that one said. NULL: none. */
        const struct file *(*find_kin)(void *userdata, const struct file *file, uint32_t first);
        void *userdata;
};

/* 0 or -ENOMEM. */
int file_new(struct file **ret_file, const struct file_config *config);
struct file *file_free(struct file *file); /* NULL allowed; returns NULL */
void file_freep(struct file **file);

/* Opens what the path leads to. 0; FILE_OTHER: it is not what was followed here, and is not opened;
 * -EXDEV: it lies outside of the root; -EINVAL: it is no regular file; other negative errno. */
int file_open(struct file *file);

/* Reads on in the open file, for at most a bounded number of bytes. A document that changed starts over
 * by itself, when it has rested (now_ms INT64_MAX: at once). 0: at its end; FILE_MORE, FILE_LATER,
 * FILE_CHANGED; negative errno. */
int file_read(struct file *file, int64_t now_ms);

/* What it holds now is older than what was read of others: it counts, but is not the latest. */
void file_is_behind(struct file *file);

/* Reads from the start: of the open file, or of whatever the path leads to then. What comes again is
 * marked so (struct record). */
void file_start_over(struct file *file);

/* The other one was its next version: what that one said is what this one said. */
void file_inherit(struct file *file, const struct file *next);

/* After the end was read: takes an unfinished last line as complete, and closes. No more will come. */
void file_finish(struct file *file);

/* What is not read of it yet will not come any more. */
void file_forgo(struct file *file);

/* Closes without end, to be opened again: for want of descriptors. */
void file_park(struct file *file);

struct file_kept file_keep(const struct file *file);

/* --- what there is to know of it --- */

const char *file_path(const struct file *file);
int file_set_path(struct file *file, const char *path); /* after a rename; 0 or -ENOMEM */
/* What lies outside of this directory is not opened; NULL: anything is, as it is when nothing was set. 0 or
 * -ENOMEM. */
int file_set_root(struct file *file, const char *root);
struct file_id file_id(const struct file *file);
bool file_has_id(const struct file *file);    /* else it is whatever its path leads to next */
int file_fd(const struct file *file);         /* borrowed; -1: not open */
bool file_is_open(const struct file *file);
bool file_is_linked(const struct file *file); /* open, and some name leads to it */
bool file_is_new(const struct file *file);    /* nothing was read of what is followed now */
/* Is that what we saw when we last looked, and was it read? */
bool file_is_as(const struct file *file, const struct file_status *status);
bool file_has_content(const struct file *file);    /* a byte was read, ever */
bool file_is_recognised(const struct file *file);  /* a record was found in it, ever */
/* The hash of the first record that was found in it (see said.h); false: none was. */
bool file_first_said(const struct file *file, uint32_t *ret_hash);
bool file_is_refused(const struct file *file);     /* of no known format */
uint64_t file_unread_bytes(const struct file *file); /* of those that were seen to be there */
const struct print *file_print(const struct file *file);
int64_t file_written_ns(const struct file *file);  /* as far as we know: since 1970 */
/* After FILE_LATER: when to look again; else INT64_MAX. */
int64_t file_due_ms(const struct file *file);
/* What went wrong when we last looked, a negative errno; 0: nothing. */
int file_error(const struct file *file);
void file_set_error(struct file *file, int error);
