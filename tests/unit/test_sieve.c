/* The sieve never passes over a line that counts, whatever the pieces and whatever the processor. */
#include "formats/sieve.c" /* the file itself, for its two classifiers and the switch between them */

#include "files.h"
#include "said.h"

extern const struct format format_text, format_text_unsieved;

static unsigned next_random(unsigned *seed) {
        *seed = *seed * 1103515245u + 12345u;
        return *seed >> 16;
}

/* --- every line of every file --- */

static void assert_nothing_is_lost(const char *path, struct slice content) {
        CLEANUP(buffer_release) struct buffer sieved = BUFFER_INIT(FILES_BYTES_MAX), unsieved = BUFFER_INIT(FILES_BYTES_MAX);

        said_of_file(&sieved, path, &format_text, content, 0);
        said_of_file(&unsieved, path, &format_text_unsieved, content, 0);
        if (!slice_equal(buffer_slice(&sieved), buffer_slice(&unsieved)))
                fail_msg("%s: %s\nwithout the sieve: %s", path, buffer_string(&sieved), buffer_string(&unsieved));
}

static void test_nothing_is_lost(void **state) {
        (void)state;
        assert_in_range(files_each(TRAINERS_DIR "/samples", assert_nothing_is_lost), 50, SIZE_MAX);
}

/* Of what no trainer wrote the sieve may keep less than counts ("ValueError: loss is nan"), not more. */
static void assert_nothing_is_added(const char *path, struct slice content) {
        CLEANUP(buffer_release) struct buffer sieved = BUFFER_INIT(FILES_BYTES_MAX);

        said_of_file(&sieved, path, &format_text, content, 0);
        if (sieved.size_bytes > 0)
                assert_nothing_is_lost(path, content);
}

static void test_nothing_is_added(void **state) {
        (void)state;
        assert_in_range(files_each(TRAINERS_DIR "/negative", assert_nothing_is_added), 50, SIZE_MAX);
}

/* --- whole chunks --- */

static bool has_control(struct slice line) {
        for (size_t i = 0; i < line.size_bytes; i++)
                if ((unsigned char)line.data[i] < 0x20 && line.data[i] != '\t' && line.data[i] != 0x19 && line.data[i] != 0x1a)
                        return true;
        return false;
}

/* What is skipped at the front of text is whole lines, counted, and none of them counts. */
static void assert_skips_noise(struct slice text) {
        uint64_t n_lines, n = 0;
        const char *at = text.data, *end = at + sieve_skip(text, &n_lines);

        for (; at < end; n++) {
                const char *newline = memchr(at, '\n', (size_t)(end - at));
                struct slice line;

                assert_non_null(newline);
                line = (struct slice){ at, (size_t)(newline - at) };
                if (has_control(line) || sieve_keeps(line) || sieve_keeps(line_trim(line, false)))
                        fail_msg("skipped: %.*s", (int)line.size_bytes, line.data);
                at = newline + 1;
        }
        assert_int_equal(n, n_lines);
}

/* From the start of each line, with ends anywhere; each chunk is a copy of its own, so that a read past it
 * is found. */
static void assert_skips_noise_of(const char *path, struct slice content) {
        unsigned seed = (unsigned)content.size_bytes;

        (void)path;
        for (const char *at = content.data, *end = at + content.size_bytes; at && at < end;) {
                CLEANUP(buffer_release) struct buffer chunk = BUFFER_INIT(FILES_BYTES_MAX);
                size_t left = (size_t)(end - at), n = 1 + next_random(&seed) % 700;

                assert_int_equal(buffer_append(&chunk, at, n < left ? n : left), 0);
                assert_skips_noise(buffer_slice(&chunk));
                at = memchr(at, '\n', left);
                at = at ? at + 1 : NULL;
        }
}

static void test_chunks_of_files(void **state) {
        (void)state;
        sieve_prepare();
        files_each(TRAINERS_DIR "/samples", assert_skips_noise_of);
        files_each(TRAINERS_DIR "/negative", assert_skips_noise_of);
}

/* Bytes of those that the sieve asks about, with lines that are longer and shorter than a block. */
static void fill(struct buffer *text, unsigned seed, size_t size_bytes) {
        static const char *const parts[] = { "loss", "epoch ", "step", "12", "0.5", " ", " ", "\t", ":", "=", "\n", "\n", ".", "-", "nan", "#", "@", "acc", ")",
                                             "[", "\"", "tensor(", "a", "xyz ", "|", "\xe2\x94\x82", "\r", "\x1b", "\x19", "\x1a", "\x80", "e #", "class ",
                                             "the quick brown fox jumps over the lazy dog " };

        while (text->size_bytes < size_bytes)
                assert_int_equal(buffer_append_string(text, parts[next_random(&seed) % (sizeof(parts) / sizeof(parts[0]))]), 0);
}

static void test_random_chunks(void **state) {
        (void)state;
        sieve_prepare();
        for (unsigned seed = 0; seed < 3000; seed++) {
                CLEANUP(buffer_release) struct buffer text = BUFFER_INIT(FILES_BYTES_MAX);

                fill(&text, seed, seed % 300);
                assert_skips_noise(buffer_slice(&text));
        }
}

/* --- the two classifiers --- */

static void test_classes_agree(void **state) {
        unsigned seed = 1;

        (void)state;
        sieve_prepare();
        for (int i = 0; i < 5000; i++) {
                char block[BLOCK_BYTES];
                uint64_t fast[N_CLASSES], portable[N_CLASSES];

                for (int j = 0; j < BLOCK_BYTES; j++)
                        block[j] = (char)(i < 4 ? i * BLOCK_BYTES + j : (int)next_random(&seed));
                classify(block, fast);
                classify_bytes(block, portable);
                assert_memory_equal(fast, portable, sizeof(fast));
        }
}

static void test_the_portable_way_skips_the_same(void **state) {
        bool has = (sieve_prepare(), has_avx2);

        (void)state;
        for (unsigned seed = 0; seed < 3000; seed++) {
                CLEANUP(buffer_release) struct buffer text = BUFFER_INIT(FILES_BYTES_MAX);
                size_t fast, portable;
                uint64_t fast_lines, portable_lines;

                fill(&text, seed, seed % 300);
                fast = sieve_skip(buffer_slice(&text), &fast_lines);
                has_avx2 = false;
                portable = sieve_skip(buffer_slice(&text), &portable_lines);
                has_avx2 = has;
                assert_int_equal(fast, portable);
                assert_int_equal(fast_lines, portable_lines);
        }
}

/* --- what is kept and what is not --- */

static void test_lines(void **state) {
        static const char *const kept[] = { "loss=0.5", "loss: nan", "'loss': '0.5'", "loss = -.5", "a=[0.5]", "x: tensor(0.5)", "epoch 3", "Epoch #3", "TrainLoss 1",
                                            "val_loss 1", "Acc@1 79.8", "loss nan", "| a | 1 |", "\xe2\x94\x82 a", "epoch  loss  acc", "E    #    LOSS", "top5:0.61",
                                            "Class     Images" },
                                *const passed[] = { "", "hello world", "at 12:30 we left", "see train.py:30 there", "http://x/y", "one: two", "5 apples", "in 2024" };

        (void)state;
        sieve_prepare();
        for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
                if (!sieve_keeps(slice_from(kept[i])))
                        fail_msg("passed over: %s", kept[i]);
        for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
                if (sieve_keeps(slice_from(passed[i])))
                        fail_msg("kept: %s", passed[i]);
}

static void test_skip_stops_before_what_counts(void **state) {
        uint64_t n_lines;

        (void)state;
        sieve_prepare();
        assert_int_equal(sieve_skip(SLICE("a\nb\nloss=1\nc\n"), &n_lines), 4);
        assert_int_equal(n_lines, 2);
        assert_int_equal(sieve_skip(SLICE("a\nb"), &n_lines), 2);
        assert_int_equal(sieve_skip(SLICE("a\rb\nc\n"), &n_lines), 0);
        assert_int_equal(sieve_skip(SLICE(""), &n_lines), 0);
        assert_int_equal(n_lines, 0);
        assert_int_equal(sieve_skip((struct slice){ 0 }, &n_lines), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nothing_is_lost),
                cmocka_unit_test(test_nothing_is_added),
                cmocka_unit_test(test_chunks_of_files),
                cmocka_unit_test(test_random_chunks),
                cmocka_unit_test(test_classes_agree),
                cmocka_unit_test(test_the_portable_way_skips_the_same),
                cmocka_unit_test(test_lines),
                cmocka_unit_test(test_skip_stops_before_what_counts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
