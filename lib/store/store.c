#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/header.h"
#include "store/slot.h"

enum { LOCK_TRIES = 3 };

static const size_t none = SIZE_MAX;

struct store {
        char *path, *lock_path;
        int directory, lock; /* descriptors; -1: none, the directory could not be entered */
        dev_t lock_device;
        ino_t lock_inode;

        struct store_slot slots[STORE_SLOTS];
        uint64_t generation; /* the highest that was seen */
        size_t newest;       /* the slot of the newest intact generation, or none */
        size_t durable;      /* the newest slot that is known to be on the disk itself, or none */
        int written;         /* the newest slot's file until it was synced; -1: none, or not by us */
        bool is_settled;     /* false: `durable` is not known yet */
        bool is_suspect[STORE_SLOTS]; /* to sync it has, or may have, failed: this file is never durable */
        bool entries_are_new, directory_is_new; /* perhaps not synced yet */
};

const char *store_slot_name(size_t i) {
        static const char *const names[STORE_SLOTS] = { "state.0", "state.1", "state.2" };

        return names[i];
}

const char *store_condition_text(enum store_condition condition) {
        static const char *const texts[] = {
                [STORE_SLOT_ABSENT] = "no file",
                [STORE_SLOT_INTACT] = "intact",
                [STORE_SLOT_NEWER] = "written by a newer version",
                [STORE_SLOT_UNREADABLE] = "it cannot be read",
                [STORE_SLOT_NO_FILE] = "it is no regular file",
                [STORE_SLOT_EMPTY] = "empty",
                [STORE_SLOT_FOREIGN] = "it does not begin as state does",
                [STORE_SLOT_TORN] = "torn: it is shorter than it says",
                [STORE_SLOT_CHANGED] = "torn or changed: the checksum does not fit",
        };

        return texts[condition];
}

/* --- what is there --- */

static int look_at_slots(int directory, struct store_slot slots[static STORE_SLOTS]) {
        int r = 0;

        for (size_t i = 0; i < STORE_SLOTS && r == 0; i++)
                r = slot_look(directory, store_slot_name(i), &slots[i], NULL);
        return r;
}

/* The slot of the highest generation of those in this condition, or none. */
static size_t find_newest(const struct store_slot slots[static STORE_SLOTS], enum store_condition condition) {
        size_t newest = none;

        for (size_t i = 0; i < STORE_SLOTS; i++)
                if (slots[i].condition == condition &&
                    (newest == none || slots[i].generation > slots[newest].generation))
                        newest = i;
        return newest;
}

static int store_look(struct store *store) {
        int r = look_at_slots(store->directory, store->slots);

        store->newest = find_newest(store->slots, STORE_SLOT_INTACT);
        store->durable = none;
        store->is_settled = false;
        store->entries_are_new = store->directory_is_new = true;
        for (size_t i = 0; i < STORE_SLOTS; i++) {
                store->is_suspect[i] = store->slots[i].condition != STORE_SLOT_INTACT || store->slots[i].is_suspect;
                if (store->slots[i].generation > store->generation)
                        store->generation = store->slots[i].generation;
        }
        return r;
}

static void drop(int *fd) {
        cleanup_close(fd);
        *fd = -1;
}

/* --- the directory and its lock --- */

static bool is_locked_file(const struct store *store, const struct stat *status) {
        return status->st_dev == store->lock_device && status->st_ino == store->lock_inode;
}

/* Is the directory of this path still the one that we have locked? */
static bool is_in_place(const struct store *store) {
        struct stat status;

        return store->lock >= 0 && stat(store->lock_path, &status) == 0 && is_locked_file(store, &status);
}

static int lock_file(struct store *store) {
        struct stat status;

        drop(&store->lock);
        store->lock = openat(store->directory, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
        if (store->lock < 0)
                return -errno;
        if (flock(store->lock, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK ? -EBUSY : -errno;
        if (fstat(store->lock, &status) < 0)
                return -errno;
        store->lock_device = status.st_dev;
        store->lock_inode = status.st_ino;
        return 0;
}

static int open_directory(struct store *store) {
        drop(&store->directory);
        if (mkdir(store->path, 0755) < 0 && errno != EEXIST)
                return -errno;
        store->directory = open(store->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return store->directory < 0 ? -errno : 0;
}

/* Another try where somebody took the directory, or the file, away while it was being locked. */
static int enter_directory(struct store *store) {
        int r = 0;

        drop(&store->written);
        memset(store->slots, 0, sizeof(store->slots));
        store->newest = store->durable = none;
        for (int i = 0; i < LOCK_TRIES; i++) {
                r = open_directory(store);
                if (r == 0)
                        r = lock_file(store);
                if (r < 0 && r != -ENOENT)
                        break;
                if (r == 0 && is_in_place(store))
                        return store_look(store);
        }
        drop(&store->lock);
        return r < 0 ? r : -EBUSY;
}

int store_open(struct store **ret_store, const char *directory) {
        CLEANUP(store_freep) struct store *store = calloc(1, sizeof(*store));
        int r;

        if (!store)
                return -ENOMEM;
        store->directory = store->lock = store->written = -1;
        store->path = strdup(directory);
        if (!store->path)
                return -ENOMEM;
        if (asprintf(&store->lock_path, "%s/lock", directory) < 0) {
                store->lock_path = NULL;
                return -ENOMEM;
        }
        r = enter_directory(store);
        if (r == 0)
                *ret_store = STEAL(store);
        return r;
}

struct store *store_free(struct store *store) {
        if (!store)
                return NULL;
        cleanup_close(&store->written);
        cleanup_close(&store->lock);
        cleanup_close(&store->directory);
        free(store->lock_path);
        free(store->path);
        free(store);
        return NULL;
}

void store_freep(struct store **store) {
        *store = store_free(*store);
}

/* --- reading --- */

const struct store_slot *store_slots(const struct store *store) {
        return store->slots;
}

int store_read(struct store *store, struct buffer *ret_bytes) {
        if (find_newest(store->slots, STORE_SLOT_NEWER) != none)
                return STORE_NEWER;
        while (store->newest != none) {
                struct store_slot *slot = &store->slots[store->newest];
                int r = slot_look(store->directory, store_slot_name(store->newest), slot, ret_bytes);

                if (r < 0 || slot->condition == STORE_SLOT_INTACT)
                        return r;
                store->newest = find_newest(store->slots, STORE_SLOT_INTACT);
        }
        return STORE_ABSENT;
}

int store_list(const char *directory, struct store_slot ret_slots[static STORE_SLOTS]) {
        CLEANUP(cleanup_close) int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? -errno : look_at_slots(fd, ret_slots);
}

int store_load(const char *directory, size_t slot, struct buffer *ret_bytes) {
        CLEANUP(cleanup_close) int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct store_slot looked;
        int r;

        if (fd < 0)
                return -errno;
        r = slot_look(fd, store_slot_name(slot), &looked, ret_bytes);
        return r < 0 ? r : looked.condition == STORE_SLOT_INTACT ? 0 : -EBADMSG;
}

/* --- what is on the disk itself --- */

static int sync_parent(int directory) {
        CLEANUP(cleanup_close) int fd = openat(directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* fsync(2): that a file is synced does not mean that its entry in the directory is on the disk. */
static int sync_entries(struct store *store) {
        int r = 0;

        if (store->entries_are_new && fsync(store->directory) < 0)
                return -errno;
        store->entries_are_new = false;
        if (store->directory_is_new)
                r = sync_parent(store->directory);
        store->directory_is_new = store->directory_is_new && r < 0;
        return r;
}

/* Linux says once that a page could not be written, and holds it for clean from then on: that a retry
 * succeeds means nothing (fsync(2), since 4.13). What was dirty may be in any file but the durable one, or
 * may be its directory entry, so each of them is given up: it is replaced when it is written to next. */
static void give_up(struct store *store) {
        for (size_t i = 0; i < STORE_SLOTS; i++) {
                CLEANUP(cleanup_close) int fd = -1;

                if (i == store->durable)
                        continue;
                store->is_suspect[i] = true;
                if (store->slots[i].condition == STORE_SLOT_INTACT)
                        fd = openat(store->directory, store_slot_name(i), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
                if (fd >= 0)
                        slot_suspect(fd);
        }
}

static int sync_written(struct store *store) {
        int r = fdatasync(store->written) < 0 ? -errno : sync_entries(store);

        if (r < 0) {
                give_up(store);
                return r;
        }
        store->durable = store->newest;
        drop(&store->written);
        return 0;
}

/* The slot that was known to be on the disk itself when the newest generation was written, or none. */
static size_t find_durable(const struct store *store) {
        uint64_t generation = store->newest == none ? 0 : store->slots[store->newest].durable;

        for (size_t i = 0; i < STORE_SLOTS; i++)
                if (store->slots[i].condition == STORE_SLOT_INTACT && store->slots[i].generation == generation)
                        return i;
        return none;
}

/* Of what a process before us wrote last, it is not known whether it synced that. So this is done before
 * anything is written over; where it fails, or has failed before, the one is durable of which the newest
 * generation says so. */
static int settle(struct store *store) {
        if (store->is_settled)
                return 0;
        store->durable = find_durable(store);
        if (store->newest != none && !store->is_suspect[store->newest]) {
                store->written = openat(store->directory, store_slot_name(store->newest), O_RDWR | O_NOFOLLOW | O_CLOEXEC);
                if (store->written < 0)
                        return -errno;
                (void)sync_written(store);
        }
        store->is_settled = true;
        return 0;
}

/* --- writing --- */

static uint64_t generation_of(const struct store *store, size_t slot) {
        return slot == none ? 0 : store->slots[slot].generation;
}

/* What is lost when this slot is written over. */
static uint64_t worth(const struct store *store, size_t i) {
        return store->slots[i].condition == STORE_SLOT_INTACT ? store->slots[i].generation : 0;
}

/* The slot to write to: of those that may be, the one of least worth. */
static size_t pick(const struct store *store) {
        size_t picked = none;

        for (size_t i = 0; i < STORE_SLOTS; i++)
                if (i != store->newest && i != store->durable && (picked == none || worth(store, i) < worth(store, picked)))
                        picked = i;
        return picked;
}

/* From when it is opened until all is written, there is nothing in the slot that counts. Where the
 * newest cannot be synced, the next is a new file, on other blocks of the disk. */
static int write_generation(struct store *store, struct slice bytes) {
        size_t i = pick(store);
        bool is_fresh = store->is_suspect[i] || (store->newest != none && store->is_suspect[store->newest]);
        struct store_slot *slot = &store->slots[i];
        struct header header = header_of(bytes, store->generation + 1, generation_of(store, store->durable));
        int fd, r;

        *slot = (struct store_slot){ .condition = STORE_SLOT_TORN };
        fd = slot_open(store->directory, store_slot_name(i), is_fresh, &store->entries_are_new);
        if (fd < 0)
                return fd;
        store->is_suspect[i] = false;
        r = slot_write(fd, &header, bytes);
        if (r < 0) {
                (void)close(fd);
                return r;
        }
        slot_describe(slot, &header, STORE_SLOT_INTACT);
        store->generation = header.generation;
        store->newest = i;
        drop(&store->written);
        store->written = fd;
        return 0;
}

int store_write(struct store *store, struct slice bytes) {
        int r = is_in_place(store) ? 0 : enter_directory(store);

        if (bytes.size_bytes > STORE_BYTES_MAX)
                return -EFBIG;
        if (r == 0 && find_newest(store->slots, STORE_SLOT_NEWER) != none)
                return -EPROTONOSUPPORT;
        if (r == 0)
                r = settle(store);
        return r == 0 ? write_generation(store, bytes) : r;
}

/* --- syncing --- */

/* Can the newest generation become durable in the file that it is in? Not where to sync it has failed, or
 * where somebody took the file away. */
static bool can_be_synced(const struct store *store) {
        struct stat written, there;

        return store->written >= 0 && !store->is_suspect[store->newest] && fstat(store->written, &written) == 0 &&
               fstatat(store->directory, store_slot_name(store->newest), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
               written.st_dev == there.st_dev && written.st_ino == there.st_ino;
}

/* The newest generation once more, out of its file and into another. */
static int write_anew(struct store *store) {
        CLEANUP(buffer_release) struct buffer bytes = BUFFER_INIT(STORE_BYTES_MAX);
        struct store_slot *slot = &store->slots[store->newest], looked;
        int r = store->written >= 0 ? slot_look_at(store->written, &looked, &bytes)
                                    : slot_look(store->directory, store_slot_name(store->newest), &looked, &bytes);

        if (r < 0)
                return r;
        if (looked.condition == STORE_SLOT_INTACT)
                return store_write(store, buffer_slice(&bytes));
        *slot = looked;
        store->newest = store->durable;
        drop(&store->written);
        return -EIO;
}

int store_sync(struct store *store) {
        int r;

        if (store->lock < 0)
                return -ENOENT; /* the directory is gone, and to make it again has failed */
        r = settle(store);
        if (r < 0 || store->newest == store->durable)
                return r;
        if (!can_be_synced(store))
                r = write_anew(store);
        return r == 0 ? sync_written(store) : r;
}
