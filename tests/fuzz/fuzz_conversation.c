/* Any bytes as one client's conversation: no crash, no leak, memory within its bounds; the same comes of them in whatever
 * pieces they come; said again on another connection, nothing that had a number counts again; kept never goes back; nobody
 * who said no hello is told anything but what is wrong and what a ping asks for; and it is over only where framing is lost.
 * The first two bytes choose the pieces, and when what is said is kept, answers are read and a stop is requested. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <agent.pb-c.h>

#include "base/cleanup.h"
#include "protocol/conversation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SEED_BYTES = 2, ANSWERS_BYTES_MAX = 16 * 1024, REJECTED_MAX = 16 };

static void check(bool holds) {
        if (!holds)
                abort();
}

/* --- what comes of a conversation --- */

struct outcome {
        uint64_t sum;      /* of all calls, with all they said */
        uint64_t n_taken, n_rejected, n_dropped;
        struct buffer answers;
        int result;
};

static void mix(struct outcome *outcome, const void *data, size_t size_bytes) {
        for (size_t i = 0; i < size_bytes; i++)
                outcome->sum = (outcome->sum ^ ((const unsigned char *)data)[i]) * UINT64_C(1099511628211);
}

static void mix_number(struct outcome *outcome, double value) {
        mix(outcome, isnan(value) ? &(double){ 0.125 } : &value, sizeof(value));
}

static void take_record(void *userdata, const struct record *record) {
        struct outcome *outcome = userdata;

        outcome->n_taken++;
        check(record->n_metrics <= RECORD_METRICS_MAX && record->rank == SOURCE_SOCKET);
        mix(outcome, &record->line, sizeof(record->line));
        mix_number(outcome, record->epoch);
        mix_number(outcome, record->step);
        mix_number(outcome, record->time_s);
        mix_number(outcome, record->total_epochs);
        mix(outcome, record->output_path.data, record->output_path.size_bytes);
        mix(outcome, record->checkpoint.data, record->checkpoint.size_bytes);
        for (size_t i = 0; i < record->n_metrics; i++) {
                check(record->metrics[i].name.size_bytes > 0);
                mix(outcome, record->metrics[i].name.data, record->metrics[i].name.size_bytes);
                mix_number(outcome, record->metrics[i].value);
        }
}

/* The text of what is no message at all depends on how much of it came at once. */
static void take_reject(void *userdata, const struct reject *reject) {
        struct outcome *outcome = userdata, unused = { 0 };

        outcome->n_rejected++;
        mix(outcome, &reject->line, sizeof(reject->line));
        mix(outcome, reject->expected, strlen(reject->expected));
        mix(&unused, reject->text.data, reject->text.size_bytes);
}

static int take_parameters(void *userdata, const struct parameter *values, size_t n_values) {
        struct outcome *outcome = userdata;

        check(n_values > 0 && n_values <= MESSAGE_METRICS_MAX);
        if (n_values == 3)
                return -E2BIG;
        outcome->n_taken++;
        for (size_t i = 0; i < n_values; i++) {
                mix(outcome, values[i].name.data, values[i].name.size_bytes);
                mix(outcome, &values[i].kind, sizeof(values[i].kind));
                if (values[i].kind == PARAMETER_TEXT)
                        mix(outcome, values[i].text.data, values[i].text.size_bytes);
                mix_number(outcome, values[i].kind == PARAMETER_NUMBER ? values[i].number : values[i].boolean);
        }
        return 0;
}

static void take_end(void *userdata, int exit_status, struct slice message) {
        struct outcome *outcome = userdata;

        outcome->n_taken++;
        mix(outcome, &exit_status, sizeof(exit_status));
        mix(outcome, message.data, message.size_bytes);
}

static void take_dropped(void *userdata, uint64_t n) {
        struct outcome *outcome = userdata;

        check(n > 0);
        outcome->n_dropped += n;
        mix(outcome, &n, sizeof(n));
}

static void take_over(void *userdata, void *connection) {
        (void)userdata;
        (void)connection;
        abort(); /* one is connected at a time */
}

/* --- talking --- */

static uint32_t chance(uint32_t *state) {
        *state = *state * 1664525u + 1013904223u;
        return *state >> 16;
}

static void push(struct outcome *outcome, struct conversation *conversation, struct slice bytes, bool final) {
        /* A copy of its own, so that a read past its end is found. */
        CLEANUP(cleanup_free) char *piece = malloc(bytes.size_bytes + !bytes.size_bytes);

        check(piece);
        if (bytes.size_bytes > 0)
                memcpy(piece, bytes.data, bytes.size_bytes);
        outcome->result = conversation_push(conversation, (struct slice){ piece, bytes.size_bytes }, final);
        check(outcome->result >= 0 && conversation_pending_bytes(conversation) <= MESSAGE_BYTES_MAX + 4);
}

static void read_answers(struct outcome *outcome, struct conversation *conversation) {
        struct slice answers;

        while ((answers = conversation_answers(conversation)).size_bytes > 0) {
                check(answers.size_bytes <= ANSWERS_BYTES_MAX && buffer_append(&outcome->answers, answers.data, answers.size_bytes) == 0);
                conversation_sent(conversation, answers.size_bytes);
        }
}

static void keep(const struct conversation_host *host, struct conversation *conversation) {
        clients_mark_kept(host->clients);
        conversation_kept(conversation);
        check(conversation_unkept_bytes(conversation) == 0);
}

static void let_happen(struct conversation_host *host, struct conversation *conversation, uint32_t what) {
        struct outcome *outcome = host->userdata;

        if (what % 4 <= 1)
                keep(host, conversation);
        if (what % 4 == 1 || what % 4 == 2)
                read_answers(outcome, conversation);
        if (what % 16 == 3) {
                host->stop.is_requested = true;
                conversation_stop(conversation);
        }
}

/* The same happens behind the same bytes, in whatever pieces they come. */
static struct outcome talk(struct conversation_host *host, struct slice bytes, uint32_t seed, bool in_pieces) {
        struct outcome outcome = { .sum = 1, .answers = BUFFER_INIT(1 << 24) };
        const struct record_sink sink = { &outcome, take_record, take_reject, NULL };
        struct conversation *conversation;
        uint32_t events = seed, pieces = seed ^ 0x5bd1e995u;

        host->sink = &sink;
        host->userdata = &outcome;
        host->stop = (struct stop_request){ false, "why", NAN };
        check(conversation_new(&conversation, host, &outcome) == 0);
        while (bytes.size_bytes > 0) {
                size_t n = 1 + chance(&events) % 256;

                for (n = n < bytes.size_bytes ? n : bytes.size_bytes; n > 0;) {
                        size_t piece = in_pieces ? 1 + chance(&pieces) % 32 : n;

                        piece = piece < n ? piece : n;
                        push(&outcome, conversation, (struct slice){ bytes.data, piece }, false);
                        bytes = (struct slice){ bytes.data + piece, bytes.size_bytes - piece };
                        n -= piece;
                }
                let_happen(host, conversation, chance(&events));
        }
        push(&outcome, conversation, (struct slice){ 0 }, true);
        keep(host, conversation);
        read_answers(&outcome, conversation);
        conversation_free(conversation);
        return outcome;
}

static bool is_same(const struct outcome *a, const struct outcome *b) {
        return a->sum == b->sum && a->n_taken == b->n_taken && a->n_rejected == b->n_rejected && a->n_dropped == b->n_dropped &&
               a->result == b->result && slice_equal(buffer_slice(&a->answers), buffer_slice(&b->answers));
}

/* --- what it is answered --- */

struct heard {
        bool is_welcome, is_lost;
        uint64_t kept;
        size_t n_rejected;
};

static void hear_kept(struct heard *heard, uint64_t number) {
        check(number >= heard->kept && (heard->is_welcome || number == 0));
        heard->kept = number;
}

static void hear_welcome(struct heard *heard, uint64_t number) {
        check(!heard->is_welcome);
        heard->is_welcome = true;
        heard->kept = number;
}

static void hear_rejected(struct heard *heard, const char *code, bool is_protobuf) {
        heard->n_rejected++;
        check(!heard->is_lost);
        heard->is_lost = strcmp(code, "wrong-first-byte") == 0 || (is_protobuf && strcmp(code, "message-too-long") == 0);
}

static void hear_line(struct heard *heard, const char *line) {
        const char *kept = strstr(line, "\"kept\":"), *code = strstr(line, "\"code\":\"");
        char word[64] = "";
        uint64_t number = 0;

        if (strncmp(line, "{\"welcome\":{", 12) == 0) {
                hear_welcome(heard, kept && sscanf(kept, "\"kept\":%" SCNu64, &number) == 1 ? number : 0);
        } else if (strncmp(line, "{\"kept\":{", 9) == 0) {
                check(sscanf(line, "{\"kept\":{\"number\":%" SCNu64 "}}", &number) == 1);
                hear_kept(heard, number);
        } else if (strncmp(line, "{\"stop\":{", 9) == 0) {
                check(heard->is_welcome);
        } else {
                check(strncmp(line, "{\"rejected\":{", 13) == 0 && code && sscanf(code, "\"code\":\"%63[a-z0-9-]", word) == 1);
                hear_rejected(heard, word, false);
        }
}

static size_t hear_frame(struct heard *heard, const uint8_t *at, size_t left) {
        size_t size = left >= 4 ? (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3] : SIZE_MAX;
        Experiments__Agent__V1__AgentMessage *message;

        check(size <= left - 4);
        message = experiments__agent__v1__agent_message__unpack(NULL, size, at + 4);
        check(message);
        switch (message->message_case) {
        case EXPERIMENTS__AGENT__V1__AGENT_MESSAGE__MESSAGE_WELCOME: hear_welcome(heard, message->welcome->kept); break;
        case EXPERIMENTS__AGENT__V1__AGENT_MESSAGE__MESSAGE_KEPT: hear_kept(heard, message->kept->number); break;
        case EXPERIMENTS__AGENT__V1__AGENT_MESSAGE__MESSAGE_STOP: check(heard->is_welcome); break;
        case EXPERIMENTS__AGENT__V1__AGENT_MESSAGE__MESSAGE_REJECTED: hear_rejected(heard, message->rejected->code, true); break;
        default: abort();
        }
        experiments__agent__v1__agent_message__free_unpacked(message, NULL);
        return 4 + size;
}

static void check_answers(struct outcome *outcome) {
        const char *text = buffer_string(&outcome->answers), *end = text + outcome->answers.size_bytes;
        struct heard heard = { 0 };
        bool is_protobuf = outcome->answers.size_bytes > 0 && *text == '\0', is_over;

        while (text < end) {
                if (is_protobuf) {
                        text += hear_frame(&heard, (const uint8_t *)text, (size_t)(end - text));
                        continue;
                }
                hear_line(&heard, text);
                text = memchr(text, '\n', (size_t)(end - text));
                check(text);
                text++;
        }
        /* A frame that the end cuts off is malformed, and the last that is heard. */
        is_over = outcome->result == CONVERSATION_IS_OVER;
        check(!heard.is_lost || is_over);
        check(!is_over || heard.is_lost || is_protobuf);
}

/* All numbers up to the last one were counted once, rejected or left out. What ends at another rank is not told. */
static void check_numbers(const struct conversation_host *host, struct slice bytes, const struct outcome *first,
                          const struct outcome *again) {
        uint64_t last = 0, dealt_with = first->n_taken - again->n_taken + first->n_rejected - again->n_rejected + first->n_dropped;
        bool is_rank_one = !memmem(bytes.data, bytes.size_bytes, "rank", 4) && !memchr(bytes.data, '\\', bytes.size_bytes) &&
                           !memchr(bytes.data, '\x28', bytes.size_bytes);

        check(clients_count(host->clients) <= CLIENTS_MAX);
        for (size_t i = 0; i < clients_count(host->clients); i++) {
                const struct client *client = clients_at(host->clients, i);

                check(client->kept == client->last && !client->connection);
                last += client->last;
        }
        check(first->n_taken >= again->n_taken && first->n_rejected >= again->n_rejected && again->n_dropped == 0);
        check(is_rank_one ? dealt_with == last : dealt_with <= last);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct slice bytes = { (const char *)data + (size < SEED_BYTES ? size : SEED_BYTES), size < SEED_BYTES ? 0 : size - SEED_BYTES };
        uint32_t seed = size < SEED_BYTES ? 0 : data[0] | (uint32_t)data[1] << 8;
        struct conversation_host host = { .source = SLICE("agent.sock"), .take_parameters = take_parameters, .take_end = take_end,
                                          .take_dropped = take_dropped, .take_over = take_over, .agent = "1", .job = "job",
                                          .result = "result" };
        static struct decoder *decoder;
        struct outcome outcomes[4];

        if (!decoder)
                check(decoder_new(&decoder) == 0);
        host.decoder = decoder;
        check(clients_new(&host.clients) == 0);
        outcomes[0] = talk(&host, bytes, seed, true);
        clients_free(host.clients);
        check(clients_new(&host.clients) == 0);
        for (size_t i = 1; i < 4; i++)
                outcomes[i] = talk(&host, bytes, seed, false);
        check(is_same(&outcomes[0], &outcomes[1]) && is_same(&outcomes[2], &outcomes[3]));
        check_numbers(&host, bytes, &outcomes[1], &outcomes[2]);
        for (size_t i = 0; i < 4; i++) {
                check_answers(&outcomes[i]);
                buffer_release(&outcomes[i].answers);
        }
        clients_free(host.clients);
        return 0;
}
