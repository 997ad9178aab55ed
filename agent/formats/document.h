/* Whole JSON documents: a history of training in one of a few shapes, or a snapshot of the latest
 * values. Whatever else is JSON (settings, data sets, notebooks) is read and says nothing. */
#pragma once

#include "formats/format.h"

extern const struct format format_document;
