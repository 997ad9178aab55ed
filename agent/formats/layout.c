#include "formats/layout.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "formats/keys.h"
#include "formats/lines.h"
#include "result/metric_name.h"

enum {
        PATH_BYTES_MAX = 4096,
        UNIX_MS_DIGITS = 13, /* from 2001 to 2286 */
        RUN_ID_DIGITS = 32,
};

enum name_rule {
        NAME_HEADER, /* what the header says, behind the argument */
        NAME_FILE_AND_HEADER, /* what the header says, behind the file's own name and a slash */
        NAME_BELOW,  /* the path below the directory that is the argument */
        NAME_BASE,   /* the file's own name */
        NAME_TAG,    /* the tag in the name of TensorBoard's download */
};

struct layout {
        const char *pattern;     /* fnmatch(3) of the path, whose "*" also stands for slashes */
        const char *header;      /* the whole header line; NULL: any */
        char separator;          /* of a file without header */
        bool (*fits)(struct slice source, struct slice row); /* of a file without header */
        enum layout_column columns[LAYOUT_COLUMNS_MAX]; /* the last that is given stands for the rest */
        size_t n_columns;
        enum name_rule rule;
        const char *argument;    /* of the rule */
};

static bool is_mlflow_row(struct slice source, struct slice row);
static bool is_torchrl_row(struct slice source, struct slice row);
static bool is_d3rlpy_row(struct slice source, struct slice row);

static const struct layout layouts[] = {
        /* DVCLive: plots/metrics/train/loss.tsv, whose column says loss. */
        { .pattern = "*plots/metrics/*.tsv", .columns = { COLUMN_VALUE }, .n_columns = 1,
          .rule = NAME_BELOW, .argument = "plots/metrics/" },
        /* CatBoost: the set is in the file's name; time_left.tsv has milliseconds. */
        { .pattern = "*learn_error.tsv", .columns = { COLUMN_VALUE }, .n_columns = 1,
          .rule = NAME_HEADER, .argument = "learn/" },
        { .pattern = "*test_error.tsv", .columns = { COLUMN_VALUE }, .n_columns = 1,
          .rule = NAME_HEADER, .argument = "test/" },
        { .pattern = "*time_left.tsv", .columns = { COLUMN_NONE }, .n_columns = 1 },
        /* DeepSpeed's csv_monitor: the header has the last part of the tag. */
        { .pattern = "*Train_Samples_*.csv", .columns = { COLUMN_VALUE }, .n_columns = 1,
          .rule = NAME_HEADER, .argument = "Train/Samples/" },
        { .pattern = "*Train_Eval_*.csv", .columns = { COLUMN_VALUE }, .n_columns = 1,
          .rule = NAME_HEADER, .argument = "Train/Eval/" },
        /* TensorBoard's download. */
        { .header = "Wall time,Step,Value", .columns = { COLUMN_VALUE }, .n_columns = 1, .rule = NAME_TAG },
        /* d3rlpy: what it knows of the gradients of one layer. */
        { .header = "epoch,step,min,max,mean,std", .n_columns = 3, .rule = NAME_FILE_AND_HEADER,
          .columns = { COLUMN_EPOCH, COLUMN_STEP, COLUMN_VALUE } },
        /* Stable-Baselines3's Monitor: reward and length of an episode, seconds since the start. */
        { .header = "r,l,t", .columns = { COLUMN_VALUE, COLUMN_VALUE, COLUMN_NONE }, .n_columns = 3,
          .rule = NAME_HEADER, .argument = "" },

        /* MLflow: mlruns/<experiment>/<run>/metrics/train/loss; logged models have the run's id too. */
        { .separator = ' ', .fits = is_mlflow_row, .n_columns = 4, .rule = NAME_BELOW, .argument = "metrics/",
          .columns = { COLUMN_TIME, COLUMN_VALUE, COLUMN_STEP, COLUMN_NONE } },
        { .pattern = "*scalars/*.csv", .separator = ',', .fits = is_torchrl_row, .n_columns = 3,
          .rule = NAME_BELOW, .argument = "scalars/", .columns = { COLUMN_STEP, COLUMN_VALUE, COLUMN_NONE } },
        { .pattern = "*.csv", .separator = ',', .fits = is_d3rlpy_row, .n_columns = 4, .rule = NAME_BASE,
          .columns = { COLUMN_EPOCH, COLUMN_STEP, COLUMN_VALUE, COLUMN_NONE } },
};

/* --- paths --- */

struct slice layout_base_name(struct slice source) {
        const char *slash = memrchr(source.data, '/', source.size_bytes);

        if (!slash)
                return source;
        return (struct slice){ slash + 1, source.size_bytes - (size_t)(slash + 1 - source.data) };
}

static struct slice without_extension(struct slice name) {
        const char *point = memrchr(name.data, '.', name.size_bytes);

        return point && point > name.data ? (struct slice){ name.data, (size_t)(point - name.data) } : name;
}

static const char *find(struct slice text, const char *part) {
        return memmem(text.data, text.size_bytes, part, strlen(part));
}

struct slice layout_tag(struct slice source) {
        struct slice base = without_extension(layout_base_name(source));
        const char *tag = find(base, "-tag-");

        if (!tag || !(slice_starts_with(base, SLICE("run-")) || slice_starts_with(base, SLICE("run_"))))
                return base;
        tag += strlen("-tag-");
        return (struct slice){ tag, base.size_bytes - (size_t)(tag - base.data) };
}

/* What stands behind the first directory of that name, or behind the last part of the path when there
 * is none. In MLflow's store a directory before it is called mlruns, which may stand below another
 * metrics/. */
static struct slice name_below(struct slice source, const char *directory) {
        const char *store = find(source, "mlruns/"), *found;
        struct slice path = source;

        if (store)
                path = (struct slice){ store, source.size_bytes - (size_t)(store - source.data) };
        found = find(path, directory);
        while (found && found > path.data && found[-1] != '/') /* "my_metrics/" is another */
                found = memmem(found + 1, (size_t)(path.data + path.size_bytes - found - 1), directory,
                               strlen(directory));
        if (!found)
                return layout_base_name(source);
        found += strlen(directory);
        return (struct slice){ found, (size_t)(path.data + path.size_bytes - found) };
}

static bool matches(const char *pattern, struct slice source) {
        char path[PATH_BYTES_MAX];

        if (!pattern)
                return true;
        if (source.size_bytes >= sizeof(path))
                return false;
        memcpy(path, source.data, source.size_bytes);
        path[source.size_bytes] = '\0';
        return fnmatch(pattern, path, 0) == 0;
}

/* --- files without header --- */

/* Numbers separated by one character; how many, or 0 when there is anything else. */
static size_t scan_numbers(struct slice row, char separator, double *ret_numbers, size_t n_max) {
        size_t n = 0;

        for (;;) {
                const char *stop = memchr(row.data, separator, row.size_bytes);
                size_t size = stop ? (size_t)(stop - row.data) : row.size_bytes;

                if (n == n_max || !number_parse((struct slice){ row.data, size }, &ret_numbers[n]))
                        return 0;
                n++;
                if (!stop)
                        return n;
                row = (struct slice){ stop + 1, row.size_bytes - size - 1 };
        }
}

static bool is_whole_number(double number) {
        return number >= 0 && number < 1e15 && number == (double)(int64_t)number;
}

static bool is_run_id(struct slice text) {
        for (size_t i = 0; i < text.size_bytes; i++)
                if (!isxdigit((unsigned char)text.data[i]))
                        return false;
        return text.size_bytes == RUN_ID_DIGITS;
}

/* Milliseconds, value, step, and perhaps the id of a run. */
static bool is_mlflow_row(struct slice source, struct slice row) {
        const char *last = memrchr(row.data, ' ', row.size_bytes);
        double numbers[3];
        size_t n_digits = 0;

        (void)source;
        while (n_digits < row.size_bytes && isdigit((unsigned char)row.data[n_digits]))
                n_digits++;
        if (n_digits != UNIX_MS_DIGITS || !last)
                return false;
        if (is_run_id((struct slice){ last + 1, row.size_bytes - (size_t)(last + 1 - row.data) }))
                row.size_bytes = (size_t)(last - row.data);
        return scan_numbers(row, ' ', numbers, 3) == 3 && is_whole_number(numbers[2]);
}

static bool is_torchrl_row(struct slice source, struct slice row) {
        double numbers[2];

        (void)source;
        return scan_numbers(row, ',', numbers, 2) == 2 && is_whole_number(numbers[0]);
}

static bool is_d3rlpy_row(struct slice source, struct slice row) {
        struct slice name = without_extension(layout_base_name(source));
        double numbers[3];

        return scan_numbers(row, ',', numbers, 3) == 3 && is_whole_number(numbers[0]) &&
               is_whole_number(numbers[1]) && numbers[0] <= numbers[1] &&
               (find(source, "d3rlpy") || metric_kind_of(name) == METRIC_RESULT);
}

/* --- the table's users --- */

static bool is_header_of(const struct layout *layout, struct slice source, struct slice header) {
        struct slice base = layout_base_name(source);
        const char *pattern = layout->pattern;

        if (layout->fits)
                return false;
        if (!pattern)
                return slice_equal(header, slice_from(layout->header));
        /* A pattern without a directory is one of the base name. */
        return matches(strchr(pattern, '/') ? pattern : pattern + 1, strchr(pattern, '/') ? source : base);
}

const struct layout *layout_of_header(struct slice source, struct slice header) {
        for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
                if (is_header_of(&layouts[i], source, header))
                        return &layouts[i];
        return NULL;
}

const struct layout *layout_of_row(struct slice source, struct slice row) {
        for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
                if (layouts[i].fits && matches(layouts[i].pattern, source) && layouts[i].fits(source, row))
                        return &layouts[i];
        return NULL;
}

enum layout_column layout_column(const struct layout *layout, size_t i, struct slice header) {
        struct key key = key_of(header);

        if (header.size_bytes > 0 && layout->columns[0] != COLUMN_NONE && (key_is_x(key) || key.role == KEY_TIME))
                return COLUMN_ANY;
        return layout->columns[i < layout->n_columns ? i : layout->n_columns - 1];
}

char layout_separator(const struct layout *layout) {
        return layout->separator;
}

static struct slice name_of(const struct layout *layout, struct slice source, struct slice header) {
        switch (layout->rule) {
        case NAME_HEADER:
        case NAME_FILE_AND_HEADER:
                return header;
        case NAME_BELOW:
                /* MLflow's names have no extension: what looks like one is theirs. */
                return layout->separator == ' ' ? name_below(source, layout->argument)
                                                : without_extension(name_below(source, layout->argument));
        case NAME_BASE:
                return without_extension(layout_base_name(source));
        case NAME_TAG:
                return layout_tag(source);
        }
        return (struct slice){ 0 };
}

int layout_put_name(const struct layout *layout, struct slice source, struct slice header, struct buffer *name) {
        struct slice found = name_of(layout, source, header);
        int r = 0;

        if (key_of(found).role != KEY_METRIC)
                return 0;
        if (layout->rule == NAME_HEADER && layout->argument)
                r = buffer_append_string(name, layout->argument);
        if (layout->rule == NAME_FILE_AND_HEADER) {
                struct slice file = without_extension(layout_base_name(source));

                r = buffer_append(name, file.data, file.size_bytes);
                if (r == 0)
                        r = buffer_append_char(name, '/');
        }
        return r < 0 ? r : buffer_append(name, found.data, found.size_bytes);
}

/* --- MLflow's meta.yaml --- */

struct parser {
        char unused; /* a line at a time says all */
};

static enum recognition recognise(struct slice head, struct slice source, bool final) {
        struct slice base = layout_base_name(source);

        if (!slice_equal(base, SLICE("meta.yaml")))
                return RECOGNITION_NO;
        if (find(head, "artifact_uri:") && (find(head, "run_id:") || find(head, "run_uuid:")))
                return RECOGNITION_YES;
        return final ? RECOGNITION_NO : RECOGNITION_MORE;
}

static int open_parser(struct parser **ret_parser) {
        *ret_parser = calloc(1, sizeof(struct parser));
        return *ret_parser ? 0 : -ENOMEM;
}

static void free_parser(struct parser *parser) {
        free(parser);
}

static int take_line(struct parser *parser, struct slice line, struct parse_context *context) {
        static const struct slice key = SLICE("artifact_uri:"), scheme = SLICE("file://");
        struct record record = RECORD_EMPTY;

        (void)parser;
        if (!slice_starts_with(line, key))
                return 0;
        line = line_trim((struct slice){ line.data + key.size_bytes, line.size_bytes - key.size_bytes }, false);
        if (line.size_bytes >= 2 && strchr("'\"", line.data[0]))
                line = (struct slice){ line.data + 1, line.size_bytes - 2 };
        if (slice_starts_with(line, scheme))
                line = (struct slice){ line.data + scheme.size_bytes, line.size_bytes - scheme.size_bytes };
        if (line.size_bytes == 0)
                return 0;
        record.source = context->source;
        record.line = context->line;
        record.output_path = line;
        context->sink->take_record(context->sink->userdata, &record);
        return 0;
}

static ssize_t consume(struct parser *parser, struct slice bytes, bool final, struct parse_context *context) {
        return lines_consume(parser, bytes, final, context, take_line);
}

const struct format format_mlflow_meta = {
        .name = "mlflow-meta",
        .description = "meta.yaml of an MLflow run: where its artifacts are",
        .rank = SOURCE_STRUCTURED,
        .by_line = true,
        .is_whole = true,
        .recognise = recognise,
        .open = open_parser,
        .consume = consume,
        .free = free_parser,
};
