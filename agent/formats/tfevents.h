/* TensorBoard's event files, whatever they are called: TFRecords of Event messages.
 *
 * A record is one event's scalars (simple_value, or a tensor of one number) at the event's step; in a
 * file that has the epoch as a tag of its own, those of all events of the step up to it. In `line` of
 * records and rejects stands the number of the TFRecord, from 1.
 *
 * Names are the tags, and what only the path says: folders called train, validation and the like
 * stand before the tag, and of add_scalars("loss", {"a": …}) the name is loss/a.
 *
 * A restarted trainer begins again at an earlier step, in the same file or another one. Where it says
 * so (SessionLog START, torch's purge_step), what the former session said from there on is void, as in
 * TensorBoard; else it is overwritten step by step. */
#pragma once

#include "formats/format.h"

extern const struct format format_tfevents;
