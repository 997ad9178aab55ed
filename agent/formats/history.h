/* The curves in a JSON document. A few shapes, wherever in the document they are:
 *
 *     [{"epoch": 1, "loss": 0.5}, …]                 records (Trainer's log_history, pandas, CatBoost)
 *     {"1": {"loss": 0.5}, "2": …}                   records by number, or by "epoch_1"
 *     {"loss": [0.5, …], "val_loss": […]}            columns (Keras, XGBoost's evals_result)
 *     {"loss": {"0": 0.5, "1": …}, "val_loss": …}    columns by number (pandas)
 *     {"loss": {"steps": […], "values": […]}}        series (Sacred)
 *     [[wall time, step, value], …]                  TensorBoard's download; its path names the metric
 *
 * or, when there is none, the numbers of the document as one snapshot of latest values. Each needs
 * names that are of training, so that settings and data sets give nothing. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"
#include "formats/format.h"

struct history;

/* 0 or -ENOMEM. */
int history_new(struct history **ret_history);
void history_free(struct history *history); /* NULL allowed */

/* Hands the records of a checked document to the context's sink; line 0. 0 or -ENOMEM. */
int history_read(struct history *history, struct slice document, const struct parse_context *context);

/* Is this the path of a file that usually holds a snapshot of latest values? */
bool history_is_snapshot_name(struct slice source);
