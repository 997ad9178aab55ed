/* The tags of one event file: what each means, and the metric's name that it stands for. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum {
        TAGS_MAX = 4096,      /* a file may have */
        TAG_BYTES_MAX = 1024,
};

enum tag_role { TAG_METRIC, TAG_EPOCH, TAG_SUMMARY, TAG_IGNORED };

/* What the plugin that a tag's first value names makes of it. */
enum tag_plugin { TAG_PLUGIN_UNSAID, TAG_PLUGIN_SCALARS, TAG_PLUGIN_OTHER };

struct tag {
        char *name;        /* of the metric; stays where it is for the life of the table */
        size_t name_bytes;
        size_t tag_start;  /* the tag is the part of name that begins there */
        size_t tag_bytes;
        enum tag_role role;
        enum tag_plugin plugin;
};

struct tags {
        struct tag *tags;
        size_t n_tags, capacity;
        uint16_t slots[2 * TAGS_MAX]; /* by hash: index into tags, plus 1; 0: free */
};

enum { TAGS_FULL = 1 }; /* there are TAGS_MAX already, or this one is too long */

static inline struct slice tag_name(const struct tag *tag) {
        return (struct slice){ tag->name, tag->name_bytes };
}

/* The entry of tag, which is added when it is new. source is the file's path. 0, TAGS_FULL, -ENOMEM.
 * *ret_tag is valid until the next call. */
int tags_find(struct tags *tags, struct slice tag, struct slice source, struct tag **ret_tag);

void tags_release(struct tags *tags);
