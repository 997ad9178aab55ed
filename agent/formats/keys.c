#include "formats/keys.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "base/instant.h"
#include "base/number.h"
#include "result/metric_name.h"

enum {
        NAME_BYTES_MAX = 64,          /* no name of the table is longer */
        WORD_BYTES_MAX = 32,
        METRICS_FIRST = 32,
        UNIX_TIME_MIN = 100000000,    /* 1973; smaller times are durations */
        UNIX_TIME_MIN_MS = 100000000000,
};

/* Names as they are left by squeeze(): small letters and digits. The order within a role is the
 * rank: a record that has both global_step and iteration counts in global_step. */
static const struct {
        const char *name;
        enum key_role role;
} names[] = {
        { "epoch", KEY_EPOCH },
        { "currentepoch", KEY_EPOCH },
        { "epochnum", KEY_EPOCH },
        { "epochnumber", KEY_EPOCH },
        { "epochidx", KEY_EPOCH },
        { "trainepoch", KEY_EPOCH },

        { "globalstep", KEY_STEP },
        { "globalsteps", KEY_STEP },
        { "globalstepmaxsteps", KEY_STEP },     /* ms-swift: "global_step/max_steps": "10/438" */
        { "step", KEY_STEP },                   /* also W&B's "_step" */
        { "steps", KEY_STEP },
        { "currentsteps", KEY_STEP },           /* LLaMA-Factory */
        { "currentstep", KEY_STEP },
        { "totaltimesteps", KEY_STEP },         /* Stable-Baselines3, baselines */
        { "trainingiteration", KEY_STEP },      /* Ray */
        { "timestepstotal", KEY_STEP },         /* Ray */
        { "numupdates", KEY_STEP },             /* fairseq */
        { "nupdates", KEY_STEP },               /* baselines */
        { "iteration", KEY_STEP },              /* Detectron2, CatBoost */
        { "iterations", KEY_STEP },
        { "iter", KEY_STEP },
        { "iters", KEY_STEP },
        { "itr", KEY_STEP },
        { "it", KEY_STEP },
        { "trainstep", KEY_STEP },
        { "trainingstep", KEY_STEP },
        { "timestep", KEY_STEP },
        { "timesteps", KEY_STEP },
        { "update", KEY_STEP },
        { "round", KEY_STEP },
        { "boostinground", KEY_STEP },
        { "generation", KEY_STEP },
        { "episode", KEY_STEP },
        { "batchidx", KEY_STEP },
        { "batch", KEY_STEP },

        { "trial", KEY_TRIAL },                 /* hypertune, Optuna */
        { "trialnumber", KEY_TRIAL },

        { "timestamp", KEY_TIME },
        { "time", KEY_TIME },
        { "walltime", KEY_TIME },
        { "ts", KEY_TIME },
        { "datetime", KEY_TIME },
        { "date", KEY_TIME },

        { "totalepochs", KEY_TOTAL_EPOCHS },
        { "epochs", KEY_TOTAL_EPOCHS },
        { "numepochs", KEY_TOTAL_EPOCHS },
        { "maxepochs", KEY_TOTAL_EPOCHS },
        { "nepochs", KEY_TOTAL_EPOCHS },
        { "numtrainepochs", KEY_TOTAL_EPOCHS },

        { "outputpath", KEY_OUTPUT_PATH },
        { "outputdir", KEY_OUTPUT_PATH },
        { "outputdirectory", KEY_OUTPUT_PATH },

        { "checkpoint", KEY_CHECKPOINT },
        { "checkpointpath", KEY_CHECKPOINT },
        { "ckptpath", KEY_CHECKPOINT },
        { "ckpt", KEY_CHECKPOINT },

        { "end", KEY_END },

        { "v", KEY_IGNORED },                   /* bunyan's version, and what loggers say of themselves */
        { "level", KEY_IGNORED },
        { "levelno", KEY_IGNORED },
        { "severity", KEY_IGNORED },
        { "lineno", KEY_IGNORED },
        { "line", KEY_IGNORED },
        { "thread", KEY_IGNORED },
        { "process", KEY_IGNORED },
        { "status", KEY_IGNORED },
        { "statuscode", KEY_IGNORED },
        { "code", KEY_IGNORED },
        { "nodeip", KEY_IGNORED },
        { "worldsize", KEY_IGNORED },
        { "vnum", KEY_IGNORED },                /* Lightning's version of the run */
};

/* What a word of a name says of the whole. */
enum word_says {
        SAYS_NO_METRIC, /* unless a result is named behind it: loss_time is none, time_loss is one */
        SAYS_COUNTER,   /* unless a result or a schedule is named anywhere: loss_per_sample, mAP_s */
};

/* Small letters; words are parted by all that is no letter, and between a small letter and a capital. */
static const struct {
        const char *word;
        enum word_says says;
} words[] = {
        { "bandwidth", SAYS_NO_METRIC },  { "batchtime", SAYS_NO_METRIC },   { "bsz", SAYS_NO_METRIC },
        { "cpu", SAYS_NO_METRIC },        { "datatime", SAYS_NO_METRIC },    { "duration", SAYS_NO_METRIC },
        { "elapsed", SAYS_NO_METRIC },    { "eta", SAYS_NO_METRIC },         { "flops", SAYS_NO_METRIC },
        { "flos", SAYS_NO_METRIC },       { "fps", SAYS_NO_METRIC },         { "gpu", SAYS_NO_METRIC },
        { "hostname", SAYS_NO_METRIC },   { "hours", SAYS_NO_METRIC },       { "ips", SAYS_NO_METRIC },
        { "itertime", SAYS_NO_METRIC },   { "latency", SAYS_NO_METRIC },     { "mem", SAYS_NO_METRIC },
        { "memory", SAYS_NO_METRIC },     { "mfu", SAYS_NO_METRIC },         { "percentage", SAYS_NO_METRIC },
        { "persec", SAYS_NO_METRIC },     { "persecond", SAYS_NO_METRIC },   { "progress", SAYS_NO_METRIC },
        { "qps", SAYS_NO_METRIC },        { "ram", SAYS_NO_METRIC },         { "remaining", SAYS_NO_METRIC },
        { "runtime", SAYS_NO_METRIC },    { "second", SAYS_NO_METRIC },      { "seconds", SAYS_NO_METRIC },
        { "speed", SAYS_NO_METRIC },      { "steptime", SAYS_NO_METRIC },    { "tflops", SAYS_NO_METRIC },
        { "throughput", SAYS_NO_METRIC }, { "time", SAYS_NO_METRIC },        { "timer", SAYS_NO_METRIC },
        { "times", SAYS_NO_METRIC },      { "timestamp", SAYS_NO_METRIC },   { "timing", SAYS_NO_METRIC },
        { "tps", SAYS_NO_METRIC },        { "ups", SAYS_NO_METRIC },         { "utilization", SAYS_NO_METRIC },
        { "vram", SAYS_NO_METRIC },       { "wall", SAYS_NO_METRIC },        { "walltime", SAYS_NO_METRIC },
        { "wpb", SAYS_NO_METRIC },        { "wps", SAYS_NO_METRIC },         { "gflops", SAYS_NO_METRIC },
        { "mflops", SAYS_NO_METRIC },     { "macs", SAYS_NO_METRIC },        { "eps", SAYS_COUNTER },

        { "batches", SAYS_COUNTER },      { "bytes", SAYS_COUNTER },         { "count", SAYS_COUNTER },
        { "counter", SAYS_COUNTER },      { "counts", SAYS_COUNTER },        { "done", SAYS_COUNTER },
        { "episodes", SAYS_COUNTER },     { "epoch", SAYS_COUNTER },         { "epochs", SAYS_COUNTER },
        { "examples", SAYS_COUNTER },     { "frames", SAYS_COUNTER },        { "gb", SAYS_COUNTER },
        { "gib", SAYS_COUNTER },          { "id", SAYS_COUNTER },            { "ids", SAYS_COUNTER },
        { "idx", SAYS_COUNTER },          { "images", SAYS_COUNTER },        { "index", SAYS_COUNTER },
        { "iteration", SAYS_COUNTER },    { "iterations", SAYS_COUNTER },    { "iters", SAYS_COUNTER },
        { "job", SAYS_COUNTER },          { "kb", SAYS_COUNTER },            { "mb", SAYS_COUNTER },
        { "mib", SAYS_COUNTER },          { "ms", SAYS_COUNTER },            { "num", SAYS_COUNTER },
        { "number", SAYS_COUNTER },       { "parameters", SAYS_COUNTER },    { "params", SAYS_COUNTER },
        { "percent", SAYS_COUNTER },      { "pid", SAYS_COUNTER },           { "port", SAYS_COUNTER },
        { "rank", SAYS_COUNTER },         { "s", SAYS_COUNTER },             { "samples", SAYS_COUNTER },
        { "sec", SAYS_COUNTER },          { "secs", SAYS_COUNTER },          { "seed", SAYS_COUNTER },
        { "sequences", SAYS_COUNTER },    { "size", SAYS_COUNTER },          { "sizes", SAYS_COUNTER },
        { "step", SAYS_COUNTER },         { "steps", SAYS_COUNTER },         { "timestep", SAYS_COUNTER },
        { "timesteps", SAYS_COUNTER },    { "tokens", SAYS_COUNTER },        { "updates", SAYS_COUNTER },
        { "us", SAYS_COUNTER },           { "uuid", SAYS_COUNTER },          { "version", SAYS_COUNTER },
        { "workers", SAYS_COUNTER },
};

/* Whole branches of nested records that hold settings, timers and the machine's state. */
static const char *const ignored_branches[] = {
        "config/", "hparams/", "time/",   "timers/",       "perf/",   "system/",
        "args/",   "params/",  "params.", "sampler_perf/", "timing/", "hyperparameters/",
};

/* Small letters and digits of name; false when it is longer than any name of the table. */
static bool squeeze(struct slice name, char ret_text[static NAME_BYTES_MAX]) {
        size_t n = 0;

        for (size_t i = 0; i < name.size_bytes; i++) {
                unsigned char c = (unsigned char)name.data[i];

                if (!isalnum(c) && c < 0x80)
                        continue;
                if (n == NAME_BYTES_MAX - 1)
                        return false;
                ret_text[n++] = (char)tolower(c);
        }
        ret_text[n] = '\0';
        return true;
}

static bool find(const char *text, struct key *ret_key) {
        uint8_t rank = 0;

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                rank = i > 0 && names[i].role == names[i - 1].role ? (uint8_t)(rank + 1) : 0;
                if (names[i].name[0] == text[0] && strcmp(names[i].name, text) == 0) {
                        *ret_key = (struct key){ .role = names[i].role, .rank = rank };
                        return true;
                }
        }
        return false;
}

/* Only these stand for x under any branch: trainer/global_step, time/total_timesteps. */
static bool is_x_anywhere(const char *text) {
        static const char *const anywhere[] = { "globalstep", "totaltimesteps", "nupdates", "epoch" };

        for (size_t i = 0; i < sizeof(anywhere) / sizeof(anywhere[0]); i++)
                if (strcmp(text, anywhere[i]) == 0)
                        return true;
        return false;
}

static bool is_ignored_branch(struct slice name) {
        for (size_t i = 0; i < sizeof(ignored_branches) / sizeof(ignored_branches[0]); i++) {
                size_t n = strlen(ignored_branches[i]);

                if (name.size_bytes > n && strncasecmp(name.data, ignored_branches[i], n) == 0)
                        return true;
        }
        return false;
}

/* The word at *at in small letters, which moves behind it; empty at the end. */
static void take_word(const char **at, const char *end, char ret_word[static WORD_BYTES_MAX]) {
        size_t n = 0;
        bool small = false;

        while (*at < end && !isalpha((unsigned char)**at))
                (*at)++;
        for (; *at < end && isalpha((unsigned char)**at); (*at)++) {
                if (small && isupper((unsigned char)**at))
                        break;
                small = small || islower((unsigned char)**at);
                if (n < WORD_BYTES_MAX - 1)
                        ret_word[n++] = (char)tolower((unsigned char)**at);
        }
        ret_word[n] = '\0';
}

static bool find_word(const char *word, enum word_says *ret_says) {
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                if (words[i].word[0] == word[0] && strcmp(words[i].word, word) == 0) {
                        *ret_says = words[i].says;
                        return true;
                }
        return false;
}

static bool is_ignored_by_words(struct slice name) {
        const char *at = name.data, *end = at + name.size_bytes;
        char word[WORD_BYTES_MAX];
        enum word_says says;

        while (at < end) {
                take_word(&at, end, word);
                if (!find_word(word, &says))
                        continue;
                if (says == SAYS_NO_METRIC &&
                    metric_kind_of((struct slice){ at, (size_t)(end - at) }) != METRIC_RESULT)
                        return true;
                if (says == SAYS_COUNTER && metric_kind_of(name) == METRIC_OTHER)
                        return true;
        }
        return false;
}

static bool is_ignored(struct slice name) {
        return name.data[0] == '_' || is_ignored_branch(name) || is_ignored_by_words(name);
}

struct key key_of(struct slice name) {
        const struct key metric = { .role = KEY_METRIC }, ignored = { .role = KEY_IGNORED };
        char text[NAME_BYTES_MAX];
        const char *slash;
        struct key key;

        if (name.size_bytes == 0)
                return metric;
        slash = memrchr(name.data, '/', name.size_bytes);
        if (slice_equal(name, SLICE("#"))) /* spaCy */
                return (struct key){ .role = KEY_STEP, .rank = UINT8_MAX - 1 };
        if (squeeze(name, text) && find(text, &key))
                return key;
        if (slash &&
            squeeze((struct slice){ slash + 1, name.size_bytes - (size_t)(slash + 1 - name.data) }, text) &&
            is_x_anywhere(text) && find(text, &key))
                return key;
        return is_ignored(name) ? ignored : metric;
}

bool key_is_x(struct key key) {
        return key.role == KEY_EPOCH || key.role == KEY_STEP || key.role == KEY_TRIAL;
}

bool key_is_of_summary(struct slice name) {
        char text[NAME_BYTES_MAX];

        return squeeze(name, text) && (strcmp(text, "trainruntime") == 0 || strcmp(text, "totalflos") == 0);
}

/* --- building a record --- */

void builder_start(struct record_builder *builder) {
        builder->record = RECORD_EMPTY;
        memset(builder->ranks, 0xff, sizeof(builder->ranks));
}

void builder_release(struct record_builder *builder) {
        free(builder->metrics);
        builder->metrics = NULL;
        builder->metrics_capacity = 0;
}

static int add_metric(struct record_builder *builder, struct slice name, double value) {
        size_t n = builder->record.n_metrics;

        if (n == RECORD_METRICS_MAX)
                return 0;
        if (n == builder->metrics_capacity) {
                size_t capacity = n ? 2 * n : METRICS_FIRST;
                struct metric *metrics = reallocarray(builder->metrics, capacity, sizeof(*metrics));

                if (!metrics)
                        return -ENOMEM;
                builder->metrics = metrics;
                builder->metrics_capacity = capacity;
        }
        builder->metrics[n] = (struct metric){ .name = name, .value = value };
        builder->record.metrics = builder->metrics;
        builder->record.n_metrics++;
        return 0;
}

/* The better of two keys with one role counts; of equal ones the last. */
static bool takes_place(struct record_builder *builder, struct key key) {
        if (key.rank > builder->ranks[key.role])
                return false;
        builder->ranks[key.role] = key.rank;
        return true;
}

static void set_time(struct record *record, double value) {
        if (value >= UNIX_TIME_MIN_MS)
                value /= 1000;
        if (value >= UNIX_TIME_MIN)
                record->time_s = value;
}

void key_set(struct record *record, enum key_role role, double value) {
        switch (role) {
        case KEY_EPOCH:
                record->epoch = value;
                break;
        case KEY_STEP:
                record->step = value;
                break;
        case KEY_TRIAL:
                record->trial = value;
                break;
        case KEY_TIME:
                set_time(record, value);
                break;
        case KEY_TOTAL_EPOCHS:
                record->total_epochs = value;
                break;
        default:
                break;
        }
}

int builder_add_number(struct record_builder *builder, struct key key, struct slice name, double value) {
        if (key.role == KEY_METRIC)
                return name.size_bytes ? add_metric(builder, name, value) : 0;
        if (isfinite(value) && takes_place(builder, key))
                key_set(&builder->record, key.role, value);
        return 0;
}

/* "10/438": the first number, when all the rest is a slash and another. */
static bool parse_of(struct slice text, double *ret_value) {
        double total;
        size_t n = number_scan(text, ret_value);

        return n > 0 && n < text.size_bytes && text.data[n] == '/' &&
               number_parse((struct slice){ text.data + n + 1, text.size_bytes - n - 1 }, &total);
}

/* "90.62%" is 90.62, as printed. */
static bool parse_percent(struct slice text, double *ret_value) {
        return text.size_bytes > 1 && text.data[text.size_bytes - 1] == '%' &&
               number_scan(text, ret_value) == text.size_bytes - 1;
}

int builder_add_text(struct record_builder *builder, struct key key, struct slice name, struct slice text) {
        struct record *record = &builder->record;
        double value;

        if (key.role == KEY_OUTPUT_PATH)
                record->output_path = text;
        else if (key.role == KEY_CHECKPOINT)
                record->checkpoint = text;
        else if (key.role == KEY_TIME && instant_parse(text, &value))
                record->time_s = value;
        else if (key.role != KEY_IGNORED && (number_parse(text, &value) || parse_percent(text, &value)))
                return builder_add_number(builder, key, name, value);
        else if ((key.role == KEY_EPOCH || key.role == KEY_STEP) && parse_of(text, &value))
                return builder_add_number(builder, key, name, value);
        return 0;
}

void builder_add_bool(struct record_builder *builder, struct key key, bool value) {
        if (key.role == KEY_END)
                builder->record.end = value;
}

bool builder_has_content(const struct record_builder *builder) {
        const struct record *record = &builder->record;

        return record->n_metrics > 0 || record->end || record->output_path.size_bytes > 0 ||
               record->checkpoint.size_bytes > 0 || !isnan(record->total_epochs) ||
               !isnan(record->epoch) || !isnan(record->step) || !isnan(record->trial);
}
