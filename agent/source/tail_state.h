/* What a tail is made of, for the files that make it up and nobody else:
 *   places.c      where files are found
 *   succession.c  what becomes of a file whose path leads to another, or that was written anew
 *   tail.c        events, turns, and the tail as a whole */
#pragma once

#include "source/followed.h"
#include "source/tail.h"
#include "source/watches.h"

enum { SAID_ONCE_MAX = 64 };

/* Files that were met, before they are looked at in the order in which they were written. */
struct children {
        struct child {
                char *path; /* owned */
                struct file_status status;
        } *list;
        size_t n, capacity;
};

struct tail {
        struct loop *loop;
        struct tail_config config;
        char **roots;              /* of each place that is searched: where its directory really is; or NULL */

        struct watches *watches;
        struct files files;
        struct children met;       /* by events that were read together */
        bool waits_for_parent;     /* a place's directory is not there: its nearest ancestor is watched */
        bool has_wild_directories; /* a glob's directories may come to be more */
        bool has_links;            /* a place's path goes through a symbolic link, which may be swapped */
        bool more;                 /* a file has more to read than one look takes */
        bool rescan;               /* look at everything, not at what events named */
        bool is_finishing;         /* documents do not rest */

        struct loop_timer *timer;  /* the next look */
        int64_t due_ms;            /* when documents that rest may be read again; INT64_MAX: none rest */
        uint64_t gone;             /* files that were deleted or moved out of sight, ever */
        size_t n_gone;             /* of these, still known */
        size_t gone_files, gone_recognised; /* of these, not known any more */
        char *denied_directory;    /* the last that could not be read, or NULL */
        int denied_error;
        uint64_t said_once[SAID_ONCE_MAX]; /* hashes of paths that the log has a word on */
        size_t n_said_once;
};

/* --- places.c --- */

/* The place that this path belongs to; the first that fits, so what is named comes first. */
const struct tail_place *place_of(const struct tail *tail, const char *path);
/* Is it one file, not a directory or a glob? */
bool place_is_file(const struct tail_place *place);
/* The directory that nothing under the place may lead out of; NULL: none. */
const char *place_root(const struct tail *tail, const struct tail_place *place);
void places_look(struct tail *tail);
/* At what an event named; at files only with places_look_at_met(), when all events were read. */
void places_look_at(struct tail *tail, const char *path);
void places_look_at_met(struct tail *tail);

/* --- succession.c --- */

/* Looks at a path, of which status is known (NULL: nothing is there). */
void look_at_file(struct tail *tail, const char *path, const struct file_status *status);
/* Looks at one that is followed. */
void look_at_followed(struct tail *tail, struct followed *followed, const struct file_status *status);
/* In the order in which a file of that name is rotated: the oldest first. For two that were written at
 * the same time. */
int compare_generations(const char *a, const char *b);

/* --- tail.c --- */

/* Has the log no word yet on this path? It has from now on. */
bool tail_says_first(struct tail *tail, const char *path);
