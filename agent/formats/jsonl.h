/* JSON lines: one object a line, one line a record. */
#pragma once

#include "formats/format.h"

extern const struct format format_jsonl;
