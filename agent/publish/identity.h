/* Whose Result this is: from flags and environment, and what the API server adds to it. */
#pragma once

#include <stdbool.h>

#include "result/fold.h"
#include "result/result.h"

struct json_object;

enum {
        IDENTITY_PARAMETERS_BYTES_MAX = 2048, /* of JSON; more would crowd out the curve */
        IDENTITY_PATH_BYTES_MAX = 1024,       /* the API's bound for paths */
};

enum owner { OWNER_AUTO, OWNER_EXPERIMENT, OWNER_JOB, OWNER_NONE };

/* Owns its texts; NULL: not known. */
struct identity {
        char *namespace_name;
        char *job, *job_uid;
        char *pod, *pod_uid;
        char *experiment, *experiment_uid;
        char *parameters;       /* JSON object */
        char *output_path;
        char *objective_metric;
        enum goal objective_goal;
        enum owner owner;
};

void identity_release(struct identity *identity);

/* Replaces *place by a copy of text; text NULL or "" leaves it. 0 or -ENOMEM. */
int identity_set(char **place, const char *text);

/* The parameters in PARAMETER_<NAME>_<TYPE> variables, as the original's launcher sets them (types
 * FLOAT, INT, BOOL, STR), as a JSON object with the names in lower case; NULL in *ret_parameters
 * when there are none. environment ends with NULL. 0, -ENOMEM, or -E2BIG past the bound. */
int identity_parameters_from_environment(char *const *environment, char **ret_parameters);

/* What the trainer itself says of its parameters, as a JSON object, joins those that are known and do not have that
 * name. 0, -ENOMEM, or -E2BIG past the bound: then nothing was added. */
int identity_add_parameters(struct identity *identity, const char *json);

/* What the API's objects say; what is known already stays. 0, -ENOMEM, or -E2BIG when the
 * parameters are past the bound and were left out. */
int identity_learn_job(struct identity *identity, struct json_object *job);
int identity_learn_experiment(struct identity *identity, struct json_object *experiment);

/* Is the Result's owner gone, or going? object: what is there under its name, or NULL. One with
 * another uid was made anew under the old name, and owns nothing of the old one's. */
bool identity_owner_is_gone(const struct identity *identity, struct json_object *object);

/* The part that a Result is made of; borrows from identity. */
struct result_identity identity_view(const struct identity *identity);
