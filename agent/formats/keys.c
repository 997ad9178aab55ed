#include "formats/keys.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "base/instant.h"
#include "base/number.h"

enum {
        NAME_BYTES_MAX = 64,          /* no name of the table is longer */
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
        { "epochidx", KEY_EPOCH },
        { "trainepoch", KEY_EPOCH },

        { "globalstep", KEY_STEP },
        { "globalstepmaxsteps", KEY_STEP },     /* ms-swift: "global_step/max_steps": "10/438" */
        { "step", KEY_STEP },
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
        { "timestep", KEY_STEP },
        { "update", KEY_STEP },
        { "round", KEY_STEP },
        { "batchidx", KEY_STEP },

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

        { "totalsteps", KEY_IGNORED },
        { "maxsteps", KEY_IGNORED },
        { "percentage", KEY_IGNORED },
        { "progress", KEY_IGNORED },
        { "eta", KEY_IGNORED },
        { "etaseconds", KEY_IGNORED },
        { "elapsed", KEY_IGNORED },
        { "elapsedtime", KEY_IGNORED },
        { "timeelapsed", KEY_IGNORED },
        { "remainingtime", KEY_IGNORED },
        { "datatime", KEY_IGNORED },
        { "runtime", KEY_IGNORED },
        { "fps", KEY_IGNORED },
        { "pid", KEY_IGNORED },
        { "hostname", KEY_IGNORED },
        { "nodeip", KEY_IGNORED },
        { "rank", KEY_IGNORED },
        { "localrank", KEY_IGNORED },
        { "worldsize", KEY_IGNORED },
        { "seed", KEY_IGNORED },
        { "version", KEY_IGNORED },
        { "wps", KEY_IGNORED },                 /* fairseq: words, updates a second, and their sizes */
        { "ups", KEY_IGNORED },
        { "wpb", KEY_IGNORED },
        { "bsz", KEY_IGNORED },
        { "trainwall", KEY_IGNORED },
        { "wall", KEY_IGNORED },
        { "iterationssincerestore", KEY_IGNORED }, /* Ray */
        { "timestepssincerestore", KEY_IGNORED },
        { "timesincerestore", KEY_IGNORED },
        { "timethisiters", KEY_IGNORED },
        { "timetotals", KEY_IGNORED },
        { "timestepsthisiter", KEY_IGNORED },
        { "warmuptime", KEY_IGNORED },
};

/* Ends of names that are durations or rates whatever stands before: train_runtime,
 * eval_samples_per_second, step_time. */
static const char *const ignored_ends[] = { "runtime",  "persecond", "steptime",
                                           "itertime", "batchtime", "datatime" };

/* Whole branches of nested records that hold settings and timers. */
static const char *const ignored_branches[] = { "config/", "hparams/", "time/", "timers/", "perf/" };

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

static bool ends_with(const char *text, const char *end) {
        size_t n = strlen(text), m = strlen(end);

        return n >= m && strcmp(text + n - m, end) == 0;
}

static bool find(const char *text, struct key *ret_key) {
        uint8_t rank = 0;

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                rank = i > 0 && names[i].role == names[i - 1].role ? (uint8_t)(rank + 1) : 0;
                if (strcmp(names[i].name, text) == 0) {
                        *ret_key = (struct key){ .role = names[i].role, .rank = rank };
                        return true;
                }
        }
        for (size_t i = 0; i < sizeof(ignored_ends) / sizeof(ignored_ends[0]); i++)
                if (ends_with(text, ignored_ends[i])) {
                        *ret_key = (struct key){ .role = KEY_IGNORED };
                        return true;
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
        for (size_t i = 0; i < sizeof(ignored_branches) / sizeof(ignored_branches[0]); i++)
                if (slice_starts_with(name, slice_from(ignored_branches[i])))
                        return true;
        return false;
}

struct key key_of(struct slice name) {
        const struct key metric = { .role = KEY_METRIC }, ignored = { .role = KEY_IGNORED };
        const char *slash = memrchr(name.data, '/', name.size_bytes);
        char text[NAME_BYTES_MAX];
        struct key key;

        if (!squeeze(name, text))
                return metric;
        if (find(text, &key))
                return key;
        if (!slash)
                return metric;
        if (squeeze((struct slice){ slash + 1, name.size_bytes - (size_t)(slash + 1 - name.data) }, text) &&
            is_x_anywhere(text) && find(text, &key))
                return key;
        return is_ignored_branch(name) ? ignored : metric;
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

int builder_add_number(struct record_builder *builder, struct key key, struct slice name, double value) {
        struct record *record = &builder->record;

        if (key.role == KEY_METRIC)
                return name.size_bytes ? add_metric(builder, name, value) : 0;
        if (!isfinite(value) || !takes_place(builder, key))
                return 0;
        switch (key.role) {
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
        return 0;
}

/* "10/438": the first number, when all the rest is a slash and another. */
static bool parse_of(struct slice text, double *ret_value) {
        double total;
        size_t n = number_scan(text, ret_value);

        return n > 0 && n < text.size_bytes && text.data[n] == '/' &&
               number_parse((struct slice){ text.data + n + 1, text.size_bytes - n - 1 }, &total);
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
        else if (key.role != KEY_IGNORED && number_parse(text, &value))
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
