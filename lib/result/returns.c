#include "result/fold_state.h"

void returns_forget(struct fold *fold) {
        fold->return_x = NAN;
        for (size_t i = 0; i < ORIGINS_MAX; i++)
                fold->origins[i].x_last = NAN;
}

void returns_note(struct fold *fold, struct origin *origin, double x) {
        bool is_back = isnan(origin->x_last) ? x <= fold->x_last : x < origin->x_last;

        origin->x_last = x;
        if (!is_back) {
                fold->return_x = isnan(fold->return_x) ? NAN : fmin(fold->return_x, x);
                return;
        }
        fold->returns++;
        fold->return_x = x;
        for (size_t m = 0; m < fold->n_metrics; m++)
                memset(fold->metrics[m]->fresh, 0, sizeof(fold->metrics[m]->fresh));
}

uint64_t fold_returns(const struct fold *fold) {
        return fold->returns;
}

/* Lesser sources may have been ahead of the one that sets x when it went back: what they say of a row
 * is void only where that one has not come yet. */
static bool is_void(const struct fold *fold, const struct metric_state *metric, size_t row) {
        double x = fold->rows[row].x;

        return x >= fold->return_x && !is_fresh(metric, row) && (metric->claim == fold->x_claim || x > fold->x_last);
}

void fold_void_before_return(struct fold *fold) {
        for (size_t m = 0; m < fold->n_metrics; m++)
                for (size_t row = 0; row < fold->n_rows; row++)
                        if (is_void(fold, fold->metrics[m], row))
                                cell_void(fold->metrics[m], row);
        fold->return_x = NAN;
        rows_drop_empty(fold, UINT8_MAX);
}
