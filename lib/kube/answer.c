#include "kube/answer.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "kube/json_get.h"
#include "kube/outcome.h"

enum {
        SAID_BYTES_MAX = 512,
        JSON_DEPTH_MAX = 64,
};

void answer_release(struct answer *answer) {
        json_object_put(answer->body);
        buffer_release(&answer->text);
        buffer_release(&answer->message);
}

static struct json_object *parse(struct slice text) {
        struct json_tokener *tokener;
        struct json_object *body;

        if (text.size_bytes == 0)
                return NULL;
        tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
        if (!tokener)
                return NULL;
        body = json_tokener_parse_ex(tokener, text.data, (int)text.size_bytes);
        if (json_tokener_get_error(tokener) != json_tokener_success)
                body = (json_object_put(body), NULL);
        json_tokener_free(tokener);
        return body;
}

/* One line for people, out of a Status object or of whatever text came. */
static void put_message(struct answer *answer, const char *text) {
        const char *said = json_get_text(answer->body, "message", NULL);
        size_t line = strcspn(text, "\r\n");

        buffer_clear(&answer->message);
        if (said)
                (void)buffer_printf(&answer->message, "%.*s (HTTP %d)", SAID_BYTES_MAX, said, answer->status);
        else
                (void)buffer_printf(&answer->message, "HTTP %d: %.*s", answer->status,
                                    (int)(line < SAID_BYTES_MAX ? line : SAID_BYTES_MAX), text);
}

void answer_read(struct answer *answer, struct kube_reply *ret_reply) {
        const char *terminated = buffer_string(&answer->text), *reason;
        struct slice text = buffer_slice(&answer->text);

        answer->body = answer->is_stream ? NULL : parse(text);
        *ret_reply = (struct kube_reply){
                .outcome = answer->is_stream ? KUBE_OK :
                           kube_outcome_of(answer->status, answer->retry_after_ms >= 0, answer->body, text),
                .status = answer->status,
                .retry_after_ms = answer->retry_after_ms,
                .body = answer->body,
                .reason = answer->reason,
        };
        if (ret_reply->outcome != KUBE_OK && terminated)
                put_message(answer, terminated);
        reason = json_get_text(answer->body, "reason", NULL);
        (void)snprintf(answer->reason, sizeof(answer->reason), "%s", reason ? reason : "");
        ret_reply->message = buffer_string(&answer->message);
        if (!ret_reply->message)
                ret_reply->message = "";
}
