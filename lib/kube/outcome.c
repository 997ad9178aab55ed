#include "kube/outcome.h"

#include <ctype.h>
#include <curl/curl.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "kube/json_get.h"

enum { RETRY_AFTER_MAX_S = 3600 };

const char *kube_outcome_name(enum kube_outcome outcome) {
        static const char *const names[] = {
                [KUBE_OK] = "ok",
                [KUBE_NOT_FOUND] = "not found",
                [KUBE_NO_SUCH_API] = "no such API",
                [KUBE_CONFLICT] = "conflict",
                [KUBE_UNAUTHORIZED] = "unauthorized",
                [KUBE_FORBIDDEN] = "forbidden",
                [KUBE_INVALID] = "invalid",
                [KUBE_TOO_LARGE] = "too large",
                [KUBE_BUSY] = "busy",
                [KUBE_SERVER_ERROR] = "server error",
                [KUBE_UNREACHABLE] = "unreachable",
        };

        return names[outcome];
}

static const struct {
        int status;
        enum kube_outcome outcome;
} outcomes[] = {
        { 400, KUBE_INVALID },      /* NaN, 1e400 or no JSON in the body */
        { 401, KUBE_UNAUTHORIZED }, /* token bad or expired; pod deleted */
        { 403, KUBE_FORBIDDEN },    /* RBAC, quota, admission */
        { 404, KUBE_NOT_FOUND },    /* object, namespace, or status subresource */
        { 409, KUBE_CONFLICT },     /* stale resourceVersion; AlreadyExists */
        { 410, KUBE_CONFLICT },     /* a watch's resourceVersion is too old: look anew */
        { 413, KUBE_TOO_LARGE },    /* body over 3 MiB */
        { 415, KUBE_INVALID },      /* content type */
        { 422, KUBE_INVALID },      /* schema, CEL, or a failed JSON-patch test */
        { 429, KUBE_BUSY },         /* API priority and fairness, or an eviction budget */
};

static bool contains(struct slice text, const char *word) {
        return text.size_bytes > 0 && memmem(text.data, text.size_bytes, word, strlen(word));
}

/* etcd's bound on an object, 1.5 MiB, and gRPC's, 2 MiB, come back as 500. */
static bool is_object_too_large(struct slice text) {
        return contains(text, "request is too large") || contains(text, "larger than max");
}

/* Every object that is stored has one, and so has its PartialObjectMetadata. */
static bool is_stored_object(struct json_object *body) {
        return json_get_text(body, "metadata", "resourceVersion", NULL);
}

enum kube_outcome kube_outcome_of(int status, bool has_retry_after, struct json_object *body,
                                  struct slice text) {
        const char *kind = json_get_text(body, "kind", NULL);

        if (status >= 200 && status < 300)
                return is_stored_object(body) ? KUBE_OK : KUBE_SERVER_ERROR;
        if (status == 404 && !(kind && strcmp(kind, "Status") == 0))
                return KUBE_NO_SUCH_API;
        for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++)
                if (outcomes[i].status == status)
                        return outcomes[i].outcome;
        if (status == 500 && is_object_too_large(text))
                return KUBE_TOO_LARGE;
        /* client-go retries 5xx that carry Retry-After as it does 429. */
        return status >= 500 && has_retry_after ? KUBE_BUSY : KUBE_SERVER_ERROR;
}

int64_t kube_parse_retry_after(const char *value, int64_t now_s) {
        int64_t seconds;
        char *end;

        while (*value == ' ')
                value++;
        seconds = strtol(value, &end, 10);
        if (end == value || (*end && !isspace((unsigned char)*end))) {
                time_t date = curl_getdate(value, NULL);

                if (date < 0)
                        return -1;
                seconds = (int64_t)date - now_s;
        }
        if (seconds < 0)
                seconds = 0;
        return (seconds > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : seconds) * 1000;
}
