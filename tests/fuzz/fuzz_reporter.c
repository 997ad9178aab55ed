/* Any bytes as what an agent says to the C reporter, in pieces of any length: no crash, no read past them, and texts that are
 * complete. And any eight bytes as a double that it says: what is written is read as the same double.
 * build/fuzz/tests/fuzz/fuzz_reporter CORPUS */
#include "experiments.c"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int is_right) {
        if (!is_right)
                abort();
}

/* As hear() does, with a piece for each recv(). */
static void push(struct exp_reporter *reporter, const uint8_t *data, size_t size) {
        while (size > 0) {
                size_t room = sizeof(reporter->heard) - reporter->heard_bytes, n = size < room ? size : room;

                memcpy(reporter->heard + reporter->heard_bytes, data, n);
                reporter->heard_bytes += n;
                hear_lines(reporter);
                data += n;
                size -= n;
        }
}

static void say_double(const uint8_t *data) {
        char text[64];
        struct writer writer = { text, 0, sizeof(text) - 1, 0 };
        double value;

        memcpy(&value, data, sizeof(value));
        put_double(&writer, value);
        check(!writer.full);
        text[writer.n] = '\0';
        if (isfinite(value))
                check(strtod(text, NULL) == value);
        else
                check(text[0] == '"' && text[writer.n - 1] == '"');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static struct exp_reporter *reporter;
        const struct exp_options options = { .socket = "/nowhere", .program = "fuzz", .quiet = 1 };
        size_t piece, at = 1;

        if (size == 0)
                return 0;
        if (!reporter)
                reporter = exp_reporter_new(&options);
        check(reporter != NULL);
        reporter->stopping = 0;
        reporter->kept = 0;
        disconnect(reporter);
        for (piece = (size_t)data[0] + 1; at + piece < size; at += piece)
                push(reporter, data + at, piece);
        push(reporter, data + at, size - at);
        if (stop_reason(reporter))
                check(strlen(stop_reason(reporter)) < REASON_BYTES);
        check(strlen(reporter->reject_reason) < REASON_BYTES && reporter->kept <= (uint64_t)NUMBER_MAX);
        for (at = 0; at + sizeof(double) <= size && at < 64; at += sizeof(double))
                say_double(data + at);
        return 0;
}
