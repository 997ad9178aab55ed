/* TensorBoard's event files: framing, every type of tensor, what is no scalar, names from the path. */
#include "events.h"

#include <stdlib.h>

#include "formats/tags.h"
#include "formats/tfrecord.h"

/* --- checks --- */

static void test_crc_vectors(void **state) {
        char bytes[32];

        (void)state;
        /* RFC 3720, B.4. */
        memset(bytes, 0, sizeof(bytes));
        assert_int_equal(crc32c(0, (struct slice){ bytes, sizeof(bytes) }), 0x8a9136aa);
        memset(bytes, 0xff, sizeof(bytes));
        assert_int_equal(crc32c(0, (struct slice){ bytes, sizeof(bytes) }), 0x62a8ab43);
        for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = (char)i;
        assert_int_equal(crc32c(0, (struct slice){ bytes, sizeof(bytes) }), 0x46dd794e);
        for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = (char)(31 - i);
        assert_int_equal(crc32c(0, (struct slice){ bytes, sizeof(bytes) }), 0x113fdb5c);
        assert_int_equal(crc32c(0, SLICE("123456789")), 0xe3069283);
        assert_int_equal(crc32_ieee(0, SLICE("123456789")), 0xcbf43926);
        /* In pieces of any size. */
        for (size_t i = 0; i <= sizeof(bytes); i++)
                assert_int_equal(crc32c(crc32c(0, (struct slice){ bytes, i }),
                                        (struct slice){ bytes + i, sizeof(bytes) - i }), 0x113fdb5c);
}

static void test_scalars(void **state) {
        FILE_BUFFER(file);
        FILE_BUFFER(summary);

        (void)state;
        put_version(&file);
        put_scalar(&file, 0, "loss", 0.5f);
        put_scalar(&file, 10, "loss", 0.25f);
        put_simple_value(&summary, "loss", 2);
        put_simple_value(&summary, "lr-Adam/pg 1", 0.125f);
        put_event(&file, 20, &summary);
        put_scalar(&file, 30, "loss", NAN);
        put_scalar(&file, 40, "loss", -INFINITY);
        put_scalar(&file, -1, "", 1);
        assert_said_bytes(NULL, buffer_slice(&file),
                          "2: STEP=0 TIME=1500000000 loss=0.5\n"
                          "3: STEP=10 TIME=1500000000 loss=0.25\n"
                          "4: STEP=20 TIME=1500000000 loss=2 lr-Adam/pg 1=0.125\n"
                          "5: STEP=30 TIME=1500000000 loss=NaN\n"
                          "6: STEP=40 TIME=1500000000 loss=-Inf\n");
}

/* torch's purge_step: what was said from there on is void. At step 0 there is nothing to void. */
static void test_session_start(void **state) {
        FILE_BUFFER(file);

        (void)state;
        put_session_start(&file, 0);
        put_scalar(&file, 10, "loss", 1);
        put_scalar(&file, 20, "loss", 2);
        put_session_start(&file, 15);
        put_scalar(&file, 15, "loss", 3);
        assert_said_bytes(NULL, buffer_slice(&file),
                          "2: STEP=10 TIME=1500000000 loss=1\n3: STEP=20 TIME=1500000000 loss=2\n"
                          "4: VOID=15\n5: STEP=15 TIME=1500000000 loss=3\n");
}

/* A restart in the same file: a version again, and a step that goes back. */
static void test_restart(void **state) {
        FILE_BUFFER(file);

        (void)state;
        put_scalar(&file, 5, "loss", 1);
        put_version(&file);
        put_scalar(&file, 3, "loss", 2);
        assert_said_bytes(NULL, buffer_slice(&file),
                          "1: STEP=5 TIME=1500000000 loss=1\n3: STEP=3 TIME=1500000000 loss=2\n");
}

/* --- tensors --- */

struct element {
        int dtype;
        const char *content; /* little-endian */
        size_t size_bytes;
        unsigned field;      /* of the list, which is packed */
        const char *packed;
        size_t packed_bytes;
        const char *expected;
};

#define ELEMENT(dtype, content, field, packed, expected) \
        { dtype, content, sizeof(content) - 1, field, packed, sizeof(packed) - 1, expected }

static const struct element elements[] = {
        ELEMENT(1, "\0\0\x20\xc0", 5, "\0\0\x20\xc0", "-2.5"),
        ELEMENT(1, "\0\0\xc0\x7f", 5, "\0\0\xc0\x7f", "NaN"),
        ELEMENT(2, "\0\0\0\0\0\0\xf0\x7f", 6, "\0\0\0\0\0\0\xf0\x7f", "Inf"),
        ELEMENT(2, "\x9a\x99\x99\x99\x99\x99\xb9\x3f", 6, "\x9a\x99\x99\x99\x99\x99\xb9\x3f", "0.1"),
        /* half: 1, the largest, the smallest, the smallest that is normal, the largest that is not. */
        ELEMENT(19, "\x00\x3c", 13, "\x80\x78", "1"),
        ELEMENT(19, "\xff\x7b", 13, "\xff\xf7\x01", "65504"),
        ELEMENT(19, "\x01\x00", 13, "\x01", "5.9604644775390625e-08"),
        ELEMENT(19, "\x00\x04", 13, "\x80\x08", "6.103515625e-05"),
        ELEMENT(19, "\xff\x83", 13, "\xff\x87\x02", "-6.097555160522461e-05"),
        ELEMENT(19, "\x00\xfc", 13, "\x80\xf8\x03", "-Inf"),
        ELEMENT(19, "\x00\x7e", 13, "\x80\xfc\x01", "NaN"),
        ELEMENT(14, "\x80\x3f", 13, "\x80\x7f", "1"),
        ELEMENT(14, "\x20\xc0", 13, "\xa0\x80\x03", "-2.5"),
        ELEMENT(6, "\xff", 7, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "-1"),
        ELEMENT(5, "\x00\x80", 7, "\x80\x80\xfe\xff\xff\xff\xff\xff\xff\x01", "-32768"),
        ELEMENT(3, "\xfe\xff\xff\xff", 7, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", "-2"),
        ELEMENT(9, "\xfd\xff\xff\xff\xff\xff\xff\xff", 10, "\xfd\xff\xff\xff\xff\xff\xff\xff\xff\x01", "-3"),
        ELEMENT(4, "\xff", 7, "\xff\x01", "255"),
        ELEMENT(17, "\xff\xff", 7, "\xff\xff\x03", "65535"),
        ELEMENT(22, "\xff\xff\xff\xff", 16, "\xff\xff\xff\xff\x0f", "4294967295"),
        ELEMENT(23, "\0\0\0\0\0\0\0\x80", 17, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", "9223372036854775808"),
};

static void put_shape(struct buffer *tensor, size_t n, const uint64_t sizes[]) {
        FILE_BUFFER(shape);
        FILE_BUFFER(dimension);

        for (size_t i = 0; i < n; i++) {
                put_number_field(&dimension, 1, sizes[i]);
                put_message_field(&shape, 2, &dimension);
        }
        put_message_field(tensor, 2, &shape);
}

static void put_element(struct buffer *file, const struct element *element, bool as_list) {
        FILE_BUFFER(tensor);
        FILE_BUFFER(summary);

        put_number_field(&tensor, 1, (uint64_t)element->dtype);
        put_shape(&tensor, 0, NULL);
        if (as_list)
                put_bytes_field(&tensor, element->field, (struct slice){ element->packed, element->packed_bytes });
        else
                put_bytes_field(&tensor, 4, (struct slice){ element->content, element->size_bytes });
        put_tensor_value(&summary, "loss", "scalars", &tensor);
        put_event(file, as_list, &summary);
}

static void test_every_type_of_tensor(void **state) {
        (void)state;
        for (size_t i = 0; i < sizeof(elements) / sizeof(elements[0]); i++) {
                FILE_BUFFER(file);
                FILE_BUFFER(expected);
                char value[NUMBER_TEXT_BYTES];
                double number;

                /* 2^63 is written as the shortest decimal that reads back as the same double. */
                assert_true(number_parse(slice_from(elements[i].expected), &number));
                (void)snprintf(value, sizeof(value), "%s", elements[i].expected);
                if (isfinite(number))
                        number_format(number, 17, value);
                put_element(&file, &elements[i], false);
                put_element(&file, &elements[i], true);
                (void)buffer_printf(&expected, "1: STEP=0 TIME=1500000000 loss=%s\n2: STEP=1 TIME=1500000000 loss=%s\n",
                                    value, value);
                assert_said_bytes(NULL, buffer_slice(&file), buffer_string(&expected));
        }
}

/* Of step 0: a float tensor of that shape, and of what content. */
static void put_shaped(struct buffer *file, size_t n, const uint64_t sizes[], struct slice content) {
        FILE_BUFFER(tensor);
        FILE_BUFFER(summary);

        put_number_field(&tensor, 1, 1);
        put_shape(&tensor, n, sizes);
        put_bytes_field(&tensor, 4, content);
        put_tensor_value(&summary, "loss", "scalars", &tensor);
        put_event(file, (int64_t)n, &summary);
}

static void test_shapes(void **state) {
        static const uint64_t ones[] = { 1, 1 }, two[] = { 2 }, none[] = { 0 };
        const struct slice one = { "\0\0\x80\x3f", 4 }, both = { "\0\0\x80\x3f\0\0\x80\x3f", 8 };
        FILE_BUFFER(file);

        (void)state;
        put_shaped(&file, 2, ones, one);
        put_shaped(&file, 1, two, both);
        put_shaped(&file, 1, two, one);
        put_shaped(&file, 1, none, one);
        put_shaped(&file, 0, NULL, both);
        put_shaped(&file, 0, NULL, (struct slice){ "\0\0\x80", 3 });
        put_shaped(&file, 0, NULL, (struct slice){ "", 0 });
        assert_said_bytes(NULL, buffer_slice(&file), "1: STEP=2 TIME=1500000000 loss=1\n");
}

/* Metadata come with the first value of a tag only. */
static void test_plugins(void **state) {
        static const struct element boolean = ELEMENT(10, "\x01", 11, "\x01", ""),
                                    text = ELEMENT(7, "x", 8, "x", "");
        FILE_BUFFER(file);
        FILE_BUFFER(tensor);
        FILE_BUFFER(summary);

        (void)state;
        put_float_tensor(&file, 0, "loss", "scalars", 0.5f);
        put_float_tensor(&file, 1, "loss", NULL, 0.25f);
        put_float_tensor(&file, 0, "threshold", "pr_curves", 0.5f);
        put_float_tensor(&file, 1, "threshold", NULL, 0.5f);
        put_float_tensor(&file, 0, "_hparams_/session_start_info", "hparams", 0.5f);
        put_float_tensor(&file, 0, "old", NULL, 2);
        put_element(&file, &boolean, false);
        put_element(&file, &boolean, true);
        put_element(&file, &text, true);
        /* One integer without metadata may be an index, a length, a seed. */
        put_number_field(&tensor, 1, 9);
        put_number_field(&tensor, 10, 7);
        put_tensor_value(&summary, "n", NULL, &tensor);
        put_event(&file, 1, &summary);
        assert_said_bytes(NULL, buffer_slice(&file),
                          "1: STEP=0 TIME=1500000000 loss=0.5\n2: STEP=1 TIME=1500000000 loss=0.25\n"
                          "6: STEP=0 TIME=1500000000 old=2\n");
}

/* --- tags --- */

static void test_what_is_no_metric(void **state) {
        FILE_BUFFER(file);

        (void)state;
        put_scalar(&file, 1, "time/fps", 100);
        put_scalar(&file, 1, "time/total_timesteps", 100);
        put_scalar(&file, 1, "batch_steps_per_second", 100);
        put_scalar(&file, 0, "hp_metric", -1);
        put_scalar(&file, 1, "global_step", 100);
        assert_said_bytes(NULL, buffer_slice(&file), "");
        put_scalar(&file, 1, "hp_metric", 0.5f);
        assert_said_bytes(NULL, buffer_slice(&file), "6: STEP=1 TIME=1500000000 hp_metric=0.5\n");
}

/* Lightning and transformers write the epoch last, as a tag of its own. */
static void test_epoch_is_a_tag(void **state) {
        FILE_BUFFER(file);

        (void)state;
        put_scalar(&file, 49, "train_loss", 4);
        put_scalar(&file, 49, "epoch", 0);
        put_scalar(&file, 99, "train_loss", 3);
        put_scalar(&file, 99, "train_acc", 0.5f);
        put_scalar(&file, 99, "train/epoch", 1);
        put_scalar(&file, 99, "val_loss", 2);
        put_scalar(&file, 120, "late", 1);
        put_scalar(&file, 149, "train_loss", 1);
        assert_said_bytes(NULL, buffer_slice(&file),
                          "1: STEP=49 TIME=1500000000 train_loss=4\n2: EPOCH=0 STEP=49 TIME=1500000000\n"
                          "5: EPOCH=1 STEP=99 TIME=1500000000 train_loss=3 train_acc=0.5\n"
                          "6: EPOCH=1 STEP=99 TIME=1500000000 val_loss=2\n"
                          "7: STEP=120 TIME=1500000000 late=1\n8: STEP=149 TIME=1500000000 train_loss=1\n");
}

/* The log at the end of a training by transformers. */
static void test_summary_is_no_point(void **state) {
        FILE_BUFFER(file);

        (void)state;
        put_scalar(&file, 10, "train/loss", 4);
        put_scalar(&file, 10, "train/epoch", 1);
        put_scalar(&file, 10, "eval/loss", 3);
        put_scalar(&file, 10, "eval/runtime", 3);
        put_scalar(&file, 10, "train/epoch", 1);
        put_scalar(&file, 10, "train/train_runtime", 100);
        put_scalar(&file, 10, "train/total_flos", 1e9);
        put_scalar(&file, 10, "train/train_loss", 7);
        put_scalar(&file, 10, "train/epoch", 1);
        put_scalar(&file, 10, "test/loss", 2);
        assert_said_bytes(NULL, buffer_slice(&file),
                          "1: STEP=10 TIME=1500000000 train/loss=4\n2: EPOCH=1 STEP=10 TIME=1500000000\n"
                          "3: EPOCH=1 STEP=10 TIME=1500000000 eval/loss=3\n5: EPOCH=1 STEP=10 TIME=1500000000\n"
                          "9: EPOCH=1 STEP=10 TIME=1500000000\n10: EPOCH=1 STEP=10 TIME=1500000000 test/loss=2\n");
}

static void assert_name(const char *path, const char *tag, const char *name) {
        FILE_BUFFER(file);
        FILE_BUFFER(expected);

        put_scalar(&file, 0, tag, 1);
        (void)buffer_printf(&expected, "1: STEP=0 TIME=1500000000 %s=1\n", name);
        assert_said_file(path, NULL, buffer_slice(&file), buffer_string(&expected));
}

static void test_names_from_the_path(void **state) {
        (void)state;
        assert_name("events.out.tfevents.1.host.7.0", "loss", "loss");
        assert_name("/loss", "loss", "loss");
        assert_name("runs/a/events", "loss", "loss");
        assert_name("logs/train/events.out.tfevents.1.host.7.0.v2", "epoch_loss", "train/epoch_loss");
        assert_name("validation/events", "epoch_loss", "validation/epoch_loss");
        assert_name("/a/Eval/events", "loss", "Eval/loss");
        assert_name("/a/val/events", "val_loss", "val_loss");
        assert_name("/a/val/events", "val/loss", "val/loss");
        assert_name("/a/val/events", "value", "val/value");
        assert_name("/train/run/events", "loss", "loss");
}

static void test_names_of_add_scalars(void **state) {
        (void)state;
        assert_name("runs/a/Loss_train/events.out.tfevents.1.host.7.3", "Loss", "Loss/train");
        assert_name("runs/a/a_b_x_y/events.out.tfevents.1.host.7.3", "a/b", "a/b/x_y");
        assert_name("runs/a/My Loss_x/events.out.tfevents.1.host", "My_Loss", "My_Loss/x");
        assert_name("runs/a/group/loss/train/events.out.tfevents.1.host", "group/loss", "group/loss/train");
        assert_name("loss/train/events.out.tfevents.1.host", "loss", "train/loss");
        /* The first writer of a process is no writer of add_scalars(). */
        assert_name("runs/loss_v2/events.out.tfevents.1.host.7.0", "loss", "loss");
        /* add_hparams(). */
        assert_name("runs/a/1643132134.5/events.out.tfevents.1.host.7.1", "hparam/accuracy", "hparam/accuracy");
        assert_name("runs/a/loss_/events", "loss", "loss");
        assert_name("runs/a/los_x/events", "loss", "loss");
}

/* A folder of add_scalars() has one tag; elsewhere the first one may fit, the next does not matter. */
static void test_only_the_first_tag_is_of_add_scalars(void **state) {
        FILE_BUFFER(file);

        (void)state;
        put_scalar(&file, 0, "acc", 1);
        put_scalar(&file, 0, "loss", 1);
        assert_said_file("runs/loss_v2/events", NULL, buffer_slice(&file),
                         "1: STEP=0 TIME=1500000000 acc=1\n2: STEP=0 TIME=1500000000 loss=1\n");
}

static void test_tags_are_bounded(void **state) {
        CLEANUP(buffer_release) struct buffer file = BUFFER_INIT(BYTES_MAX), said = BUFFER_INIT(BYTES_MAX);
        CLEANUP(cleanup_free) char *long_tag = calloc(1, TAG_BYTES_MAX + 2);
        const char *at;
        int n = 0;

        (void)state;
        for (int i = 0; i < TAGS_MAX + 10; i++) {
                char tag[32];

                (void)snprintf(tag, sizeof(tag), "t%d", i);
                put_scalar(&file, 0, tag, 1);
        }
        put_scalar(&file, 1, "t7", 2);
        said_of_file(&said, "test", NULL, buffer_slice(&file), 0);
        for (at = buffer_string(&said); (at = strchr(at, '\n')); at++)
                n++;
        assert_int_equal(n, TAGS_MAX + 2);
        assert_non_null(strstr(buffer_string(&said), "4097:0: expected at most 4,096 tags"));
        assert_non_null(strstr(buffer_string(&said), "4107: STEP=1 TIME=1500000000 t7=2\n"));

        buffer_clear(&file);
        memset(long_tag, 'a', TAG_BYTES_MAX + 1);
        put_scalar(&file, 0, long_tag, 1);
        assert_said_bytes(NULL, buffer_slice(&file),
                          "1:0: expected at most 4,096 tags a file, of at most 1,024 bytes each; further tags are "
                          "passed over\n");
}

/* --- damage --- */

#define EXPECTED_CRC "data whose CRC-32C is the one written behind them; this record is passed over"
#define EXPECTED_LENGTH "a record's length and its CRC-32C; where the next record begins is not known, so the rest " \
                        "is passed over until the file begins anew"

static void test_wrong_crc_of_data(void **state) {
        FILE_BUFFER(file);
        size_t end;

        (void)state;
        put_scalar(&file, 0, "loss", 1);
        put_scalar(&file, 1, "loss", 2);
        end = file.size_bytes;
        put_scalar(&file, 2, "loss", 3);
        file.data[end - 5] ^= 1;
        assert_said_bytes(NULL, buffer_slice(&file),
                          "1: STEP=0 TIME=1500000000 loss=1\n2:0: expected " EXPECTED_CRC "\n"
                          "3: STEP=2 TIME=1500000000 loss=3\n");
}

static void test_wrong_crc_of_length(void **state) {
        FILE_BUFFER(file);
        size_t end;

        (void)state;
        put_scalar(&file, 0, "loss", 1);
        end = file.size_bytes;
        put_scalar(&file, 1, "loss", 2);
        put_scalar(&file, 2, "loss", 3);
        file.data[end + 9] ^= 1;
        assert_said_bytes(NULL, buffer_slice(&file),
                          "1: STEP=0 TIME=1500000000 loss=1\n2:0: expected " EXPECTED_LENGTH "\n");
        /* The file system's zeros after a crash. */
        memset(file.data + end, 0, file.size_bytes - end);
        assert_said_bytes(NULL, buffer_slice(&file),
                          "1: STEP=0 TIME=1500000000 loss=1\n2:0: expected " EXPECTED_LENGTH "\n");
}

static void test_the_file_ends_within_a_record(void **state) {
        FILE_BUFFER(file);
        size_t start, end;

        (void)state;
        put_scalar(&file, 0, "loss", 1);
        start = file.size_bytes;
        put_scalar(&file, 1, "loss", 2);
        end = file.size_bytes;
        for (size_t n = start + 1; n < end; n++)
                assert_said_bytes(NULL, (struct slice){ file.data, n },
                                  "1: STEP=0 TIME=1500000000 loss=1\n"
                                  "2:0: expected the rest of the record; the file ends within it\n");
}

static void test_what_is_no_event_within(void **state) {
        FILE_BUFFER(file);

        (void)state;
        put_scalar(&file, 0, "loss", 1);
        put_tfrecord(&file, SLICE("\x0a\x02no"));
        put_tfrecord(&file, SLICE(""));
        put_scalar(&file, 1, "loss", 2);
        assert_said_bytes(NULL, buffer_slice(&file),
                          "1: STEP=0 TIME=1500000000 loss=1\n"
                          "2:0: expected an Event message of TensorBoard; this record is passed over\n"
                          "4: STEP=1 TIME=1500000000 loss=2\n");
}

/* Little that unfolds to much: 500,000 values of two bytes each. */
static void test_what_unfolds_to_much(void **state) {
        CLEANUP(buffer_release) struct buffer file = BUFFER_INIT(BYTES_MAX), summary = BUFFER_INIT(BYTES_MAX);

        (void)state;
        for (int i = 0; i < 500000; i++)
                put(&summary, "\x0a\0", 2);
        put_event(&file, 0, &summary);
        put_scalar(&file, 1, "loss", 2);
        assert_said_bytes(NULL, buffer_slice(&file),
                          "1:0: expected an Event message of TensorBoard; this record is passed over\n"
                          "2: STEP=1 TIME=1500000000 loss=2\n");
}

static void test_large_records_go_by(void **state) {
        CLEANUP(buffer_release) struct buffer file = BUFFER_INIT(BYTES_MAX), event = BUFFER_INIT(BYTES_MAX);
        CLEANUP(cleanup_free) char *graph = calloc(1, TFRECORD_DATA_BYTES_MAX);
        size_t start, end;

        (void)state;
        put_scalar(&file, 0, "loss", 1);
        start = file.size_bytes;
        put_double_field(&event, 1, 1.5e9);
        put_bytes_field(&event, 4, (struct slice){ graph, TFRECORD_DATA_BYTES_MAX });
        put_tfrecord(&file, buffer_slice(&event));
        end = file.size_bytes;
        put_scalar(&file, 1, "loss", 2);
        assert_said_bytes(NULL, buffer_slice(&file),
                          "1: STEP=0 TIME=1500000000 loss=1\n3: STEP=1 TIME=1500000000 loss=2\n");
        assert_said_bytes(NULL, (struct slice){ file.data, start + 100000 },
                          "1: STEP=0 TIME=1500000000 loss=1\n"
                          "2:0: expected the rest of the record; the file ends within it\n");
        file.data[end - 10000] ^= 1;
        assert_said_bytes(NULL, buffer_slice(&file),
                          "1: STEP=0 TIME=1500000000 loss=1\n2:0: expected " EXPECTED_CRC "\n"
                          "3: STEP=1 TIME=1500000000 loss=2\n");
        /* The largest that is kept. */
        buffer_clear(&file);
        buffer_clear(&event);
        put_double_field(&event, 1, 1.5e9);
        put_bytes_field(&event, 4, (struct slice){ graph, TFRECORD_DATA_BYTES_MAX - 9 - 4 });
        assert_int_equal(event.size_bytes, TFRECORD_DATA_BYTES_MAX);
        put_tfrecord(&file, buffer_slice(&event));
        put_scalar(&file, 1, "loss", 2);
        assert_said_bytes(NULL, buffer_slice(&file), "2: STEP=1 TIME=1500000000 loss=2\n");
}

/* --- recognising --- */

static void test_what_is_no_event_file(void **state) {
        FILE_BUFFER(file);

        (void)state;
        put_scalar(&file, 0, "loss", 1);
        for (size_t n = 1; n < 12; n++)
                assert_said_bytes(NULL, (struct slice){ file.data, n }, "");
        file.data[3] ^= 1;
        assert_said_bytes(NULL, buffer_slice(&file), "");
        /* tf.train.Example: its field 1 is a message. */
        buffer_clear(&file);
        put_tfrecord(&file, SLICE("\x0a\x04" "\x0a\x02\x0a\0"));
        assert_said_bytes(NULL, buffer_slice(&file), "");
}

static void test_begins_anew(void **state) {
        CLEANUP(buffer_release) struct buffer file = BUFFER_INIT(BYTES_MAX), said = BUFFER_INIT(BYTES_MAX);
        const struct record_sink sink = { .userdata = &said, .take_record = said_record, .take_reject = said_reject };
        const struct stream_config config = { .source = SLICE("test"), .sink = &sink };
        CLEANUP(stream_freep) struct stream *stream = NULL;

        (void)state;
        put_scalar(&file, 0, "loss", 1);
        assert_int_equal(stream_new(&stream, &config), 0);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(stream_push(stream, buffer_slice(&file)), 0);
                assert_int_equal(stream_push(stream, (struct slice){ file.data, 20 }), 0);
                stream_restart(stream);
        }
        assert_string_equal(buffer_string(&said),
                            "1: STEP=0 TIME=1500000000 loss=1\n1: STEP=0 TIME=1500000000 loss=1\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_crc_vectors),
                cmocka_unit_test(test_scalars),
                cmocka_unit_test(test_session_start),
                cmocka_unit_test(test_restart),
                cmocka_unit_test(test_every_type_of_tensor),
                cmocka_unit_test(test_shapes),
                cmocka_unit_test(test_plugins),
                cmocka_unit_test(test_what_is_no_metric),
                cmocka_unit_test(test_epoch_is_a_tag),
                cmocka_unit_test(test_summary_is_no_point),
                cmocka_unit_test(test_names_from_the_path),
                cmocka_unit_test(test_names_of_add_scalars),
                cmocka_unit_test(test_only_the_first_tag_is_of_add_scalars),
                cmocka_unit_test(test_tags_are_bounded),
                cmocka_unit_test(test_wrong_crc_of_data),
                cmocka_unit_test(test_wrong_crc_of_length),
                cmocka_unit_test(test_the_file_ends_within_a_record),
                cmocka_unit_test(test_what_is_no_event_within),
                cmocka_unit_test(test_what_unfolds_to_much),
                cmocka_unit_test(test_large_records_go_by),
                cmocka_unit_test(test_what_is_no_event_file),
                cmocka_unit_test(test_begins_anew),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
