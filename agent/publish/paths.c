#include "publish/paths.h"

#include "kube/kube.h"

/* The server gives up before we do: with etcd frozen it would answer after 34 s (Kubernetes 1.36). */
#define QUERY "timeout=5s"

static char *path_of_ours(const struct identity *identity, const char *plural, const char *name,
                          const char *subresource) {
        return kube_path(RESULT_GROUP, RESULT_VERSION, identity->namespace_name, plural, name, subresource, QUERY);
}

char *path_of_results(const struct identity *identity) {
        return path_of_ours(identity, "results", NULL, NULL);
}

char *path_of_result(const struct identity *identity, const char *subresource) {
        return path_of_ours(identity, "results", identity->job, subresource);
}

char *path_of_experiment(const struct identity *identity) {
        return path_of_ours(identity, "experiments", identity->experiment, NULL);
}

char *path_of_job(const struct identity *identity) {
        return kube_path("batch", "v1", identity->namespace_name, "jobs", identity->job, NULL, QUERY);
}

char *path_of_pod(const struct identity *identity, const char *name) {
        return kube_path("", "v1", identity->namespace_name, "pods", name, NULL, QUERY);
}
