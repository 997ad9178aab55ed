/* Whose Result it is, as flags, environment and pod say it. */
#pragma once

#include "options.h"
#include "publish/identity.h"

/* Can these options be used together, and the files that they name? 0, or EXIT_USAGE after the reason was printed. */
int identify_check(const struct options *options);
/* Fills identity, which is empty. 0 or -ENOMEM. */
int identify(struct identity *identity, const struct options *options);
