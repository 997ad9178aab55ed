/* What was there before, as bytes on disk: Past of proto/state/fold.proto, for fold_pack.c alone. */
#pragma once

#include <state/fold.pb-c.h>

#include "result/fold_state.h"

/* Borrows from the past. */
struct past_packing {
        State__Past past;
        State__PastColumn *columns, **list;
};

/* 0 or -ENOMEM; both to be released. */
int past_pack(struct past_packing *packing, const struct past *past);
void past_packing_release(struct past_packing *packing);

/* Can a past be like that? */
bool past_is_valid(const State__Past *message);
/* Into a fold that has all else already. 0 or -ENOMEM. */
int past_unpack(struct fold *fold, const State__Past *message);
