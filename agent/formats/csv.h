/* CSV and TSV: a header line, then one line a record. */
#pragma once

#include "formats/format.h"

extern const struct format format_csv;
