/* Any bytes as a slot on disk, and as a fold: no crash, no leak, nothing without end. What is taken for a
 * fold is one: it packs into bytes that unpack into the same, takes records, and comes to a Result. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "result/fold.h"
#include "result/result.h"
#include "store/header.h"
#include "store/slot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BYTES_MAX = 64 * 1024 * 1024 };

static void check(bool holds) {
        if (!holds)
                abort();
}

/* --- as a slot --- */

static int image(struct slice first, struct slice second) {
        int fd = memfd_create("slot", MFD_CLOEXEC);

        check(fd >= 0 && write(fd, first.data, first.size_bytes) == (ssize_t)first.size_bytes &&
              write(fd, second.data, second.size_bytes) == (ssize_t)second.size_bytes);
        return fd;
}

/* Intact is only what its checksums say so of. */
static void read_slot(struct slice bytes) {
        CLEANUP(cleanup_close) int fd = image(bytes, (struct slice){ NULL, 0 });
        CLEANUP(buffer_release) struct buffer blob = BUFFER_INIT(BYTES_MAX);
        struct store_slot slot, looked;

        check(slot_look_at(fd, &slot, &blob) == 0);
        check(slot_look_at(fd, &looked, NULL) == 0 && looked.condition == slot.condition);
        check(slot.condition == STORE_SLOT_INTACT ? blob.size_bytes == slot.size_bytes : blob.size_bytes == 0);
        if (slot.condition == STORE_SLOT_INTACT)
                check(header_of(buffer_slice(&blob), 1, 0).crc ==
                      header_of((struct slice){ bytes.data + HEADER_BYTES, blob.size_bytes }, 1, 0).crc);
}

/* Behind a header that is right, they are what is read. */
static void read_blob(struct slice bytes) {
        char head[HEADER_BYTES];
        struct header header = header_of(bytes, 7, 5);
        CLEANUP(cleanup_close) int fd = -1;
        CLEANUP(buffer_release) struct buffer blob = BUFFER_INIT(BYTES_MAX);
        struct store_slot slot;

        header_write(&header, head);
        fd = image((struct slice){ head, sizeof(head) }, bytes);
        check(slot_look_at(fd, &slot, &blob) == 0 && slot.condition == STORE_SLOT_INTACT && slot.generation == 7 && slot.durable == 5);
        check(slice_equal(buffer_slice(&blob), bytes));
}

/* --- as a fold --- */

static struct fold *fold_of(enum axis axis) {
        const struct fold_config config = { .axis = axis, .metrics_max = FOLD_METRICS_MAX };
        struct fold *fold;

        check(fold_new(&fold, &config) == 0);
        return fold;
}

static void pack(const struct fold *fold, struct buffer *out) {
        check(fold_pack(fold, out) == 0);
}

static void check_round_trip(const struct fold *fold, enum axis axis) {
        CLEANUP(buffer_release) struct buffer first = BUFFER_INIT(BYTES_MAX), second = BUFFER_INIT(BYTES_MAX);
        CLEANUP(fold_freep) struct fold *again = fold_of(axis);

        pack(fold, &first);
        check(fold_unpack(again, buffer_slice(&first)) == 0);
        pack(again, &second);
        check(slice_equal(buffer_slice(&first), buffer_slice(&second)));
}

static void take(struct fold *fold, double x, double step, const char *name, double value) {
        const struct metric metric = { slice_from(name), value };
        struct record record = RECORD_EMPTY;

        record.source = SLICE("/e/log.txt");
        record.rank = SOURCE_STRUCTURED;
        record.epoch = x;
        record.step = step;
        record.void_from_step = step;
        record.metrics = &metric;
        record.n_metrics = 1;
        check(fold_take(fold, &record) == 0);
}

/* On each axis, past the number of rows that there may be, and of metrics. */
static void go_on(struct fold *fold) {
        char name[32];

        for (int i = 0; i < 40; i++) {
                (void)snprintf(name, sizeof(name), "metric%d", i);
                take(fold, NAN, i, name, i);
                take(fold, i / 7, NAN, name, i);
        }
        for (int i = 0; i < 20; i++)
                take(fold, i * 1e3, i, "loss", i);
}

static void write_result(const struct fold *fold) {
        CLEANUP(buffer_release) struct buffer patch = BUFFER_INIT(BYTES_MAX);
        const struct result_identity identity = { .name = "job-1" };
        const struct result_facts facts = { .phase = PHASE_RUNNING };
        char notes[FOLD_NOTES_MAX][FOLD_NOTE_BYTES_MAX + 1];

        check(fold_notes(fold, notes) <= FOLD_NOTES_MAX);
        check(result_write_patch(&patch, &identity, fold, &facts) == 0);
        check(patch.size_bytes <= RESULT_BYTES_MAX);
}

static void read_fold(struct slice bytes, enum axis axis) {
        CLEANUP(fold_freep) struct fold *fold = fold_of(axis);

        if (fold_unpack(fold, bytes) < 0) {
                check(fold_n_rows(fold) == 0 && fold_n_columns(fold) == 0 && fold_accepted(fold) == 0);
                return;
        }
        check_round_trip(fold, axis);
        write_result(fold);
        go_on(fold);
        check_round_trip(fold, axis);
        write_result(fold);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct slice bytes = { (const char *)data, size };

        read_slot(bytes);
        read_blob(bytes);
        for (enum axis axis = AXIS_ROW; axis <= AXIS_AUTO; axis++)
                read_fold(bytes, axis);
        return 0;
}
