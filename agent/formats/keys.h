/* What a key of a record means: the x axis, the time, a path, book-keeping, or a metric. Shared by
 * all formats that have names. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "result/record.h"

enum key_role {
        KEY_METRIC,
        KEY_EPOCH,
        KEY_STEP,
        KEY_TRIAL,
        KEY_TIME,
        KEY_TOTAL_EPOCHS,
        KEY_OUTPUT_PATH,
        KEY_CHECKPOINT,
        KEY_END,
        KEY_IGNORED, /* book-keeping: process ids, rates, durations, what is left to do */
};

struct key {
        enum key_role role;
        uint8_t rank; /* of two keys with the same role in one record, the lower one counts */
};

/* Case, and all that is neither letter nor digit, do not matter; nor do levels of nesting before
 * the name: "trainer/global_step" is global_step, but "loss/step" is a metric. */
struct key key_of(struct slice name);

/* Epoch, step or trial? */
bool key_is_x(struct key key);

/* Does this key stand only in the summary at the end of a training (Hugging Face's train_runtime,
 * total_flos)? The record that has it is no point of a curve. */
bool key_is_of_summary(struct slice name);

/* Sets the field of the record that the role means, where it is a number's; others are left alone. */
void key_set(struct record *record, enum key_role role, double value);

/* The record under construction: fills in what a key says, and remembers at which rank. */
struct record_builder {
        struct record record;
        uint8_t ranks[KEY_IGNORED + 1];
        struct metric *metrics; /* of the parser; RECORD_METRICS_MAX at most */
        size_t metrics_capacity;
};

void builder_start(struct record_builder *builder);
void builder_release(struct record_builder *builder);

/* Adds name = value. 0 or -ENOMEM. Borrows name until the record is taken. */
int builder_add_number(struct record_builder *builder, struct key key, struct slice name, double value);

/* The same for a text: a number in it counts as that number (also "10/438" for x, and its second
 * part as nothing), a path or a time where one is meant; anything else is passed over. */
int builder_add_text(struct record_builder *builder, struct key key, struct slice name, struct slice text);

/* The same for true and false, which only mean something as the end. */
void builder_add_bool(struct record_builder *builder, struct key key, bool value);

/* Does the record say anything, an x alone included? */
bool builder_has_content(const struct record_builder *builder);
