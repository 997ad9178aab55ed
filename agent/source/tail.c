#include "source/tail.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "source/file.h"

enum {
        POLL_MS = 1000,  /* between two looks at everything, where inotify does not serve */
        QUIET_MS = 100,  /* after a look: many small writes are one wake-up */
        DEPTH_MAX = 16,  /* of directories under a place */
        EVENTS_BYTES = 64 * 1024,
};

#define DIRECTORY_EVENTS                                                                           \
        (IN_CREATE | IN_MODIFY | IN_ATTRIB | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | \
         IN_MOVE_SELF | IN_ONLYDIR)

struct directory {
        int watch;
        char *path;
};

struct tail {
        struct loop *loop;
        struct tail_config config;

        int inotify; /* -1: none */
        struct loop_fd *events;
        struct directory *directories;
        size_t n_directories;

        void *files;           /* tsearch(3) tree of struct file by path */
        bool polling;          /* something could not be watched */
        bool waits_for_parent; /* a place's directory is not there: its nearest ancestor is watched */
        bool more;             /* a file has more to read than one look takes */
        bool rescan;           /* look at everything, not at what events named */

        struct loop_timer *timer;  /* the next look at everything */
        int64_t due_ms;            /* when documents that rest may be read again; INT64_MAX: none rest */
        size_t gone_files, gone_recognised;
        char *denied_directory;    /* the last that could not be read, or NULL */
        int denied_error;
};

/* --- files, by path --- */

static int compare_files(const void *a, const void *b) {
        return strcmp(file_path(a), file_path(b));
}

/* tfind(3) hands its key as the first argument, in glibc as in musl. */
static int compare_path(const void *path, const void *file) {
        return strcmp(path, file_path(file));
}

static struct file *files_find(struct tail *tail, const char *path) {
        void *node = tfind(path, &tail->files, compare_path);

        return node ? *(struct file **)node : NULL;
}

struct search {
        dev_t device;
        ino_t inode;
        struct file *found;
};

static void visit_inode(const void *node, VISIT order, void *userdata) {
        struct search *search = userdata;
        struct file *file = *(struct file *const *)node;

        if ((order == postorder || order == leaf) && file_is(file, search->device, search->inode))
                search->found = file;
}

static struct file *files_find_inode(struct tail *tail, dev_t device, ino_t inode) {
        struct search search = { .device = device, .inode = inode };

        twalk_r(tail->files, visit_inode, &search);
        return search.found;
}

static void files_remove(struct tail *tail, struct file *file) {
        tdelete(file, &tail->files, compare_files);
        tail->gone_files += file_has_content(file);
        tail->gone_recognised += file_is_recognised(file);
        file_free(file);
}

static bool leads_to(const char *path, dev_t device, ino_t inode) {
        struct stat status;

        return stat(path, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

/* A file that is followed under another name: it was renamed, and goes on under this one; or both
 * names are there, and once is enough. */
static bool is_followed_already(struct tail *tail, const char *path, const struct stat *status) {
        struct file *file = files_find_inode(tail, status->st_dev, status->st_ino);

        if (!file)
                return false;
        if (leads_to(file_path(file), status->st_dev, status->st_ino))
                return true;
        log_debug("%s is now %s", file_path(file), path);
        tdelete(file, &tail->files, compare_files);
        if (file_set_path(file, path) < 0 || !tsearch(file, &tail->files, compare_files)) {
                file_free(file);
                return false;
        }
        return true;
}

static struct file *files_add(struct tail *tail, const char *path, const struct tail_place *place) {
        struct file *file;

        if (file_new(&file, path, place->format, place->is_named, tail->config.filters, tail->config.sink) < 0)
                return NULL;
        if (!tsearch(file, &tail->files, compare_files))
                return file_free(file);
        return file;
}

/* --- places --- */

static bool is_glob(const char *path) {
        return strpbrk(path, "*?[") != NULL;
}

static bool is_under(const char *path, const char *directory) {
        size_t n = strlen(directory);

        while (n > 1 && directory[n - 1] == '/')
                n--;
        return strncmp(path, directory, n) == 0 && (path[n] == '/' || n == 1);
}

/* The place that this path belongs to; the first that fits, so what is named comes first. */
static const struct tail_place *place_of(const struct tail *tail, const char *path) {
        for (size_t i = 0; i < tail->config.n_places; i++) {
                const struct tail_place *place = &tail->config.places[i];

                if (strcmp(path, place->path) == 0 || is_under(path, place->path) ||
                    (is_glob(place->path) && fnmatch(place->path, path, FNM_PATHNAME) == 0))
                        return place;
        }
        return NULL;
}

static bool is_own(const struct tail *tail, const char *path) {
        struct stat status;

        if (stat(path, &status) < 0)
                return false;
        for (size_t i = 0; i < tail->config.n_own; i++)
                if (leads_to(tail->config.own[i], status.st_dev, status.st_ino))
                        return true;
        return false;
}

/* --- looking --- */

static void look_at_file(struct tail *tail, const char *path, const struct stat *status) {
        const struct tail_place *place = place_of(tail, path);
        struct file *file;
        int r;

        if (!place)
                return;
        file = files_find(tail, path);
        if (!file && (!status || is_followed_already(tail, path, status)))
                return;
        if (!file)
                file = files_add(tail, path, place);
        if (!file) {
                log_error("%s: not followed: no memory", path);
                return;
        }
        r = file_look(file, loop_now_ms(tail->loop));
        if (r == FILE_MORE)
                tail->more = true;
        else if (r == FILE_LATER)
                tail->due_ms = file_due_ms(file) < tail->due_ms ? file_due_ms(file) : tail->due_ms;
        else if (r == -ENOENT || r == -ENOTDIR)
                files_remove(tail, file);
        else if (r < 0)
                log_debug("%s: %s", path, strerror(-r));
}

static void look_at_directory(struct tail *tail, const char *path, int depth);

static void look_at(struct tail *tail, const char *path, int depth) {
        struct stat status;

        if (stat(path, &status) < 0)
                look_at_file(tail, path, NULL);
        else if (S_ISDIR(status.st_mode))
                look_at_directory(tail, path, depth);
        else if (S_ISREG(status.st_mode))
                look_at_file(tail, path, &status);
}

/* --- watching --- */

static void poll_from_now_on(struct tail *tail, const char *path, int error) {
        if (!tail->polling)
                log_warning("%s: cannot be watched with inotify (%s%s): looking once a second instead", path,
                            strerror(error),
                            error == ENOSPC ? ", see fs.inotify.max_user_watches" :
                            error == EMFILE ? ", see fs.inotify.max_user_instances" : "");
        tail->polling = true;
}

static int remember_directory(struct tail *tail, int watch, const char *path) {
        struct directory *directories;
        char *copy;

        for (size_t i = 0; i < tail->n_directories; i++)
                if (tail->directories[i].watch == watch)
                        return 0;
        directories = reallocarray(tail->directories, tail->n_directories + 1, sizeof(*directories));
        if (!directories)
                return -ENOMEM;
        tail->directories = directories;
        copy = strdup(path);
        if (!copy)
                return -ENOMEM;
        tail->directories[tail->n_directories++] = (struct directory){ .watch = watch, .path = copy };
        return 0;
}

static void forget_directory(struct tail *tail, int watch) {
        for (size_t i = 0; i < tail->n_directories; i++) {
                if (tail->directories[i].watch != watch)
                        continue;
                free(tail->directories[i].path);
                tail->directories[i] = tail->directories[--tail->n_directories];
                return;
        }
}

/* False when there is no such directory. */
static bool watch_directory(struct tail *tail, const char *path) {
        int watch;

        if (tail->inotify < 0)
                return true;
        watch = inotify_add_watch(tail->inotify, path, DIRECTORY_EVENTS);
        if (watch < 0 && (errno == ENOENT || errno == ENOTDIR))
                return false;
        if (watch < 0 || remember_directory(tail, watch, path) < 0)
                poll_from_now_on(tail, path, watch < 0 ? errno : ENOMEM);
        return true;
}

/* Watches the directory of a place, or its nearest ancestor that is there. */
static void watch_parent(struct tail *tail, const char *path) {
        char directory[PATH_MAX];

        (void)snprintf(directory, sizeof(directory), "%s", path);
        while (!watch_directory(tail, directory)) {
                char *parent = dirname(directory);

                tail->waits_for_parent = true;
                if (strcmp(parent, ".") == 0 || strcmp(parent, "/") == 0) {
                        (void)watch_directory(tail, parent);
                        return;
                }
                memmove(directory, parent, strlen(parent) + 1);
        }
}

/* Remembers the directory that cannot be read; says so once. */
static void directory_is_denied(struct tail *tail, const char *path, int error) {
        if (tail->denied_directory && strcmp(tail->denied_directory, path) == 0)
                return;
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

/* The watch comes before the look, so that nothing falls between them. */
static void look_at_directory(struct tail *tail, const char *path, int depth) {
        DIR *directory;
        const struct dirent *entry;

        if (depth > DEPTH_MAX || is_own(tail, path) || !watch_directory(tail, path))
                return;
        directory = opendir(path);
        if (!directory) {
                directory_is_denied(tail, path, errno);
                return;
        }
        directory_is_read(tail, path);
        while ((entry = readdir(directory))) {
                char child[PATH_MAX];

                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
                    (size_t)snprintf(child, sizeof(child), "%s/%s", path, entry->d_name) >= sizeof(child))
                        continue;
                look_at(tail, child, depth + 1);
        }
        closedir(directory);
}

static void look_at_glob(struct tail *tail, const char *pattern) {
        char base[PATH_MAX];
        glob_t found;

        (void)snprintf(base, sizeof(base), "%.*s", (int)strcspn(pattern, "*?["), pattern);
        watch_parent(tail, strrchr(base, '/') ? dirname(base) : ".");
        if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
                return;
        for (size_t i = 0; i < found.gl_pathc; i++) {
                char *parent = strdup(found.gl_pathv[i]);

                if (parent)
                        (void)watch_directory(tail, dirname(parent));
                free(parent);
                look_at(tail, found.gl_pathv[i], 0);
        }
        globfree(&found);
}

static void look_at_place(struct tail *tail, const struct tail_place *place) {
        char parent[PATH_MAX];

        if (is_glob(place->path)) {
                look_at_glob(tail, place->path);
                return;
        }
        (void)snprintf(parent, sizeof(parent), "%s", place->path);
        watch_parent(tail, dirname(parent));
        look_at(tail, place->path, 0);
}

static void visit_path(const void *node, VISIT order, void *userdata) {
        const struct file ***next = userdata;

        if (order == postorder || order == leaf)
                *(*next)++ = *(const struct file *const *)node;
}

static void visit_count(const void *node, VISIT order, void *userdata) {
        (void)node;
        if (order == postorder || order == leaf)
                (*(size_t *)userdata)++;
}

/* All files of the tree, in an array of the caller's; a look may change the tree. */
static struct file **files_list(const struct tail *tail, size_t *ret_n) {
        struct file **list, **next;

        *ret_n = 0;
        twalk_r(tail->files, visit_count, ret_n);
        list = next = calloc(*ret_n + 1, sizeof(*list));
        if (list)
                twalk_r(tail->files, visit_path, &next);
        return list;
}

/* Files whose path leads nowhere any more are not met by looking at places. */
static void look_at_known_files(struct tail *tail) {
        size_t n;
        CLEANUP(cleanup_free) struct file **files = files_list(tail, &n);

        for (size_t i = 0; files && i < n; i++) {
                CLEANUP(cleanup_free) char *path = strdup(file_path(files[i]));

                if (path && access(path, F_OK) < 0)
                        look_at(tail, path, 0);
        }
}

/* Documents that changed and have rested are looked at again. */
static void look_at_due_files(struct tail *tail) {
        size_t n;
        CLEANUP(cleanup_free) struct file **files = files_list(tail, &n);
        int64_t now_ms = loop_now_ms(tail->loop);

        tail->due_ms = INT64_MAX;
        for (size_t i = 0; files && i < n; i++) {
                int64_t due_ms = file_due_ms(files[i]);
                CLEANUP(cleanup_free) char *path = due_ms <= now_ms ? strdup(file_path(files[i])) : NULL;

                if (path)
                        look_at(tail, path, 0);
                else if (due_ms < tail->due_ms)
                        tail->due_ms = due_ms;
        }
}

static void look_at_everything(struct tail *tail) {
        tail->waits_for_parent = false;
        tail->due_ms = INT64_MAX;
        for (size_t i = 0; i < tail->config.n_places; i++)
                look_at_place(tail, &tail->config.places[i]);
        look_at_known_files(tail);
}

/* --- events --- */

static const char *directory_of(const struct tail *tail, int watch) {
        for (size_t i = 0; i < tail->n_directories; i++)
                if (tail->directories[i].watch == watch)
                        return tail->directories[i].path;
        return NULL;
}

static void take_event(struct tail *tail, const struct inotify_event *event) {
        const char *directory = directory_of(tail, event->wd);
        char path[PATH_MAX];

        if (event->mask & IN_IGNORED)
                forget_directory(tail, event->wd);
        if (event->mask & (IN_Q_OVERFLOW | IN_IGNORED | IN_MOVE_SELF | IN_DELETE_SELF))
                tail->rescan = true;
        if (!directory || event->len == 0 || (event->mask & IN_MOVED_FROM))
                return;
        if ((size_t)snprintf(path, sizeof(path), "%s%s%s", strcmp(directory, "/") == 0 ? "" : directory,
                             strcmp(directory, ".") == 0 ? "" : "/", event->name) >= sizeof(path))
                return;
        if (strcmp(directory, ".") == 0)
                (void)snprintf(path, sizeof(path), "%s", event->name);
        if (place_of(tail, path))
                look_at(tail, path, 1);
        else if (event->mask & (IN_CREATE | IN_MOVED_TO))
                tail->rescan = tail->rescan || tail->waits_for_parent || (event->mask & IN_ISDIR);
}

static void set_timer(struct tail *tail, bool events_are_due) {
        int64_t delay_ms = INT64_MAX;

        if (tail->due_ms != INT64_MAX)
                delay_ms = tail->due_ms - loop_now_ms(tail->loop);
        if (tail->polling && delay_ms > POLL_MS)
                delay_ms = POLL_MS;
        if (events_are_due && delay_ms > QUIET_MS)
                delay_ms = QUIET_MS;
        if (tail->more)
                delay_ms = 0;
        if (delay_ms != INT64_MAX)
                loop_timer_set(tail->timer, delay_ms);
}

static void on_events(void *userdata, uint32_t events) {
        static char buffer[EVENTS_BYTES] __attribute__((aligned(__alignof__(struct inotify_event))));
        struct tail *tail = userdata;
        ssize_t n = read(tail->inotify, buffer, sizeof(buffer));

        (void)events;
        for (char *at = buffer; n > 0 && at < buffer + n;) {
                const struct inotify_event *event = (const struct inotify_event *)(void *)at;

                take_event(tail, event);
                at += sizeof(*event) + event->len;
        }
        tail->config.looked(tail->config.userdata);
        /* A trainer that writes a line at a time would wake us for each: rest for a moment. The
         * kernel keeps the events, and joins those that are alike (inotify(7)). */
        (void)loop_fd_set_events(tail->events, 0);
        set_timer(tail, true);
}

/* The one timer: the rest after events is over, a file had more, documents have rested, or it is time
 * to poll. */
static void on_timer(void *userdata) {
        struct tail *tail = userdata;
        bool look = tail->polling || tail->rescan || tail->more;
        bool documents_are_due = tail->due_ms <= loop_now_ms(tail->loop);

        tail->rescan = tail->more = false;
        if (look)
                look_at_everything(tail);
        else if (documents_are_due)
                look_at_due_files(tail);
        if (look || documents_are_due)
                tail->config.looked(tail->config.userdata);
        if (tail->events)
                (void)loop_fd_set_events(tail->events, EPOLLIN);
        set_timer(tail, false);
}

/* --- the tail as a whole --- */

size_t tail_split_place(const char *text, const struct format **ret_format) {
        const char *colon = strrchr(text, ':');
        const struct format *format = colon ? format_find(slice_from(colon + 1)) : NULL;

        *ret_format = format;
        return format ? (size_t)(colon - text) : strlen(text);
}

static int start_inotify(struct tail *tail) {
        tail->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (tail->inotify < 0) {
                poll_from_now_on(tail, "files", errno);
                return 0;
        }
        return loop_fd_new(&tail->events, tail->loop, tail->inotify, EPOLLIN, on_events, tail);
}

int tail_new(struct tail **ret_tail, struct loop *loop, const struct tail_config *config) {
        CLEANUP(tail_freep) struct tail *tail = calloc(1, sizeof(*tail));
        int r;

        if (!tail)
                return -ENOMEM;
        tail->loop = loop;
        tail->config = *config;
        tail->inotify = -1;
        tail->due_ms = INT64_MAX;
        r = loop_timer_new(&tail->timer, loop, on_timer, tail);
        if (r == 0)
                r = start_inotify(tail);
        if (r < 0)
                return r;
        tail->rescan = true;
        loop_timer_set(tail->timer, 0);
        *ret_tail = STEAL(tail);
        return 0;
}

static void free_file(void *file) {
        file_free(file);
}

struct tail *tail_free(struct tail *tail) {
        if (!tail)
                return NULL;
        loop_timer_free(tail->timer);
        loop_fd_free(tail->events);
        cleanup_close(&tail->inotify);
        for (size_t i = 0; i < tail->n_directories; i++)
                free(tail->directories[i].path);
        free(tail->directories);
        free(tail->denied_directory);
        tdestroy(tail->files, free_file);
        free(tail);
        return NULL;
}

void tail_freep(struct tail **tail) {
        *tail = tail_free(*tail);
}

void tail_finish(struct tail *tail) {
        size_t n;
        CLEANUP(cleanup_free) struct file **files = NULL;

        do {
                tail->more = false;
                look_at_everything(tail);
        } while (tail->more);
        files = files_list(tail, &n);
        for (size_t i = 0; files && i < n; i++)
                file_finish(files[i]);
        loop_timer_clear(tail->timer);
        if (tail->events)
                (void)loop_fd_set_events(tail->events, 0);
}

/* Puts a file among the newest, which are in order. */
static void note_newest(const struct file *newest[TAIL_NEWEST_MAX], const struct file *file) {
        for (size_t i = 0; i < TAIL_NEWEST_MAX; i++)
                if (!newest[i] || file_written_ns(newest[i]) < file_written_ns(file)) {
                        memmove(newest + i + 1, newest + i, (TAIL_NEWEST_MAX - 1 - i) * sizeof(*newest));
                        newest[i] = file;
                        return;
                }
}

static bool is_denied(const struct file *file) {
        return file_error(file) == -EACCES || file_error(file) == -EPERM;
}

struct tail_view tail_view(const struct tail *tail) {
        struct tail_view view = { .files = tail->gone_files, .recognised = tail->gone_recognised };
        const struct file *newest[TAIL_NEWEST_MAX] = { NULL };
        size_t n;
        CLEANUP(cleanup_free) struct file **files = files_list(tail, &n);

        for (size_t i = 0; files && i < n; i++) {
                view.files += file_has_content(files[i]);
                view.recognised += file_is_recognised(files[i]);
                if (file_has_content(files[i]))
                        note_newest(newest, files[i]);
                if (!is_denied(files[i]))
                        continue;
                view.denied++;
                view.denied_path = file_path(files[i]);
                view.denied_error = -file_error(files[i]);
        }
        if (tail->denied_directory) {
                view.denied++;
                view.denied_path = tail->denied_directory;
                view.denied_error = tail->denied_error;
        }
        for (size_t i = 0; i < TAIL_NEWEST_MAX && newest[i]; i++)
                view.newest[i] = file_path(newest[i]);
        return view;
}
