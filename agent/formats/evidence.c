#include "formats/evidence.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "result/metric_name.h"

enum { NAME_BYTES_MAX = 32 };

enum about { ABOUT_SAMPLE, ABOUT_SUBJECT, ABOUT_EVERYDAY };

/* Small letters and digits only, of the last level of a name. */
static const struct {
        const char *name;
        enum about about;
} names[] = {
        { "text", ABOUT_SAMPLE },       { "label", ABOUT_SAMPLE },      { "labels", ABOUT_SAMPLE },
        { "sentence", ABOUT_SAMPLE },   { "prompt", ABOUT_SAMPLE },     { "question", ABOUT_SAMPLE },
        { "answer", ABOUT_SAMPLE },     { "completion", ABOUT_SAMPLE }, { "response", ABOUT_SAMPLE },
        { "instruction", ABOUT_SAMPLE },{ "messages", ABOUT_SAMPLE },   { "conversations", ABOUT_SAMPLE },
        { "context", ABOUT_SAMPLE },    { "content", ABOUT_SAMPLE },    { "title", ABOUT_SAMPLE },
        { "caption", ABOUT_SAMPLE },    { "imageid", ABOUT_SAMPLE },    { "categoryid", ABOUT_SAMPLE },
        { "sampleid", ABOUT_SAMPLE },   { "docid", ABOUT_SAMPLE },      { "exampleid", ABOUT_SAMPLE },
        { "questionid", ABOUT_SAMPLE }, { "userid", ABOUT_SAMPLE },     { "itemid", ABOUT_SAMPLE },
        { "prediction", ABOUT_SAMPLE }, { "predictions", ABOUT_SAMPLE },{ "predicted", ABOUT_SAMPLE },
        { "pred", ABOUT_SAMPLE },       { "preds", ABOUT_SAMPLE },      { "ypred", ABOUT_SAMPLE },
        { "ytrue", ABOUT_SAMPLE },      { "target", ABOUT_SAMPLE },     { "targets", ABOUT_SAMPLE },
        { "groundtruth", ABOUT_SAMPLE },{ "gold", ABOUT_SAMPLE },       { "reference", ABOUT_SAMPLE },
        { "references", ABOUT_SAMPLE }, { "bbox", ABOUT_SAMPLE },       { "boxes", ABOUT_SAMPLE },
        { "bboxes", ABOUT_SAMPLE },     { "image", ABOUT_SAMPLE },      { "imagepath", ABOUT_SAMPLE },
        { "url", ABOUT_SAMPLE },        { "embedding", ABOUT_SAMPLE },  { "fpr", ABOUT_SAMPLE },
        { "tpr", ABOUT_SAMPLE },        { "thresholds", ABOUT_SAMPLE }, { "threshold", ABOUT_SAMPLE },
        { "fittime", ABOUT_SAMPLE },    { "scoretime", ABOUT_SAMPLE },  { "meanfittime", ABOUT_SAMPLE },
        { "support", ABOUT_SAMPLE },    { "classes", ABOUT_SAMPLE },    { "confidence", ABOUT_SAMPLE },
        { "action", ABOUT_SAMPLE },     { "actions", ABOUT_SAMPLE },    { "observation", ABOUT_SAMPLE },
        { "observations", ABOUT_SAMPLE },{ "obs", ABOUT_SAMPLE },       { "iscrowd", ABOUT_SAMPLE },
        { "review", ABOUT_SAMPLE },     { "tweet", ABOUT_SAMPLE },      { "sentiment", ABOUT_SAMPLE },

        { "id", ABOUT_SUBJECT },        { "uid", ABOUT_SUBJECT },       { "name", ABOUT_SUBJECT },
        { "model", ABOUT_SUBJECT },     { "class", ABOUT_SUBJECT },     { "category", ABOUT_SUBJECT },
        { "file", ABOUT_SUBJECT },      { "filename", ABOUT_SUBJECT },  { "path", ABOUT_SUBJECT },
        { "input", ABOUT_SUBJECT },     { "output", ABOUT_SUBJECT },    { "inputs", ABOUT_SUBJECT },
        { "outputs", ABOUT_SUBJECT },   { "index", ABOUT_SUBJECT },     { "dataset", ABOUT_SUBJECT },
        { "task", ABOUT_SUBJECT },      { "fold", ABOUT_SUBJECT },      { "country", ABOUT_SUBJECT },
        { "student", ABOUT_SUBJECT },   { "patient", ABOUT_SUBJECT },   { "gender", ABOUT_SUBJECT },
        { "age", ABOUT_SUBJECT },       { "sex", ABOUT_SUBJECT },       { "price", ABOUT_SUBJECT },
        { "user", ABOUT_SUBJECT },      { "player", ABOUT_SUBJECT },    { "team", ABOUT_SUBJECT },
        { "feature", ABOUT_SUBJECT },   { "variable", ABOUT_SUBJECT },  { "method", ABOUT_SUBJECT },

        { "score", ABOUT_EVERYDAY },    { "scores", ABOUT_EVERYDAY },   { "cost", ABOUT_EVERYDAY },
        { "costs", ABOUT_EVERYDAY },    { "return", ABOUT_EVERYDAY },   { "returns", ABOUT_EVERYDAY },
        { "ret", ABOUT_EVERYDAY },      { "error", ABOUT_EVERYDAY },    { "errors", ABOUT_EVERYDAY },
        { "err", ABOUT_EVERYDAY },      { "top", ABOUT_EVERYDAY },      { "f", ABOUT_EVERYDAY },
        { "map", ABOUT_EVERYDAY },      { "hit", ABOUT_EVERYDAY },      { "hits", ABOUT_EVERYDAY },
        { "em", ABOUT_EVERYDAY },       { "ar", ABOUT_EVERYDAY },       { "ap", ABOUT_EVERYDAY },
        { "objective", ABOUT_EVERYDAY },{ "entropy", ABOUT_EVERYDAY },  { "correlation", ABOUT_EVERYDAY },
        { "precision", ABOUT_EVERYDAY },{ "likelihood", ABOUT_EVERYDAY },{ "sensitivity", ABOUT_EVERYDAY },
};

/* What a record is about stands at its top: config/model says nothing. */
static bool is_about(struct slice name, enum about about) {
        const char *slash = name.size_bytes > 0 ? memrchr(name.data, '/', name.size_bytes) : NULL;
        const char *at = slash ? slash + 1 : name.data, *end = name.data + name.size_bytes;
        char text[NAME_BYTES_MAX];
        size_t n = 0;

        if (slash && about != ABOUT_EVERYDAY)
                return false;
        for (; at < end; at++)
                if (isalnum((unsigned char)*at)) {
                        if (n == NAME_BYTES_MAX - 1)
                                return false;
                        text[n++] = (char)tolower((unsigned char)*at);
                }
        text[n] = '\0';
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (names[i].about == about && strcmp(names[i].name, text) == 0)
                        return true;
        return false;
}

static struct slice last_level(struct slice name) {
        const char *slash = name.size_bytes > 0 ? memrchr(name.data, '/', name.size_bytes) : NULL;

        return slash ? (struct slice){ slash + 1, name.size_bytes - (size_t)(slash + 1 - name.data) } : name;
}

/* loss/train is a loss. */
static struct slice without_split(struct slice name) {
        static const char *const splits[] = { "train", "training", "val", "valid", "validation", "test", "eval", "dev" };
        struct slice last = last_level(name);

        for (size_t i = 0; i < sizeof(splits) / sizeof(splits[0]); i++)
                if (last.size_bytes < name.size_bytes && slice_equal(last, slice_from(splits[i])))
                        return (struct slice){ name.data, name.size_bytes - last.size_bytes - 1 };
        return name;
}

/* "math score", but not "f1_score". */
static bool is_score_of_anything(struct slice name) {
        for (size_t n = strlen("scores"); n >= strlen("score"); n--)
                if (name.size_bytes > n && strncasecmp(name.data + name.size_bytes - n, "scores", n) == 0)
                        return metric_kind_of((struct slice){ name.data, name.size_bytes - n }) != METRIC_RESULT;
        return false;
}

/* <pad>, [CLS]: an entry of a vocabulary. */
static bool is_token(struct slice name) {
        char first = name.size_bytes > 2 ? name.data[0] : '\0', last = first ? name.data[name.size_bytes - 1] : '\0';

        return (first == '<' && last == '>') || (first == '[' && last == ']');
}

/* Sure is what its own level names, not a branch above it: ErrorResponse/enum is no result. */
static bool is_sure_result(struct slice name) {
        struct slice core = without_split(name);

        return metric_kind_of(last_level(core)) == METRIC_RESULT && !is_about(core, ABOUT_EVERYDAY) &&
               !is_score_of_anything(last_level(core));
}

void evidence_add_number(struct evidence *evidence, struct slice name, struct key key) {
        evidence->has_epoch = evidence->has_epoch || key.role == KEY_EPOCH;
        evidence->has_x = evidence->has_x || key_is_x(key);
        evidence_add_other(evidence, name, key);
        if (key.role != KEY_METRIC || name.size_bytes == 0)
                return;
        evidence->n_metrics++;
        switch (metric_kind_of(name)) {
        case METRIC_RESULT:
                evidence->n_results++;
                evidence->n_sure_results += is_sure_result(name);
                break;
        case METRIC_SCHEDULE:
                evidence->n_schedules++;
                break;
        case METRIC_OTHER:
                break;
        }
}

void evidence_add_other(struct evidence *evidence, struct slice name, struct key key) {
        evidence->has_time = evidence->has_time || key.role == KEY_TIME;
        evidence->has_samples = evidence->has_samples || is_about(name, ABOUT_SAMPLE) || is_token(name);
        evidence->has_subjects = evidence->has_subjects || is_about(name, ABOUT_SUBJECT);
}

bool evidence_is_history(const struct evidence *evidence) {
        if (!evidence->has_x || evidence->has_samples)
                return false;
        if (evidence->has_subjects)
                return evidence->n_sure_results > 0;
        return evidence->n_results > 0 || evidence->n_schedules > 0;
}

bool evidence_may_be_rows(const struct evidence *evidence) {
        return evidence->n_sure_results > 0 && !evidence->has_samples && !evidence->has_subjects &&
               2 * (evidence->n_results + evidence->n_schedules) >= evidence->n_metrics;
}
