"""Failures in the words of the real API server (kube-apiserver 1.36), and of what may stand before it."""

import json

from .proxy import Reply

JSON = {"Content-Type": "application/json"}
TEXT = {"Content-Type": "text/plain; charset=utf-8"}

RESULT = {"group": "ml.intel.com", "kind": "results"}


def status(code, reason, message, details=None, headers=None):
    """A Status object, as almost every failure comes."""
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
            "reason": reason, "details": details or {}, "code": code}
    return Reply(code, {**JSON, **(headers or {})}, json.dumps(body))


def unauthorized(name):
    return status(401, "Unauthorized", "Unauthorized")


def forbidden(name):
    return status(403, "Forbidden", f'results.ml.intel.com "{name}" is forbidden: User '
                  '"system:serviceaccount:default:experiments-agent" cannot patch resource "results/status" '
                  'in API group "ml.intel.com" in the namespace "default"', {"name": name, **RESULT})


def quota(name):
    return status(403, "Forbidden", f'results.ml.intel.com "{name}" is forbidden: exceeded quota: runs, requested: '
                  'count/results.ml.intel.com=1, used: count/results.ml.intel.com=10, limited: '
                  'count/results.ml.intel.com=10', {"name": name, **RESULT})


def not_found(name):
    return status(404, "NotFound", f'results.ml.intel.com "{name}" not found', {"name": name, **RESULT})


def no_such_api(name):
    return Reply(404, TEXT, "404 page not found\n")


def conflict(name):
    return status(409, "Conflict", f'Operation cannot be fulfilled on results.ml.intel.com "{name}": the object has '
                  'been modified; please apply your changes to the latest version and try again', {"name": name, **RESULT})


def quota_conflict(name):
    """On a create, when two of them count against one quota at once."""
    return status(409, "Conflict", 'Operation cannot be fulfilled on resourcequotas "runs": the object has been '
                  'modified; please apply your changes to the latest version and try again',
                  {"name": "runs", "kind": "resourcequotas"})


def already_exists(name):
    return status(409, "AlreadyExists", f'results.ml.intel.com "{name}" already exists', {"name": name, **RESULT})


def gone(name):
    return status(410, "Expired", "The provided continue parameter is too old to display a consistent list result.")


def too_large(name):
    return status(413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728")


def media_type(name):
    return status(415, "UnsupportedMediaType",
                  "the body of the request was in an unknown format - accepted media types include: "
                  "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml")


def invalid(name):
    field = "status.summary"
    return status(422, "Invalid", f'Result.ml.intel.com "{name}" is invalid: {field}: Too long: may not be more than '
                  '256 bytes', {"name": name, **RESULT, "causes": [
                      {"reason": "FieldValueTooLong", "message": "Too long: may not be more than 256 bytes",
                       "field": field}]})


def busy(name, retry_after=1):
    """API priority and fairness: plain text."""
    return Reply(429, {**TEXT, "Retry-After": str(retry_after)}, "Too many requests, please try again later.")


def busy_for_no_known_time(name):
    return Reply(429, TEXT, "Too many requests, please try again later.")


def storage_is_initializing(name):
    return status(429, "TooManyRequests", "storage is (re)initializing", {"retryAfterSeconds": 1}, {"Retry-After": "1"})


def webhook_failed(name):
    why = 'failed calling webhook "policy.example.com": failed to call webhook: Post "https://policy.default.svc:443/": EOF'
    return status(500, "InternalError", "Internal error occurred: " + why, {"causes": [{"message": why}]})


def etcd_timed_out(name):
    return status(500, "", "etcdserver: request timed out")


def bad_gateway(name):
    return Reply(502, {"Content-Type": "text/html"}, "<html><body><h1>502 Bad Gateway</h1></body></html>\r\n")


def unavailable(name, retry_after=5):
    """While the API's paths are not installed yet."""
    return status(503, "ServiceUnavailable", "the server is currently unable to handle the request", None,
                  {"Retry-After": str(retry_after)})


def no_endpoints(name):
    """A load balancer without a server behind it."""
    return Reply(503, TEXT, "no healthy upstream")


def timed_out(name):
    return status(504, "Timeout", "Timeout: request did not complete within the allotted timeout",
                  {"causes": []})


def gateway_timed_out(name):
    return Reply(504, {"Content-Type": "text/html"}, "<html><body>504 Gateway Time-out</body></html>\r\n")


def log_in_first(name):
    """A portal that answers for everybody: success, as far as the number goes."""
    return Reply(200, {"Content-Type": "text/html"}, "<html><body>Please log in.</body></html>\r\n")


def nothing(name):
    return Reply(200, {}, "")


def something_else(name):
    return Reply(200, JSON, '{"status":"ok"}')


def moved(name):
    return Reply(302, {"Location": "https://127.0.0.1:1/"}, "")


# What passes by itself, whoever says it: nothing may come of it but another try.
PASSING = (unauthorized, busy, busy_for_no_known_time, storage_is_initializing, webhook_failed, etcd_timed_out,
           bad_gateway, unavailable, no_endpoints, timed_out, gateway_timed_out, log_in_first, nothing, something_else,
           moved)

# What a server that is in its right mind would go on saying, by the kind of request it says it to.
LASTING = {
    "look": (forbidden, not_found, no_such_api, conflict, gone, invalid),
    "create": (forbidden, quota, not_found, no_such_api, quota_conflict, already_exists, gone, too_large, invalid),
    "report": (forbidden, not_found, no_such_api, conflict, gone, too_large, media_type, invalid),
}
