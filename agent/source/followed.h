/* The table of followed files, by path and by inode. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "source/file.h"

struct tail_place;

/* One followed file, and what the tail knows of it. */
struct followed {
        struct file *file; /* owned */
        const struct tail_place *place;
        struct file_id id; /* by which it is found */
        bool is_indexed;   /* it is found by id */
        bool is_stray;     /* its path leads to another file, or is none of ours: it is not found by path */
        bool is_copy;      /* so far it holds only a part of what another one holds: it is not read */
        uint64_t gone;     /* nothing is at its path: the how-manieth of these it is; 0: it is there */
        unsigned missed;       /* looks in which it was not found after a restart of ours */
        bool was_looked_at;    /* its age was compared with that of others */
        bool was_drained;      /* it was read to its end after nothing led to it any more */
        bool was_truncated;    /* and what it says since is not known yet */
        uint32_t first_before; /* what it said first before that */
        bool is_removed;   /* its memory goes with the next files_sweep() */
        int watch;         /* of a stray's own; -1: none */
        struct followed *next_removed;
};

/* Zeroed: empty. */
struct files {
        void *by_path, *by_id; /* tsearch(3) trees */
        struct followed **strays;
        size_t n_strays;
        size_t n;
        bool has_hidden; /* one may not be in by_id, since another one of its id was */
        struct followed *removed;
};

void files_release(struct files *files);

/* Takes the file, also when it fails: NULL, no memory. */
struct followed *files_take(struct files *files, struct file *file, const struct tail_place *place, bool is_stray);
/* It is not found any more, and is freed with the next files_sweep(): lists of before may hold it. */
void files_remove(struct files *files, struct followed *followed);
void files_sweep(struct files *files);

struct followed *files_find_path(const struct files *files, const char *path);
struct followed *files_find_id(struct files *files, struct file_id id);

/* Is found by the id that its file has now. */
void files_index(struct files *files, struct followed *followed);
/* Is found by no id: its content is another's to go on with. */
void files_unindex(struct files *files, struct followed *followed);
/* Is found by this path from now on, and no stray. False: no memory; then it is a stray. */
bool files_move(struct files *files, struct followed *followed, const char *path);
/* Another file has its path. False: no memory. */
bool files_make_stray(struct files *files, struct followed *followed);
/* Another file object in its place, of the same path; takes it. */
void files_replace(struct files *files, struct followed *followed, struct file *take_file);

/* All that are followed now, strays first, for free(3); NULL: no memory. */
struct followed **files_list(const struct files *files, size_t *ret_n);
