/* A message that is put together, field by field, whatever its encoding: the ranges are checked here, once. */
#pragma once

#include <stdbool.h>

#include "protocol/message.h"

enum field {
        FIELD_NUMBER,
        FIELD_VERSION, FIELD_CLIENT, FIELD_PROGRAM, FIELD_PID, FIELD_RANK,
        FIELD_EPOCH, FIELD_STEP, FIELD_TIME, FIELD_TOTAL_EPOCHS, FIELD_OUTPUT_PATH, FIELD_CHECKPOINT,
        FIELD_EXIT_STATUS, FIELD_END_MESSAGE,
};

/* Where a name of the list is that is filled. */
struct place {
        uint16_t turn, i;
};

struct decoder {
        struct metric *metrics;       /* MESSAGE_METRICS_MAX of them; owned */
        struct parameter *parameters; /* the same; owned; NULL: none came yet */
        size_t n;                     /* of the one that is filled */
        struct place *places;         /* by the hash of a name; owned */
        uint16_t turn;                /* places of earlier ones are free */
        uint32_t hash_start;
        struct buffer texts;          /* decoded; never moved while a message is put together */
        /* Of the message that is under way. */
        struct message *message;
        struct fault *fault;
        bool has_fault;
};

/* A message of that kind begins, all absent. texts_bytes: more than all its texts have. 0 or -ENOMEM. */
int decoder_start(struct decoder *decoder, enum message_kind kind, size_t texts_bytes, struct message *message,
                struct fault *fault);
/* The list of metrics, or parameters, begins anew: of a field that is there twice, the last counts. */
void decoder_clear_names(struct decoder *decoder);
/* Each sets one field, or has the message rejected: then false, also when it was before. */
bool decoder_set_number(struct decoder *decoder, enum field field, double value);
bool decoder_set_text(struct decoder *decoder, enum field field, struct slice text);
bool decoder_add_metric(struct decoder *decoder, struct slice name, double value);
bool decoder_add_parameter(struct decoder *decoder, const struct parameter *parameter);
/* field: as people know it ("report.epoch"). Returns false. */
bool decoder_reject(struct decoder *decoder, const char *code, const char *field, const char *expected);

/* One for each encoding: 0, or -ENOMEM; what is wrong has the message rejected. */
int json_message_take(struct decoder *decoder, struct slice line, struct message *message, struct fault *fault);
int protobuf_message_take(struct decoder *decoder, struct slice frame, struct message *message, struct fault *fault);
