/* Generations on disk: what is torn, changed, taken away or fails costs at most what was written last. */
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
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "store/header.h"
#include "store/store.h"

/* --- system calls that fail when they are told to (the linker's --wrap) --- */

static int fail_sync, fail_directory_sync; /* errno; 0: none */
static int fail_write;                     /* the same, once full_bytes of the file are written */
static size_t full_bytes;
static size_t short_write_bytes;           /* at most so many a call; 0: all */
static unsigned n_syncs;

ssize_t __real_pwritev(int fd, const struct iovec *parts, int n_parts, off_t offset);
ssize_t __wrap_pwritev(int fd, const struct iovec *parts, int n_parts, off_t offset);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_fsync(int fd);
int __wrap_fsync(int fd);

ssize_t __wrap_pwritev(int fd, const struct iovec *parts, int n_parts, off_t offset) {
        struct iovec part = parts[0];
        size_t limit = fail_write ? full_bytes - (size_t)offset : short_write_bytes;

        if (short_write_bytes == 0 && fail_write == 0)
                return __real_pwritev(fd, parts, n_parts, offset);
        if (limit == 0) {
                errno = fail_write;
                return -1;
        }
        if (part.iov_len > limit)
                part.iov_len = limit;
        return __real_pwritev(fd, &part, 1, offset);
}

int __wrap_fdatasync(int fd) {
        n_syncs++;
        if (fail_sync == 0)
                return __real_fdatasync(fd);
        errno = fail_sync;
        return -1;
}

int __wrap_fsync(int fd) {
        n_syncs++;
        if (fail_directory_sync == 0)
                return __real_fsync(fd);
        errno = fail_directory_sync;
        return -1;
}

/* --- a directory for each test --- */

static char directory[128], parent[96];

static int set_up(void **state) {
        (void)state;
        fail_write = fail_sync = fail_directory_sync = 0;
        short_write_bytes = 0;
        (void)snprintf(parent, sizeof(parent), "%s/store.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
        assert_non_null(mkdtemp(parent));
        (void)snprintf(directory, sizeof(directory), "%s/.agent", parent);
        return 0;
}

static void remove_tree(const char *path) {
        DIR *entries = opendir(path);
        const struct dirent *entry;
        char child[512];

        while (entries && (entry = readdir(entries))) {
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                (void)snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
                if (unlink(child) < 0)
                        remove_tree(child);
        }
        if (entries)
                closedir(entries);
        (void)rmdir(path);
}

static int tear_down(void **state) {
        (void)state;
        remove_tree(parent);
        return 0;
}

static const char *path_of(size_t slot) {
        static char path[160];

        (void)snprintf(path, sizeof(path), "%s/%s", directory, store_slot_name(slot));
        return path;
}

static struct store *open_store(void) {
        struct store *store;

        assert_int_equal(store_open(&store, directory), 0);
        return store;
}

static void write_text(struct store *store, const char *text) {
        assert_int_equal(store_write(store, slice_from(text)), 0);
}

static void assert_reads(struct store *store, const char *text) {
        CLEANUP(buffer_release) struct buffer bytes = BUFFER_INIT(1024 * 1024);

        assert_int_equal(store_read(store, &bytes), text ? 0 : STORE_ABSENT);
        assert_string_equal(buffer_string(&bytes), text ? text : "");
}

/* What a process that starts now finds. */
static void assert_kept(const char *text) {
        CLEANUP(store_freep) struct store *store = open_store();

        assert_reads(store, text);
}

static size_t slot_of(const struct store *store, uint64_t generation) {
        for (size_t i = 0; i < STORE_SLOTS; i++)
                if (store_slots(store)[i].generation == generation)
                        return i;
        fail_msg("generation %llu is in no slot", (unsigned long long)generation);
        return 0;
}

/* "1", "2", "3", each synced. Returns the slots of these generations. */
static void write_three(size_t ret_slots[static 4]) {
        CLEANUP(store_freep) struct store *store = open_store();

        for (size_t i = 1; i <= 3; i++) {
                char text[2] = { (char)('0' + i), '\0' };

                write_text(store, text);
                assert_int_equal(store_sync(store), 0);
                ret_slots[i] = slot_of(store, i);
        }
}

/* --- writing and reading --- */

static void test_what_is_written_is_read(void **state) {
        CLEANUP(store_freep) struct store *store = open_store();

        (void)state;
        assert_reads(store, NULL);
        for (size_t i = 0; i < STORE_SLOTS; i++)
                assert_int_equal(store_slots(store)[i].condition, STORE_SLOT_ABSENT);
        write_text(store, "one");
        assert_reads(store, "one");
        write_text(store, "two, which is longer");
        assert_reads(store, "two, which is longer");
        write_text(store, "");
        assert_reads(store, "");
        for (int i = 0; i < 10; i++)
                write_text(store, i % 2 ? "a" : "a longer one that is cut by the next");
        store = store_free(store);
        assert_kept("a");
}

static void test_large(void **state) {
        enum { SIZE = 300 * 1000 + 7 };
        CLEANUP(cleanup_free) char *bytes = malloc(SIZE);
        CLEANUP(buffer_release) struct buffer read = BUFFER_INIT(SIZE), small = BUFFER_INIT(SIZE - 1);
        CLEANUP(store_freep) struct store *store = open_store();

        (void)state;
        assert_non_null(bytes);
        for (size_t i = 0; i < SIZE; i++)
                bytes[i] = (char)(i * 7 + i / 251);
        assert_int_equal(store_write(store, (struct slice){ bytes, SIZE }), 0);
        assert_int_equal(store_read(store, &read), 0);
        assert_int_equal(read.size_bytes, SIZE);
        assert_memory_equal(read.data, bytes, SIZE);
        assert_int_equal(store_read(store, &small), -ENOBUFS);
        assert_int_equal(store_write(store, (struct slice){ bytes, STORE_BYTES_MAX + 1 }), -EFBIG);
}

static void test_one_process_at_a_time(void **state) {
        CLEANUP(store_freep) struct store *store = open_store(), *other = NULL;

        (void)state;
        assert_int_equal(store_open(&other, directory), -EBUSY);
        store = store_free(store);
        assert_int_equal(store_open(&other, directory), 0);
}

static void test_parent_has_to_be_there(void **state) {
        struct store *store;

        (void)state;
        assert_int_equal(rmdir(parent), 0);
        assert_int_equal(store_open(&store, directory), -ENOENT);
}

/* A trainer could let it point anywhere; the user says with a slash that a link is meant. */
static void test_a_link_in_place_of_the_directory(void **state) {
        struct store *store;

        (void)state;
        assert_int_equal(symlink(parent, directory), 0);
        assert_int_equal(store_open(&store, directory), -ENOTDIR);
        (void)strcat(directory, "/");
        assert_int_equal(store_open(&store, directory), 0);
        write_text(store, "one");
        store_free(store);
        directory[strlen(directory) - 1] = '\0';
        assert_int_equal(unlink(directory), 0);
        (void)strcpy(directory, parent);
        assert_kept("one");
}

static void test_listed_without_a_lock(void **state) {
        struct store_slot slots[STORE_SLOTS];
        CLEANUP(buffer_release) struct buffer bytes = BUFFER_INIT(100);
        CLEANUP(store_freep) struct store *store = NULL;
        size_t at[4];

        (void)state;
        assert_int_equal(store_list(directory, slots), -ENOENT);
        write_three(at);
        store = open_store();
        assert_int_equal(store_list(directory, slots), 0);
        for (uint64_t i = 1; i <= 3; i++) {
                assert_int_equal(slots[at[i]].condition, STORE_SLOT_INTACT);
                assert_int_equal(slots[at[i]].generation, i);
                assert_int_equal(slots[at[i]].durable, i - 1);
                assert_int_equal(slots[at[i]].size_bytes, 1);
                assert_true(slots[at[i]].written_us > 0);
        }
        assert_int_equal(store_load(directory, at[2], &bytes), 0);
        assert_string_equal(buffer_string(&bytes), "2");
        assert_int_equal(truncate(path_of(at[2]), 3), 0);
        assert_int_equal(store_load(directory, at[2], &bytes), -EBADMSG);
}

/* --- what is not intact --- */

static void spoil(size_t slot, enum store_condition condition) {
        const char *path = path_of(slot);
        struct stat status;

        assert_int_equal(stat(path, &status), 0);
        switch (condition) {
        case STORE_SLOT_ABSENT:
                assert_int_equal(unlink(path), 0);
                break;
        case STORE_SLOT_EMPTY:
                assert_int_equal(truncate(path, 0), 0);
                break;
        case STORE_SLOT_TORN:
                assert_int_equal(truncate(path, status.st_size - 1), 0);
                break;
        case STORE_SLOT_FOREIGN: /* NULs, as some file systems leave them */
                assert_int_equal(truncate(path, 0), 0);
                assert_int_equal(truncate(path, status.st_size), 0);
                break;
        case STORE_SLOT_NO_FILE:
                assert_int_equal(unlink(path), 0);
                assert_int_equal(mkfifo(path, 0600), 0);
                break;
        default:
                fail();
        }
}

static void test_spoilt_generation_by_generation(void **state) {
        static const enum store_condition conditions[] = { STORE_SLOT_ABSENT, STORE_SLOT_EMPTY, STORE_SLOT_TORN, STORE_SLOT_FOREIGN,
                                                           STORE_SLOT_NO_FILE };
        const char *const texts[] = { NULL, "1", "2", "3" };

        (void)state;
        for (size_t c = 0; c < sizeof(conditions) / sizeof(conditions[0]); c++) {
                size_t at[4];

                write_three(at);
                for (size_t newest = 3; newest >= 1; newest--) {
                        CLEANUP(store_freep) struct store *store = NULL;

                        assert_kept(texts[newest]);
                        spoil(at[newest], conditions[c]);
                        assert_kept(texts[newest - 1]);
                        store = open_store();
                        assert_int_equal(store_slots(store)[at[newest]].condition, conditions[c]);
                }
                /* With nothing left, it begins anew, over whatever is there. */
                {
                        CLEANUP(store_freep) struct store *store = open_store();

                        write_text(store, "anew");
                        assert_int_equal(store_sync(store), 0);
                }
                assert_kept("anew");
                remove_tree(directory);
        }
}

static void read_file(const char *path, char ret_bytes[static 256], size_t *ret_n) {
        CLEANUP(cleanup_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = read(fd, ret_bytes, 256);

        assert_true(n > 0);
        *ret_n = (size_t)n;
}

static void replace_file(const char *path, const char *bytes, size_t n) {
        CLEANUP(cleanup_close) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        assert_int_equal(write(fd, bytes, n), n);
}

static void test_cut_at_every_byte(void **state) {
        char bytes[256];
        size_t at[4], n;

        (void)state;
        write_three(at);
        read_file(path_of(at[3]), bytes, &n);
        for (size_t cut = 0; cut < n; cut++) {
                replace_file(path_of(at[3]), bytes, cut);
                assert_kept("2");
        }
}

static void test_every_bit_counts(void **state) {
        char bytes[256];
        size_t at[4], n;

        (void)state;
        write_three(at);
        read_file(path_of(at[3]), bytes, &n);
        for (size_t bit = 0; bit < 8 * n; bit++) {
                bytes[bit / 8] ^= (char)(1 << bit % 8);
                replace_file(path_of(at[3]), bytes, n);
                assert_kept(bit / 8 >= HEADER_SUSPECT_AT && bit / 8 < HEADER_BYTES ? "3" : "2");
                bytes[bit / 8] ^= (char)(1 << bit % 8);
        }
        replace_file(path_of(at[3]), bytes, n);
        assert_kept("3");
}

/* --- versions --- */

static void write_version(size_t slot, uint16_t major, uint16_t minor, uint64_t generation, const char *text) {
        struct header header = header_of(slice_from(text), generation, 0);
        char bytes[256];

        header.major = major;
        header.minor = minor;
        header_write(&header, bytes);
        memcpy(bytes + HEADER_BYTES, text, strlen(text));
        replace_file(path_of(slot), bytes, HEADER_BYTES + strlen(text));
}

static void test_a_newer_version_is_left_alone(void **state) {
        CLEANUP(buffer_release) struct buffer bytes = BUFFER_INIT(100);
        CLEANUP(store_freep) struct store *store = NULL;
        size_t at[4];

        (void)state;
        write_three(at);
        write_version(at[1], STORE_MAJOR + 1, 0, 4, "newer");
        store = open_store();
        assert_int_equal(store_slots(store)[at[1]].condition, STORE_SLOT_NEWER);
        assert_int_equal(store_slots(store)[at[1]].major, STORE_MAJOR + 1);
        assert_int_equal(store_read(store, &bytes), STORE_NEWER);
        assert_int_equal(bytes.size_bytes, 0);
        assert_int_equal(store_write(store, SLICE("mine")), -EPROTONOSUPPORT);
        store = store_free(store);
        store = open_store();
        assert_int_equal(store_read(store, &bytes), STORE_NEWER);
}

static void test_a_newer_version_that_was_never_whole_is_nothing(void **state) {
        size_t at[4];

        (void)state;
        write_three(at);
        write_version(at[1], STORE_MAJOR + 1, 0, 4, "newer");
        assert_int_equal(truncate(path_of(at[1]), HEADER_BYTES + 2), 0);
        assert_kept("3");
}

static void test_minor_and_earlier_versions_are_read(void **state) {
        (void)state;
        assert_int_equal(mkdir(directory, 0755), 0);
        write_version(0, STORE_MAJOR, 99, 4, "minor");
        assert_kept("minor");
        write_version(1, STORE_MAJOR - 1, 0, 5, "earlier");
        assert_kept("earlier");
}

/* The numbers go on, also after one whose blob is torn, so that the newest is always the last one. */
static void test_numbers_go_on(void **state) {
        CLEANUP(store_freep) struct store *store = NULL;
        size_t at[4];

        (void)state;
        write_three(at);
        spoil(at[3], STORE_SLOT_TORN);
        store = open_store();
        assert_reads(store, "2");
        write_text(store, "next");
        assert_int_equal(store_slots(store)[slot_of(store, 4)].condition, STORE_SLOT_INTACT);
}

/* --- others in the directory --- */

static void test_a_directory_that_is_gone_is_made_again(void **state) {
        CLEANUP(store_freep) struct store *store = open_store(), *other = NULL;

        (void)state;
        write_text(store, "one");
        remove_tree(directory);
        write_text(store, "two");
        assert_int_equal(store_sync(store), 0);
        assert_reads(store, "two");
        assert_int_equal(store_open(&other, directory), -EBUSY);
        store = store_free(store);
        assert_kept("two");
}

/* Between the write and the sync: what was to be durable is. */
static void test_a_directory_that_is_gone_before_the_sync(void **state) {
        CLEANUP(store_freep) struct store *store = open_store();

        (void)state;
        write_text(store, "one");
        remove_tree(directory);
        assert_int_equal(store_sync(store), 0);
        store = store_free(store);
        assert_kept("one");
}

static void test_a_slot_that_is_gone_before_the_sync(void **state) {
        CLEANUP(store_freep) struct store *store = open_store();

        (void)state;
        write_text(store, "one");
        assert_int_equal(unlink(path_of(slot_of(store, 1))), 0);
        assert_int_equal(store_sync(store), 0);
        store = store_free(store);
        assert_kept("one");
}

static void test_a_directory_that_another_process_has_by_now(void **state) {
        CLEANUP(store_freep) struct store *store = open_store(), *other = NULL;

        (void)state;
        write_text(store, "one");
        remove_tree(directory);
        other = open_store();
        write_text(other, "other");
        assert_int_equal(store_write(store, SLICE("two")), -EBUSY);
        assert_int_equal(store_sync(store), -ENOENT);
        assert_reads(other, "other");
        other = store_free(other);
        write_text(store, "three");
        store = store_free(store);
        assert_kept("three");
}

static void test_a_parent_that_is_gone_is_waited_for(void **state) {
        CLEANUP(store_freep) struct store *store = open_store();

        (void)state;
        write_text(store, "one");
        remove_tree(parent);
        assert_int_equal(store_write(store, SLICE("two")), -ENOENT);
        assert_int_equal(store_sync(store), -ENOENT);
        assert_int_equal(mkdir(parent, 0755), 0);
        write_text(store, "three");
        assert_int_equal(store_sync(store), 0);
        store = store_free(store);
        assert_kept("three");
}

/* A link to a file of others is replaced; what it leads to is not touched. */
static void plant(size_t slot, int kind, const char *target) {
        (void)unlink(path_of(slot));
        switch (kind) {
        case 0:
                assert_int_equal(symlink(target, path_of(slot)), 0);
                break;
        case 1:
                assert_int_equal(link(target, path_of(slot)), 0);
                break;
        case 2:
                assert_int_equal(mkfifo(path_of(slot), 0600), 0);
                break;
        default:
                assert_int_equal(mkdir(path_of(slot), 0700), 0);
        }
}

static void test_what_is_planted_in_place_of_a_slot(void **state) {
        char target[128], bytes[256];
        size_t n;

        (void)state;
        (void)snprintf(target, sizeof(target), "%s/target", parent);
        replace_file(target, "precious", 8);
        for (int kind = 0; kind < 4; kind++) {
                CLEANUP(store_freep) struct store *store = open_store();

                for (size_t i = 0; i < STORE_SLOTS; i++)
                        plant(i, kind, target);
                write_text(store, "one");
                write_text(store, "two");
                assert_int_equal(store_sync(store), 0);
                assert_reads(store, "two");
                read_file(target, bytes, &n);
                assert_int_equal(n, 8);
                assert_memory_equal(bytes, "precious", 8);
                store = store_free(store);
                assert_kept("two");
                remove_tree(directory);
        }
}

/* --- what is durable --- */

static void assert_on_disk(const char *text, uint64_t generation) {
        struct store_slot slots[STORE_SLOTS];

        assert_int_equal(store_list(directory, slots), 0);
        for (size_t i = 0; i < STORE_SLOTS; i++)
                if (slots[i].condition == STORE_SLOT_INTACT && slots[i].generation == generation) {
                        CLEANUP(buffer_release) struct buffer bytes = BUFFER_INIT(100);

                        assert_int_equal(store_load(directory, i, &bytes), 0);
                        assert_string_equal(buffer_string(&bytes), text);
                        return;
                }
        fail_msg("generation %llu is not there", (unsigned long long)generation);
}

static void test_the_durable_one_is_not_written_over(void **state) {
        CLEANUP(store_freep) struct store *store = open_store();

        (void)state;
        write_text(store, "durable");
        assert_int_equal(store_sync(store), 0);
        for (int i = 0; i < 7; i++) {
                write_text(store, "more");
                assert_on_disk("durable", 1);
        }
        /* The next process makes durable what it found before it writes over anything. */
        store = store_free(store);
        store = open_store();
        n_syncs = 0;
        for (int i = 0; i < 7; i++) {
                write_text(store, "still more");
                assert_on_disk("more", 8);
        }
        assert_int_equal(n_syncs, 3);
}

static void test_nothing_to_sync_is_no_system_call(void **state) {
        CLEANUP(store_freep) struct store *store = open_store();

        (void)state;
        n_syncs = 0;
        assert_int_equal(store_sync(store), 0);
        assert_int_equal(n_syncs, 0);
        write_text(store, "one");
        assert_int_equal(n_syncs, 0);
        assert_int_equal(store_sync(store), 0);
        assert_int_equal(n_syncs, 3); /* the file, its entry, the directory's entry */
        assert_int_equal(store_sync(store), 0);
        assert_int_equal(n_syncs, 3);
        write_text(store, "two");
        assert_int_equal(store_sync(store), 0);
        assert_int_equal(n_syncs, 5);
        for (int i = 0; i < 4; i++) {
                write_text(store, "more");
                assert_int_equal(store_sync(store), 0);
        }
        assert_int_equal(n_syncs, 10); /* the last slot's entry, and four files */
}

static void test_what_is_found_can_be_made_durable(void **state) {
        CLEANUP(store_freep) struct store *store = open_store();

        (void)state;
        write_text(store, "one");
        store = store_free(store);
        store = open_store();
        n_syncs = 0;
        assert_int_equal(store_sync(store), 0);
        assert_int_equal(n_syncs, 3);
        assert_int_equal(store_sync(store), 0);
        assert_int_equal(n_syncs, 3);
}

/* The process that was told so was killed; Linux does not tell the next one. */
static void test_a_sync_that_failed_before(void **state) {
        CLEANUP(store_freep) struct store *store = open_store();

        (void)state;
        write_text(store, "one");
        assert_int_equal(store_sync(store), 0);
        write_text(store, "two");
        fail_sync = EIO;
        assert_int_equal(store_sync(store), -EIO);
        fail_sync = 0;
        store = store_free(store);
        store = open_store();
        assert_reads(store, "two");
        assert_true(store_slots(store)[slot_of(store, 2)].is_suspect);
        assert_int_equal(store_sync(store), 0);
        assert_on_disk("one", 1);
        assert_on_disk("two", 3);
        for (int i = 0; i < 4; i++) {
                write_text(store, "more");
                assert_on_disk("two", 3);
        }
}

/* An open file, so that its inode is not given to the next one. */
static int hold(size_t slot) {
        int fd = open(path_of(slot), O_RDONLY | O_CLOEXEC);

        assert_true(fd >= 0);
        return fd;
}

static bool is_held(int fd, size_t slot) {
        struct stat held, there;

        assert_int_equal(fstat(fd, &held), 0);
        assert_int_equal(stat(path_of(slot), &there), 0);
        return held.st_ino == there.st_ino;
}

static void test_a_sync_that_fails(void **state) {
        CLEANUP(store_freep) struct store *store = open_store();
        CLEANUP(cleanup_close) int second = -1, third = -1;
        size_t at[4];

        (void)state;
        write_text(store, "1");
        assert_int_equal(store_sync(store), 0);
        write_text(store, "2");
        write_text(store, "3");
        for (size_t i = 1; i <= 3; i++)
                at[i] = slot_of(store, i);
        second = hold(at[2]);
        third = hold(at[3]);
        fail_sync = EIO;
        assert_int_equal(store_sync(store), -EIO);
        fail_sync = 0;
        /* The retry succeeds, but in another file: what was in the first one may be lost all the same. */
        assert_int_equal(store_sync(store), 0);
        assert_on_disk("1", 1);
        assert_on_disk("3", 3);
        assert_on_disk("3", 4);
        assert_int_equal(slot_of(store, 4), at[2]);
        assert_false(is_held(second, at[2]));
        /* And the file that could not be synced is a new one when its turn comes. */
        while (store_slots(store)[at[3]].generation == 3)
                write_text(store, "next");
        assert_false(is_held(third, at[3]));
        assert_on_disk("3", 4);
}

static void test_a_sync_of_the_directory_that_fails(void **state) {
        CLEANUP(store_freep) struct store *store = open_store();

        (void)state;
        write_text(store, "1");
        fail_directory_sync = EIO;
        assert_int_equal(store_sync(store), -EIO);
        assert_int_equal(store_sync(store), -EIO);
        fail_directory_sync = 0;
        assert_int_equal(store_sync(store), 0);
        store = store_free(store);
        assert_kept("1");
}

static void test_writes_that_fail_or_are_short(void **state) {
        static const int errors[] = { ENOSPC, EIO, EDQUOT, EFBIG };
        CLEANUP(store_freep) struct store *store = open_store();
        uint64_t generation = 2;

        (void)state;
        write_text(store, "first");
        assert_int_equal(store_sync(store), 0);
        write_text(store, "second");
        for (size_t e = 0; e < sizeof(errors) / sizeof(errors[0]); e++)
                for (size_t n = 0; n < HEADER_BYTES + 5; n++) {
                        full_bytes = n;
                        fail_write = errors[e];
                        assert_int_equal(store_write(store, SLICE("other")), -errors[e]);
                        fail_write = 0;
                        assert_reads(store, "second");
                        assert_on_disk("first", 1);
                        assert_on_disk("second", generation);
                }
        for (size_t n = 1; n < HEADER_BYTES + 5; n++) {
                short_write_bytes = n;
                write_text(store, n % 2 ? "odd" : "even");
                assert_reads(store, n % 2 ? "odd" : "even");
                assert_on_disk("first", 1);
        }
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_what_is_written_is_read),
                TEST(test_large),
                TEST(test_one_process_at_a_time),
                TEST(test_parent_has_to_be_there),
                TEST(test_a_link_in_place_of_the_directory),
                TEST(test_listed_without_a_lock),
                TEST(test_spoilt_generation_by_generation),
                TEST(test_cut_at_every_byte),
                TEST(test_every_bit_counts),
                TEST(test_a_newer_version_is_left_alone),
                TEST(test_a_newer_version_that_was_never_whole_is_nothing),
                TEST(test_minor_and_earlier_versions_are_read),
                TEST(test_numbers_go_on),
                TEST(test_a_directory_that_is_gone_is_made_again),
                TEST(test_a_directory_that_is_gone_before_the_sync),
                TEST(test_a_slot_that_is_gone_before_the_sync),
                TEST(test_a_directory_that_another_process_has_by_now),
                TEST(test_a_parent_that_is_gone_is_waited_for),
                TEST(test_what_is_planted_in_place_of_a_slot),
                TEST(test_the_durable_one_is_not_written_over),
                TEST(test_nothing_to_sync_is_no_system_call),
                TEST(test_what_is_found_can_be_made_durable),
                TEST(test_a_sync_that_failed_before),
                TEST(test_a_sync_that_fails),
                TEST(test_a_sync_of_the_directory_that_fails),
                TEST(test_writes_that_fail_or_are_short),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
