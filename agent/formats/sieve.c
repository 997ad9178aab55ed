/* Bytes are put into eight classes, 64 at a time, as bit masks; where classes stand beside each other as
 * they do around a value, a few exact questions are asked. With AVX2 the classes come from two table
 * look-ups by half bytes (pshufb), which is why each class is a product of high and low halves. */
#include "formats/sieve.h"

#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "formats/names.h"
#include "result/metric_name.h"

enum { WORD_BYTES_MAX = 24, BITS = 4096, BLOCK_BYTES = 64, LETTERS = 32 };

enum class {
        CLASS_NEWLINE,
        CLASS_CONTROL,    /* but for tab and newline; U+0019 and U+001A may pass */
        CLASS_DIGIT,
        CLASS_ASSIGNMENT, /* : = */
        CLASS_BLANK,      /* blank, tab, #; ) may pass */
        CLASS_A,
        CLASS_SIGN,       /* + - . */
        CLASS_N,
        N_CLASSES,
};

/* Which halves of a byte each class has: a bit a class. */
static uint8_t low_half[16], high_half[16];

static const struct {
        const char *low, *high; /* hexadecimal digits */
} halves[N_CLASSES] = {
        [CLASS_NEWLINE] = { "a", "0" },    [CLASS_CONTROL] = { "012345678bcdef", "01" },
        [CLASS_DIGIT] = { "0123456789", "3" }, [CLASS_ASSIGNMENT] = { "ad", "3" },
        [CLASS_BLANK] = { "039", "02" },   [CLASS_A] = { "1", "46" },
        [CLASS_SIGN] = { "bde", "2" },     [CLASS_N] = { "e", "46" },
};

/* Hashes of words: a bit each. */
struct words {
        uint64_t bits[BITS / 64];
};

static struct words before_number, begins_header;
/* The last three letters of the words before a number, a quick question before the exact one. */
static uint32_t endings[LETTERS * LETTERS];
static bool is_prepared, has_avx2;

/* --- words --- */

static void add_word(struct words *words, const char *word) {
        uint32_t hash = name_hash(slice_from(word)) % BITS;

        words->bits[hash / 64] |= UINT64_C(1) << (hash % 64);
}

/* Letters before the word's start count as none. */
static uint32_t letter_at(const char *start, const char *end, ptrdiff_t back) {
        return end - start >= back ? (uint32_t)(end[-back] & 31) : 0;
}

static void add_before_number(const char *word) {
        const char *end = word + strlen(word);

        add_word(&before_number, word);
        endings[letter_at(word, end, 3) * LETTERS + letter_at(word, end, 2)] |= 1u << letter_at(word, end, 1);
}

static void add_halves(uint8_t halves_of[static 16], const char *digits, int class) {
        for (; *digits; digits++)
                halves_of[*digits <= '9' ? *digits - '0' : *digits - 'a' + 10] |= (uint8_t)(1u << class);
}

void sieve_prepare(void) {
        if (is_prepared)
                return;
        for (size_t i = 0; metric_known_word(i); i++)
                add_before_number(metric_known_word(i));
        for (size_t i = 0; names_known_word(i); i++) {
                add_before_number(names_known_word(i));
                add_word(&begins_header, names_known_word(i));
        }
        add_word(&begins_header, "class"); /* see table.h */
        add_word(&begins_header, "e");
        for (int class = 0; class < N_CLASSES; class++) {
                add_halves(low_half, halves[class].low, class);
                add_halves(high_half, halves[class].high, class);
        }
#ifdef __x86_64__
        has_avx2 = __builtin_cpu_supports("avx2");
#endif
        is_prepared = true;
}

static inline bool is_letter(char c) {
        return (unsigned char)((c | 32) - 'a') < 26;
}

static inline bool is_digit(char c) {
        return (unsigned char)(c - '0') < 10;
}

static bool is_blank(char c) {
        return c == ' ' || c == '\t' || c == '#';
}

/* FNV-1a of the word's small letters, as name_hash() has it. */
static bool is_known(const struct words *words, const char *word, const char *end) {
        uint32_t hash = 0x811c9dc5u;

        if (word == end || end - word > WORD_BYTES_MAX)
                return false;
        for (; word < end; word++)
                hash = (hash ^ (uint8_t)(*word | 32)) * 0x01000193u;
        hash %= BITS;
        return words->bits[hash / 64] >> (hash % 64) & 1;
}

/* --- exact questions --- */

/* A number stands behind `end`: is the word before it known? Without digits and the like at its end:
 * "Acc@1 " is acc, "val_loss " loss, "TrainLoss " loss; "f1-score (micro avg) " is let through. */
static bool is_known_before(const char *start, const char *end) {
        const char *stop = end, *at;

        while (stop > start && is_blank(stop[-1]))
                stop--;
        if (stop == start)
                return false;
        if (!is_letter(stop[-1])) {
                if (stop[-1] == ')' || stop[-1] == '%' || stop[-1] == ']')
                        return true;
                while (stop > start && is_digit(stop[-1]) && end - stop < 4)
                        stop--;
                if (stop > start && (stop[-1] == '@' || (stop[-1] >= '-' && stop[-1] <= '.') || stop[-1] == '_' || stop[-1] == ':'))
                        stop--;
                if (stop == start || !is_letter(stop[-1]))
                        return false;
        }
        /* Three letters of one word, or fewer where it is shorter. */
        for (at = stop - 1; at > start && stop - at < 3 && is_letter(at[-1]) && !(at[-1] >= 'a' && at[0] < 'a'); at--)
                ;
        if (!(endings[letter_at(at, stop, 3) * LETTERS + letter_at(at, stop, 2)] >> letter_at(at, stop, 1) & 1))
                return false;
        for (; at > start && is_letter(at[-1]) && !(at[-1] >= 'a' && at[0] < 'a'); at--)
                ;
        return is_known(&before_number, at, stop);
}

static bool begins_number(const char *at, const char *end) {
        if (at == end)
                return false;
        if (is_digit(*at))
                return true;
        if ((*at == '-' || *at == '+' || *at == '.') && at + 1 < end)
                return is_digit(at[1]) || at[1] == '.' || (at[1] | 32) == 'i' || (at[1] | 32) == 'n';
        return ((*at | 32) == 'n' || (*at | 32) == 'i') && at + 2 < end && ((at[1] | 32) == 'a' || (at[1] | 32) == 'n');
}

/* 12:30, but not top5:0.61. */
static bool is_time(const char *start, const char *at) {
        const char *digit = at;

        while (digit > start && is_digit(digit[-1]))
                digit--;
        return digit < at && (digit == start || !is_letter(digit[-1]));
}

/* =(accuracy,0.85) */
static bool is_tuple(const char *at, const char *end) {
        const char *comma;

        if (end - at < 5 || at[1] != '(' || !is_letter(at[2]))
                return false;
        comma = memchr(at, ',', (size_t)(end - at > 40 ? 40 : end - at));
        return comma && comma + 1 < end && (is_digit(comma[1]) || comma[1] == ' ');
}

/* A ':' or '=' at `at`: does a number follow, as a value? Not in 12:30, nor in train.py:30. */
static bool is_assignment(const char *start, const char *at, const char *end) {
        const char *next = at + 1;

        if (next < end && is_digit(*next) && *at == ':' &&
            (is_time(start, at) || (at - start > 3 && (at[-3] == '.' || at[-2] == '.' || at[-4] == '.'))))
                return false;
        while (next < end && (*next == ' ' || *next == '\t'))
                next++;
        if (next < end && (*next == '"' || *next == '\'' || *next == '[' || *next == '('))
                next++;
        while (next < end && (*next == ' ' || *next == '\t'))
                next++;
        if (next < end && (*next == 't' || *next == 'a' || *next == 'n' || *next == 'D')) /* tensor(0.5, array(0.5 */
                for (const char *p = next; p < next + 12 && p < end; p++)
                        if (*p == '(')
                                return true;
        return begins_number(next, end) || is_tuple(at, end);
}

/* Drawn lines, and headers of tables. */
static bool begins_well(const char *start, const char *end) {
        const char *word;

        while (start < end && (*start == ' ' || *start == '\t'))
                start++;
        if (start == end)
                return false;
        if (*start == '|' || (unsigned char)*start == 0xe2)
                return true;
        for (word = start; word < end && is_letter(*word); word++)
                ;
        return word > start && word < end && (is_blank(*word) || *word == ',') && is_known(&begins_header, start, word);
}

/* --- classes --- */

static void classify_bytes(const char *block, uint64_t ret_masks[static N_CLASSES]) {
        memset(ret_masks, 0, N_CLASSES * sizeof(ret_masks[0]));
        for (int i = 0; i < BLOCK_BYTES; i++) {
                uint8_t byte = (uint8_t)block[i], classes = low_half[byte & 15] & high_half[byte >> 4];

                for (int class = 0; class < N_CLASSES; class++)
                        ret_masks[class] |= (uint64_t)(classes >> class & 1) << i;
        }
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static inline __m256i classes_of(const char *bytes) {
        const __m256i low = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)low_half));
        const __m256i high = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)high_half));
        __m256i block = _mm256_loadu_si256((const __m256i *)(const void *)bytes);
        __m256i upper = _mm256_and_si256(_mm256_srli_epi16(block, 4), _mm256_set1_epi8(15));

        /* pshufb gives 0 for bytes from 0x80 on, which are in no class. */
        return _mm256_and_si256(_mm256_shuffle_epi8(low, block), _mm256_shuffle_epi8(high, upper));
}

__attribute__((target("avx2"))) static void classify_avx2(const char *block, uint64_t ret_masks[static N_CLASSES]) {
        __m256i first = classes_of(block), second = classes_of(block + 32);

        for (int class = N_CLASSES - 1; class >= 0; class--) {
                ret_masks[class] = (uint32_t)_mm256_movemask_epi8(first) |
                                   (uint64_t)(uint32_t)_mm256_movemask_epi8(second) << 32;
                first = _mm256_slli_epi16(first, 1);
                second = _mm256_slli_epi16(second, 1);
        }
}
#endif

static void classify(const char *block, uint64_t ret_masks[static N_CLASSES]) {
#ifdef __x86_64__
        if (has_avx2) {
                classify_avx2(block, ret_masks);
                return;
        }
#endif
        classify_bytes(block, ret_masks);
}

/* "best valid result:" is about the line below it. */
static bool is_best_heading(const char *start, const char *end) {
        if (end > start && end[-1] == '\r')
                end--;
        return end > start && end[-1] == ':' && (memmem(start, (size_t)(end - start), "best", 4) || memmem(start, (size_t)(end - start), "Best", 4));
}

/* --- the scan --- */

/* Where a scan is. block may be a copy of what stands at text, with zeros behind. */
struct place {
        const char *start, *end; /* of all */
        const char *line;        /* start of the line */
        uint64_t n_lines;
};

/* The mask of bytes behind which a byte of the mask stands; is_next: so is the one behind the block. */
static inline uint64_t before_mask(uint64_t mask, bool is_next) {
        return mask >> 1 | (uint64_t)is_next << 63;
}

/* The bits of one block that are newlines, control characters, or may be beside a value. */
static uint64_t find_marks(const char *block, uint64_t *ret_newlines, uint64_t *ret_controls,
                           uint64_t *ret_assignments) {
        uint64_t masks[N_CLASSES], digit, number, nan;
        char next = block[BLOCK_BYTES];

        classify(block, masks);
        digit = masks[CLASS_DIGIT];
        number = before_mask(digit, is_digit(next)) | before_mask(masks[CLASS_SIGN], next == '-' || next == '+' || next == '.');
        nan = masks[CLASS_N] & before_mask(masks[CLASS_A], (next | 32) == 'a');
        nan = before_mask(nan, (next | 32) == 'n');
        *ret_newlines = masks[CLASS_NEWLINE];
        *ret_controls = masks[CLASS_CONTROL];
        *ret_assignments = masks[CLASS_ASSIGNMENT];
        return (masks[CLASS_BLANK] & (number | nan)) | *ret_newlines | *ret_controls | *ret_assignments;
}

/* One block that stands at text. True: a line that counts begins at place->line. */
static bool scan_block(struct place *place, const char *block, const char *text) {
        uint64_t newlines, controls, assignments;
        uint64_t marks = find_marks(block, &newlines, &controls, &assignments);

        for (; marks; marks &= marks - 1) {
                uint64_t mark = marks & -marks;
                const char *at = text + __builtin_ctzll(marks);

                if (at >= place->end)
                        return false;
                if (mark & newlines) {
                        if (is_best_heading(place->line, at))
                                return true;
                        place->line = at + 1;
                        place->n_lines++;
                        if (begins_well(at + 1, place->end))
                                return true;
                } else if (mark & controls) {
                        return true;
                } else if (mark & assignments ? is_assignment(place->line, at, place->end) :
                                                begins_number(at + 1, place->end) && is_known_before(place->line, at)) {
                        return true;
                }
        }
        return false;
}

static bool scan(struct place *place) {
        const char *at = place->start;
        char last[2 * BLOCK_BYTES + 1] = { 0 };

        if (begins_well(at, place->end))
                return true;
        for (; place->end - at > BLOCK_BYTES; at += BLOCK_BYTES)
                if (scan_block(place, at, at))
                        return true;
        memcpy(last, at, (size_t)(place->end - at));
        return scan_block(place, last, at);
}

bool sieve_keeps(struct slice line) {
        struct place place = { .start = line.data, .end = line.data + line.size_bytes, .line = line.data };

        return scan(&place) || is_best_heading(place.start, place.end);
}

size_t sieve_skip(struct slice text, uint64_t *ret_lines) {
        struct place place;

        *ret_lines = 0;
        if (text.size_bytes == 0)
                return 0;
        place = (struct place){ .start = text.data, .end = text.data + text.size_bytes, .line = text.data };
        (void)scan(&place);
        *ret_lines = place.n_lines;
        return (size_t)(place.line - text.data);
}
