#include <strings.h>

#include "result/fold.h"
#include "result/metric_name.h"

static const char *const axis_names[] = {
        [AXIS_ROW] = "row", [AXIS_TRIAL] = "trial", [AXIS_STEP] = "step",
        [AXIS_EPOCH] = "epoch", [AXIS_AUTO] = "auto",
};
static const char *const aggregate_names[] = {
        [AGGREGATE_LAST] = "last", [AGGREGATE_MEAN] = "mean",
        [AGGREGATE_MIN] = "min", [AGGREGATE_MAX] = "max",
};

static bool is_word(struct slice name, const char *word) {
        return name.size_bytes == strlen(word) && strncasecmp(name.data, word, name.size_bytes) == 0;
}

static int word_find(const char *const *words, int n, struct slice name) {
        for (int i = 0; i < n; i++)
                if (is_word(name, words[i]))
                        return i;
        return -1;
}

int axis_from_name(struct slice name) {
        return word_find(axis_names, AXIS_AUTO + 1, name);
}

const char *axis_name(enum axis axis) {
        return axis_names[axis];
}

int aggregate_from_name(struct slice name) {
        return word_find(aggregate_names, AGGREGATE_MAX + 1, name);
}

int goal_from_name(struct slice name) {
        if (is_word(name, "minimize") || is_word(name, "min"))
                return GOAL_MINIMIZE;
        if (is_word(name, "maximize") || is_word(name, "max"))
                return GOAL_MAXIMIZE;
        return -1;
}

enum goal goal_of_metric(const char *metric) {
        return metric_is_minimized(slice_from(metric)) ? GOAL_MINIMIZE : GOAL_MAXIMIZE;
}
