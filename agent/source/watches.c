#include "source/watches.h"

#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

enum { EVENTS_BYTES = 16 * 1024 };

/* IN_MASK_ADD: a directory may be watched for both. */
#define NAME_EVENTS (IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_MASK_ADD)
#define DIRECTORY_EVENTS (NAME_EVENTS | IN_MODIFY | IN_ATTRIB | IN_DELETE | IN_MOVED_FROM)
#define FILE_EVENTS (IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF)

/* How far a file system's events can be relied on. */
enum trust {
        TRUST_FULL,      /* all who write to it are seen by this kernel */
        TRUST_PROBATION, /* not known: until the first event has come, we look as well */
        TRUST_NONE,      /* others write to it that this kernel does not see */
};

struct directory {
        int watch;
        enum trust trust;
        char *path;
};

struct watches {
        struct watches_config config;
        int inotify; /* -1: none */
        struct loop_fd *source;
        struct directory *directories;
        size_t n_directories;
        bool is_blind; /* something could not be watched */
        bool has_said_remote;
};

/* --- trust --- */

/* Numbers that linux/magic.h does not have, from the file systems' own sources. */
enum {
        ZFS_MAGIC = 0x2fc12fc1,
        BCACHEFS_MAGIC = (int)0xca451a4e,
        CEPH_MAGIC = 0x00c36400,
        LUSTRE_MAGIC = 0x0bd00bd0,
        GPFS_MAGIC = 0x47504653,
        VBOX_MAGIC = 0x786f4256,
        BEEGFS_MAGIC = 0x19830326,
};

static const struct {
        unsigned magic;
        enum trust trust;
} file_systems[] = {
        { EXT4_SUPER_MAGIC, TRUST_FULL },   { XFS_SUPER_MAGIC, TRUST_FULL },     { BTRFS_SUPER_MAGIC, TRUST_FULL },
        { TMPFS_MAGIC, TRUST_FULL },        { RAMFS_MAGIC, TRUST_FULL },         { F2FS_SUPER_MAGIC, TRUST_FULL },
        { ZFS_MAGIC, TRUST_FULL },          { (unsigned)BCACHEFS_MAGIC, TRUST_FULL },
        { NFS_SUPER_MAGIC, TRUST_NONE },    { FUSE_SUPER_MAGIC, TRUST_NONE },    { V9FS_MAGIC, TRUST_NONE },
        { SMB_SUPER_MAGIC, TRUST_NONE },    { CIFS_SUPER_MAGIC, TRUST_NONE },    { SMB2_SUPER_MAGIC, TRUST_NONE },
        { AFS_SUPER_MAGIC, TRUST_NONE },    { OCFS2_SUPER_MAGIC, TRUST_NONE },   { CEPH_MAGIC, TRUST_NONE },
        { LUSTRE_MAGIC, TRUST_NONE },       { GPFS_MAGIC, TRUST_NONE },          { VBOX_MAGIC, TRUST_NONE },
        { BEEGFS_MAGIC, TRUST_NONE },       { CODA_SUPER_MAGIC, TRUST_NONE },
        /* What is written to a layer below it, it does not tell of (overlayfs.rst, "Changes to underlying
         * filesystems"). */
        { OVERLAYFS_SUPER_MAGIC, TRUST_NONE },
};

static enum trust trust_in(const char *path) {
        struct statfs status;

        if (statfs(path, &status) < 0)
                return TRUST_PROBATION;
        for (size_t i = 0; i < sizeof(file_systems) / sizeof(file_systems[0]); i++)
                if (file_systems[i].magic == (unsigned)status.f_type)
                        return file_systems[i].trust;
        return TRUST_PROBATION;
}

static void go_blind(struct watches *watches, const char *path, int error) {
        if (!watches->is_blind)
                log_warning("%s: cannot be watched with inotify (%s%s): looking once a second instead", path,
                            strerror(error),
                            error == ENOSPC ? ", see fs.inotify.max_user_watches" :
                            error == EMFILE ? ", see fs.inotify.max_user_instances" : "");
        watches->is_blind = true;
}

bool watches_are_blind(const struct watches *watches) {
        bool is_blind = watches->is_blind;

        for (size_t i = 0; i < watches->n_directories && !is_blind; i++)
                is_blind = watches->directories[i].trust != TRUST_FULL;
        return is_blind;
}

/* --- directories --- */

static struct directory *find_directory(const struct watches *watches, int watch) {
        for (size_t i = 0; i < watches->n_directories; i++)
                if (watches->directories[i].watch == watch)
                        return &watches->directories[i];
        return NULL;
}

static bool is_same_directory(const char *a, const char *b) {
        struct stat status_a, status_b;

        return stat(a, &status_a) == 0 && stat(b, &status_b) == 0 && status_a.st_dev == status_b.st_dev &&
               status_a.st_ino == status_b.st_ino;
}

/* One directory has one watch, whatever it is called. Is it known under this name? One that it has no more, since
 * it or a directory above it was renamed, becomes this one. 0: it is not known; 1: it is; -ENOMEM. */
static int find_name(struct watches *watches, int watch, const char *path) {
        struct directory *stale = NULL;
        char *copy;

        for (size_t i = 0; i < watches->n_directories; i++) {
                struct directory *directory = &watches->directories[i];

                if (directory->watch == watch && strcmp(directory->path, path) == 0)
                        return 1;
                if (directory->watch == watch && !is_same_directory(directory->path, path))
                        stale = directory;
        }
        if (!stale)
                return 0;
        copy = strdup(path);
        if (!copy)
                return -ENOMEM;
        free(stale->path);
        stale->path = copy;
        return 1;
}

static int remember_directory(struct watches *watches, int watch, const char *path) {
        struct directory *directories;
        enum trust trust;
        char *copy;
        int r = find_name(watches, watch, path);

        if (r != 0)
                return r < 0 ? r : 0;
        directories = reallocarray(watches->directories, watches->n_directories + 1, sizeof(*directories));
        if (!directories)
                return -ENOMEM;
        watches->directories = directories;
        copy = strdup(path);
        if (!copy)
                return -ENOMEM;
        trust = trust_in(path);
        if (trust == TRUST_NONE && !watches->has_said_remote) {
                log_info("%s: on a file system that others may write to unseen: looking once a second", path);
                watches->has_said_remote = true;
        }
        directories[watches->n_directories++] = (struct directory){ watch, trust, copy };
        return 0;
}

static void forget_directory(struct watches *watches, int watch) {
        struct directory *directory;

        while ((directory = find_directory(watches, watch))) {
                free(directory->path);
                *directory = watches->directories[--watches->n_directories];
        }
}

static bool watch(struct watches *watches, const char *path, uint32_t events) {
        int number;

        if (watches->inotify < 0)
                return access(path, F_OK) == 0;
        number = inotify_add_watch(watches->inotify, path, events);
        if (number < 0 && (errno == ENOENT || errno == ENOTDIR))
                return false;
        if (number < 0 || remember_directory(watches, number, path) < 0)
                go_blind(watches, path, number < 0 ? errno : ENOMEM);
        return true;
}

bool watches_directory(struct watches *watches, const char *path) {
        return watch(watches, path, DIRECTORY_EVENTS);
}

bool watches_names(struct watches *watches, const char *path) {
        return watch(watches, path, NAME_EVENTS);
}

void watches_move(struct watches *watches, const char *path) {
        if (watches->inotify >= 0) /* what cannot be watched for this is watched for all that matters more */
                (void)inotify_add_watch(watches->inotify, path, IN_MOVE_SELF | IN_ONLYDIR | IN_MASK_ADD);
}

int watches_file(struct watches *watches, int fd) {
        char path[64];
        int watch;

        if (watches->inotify < 0)
                return -1;
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        watch = inotify_add_watch(watches->inotify, path, FILE_EVENTS);
        if (watch < 0)
                go_blind(watches, path, errno);
        return watch;
}

void watches_remove(struct watches *watches, int watch) {
        if (watches->inotify >= 0 && watch >= 0)
                (void)inotify_rm_watch(watches->inotify, watch);
}

/* --- events --- */

/* Where that happened; NULL: in a path that is too long. */
static const char *place_of_event(const struct directory *directory, const char *name, char place[static PATH_MAX]) {
        bool is_here = strcmp(directory->path, ".") == 0;
        int n = snprintf(place, PATH_MAX, "%s%s%s", is_here ? "" : directory->path,
                         is_here || strcmp(directory->path, "/") == 0 ? "" : "/", name);

        return n < PATH_MAX ? place : NULL;
}

/* Under each name of the directory. More of them may come to be known meanwhile, and none goes. */
static void hand_on_named(struct watches *watches, const struct inotify_event *event, struct watch_event *told) {
        char path[PATH_MAX];

        for (size_t i = 0; i < watches->n_directories; i++) {
                struct directory *directory = &watches->directories[i];

                if (directory->watch != event->wd)
                        continue;
                if (directory->trust == TRUST_PROBATION)
                        directory->trust = TRUST_FULL;
                told->path = place_of_event(directory, event->name, path);
                watches->config.take_event(watches->config.userdata, told);
        }
}

static void hand_on(struct watches *watches, const struct inotify_event *event) {
        bool is_directory = find_directory(watches, event->wd) != NULL;
        struct watch_event told = {
                .watch = event->wd,
                .is_new = event->mask & (IN_CREATE | IN_MOVED_TO),
                .is_directory = event->mask & IN_ISDIR,
                .is_lost = event->mask & (IN_Q_OVERFLOW | IN_MOVE_SELF | (is_directory ? IN_IGNORED | IN_DELETE_SELF : 0)),
        };

        if (event->mask & IN_IGNORED)
                forget_directory(watches, event->wd);
        if (is_directory && event->len > 0)
                hand_on_named(watches, event, &told);
        else
                watches->config.take_event(watches->config.userdata, &told);
}

void watches_read(struct watches *watches) {
        static char buffer[EVENTS_BYTES] __attribute__((aligned(__alignof__(struct inotify_event))));
        ssize_t n;

        if (watches->inotify < 0)
                return;
        n = read(watches->inotify, buffer, sizeof(buffer));
        for (char *at = buffer; n > 0 && at < buffer + n;) {
                const struct inotify_event *event = (const struct inotify_event *)(void *)at;

                at += sizeof(*event) + event->len;
                hand_on(watches, event);
        }
}

bool watches_have_events(const struct watches *watches) {
        int n_bytes = 0;

        return watches->inotify >= 0 && ioctl(watches->inotify, FIONREAD, &n_bytes) == 0 && n_bytes > 0;
}

void watches_pause(struct watches *watches, bool is_paused) {
        if (watches->source)
                (void)loop_fd_set_events(watches->source, is_paused ? 0 : EPOLLIN);
}

static void on_readable(void *userdata, uint32_t events) {
        struct watches *watches = userdata;

        (void)events;
        watches->config.ready(watches->config.userdata);
}

/* --- the watches as a whole --- */

int watches_new(struct watches **ret_watches, struct loop *loop, const struct watches_config *config) {
        struct watches *watches = calloc(1, sizeof(*watches));
        int r = 0;

        if (!watches)
                return -ENOMEM;
        watches->config = *config;
        watches->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (watches->inotify < 0)
                go_blind(watches, "files", errno);
        else
                r = loop_fd_new(&watches->source, loop, watches->inotify, EPOLLIN, on_readable, watches);
        if (r < 0) {
                watches_free(watches);
                return r;
        }
        *ret_watches = watches;
        return 0;
}

struct watches *watches_free(struct watches *watches) {
        if (!watches)
                return NULL;
        loop_fd_free(watches->source);
        cleanup_close(&watches->inotify);
        for (size_t i = 0; i < watches->n_directories; i++)
                free(watches->directories[i].path);
        free(watches->directories);
        free(watches);
        return NULL;
}
