/* Follows metrics files: directories, globs and named files, those that are there and those that
 * come later, whatever becomes of them: renamed, copied and truncated, replaced, deleted. inotify says
 * when to look; where it cannot be relied on, everything is looked at once a second. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/format.h"
#include "loop/loop.h"
#include "result/record.h"
#include "source/file.h"

struct tail;

/* One place to look at. */
struct tail_place {
        const char *path;            /* a directory (everything under it), a glob, or a file */
        const struct format *format; /* NULL: found by content */
        bool is_named;               /* the user pointed at it, so it owns the metrics that it reports */
};

struct tail_config {
        const struct tail_place *places; /* borrowed for the life of the tail */
        size_t n_places;
        const char *const *own;          /* directories that are ours and never a source */
        size_t n_own;
        const char *own_file;            /* that we write ourselves; NULL: none */
        bool follow_symlinks;            /* also those in a searched directory that lead out of it */
        const struct filters *filters;   /* --filter; borrowed; NULL: none */
        const struct record_sink *sink;  /* borrowed */
        void (*looked)(void *userdata);  /* files were looked at, whether or not there was a record */
        /* A file was truncated or deleted before so many bytes of it were read, and no copy was found; 0: before
         * some were, perhaps. */
        void (*lost)(void *userdata, const char *path, uint64_t lost_bytes);
        /* Memory was short while a record was on its way, so that what was read of a file and what was handed
         * on are not the same any more: nothing of it may be kept, and a restart has to read it again. */
        void (*failed)(void *userdata, int error);
        void *userdata;
};

/* Starts following, and reads what is there in the turns to come. 0 or negative errno. */
int tail_new(struct tail **ret_tail, struct loop *loop, const struct tail_config *config);
struct tail *tail_free(struct tail *tail); /* NULL allowed; returns NULL */
void tail_freep(struct tail **tail);

/* Goes on with a file where it was left; before the first turn of the loop. 0 or -ENOMEM. */
int tail_go_on(struct tail *tail, const struct file_kept *kept, bool is_stray);
/* Calls back with each file that said something: what to go on with. The first result that is not 0 ends it
 * and is returned. */
typedef int (*tail_keep)(void *userdata, const struct file_kept *kept, bool is_stray);
int tail_each(const struct tail *tail, tail_keep keep, void *userdata);

/* Is there more to read than could be at once? It is read in the next turns of the loop. */
bool tail_is_behind(const struct tail *tail);

/* Reads all that is there now, and takes unfinished last lines as complete. For the end: what is
 * written afterwards is not followed. */
void tail_finish(struct tail *tail);

enum { TAIL_NEWEST_MAX = 3 };

/* What was met so far. Paths are borrowed until the next turn of the loop. */
struct tail_view {
        size_t files;      /* with content, that are or were followed */
        size_t recognised; /* of those, in which a record was found */
        size_t denied;     /* files and directories that are there and cannot be read */
        const char *denied_path;             /* one of these, or NULL */
        int denied_error;                    /* why, as errno has it */
        const char *newest[TAIL_NEWEST_MAX]; /* followed files with content, the newest first; or NULL */
};
struct tail_view tail_view(const struct tail *tail);

/* Splits "PATH[:FORMAT]". A colon that no format's name follows is part of the path. Returns the
 * path's length; *ret_format is NULL where none is named. */
size_t tail_split_place(const char *text, const struct format **ret_format);
