#include "formats/tags.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "formats/keys.h"

/* --- names from the path --- */

/* Cuts the last part off a path. */
static struct slice take_last(struct slice *path) {
        const char *slash = path->size_bytes ? memrchr(path->data, '/', path->size_bytes) : NULL;
        size_t n = slash ? (size_t)(slash - path->data) : 0, skipped = slash ? n + 1 : 0;
        struct slice last = { path->data + skipped, path->size_bytes - skipped };

        path->size_bytes = n;
        return last;
}

static bool is_split(struct slice folder) {
        static const char *const splits[] = { "train", "training", "learn", "dev",  "val",
                                              "valid", "validation", "eval", "test" };

        for (size_t i = 0; i < sizeof(splits) / sizeof(splits[0]); i++)
                if (folder.size_bytes == strlen(splits[i]) &&
                    strncasecmp(folder.data, splits[i], folder.size_bytes) == 0)
                        return true;
        return false;
}

static bool is_word(char c) {
        return isalnum((unsigned char)c) || (c & 0x80) || c == '_';
}

/* A tag "val/loss", "val_loss" in the folder "val" says it already. */
static bool is_said(struct slice tag, struct slice folder) {
        return tag.size_bytes > folder.size_bytes &&
               strncasecmp(tag.data, folder.data, folder.size_bytes) == 0 &&
               (tag.data[folder.size_bytes] == '_' || !is_word(tag.data[folder.size_bytes]));
}

/* Writers keep letters, digits, '-', '.', '_' and '/' of a tag; all else is '_' in it, but not in the
 * folder's name. A slash is '_' in torch's folder. */
static bool could_be(char of_tag, char of_folder, char slash) {
        if (of_tag == '/')
                return of_folder == slash;
        return of_tag == of_folder ||
               (of_tag == '_' && !is_word(of_folder) && !strchr("-./", of_folder));
}

static bool starts_with_tag(struct slice folder, struct slice tag, char slash) {
        if (folder.size_bytes < tag.size_bytes)
                return false;
        for (size_t i = 0; i < tag.size_bytes; i++)
                if (!could_be(tag.data[i], folder.data[i], slash))
                        return false;
        return true;
}

/* The file of a process's first writer is called "….<host>.<process>.0": the writers of
 * add_scalars() come after the run's own. */
static bool is_first_writer(struct slice file) {
        const char *at, *end;

        if (file.size_bytes < 2 || memcmp(file.data + file.size_bytes - 2, ".0", 2) != 0)
                return false;
        at = end = file.data + file.size_bytes - 2;
        while (at > file.data && isdigit((unsigned char)at[-1]))
                at--;
        return at < end && at > file.data && at[-1] == '.';
}

/* add_scalars("a/b", {"x": …}) writes the tag "a/b" into a folder of its own: "<run>/a_b_x" by torch,
 * "<run>/a/b/x" by tensorboardX. Finds x. */
static bool find_series(struct slice source, struct slice tag, struct slice *ret_series) {
        struct slice path = source, file = take_last(&path), last = take_last(&path);

        if (is_first_writer(file))
                return false;
        if (last.size_bytes > tag.size_bytes + 1 && last.data[tag.size_bytes] == '_' &&
            starts_with_tag(last, tag, '_')) {
                *ret_series = (struct slice){ last.data + tag.size_bytes + 1, last.size_bytes - tag.size_bytes - 1 };
                return true;
        }
        if (last.size_bytes > 0 && path.size_bytes > tag.size_bytes &&
            path.data[path.size_bytes - tag.size_bytes - 1] == '/' &&
            starts_with_tag((struct slice){ path.data + path.size_bytes - tag.size_bytes, tag.size_bytes }, tag, '/')) {
                *ret_series = last;
                return true;
        }
        return false;
}

static int join(struct tag *entry, struct slice before, struct slice tag, struct slice after) {
        size_t size = tag.size_bytes + (before.size_bytes ? before.size_bytes + 1 : 0) +
                      (after.size_bytes ? after.size_bytes + 1 : 0);
        char *name = malloc(size + 1), *at = name;

        if (!name)
                return -ENOMEM;
        if (before.size_bytes > 0) {
                at = mempcpy(at, before.data, before.size_bytes);
                *at++ = '/';
        }
        entry->tag_start = (size_t)(at - name);
        entry->tag_bytes = tag.size_bytes;
        at = mempcpy(at, tag.data, tag.size_bytes);
        if (after.size_bytes > 0) {
                *at++ = '/';
                at = mempcpy(at, after.data, after.size_bytes);
        }
        *at = '\0';
        entry->name = name;
        entry->name_bytes = size;
        return 0;
}

/* In a folder of add_scalars() there is one tag: by the first one it is known. */
static int name_tag(struct tags *tags, struct tag *entry, struct slice tag, struct slice source) {
        struct slice none = { 0 }, path = source, folder, series;

        (void)take_last(&path);
        folder = take_last(&path);
        if (tags->n_tags == 0 && find_series(source, tag, &series))
                return join(entry, none, tag, series);
        return join(entry, is_split(folder) && !is_said(tag, folder) ? folder : none, tag, none);
}

/* --- the table --- */

static enum tag_role role_of(struct slice tag) {
        struct slice path = tag;

        if (key_is_of_summary(take_last(&path)))
                return TAG_SUMMARY;
        switch (key_of(tag).role) {
        case KEY_METRIC:
                return TAG_METRIC;
        case KEY_EPOCH:
                return TAG_EPOCH;
        default: /* every event has its step and time */
                return TAG_IGNORED;
        }
}

static struct slice tag_of(const struct tag *entry) {
        return (struct slice){ entry->name + entry->tag_start, entry->tag_bytes };
}

/* The slot of tag, or the free one where it belongs; fewer than half are taken. */
static uint16_t *find_slot(struct tags *tags, struct slice tag) {
        const size_t n_slots = sizeof(tags->slots) / sizeof(tags->slots[0]);
        uint64_t hash = UINT64_C(14695981039346656037);

        for (size_t i = 0; i < tag.size_bytes; i++)
                hash = (hash ^ (unsigned char)tag.data[i]) * UINT64_C(1099511628211);
        for (size_t at = hash ^ hash >> 32;; at++) {
                uint16_t *slot = &tags->slots[at % n_slots];

                if (*slot == 0 || slice_equal(tag_of(&tags->tags[*slot - 1]), tag))
                        return slot;
        }
}

static int grow(struct tags *tags) {
        size_t capacity = tags->capacity ? 2 * tags->capacity : 16;
        struct tag *grown;

        if (tags->n_tags < tags->capacity)
                return 0;
        grown = reallocarray(tags->tags, capacity, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        tags->tags = grown;
        tags->capacity = capacity;
        return 0;
}

int tags_find(struct tags *tags, struct slice tag, struct slice source, struct tag **ret_tag) {
        uint16_t *slot = find_slot(tags, tag);
        int r;

        if (*slot == 0) {
                struct tag entry = { .role = role_of(tag) };

                if (tags->n_tags == TAGS_MAX || tag.size_bytes > TAG_BYTES_MAX)
                        return TAGS_FULL;
                r = grow(tags);
                if (r == 0)
                        r = name_tag(tags, &entry, tag, source);
                if (r < 0)
                        return r;
                tags->tags[tags->n_tags++] = entry;
                *slot = (uint16_t)tags->n_tags;
        }
        *ret_tag = &tags->tags[*slot - 1];
        return 0;
}

void tags_release(struct tags *tags) {
        for (size_t i = 0; i < tags->n_tags; i++)
                free(tags->tags[i].name);
        free(tags->tags);
        tags->tags = NULL;
        tags->n_tags = tags->capacity = 0;
        memset(tags->slots, 0, sizeof(tags->slots));
}
