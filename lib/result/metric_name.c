#include "result/metric_name.h"

#include <ctype.h>
#include <stddef.h>
#include <strings.h>

enum { WORD_BYTES_MAX = 32 };

enum word_kind { WORD_LOSS, WORD_SCORE, WORD_SCHEDULE, WORD_SETTING, WORD_RATE };

/* Small letters only. A name is of the kind of its last word that is listed here; WORD_SETTING takes
 * the meaning away: loss_weight is none. WORD_RATE says nothing where a word before it does:
 * error_rate is an error. */
static const struct {
        const char *word;
        enum word_kind kind;
} words[] = {
        { "loss", WORD_LOSS },       { "losses", WORD_LOSS },      { "nll", WORD_LOSS },
        { "err", WORD_LOSS },        { "error", WORD_LOSS },       { "rmse", WORD_LOSS },
        { "mse", WORD_LOSS },        { "mae", WORD_LOSS },         { "mape", WORD_LOSS },
        { "logloss", WORD_LOSS },    { "perplexity", WORD_LOSS },  { "ppl", WORD_LOSS },
        { "bpb", WORD_LOSS },        { "bpc", WORD_LOSS },         { "wer", WORD_LOSS },
        { "cer", WORD_LOSS },        { "fid", WORD_LOSS },         { "deviance", WORD_LOSS },
        { "divergence", WORD_LOSS }, { "regret", WORD_LOSS },      { "cost", WORD_LOSS },
        { "crossentropy", WORD_LOSS },{ "xent", WORD_LOSS },       { "entropy", WORD_LOSS },
        { "elbo", WORD_LOSS },       { "rmsle", WORD_LOSS },       { "merror", WORD_LOSS },
        { "mlogloss", WORD_LOSS },   { "eer", WORD_LOSS },         { "kld", WORD_LOSS },
        { "kl", WORD_LOSS },         { "mlm", WORD_LOSS },         { "hinge", WORD_LOSS },

        { "acc", WORD_SCORE },       { "accuracy", WORD_SCORE },   { "top", WORD_SCORE },
        { "prec", WORD_SCORE },      { "precision", WORD_SCORE },  { "recall", WORD_SCORE },
        { "f", WORD_SCORE },         { "fscore", WORD_SCORE },     { "auc", WORD_SCORE },
        { "roc", WORD_SCORE },       { "auroc", WORD_SCORE },      { "ap", WORD_SCORE },
        { "map", WORD_SCORE },       { "ar", WORD_SCORE },         { "iou", WORD_SCORE },
        { "miou", WORD_SCORE },      { "dice", WORD_SCORE },       { "bleu", WORD_SCORE },
        { "rouge", WORD_SCORE },     { "meteor", WORD_SCORE },     { "psnr", WORD_SCORE },
        { "ssim", WORD_SCORE },      { "lpips", WORD_SCORE },      { "ndcg", WORD_SCORE },
        { "mrr", WORD_SCORE },       { "mcc", WORD_SCORE },        { "score", WORD_SCORE },
        { "reward", WORD_SCORE },    { "rewards", WORD_SCORE },    { "return", WORD_SCORE },
        { "rew", WORD_SCORE },       { "ret", WORD_SCORE },        { "kappa", WORD_SCORE },
        { "correlation", WORD_SCORE },{ "pearson", WORD_SCORE },   { "spearman", WORD_SCORE },
        { "likelihood", WORD_SCORE },{ "sensitivity", WORD_SCORE },{ "specificity", WORD_SCORE },
        { "objective", WORD_SCORE }, { "hit", WORD_SCORE },        { "em", WORD_SCORE },

        { "lr", WORD_SCHEDULE },     { "rate", WORD_RATE },        { "momentum", WORD_SCHEDULE },
        { "norm", WORD_SCHEDULE },   { "gnorm", WORD_SCHEDULE },   { "scale", WORD_SCHEDULE },
        { "decay", WORD_SCHEDULE },  { "wd", WORD_SCHEDULE },      { "mom", WORD_SCHEDULE },

        { "weight", WORD_SETTING },  { "coef", WORD_SETTING },     { "coefficient", WORD_SETTING },
        { "threshold", WORD_SETTING },{ "ratio", WORD_SETTING },   { "type", WORD_SETTING },
};

static const char *take_word(const char *at, const char *end, char ret_word[static WORD_BYTES_MAX]) {
        size_t n = 0;
        bool small = false;

        while (at < end && !isalpha((unsigned char)*at))
                at++;
        for (; at < end && isalpha((unsigned char)*at); at++) {
                if (small && isupper((unsigned char)*at))
                        break;
                small = small || islower((unsigned char)*at);
                if (n < WORD_BYTES_MAX - 1)
                        ret_word[n++] = (char)tolower((unsigned char)*at);
        }
        ret_word[n] = '\0';
        return at;
}

/* Words are often written together: trainloss, mlogloss, nrmse. */
static bool ends_like_loss(const char *word) {
        static const char *const ends[] = { "loss", "error", "rmse", "mape", "perplexity", "deviance" };
        size_t n = strlen(word);

        for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
                size_t n_end = strlen(ends[i]);

                if (n > n_end && strcmp(word + n - n_end, ends[i]) == 0)
                        return true;
        }
        return false;
}

static int kind_of_word(const char *word, int before) {
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                if (strcmp(words[i].word, word) == 0) {
                        if (words[i].kind != WORD_RATE)
                                return (int)words[i].kind;
                        return before < 0 ? WORD_SCHEDULE : before;
                }
        return ends_like_loss(word) ? WORD_LOSS : before;
}

/* The kind of the last word that is known; -1: none is. */
static int last_kind(struct slice name) {
        const char *at = name.data, *end = at + name.size_bytes;
        char word[WORD_BYTES_MAX];
        int kind = -1;

        while (at < end) {
                at = take_word(at, end, word);
                /* top5 and F1 are scores; "top_modules" and the variable f are none. */
                if ((strcmp(word, "top") == 0 || strcmp(word, "f") == 0) && (at == end || !isdigit((unsigned char)*at)))
                        continue;
                kind = kind_of_word(word, kind);
        }
        return kind;
}

static bool contains(struct slice name, const char *part) {
        size_t n = strlen(part);

        for (size_t i = 0; i + n <= name.size_bytes; i++)
                if (strncasecmp(name.data + i, part, n) == 0)
                        return true;
        return false;
}

enum metric_kind metric_kind_of(struct slice name) {
        switch (last_kind(name)) {
        case WORD_LOSS:
        case WORD_SCORE:
                return METRIC_RESULT;
        case WORD_SCHEDULE:
                return METRIC_SCHEDULE;
        default:
                return METRIC_OTHER;
        }
}

bool metric_is_minimized(struct slice name) {
        static const char *const parts[] = { "loss", "err", "mse", "mae", "nll", "wer", "cer", "fid", "cost",
                                             "regret", "divergence" };
        int kind = last_kind(name);

        if (kind >= 0)
                return kind == WORD_LOSS;
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
                if (contains(name, parts[i]))
                        return true;
        return false;
}

const char *metric_known_word(size_t i) {
        return i < sizeof(words) / sizeof(words[0]) ? words[i].word : NULL;
}
