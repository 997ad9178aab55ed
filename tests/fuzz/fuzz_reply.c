/* Any bytes as what the API server says: no crash, no leak, no report without a fence, no call while
 * another is under way, and always an end. What stands below the publisher is made here: calls are
 * answered with the next piece of the input, and time goes from timer to timer. The input is a sequence
 * of pieces: a byte for the HTTP status, a byte for Retry-After and what else, a length in two bytes, the
 * body. build/fuzz/tests/fuzz/fuzz_reply CORPUS */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "kube/answer.h"
#include "publish/api.h"
#include "publish/outcome.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --- log --- */

void log_write(enum log_level level, const char *format, ...) {
        char line[4096];
        va_list arguments;

        (void)level;
        va_start(arguments, format);
        (void)vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
}

/* --- time --- */

enum { TIMERS_MAX = 8 };

struct loop_timer {
        int64_t due_ms; /* -1: not set, or free */
        loop_timer_callback callback; /* NULL: free */
        void *userdata;
};

static struct loop_timer timers[TIMERS_MAX];
static int64_t now_ms;

int64_t loop_now_ms(const struct loop *loop) {
        (void)loop;
        return now_ms;
}

int64_t loop_wall_us(const struct loop *loop) {
        (void)loop;
        return now_ms * 1000;
}

int loop_timer_new(struct loop_timer **ret_timer, struct loop *loop, loop_timer_callback callback, void *userdata) {
        struct loop_timer *timer = timers;

        (void)loop;
        while (timer->callback)
                if (++timer == timers + TIMERS_MAX)
                        abort();
        *timer = (struct loop_timer){ -1, callback, userdata };
        *ret_timer = timer;
        return 0;
}

void loop_timer_set(struct loop_timer *timer, int64_t delay_ms) {
        timer->due_ms = now_ms + (delay_ms > 0 ? delay_ms : 0);
}

void loop_timer_clear(struct loop_timer *timer) {
        timer->due_ms = -1;
}

bool loop_timer_is_set(const struct loop_timer *timer) {
        return timer->due_ms >= 0;
}

int64_t loop_timer_left_ms(const struct loop_timer *timer) {
        return timer->due_ms < 0 ? -1 : timer->due_ms > now_ms ? timer->due_ms - now_ms : 0;
}

struct loop_timer *loop_timer_free(struct loop_timer *timer) {
        if (timer)
                *timer = (struct loop_timer){ .due_ms = -1 };
        return NULL;
}

static struct loop_timer *next_timer(void) {
        struct loop_timer *next = NULL;

        for (size_t i = 0; i < TIMERS_MAX; i++)
                if (timers[i].callback && timers[i].due_ms >= 0 && (!next || timers[i].due_ms < next->due_ms))
                        next = &timers[i];
        return next;
}

/* --- calls --- */

enum { CALLS_MAX = 3 }; /* the publisher's, the watch, and the question for the exit code */

struct kube_request {
        kube_callback callback; /* NULL: free */
        kube_line_callback on_line;
        void *userdata;
        unsigned number;
};

static struct kube_request calls[CALLS_MAX];
static unsigned n_calls;

int kube_start(struct kube *kube, const struct kube_call *call, kube_callback callback, void *userdata,
               struct kube_request **ret_request) {
        static const struct slice fence = SLICE("{\"metadata\":{\"resourceVersion\":\"");
        struct kube_request *request = calls;

        (void)kube;
        if (call->method == KUBE_PATCH_MERGE &&
            (!slice_starts_with(call->body, fence) || call->body.data[fence.size_bytes] == '"'))
                abort();
        while (request->callback)
                if (++request == calls + CALLS_MAX)
                        abort();
        *request = (struct kube_request){ callback, call->on_line, userdata, n_calls++ };
        *ret_request = request;
        return 0;
}

struct kube_request *kube_request_cancel(struct kube_request *request) {
        if (request)
                request->callback = NULL;
        return NULL;
}

char *kube_path(const char *group, const char *version, const char *namespace_name, const char *plural,
                const char *name, const char *subresource, const char *query) {
        (void)group, (void)version, (void)namespace_name, (void)plural, (void)name, (void)subresource, (void)query;
        return strdup("/");
}

static struct kube_request *oldest_call(void) {
        struct kube_request *oldest = NULL;

        for (size_t i = 0; i < CALLS_MAX; i++)
                if (calls[i].callback && (!oldest || calls[i].number < oldest->number))
                        oldest = &calls[i];
        return oldest;
}

/* --- what the server says --- */

struct input {
        const uint8_t *at, *end;
};

static unsigned take_byte(struct input *input) {
        return input->at < input->end ? *input->at++ : 0;
}

static void take_text(struct input *input, struct buffer *text) {
        size_t n = take_byte(input);

        n = n << 8 | take_byte(input);
        if (n > (size_t)(input->end - input->at))
                n = (size_t)(input->end - input->at);
        if (buffer_append(text, input->at, n) < 0)
                abort();
        input->at += n;
}

static void give_lines(const struct kube_request *request, struct slice text) {
        const char *newline;

        while (text.size_bytes > 0 && (newline = memchr(text.data, '\n', text.size_bytes))) {
                size_t n = (size_t)(newline - text.data);

                request->on_line(request->userdata, (struct slice){ text.data, n });
                text = (struct slice){ newline + 1, text.size_bytes - n - 1 };
        }
}

static void answer(struct kube_request *request, struct input *input) {
        static const int statuses[] = { 0, 200, 200, 200, 201, 400, 401, 403, 404, 404, 409, 409, 410, 413, 415, 422, 429,
                                        500, 502, 503, 504, 302 };
        CLEANUP(answer_release) struct answer answer = { .text = BUFFER_INIT(1 << 20), .message = BUFFER_INIT(1024) };
        struct kube_request call = *request;
        struct kube_reply reply = { .outcome = KUBE_UNREACHABLE, .retry_after_ms = -1, .message = "cut", .reason = "" };
        unsigned more;

        answer.status = statuses[take_byte(input) % (sizeof(statuses) / sizeof(statuses[0]))];
        more = take_byte(input);
        answer.retry_after_ms = more & 1 ? (int64_t)(more >> 2) * 1000 : -1;
        if (more & 2)
                (void)buffer_append_string(&answer.message, "299 - \"unknown field\"");
        take_text(input, &answer.text);
        answer.is_stream = call.on_line && answer.status >= 200 && answer.status < 300;
        if (answer.is_stream)
                give_lines(&call, buffer_slice(&answer.text));
        if (answer.status > 0)
                answer_read(&answer, &reply);
        request->callback = NULL;
        call.callback(call.userdata, &reply);
}

/* --- who publishes --- */

struct run {
        struct api *api;
        struct outcome *outcome;
        int lines;
        bool is_over, is_known, has_attempt;
};

static int write_patch(void *userdata, struct buffer *out) {
        const struct run *run = userdata;

        return buffer_printf(out, "{\"status\":{\"epoch\":%d}}", run->lines);
}

static int write_manifest(void *userdata, struct buffer *out) {
        (void)userdata;
        return buffer_append_string(out, "{}");
}

static void learned(void *userdata) {
        (void)userdata;
}

/* What comes of it: fuzz_status. */
static void take_earlier(void *userdata, const struct earlier *earlier) {
        struct run *run = userdata;

        if (run->has_attempt || earlier->history.n_rows > FOLD_ROWS_MAX)
                abort();
}

static void attempt(void *userdata, int number) {
        struct run *run = userdata;

        if (number < 1)
                abort();
        run->has_attempt = true;
}

static void stop_requested(void *userdata, const char *reason) {
        struct run *run = userdata;

        run->lines += (int)strlen(reason) & 1;
}

static void finished(void *userdata, int result) {
        struct run *run = userdata;

        if (run->is_over || (result != 0 && result != -ETIMEDOUT))
                abort();
        run->is_over = true;
}

static void take_outcome(void *userdata, enum phase phase, int exit_code, int restarts, const char *reason) {
        struct run *run = userdata;

        (void)restarts;
        if (run->is_known || (phase == PHASE_SUCCEEDED && exit_code != 0) || (reason && !*reason))
                abort();
        run->is_known = true;
}

/* One reply or, where nobody waits for one, one timer. False when nothing can happen any more. */
static bool turn(struct input *input) {
        struct loop_timer *timer = next_timer();
        struct kube_request *call = oldest_call();

        if (call && (input->at < input->end || !timer)) {
                answer(call, input);
                return true;
        }
        if (!timer)
                return false;
        now_ms = timer->due_ms > now_ms ? timer->due_ms : now_ms;
        timer->due_ms = -1;
        timer->callback(timer->userdata);
        return true;
}

/* Lines come until the input is at its end, then the agent has to as well. */
static void live(struct run *run, struct input *input, struct identity *identity) {
        while (input->at < input->end && turn(input)) {
                run->lines++;
                api_changed(run->api);
        }
        if (outcome_new(&run->outcome, NULL, NULL, identity, -1, take_outcome, run) < 0)
                abort();
        while (!run->is_known)
                if (!turn(input))
                        abort();
        api_finish(run->api, 20000);
        while (!run->is_over)
                if (!turn(input))
                        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct run run = { 0 };
        struct input input = { data, data + size };
        CLEANUP(identity_release) struct identity identity = { 0 };
        struct api_config config = {
                .identity = &identity, .interval_min_ms = 1000, .interval_max_ms = 1000,
                .watch = take_byte(&input) & 1,
                .hooks = { &run, write_patch, write_manifest, learned, take_earlier, attempt, stop_requested,
                           finished },
        };

        now_ms = 1;
        n_calls = 0;
        if (identity_set(&identity.namespace_name, "default") < 0 || identity_set(&identity.job, "job") < 0 ||
            identity_set(&identity.pod, "pod") < 0 || identity_set(&identity.pod_uid, "uid-1") < 0 ||
            api_new(&run.api, &config) < 0)
                abort();
        live(&run, &input, &identity);
        api_free(run.api);
        outcome_free(run.outcome);
        return 0;
}
