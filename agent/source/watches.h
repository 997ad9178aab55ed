/* What the kernel tells of directories and files, with inotify(7), and whether that can be relied on.
 * Where it cannot, everything has to be looked at once a second. */
#pragma once

#include <stdbool.h>

#include "loop/loop.h"

struct watches;

struct watch_event {
        const char *path;    /* what changed; NULL: the file that was watched itself, or not known */
        int watch;           /* of watches_file(), when path is NULL */
        bool is_new;         /* it was created there, or moved to it */
        bool is_directory;
        bool is_lost;        /* events were lost, or a directory went: look at everything */
};

struct watches_config {
        void (*take_event)(void *userdata, const struct watch_event *event);
        void (*ready)(void *userdata); /* there are events: watches_read() takes them */
        void *userdata;
};

/* 0 or negative errno; where there is no inotify to be had, it polls. */
int watches_new(struct watches **ret_watches, struct loop *loop, const struct watches_config *config);
struct watches *watches_free(struct watches *watches); /* NULL allowed; returns NULL */

/* Watches a directory; false when there is none. */
bool watches_directory(struct watches *watches, const char *path);
/* The same, but only for what comes into it: what is written to others there does not wake us. */
bool watches_names(struct watches *watches, const char *path);
/* The same, but only for whether it is renamed: then is_lost. */
void watches_move(struct watches *watches, const char *path);
/* Watches an open file, whatever its names are. Its number, or -1. */
int watches_file(struct watches *watches, int fd);
void watches_remove(struct watches *watches, int watch);

/* Hands on what has come; a bounded number at a time. */
void watches_read(struct watches *watches);
/* Whether ready() is called. */
void watches_pause(struct watches *watches, bool is_paused);

/* Has everything to be looked at, once a second? */
bool watches_are_blind(const struct watches *watches);
/* Are there events that were not read yet? */
bool watches_have_events(const struct watches *watches);
