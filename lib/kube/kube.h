/* The few calls of the Kubernetes API that we make, over libcurl's multi interface on our loop.
 * Nothing blocks: each call ends in one callback, also when it failed, unless it is cancelled. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "loop/loop.h"

struct json_object;
struct kube;         /* one API server, its credentials and connections */
struct kube_request; /* one call that is under way */

/* How to reach and to convince the server. All texts are copied by kube_new(); the files are read anew for
 * each request. */
struct kube_config {
        const char *server;           /* https://host:port[/prefix], or http:// (kubectl proxy); IPv6 in brackets */
        const char *ca_file;          /* PEM; NULL: the system's */
        const char *token_file;       /* NULL: none */
        const char *client_cert_file; /* PEM; NULL: none */
        const char *client_key_file;  /* PEM; NULL: in the certificate's file */
        const char *user_agent;       /* NAME/VERSION; must not begin with "curl", which makes the server indent */
};

/* Where a pod finds its credentials. */
#define KUBE_SERVICE_ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

/* Fills *ret_server with "https://host:port" made of host and port as in KUBERNETES_SERVICE_HOST and
 * _PORT, an IPv6 address bracketed. The caller frees it. 0, -EINVAL (no such pair), -ENOMEM. */
int kube_server_from_host(const char *host, const char *port, char **ret_server);

/* 0, -EINVAL when the server is no URL of http or https, -ENOMEM. */
int kube_new(struct kube **ret_kube, struct loop *loop, const struct kube_config *config);
struct kube *kube_free(struct kube *kube); /* cancels what is under way; NULL allowed; returns NULL */
void kube_freep(struct kube **kube);

/* What a reply means for the caller: one kind for each way to go on. The table is in kube.c. */
enum kube_outcome {
        KUBE_OK,             /* 2xx with the object; also the end of a watch */
        KUBE_NOT_FOUND,      /* 404 with a Status object: the object, its namespace, or the subresource is missing */
        KUBE_NO_SUCH_API,    /* 404 in plain text: the CRD is missing; may come later */
        KUBE_CONFLICT,       /* 409: stale resourceVersion, or on create: AlreadyExists */
        KUBE_UNAUTHORIZED,   /* 401: token bad or expired (re-read, try again), or the pod is deleted */
        KUBE_FORBIDDEN,      /* 403: RBAC, quota or an admission policy says no */
        KUBE_INVALID,        /* 400, 415, 422: what we sent is wrong; the same again would be too */
        KUBE_TOO_LARGE,      /* 413, or 500 "request is too large": the same again would be too */
        KUBE_BUSY,           /* 429, or 5xx that carries Retry-After: again after retry_after_ms */
        KUBE_SERVER_ERROR,   /* any other 5xx, 2xx without an object (a portal that wants a log-in), and
                                whatever else is not known: again later */
        KUBE_UNREACHABLE,    /* no reply: DNS, connection, TLS, time-out; it may have been done all the same */
};

struct kube_reply {
        enum kube_outcome outcome;
        int status;                 /* HTTP status, 0 when there was none */
        int64_t retry_after_ms;     /* as the server says, -1 when it does not; bounded to an hour */
        struct json_object *body;   /* the JSON that came, NULL when there was none; borrowed for the callback */
        const char *message;        /* one line for people: what went wrong, or a Warning header's text; never NULL */
        const char *reason;         /* reason of the Status object (AlreadyExists, Expired, …), or "" */
};

typedef void (*kube_callback)(void *userdata, const struct kube_reply *reply);

/* One line of a streamed reply, without its newline; borrowed for the call. */
typedef void (*kube_line_callback)(void *userdata, struct slice line);

enum kube_method { KUBE_GET, KUBE_POST, KUBE_PATCH_MERGE };

struct kube_call {
        enum kube_method method;
        const char *path;       /* from kube_path(), with a query where one is needed */
        struct slice body;      /* JSON; copied */
        int64_t timeout_ms;     /* for the whole call; 0: KUBE_TIMEOUT_MS, or none for a watch */
        bool metadata_only;     /* the reply holds the object's metadata alone (some 240 bytes) */
        kube_line_callback on_line; /* NULL, or for a watch: each line of a 2xx reply as it comes; the
                                       reply has no body then, and no time limit but timeout_ms */
};

enum { KUBE_TIMEOUT_MS = 10000 };

/* Starts a call. callback comes exactly once, from the loop, never from in here. The handle is
 * valid until then. 0, -ENOMEM, -EINVAL. ret_request may be NULL. */
int kube_start(struct kube *kube, const struct kube_call *call, kube_callback callback,
               void *userdata, struct kube_request **ret_request);
/* Ends a call without callback. NULL allowed; returns NULL. The server may have done it. */
struct kube_request *kube_request_cancel(struct kube_request *request);

/* "/apis/ml.intel.com/v2/namespaces/NS/results/NAME/status?timeout=5s" and the like: group may be ""
 * (then /api/version), namespace, name and subresource may be NULL. Every part is escaped. The
 * caller frees it. NULL when memory is short. */
char *kube_path(const char *group, const char *version, const char *namespace_name,
                const char *plural, const char *name, const char *subresource, const char *query);

/* The outcome as a word for logs, never NULL. */
const char *kube_outcome_name(enum kube_outcome outcome);
