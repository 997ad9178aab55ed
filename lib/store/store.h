/* One blob on disk, in generations, such that neither a kill nor a loss of power takes it.
 *
 * Three files in a directory, the slots, are written in turn: never the one that has the newest
 * generation, and never the one that is known to be on the disk itself. So a write that is cut off
 * leaves the newest generation, a power loss the one that was synced last, and there is always one
 * more. Nothing is renamed. What a slot says of itself is checked (docs/state.md has the bytes).
 *
 * Whoever else can write to the directory may delete, cut or change all of it at any time: what was
 * deleted is made anew by the next write, and what was changed is told and passed over. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"

enum {
        STORE_SLOTS = 3,
        STORE_BYTES_MAX = 64 * 1024 * 1024, /* of a blob */
        STORE_MAJOR = 1, /* of what is written: the same one can be read */
        STORE_MINOR = 0, /* grows when something is added that earlier ones need not know */
};

enum { /* outcomes */
        STORE_ABSENT = 1, /* nothing intact is kept */
        STORE_NEWER = 2,  /* written by a newer major version: not understood, left alone */
};

/* What is in a slot. */
enum store_condition {
        STORE_SLOT_ABSENT,     /* no file */
        STORE_SLOT_INTACT,
        STORE_SLOT_NEWER,      /* intact, but of a newer major version */
        STORE_SLOT_UNREADABLE, /* see error */
        STORE_SLOT_NO_FILE,    /* a directory, a link, … is in its place */
        STORE_SLOT_EMPTY,
        STORE_SLOT_FOREIGN,    /* it does not begin as a generation does */
        STORE_SLOT_TORN,       /* shorter than it says it is */
        STORE_SLOT_CHANGED,    /* the checksum does not fit */
};

struct store_slot {
        enum store_condition condition;
        int error;           /* negative errno when unreadable */
        uint64_t generation; /* from 1; these are 0 where the header is not intact */
        uint64_t durable;    /* the one that was known to be on the disk itself when this was written; 0: none */
        bool is_suspect;     /* to sync it has failed */
        uint64_t size_bytes; /* of the blob */
        uint16_t major, minor;
        int64_t written_us;  /* mtime, since 1970; 0: no file */
};

/* For people: "intact", "torn: it is shorter than it says", … */
const char *store_condition_text(enum store_condition condition);
const char *store_slot_name(size_t i); /* of its file */

struct store;

/* Makes the directory (its parent must be there), locks it (flock on the file "lock" in it), looks at
 * the slots. A symbolic link is refused (-ELOOP, -ENOTDIR), since others could have put it there; one
 * that is named with a slash at its end is meant. 0; -EBUSY: another process has it; other negative
 * errno. */
int store_open(struct store **ret_store, const char *directory);
struct store *store_free(struct store *store); /* NULL allowed; returns NULL; syncs nothing */
void store_freep(struct store **store);

/* STORE_SLOTS of them, as they were when looked at last: store_open(), then store_read(). A slot that
 * is neither absent nor intact was torn by a kill or changed by others. */
const struct store_slot *store_slots(const struct store *store);

/* Appends the newest intact generation. 0, STORE_ABSENT, STORE_NEWER, negative errno. */
int store_read(struct store *store, struct buffer *ret_bytes);

/* A new generation; when it returns 0, a kill -9 cannot take it. A directory that is gone, or was made
 * anew by others, is made and locked again. -EFBIG past STORE_BYTES_MAX; -EBUSY; -EPROTONOSUPPORT: a
 * newer version's state is there; other negative errno: the generations from before are as they were. */
int store_write(struct store *store, struct slice bytes);

/* When it returns 0, a power loss cannot take what was written last; nothing to do: 0 without a system
 * call. Where it failed, the next one writes the generation anew into a new file: Linux says once that
 * a page could not be written, and holds it for clean from then on. */
int store_sync(struct store *store);

/* Without a lock and without making anything: what is in the slots, and the blob of one of them. 0 or
 * negative errno; -EBADMSG: the slot is not intact (any more). */
int store_list(const char *directory, struct store_slot ret_slots[static STORE_SLOTS]);
int store_load(const char *directory, size_t slot, struct buffer *ret_bytes);
