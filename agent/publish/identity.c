#include "publish/identity.h"

#include <ctype.h>
#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/json_put.h"
#include "base/number.h"
#include "kube/json_get.h"

void identity_release(struct identity *identity) {
        free(identity->namespace_name);
        free(identity->job);
        free(identity->job_uid);
        free(identity->pod);
        free(identity->pod_uid);
        free(identity->experiment);
        free(identity->experiment_uid);
        free(identity->parameters);
        free(identity->output_path);
        free(identity->objective_metric);
        *identity = (struct identity){ 0 };
}

int identity_set(char **place, const char *text) {
        char *copy;

        if (!text || !*text)
                return 0;
        copy = strdup(text);
        if (!copy)
                return -ENOMEM;
        free(*place);
        *place = copy;
        return 0;
}

/* Sets what is not known yet. */
static int learn(char **place, const char *text) {
        return *place ? 0 : identity_set(place, text);
}

/* --- PARAMETER_<NAME>_<TYPE> --- */

static void put_parameter_value(struct json_writer *writer, struct slice type, const char *value) {
        double number;

        if (slice_equal(type, SLICE("BOOL")))
                json_put_bool(writer, strcasecmp(value, "true") == 0);
        else if (!slice_equal(type, SLICE("STR")) && number_parse(slice_from(value), &number) && isfinite(number))
                json_put_number(writer, number, 17);
        else
                json_put_string(writer, value);
}

/* Splits "PARAMETER_LR_FLOAT=0.1"; the type is what follows the last underscore. */
static int put_parameter(struct json_writer *writer, const char *variable) {
        static const char prefix[] = "PARAMETER_";
        const char *equals = strchr(variable, '='), *name = variable + strlen(prefix), *type;
        CLEANUP(cleanup_free) char *lower = NULL;

        if (!equals || strncmp(variable, prefix, strlen(prefix)) != 0)
                return 0;
        type = memrchr(name, '_', (size_t)(equals - name));
        if (!type || type == name)
                return 0;
        lower = strndup(name, (size_t)(type - name));
        if (!lower)
                return -ENOMEM;
        for (char *c = lower; *c; c++)
                *c = (char)tolower((unsigned char)*c);
        json_put_key(writer, lower);
        put_parameter_value(writer, (struct slice){ type + 1, (size_t)(equals - type - 1) }, equals + 1);
        return 0;
}

int identity_parameters_from_environment(char *const *environment, char **ret_parameters) {
        CLEANUP(buffer_release) struct buffer json = BUFFER_INIT(IDENTITY_PARAMETERS_BYTES_MAX);
        struct json_writer writer = JSON_WRITER_INIT(&json);
        int r = 0;

        *ret_parameters = NULL;
        json_put_open(&writer, '{');
        for (; *environment && r == 0; environment++)
                r = put_parameter(&writer, *environment);
        json_put_close(&writer, '}');
        if (r == 0)
                r = writer.error;
        if (r < 0)
                return r == -ENOBUFS ? -E2BIG : r;
        if (json.size_bytes == strlen("{}"))
                return 0;
        *ret_parameters = strdup(buffer_string(&json));
        return *ret_parameters ? 0 : -ENOMEM;
}

/* --- what the API knows --- */

/* The annotation is text that somebody else wrote: it counts when it is a JSON object. */
static void add_new_members(struct json_object *all, struct json_object *added) {
        json_object_object_foreach(added, name, value)
                if (!json_object_object_get_ex(all, name, NULL))
                        json_object_object_add(all, name, json_object_get(value));
}

int identity_add_parameters(struct identity *identity, const char *json) {
        struct json_object *added = json_tokener_parse(json);
        struct json_object *all = identity->parameters ? json_tokener_parse(identity->parameters) : json_object_new_object();
        const char *text;
        int r = added && all ? 0 : -ENOMEM;

        if (r == 0)
                add_new_members(all, added);
        text = r == 0 ? json_object_to_json_string_ext(all, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE) : NULL;
        if (r == 0 && !text)
                r = -ENOMEM;
        if (r == 0)
                r = strlen(text) > IDENTITY_PARAMETERS_BYTES_MAX ? -E2BIG : identity_set(&identity->parameters, text);
        json_object_put(added);
        json_object_put(all);
        return r;
}

static int learn_parameters(struct identity *identity, const char *annotation) {
        struct json_object *parsed;
        int r = 0;

        if (!annotation)
                return 0;
        if (strlen(annotation) > IDENTITY_PARAMETERS_BYTES_MAX)
                return -E2BIG;
        parsed = json_tokener_parse(annotation);
        if (json_object_is_type(parsed, json_type_object)) {
                /* With its names' own case, it is better than what the environment gave. */
                r = identity_set(&identity->parameters,
                                 json_object_to_json_string_ext(parsed, JSON_C_TO_STRING_PLAIN));
        }
        json_object_put(parsed);
        return r;
}

int identity_learn_job(struct identity *identity, struct json_object *job) {
        struct json_object *labels = json_get(job, "metadata", "labels", NULL);
        int r = learn(&identity->job_uid, json_get_text(job, "metadata", "uid", NULL));

        if (r == 0)
                r = learn(&identity->experiment, json_get_text(labels, "experiment_name", NULL));
        if (r == 0)
                r = learn(&identity->experiment_uid, json_get_text(labels, "experiment_uid", NULL));
        if (r == 0)
                r = learn_parameters(identity,
                                     json_get_text(job, "metadata", "annotations", "job_parameters", NULL));
        return r;
}

/* spec.output is a template: $(JOB_NAME) and $(EXPERIMENT_NAME) are what Kubernetes would expand. */
static int learn_output(struct identity *identity, const char *template) {
        CLEANUP(buffer_release) struct buffer path = BUFFER_INIT(IDENTITY_PATH_BYTES_MAX);
        const struct {
                struct slice name;
                const char *value;
        } variables[] = {
                { SLICE("$(JOB_NAME)"), identity->job },
                { SLICE("$(EXPERIMENT_NAME)"), identity->experiment },
                { SLICE("$(EXPERIMENT_NAMESPACE)"), identity->namespace_name },
        };

        while (template && *template) {
                bool expanded = false;

                for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]) && !expanded; i++) {
                        if (!variables[i].value || !slice_starts_with(slice_from(template), variables[i].name))
                                continue;
                        (void)buffer_append_string(&path, variables[i].value);
                        template += variables[i].name.size_bytes;
                        expanded = true;
                }
                if (!expanded)
                        (void)buffer_append_char(&path, *template++);
        }
        return path.size_bytes ? learn(&identity->output_path, buffer_string(&path)) : 0;
}

int identity_learn_experiment(struct identity *identity, struct json_object *experiment) {
        const char *metric = json_get_text(experiment, "spec", "objective", "metric", NULL);
        const char *goal = json_get_text(experiment, "spec", "objective", "goal", NULL);
        int r = learn(&identity->experiment_uid, json_get_text(experiment, "metadata", "uid", NULL));

        if (r == 0)
                r = learn_output(identity, json_get_text(experiment, "spec", "output", NULL));
        if (r < 0 || !metric || identity->objective_metric)
                return r;
        identity->objective_goal = goal && goal_from_name(slice_from(goal)) == GOAL_MAXIMIZE ?
                                           GOAL_MAXIMIZE : GOAL_MINIMIZE;
        return identity_set(&identity->objective_metric, metric);
}

/* --- the view --- */

static bool is_owned_by_experiment(const struct identity *identity) {
        return identity->experiment && identity->experiment_uid &&
               (identity->owner == OWNER_AUTO || identity->owner == OWNER_EXPERIMENT);
}

static bool is_owned_by_job(const struct identity *identity) {
        return identity->job && identity->job_uid &&
               (identity->owner == OWNER_JOB || (identity->owner == OWNER_AUTO && !identity->experiment));
}

bool identity_owner_is_gone(const struct identity *identity, struct json_object *object) {
        const char *ours = identity_view(identity).owner.uid;
        const char *uid = json_get_text(object, "metadata", "uid", NULL);

        return !uid || (ours && strcmp(uid, ours) != 0) ||
               json_get_text(object, "metadata", "deletionTimestamp", NULL);
}

struct result_identity identity_view(const struct identity *identity) {
        struct result_identity view = {
                .namespace_name = identity->namespace_name,
                .name = identity->job,
                .experiment = identity->experiment,
                .parameters = identity->parameters,
        };

        /* The original's client looks for its Experiment, in v1, in ownerReferences[0]. */
        if (is_owned_by_experiment(identity)) {
                view.owner.api_version = RESULT_GROUP "/v1";
                view.owner.kind = "Experiment";
                view.owner.name = identity->experiment;
                view.owner.uid = identity->experiment_uid;
                view.owner.controller = true;
        } else if (is_owned_by_job(identity)) {
                view.owner.api_version = "batch/v1";
                view.owner.kind = "Job";
                view.owner.name = identity->job;
                view.owner.uid = identity->job_uid;
        }
        return view;
}
