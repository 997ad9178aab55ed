/* Text: what a trainer prints, captured or logged. The format of every file that is no other. */
#pragma once

#include "formats/format.h"

extern const struct format format_text;
