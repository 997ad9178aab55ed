/* The messages of proto/PROTOCOL.md as C structs, whatever their encoding was. Bytes in, messages out: no I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"
#include "result/record.h"

enum {
        MESSAGE_BYTES_MAX = 128 * 1024,     /* of one frame without its length, or one line without its newline */
        MESSAGE_METRICS_MAX = 1024,         /* of a report, and parameters of a message */
        MESSAGE_NAME_BYTES_MAX = 1024,
        MESSAGE_TEXT_BYTES_MAX = 4096,      /* paths, and texts of parameters */
        MESSAGE_END_BYTES_MAX = 1024,       /* why it ended */
        MESSAGE_CLIENT_BYTES_MAX = 64,
        MESSAGE_PROGRAM_BYTES_MAX = 256,
        MESSAGE_RANK_MAX = 65535,
        PROTOCOL_VERSION = 1,
};

#define MESSAGE_NUMBER_MAX ((uint64_t)9007199254740991) /* what every JSON reader has exactly */

enum encoding { ENCODING_JSON, ENCODING_PROTOBUF };

/* --- from a client --- */

enum message_kind {
        MESSAGE_UNKNOWN, /* nothing, or of a later version: to be skipped */
        MESSAGE_HELLO,
        MESSAGE_REPORT,
        MESSAGE_PARAMETERS,
        MESSAGE_END,
        MESSAGE_PING,
        MESSAGE_LINE,    /* in JSON: a line as in a metrics file, for formats/jsonl */
        MESSAGE_NESTED,  /* the same, and its one member is an object: after a hello, a message that is not known */
};

struct hello {
        uint32_t version; /* where it is not PROTOCOL_VERSION, nothing else is set */
        struct slice client, program; /* program: empty where it is not told */
        uint32_t pid, rank;           /* pid 0: not told */
        bool no_kept, no_stop;
};

enum parameter_kind { PARAMETER_NULL, PARAMETER_NUMBER, PARAMETER_TEXT, PARAMETER_BOOLEAN };

struct parameter {
        struct slice name;
        enum parameter_kind kind;
        double number;
        struct slice text;
        bool boolean;
};

/* All is in its range, all text UTF-8. Slices and arrays are borrowed from the bytes and the decoder, until its next
 * call. Of a name that is there twice, only the last is there, at the place of the first. */
struct message {
        enum message_kind kind;
        uint64_t number; /* 0: it has none */
        union {
                struct hello hello;
                struct record report; /* rank SOURCE_SOCKET; the source is not set */
                struct {
                        const struct parameter *values;
                        size_t n_values;
                } parameters;
                struct {
                        int exit_status;
                        struct slice message;
                } end;
        };
};

/* --- to a client --- */

enum answer_kind { ANSWER_WELCOME, ANSWER_KEPT, ANSWER_STOP, ANSWER_REJECTED };

struct stop_request {
        bool is_requested;
        const char *reason; /* well-formed UTF-8 */
        double deadline_s;  /* since 1970; NAN: no time is set */
};

/* Why a message was not taken. The codes are those of proto/PROTOCOL.md, "Errors". */
enum { FAULT_BYTES_MAX = 255 };

struct fault {
        uint64_t number;  /* of the message; 0: it had none, or it could not be read */
        const char *code; /* static */
        char message[FAULT_BYTES_MAX + 1]; /* names the field and what was expected; well-formed, no control characters */
};

void fault_set(struct fault *fault, uint64_t number, const char *code, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

struct answer {
        enum answer_kind kind;
        uint64_t number; /* of kept and rejected; of welcome: what is kept */
        union {
                struct {
                        const char *agent, *job, *result;
                        struct stop_request stop;
                } welcome;
                struct stop_request stop;
                const struct fault *fault;
        };
};

/* Appends it as a line or a frame. 0, -ENOBUFS, -ENOMEM: then nothing was appended. */
int answer_put(struct buffer *out, enum encoding encoding, const struct answer *answer);

/* --- decoding --- */

/* What one message needs while it is looked at; one for all connections. */
struct decoder;

int decoder_new(struct decoder **ret_decoder); /* 0 or -ENOMEM */
struct decoder *decoder_free(struct decoder *decoder); /* NULL allowed; returns NULL */
void decoder_freep(struct decoder **decoder);

enum decoding { DECODING_DONE = 0, DECODING_REJECTED = 1 };

/* One line without its newline, trimmed, not empty; or one frame without its length, which may be empty.
 * DECODING_DONE, DECODING_REJECTED (then ret_fault says why), or -ENOMEM. */
int decoder_take(struct decoder *decoder, enum encoding encoding, struct slice bytes, struct message *ret_message,
                 struct fault *ret_fault);

/* --- datagrams --- */

/* Takes one datagram of the datagram socket: hands what it says to the sink, with rank SOURCE_SOCKET and the source
 * given; what is no line of any kind as a reject. 0 or -ENOMEM. */
int datagram_take(struct slice bytes, struct slice source, const struct record_sink *sink);
