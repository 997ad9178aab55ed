#include "source/followed.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

/* --- the trees --- */

static int compare_paths(const void *a, const void *b) {
        const struct followed *left = a, *right = b;

        return strcmp(file_path(left->file), file_path(right->file));
}

/* tfind(3) hands its key as the first argument, in glibc as in musl. */
static int compare_path(const void *path, const void *followed) {
        return strcmp(path, file_path(((const struct followed *)followed)->file));
}

/* By number alone: two files of one number at a time are of two file systems, and rare. */
static int compare_inodes(ino_t a, ino_t b) {
        return a < b ? -1 : a > b;
}

static int compare_ids(const void *a, const void *b) {
        const struct followed *left = a, *right = b;
        int order = compare_inodes(left->id.inode, right->id.inode);

        return order ? order : left->id.born_ns < right->id.born_ns ? -1 : left->id.born_ns > right->id.born_ns;
}

void files_unindex(struct files *files, struct followed *followed) {
        if (followed->is_indexed)
                tdelete(followed, &files->by_id, compare_ids);
        followed->is_indexed = false;
}

/* One that was started over is under its old id until it is opened again. */
static bool is_stale(const struct followed *followed) {
        return !file_has_id(followed->file) || !file_id_is(file_id(followed->file), followed->id);
}

static struct followed *find_indexed(struct files *files, struct file_id id) {
        struct followed key = { .id = id };
        void *node = tfind(&key, &files->by_id, compare_ids);
        struct followed *found = node ? *(struct followed **)node : NULL;

        if (!found || !is_stale(found))
                return found;
        files_unindex(files, found);
        return NULL;
}

void files_index(struct files *files, struct followed *followed) {
        struct followed **node;

        files_unindex(files, followed);
        followed->id = file_id(followed->file);
        (void)find_indexed(files, followed->id); /* makes way, where it is stale */
        node = tsearch(followed, &files->by_id, compare_ids);
        followed->is_indexed = node && *node == followed;
        files->has_hidden = files->has_hidden || !followed->is_indexed;
}

struct followed *files_find_path(const struct files *files, const char *path) {
        void *node = tfind(path, &files->by_path, compare_path);

        return node ? *(struct followed **)node : NULL;
}

struct followed *files_find_id(struct files *files, struct file_id id) {
        struct followed *found = find_indexed(files, id), **list;
        size_t n = 0;

        if (found || !files->has_hidden)
                return found;
        list = files_list(files, &n);
        for (size_t i = 0; list && i < n && !found; i++)
                if (file_has_id(list[i]->file) && file_id_is(file_id(list[i]->file), id))
                        found = list[i];
        free(list);
        if (found)
                files_index(files, found);
        return found;
}

/* --- strays --- */

static bool add_stray(struct files *files, struct followed *followed) {
        struct followed **strays = reallocarray(files->strays, files->n_strays + 1, sizeof(struct followed *));

        if (!strays)
                return false;
        files->strays = strays;
        strays[files->n_strays++] = followed;
        followed->is_stray = true;
        return true;
}

static void remove_stray(struct files *files, struct followed *followed) {
        for (size_t i = 0; i < files->n_strays; i++)
                if (files->strays[i] == followed) {
                        memmove(files->strays + i, files->strays + i + 1,
                                (--files->n_strays - i) * sizeof(struct followed *));
                        return;
                }
}

static bool add_path(struct files *files, struct followed *followed) {
        struct followed **node = tsearch(followed, &files->by_path, compare_paths);

        followed->is_stray = false;
        return node && *node == followed;
}

static void detach(struct files *files, struct followed *followed) {
        if (followed->is_stray)
                remove_stray(files, followed);
        else
                tdelete(followed, &files->by_path, compare_paths);
}

/* --- one of them --- */

struct followed *files_take(struct files *files, struct file *file, const struct tail_place *place, bool is_stray) {
        struct followed *followed = calloc(1, sizeof(*followed));

        if (!followed) {
                file_free(file);
                return NULL;
        }
        *followed = (struct followed){ .file = file, .place = place, .watch = -1 };
        if (is_stray ? !add_stray(files, followed) : !add_path(files, followed)) {
                file_free(file);
                free(followed);
                return NULL;
        }
        files->n++;
        return followed;
}

void files_remove(struct files *files, struct followed *followed) {
        files_unindex(files, followed);
        detach(files, followed);
        files->n--;
        followed->is_removed = true;
        followed->next_removed = files->removed;
        files->removed = followed;
}

void files_sweep(struct files *files) {
        while (files->removed) {
                struct followed *followed = files->removed;

                files->removed = followed->next_removed;
                file_free(followed->file);
                free(followed);
        }
}

bool files_move(struct files *files, struct followed *followed, const char *path) {
        detach(files, followed);
        if (file_set_path(followed->file, path) == 0 && add_path(files, followed))
                return true;
        (void)add_stray(files, followed);
        return false;
}

bool files_make_stray(struct files *files, struct followed *followed) {
        if (followed->is_stray)
                return true;
        tdelete(followed, &files->by_path, compare_paths);
        if (add_stray(files, followed))
                return true;
        (void)add_path(files, followed);
        return false;
}

void files_replace(struct files *files, struct followed *followed, struct file *take_file) {
        files_unindex(files, followed);
        file_free(followed->file);
        followed->file = take_file;
        followed->is_copy = false;
}

/* --- all of them --- */

static void visit(const void *node, VISIT order, void *userdata) {
        struct followed ***next = userdata;

        if (order == postorder || order == leaf)
                *(*next)++ = *(struct followed *const *)node;
}

struct followed **files_list(const struct files *files, size_t *ret_n) {
        struct followed **list = calloc(files->n + 1, sizeof(struct followed *)), **next = list;

        *ret_n = 0;
        if (!list)
                return NULL;
        for (size_t i = 0; i < files->n_strays; i++)
                *next++ = files->strays[i];
        twalk_r(files->by_path, visit, &next);
        *ret_n = (size_t)(next - list);
        return list;
}

void files_release(struct files *files) {
        size_t n;
        struct followed **list = files_list(files, &n);

        for (size_t i = 0; list && i < n; i++)
                files_remove(files, list[i]);
        free(list);
        files_sweep(files);
        free(files->strays);
        *files = (struct files){ 0 };
}
