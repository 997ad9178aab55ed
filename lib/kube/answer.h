/* What came from the server as bytes, read into a reply: apart from how it came. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "kube/kube.h"

enum { ANSWER_REASON_BYTES = 64 };

struct answer {
        int status;
        int64_t retry_after_ms;
        bool is_stream;        /* its lines were given as they came: text is what is left of them */
        struct buffer text;    /* the body as it came */
        struct buffer message; /* what Warning headers said */
        char reason[ANSWER_REASON_BYTES];
        struct json_object *body;
};

void answer_release(struct answer *answer);

/* Fills *ret_reply, which borrows from answer; answer->message becomes the reply's. */
void answer_read(struct answer *answer, struct kube_reply *ret_reply);
