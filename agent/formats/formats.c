#include "formats/csv.h"
#include "formats/document.h"
#include "formats/format.h"
#include "formats/jsonl.h"
#include "formats/layout.h"
#include "formats/text.h"
#include "formats/tfevents.h"
#include "formats/wandb.h"

const struct format *const formats[] = {
        &format_tfevents,
        &format_wandb,
        &format_jsonl,
        &format_document,
        &format_mlflow_meta,
        &format_csv,
        &format_text,
        NULL,
};

const struct format *format_find(struct slice name) {
        for (const struct format *const *format = formats; *format; format++)
                if (slice_equal(slice_from((*format)->name), name))
                        return *format;
        return NULL;
}
