/* One slot: a file that has a generation, or anything else. */
#pragma once

#include "store/header.h"
#include "store/store.h"

/* What is in the file of this name. Appends the blob to ret_bytes where that is not NULL and it is
 * intact. 0, whatever there is; negative errno when that could not be found out for a reason that is
 * not the slot's (no memory, no descriptor, ret_bytes' limit). */
int slot_look(int directory, const char *name, struct store_slot *ret_slot, struct buffer *ret_bytes);
/* The same of an open file. */
int slot_look_at(int fd, struct store_slot *ret_slot, struct buffer *ret_bytes);

/* Opens the file of a slot to write to it; what is no file of ours there is replaced. is_fresh: so is
 * the file itself. *ret_created is set where a directory entry was made. A descriptor, or negative
 * errno. */
int slot_open(int directory, const char *name, bool is_fresh, bool *ret_created);
/* Writes a generation to its start; what is behind it stays, and is not looked at. 0 or negative errno. */
int slot_write(int fd, const struct header *header, struct slice bytes);
/* Notes in a slot that to sync it has failed, so that also the next process knows. Where even that cannot
 * be written, nothing can. */
void slot_suspect(int fd);
/* What a header says of its slot. */
void slot_describe(struct store_slot *slot, const struct header *header, enum store_condition condition);
