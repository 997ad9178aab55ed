/* Real files, written as their trainers may have: whatever the pieces, the records and rejects are those
 * of one push. */
#include "files.h"
#include "said.h"

enum { SAID_BYTES_MAX = 16 * 1024 * 1024, LINES = 0 };

/* The length of the next piece of text: of a fixed size, or up to and with the next newline. */
static size_t piece_of(struct slice text, size_t piece_bytes) {
        const char *newline = piece_bytes == LINES ? memchr(text.data, '\n', text.size_bytes) : NULL;
        size_t n = newline ? (size_t)(newline + 1 - text.data) : piece_bytes;

        return n == LINES || n > text.size_bytes ? text.size_bytes : n;
}

/* A piece is a copy of its own, so that a read past it is found. */
static void push(struct stream *stream, struct slice piece) {
        CLEANUP(buffer_release) struct buffer copy = BUFFER_INIT(FILES_BYTES_MAX);

        assert_int_equal(buffer_append(&copy, piece.data, piece.size_bytes), 0);
        assert_int_equal(stream_push(stream, buffer_slice(&copy)), 0);
}

/* In pieces of that size or, with a seed, of random sizes up to it, many of them small. */
static void replay(struct buffer *said, const char *path, struct slice text, size_t piece_bytes, unsigned seed) {
        const struct record_sink sink = { .userdata = said, .take_record = said_record, .take_reject = said_reject };
        const struct stream_config config = { .source = slice_from(path), .sink = &sink };
        CLEANUP(stream_freep) struct stream *stream = NULL;

        assert_int_equal(stream_new(&stream, &config), 0);
        while (text.size_bytes > 0) {
                size_t n = piece_bytes;

                if (seed != 0) {
                        seed = seed * 1103515245u + 12345u;
                        n = 1 + (seed >> 16) % piece_bytes;
                        n = (seed >> 8) % 2 ? n : 1 + n % 16;
                }
                n = piece_of(text, n);
                push(stream, (struct slice){ text.data, n });
                text = (struct slice){ text.data + n, text.size_bytes - n };
        }
        assert_int_equal(stream_finish(stream), 0);
}

static void assert_replay(const char *path, struct slice text, size_t piece_bytes, unsigned seed, struct buffer *expected) {
        CLEANUP(buffer_release) struct buffer said = BUFFER_INIT(SAID_BYTES_MAX);

        replay(&said, path, text, piece_bytes, seed);
        if (!slice_equal(buffer_slice(&said), buffer_slice(expected)))
                fail_msg("%s in pieces of %zu bytes (seed %u): %s\nin one: %s", path, piece_bytes, seed, buffer_string(&said), buffer_string(expected));
}

/* Pieces of one byte end in the middle of every sequence and character that there is. */
static void assert_replays(const char *path, struct slice text) {
        static const size_t sizes[] = { 1, 13, LINES, 4096, 256 * 1024 };
        CLEANUP(buffer_release) struct buffer expected = BUFFER_INIT(SAID_BYTES_MAX);

        replay(&expected, path, text, SIZE_MAX, 0);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
                assert_replay(path, text, sizes[i], 0, &expected);
        for (unsigned seed = 1; seed <= 3; seed++)
                assert_replay(path, text, 2000, seed, &expected);
}

static void test_samples(void **state) {
        (void)state;
        assert_in_range(files_each(TRAINERS_DIR "/samples", assert_replays), 50, SIZE_MAX);
}

/* --- what terminals are written --- */

#define UP "\x1b[1A\x1b[2K"
#define BAR "\xe2\x94\x81\xe2\x94\x81\xe2\x95\xb8"

static const char terminal_text[] =
        "\x1b]0;training\a\x1b[?25l\xf0\x9f\x9a\x80 go\r\n"
        /* tqdm */
        "\rEpoch 1:   0%|          | 0/2 [00:00<?, ?it/s]"
        "\rEpoch 1:  50%|\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88     | 1/2 [00:01<00:01, 1.2it/s, loss=0.75]"
        "\rEpoch 1: 100%|\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88| 2/2 [00:02<00:00, 1.2it/s, loss=0.5]\n"
        /* Keras */
        "Epoch 2/3\n"
        "\r\x1b[1m1/2\x1b[0m \x1b[32m" BAR "\x1b[0m\x1b[37m" BAR "\x1b[0m \x1b[1m0s\x1b[0m 10ms/step - accuracy: 0.5000 - loss: 0.4500"
        "\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b"
        "\r\x1b[1m2/2\x1b[0m \x1b[32m" BAR "\x1b[0m\x1b[37m\x1b[0m \x1b[1m0s\x1b[0m 10ms/step - accuracy: 0.7500 - loss: 0.4000 - val_loss: 0.6\n"
        /* rich: the lines of a table, drawn again and again */
        "\x1b[35mEpoch 3/3\x1b[0m " BAR " 1/2 \x1b[37m0:00:01\x1b[0m train_loss: 0.300\r"
        "\x1b[2K\x1b[35mEpoch 3/3\x1b[0m " BAR " 2/2 \x1b[37m0:00:02\x1b[0m train_loss: 0.250\n" UP
        "\x1b[2K\x1b[35mEpoch 3/3\x1b[0m " BAR " 2/2 \x1b[37m0:00:02\x1b[0m train_loss: 0.125\n"
        "--------------------------\n| rollout/      |        |\n|    ep_rew_mean | 12.5 |\n| time/         |        |\n"
        "|    total_timesteps | 2048 |\n--------------------------\n"
        "loss \x1b[4mno 0.9\x1b[\nepoch=4 \x1b]8;;http://x/\x1b\\loss=0.0625\x1b]8;;\x1b\\ verlust\xc3\xa9=0.5\r\n"
        "\x1b[?25hepoch=5 loss=0.5\b\b\b0.4\b\b\b0.3\x1b[";

static void test_what_terminals_are_written(void **state) {
        CLEANUP(buffer_release) struct buffer said = BUFFER_INIT(SAID_BYTES_MAX);
        const struct slice text = { terminal_text, sizeof(terminal_text) - 1 };

        (void)state;
        replay(&said, "train.log", text, SIZE_MAX, 0);
        assert_string_equal(buffer_string(&said),
                            "2: EPOCH=1 loss=0.75\n2: EPOCH=1 loss=0.5\n"
                            "4: EPOCH=2 EPOCHS=3 accuracy=0.5 loss=0.45\n4: EPOCH=2 EPOCHS=3 accuracy=0.75 loss=0.4 val_loss=0.6\n"
                            "5: EPOCH=3 EPOCHS=3 train_loss=0.3\n5: EPOCH=3 EPOCHS=3 train_loss=0.25\n6: EPOCH=3 EPOCHS=3 train_loss=0.125\n"
                            "11: EPOCH=3 STEP=2048 EPOCHS=3 rollout/ep_rew_mean=12.5\n"
                            "14: EPOCH=4 EPOCHS=3 loss=0.0625 verlust\xc3\xa9=0.5\n"
                            "15: EPOCH=5 EPOCHS=3 loss=0.5\n15: EPOCH=5 EPOCHS=3 loss=0.4\n15: EPOCH=5 EPOCHS=3 loss=0.3\n");
        assert_replays("train.log", text);
}

/* Cut off after each byte: also where it ends in the middle of something. */
static void test_every_end(void **state) {
        (void)state;
        for (size_t n = 1; n < sizeof(terminal_text); n++) {
                CLEANUP(buffer_release) struct buffer expected = BUFFER_INIT(SAID_BYTES_MAX);

                replay(&expected, "train.log", (struct slice){ terminal_text, n }, SIZE_MAX, 0);
                assert_replay("train.log", (struct slice){ terminal_text, n }, 1, 0, &expected);
        }
}

/* A rule under a line does not end what the line began, wherever pieces end; noise does. */
static void test_pieces_between_lines(void **state) {
        static const char *const texts[] = {
                "Epoch 1\nloss: 0.5\n------\nacc: 0.25\n", "Epoch 1\nloss: 0.5\n\nacc: 0.25\n", "Epoch 1\nloss: 0.5\nnoise\nacc: 0.25\n",
                "epoch 1:\nloss{\nc 2:\nbatch1 loss=0.4\n", "epoch loss acc\n1 0.5 0.25\nnoise\n\n2 0.25 0.5\n", "::0 loss=1\n",
                "noise\nEpoch 1: val_loss:\n0.5 acc: 0.25\n",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                assert_replays("train.log", slice_from(texts[i]));
}

/* NUL bytes near the start: what came before them counts, and nothing behind. */
static void test_a_binary_file(void **state) {
        CLEANUP(buffer_release) struct buffer said = BUFFER_INIT(SAID_BYTES_MAX);
        const struct slice text = SLICE("epoch=1 loss=0.5\nepoch=2 \0 loss=0.25\nepoch=3 loss=0.125\n");

        (void)state;
        replay(&said, "train.log", text, SIZE_MAX, 0);
        assert_string_equal(buffer_string(&said), "1: EPOCH=1 loss=0.5\n");
        assert_replays("train.log", text);
        assert_replays("train.log", SLICE("\x7f" "ELF\0\0epoch=1 loss=0.5\n"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_samples),
                cmocka_unit_test(test_what_terminals_are_written),
                cmocka_unit_test(test_every_end),
                cmocka_unit_test(test_pieces_between_lines),
                cmocka_unit_test(test_a_binary_file),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
