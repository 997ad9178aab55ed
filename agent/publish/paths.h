/* Where the objects are that a run has to do with. All paths are for kube_start(), with a time limit for
 * the server; the caller frees them; NULL when memory is short. */
#pragma once

#include "publish/identity.h"

char *path_of_results(const struct identity *identity); /* the collection */
char *path_of_result(const struct identity *identity, const char *subresource);
char *path_of_job(const struct identity *identity);
char *path_of_experiment(const struct identity *identity);
char *path_of_pod(const struct identity *identity, const char *name);
