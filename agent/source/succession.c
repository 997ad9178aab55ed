/* What becomes of a file whose path leads to another, or that was written anew.
 *
 *   renamed      it goes on under its new name, or, where that is in no place, by its descriptor
 *   deleted      it is read to its end and closed
 *   replaced     the old one is one of the above; the new one begins at its start
 *   truncated    it begins at its start; what was not read before is read from the copy, where
 *                somebody made one (logrotate's copytruncate), or is lost
 *   copied       what a copy holds was read already, so a copy is passed over until it holds more
 *
 * The same holds for what happened while no agent was running: then the old file is known by its
 * identity and by its fingerprint alone. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "source/tail_state.h"

enum {
        STRAYS_MAX = 64,
        GONE_MAX = 64,
        MISSED_MAX = 4,
        COPY_BYTES_MIN = 64, /* shorter files are alike by chance */
};

static void look_at_one(struct tail *tail, struct followed *followed);

/* --- names --- */

static const char *name_of(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

/* Without its last extension: metrics of metrics.jsonl. */
static size_t stem_bytes(const char *name) {
        const char *dot = strrchr(name, '.');

        return dot && dot > name ? (size_t)(dot - name) : strlen(name);
}

/* Is that a name that rotation or a copy would give: metrics.jsonl.1, metrics-2026.jsonl? */
static bool is_named_after(const char *name, const char *original) {
        size_t n = stem_bytes(original);

        return strncmp(name, original, n) == 0 && (!name[n] || strchr(".-_~ (", name[n]));
}

int compare_generations(const char *a, const char *b) {
        size_t n = 0;

        while (a[n] && a[n] == b[n])
                n++;
        while (n > 0 && isdigit((unsigned char)a[n - 1]))
                n--;
        if (isdigit((unsigned char)a[n]) && isdigit((unsigned char)b[n]))
                return strverscmp(b, a);
        if (!a[n] || !b[n]) /* metrics.jsonl.1 is older than metrics.jsonl */
                return a[n] ? -1 : b[n] ? 1 : 0;
        return strcmp(a, b);
}

/* --- making --- */

static void finish(struct tail *tail, struct followed *followed) {
        watches_remove(tail->watches, followed->watch);
        followed->watch = -1;
        file_finish(followed->file);
}

static void forget(struct tail *tail, struct followed *followed) {
        finish(tail, followed);
        tail->n_gone -= followed->gone > 0;
        tail->gone_files += file_has_content(followed->file);
        tail->gone_recognised += file_is_recognised(followed->file);
        files_remove(&tail->files, followed);
}

static bool is_beside(const char *a, const char *b) {
        size_t n = (size_t)(name_of(a) - a);

        return (size_t)(name_of(b) - b) == n && strncmp(a, b, n) == 0;
}

/* Has the name of one, without extension, in it: as metrics.json and .metrics.json.x7f do. Runs that are called
 * otherwise may well say the same first. */
static bool is_named_with(const char *name, const char *original) {
        return memmem(name, strlen(name), original, stem_bytes(original)) != NULL;
}

static const struct file *find_kin(void *userdata, const struct file *file, uint32_t first) {
        const struct tail *tail = userdata;
        size_t n;
        CLEANUP(cleanup_free) struct followed **list = files_list(&tail->files, &n);

        for (size_t i = 0; list && i < n; i++) {
                uint32_t other;

                if (list[i]->file != file && file_first_said(list[i]->file, &other) && other == first &&
                    is_beside(file_path(list[i]->file), file_path(file)) &&
                    is_named_with(name_of(file_path(file)), name_of(file_path(list[i]->file))))
                        return list[i]->file;
        }
        return NULL;
}

static struct file *make_file(struct tail *tail, const char *path, const char *source,
                              const struct tail_place *place, const struct file_kept *kept) {
        struct file_config config = {
                .path = path, .source = source, .kept = kept,
                .format = place ? place->format : NULL,
                .is_named = place && place->is_named,
                .filters = tail->config.filters, .sink = tail->config.sink,
                .find_kin = find_kin, .userdata = tail,
        };
        struct file *file = NULL;

        if (file_new(&file, &config) < 0)
                log_error("%s: not followed: no memory", path);
        return file;
}

/* The oldest of too many is let go. */
static void bound_strays(struct tail *tail) {
        if (tail->files.n_strays < STRAYS_MAX)
                return;
        log_info("%s: was renamed, and so were %d others since: followed no more", file_path(tail->files.strays[0]->file),
                 STRAYS_MAX - 1);
        forget(tail, tail->files.strays[0]);
}

static struct followed *add(struct tail *tail, const char *path, const char *source, const struct tail_place *place,
                            const struct file_kept *kept, bool is_stray) {
        struct file *file = make_file(tail, path, source, place, kept);

        if (is_stray)
                bound_strays(tail);
        return file ? files_take(&tail->files, file, place, is_stray) : NULL;
}

int tail_go_on(struct tail *tail, const struct file_kept *kept, bool is_stray) {
        const struct tail_place *place = place_of(tail, kept->source);
        struct followed *followed;

        if (!place) /* another set of flags than then */
                return 0;
        if (!is_stray && files_find_path(&tail->files, kept->path))
                return 0;
        followed = add(tail, kept->path, kept->source, place, kept, is_stray);
        if (!followed)
                return -ENOMEM;
        if (kept->print.offset_bytes > 0)
                files_index(&tail->files, followed);
        return 0;
}

/* --- what was followed under another name --- */

static void account_for_lost(struct tail *tail, const struct followed *followed) {
        uint64_t lost_bytes = file_unread_bytes(followed->file);

        if (lost_bytes > 0)
                tail->config.lost(tail->config.userdata, file_path(followed->file), lost_bytes);
        file_forgo(followed->file);
}

/* The one that is followed as the file at path, which may be a stray. */
static struct followed *find_at(struct tail *tail, const char *path, struct file_id id) {
        struct followed *followed = files_find_id(&tail->files, id);

        return followed && strcmp(file_path(followed->file), path) == 0 ? followed : files_find_path(&tail->files, path);
}

/* What was followed under this path is another file, which has moved on as well: it is a stray until it is met. */
static bool was_elsewhere(struct tail *tail, struct followed *followed, struct file_id id) {
        return !followed->is_stray && file_has_id(followed->file) && !file_id_is(file_id(followed->file), id) &&
               files_make_stray(&tail->files, followed);
}

/* Reads on where kept was left, in the file at path that is it, or a copy of it. */
static void take_up(struct tail *tail, const struct file_kept *kept, const char *source,
                    const struct tail_place *place, const char *path, struct file_id id) {
        struct file_kept moved = *kept;
        struct followed *followed = find_at(tail, path, id);
        bool is_stray = place_of(tail, path) == NULL, more = tail->more;
        struct file *file;

        moved.id = id;
        file = make_file(tail, path, source, place, &moved);
        if (!file)
                return;
        log_debug("%s goes on in %s", kept->path, path);
        if (followed && was_elsewhere(tail, followed, id))
                followed = NULL;
        if (followed && !followed->is_copy && !file_is_new(followed->file))
                account_for_lost(tail, followed);
        if (!followed && is_stray)
                bound_strays(tail);
        if (followed)
                files_replace(&tail->files, followed, file);
        else
                followed = files_take(&tail->files, file, place, is_stray);
        if (!followed)
                return;
        /* All of it, so that what is older comes first. */
        do {
                tail->more = false;
                look_at_one(tail, followed);
        } while (tail->more && !followed->is_removed);
        tail->more = more;
}

struct sibling {
        char *path;
        struct file_status status;
};

struct siblings {
        struct sibling list[STRAYS_MAX];
        size_t n;
};

static int compare_siblings(const void *a, const void *b) {
        const struct sibling *left = a, *right = b;

        if (left->status.written_ns != right->status.written_ns)
                return left->status.written_ns < right->status.written_ns ? -1 : 1;
        return compare_generations(left->path, right->path);
}

/* Is it followed for what it holds? Not when it was written over since, as by a copy of another one. */
static bool is_settled(const struct followed *followed) {
        return !followed->is_copy && !file_is_new(followed->file) &&
               (!file_is_open(followed->file) || print_fits(file_print(followed->file), file_fd(followed->file)));
}

/* The files beside path that are named after it and that are not followed for what they hold; the oldest first. */
static void siblings_find(struct tail *tail, const struct followed *sought, const char *path, struct siblings *siblings) {
        char directory_path[PATH_MAX], sibling[PATH_MAX];
        const struct dirent *entry;
        DIR *directory;

        siblings->n = 0;
        (void)snprintf(directory_path, sizeof(directory_path), "%s", path);
        directory = opendir(dirname(directory_path));
        while (directory && (entry = readdir(directory)) && siblings->n < STRAYS_MAX) {
                struct file_status status;
                const struct followed *followed;

                if (!is_named_after(entry->d_name, name_of(path)) || strcmp(entry->d_name, name_of(path)) == 0 ||
                    (size_t)snprintf(sibling, sizeof(sibling), "%s%s%s", strchr(path, '/') ? directory_path : "",
                                     strchr(path, '/') ? "/" : "", entry->d_name) >= sizeof(sibling) ||
                    file_status_at(sibling, false, &status) < 0 || !S_ISREG(status.mode))
                        continue;
                followed = files_find_id(&tail->files, status.id);
                if (followed && followed != sought && is_settled(followed))
                        continue;
                siblings->list[siblings->n].path = strdup(sibling);
                siblings->list[siblings->n].status = status;
                siblings->n += siblings->list[siblings->n].path != NULL;
        }
        if (directory)
                closedir(directory);
        qsort(siblings->list, siblings->n, sizeof(siblings->list[0]), compare_siblings);
}

static void siblings_release(struct siblings *siblings) {
        for (size_t i = 0; i < siblings->n; i++)
                free(siblings->list[i].path);
}

static bool holds(const char *path, const struct print *print) {
        CLEANUP(cleanup_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);

        return fd >= 0 && print_fits(print, fd);
}

/* Is what we followed in this one now? */
static bool is_continued_in(const struct file_kept *kept, const struct sibling *sibling) {
        if (kept->print.offset_bytes == 0)
                return false;
        return (file_id_is(kept->id, sibling->status.id) || kept->print.offset_bytes >= COPY_BYTES_MIN) &&
               sibling->status.size_bytes >= (int64_t)kept->print.offset_bytes && holds(sibling->path, &kept->print);
}

/* A file that came and was rotated away between two looks. Where a whole directory is searched, such are
 * found there. */
static bool is_generation_between(const struct followed *followed, const struct file_kept *kept,
                                  const struct sibling *sibling) {
        size_t n = strlen(name_of(kept->path));
        const char *name = name_of(sibling->path);

        return followed->place && place_is_file(followed->place) && kept->written_ns > 0 &&
               sibling->status.written_ns >= kept->written_ns && strncmp(name, name_of(kept->path), n) == 0 &&
               strchr(".-_~", name[n]) != NULL;
}

static void follow_generation(struct tail *tail, const struct followed *followed, const struct sibling *sibling) {
        struct followed *generation;

        if (files_find_id(&tail->files, sibling->status.id))
                return;
        generation = add(tail, sibling->path, file_path(followed->file), followed->place, NULL, true);
        if (generation)
                look_at_one(tail, generation);
}

/* The content that was followed is at its path no more. Where it is now, what is left of it is read;
 * then the path may start over. is_elsewhere: we have it open still, only others are to be found. False: it
 * is nowhere. */
static bool seek(struct tail *tail, struct followed *followed, bool is_elsewhere) {
        struct file_kept kept = file_keep(followed->file);
        struct siblings siblings;
        bool is_found = is_elsewhere;

        if (kept.print.offset_bytes == 0 && !is_elsewhere)
                return true;
        siblings_find(tail, is_elsewhere ? NULL : followed, kept.path, &siblings);
        for (size_t i = 0; i < siblings.n && !is_found; i++)
                if (is_continued_in(&kept, &siblings.list[i])) {
                        is_found = true;
                        files_unindex(&tail->files, followed);
                        take_up(tail, &kept, kept.source, followed->place, siblings.list[i].path,
                                siblings.list[i].status.id);
                }
        if (!is_found)
                account_for_lost(tail, followed);
        for (size_t i = 0; i < siblings.n; i++)
                if (is_generation_between(followed, &kept, &siblings.list[i]))
                        follow_generation(tail, followed, &siblings.list[i]);
        siblings_release(&siblings);
        return is_found;
}

/* --- copies --- */

/* May one be a copy of the other, by its name? Of a file that said nothing, none matters. */
static bool may_be_copy(const struct followed *copy, const struct followed *original) {
        struct file_kept kept = file_keep(original->file);

        return original != copy && !original->is_copy && !original->is_removed && kept.records > 0 &&
               kept.print.offset_bytes >= COPY_BYTES_MIN && is_named_after(name_of(file_path(copy->file)), name_of(kept.path));
}

static int64_t size_of(const struct followed *followed) {
        struct stat status;

        return fstat(file_fd(followed->file), &status) == 0 ? status.st_size : 0;
}

/* Is its content what we read of it? It is read to its end first. */
static bool is_intact(struct followed *original) {
        int r;

        if (!file_is_open(original->file))
                return false;
        do
                r = file_read(original->file, INT64_MAX);
        while (r == FILE_MORE);
        return r == 0;
}

/* What a copy holds was read from the original: it goes on where that was left. True: this one is settled;
 * a copy that is not complete yet is not to be read. In another directory, only what takes the place of one that
 * is gone is a copy: runs of their own may well say the same. */
static bool settle_copy(struct tail *tail, struct followed *copy, struct followed *original) {
        bool intact = is_intact(original);
        struct file_kept kept = file_keep(original->file);
        int64_t size_bytes = size_of(copy);

        if (size_bytes < COPY_BYTES_MIN || (intact && !is_beside(file_path(copy->file), file_path(original->file))))
                return false;
        if (print_fits(&kept.print, file_fd(copy->file))) {
                take_up(tail, &kept, intact ? file_path(copy->file) : kept.source, original->place,
                        file_path(copy->file), file_id(copy->file));
                if (!intact)
                        file_start_over(original->file);
                return true;
        }
        copy->is_copy = intact && size_bytes < (int64_t)kept.print.offset_bytes &&
                        print_is_copy(file_fd(copy->file), file_fd(original->file), (uint64_t)size_bytes);
        return copy->is_copy;
}

/* A file that nothing was read of yet. */
static bool is_settled_as_copy(struct tail *tail, struct followed *followed) {
        size_t n;
        CLEANUP(cleanup_free) struct followed **list = files_list(&tail->files, &n);

        followed->is_copy = false;
        for (size_t i = 0; list && i < n; i++)
                if (may_be_copy(followed, list[i]) && settle_copy(tail, followed, list[i]))
                        return true;
        return false;
}

/* --- one path --- */

static void start_anew(struct tail *tail, struct followed *followed) {
        bool is_found = seek(tail, followed, false);

        followed->was_truncated = !is_found && !followed->was_drained && file_first_said(followed->file, &followed->first_before);
        followed->was_drained = false;
        file_start_over(followed->file);
}


/* A file that was written anew and begins as before is the next version of the same. One that does not may
 * have had lines at its end that nobody saw. */
static void judge_truncation(struct tail *tail, struct followed *followed) {
        uint32_t first;

        if (!followed->was_truncated || file_keep(followed->file).records == 0)
                return;
        followed->was_truncated = false;
        if (file_first_said(followed->file, &first) && first != followed->first_before)
                tail->config.lost(tail->config.userdata, file_path(followed->file), 0);
}

/* What was written after its end was read, and before this, is no event. */
static void watch_stray(struct tail *tail, struct followed *followed) {
        followed->watch = watches_file(tail->watches, file_fd(followed->file));
        tail->more = true;
}

/* Its path leads elsewhere. It is read to its end; then it is a stray, or, when it was deleted, closed.
 * FILE_MORE: not at its end yet. */
static int leave(struct tail *tail, struct followed *followed) {
        int r = followed->is_copy ? 0 : file_read(followed->file, INT64_MAX);

        if (r == -ENOMEM)
                tail->config.failed(tail->config.userdata, r);
        if (r == FILE_CHANGED)
                start_anew(tail, followed);
        if (r == FILE_CHANGED || r == FILE_MORE)
                return FILE_MORE;
        judge_truncation(tail, followed);
        if (!file_is_linked(followed->file) || followed->is_copy || file_is_refused(followed->file)) {
                finish(tail, followed);
                followed->was_drained = true;
                return 0;
        }
        log_debug("%s: was renamed, followed on", file_path(followed->file));
        (void)seek(tail, followed, true);
        bound_strays(tail);
        if (!files_make_stray(&tail->files, followed))
                finish(tail, followed);
        else if (followed->watch < 0)
                watch_stray(tail, followed);
        return 0;
}

static void park_all(struct tail *tail) {
        size_t n;
        CLEANUP(cleanup_free) struct followed **list = files_list(&tail->files, &n);

        log_debug("too many open files: those that were read to their end are closed");
        for (size_t i = 0; list && i < n; i++)
                if (!list[i]->is_stray && file_is_open(list[i]->file) && file_unread_bytes(list[i]->file) == 0)
                        file_park(list[i]->file);
}

/* The directory that a place leads to may be another than when the file was first met. A stray lies wherever
 * it was moved to. */
static int open_in_place(const struct tail *tail, const struct followed *followed) {
        bool is_bound = !followed->is_stray && followed->place;
        int r = file_set_root(followed->file, is_bound ? place_root(tail, followed->place) : NULL);

        return r == 0 ? file_open(followed->file) : r;
}

static int open_known(struct tail *tail, struct followed *followed) {
        struct file_status status;
        int r = open_in_place(tail, followed);

        if (r == -EMFILE || r == -ENFILE) {
                park_all(tail);
                r = open_in_place(tail, followed);
        }
        if (r != 0)
                return r;
        files_index(&tail->files, followed);
        /* The directory of a link does not see what is written to its target. */
        if (followed->watch < 0 && (followed->is_stray || (file_status_at(file_path(followed->file), false, &status) == 0 &&
                                                           S_ISLNK(status.mode))))
                followed->watch = watches_file(tail->watches, file_fd(followed->file));
        return 0;
}

/* Opens what the path leads to; what it led to before is found first. */
static int open_path(struct tail *tail, struct followed *followed) {
        int r = open_known(tail, followed);

        if (r != FILE_OTHER)
                return r;
        start_anew(tail, followed);
        return open_known(tail, followed);
}

/* Two generations of one file, by their names? */
static bool are_related(const char *a, const char *b) {
        return is_named_after(name_of(a), name_of(b)) || is_named_after(name_of(b), name_of(a));
}

static bool is_older(const struct followed *followed, int64_t written_ns, const struct followed *other) {
        const char *path = file_path(followed->file), *than = file_path(other->file);
        int64_t than_ns = file_written_ns(other->file);

        return written_ns < than_ns || (written_ns == than_ns && compare_generations(path, than) < 0);
}

/* Where a generation was read before an older one, by a rotation between the two looks, what the older one
 * says is not the latest. */
static void compare_age(struct tail *tail, struct followed *followed) {
        size_t n;
        CLEANUP(cleanup_free) struct followed **list = NULL;
        struct stat status;

        if (followed->was_looked_at && !followed->is_stray)
                return;
        followed->was_looked_at = true;
        if (fstat(file_fd(followed->file), &status) < 0)
                return;
        list = files_list(&tail->files, &n);
        for (size_t i = 0; list && i < n; i++)
                if (list[i] != followed && !list[i]->is_copy && file_keep(list[i]->file).records > 0 &&
                    list[i]->was_looked_at && are_related(file_path(followed->file), file_path(list[i]->file)) &&
                    is_older(followed, status.st_mtim.tv_sec * INT64_C(1000000000) + status.st_mtim.tv_nsec, list[i])) {
                        file_is_behind(followed->file);
                        return;
                }
}

/* 0, FILE_MORE, FILE_LATER, negative errno. */
static int read_on(struct tail *tail, struct followed *followed) {
        int r;

        if (file_is_new(followed->file) && is_settled_as_copy(tail, followed))
                return 0;
        compare_age(tail, followed);
        r = file_read(followed->file, tail->is_finishing ? INT64_MAX : loop_now_ms(tail->loop));
        judge_truncation(tail, followed);
        if (r == -ENOMEM)
                tail->config.failed(tail->config.userdata, r);
        if (r != FILE_CHANGED)
                return r;
        log_debug("%s: was written anew, so it is read from its start", file_path(followed->file));
        start_anew(tail, followed);
        return FILE_MORE;
}

static void note_outcome(struct tail *tail, struct followed *followed, int r) {
        file_set_error(followed->file, r < 0 ? r : 0);
        if (r == FILE_MORE)
                tail->more = true;
        else if (r == FILE_LATER && file_due_ms(followed->file) < tail->due_ms)
                tail->due_ms = file_due_ms(followed->file);
        else if ((r == -EACCES || r == -EPERM) && tail_says_first(tail, file_path(followed->file)))
                log_warning("%s: cannot be read: %s", file_path(followed->file), strerror(-r));
        else if (r < 0)
                log_debug("%s: %s", file_path(followed->file), strerror(-r));
}

static void look_at_one(struct tail *tail, struct followed *followed) {
        int r = file_is_open(followed->file) ? 0 : open_path(tail, followed);

        if (r == 0)
                r = read_on(tail, followed);
        if (!followed->is_removed)
                note_outcome(tail, followed, r);
}

/* A directory that is renamed in while it is read may hide a file, under its old name and under its new one
 * (readdir(3) leaves open what is seen then): it is read again. */
static bool may_turn_up(struct tail *tail, struct followed *followed) {
        if ((followed->place && place_is_file(followed->place)) || ++followed->missed > MISSED_MAX)
                return false;
        tail->rescan = true;
        return true;
}

static void look_at_stray(struct tail *tail, struct followed *followed) {
        bool more = tail->more;

        /* After a restart of ours. Under its old path another one may be. */
        if (!file_is_open(followed->file) && open_known(tail, followed) != 0) {
                if (may_turn_up(tail, followed))
                        return;
                (void)seek(tail, followed, false);
                if (!followed->is_removed) /* as one too many */
                        forget(tail, followed);
                return;
        }
        tail->more = false;
        look_at_one(tail, followed);
        if (!followed->is_removed && !tail->more && !file_is_linked(followed->file))
                forget(tail, followed);
        tail->more = tail->more || more;
}

/* The one that is gone the longest is not known any more. */
static void bound_gone(struct tail *tail) {
        size_t n;
        CLEANUP(cleanup_free) struct followed **list = NULL;
        struct followed *oldest = NULL;

        if (tail->n_gone <= GONE_MAX)
                return;
        list = files_list(&tail->files, &n);
        for (size_t i = 0; list && i < n; i++)
                if (list[i]->gone > 0 && (!oldest || list[i]->gone < oldest->gone))
                        oldest = list[i];
        if (oldest)
                forget(tail, oldest);
}

/* The path of a file that is followed leads nowhere now. What is known of it stays: the path may come back
 * with the same content, or a copy turn up. */
static void look_at_nothing(struct tail *tail, struct followed *followed) {
        if (file_is_open(followed->file) && leave(tail, followed) == FILE_MORE) {
                tail->more = true;
                return;
        }
        if (followed->is_stray || followed->gone > 0)
                return;
        if (!file_is_recognised(followed->file) || (!file_is_new(followed->file) && seek(tail, followed, false))) {
                if (!followed->is_removed)
                        forget(tail, followed);
                return;
        }
        file_set_error(followed->file, 0);
        followed->gone = ++tail->gone;
        tail->n_gone++;
        bound_gone(tail);
}

void look_at_followed(struct tail *tail, struct followed *followed, const struct file_status *status) {
        struct file_id id = file_id(followed->file);

        if (status && followed->gone > 0) {
                followed->gone = 0;
                tail->n_gone--;
        }
        if (followed->is_stray) {
                look_at_stray(tail, followed);
        } else if (!status) {
                look_at_nothing(tail, followed);
        } else if (file_is_open(followed->file) && (!file_id_is(id, status->id) || id.device != status->id.device)) {
                if (leave(tail, followed) == FILE_MORE)
                        tail->more = true;
                else
                        look_at_file(tail, file_path(followed->file), status);
        } else if (!file_is_as(followed->file, status)) {
                look_at_one(tail, followed);
        }
}

/* The file at path is followed under another name: it was renamed, and goes on under this one. NULL: both
 * names are there, and once is enough. */
static struct followed *take_name(struct tail *tail, struct followed *followed, const char *path) {
        struct file_status status;
        const char *old = file_path(followed->file);

        if (!followed->is_stray && file_status_at(old, true, &status) == 0 && file_id_is(status.id, followed->id))
                return NULL;
        log_debug("%s is now %s", old, path);
        watches_remove(tail->watches, followed->watch);
        followed->watch = -1;
        (void)files_move(&tail->files, followed, path);
        return followed;
}

/* A file that is followed took the path of another one that is. Is it that one's next version, written
 * beside it and moved over it? Else the one at the path is left, as by rotation. */
static bool is_next_version(const struct followed *known, const struct followed *followed) {
        uint32_t first, other;
        bool is_deleted = followed->was_drained || (file_is_open(followed->file) && !file_is_linked(followed->file));

        /* One that we have not open, after a restart of ours, may as well be under another name. */
        if (!is_deleted || !file_first_said(followed->file, &other))
                return false;
        return file_is_new(known->file) || (file_first_said(known->file, &first) && first == other);
}

/* It was not seen since a restart of ours, or was closed for want of descriptors, and its path leads to another
 * file: under what name it is now is not known yet. It is a stray until places were looked at. */
static bool is_to_be_found(struct tail *tail, struct followed *followed) {
        if (file_is_open(followed->file) || !followed->is_indexed || followed->was_drained || followed->gone > 0 ||
            !files_make_stray(&tail->files, followed))
                return false;
        return tail->rescan = true;
}

/* Does its path lead to another file, that is not followed, while it may be met under another name? */
static bool is_superseded(const struct followed *followed, const struct file_status *status) {
        return followed->place && !place_is_file(followed->place) && !file_id_is(followed->id, status->id);
}

/* The one that is followed under this path now; NULL: none, or there is nothing to look at. */
static struct followed *settle_name(struct tail *tail, struct followed *known, struct followed *followed, const char *path) {
        if (followed && is_next_version(known, followed)) {
                file_inherit(followed->file, known->file);
                forget(tail, known);
                return followed;
        }
        if (followed && file_is_open(followed->file) && leave(tail, followed) == FILE_MORE) {
                tail->more = true;
                return NULL;
        }
        if (followed && files_find_path(&tail->files, path) == followed && !is_to_be_found(tail, followed))
                forget(tail, followed);
        return take_name(tail, known, path);
}

void look_at_file(struct tail *tail, const char *path, const struct file_status *status) {
        struct followed *followed = files_find_path(&tail->files, path);
        struct followed *known = status ? files_find_id(&tail->files, status->id) : NULL;
        const struct tail_place *place = place_of(tail, path);

        if (known && known != followed && known->id.device == status->id.device) {
                followed = settle_name(tail, known, followed, path);
                if (!followed)
                        return;
        }
        if (!known && followed && status && is_superseded(followed, status) && is_to_be_found(tail, followed))
                followed = NULL;
        if (!followed && status && place)
                followed = add(tail, path, NULL, place, NULL, false);
        if (followed)
                look_at_followed(tail, followed, status);
}
