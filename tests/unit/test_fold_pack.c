/* A fold that was packed and unpacked at any record goes on as one that was not; and whatever bytes are
 * unpacked, the fold is either a fold or left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <errno.h>

#include <cmocka.h>

#include <state/fold.pb-c.h>

#include "base/cleanup.h"
#include "result/fold.h"
#include "result/result.h"

enum { BYTES_MAX = 16 * 1024 * 1024, METRICS = 6, NAME_BYTES = 400 };

/* --- any records --- */

static uint64_t random_state;

static uint64_t next_random(void) {
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return random_state;
}

static size_t below(size_t n) {
        return (size_t)(next_random() % n);
}

static bool one_in(size_t n) {
        return below(n) == 0;
}

static double make_value(void) {
        static const double ends[] = { 0, -0.0, 1, NAN, INFINITY, -INFINITY, 5e-324, 1.7976931348623157e308, -1.7976931348623157e308 };

        return one_in(4) ? ends[below(sizeof(ends) / sizeof(ends[0]))] : (double)(int64_t)below(2000000) / 1000 - 1000;
}

/* What a run is like: how many sources and names there are, and what its records count. */
struct shape {
        struct fold_config config;
        struct aggregate_rule rules[3];
        size_t n_sources, n_names, n_records;
        bool has_epochs, has_steps, has_trials, has_rows, is_wild;
};

static struct shape make_shape(uint64_t seed) {
        struct shape shape = { .n_records = 60 };

        random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
        shape.n_sources = one_in(5) ? 90 : 1 + below(5);
        shape.n_names = one_in(3) ? 60 : 1 + below(8);
        shape.has_epochs = below(3) > 0;
        shape.has_steps = one_in(2);
        shape.has_trials = one_in(4);
        shape.has_rows = one_in(5);
        shape.is_wild = one_in(2);
        shape.config.axis = one_in(3) ? (enum axis)below(AXIS_AUTO + 1) : AXIS_AUTO;
        shape.config.metrics_max = one_in(3) ? 1 + below(FOLD_METRICS_MAX) : FOLD_METRICS_MAX;
        shape.rules[0] = (struct aggregate_rule){ NULL, (enum aggregate)below(AGGREGATE_MAX + 1) };
        shape.rules[1] = (struct aggregate_rule){ "loss1", AGGREGATE_MEAN };
        shape.config.n_rules = below(3);
        return shape;
}

struct made {
        char source[64], names[METRICS][NAME_BYTES], output[32], checkpoint[32];
        struct metric metrics[METRICS];
        struct record record;
};

/* Spelled alike by several sources, too long, or no UTF-8. */
static struct slice make_name(const struct shape *shape, char name[static NAME_BYTES]) {
        static const char *const forms[] = { "loss", "loss/", "val_loss", "lr", "q\xff", "\xe6\x90\x8d\xe5\xa4\xb1" };
        size_t which = below(shape->n_names);
        int n = snprintf(name, NAME_BYTES, "%s%zu", forms[which % 6], which / 6);

        if (which % 7 == 6) {
                size_t more = which % 2 ? 70 : 300;

                memset(name + n, 'x', more);
                n += (int)more;
        }
        return (struct slice){ name, (size_t)n };
}

static void make_x(const struct shape *shape, struct record *record, size_t i) {
        double n = shape->is_wild && one_in(6) ? (double)below(30) : (double)i / 3;

        if (shape->has_epochs && !shape->has_trials && !one_in(4))
                record->epoch = shape->is_wild && one_in(8) ? n / 4 : floor(n / 4) + (double)below(2);
        if (shape->has_steps && !shape->has_trials && !one_in(5))
                record->step = floor(n * 10);
        if (shape->has_trials && !one_in(3))
                record->trial = floor(n);
        if (shape->has_rows)
                record->row = (double)i;
        if (shape->is_wild && one_in(30))
                record->epoch = make_value();
        if (shape->is_wild && one_in(25))
                record->void_from_step = n * 5;
        if (one_in(10))
                record->total_epochs = 90;
}

static void make_record(const struct shape *shape, struct made *made, size_t i) {
        struct record *record = &made->record;
        size_t source = below(shape->n_sources);

        *record = RECORD_EMPTY;
        (void)snprintf(made->source, sizeof(made->source), "/e/%zu/%s%zu", source % 3, source % 4 == 3 ? "rank" : "log", source);
        record->source = slice_from(made->source);
        record->rank = (enum source_rank)(source % (SOURCE_NAMED + 1));
        record->is_snapshot = source % 5 == 4;
        record->is_repeat = shape->is_wild && one_in(10);
        make_x(shape, record, i);
        if (one_in(12)) {
                (void)snprintf(made->output, sizeof(made->output), "/mnt/out\xff%zu", below(3));
                (void)snprintf(made->checkpoint, sizeof(made->checkpoint), "/mnt/out/%zu.pt", below(30));
                record->output_path = slice_from(made->output);
                record->checkpoint = slice_from(made->checkpoint);
        }
        record->end = i + 1 == shape->n_records;
        record->metrics = made->metrics;
        record->n_metrics = below(METRICS + 1);
        for (size_t m = 0; m < record->n_metrics; m++)
                made->metrics[m] = (struct metric){ make_name(shape, made->names[m]), make_value() };
}

/* --- what a fold comes to --- */

static void write_patch(const struct fold *fold, struct buffer *out) {
        const struct result_identity identity = { .name = "job-1" };
        struct result_facts facts = { .phase = PHASE_RUNNING, .attempt = { .exit_code = -1, .restarts = -1 } };
        char notes[FOLD_NOTES_MAX][FOLD_NOTE_BYTES_MAX + 1];

        buffer_clear(out);
        facts.agent.n_notes = fold_notes(fold, notes);
        for (size_t i = 0; i < facts.agent.n_notes; i++)
                facts.agent.notes[i] = notes[i];
        assert_int_equal(result_write_patch(out, &identity, fold, &facts), 0);
}

static void assert_same(const struct fold *a, const struct fold *b) {
        CLEANUP(buffer_release) struct buffer patch_a = BUFFER_INIT(BYTES_MAX), patch_b = BUFFER_INIT(BYTES_MAX);

        write_patch(a, &patch_a);
        write_patch(b, &patch_b);
        assert_string_equal(buffer_string(&patch_b), buffer_string(&patch_a));
        assert_int_equal(fold_ended(a), fold_ended(b));
}

static void pack(const struct fold *fold, struct buffer *packed) {
        buffer_clear(packed);
        assert_int_equal(fold_pack(fold, packed), 0);
}

static struct fold *fold_of(const struct shape *shape) {
        struct fold_config config = shape->config;
        struct fold *fold;

        config.rules = shape->rules;
        assert_int_equal(fold_new(&fold, &config), 0);
        return fold;
}

/* Another in its place, out of its bytes; packed again, it gives the same bytes. */
static void restart(struct fold **fold, const struct shape *shape, struct buffer *packed) {
        CLEANUP(buffer_release) struct buffer again = BUFFER_INIT(BYTES_MAX);
        struct fold *fresh = fold_of(shape);

        pack(*fold, packed);
        assert_int_equal(fold_unpack(fresh, buffer_slice(packed)), 0);
        pack(fresh, &again);
        assert_int_equal(again.size_bytes, packed->size_bytes);
        assert_memory_equal(again.data, packed->data, packed->size_bytes);
        fold_free(*fold);
        *fold = fresh;
}

static void take(struct fold *a, struct fold *b, const struct made *made) {
        assert_int_equal(fold_take(a, &made->record), 0);
        assert_int_equal(fold_take(b, &made->record), 0);
}

static void test_goes_on_as_if_nothing_had_been(void **state) {
        CLEANUP(buffer_release) struct buffer packed = BUFFER_INIT(BYTES_MAX);

        (void)state;
        for (uint64_t seed = 0; seed < 80; seed++) {
                struct shape shape = make_shape(seed);
                CLEANUP(fold_freep) struct fold *straight = fold_of(&shape), *restarted = fold_of(&shape);
                struct made made;

                if (seed % 3 == 0) {
                        assert_int_equal(fold_set_objective(straight, "loss1", GOAL_MAXIMIZE), 0);
                        assert_int_equal(fold_set_objective(restarted, "loss1", GOAL_MAXIMIZE), 0);
                }
                for (size_t i = 0; i < shape.n_records; i++) {
                        make_record(&shape, &made, i);
                        take(straight, restarted, &made);
                        restart(&restarted, &shape, &packed);
                        assert_same(straight, restarted);
                }
        }
}

/* What earlier attempts reported, come in at any moment. */
static void take_history(struct fold *a, struct fold *b, uint64_t seed) {
        static const double x[] = { -3, 0, 0.5, 2, 7 }, values[] = { 1, NAN, 3, 1e300, -5 };
        const struct history_column columns[] = {
                { "loss1", 3, -7, 8, 2, values }, { "gone", NAN, NAN, NAN, 0, values }, { "val/loss", 1, 1, 1, 0, values },
        };
        const struct history history = { .is_ours = seed % 2, .axis = (enum axis)(seed % AXIS_AUTO), .n_rows = seed % 6,
                                         .x = x, .n_columns = 3, .columns = columns, .epoch = seed % 3 ? 2 : NAN, .step = 9,
                                         .total_epochs = NAN, .output_path = "/o", .checkpoint_epoch = NAN, .accepted = 7 };

        assert_int_equal(fold_take_history(a, &history), 0);
        assert_int_equal(fold_take_history(b, &history), 0);
}

static void test_goes_on_after_earlier_attempts(void **state) {
        CLEANUP(buffer_release) struct buffer packed = BUFFER_INIT(BYTES_MAX);

        (void)state;
        for (uint64_t seed = 0; seed < 150; seed++) {
                struct shape shape = make_shape(seed + 1000);
                CLEANUP(fold_freep) struct fold *straight = fold_of(&shape), *restarted = fold_of(&shape);
                struct made made;

                for (size_t i = 0; i < shape.n_records; i++) {
                        if (i == seed % 7)
                                take_history(straight, restarted, seed);
                        make_record(&shape, &made, i);
                        take(straight, restarted, &made);
                        restart(&restarted, &shape, &packed);
                        assert_same(straight, restarted);
                }
        }
}

/* So many rows that they are thinned, and thinned again where the metrics become many. */
static void test_long_run(void **state) {
        CLEANUP(buffer_release) struct buffer packed = BUFFER_INIT(BYTES_MAX);
        struct shape shape = { .config = { .axis = AXIS_AUTO, .metrics_max = FOLD_METRICS_MAX }, .n_records = 9000 };
        CLEANUP(fold_freep) struct fold *straight = fold_of(&shape), *restarted = fold_of(&shape);

        (void)state;
        random_state = 1;
        for (size_t i = 0; i < shape.n_records; i++) {
                struct metric metrics[2] = { { SLICE("loss"), make_value() }, { { NULL, 0 }, make_value() } };
                struct record record = RECORD_EMPTY;
                char name[16];

                (void)snprintf(name, sizeof(name), "m%zu", i / 200 % 40);
                metrics[1].name = slice_from(name);
                record.epoch = (double)i;
                record.metrics = metrics;
                record.n_metrics = i > 5000 ? 2 : 1;
                assert_int_equal(fold_take(straight, &record), 0);
                assert_int_equal(fold_take(restarted, &record), 0);
                if (i % 97 == 0 || (i > 2040 && i < 2056))
                        restart(&restarted, &shape, &packed);
                if (i % 497 == 0)
                        assert_same(straight, restarted);
        }
        assert_same(straight, restarted);
        assert_int_equal(fold_n_rows(straight), fold_n_rows(restarted));
}

/* --- another configuration --- */

static void say(struct fold *fold, double epoch, const char *name, double value) {
        struct metric metric = { slice_from(name), value };
        struct record record = RECORD_EMPTY;

        record.epoch = epoch;
        record.metrics = &metric;
        record.n_metrics = 1;
        assert_int_equal(fold_take(fold, &record), 0);
}

static void test_another_axis_is_read_anew(void **state) {
        CLEANUP(buffer_release) struct buffer packed = BUFFER_INIT(BYTES_MAX);
        struct shape before = { .config = { .axis = AXIS_AUTO, .metrics_max = 4 } }, after = before;
        CLEANUP(fold_freep) struct fold *fold = fold_of(&before), *other = NULL;

        (void)state;
        after.config.axis = AXIS_STEP;
        other = fold_of(&after);
        say(fold, 1, "loss", 1);
        pack(fold, &packed);
        assert_int_equal(fold_unpack(other, buffer_slice(&packed)), -EBADMSG);
        assert_int_equal(fold_n_columns(other), 0);
}

static void test_fewer_metrics_leave_the_lowest_out(void **state) {
        CLEANUP(buffer_release) struct buffer packed = BUFFER_INIT(BYTES_MAX);
        struct shape before = { .config = { .axis = AXIS_AUTO, .metrics_max = 8 } }, after = before;
        CLEANUP(fold_freep) struct fold *fold = fold_of(&before), *other = NULL;

        (void)state;
        after.config.metrics_max = 2;
        other = fold_of(&after);
        say(fold, 1, "lr", 0.1);
        say(fold, 1, "thing", 5);
        say(fold, 1, "loss", 1);
        say(fold, 1, "val_loss", 2);
        pack(fold, &packed);
        assert_int_equal(fold_unpack(other, buffer_slice(&packed)), 0);
        assert_int_equal(fold_n_columns(other), 2);
        assert_string_equal(fold_column(other, 0).name, "loss");
        assert_string_equal(fold_column(other, 1).name, "val_loss");
        assert_int_equal(fold_n_left_out(other), 2);
        assert_string_equal(fold_retired_name(other, 0), "lr");
        assert_string_equal(fold_retired_name(other, 1), "thing");
}

static void test_new_rules_hold_for_what_comes(void **state) {
        CLEANUP(buffer_release) struct buffer packed = BUFFER_INIT(BYTES_MAX);
        struct shape before = { .config = { .axis = AXIS_EPOCH, .metrics_max = 8 } }, after = before;
        CLEANUP(fold_freep) struct fold *fold = fold_of(&before), *other = NULL;

        (void)state;
        after.rules[0] = (struct aggregate_rule){ NULL, AGGREGATE_MEAN };
        after.config.n_rules = 1;
        other = fold_of(&after);
        say(fold, 1, "loss", 9);
        say(fold, 1, "loss", 1);
        pack(fold, &packed);
        assert_int_equal(fold_unpack(other, buffer_slice(&packed)), 0);
        say(other, 1, "loss", 3);
        assert_true(fold_column(other, 0).values[0] == 2);
}

static void test_an_objective_that_is_set_stays(void **state) {
        CLEANUP(buffer_release) struct buffer packed = BUFFER_INIT(BYTES_MAX);
        struct shape shape = { .config = { .axis = AXIS_AUTO, .metrics_max = 8 } };
        CLEANUP(fold_freep) struct fold *fold = fold_of(&shape), *kept = fold_of(&shape), *set = fold_of(&shape);

        (void)state;
        say(fold, 1, "a_loss", 1);
        say(fold, 1, "acc", 2);
        assert_int_equal(fold_set_objective(fold, "acc", GOAL_MAXIMIZE), 0);
        assert_int_equal(fold_set_objective(set, "a_loss", GOAL_MINIMIZE), 0);
        pack(fold, &packed);
        assert_int_equal(fold_unpack(kept, buffer_slice(&packed)), 0);
        assert_int_equal(fold_unpack(set, buffer_slice(&packed)), 0);
        assert_string_equal(fold_objective(kept).metric, "acc");
        assert_string_equal(fold_objective(set).metric, "a_loss");
        assert_string_equal(fold_column(set, 0).name, "a_loss");
}

/* --- bytes that are no fold --- */

/* Takes what the bytes say, as far as they are a fold, and uses all of it. */
static void try(const struct shape *shape, struct slice bytes) {
        CLEANUP(fold_freep) struct fold *fold = fold_of(shape);
        CLEANUP(buffer_release) struct buffer patch = BUFFER_INIT(BYTES_MAX), again = BUFFER_INIT(BYTES_MAX);
        struct made made;
        int r = fold_unpack(fold, bytes);

        assert_true(r == 0 || r == -EBADMSG);
        if (r < 0)
                assert_int_equal(fold_accepted(fold) + fold_n_rows(fold) + fold_n_columns(fold), 0);
        for (size_t i = 0; i < 3; i++) {
                make_record(shape, &made, i);
                assert_int_equal(fold_take(fold, &made.record), 0);
        }
        write_patch(fold, &patch);
        pack(fold, &again);
}

static void test_torn_and_changed_bytes(void **state) {
        CLEANUP(buffer_release) struct buffer packed = BUFFER_INIT(BYTES_MAX);

        (void)state;
        for (uint64_t seed = 0; seed < 20; seed++) {
                struct shape shape = make_shape(seed);
                CLEANUP(fold_freep) struct fold *fold = fold_of(&shape);
                struct made made;

                for (size_t i = 0; i < 20; i++) {
                        make_record(&shape, &made, i);
                        assert_int_equal(fold_take(fold, &made.record), 0);
                }
                pack(fold, &packed);
                for (size_t i = 0; i < 150 && i < packed.size_bytes; i++) {
                        size_t at = below(packed.size_bytes);
                        char old = packed.data[at];

                        try(&shape, (struct slice){ packed.data, at });
                        packed.data[at] = (char)next_random();
                        try(&shape, buffer_slice(&packed));
                        packed.data[at] = old;
                }
        }
}

/* A message that holds, changed in one place. */
struct messages {
        State__Fold fold;
        State__Rows rows;
        State__Origin origin, *origins[1];
        State__Metric metric, second, *metrics[2];
        double x[2], step[2], values[2];
        uint64_t ordinal[2], hashes[1];
        uint32_t claim[2];
        char *names[1];
};

static void make_messages(struct messages *m) {
        *m = (struct messages){
                .fold = STATE__FOLD__INIT, .rows = STATE__ROWS__INIT, .origin = STATE__ORIGIN__INIT,
                .metric = STATE__METRIC__INIT, .second = STATE__METRIC__INIT,
                .x = { 1, 2 }, .step = { NAN, NAN }, .values = { 3, 4 }, .ordinal = { 0, 1 }, .claim = { 1, 1 },
        };
        m->origin.has_path = true;
        m->origin.has_claim = true;
        m->origin.claim = 1;
        m->origins[0] = &m->origin;
        m->fold.n_origins = 1;
        m->fold.origins = m->origins;
        m->rows.n_x = m->rows.n_step = m->rows.n_ordinal = m->rows.n_claim = 2;
        m->rows.x = m->x;
        m->rows.step = m->step;
        m->rows.ordinal = m->ordinal;
        m->rows.claim = m->claim;
        m->fold.rows = &m->rows;
        m->metric.name = (char *)(uintptr_t)"loss";
        m->metric.has_claim = m->metric.has_origin = m->metric.has_arrival = true;
        m->metric.claim = 1;
        m->metric.has_also = true;
        m->metric.also = 255;
        m->metric.n_values = 2;
        m->metric.values = m->values;
        m->second = m->metric;
        m->second.name = (char *)(uintptr_t)"acc";
        m->metrics[0] = &m->metric;
        m->metrics[1] = &m->second;
        m->fold.n_metrics = 2;
        m->fold.metrics = m->metrics;
        m->fold.has_asked_axis = m->fold.has_axis = m->fold.has_next_ordinal = m->fold.has_next_arrival = true;
        m->fold.asked_axis = AXIS_AUTO;
        m->fold.axis = AXIS_EPOCH;
        m->fold.next_ordinal = 2;
        m->fold.next_arrival = 1;
        m->fold.has_x_claim = m->fold.has_x_origin = m->fold.has_goal = m->fold.has_level = m->fold.has_last_origin = true;
        m->names[0] = (char *)(uintptr_t)"gone";
}

static int unpack_messages(const struct messages *m) {
        static const struct shape shape = { .config = { .axis = AXIS_AUTO, .metrics_max = 8 } };
        CLEANUP(fold_freep) struct fold *fold = fold_of(&shape);
        uint8_t bytes[4096];
        size_t n = state__fold__get_packed_size(&m->fold);

        assert_true(n <= sizeof(bytes));
        (void)state__fold__pack(&m->fold, bytes);
        return fold_unpack(fold, (struct slice){ (const char *)bytes, n });
}

#define REFUSED(...)                                                  \
        do {                                                          \
                make_messages(&m);                                    \
                __VA_ARGS__;                                          \
                assert_int_equal(unpack_messages(&m), -EBADMSG);      \
        } while (0)

static void test_what_no_fold_can_be_is_refused(void **state) {
        char long_name[] = "a234567890123456789012345678901234567890123456789012345678901234";
        struct messages m;

        (void)state;
        make_messages(&m);
        assert_int_equal(unpack_messages(&m), 0);
        REFUSED(m.fold.asked_axis = AXIS_ROW);
        REFUSED(m.fold.axis = AXIS_AUTO);
        REFUSED(m.fold.x_claim = 200);
        REFUSED(m.fold.x_claim = 1, m.fold.x_origin = 1);
        REFUSED(m.fold.goal = 2);
        REFUSED(m.fold.level = 65);
        REFUSED(m.fold.last_origin = 2);
        REFUSED(m.origin.claim = 0);
        REFUSED(m.origin.claim = 200);
        REFUSED(m.origin.has_path = false);
        REFUSED(m.x[0] = NAN);
        REFUSED(m.x[0] = 3);
        REFUSED(m.claim[1] = 200);
        REFUSED(m.ordinal[1] = 0);
        REFUSED(m.ordinal[1] = 2);
        REFUSED(m.rows.n_x = 1);
        REFUSED(m.rows.n_step = 1);
        REFUSED(m.rows.n_ordinal = 1);
        REFUSED(m.rows.n_claim = 1);
        REFUSED(m.fold.rows = NULL);
        REFUSED(m.metric.name = NULL);
        REFUSED(m.metric.name = (char *)(uintptr_t)"");
        REFUSED(m.metric.name = (char *)(uintptr_t)"\xff");
        REFUSED(m.metric.name = long_name);
        REFUSED(m.second.name = m.metric.name);
        REFUSED(m.metric.has_raw = true, m.metric.raw = (ProtobufCBinaryData){ 4, (uint8_t *)long_name });
        REFUSED(m.metric.claim = 0);
        REFUSED(m.metric.claim = 256 + 1);
        REFUSED(m.metric.arrival = 1);
        REFUSED(m.metric.origin = 1);
        REFUSED(m.metric.origin = 63);
        REFUSED(m.metric.also = 1);
        REFUSED(m.metric.n_values = 1);
        REFUSED(m.metric.n_counts = 1, m.metric.counts = m.claim);
        REFUSED(m.fold.n_left_out = 1, m.fold.left_out = m.names);
        REFUSED(m.fold.n_left_out_hashes = 1, m.fold.left_out_hashes = m.hashes);
        REFUSED(m.names[0] = long_name, m.fold.n_retired = 1, m.fold.retired = m.names);
        REFUSED(m.names[0] = (char *)(uintptr_t)"", m.fold.n_retired = 1, m.fold.retired = m.names);
}

/* Two bytes an empty metric: a megabyte of them would be a hundred megabytes of messages. */
static void test_a_bomb_is_refused(void **state) {
        static const struct shape shape = { .config = { .axis = AXIS_AUTO, .metrics_max = 8 } };
        CLEANUP(fold_freep) struct fold *fold = fold_of(&shape);
        enum { SIZE = 2 * 1024 * 1024 };
        CLEANUP(cleanup_free) char *bytes = malloc(SIZE);

        (void)state;
        assert_non_null(bytes);
        for (size_t i = 0; i < SIZE; i += 2)
                memcpy(bytes + i, "\x52\x00", 2);
        assert_int_equal(fold_unpack(fold, (struct slice){ bytes, SIZE }), -EBADMSG);
}

static void test_no_room_appends_nothing(void **state) {
        CLEANUP(buffer_release) struct buffer packed = BUFFER_INIT(20);
        struct shape shape = { .config = { .axis = AXIS_AUTO, .metrics_max = 8 } };
        CLEANUP(fold_freep) struct fold *fold = fold_of(&shape);

        (void)state;
        say(fold, 1, "loss", 1);
        assert_int_equal(buffer_append_string(&packed, "before"), 0);
        assert_int_equal(fold_pack(fold, &packed), -ENOBUFS);
        assert_string_equal(buffer_string(&packed), "before");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_goes_on_as_if_nothing_had_been),
                cmocka_unit_test(test_goes_on_after_earlier_attempts),
                cmocka_unit_test(test_long_run),
                cmocka_unit_test(test_another_axis_is_read_anew),
                cmocka_unit_test(test_fewer_metrics_leave_the_lowest_out),
                cmocka_unit_test(test_new_rules_hold_for_what_comes),
                cmocka_unit_test(test_an_objective_that_is_set_stays),
                cmocka_unit_test(test_torn_and_changed_bytes),
                cmocka_unit_test(test_what_no_fold_can_be_is_refused),
                cmocka_unit_test(test_a_bomb_is_refused),
                cmocka_unit_test(test_no_room_appends_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
