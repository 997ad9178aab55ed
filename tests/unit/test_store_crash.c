/* What a power loss may leave of a store, at any moment of its life. The system calls of lib/store are
 * recorded (the linker's --wrap) in a model of a disk on which nothing is certain but what was synced:
 *   - each block of a file holds any of the versions that were written to it since its file was synced,
 *     or, where it is new, NULs or what was there before
 *   - a file has any of the sizes that it had since
 *   - a name leads to any of the files that it led to since the directory was synced, or to none
 *   - the directory is not there before its own entry was synced
 *   - what was dirty when a sync failed is not written any more, and a later sync does not say so
 * After every call all states that can come of it are built and opened as a new process would. These are
 * the states of ALICE (Pillai et al., OSDI 2014), with its sectors of 512 bytes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "store/header.h"
#include "store/slot.h"
#include "store/store.h"

enum {
        BLOCK = 512,
        BLOCKS_MAX = 4,
        FILE_MAX = BLOCK * BLOCKS_MAX,
        VERSIONS_MAX = 64,
        FILES_MAX = 64,
        KINDS_MAX = 64,
        BLOBS_MAX = 64,
        FDS_MAX = 1024,
};

/* --- the disk --- */

/* What something may be after a power loss: the last one is what it is now. */
struct versions {
        size_t n;
        bool is_given_up; /* a sync of the last one failed */
};

/* One content of a file that a power loss may leave, of several that come to the same. */
struct kind {
        struct store_slot slot;
        size_t size;
        char bytes[FILE_MAX];
};

struct file {
        struct versions block_versions[BLOCKS_MAX], size_versions;
        char blocks[BLOCKS_MAX][VERSIONS_MAX][BLOCK];
        size_t sizes[VERSIONS_MAX];
        struct kind kinds[KINDS_MAX];
        size_t n_kinds;
        bool is_changed; /* kinds are not those of now */
};

static const int no_file = -1;

static struct {
        struct file files[FILES_MAX];
        int n_files;
        struct {
                struct versions versions;
                int files[VERSIONS_MAX];
        } names[STORE_SLOTS];
        bool is_directory_durable;
        int fds[FDS_MAX]; /* the file that a descriptor was opened to; no_file: none of these */
} disk;

static char (*blobs)[FILE_MAX];
static size_t blob_sizes[BLOBS_MAX], n_blobs;
static int durable_blob, newest_blob; /* that store_sync() and store_write() have returned 0 for; -1: none */
static bool is_recorded, sync_fails, directory_sync_fails;
static size_t tear_bytes; /* the next write ends after so many; 0: it does not */
static uint64_t n_states, n_calls;

static char directory[128], crashed[128], parent[96];

static void forget_older(struct versions *versions, void *list, size_t element_bytes) {
        if (versions->is_given_up || versions->n == 0)
                return;
        memmove(list, (char *)list + (versions->n - 1) * element_bytes, element_bytes);
        versions->n = 1;
}

static void give_up(struct versions *versions) {
        versions->is_given_up = versions->is_given_up || versions->n > 1;
}

static size_t add_version(struct versions *versions) {
        assert_true(versions->n < VERSIONS_MAX);
        versions->is_given_up = false;
        return versions->n++;
}

static void disk_start(void) {
        memset(&disk, 0, sizeof(disk));
        for (size_t i = 0; i < STORE_SLOTS; i++)
                disk.names[i].files[add_version(&disk.names[i].versions)] = no_file;
        for (size_t fd = 0; fd < FDS_MAX; fd++)
                disk.fds[fd] = no_file;
}

static int name_of(const char *path) {
        for (size_t i = 0; i < STORE_SLOTS; i++)
                if (strcmp(path, store_slot_name(i)) == 0)
                        return (int)i;
        return -1;
}

static int file_now(int name) {
        return disk.names[name].files[disk.names[name].versions.n - 1];
}

static void disk_create(int name) {
        struct file *file = &disk.files[disk.n_files];

        assert_true(disk.n_files < FILES_MAX);
        file->sizes[add_version(&file->size_versions)] = 0;
        file->is_changed = true;
        disk.names[name].files[add_version(&disk.names[name].versions)] = disk.n_files++;
}

static void disk_write(struct file *file, const char *bytes, size_t size) {
        size_t before = file->sizes[file->size_versions.n - 1];

        assert_true(size <= FILE_MAX);
        file->is_changed = true;
        for (size_t block = 0; block * BLOCK < size; block++) {
                struct versions *versions = &file->block_versions[block];
                size_t n = size - block * BLOCK < BLOCK ? size - block * BLOCK : BLOCK, at;

                if (versions->n == 0) {
                        memset(file->blocks[block][add_version(versions)], 0x5a, BLOCK);
                        memset(file->blocks[block][add_version(versions)], 0, BLOCK);
                }
                at = add_version(versions);
                memcpy(file->blocks[block][at], file->blocks[block][at - 1], BLOCK);
                memcpy(file->blocks[block][at], bytes + block * BLOCK, n);
        }
        if (size > before)
                file->sizes[add_version(&file->size_versions)] = size;
}

static void disk_sync_file(struct file *file, bool fails) {
        file->is_changed = true;
        for (size_t block = 0; block < BLOCKS_MAX; block++) {
                if (fails)
                        give_up(&file->block_versions[block]);
                else
                        forget_older(&file->block_versions[block], file->blocks[block], BLOCK);
        }
        if (fails)
                give_up(&file->size_versions);
        else
                forget_older(&file->size_versions, file->sizes, sizeof(file->sizes[0]));
}

static void disk_sync_names(bool fails) {
        for (size_t i = 0; i < STORE_SLOTS; i++) {
                if (fails)
                        give_up(&disk.names[i].versions);
                else
                        forget_older(&disk.names[i].versions, disk.names[i].files, sizeof(disk.names[i].files[0]));
        }
}

/* --- what may be left of a file --- */

static bool is_alike(const struct store_slot *a, const struct store_slot *b) {
        return a->condition == b->condition && a->generation == b->generation && a->durable == b->durable &&
               a->is_suspect == b->is_suspect;
}

/* What the store takes an image for. It is taken for intact only where it is what was written. */
static void add_kind(struct file *file, int scratch, const char *bytes, size_t size) {
        struct store_slot slot;

        assert_int_equal(ftruncate(scratch, 0), 0);
        assert_int_equal(pwrite(scratch, bytes, size, 0), size);
        assert_int_equal(slot_look_at(scratch, &slot, NULL), 0);
        for (size_t i = 0; i < file->n_kinds; i++)
                if (is_alike(&file->kinds[i].slot, &slot))
                        return;
        assert_true(file->n_kinds < KINDS_MAX);
        file->kinds[file->n_kinds].slot = slot;
        file->kinds[file->n_kinds].size = size;
        memcpy(file->kinds[file->n_kinds++].bytes, bytes, size);
}

/* Every choice of a version for each block from this one on. */
static void choose_blocks(struct file *file, int scratch, char *bytes, size_t block, size_t size) {
        if (block * BLOCK >= size) {
                add_kind(file, scratch, bytes, size);
                return;
        }
        for (size_t i = 0; i < file->block_versions[block].n; i++) {
                memcpy(bytes + block * BLOCK, file->blocks[block][i], BLOCK);
                choose_blocks(file, scratch, bytes, block + 1, size);
        }
}

static void find_kinds(struct file *file, int scratch) {
        char bytes[FILE_MAX];

        if (!file->is_changed)
                return;
        file->is_changed = false;
        file->n_kinds = 0;
        for (size_t i = 0; i < file->size_versions.n; i++)
                choose_blocks(file, scratch, bytes, 0, file->sizes[i]);
}

/* --- states --- */

/* Which blob it is; -1: none. It is one that was written, byte for byte. */
static int blob_of(const struct buffer *bytes) {
        int blob = -1;

        if (bytes->size_bytes == 0)
                return -1;
        assert_true(sscanf(bytes->data, "blob %d:", &blob) == 1 && blob >= 0 && (size_t)blob < n_blobs);
        assert_int_equal(bytes->size_bytes, blob_sizes[blob]);
        assert_memory_equal(bytes->data, blobs[blob], blob_sizes[blob]);
        return blob;
}

static int read_blob(struct store *store) {
        CLEANUP(buffer_release) struct buffer bytes = BUFFER_INIT(FILE_MAX);
        int r = store_read(store, &bytes);

        assert_true(r == 0 || r == STORE_ABSENT);
        return blob_of(&bytes);
}

static void assert_reads_text(const char *text) {
        CLEANUP(store_freep) struct store *store = NULL;
        CLEANUP(buffer_release) struct buffer bytes = BUFFER_INIT(FILE_MAX);

        assert_int_equal(store_open(&store, crashed), 0);
        assert_int_equal(store_read(store, &bytes), 0);
        assert_string_equal(buffer_string(&bytes), text);
}

/* A process that starts on it finds what was durable, or something later, and goes on from there. */
static void check_state(const struct kind *const kinds[STORE_SLOTS]) {
        CLEANUP(store_freep) struct store *store = NULL;
        char path[192];
        int blob;

        n_states++;
        for (size_t i = 0; i < STORE_SLOTS; i++) {
                int fd;

                (void)snprintf(path, sizeof(path), "%s/%s", crashed, store_slot_name(i));
                (void)unlink(path);
                if (!kinds[i])
                        continue;
                fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
                assert_int_equal(write(fd, kinds[i]->bytes, kinds[i]->size), kinds[i]->size);
                (void)close(fd);
        }
        assert_int_equal(store_open(&store, crashed), 0);
        blob = read_blob(store);
        if (blob < durable_blob)
                fail_msg("blob %d was durable, and blob %d is left", durable_blob, blob);
        assert_int_equal(store_write(store, SLICE("after")), 0);
        assert_int_equal(store_sync(store), 0);
        store = store_free(store);
        assert_reads_text("after");
}

/* Every choice for this slot and those after it. */
static void choose_slots(const struct kind *kinds[STORE_SLOTS], size_t slot) {
        bool was_absent = false;

        if (slot == STORE_SLOTS) {
                check_state(kinds);
                return;
        }
        for (size_t i = 0; i < disk.names[slot].versions.n; i++) {
                int index = disk.names[slot].files[i];

                for (size_t k = 0; index != no_file && k < disk.files[index].n_kinds; k++) {
                        kinds[slot] = &disk.files[index].kinds[k];
                        choose_slots(kinds, slot + 1);
                }
                if (index != no_file || was_absent)
                        continue;
                was_absent = true;
                kinds[slot] = NULL;
                choose_slots(kinds, slot + 1);
        }
}

static void check_all_states(void) {
        CLEANUP(cleanup_close) int scratch = memfd_create("image", MFD_CLOEXEC);
        const struct kind *kinds[STORE_SLOTS];

        n_calls++;
        is_recorded = false;
        for (int i = 0; i < disk.n_files; i++)
                find_kinds(&disk.files[i], scratch);
        choose_slots(kinds, 0);
        if (!disk.is_directory_durable)
                assert_int_equal(durable_blob, -1);
        is_recorded = true;
}

/* --- the calls --- */

int __real_openat(int at, const char *path, int flags, ...);
int __wrap_openat(int at, const char *path, int flags, ...);
int __real_unlinkat(int at, const char *path, int flags);
int __wrap_unlinkat(int at, const char *path, int flags);
ssize_t __real_pwritev(int fd, const struct iovec *parts, int n_parts, off_t offset);
ssize_t __wrap_pwritev(int fd, const struct iovec *parts, int n_parts, off_t offset);
ssize_t __real_pwrite(int fd, const void *bytes, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t size, off_t offset);
int __wrap_fdatasync(int fd);
int __wrap_fsync(int fd);

int __wrap_openat(int at, const char *path, int flags, ...) {
        int fd = __real_openat(at, path, flags, 0644), name = name_of(path);

        if (!is_recorded || fd < 0)
                return fd;
        assert_true(fd < FDS_MAX);
        disk.fds[fd] = no_file;
        if (name < 0)
                return fd;
        if (flags & O_CREAT) {
                assert_true(flags & O_EXCL);
                disk_create(name);
                check_all_states();
        }
        disk.fds[fd] = file_now(name);
        return fd;
}

int __wrap_unlinkat(int at, const char *path, int flags) {
        int r = __real_unlinkat(at, path, flags), name = name_of(path);

        if (!is_recorded || r < 0)
                return r;
        disk.names[name].files[add_version(&disk.names[name].versions)] = no_file;
        check_all_states();
        return 0;
}

/* As the model has it, a write begins where the file does. */
ssize_t __wrap_pwritev(int fd, const struct iovec *parts, int n_parts, off_t offset) {
        char bytes[FILE_MAX];
        size_t n = 0;

        if (!is_recorded)
                return __real_pwritev(fd, parts, n_parts, offset);
        assert_int_equal(offset, 0);
        for (int i = 0; i < n_parts; i++) {
                if (parts[i].iov_len > 0)
                        memcpy(bytes + n, parts[i].iov_base, parts[i].iov_len);
                n += parts[i].iov_len;
        }
        if (tear_bytes)
                n = tear_bytes < n ? tear_bytes : n - 1;
        assert_int_equal(__real_pwrite(fd, bytes, n, 0), n);
        assert_true(disk.fds[fd] != no_file);
        disk_write(&disk.files[disk.fds[fd]], bytes, n);
        check_all_states();
        errno = EIO;
        return tear_bytes ? -1 : (ssize_t)n;
}

/* One byte in the first block of a file that is there. */
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t size, off_t offset) {
        ssize_t n = __real_pwrite(fd, bytes, size, offset);
        struct file *file;
        struct versions *versions;
        size_t at;

        if (!is_recorded)
                return n;
        assert_true(n == (ssize_t)size && disk.fds[fd] != no_file && (size_t)offset + size <= BLOCK);
        file = &disk.files[disk.fds[fd]];
        versions = &file->block_versions[0];
        at = add_version(versions);
        memcpy(file->blocks[0][at], file->blocks[0][at - 1], BLOCK);
        memcpy(file->blocks[0][at] + offset, bytes, size);
        file->is_changed = true;
        check_all_states();
        return n;
}

int __wrap_fdatasync(int fd) {
        if (!is_recorded)
                return 0;
        assert_true(disk.fds[fd] != no_file);
        disk_sync_file(&disk.files[disk.fds[fd]], sync_fails);
        check_all_states();
        errno = EIO;
        return sync_fails ? -1 : 0;
}

/* Of the directory, or of its parent. */
int __wrap_fsync(int fd) {
        struct stat status, of_parent;

        if (!is_recorded)
                return 0;
        assert_int_equal(fstat(fd, &status), 0);
        assert_int_equal(stat(parent, &of_parent), 0);
        if (status.st_ino == of_parent.st_ino)
                disk.is_directory_durable = disk.is_directory_durable || !directory_sync_fails;
        else
                disk_sync_names(directory_sync_fails);
        check_all_states();
        errno = EIO;
        return directory_sync_fails ? -1 : 0;
}

/* --- lives --- */

static uint64_t random_state;

static size_t below(size_t n) {
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return (size_t)(random_state % n);
}

static struct slice make_blob(void) {
        static const size_t sizes[] = { 12, BLOCK - HEADER_BYTES, BLOCK - HEADER_BYTES + 1, 2 * BLOCK - HEADER_BYTES, 1200 };
        size_t size = sizes[below(sizeof(sizes) / sizeof(sizes[0]))];
        char *blob = blobs[n_blobs];

        assert_true(n_blobs < BLOBS_MAX);
        memset(blob, 'a' + (int)(n_blobs % 26), size);
        (void)snprintf(blob, FILE_MAX, "blob %zu:", n_blobs);
        blob_sizes[n_blobs++] = size;
        return (struct slice){ blob, size };
}

static void kill_and_start(struct store **store) {
        *store = store_free(*store);
        assert_int_equal(store_open(store, directory), 0);
        assert_int_equal(read_blob(*store), newest_blob);
}

/* W writes, S syncs, K is a kill and a new process, T a kill in the middle of a write, F a sync that fails
 * for the file, D one that fails for the directory. */
static void live(const char *life) {
        CLEANUP(store_freep) struct store *store = NULL;

        disk_start();
        n_blobs = 0;
        durable_blob = newest_blob = -1;
        is_recorded = true;
        assert_int_equal(store_open(&store, directory), 0);
        for (const char *step = life; *step; step++) {
                tear_bytes = *step == 'T' ? 1 + below(1200) : 0;
                sync_fails = *step == 'F';
                directory_sync_fails = *step == 'D';
                if (*step == 'W') {
                        assert_int_equal(store_write(store, make_blob()), 0);
                        newest_blob = (int)n_blobs - 1;
                } else if (*step == 'T') {
                        assert_int_equal(store_write(store, make_blob()), -EIO);
                        kill_and_start(&store);
                } else if (*step == 'K') {
                        kill_and_start(&store);
                } else if (store_sync(store) == 0) {
                        durable_blob = newest_blob;
                }
                check_all_states();
                assert_int_equal(read_blob(store), newest_blob);
        }
        is_recorded = false;
}

static void remove_directory(const char *path) {
        char file[192];

        for (size_t i = 0; i < STORE_SLOTS; i++) {
                (void)snprintf(file, sizeof(file), "%s/%s", path, store_slot_name(i));
                (void)unlink(file);
        }
        (void)snprintf(file, sizeof(file), "%s/lock", path);
        (void)unlink(file);
        (void)rmdir(path);
}

static int set_up(void **state) {
        (void)state;
        blobs = calloc(BLOBS_MAX, sizeof(*blobs));
        assert_non_null(blobs);
        /* In memory, where there are tens of thousands of files to be made: the disk is that of the model. */
        (void)snprintf(parent, sizeof(parent), "%s/crash.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        assert_non_null(mkdtemp(parent));
        (void)snprintf(directory, sizeof(directory), "%s/.agent", parent);
        (void)snprintf(crashed, sizeof(crashed), "%s/crashed", parent);
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        remove_directory(directory);
        remove_directory(crashed);
        (void)rmdir(parent);
        free(blobs);
        return 0;
}

static void test_lives(void **state) {
        static const char *const lives[] = {
                "WSWSWSWSWS",
                "WWWWSWWWWS",
                "WSWWWKWWWSWKS",
                "WKWKSWKSWK",
                "WSTWSTTWS",
                "WSTKTWTS",
                "WSWFSWSWSW",
                "WSWFKWSWWS",  /* killed after a sync that failed: the next process does not know */
                "WSWWFKSWWWS",
                "WSWFFFSWWS",
                "WFWFWFSWS",
                "WDSWDSWS",
                "WWDSWSWWW", /* what was new in the directory before that is not there either */
                "WDKWSWS",
                "WSWTFSWS",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
                random_state = i + 1;
                live(lives[i]);
                remove_directory(directory);
        }
        assert_true(n_calls > 100 && n_states > 1000);
}

static uint64_t n_random_lives = 12;

static void test_random_lives(void **state) {
        (void)state;
        for (uint64_t seed = 1; seed <= n_random_lives; seed++) {
                char life[12] = "W";

                random_state = seed * UINT64_C(0x9e3779b97f4a7c15);
                for (size_t i = 1; i + 1 < sizeof(life); i++)
                        life[i] = "WWWWSSSKTFD"[below(11)];
                print_message("%u: %s\n", (unsigned)seed, life);
                live(life);
                remove_directory(directory);
        }
        print_message("%llu states after %llu calls\n", (unsigned long long)n_states, (unsigned long long)n_calls);
}

/* test_store_crash [LIVES]: so many random ones. */
int main(int n_arguments, char **arguments) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_lives, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_random_lives, set_up, tear_down),
        };

        if (n_arguments > 1)
                n_random_lives = strtoul(arguments[1], NULL, 10);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
