/* W&B's offline run files, *.wandb: what run.log() said, one record a call. In `line` of records and
 * rejects stands the number of the file's record, from 1; most are not about metrics. */
#pragma once

#include "formats/format.h"

extern const struct format format_wandb;
