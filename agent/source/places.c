#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "source/tail_state.h"

enum { DEPTH_MAX = 16 }; /* of directories under a place */

/* --- what a path belongs to --- */

static bool is_glob(const char *path) {
        return strpbrk(path, "*?[") != NULL;
}

static bool is_under(const char *path, const char *directory) {
        size_t n = strlen(directory);

        while (n > 1 && directory[n - 1] == '/')
                n--;
        return strncmp(path, directory, n) == 0 && (path[n] == '/' || n == 1);
}

static bool is_in(const struct tail_place *place, const char *path) {
        return strcmp(path, place->path) == 0 || is_under(path, place->path) ||
               (is_glob(place->path) && fnmatch(place->path, path, FNM_PATHNAME) == 0);
}

const struct tail_place *place_of(const struct tail *tail, const char *path) {
        for (size_t i = 0; i < tail->config.n_places; i++)
                if (is_in(&tail->config.places[i], path))
                        return &tail->config.places[i];
        return NULL;
}

static size_t place_index(const struct tail *tail, const struct tail_place *place) {
        return (size_t)(place - tail->config.places);
}

bool place_is_file(const struct tail_place *place) {
        struct file_status status;

        return !is_glob(place->path) && (file_status_at(place->path, true, &status) < 0 || !S_ISDIR(status.mode));
}

const char *place_root(const struct tail *tail, const struct tail_place *place) {
        return tail->roots[place_index(tail, place)];
}

static void set_root(struct tail *tail, const struct tail_place *place, const char *directory) {
        char **root = &tail->roots[place_index(tail, place)];

        if (tail->config.follow_symlinks)
                return;
        free(*root);
        *root = realpath(directory, NULL);
}

static bool is_own(const struct tail *tail, const struct file_status *status) {
        for (size_t i = 0; i < tail->config.n_own; i++) {
                struct file_status own;

                if (file_status_at(tail->config.own[i], true, &own) == 0 && file_id_is(own.id, status->id) &&
                    own.id.device == status->id.device)
                        return true;
        }
        return false;
}

/* --- what is no file --- */

static const char *kind_of(mode_t mode) {
        return S_ISFIFO(mode) ? "a FIFO" : S_ISSOCK(mode) ? "a socket" : S_ISLNK(mode) ? "a symbolic link" : "a device";
}

static void pass_over(struct tail *tail, const char *path, mode_t mode, const char *why) {
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

        /* Our own are no news. */
        if (S_ISSOCK(mode) && (strcmp(name, "agent.sock") == 0 || strcmp(name, "agent.dgram") == 0))
                return;
        if (tail_says_first(tail, path))
                log_info("%s: is %s%s: passed over", path, kind_of(mode), why);
}

/* Written under such a name, a file is not ready; it is when it gets another one. */
static bool is_unfinished(const char *path) {
        static const char *const endings[] = { ".tmp", ".temp", ".part", ".partial", ".swp" };
        size_t n = strlen(path);

        for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
                size_t size = strlen(endings[i]);

                if (n > size && strcasecmp(path + n - size, endings[i]) == 0)
                        return true;
        }
        return false;
}

/* Remembers the directory that cannot be read; says so once. */
static void directory_is_denied(struct tail *tail, const char *path, int error) {
        if (tail_says_first(tail, path))
                log_warning("%s: cannot be read: %s", path, strerror(error));
        free(tail->denied_directory);
        tail->denied_directory = strdup(path);
        tail->denied_error = error;
}

static void directory_is_read(struct tail *tail, const char *path) {
        if (!tail->denied_directory || strcmp(tail->denied_directory, path) != 0)
                return;
        free(tail->denied_directory);
        tail->denied_directory = NULL;
}

/* --- a directory --- */

/* A directory on the way from the place to where we are: links may lead back to one. */
struct ancestor {
        struct file_id id;
        unsigned depth;
        const struct ancestor *parent;
};

static int compare_children(const void *a, const void *b) {
        const struct child *left = a, *right = b;

        if (left->status.written_ns != right->status.written_ns)
                return left->status.written_ns < right->status.written_ns ? -1 : 1;
        return compare_generations(left->path, right->path);
}

static void children_add(struct children *children, const char *path, const struct file_status *status) {
        size_t capacity = children->capacity ? children->capacity * 2 : 32;
        struct child *list = children->list;

        if (children->n == children->capacity) {
                list = reallocarray(list, capacity, sizeof(*list));
                if (!list)
                        return;
                children->list = list;
                children->capacity = capacity;
        }
        list[children->n] = (struct child){ strdup(path), *status };
        children->n += list[children->n].path != NULL;
}

/* By the time its turn has come, its path may lead elsewhere. */
static void look_at_child(struct tail *tail, struct child *child) {
        struct file_status status;
        int r = file_status_at(child->path, false, &status);

        if (r == 0 && S_ISREG(status.mode))
                child->status = status;
        look_at_file(tail, child->path, r < 0 ? NULL : &child->status);
}

/* What was written first is read first, so that the newest of several generations has the last word. */
static void children_look(struct tail *tail, struct children *children) {
        if (children->n > 1)
                qsort(children->list, children->n, sizeof(*children->list), compare_children);
        for (size_t i = 0; i < children->n; i++) {
                look_at_child(tail, &children->list[i]);
                free(children->list[i].path);
        }
        free(children->list);
        *children = (struct children){ 0 };
}

static void look_at_directory(struct tail *tail, const char *path, const struct file_status *status,
                              const struct ancestor *parent);

/* In a directory that is searched, what a link leads to inside of it is found there. What it leads to
 * outside is not the trainer's to show: it might be the agent's token. True when it is to be followed;
 * status is then that of its target. */
static bool is_link_to_follow(struct tail *tail, const char *path, struct file_status *status) {
        const struct tail_place *place = place_of(tail, path);
        const char *root = place ? place_root(tail, place) : NULL;
        CLEANUP(cleanup_free) char *target = realpath(path, NULL);

        if (!target || (root && is_under(target, root)))
                return false;
        if (!tail->config.follow_symlinks) {
                pass_over(tail, path, S_IFLNK, " that leads out of the directory (--follow-symlinks)");
                return false;
        }
        return file_status_at(path, true, status) == 0;
}

static bool is_ancestor(const struct ancestor *ancestor, struct file_id id) {
        while (ancestor && (!file_id_is(ancestor->id, id) || ancestor->id.device != id.device))
                ancestor = ancestor->parent;
        return ancestor != NULL;
}

/* One entry of a directory. Files are collected in children; NULL: looked at now. */
static void look_at_entry(struct tail *tail, const char *path, struct children *children, const struct ancestor *parent) {
        struct file_status status;
        int r = file_status_at(path, false, &status);

        if (r == 0 && S_ISLNK(status.mode) && !is_link_to_follow(tail, path, &status))
                return;
        if (r < 0)
                look_at_file(tail, path, NULL);
        else if (S_ISDIR(status.mode))
                look_at_directory(tail, path, &status, parent);
        else if (!S_ISREG(status.mode))
                pass_over(tail, path, status.mode, "");
        else if (is_unfinished(path) || (tail->config.own_file && strcmp(path, tail->config.own_file) == 0))
                return;
        else if (children)
                children_add(children, path, &status);
        else
                look_at_file(tail, path, &status);
}

/* The watch comes before the look, so that nothing falls between them. */
static void look_at_directory(struct tail *tail, const char *path, const struct file_status *status,
                              const struct ancestor *parent) {
        struct ancestor here = { status->id, parent ? parent->depth + 1 : 0, parent };
        struct children children = { 0 };
        const struct dirent *entry;
        DIR *directory;

        if (here.depth > DEPTH_MAX || is_ancestor(parent, status->id) || is_own(tail, status) ||
            !watches_directory(tail->watches, path))
                return;
        directory = opendir(path);
        if (!directory) {
                directory_is_denied(tail, path, errno);
                return;
        }
        directory_is_read(tail, path);
        while ((entry = readdir(directory))) {
                char child[PATH_MAX];

                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
                    (size_t)snprintf(child, sizeof(child), "%s/%s", path, entry->d_name) < sizeof(child))
                        look_at_entry(tail, child, &children, &here);
        }
        closedir(directory);
        children_look(tail, &children);
}

/* --- places --- */

/* Watches a directory for what comes into it, or its nearest ancestor that is there. */
static void watch_nearest(struct tail *tail, const char *path) {
        char directory[PATH_MAX];

        (void)snprintf(directory, sizeof(directory), "%s", path);
        while (!watches_names(tail->watches, directory)) {
                char *parent = dirname(directory);

                tail->waits_for_parent = true;
                if (strcmp(parent, ".") == 0 || strcmp(parent, "/") == 0) {
                        (void)watches_names(tail->watches, parent);
                        return;
                }
                memmove(directory, parent, strlen(parent) + 1);
        }
}

/* When a directory above it is renamed, the path leads nowhere, or elsewhere: no directory in it tells of that. */
static void watch_ancestors(struct tail *tail, const char *path) {
        char directory[PATH_MAX];
        const char *parent;

        (void)snprintf(directory, sizeof(directory), "%s", path);
        for (;;) {
                parent = dirname(directory);
                if (strcmp(parent, ".") == 0 || strcmp(parent, "/") == 0)
                        return;
                watches_move(tail->watches, parent);
                memmove(directory, parent, strlen(parent) + 1);
        }
}

static void watch_parent(struct tail *tail, const char *path) {
        char copy[PATH_MAX];

        (void)snprintf(copy, sizeof(copy), "%s", path);
        watch_nearest(tail, dirname(copy));
}

static void watch_files_beside(struct tail *tail, const char *path) {
        char copy[PATH_MAX];

        (void)snprintf(copy, sizeof(copy), "%s", path);
        (void)watches_directory(tail->watches, dirname(copy));
}

/* A link on the way may come to lead elsewhere: that is seen in the directory that it lies in. */
static void watch_links(struct tail *tail, const char *path) {
        char prefix[PATH_MAX], target[PATH_MAX];
        struct file_status status;
        size_t n = 0;

        do {
                n += strspn(path + n, "/");
                n += strcspn(path + n, "/");
                if (n == 0 || n >= sizeof(prefix))
                        return;
                (void)snprintf(prefix, sizeof(prefix), "%.*s", (int)n, path);
                if (file_status_at(prefix, false, &status) == 0 && S_ISLNK(status.mode)) {
                        tail->has_links = true;
                        watch_parent(tail, prefix);
                        if (realpath(prefix, target))
                                watch_parent(tail, target);
                }
        } while (path[n]);
}

/* The part of a glob before its first wildcard, as a directory. */
static void glob_directory(const char *pattern, char ret_directory[static PATH_MAX]) {
        char *slash;

        (void)snprintf(ret_directory, PATH_MAX, "%.*s", (int)strcspn(pattern, "*?["), pattern);
        slash = strrchr(ret_directory, '/');
        if (!slash)
                (void)snprintf(ret_directory, PATH_MAX, ".");
        else
                slash[slash == ret_directory] = '\0';
}

/* Of runs/?/metrics.jsonl, runs and each directory in it: in the first another one may be made, and in the
 * others a file that fits. */
static void watch_wild_directories(struct tail *tail, const char *pattern) {
        size_t n = strcspn(pattern, "*?[");

        for (n += strcspn(pattern + n, "/"); pattern[n]; n += 1 + strcspn(pattern + n + 1, "/")) {
                char directories[PATH_MAX];
                glob_t found;

                tail->has_wild_directories = true;
                if ((size_t)snprintf(directories, sizeof(directories), "%.*s", (int)n, pattern) >= sizeof(directories) ||
                    glob(directories, GLOB_NOSORT | GLOB_ONLYDIR, NULL, &found) != 0)
                        continue;
                for (size_t i = 0; i < found.gl_pathc; i++)
                        (void)watches_names(tail->watches, found.gl_pathv[i]);
                globfree(&found);
        }
}

static void look_at_glob(struct tail *tail, const struct tail_place *place) {
        char base[PATH_MAX];
        struct children children = { 0 };
        glob_t found;

        glob_directory(place->path, base);
        watch_nearest(tail, base);
        watch_ancestors(tail, base);
        watch_wild_directories(tail, place->path);
        set_root(tail, place, base);
        if (glob(place->path, GLOB_NOSORT, NULL, &found) != 0)
                return;
        for (size_t i = 0; i < found.gl_pathc; i++) {
                watch_files_beside(tail, found.gl_pathv[i]);
                look_at_entry(tail, found.gl_pathv[i], &children, NULL);
        }
        globfree(&found);
        children_look(tail, &children);
}

/* A path that is named may be a link to anywhere. */
static void look_at_place(struct tail *tail, const struct tail_place *place) {
        struct file_status status;
        int r;

        if (is_glob(place->path)) {
                look_at_glob(tail, place);
                return;
        }
        watch_parent(tail, place->path);
        watch_ancestors(tail, place->path);
        watch_links(tail, place->path);
        r = file_status_at(place->path, true, &status);
        if (r < 0) {
                look_at_file(tail, place->path, NULL);
        } else if (S_ISDIR(status.mode)) {
                set_root(tail, place, place->path);
                look_at_directory(tail, place->path, &status, NULL);
        } else if (S_ISREG(status.mode)) {
                watch_files_beside(tail, place->path);
                look_at_file(tail, place->path, &status);
        } else {
                pass_over(tail, place->path, status.mode, "");
        }
}

void places_look(struct tail *tail) {
        tail->waits_for_parent = tail->has_links = tail->has_wild_directories = false;
        for (size_t i = 0; i < tail->config.n_places; i++)
                look_at_place(tail, &tail->config.places[i]);
}

/* Its directory may have been watched for names alone so far, and the file be written to later. */
static void look_at_match(struct tail *tail, const char *path) {
        watch_files_beside(tail, path);
        look_at_entry(tail, path, NULL, NULL);
}

void places_look_at(struct tail *tail, const char *path) {
        const struct tail_place *place = place_of(tail, path);

        if (place && strcmp(place->path, path) == 0)
                look_at_place(tail, place);
        else if (place && is_glob(place->path))
                look_at_match(tail, path);
        else if (place)
                look_at_entry(tail, path, &tail->met, NULL);
}

void places_look_at_met(struct tail *tail) {
        children_look(tail, &tail->met);
}
