#include "identify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "kube/kube.h"

static int wrong_use(const char *what, const char *expected) {
        fprintf(stderr, "experiments-agent: %s: expected %s\n", what, expected);
        return EXIT_USAGE;
}

static bool is_readable(const char *path) {
        return !path || access(path, R_OK) == 0;
}

static int check_files(const struct options *options) {
        const struct {
                const char *flag, *path;
        } files[] = { { "--ca-file", options->ca_file }, { "--token-file", options->token_file },
                      { "--client-cert", options->client_cert }, { "--client-key", options->client_key } };

        for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
                if (!is_readable(files[i].path)) {
                        fprintf(stderr, "experiments-agent: %s %s: expected a file that can be read: %s\n",
                                files[i].flag, files[i].path, strerror(errno));
                        return EXIT_USAGE;
                }
        return 0;
}

static bool is_same_file(const char *a, const char *b) {
        struct stat status_a, status_b;

        return stat(a, &status_a) == 0 && stat(b, &status_b) == 0 &&
               status_a.st_dev == status_b.st_dev && status_a.st_ino == status_b.st_ino;
}

int identify_check(const struct options *options) {
        if (!options->to && !options->server && !getenv("KUBERNETES_SERVICE_HOST"))
                return wrong_use("nowhere to publish to", "--to DIR, --server URL, or a pod of a cluster");
        if (!options->job)
                return wrong_use("the Job's name is not known", "--job NAME, or the variable JOB_NAME");
        if (options->to && strcmp(options->to, options->dir) == 0)
                return wrong_use("--to", "a directory of its own, not the one that is followed");
        if (options->to && is_same_file(options->to, options->dir))
                return wrong_use("--to", "a directory of its own, not the one that is followed");
        if (options->client_key && !options->client_cert)
                return wrong_use("--client-key", "--client-cert with it");
        return check_files(options);
}

/* The pod's own namespace is where its token is. */
static int learn_namespace(struct identity *identity, const struct options *options) {
        FILE *file;
        char name[64] = "";

        if (options->namespace_name)
                return identity_set(&identity->namespace_name, options->namespace_name);
        file = fopen(KUBE_SERVICE_ACCOUNT_DIR "/namespace", "re");
        if (file) {
                if (fgets(name, sizeof(name), file))
                        name[strcspn(name, "\r\n")] = '\0';
                fclose(file);
        }
        /* A file is applied in whatever namespace kubectl is set to. */
        return identity_set(&identity->namespace_name,
                            *name ? name : options->to && !options->server ? NULL : "default");
}

int identify(struct identity *identity, const struct options *options) {
        const struct {
                char **place;
                const char *text;
        } texts[] = {
                { &identity->job, options->job },
                { &identity->job_uid, options->job_uid },
                { &identity->pod, options->pod },
                { &identity->pod_uid, options->pod_uid },
                { &identity->experiment, options->experiment },
                { &identity->experiment_uid, options->experiment_uid },
                { &identity->output_path, options->output },
                { &identity->objective_metric, options->objective },
        };
        int r = learn_namespace(identity, options);

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && r == 0; i++)
                r = identity_set(texts[i].place, texts[i].text);
        identity->owner = options->owner;
        identity->objective_goal = options->goal;
        if (r == 0)
                r = identity_parameters_from_environment(environ, &identity->parameters);
        if (r == -E2BIG) {
                log_warning("the parameters in the environment are longer than %d bytes as JSON and are left out",
                            IDENTITY_PARAMETERS_BYTES_MAX);
                r = 0;
        }
        return r;
}
