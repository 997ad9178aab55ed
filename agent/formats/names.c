#include "formats/names.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

enum { CACHE_SLOTS = 512, CACHED_BYTES_MAX = 59, WORD_BYTES_MAX = 32, PHRASE_WORDS_MAX = 8 };

struct cached {
        struct name_class class;
        uint8_t size_bytes; /* 0: free */
        char name[CACHED_BYTES_MAX];
};

/* Of all texts together, since a name means the same in each of them. */
static struct cached cache[CACHE_SLOTS];

/* --- words --- */

/* Last words of a phrase that make it an x: "Train Epoch", "global step". */
static const struct {
        const char *word;
        enum key_role role;
        uint8_t rank; /* behind those of the key table */
} x_words[] = {
        { "epoch", KEY_EPOCH, 10 },     { "epch", KEY_EPOCH, 10 },      { "ep", KEY_EPOCH, 11 },        { "step", KEY_STEP, 30 },
        { "steps", KEY_STEP, 31 },      { "iter", KEY_STEP, 31 },       { "iters", KEY_STEP, 31 },
        { "iteration", KEY_STEP, 31 },  { "update", KEY_STEP, 32 },     { "updates", KEY_STEP, 32 },
        { "up", KEY_STEP, 32 },         { "round", KEY_STEP, 33 },      { "batch", KEY_STEP, NAMES_BATCH_RANK },
        { "minibatch", KEY_STEP, NAMES_BATCH_RANK },  { "batches", KEY_STEP, NAMES_BATCH_RANK },    { "episode", KEY_STEP, 35 },
        { "generation", KEY_STEP, 36 }, { "trial", KEY_TRIAL, 10 },     { "timesteps", KEY_STEP, 34 },
        { "epoca", KEY_EPOCH, 12 },     { "epoche", KEY_EPOCH, 12 },    { "timestep", KEY_STEP, 34 },   { "frames", KEY_STEP, 37 },     { "iterations", KEY_STEP, 31 },
};

/* Words that say that a number beside them is no place in the training. */
static const char *const no_x_words[] = { "per",  "total", "num",    "number", "max",   "best", "last",  "warmup", "every",
                                          "each", "in",    "of",     "for",    "from",  "since", "until", "remaining",
                                          "save", "early", "patience", "size", "within", "no", "n", "loaded", "time",  "accumulation", "logging" };

/* Words that may stand beside a last one in the plural; beside "step" any may that say nothing else. */
static const char *const beside_x_words[] = {
        "train", "training", "global", "current", "eval",   "evaluation", "validation", "valid", "val",   "test",  "data",
        "start", "starting", "begin",  "beginning", "at",   "end",        "learning",   "optimizer", "optimization",
        "gradient", "done",  "this",   "running", "after",  "the",        "completed",  "epoch", "iteration", "inner",
        "results", "summary", "testing", "pretrain", "finetune", "finetuning", "pretraining", "processing", "update", "k",
};

/* Names that are an x as a whole. */
static const struct {
        const char *name;
        struct key key;
} x_names[] = {
        { "s", { KEY_STEP, 38 } },
        { "timestepssofar", { KEY_STEP, 20 } },
};

/* Words that make a phrase no metric, wherever they stand in it. */
static const char *const ignored_words[] = {
        "best",    "time",    "eta",      "elapsed", "speed",   "throughput", "memory",   "mem",      "gpu",     "cuda",
        "cpu",     "size",    "seed",     "version", "params",  "parameters", "parameter", "workers", "world",   "port",
        "tokens",  "token",   "samples",  "images",  "instances", "examples", "batches",  "took",     "fps",     "ips",
        "cost_avg", "progress", "remaining", "patience", "count", "counts",   "num",      "number",   "flops",   "mfu",
        "tflops",  "runtime", "latency",  "wall",    "device",  "threads",    "bytes",    "download", "vocab",   "total_time",
        "seconds", "secs",    "oom",      "wps",     "ups",     "wpb",        "bsz",      "labels",   "episodes",
        "final",
};

/* Words that make a name none whatever else it says. */
static const char *const always_ignored_words[] = { "best", "worst", "final", "minimal", "highest", "lowest", "previous", "prev", "improved", "reduced" };

/* Ends of names of times and rates. */
static const char *const ignored_ends[] = { "_s", "_ms", "_sec", "_secs", "(s)", "(ms)", "(sec)", "/s", "/sec", "_time", "/it" };

/* Whole phrases that are none. */
static const char *const ignored_names[] = {
        "data", "batch", "bs", "it", "its", "tot", "net", "dt", "ms", "sec", "v_num", "img_size", "id", "pid",
        "line", "over", "port", "code", "exit code", "status", "level", "tok", "k", "gb", "mb", "max_mem",
        "gpu_mem", "class", "row", "dur", "nnzs", "t", "sen", "after", "time cost", "max depth", "reader_cost", "batch_cost", "avg_reader_cost", "avg_batch_cost", "Peak", "min_delta",
};

static const char *const unmistakable_words[] = {
        "loss",  "losses", "logloss", "acc",   "accuracy", "auc",  "auroc",     "rmse",   "mse",          "mae",
        "mape",  "ppl",    "perplexity", "bleu", "miou",   "dice", "wer",       "cer",    "psnr",         "ssim",
        "nll",   "xent",   "crossentropy", "mlogloss", "merror", "ndcg", "elbo", "fscore", "reward",      "rewards",
        "rmsle", "rouge",
};

static const char *const split_words[] = { "train", "training", "valid", "validation", "val",  "test",
                                           "testing", "eval",   "evaluation", "dev",   "holdout" };

static const char *const summary_names[] = { "train_runtime", "train_samples_per_second" };

#define IS_ANY(word, list) is_any(word, list, sizeof(list) / sizeof((list)[0]))

static bool is_any(const char *word, const char *const *list, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (strcmp(word, list[i]) == 0)
                        return true;
        return false;
}

struct words {
        char word[PHRASE_WORDS_MAX][WORD_BYTES_MAX]; /* small letters; the last ones of a long phrase */
        size_t n;
};

/* Parts at what is no letter, and between a small letter and a capital. What is in parentheses is a
 * unit or a qualifier and no word. */
static void split(struct slice name, struct words *ret_words) {
        const char *at = name.data, *end = at + name.size_bytes;

        ret_words->n = 0;
        while (at < end && ret_words->n < PHRASE_WORDS_MAX) {
                char *word = ret_words->word[ret_words->n];
                size_t n = 0;
                bool small = false;

                if (*at == '(')
                        while (at < end && *at != ')')
                                at++;
                if (at == end || !isalpha((unsigned char)*at)) {
                        at++;
                        continue;
                }
                for (; at < end && isalpha((unsigned char)*at) && !(small && isupper((unsigned char)*at)); at++) {
                        small = small || islower((unsigned char)*at);
                        if (n < WORD_BYTES_MAX - 1)
                                word[n++] = (char)tolower((unsigned char)*at);
                }
                word[n] = '\0';
                ret_words->n++;
        }
}

/* --- classes --- */

static bool is_plural(const char *word) {
        size_t n = strlen(word);

        return n > 3 && word[n - 1] == 's';
}

/* The word of other languages, whole or behind a blank; letters of theirs are no letters to split(). */
static bool is_foreign_x(struct slice name) {
        static const char *const words[] = { "\u00e9poca", "\u00c9poca", "\u00e9poque", "\u00c9poque", "\u044d\u043f\u043e\u0445\u0430",
                                             "\u042d\u043f\u043e\u0445\u0430", "\u8f6e", "\u8f6e\u6b21", "\u30a8\u30dd\u30c3\u30af", "\uc5d0\ud3ed" };

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
                size_t n = strlen(words[i]);

                if (name.size_bytes >= n && memcmp(name.data + name.size_bytes - n, words[i], n) == 0 &&
                    (name.size_bytes == n || name.data[name.size_bytes - n - 1] == ' '))
                        return true;
        }
        return false;
}

/* Is the last word one of an x? With words beside it that say otherwise ("steps per epoch"), the
 * name is neither an x nor a metric. */
static bool find_x(struct slice name, const struct words *words, enum metric_kind kind, struct key *ret_key) {
        const char *last = words->n > 0 ? words->word[words->n - 1] : "";

        for (size_t i = 0; i < sizeof(x_words) / sizeof(x_words[0]); i++)
                if (strcmp(last, x_words[i].word) == 0) {
                        struct key key = { x_words[i].role, x_words[i].rank };

                        for (size_t j = 0; j < words->n; j++)
                                if (IS_ANY(words->word[j], no_x_words))
                                        key.role = KEY_IGNORED;
                        for (size_t j = 0; j + 1 < words->n && key.role != KEY_IGNORED; j++)
                                if (is_plural(last) && !IS_ANY(words->word[j], beside_x_words))
                                        return false;
                        /* "epoch loss" is a loss, and "loss epoch" too. */
                        for (size_t j = 0; j + 1 < words->n && key.role != KEY_IGNORED && kind == METRIC_RESULT; j++)
                                if (IS_ANY(words->word[j], unmistakable_words))
                                        return false;
                        *ret_key = key;
                        return true;
                }
        if (is_foreign_x(name)) {
                *ret_key = (struct key){ KEY_EPOCH, 12 };
                return true;
        }
        for (size_t i = 0; i < sizeof(x_names) / sizeof(x_names[0]); i++)
                if (strlen(x_names[i].name) == name.size_bytes && strncasecmp(x_names[i].name, name.data, name.size_bytes) == 0) {
                        *ret_key = x_names[i].key;
                        return true;
                }
        return false;
}

static bool is_ignored(struct slice name, const struct words *words, enum metric_kind kind) {
        if (kind == METRIC_OTHER && slice_starts_with(name, SLICE("ms/")))
                return true;
        for (size_t i = 0; i < words->n; i++)
                if (kind == METRIC_OTHER && words->n > 1 && strcmp(words->word[i], "epoch") == 0)
                        return true;
        for (size_t i = 0; i < sizeof(ignored_names) / sizeof(ignored_names[0]); i++)
                if (strlen(ignored_names[i]) == name.size_bytes &&
                    strncasecmp(ignored_names[i], name.data, name.size_bytes) == 0)
                        return true;
        for (size_t i = 0; i < words->n; i++) {
                /* token_acc and time_loss are scores; the last word decides, but for "best". */
                bool counts = kind == METRIC_OTHER || i + 1 == words->n;

                if ((counts && IS_ANY(words->word[i], ignored_words)) || IS_ANY(words->word[i], always_ignored_words))
                        return true;
        }
        for (size_t i = 0; i < sizeof(ignored_ends) / sizeof(ignored_ends[0]); i++) {
                size_t n = strlen(ignored_ends[i]);

                if (kind == METRIC_OTHER && name.size_bytes > n && strncasecmp(name.data + name.size_bytes - n, ignored_ends[i], n) == 0)
                        return true;
        }
        return false;
}

/* "valid's l2" is the l2 of valid. */
static struct slice without_owner(struct slice name) {
        const char *owner = memmem(name.data, name.size_bytes, "'s ", 3);

        return owner ? (struct slice){ owner + 3, name.size_bytes - (size_t)(owner + 3 - name.data) } : name;
}

static struct name_class classify(struct slice name) {
        struct name_class class = { .key = key_of(without_owner(name)), .kind = metric_kind_of(name) };
        struct words words;

        split(name, &words);
        for (size_t i = 0; i < words.n; i++) {
                class.is_split = class.is_split || IS_ANY(words.word[i], split_words);
                class.is_unmistakable = class.is_unmistakable || IS_ANY(words.word[i], unmistakable_words);
        }
        for (size_t i = 0; i < sizeof(summary_names) / sizeof(summary_names[0]); i++)
                class.is_summary = class.is_summary || slice_equal(name, slice_from(summary_names[i]));
        if ((class.key.role == KEY_METRIC || class.key.role == KEY_IGNORED) && !find_x(name, &words, class.kind, &class.key) &&
            class.key.role == KEY_METRIC && is_ignored(name, &words, class.kind))
                class.key.role = KEY_IGNORED;
        /* The key table has "batch" too, for files whose only x it is. */
        if (class.key.role == KEY_STEP && words.n > 0 && strncmp(words.word[words.n - 1], "batch", 5) == 0)
                class.key.rank = NAMES_BATCH_RANK;
        /* "Episode: 3, Steps: 200" is an episode of so many steps; in "Episode 3, step 200" it goes on. */
        if (class.key.role == KEY_STEP && words.n > 0 && strcmp(words.word[words.n - 1], "episode") == 0)
                class.key.rank = key_of(SLICE("steps")).rank;
        class.is_unmistakable = class.is_unmistakable && class.kind == METRIC_RESULT;
        return class;
}

const char *names_known_word(size_t i) {
        return i < sizeof(x_words) / sizeof(x_words[0]) ? x_words[i].word : NULL;
}

/* --- the cache --- */

uint32_t name_hash(struct slice name) {
        uint32_t hash = 0x811c9dc5u;

        for (size_t i = 0; i < name.size_bytes; i++)
                hash = (hash ^ (uint8_t)name.data[i]) * 0x01000193u;
        return hash;
}

struct name_class names_classify(struct slice name) {
        struct cached *cached;

        if (name.size_bytes == 0 || name.size_bytes > CACHED_BYTES_MAX)
                return classify(name.data ? name : SLICE(""));
        cached = &cache[name_hash(name) % CACHE_SLOTS];
        if (cached->size_bytes != name.size_bytes || memcmp(cached->name, name.data, name.size_bytes) != 0) {
                cached->class = classify(name);
                cached->size_bytes = (uint8_t)name.size_bytes;
                memcpy(cached->name, name.data, name.size_bytes);
        }
        return cached->class;
}

/* --- phrases --- */

static bool is_word_of(const char *at, const char *stop, const char *const *list, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (strlen(list[i]) == (size_t)(stop - at) && strncasecmp(list[i], at, (size_t)(stop - at)) == 0)
                        return true;
        return false;
}

/* batch1, step10: a counter with its number. */
static bool is_counter(const char *at, const char *stop) {
        const char *end = stop;

        while (stop > at && isdigit((unsigned char)stop[-1]))
                stop--;
        if (stop == end)
                return false;
        for (size_t i = 0; i < sizeof(x_words) / sizeof(x_words[0]); i++)
                if (strlen(x_words[i].word) == (size_t)(stop - at) && strncasecmp(x_words[i].word, at, (size_t)(stop - at)) == 0)
                        return true;
        return false;
}

struct slice name_trim(struct slice phrase) {
        static const char *const before[] = { "with", "and", "is", "has", "got", "where", "that", "are", "was" };
        static const char *const articles[] = { "the", "a" };
        static const char *const behind[] = { "is", "was", "of", "at", "are", "equals", "now" };
        const char *start = phrase.data, *end = start + phrase.size_bytes, *at = start;

        for (const char *last = memrchr(start, ' ', phrase.size_bytes); last && is_word_of(last + 1, end, behind, 7);
             last = memrchr(start, ' ', (size_t)(end - start)))
                end = last;
        while (at < end) {
                const char *stop = memchr(at, ' ', (size_t)(end - at)) ?: end;

                if (stop < end && (is_word_of(at, stop, before, 9) || (at == start && is_counter(at, stop))))
                        start = stop + 1;
                if (stop < end && at == phrase.data && is_word_of(at, stop, articles, 2))
                        start = stop + 1;
                at = stop + 1;
        }
        return (struct slice){ start, (size_t)(end - start) };
}

struct slice name_split_word(struct slice name) {
        const char *at = name.data, *end = name.size_bytes > 0 ? at + name.size_bytes : at;

        while (at < end) {
                const char *stop = at;
                char word[WORD_BYTES_MAX];
                size_t n = 0;

                while (stop < end && isalpha((unsigned char)*stop) && n < WORD_BYTES_MAX - 1)
                        word[n++] = (char)tolower((unsigned char)*stop++);
                word[n] = '\0';
                if (n > 0 && IS_ANY(word, split_words))
                        return (struct slice){ at, n };
                at = stop > at ? stop : at + 1;
        }
        return (struct slice){ 0 };
}
