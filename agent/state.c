#include "state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/log.h"
#include <state/state.pb-c.h>
#include "store/store.h"
#include "version.h"

enum {
        SAVE_MS = 1000, /* after a change, at the latest */
        SYNC_MS = 1000, /* after it was written, at the latest */
        STATE_FOLD = 4, /* numbers of fields of State, proto/state/state.proto */
        STATE_FILES = 5,
};

struct state {
        struct loop *loop;
        struct loop_timer *save_timer, *sync_timer;
        struct store *store; /* NULL: not to be had yet */
        char *directory;
        bool is_given;
        struct state_parts parts;
        State__State *read;  /* until the files are gone on with; else NULL */
        bool is_restored, is_of_another_pod, is_changed, is_frozen;
        int attempt;         /* of this pod, as it was kept; 0: not known */
        char *uid, *resource_version; /* of the Result, as acknowledged; or NULL */
        int failure;         /* the last one that was logged; 0: all is well */
};

/* --- the directory --- */

static bool is_there_later(const struct state *state, int r) {
        return r == -ENOENT && !state->is_given;
}

static int refuse(const struct state *state, int r) {
        if (r == -EPROTONOSUPPORT)
                log_error("%s: keeps the state of a newer agent, which this one (%s) does not understand: it is left alone; "
                          "use that agent, or another --state", state->directory, EXPERIMENTS_VERSION);
        else if (r == -EBUSY)
                log_error("%s: another agent keeps its state there: two would count everything twice", state->directory);
        else
                log_error("--state %s: expected a directory that can be written to: %s", state->directory, strerror(-r));
        return r;
}

/* Once for each thing that goes wrong, and once when it is over. */
static int note_failure(struct state *state, int r) {
        if (r < 0 && r != state->failure && !is_there_later(state, r))
                log_warning("%s: state cannot be kept: %s; all goes on, but a restart would go on from earlier",
                            state->directory, strerror(-r));
        else if (r == 0 && state->failure < 0 && !is_there_later(state, state->failure))
                log_info("%s: state is kept again", state->directory);
        state->failure = r;
        return r;
}

static int open_store(struct state *state) {
        return state->store ? 0 : store_open(&state->store, state->directory);
}

/* A slot that is no good is no news where it was cut off by a kill; but if the newest was changed by others,
 * somebody should know why counts went back. */
static void say_slots(const struct state *state) {
        const struct store_slot *slots = store_slots(state->store);

        for (size_t i = 0; i < STORE_SLOTS; i++)
                if (slots[i].condition != STORE_SLOT_ABSENT && slots[i].condition != STORE_SLOT_INTACT)
                        log_warning("%s/%s: %s%s%s; the generation before it is used", state->directory, store_slot_name(i),
                                    store_condition_text(slots[i].condition), slots[i].error ? ": " : "",
                                    slots[i].error ? strerror(-slots[i].error) : "");
}

/* --- writing --- */

static int pack(const ProtobufCMessage *message, struct buffer *out) {
        size_t size = protobuf_c_message_get_packed_size(message);
        int r = buffer_reserve(out, size);

        if (r < 0)
                return r;
        out->size_bytes += protobuf_c_message_pack(message, (uint8_t *)out->data + out->size_bytes);
        return 0;
}

/* The fields of a message may stand in any order, so what each part packs is appended to it, and is in memory
 * once. Its length goes before it when it is known, in as many bytes as the longest takes: a varint may have
 * more than it needs (protobuf.dev, "Encoding"). */
enum { LENGTH_BYTES = 4, WIRE_TYPE_LENGTH = 2 };

static int begin_field(struct buffer *out, unsigned number, size_t *ret_start) {
        const char head[1 + LENGTH_BYTES] = { (char)(number << 3 | WIRE_TYPE_LENGTH) };
        int r = buffer_append(out, head, sizeof(head));

        *ret_start = out->size_bytes;
        return r;
}

static void end_field(struct buffer *out, size_t start) {
        size_t size = out->size_bytes - start;

        for (unsigned i = 0; i < LENGTH_BYTES; i++)
                out->data[start - LENGTH_BYTES + i] =
                        (char)((size >> 7 * i & 0x7f) | (i + 1 < LENGTH_BYTES ? 0x80 : 0));
}

/* protobuf-c takes texts and arrays that it only reads as if they were its own. */
static char *text_of(const char *text) {
        union {
                const char *in;
                char *out;
        } cast = { .in = text ? text : "" };

        return cast.out;
}

static uint32_t *array_of(const uint32_t *array) {
        union {
                const uint32_t *in;
                uint32_t *out;
        } cast = { .in = array };

        return cast.out;
}

static int put_file(void *userdata, const struct file_kept *kept, bool is_stray) {
        struct buffer *out = userdata;
        State__File message;
        size_t start;
        int r = begin_field(out, STATE_FILES, &start);

        state__file__init(&message);
        message.path = text_of(kept->path);
        message.source = text_of(kept->source);
        message.device = kept->id.device;
        message.inode = kept->id.inode;
        message.born_ns = kept->id.born_ns;
        message.size_bytes = (uint64_t)kept->size_bytes;
        message.written_ns = kept->written_ns;
        message.offset_bytes = kept->print.offset_bytes;
        message.head_hash = kept->print.head_hash;
        message.tail_hash = kept->print.tail_hash;
        message.records = kept->records;
        message.records_hash = kept->chain;
        message.rejects = kept->rejects;
        message.n_said = kept->n_said;
        message.said = array_of(kept->said);
        message.is_stray = is_stray;
        if (r == 0)
                r = pack(&message.base, out);
        if (r == 0)
                end_field(out, start);
        return r;
}

static int put_fold(const struct fold *fold, struct buffer *out) {
        size_t start;
        int r = begin_field(out, STATE_FOLD, &start);

        if (r == 0)
                r = fold_pack(fold, out);
        if (r == 0)
                end_field(out, start);
        return r;
}

static State__Run run_of(const struct identity *identity) {
        State__Run run;

        state__run__init(&run);
        run.namespace_name = text_of(identity->namespace_name);
        run.job = text_of(identity->job);
        run.job_uid = text_of(identity->job_uid);
        run.pod = text_of(identity->pod);
        run.pod_uid = text_of(identity->pod_uid);
        return run;
}

static State__Facts facts_of(const struct result_facts *facts) {
        State__Facts kept;

        state__facts__init(&kept);
        kept.phase = facts->phase;
        kept.start_us = facts->start_us;
        kept.last_report_us = facts->last_report_us;
        kept.rejected = facts->agent.rejected;
        kept.lost_bytes = facts->agent.lost_bytes;
        kept.attempt = facts->attempt.number;
        kept.restarts = facts->attempt.restarts;
        kept.rejected_before = facts->before.rejected;
        kept.lost_bytes_before = facts->before.lost_bytes;
        kept.before_is_ours = facts->before.is_ours;
        kept.exit_said = (uint32_t)(facts->attempt.exit_said + 1);
        kept.dropped = facts->agent.dropped;
        return kept;
}

static void free_clients(State__State *message) {
        for (size_t i = 0; i < message->n_clients; i++)
                free(message->clients[i]);
        free(message->clients);
}

/* Who said nothing that counted is not worth a place. */
static int put_clients(const struct clients *clients, State__State *message) {
        size_t n = clients_count(clients);

        message->clients = n > 0 ? calloc(n, sizeof(*message->clients)) : NULL;
        if (n > 0 && !message->clients)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                const struct client *client = clients_at(clients, i);
                State__Client *kept = client->last > 0 ? malloc(sizeof(*kept)) : NULL;

                if (!kept && client->last > 0)
                        return -ENOMEM;
                if (!kept)
                        continue;
                state__client__init(kept);
                kept->id = text_of(client->id);
                kept->kept = client->last;
                kept->seen_us = client->seen_us;
                message->clients[message->n_clients++] = kept;
        }
        return 0;
}

static int put_run(struct state *state, struct buffer *out) {
        State__Run run = run_of(state->parts.identity);
        State__Facts facts = facts_of(state->parts.facts);
        State__Published published;
        State__State message;
        int r;

        state__published__init(&published);
        state__state__init(&message);
        message.written_us = loop_wall_us(state->loop);
        message.version = text_of(EXPERIMENTS_VERSION);
        message.run = &run;
        message.facts = &facts;
        published.uid = text_of(state->uid);
        published.resource_version = text_of(state->resource_version);
        message.published = state->uid ? &published : NULL;
        message.parameters = text_of(*state->parts.said_parameters);
        r = put_clients(state->parts.clients, &message);
        if (r == 0)
                r = pack(&message.base, out);
        free_clients(&message);
        return r;
}

static int write_state(struct state *state) {
        CLEANUP(buffer_release) struct buffer out = BUFFER_INIT(STORE_BYTES_MAX);
        int r = put_run(state, &out);

        if (r == 0)
                r = put_fold(state->parts.fold, &out);
        if (r == 0 && state->parts.tail)
                r = tail_each(state->parts.tail, put_file, &out);
        return r == 0 ? store_write(state->store, buffer_slice(&out)) : r;
}

int state_save(struct state *state) {
        int r;

        if (!state->is_changed || !state->parts.tail || state->is_frozen)
                return 0;
        r = open_store(state);
        if (r == 0)
                r = write_state(state);
        state->is_changed = r < 0;
        if (r == 0 && !loop_timer_is_set(state->sync_timer))
                loop_timer_set(state->sync_timer, SYNC_MS);
        if (r < 0 && !is_there_later(state, r))
                loop_timer_set(state->save_timer, SAVE_MS);
        else
                loop_timer_clear(state->save_timer);
        return note_failure(state, r);
}

int state_sync(struct state *state) {
        int r = state_save(state);

        loop_timer_clear(state->sync_timer);
        if (r == 0 && state->store)
                r = note_failure(state, store_sync(state->store));
        if (r < 0 && state->store)
                loop_timer_set(state->sync_timer, SYNC_MS);
        return r;
}

void state_changed(struct state *state) {
        state->is_changed = true;
        if (!loop_timer_is_set(state->save_timer))
                loop_timer_set(state->save_timer, SAVE_MS);
}

void state_freeze(struct state *state) {
        state->is_frozen = true;
}

static void on_save_timer(void *userdata) {
        (void)state_save(userdata);
}

static void on_sync_timer(void *userdata) {
        (void)state_sync(userdata);
}

/* --- reading --- */

static bool is_same_text(const char *a, const char *b) {
        return strcmp(a ? a : "", b ? b : "") == 0;
}

/* A Job of that name, in this namespace. One that was made anew under it is a new attempt of the same. */
static bool is_of_this_run(const struct state *state, const State__Run *run) {
        const struct identity *identity = state->parts.identity;

        if (run && is_same_text(run->job, identity->job) && is_same_text(run->namespace_name, identity->namespace_name))
                return true;
        log_info("%s: keeps the state of Job %s, not of %s: begun anew", state->directory, run ? run->job : "?",
                 identity->job);
        return false;
}

static void take_facts(struct state *state, const State__State *read) {
        struct result_facts *facts = state->parts.facts;
        const State__Facts *kept = read->facts;
        bool is_new_pod = state->parts.identity->pod_uid && read->run->pod_uid[0] &&
                          !is_same_text(state->parts.identity->pod_uid, read->run->pod_uid);

        if (!kept)
                return;
        if (kept->phase == PHASE_PENDING || kept->phase == PHASE_RUNNING)
                facts->phase = (enum phase)kept->phase;
        else if (fold_accepted(state->parts.fold) > 0)
                facts->phase = PHASE_RUNNING;
        facts->start_us = kept->start_us;
        facts->last_report_us = kept->last_report_us;
        facts->agent.rejected = kept->rejected;
        facts->agent.lost_bytes = kept->lost_bytes;
        facts->before.rejected = kept->rejected_before;
        facts->before.lost_bytes = kept->lost_bytes_before;
        facts->before.is_ours = kept->before_is_ours;
        facts->agent.dropped = kept->dropped;
        facts->attempt.exit_said = is_new_pod ? -1 : (int)kept->exit_said - 1;
        state->is_of_another_pod = is_new_pod;
        state->attempt = is_new_pod ? 0 : kept->attempt;
        facts->attempt.restarts = is_new_pod ? -1 : kept->restarts;
        /* Of another pod's attempt the server says which number is next, where there is one. */
        if (kept->attempt > 0 && (!is_new_pod || facts->attempt.number > 0))
                facts->attempt.number = kept->attempt + is_new_pod;
}

static int take_clients(struct state *state, const State__State *read) {
        struct client *client;
        int r = 0;

        for (size_t i = 0; i < read->n_clients && r == 0; i++) {
                r = clients_get(state->parts.clients, slice_from(read->clients[i]->id), &client);
                if (r < 0)
                        break;
                client->last = client->kept = read->clients[i]->kept;
                client->seen_us = read->clients[i]->seen_us;
        }
        return r == -ENOMEM ? r : 0;
}

static int take_state(struct state *state, State__State *read) {
        int r;

        if (!is_of_this_run(state, read->run))
                return 0;
        r = fold_unpack(state->parts.fold, (struct slice){ (const char *)read->fold.data, read->fold.len });
        if (r == -EBADMSG) {
                log_warning("%s: was kept with other rules than the flags have now: files are read anew", state->directory);
                return 0;
        }
        if (r < 0)
                return r;
        take_facts(state, read);
        r = take_clients(state, read);
        if (r == 0)
                r = identity_set(state->parts.said_parameters, read->parameters);
        if (r < 0)
                return r;
        if (read->published)
                state_note_published(state, read->published->uid, read->published->resource_version);
        log_info("%s: going on where the last agent was: %llu records of %zu files", state->directory,
                 (unsigned long long)fold_accepted(state->parts.fold), read->n_files);
        state->is_restored = true;
        return 0;
}

int state_read(struct state *state, const struct state_parts *parts) {
        CLEANUP(buffer_release) struct buffer bytes = BUFFER_INIT(STORE_BYTES_MAX);
        State__State *read = NULL;
        int r;

        state->parts = *parts;
        if (!state->store)
                return 0;
        r = store_read(state->store, &bytes);
        say_slots(state);
        if (r == STORE_NEWER)
                return refuse(state, -EPROTONOSUPPORT);
        if (r != 0)
                return r == STORE_ABSENT || r == -ENOENT ? 0 : refuse(state, r);
        read = state__state__unpack(NULL, bytes.size_bytes, (const uint8_t *)bytes.data);
        if (!read) {
                log_warning("%s: is not as any agent writes it: begun anew", state->directory);
                return 0;
        }
        r = take_state(state, read);
        if (state->is_restored)
                state->read = STEAL(read);
        else
                state__state__free_unpacked(read, NULL);
        return r;
}

static int go_on_with(struct tail *tail, const State__File *file) {
        struct file_kept kept = {
                .path = file->path,
                .source = file->source,
                .id = { file->device, file->inode, file->born_ns },
                .size_bytes = (int64_t)file->size_bytes,
                .written_ns = file->written_ns,
                .print = { file->offset_bytes, file->head_hash, file->tail_hash },
                .records = file->records,
                .chain = file->records_hash,
                .rejects = file->rejects,
                .said = file->said,
                .n_said = file->n_said < SAID_MAX ? file->n_said : SAID_MAX,
        };

        return *kept.path && *kept.source ? tail_go_on(tail, &kept, file->is_stray) : 0;
}

int state_go_on(struct state *state, struct tail *tail) {
        int r = 0;

        state->parts.tail = tail;
        for (size_t i = 0; state->read && i < state->read->n_files && r == 0; i++) {
                ProtobufCBinaryData bytes = state->read->files[i];
                State__File *file = state__file__unpack(NULL, bytes.len, bytes.data);

                if (file)
                        r = go_on_with(tail, file);
                if (file)
                        state__file__free_unpacked(file, NULL);
        }
        if (state->read)
                state__state__free_unpacked(STEAL(state->read), NULL);
        return r;
}

/* --- the state as a whole --- */

static int try_open(struct state *state) {
        int r = open_store(state);

        if (r == -EBUSY || (r < 0 && state->is_given))
                return refuse(state, r);
        (void)note_failure(state, r);
        return 0;
}

int state_new(struct state **ret_state, struct loop *loop, const char *given, const char *dir) {
        struct state *state = calloc(1, sizeof(*state));
        int r;

        if (!state)
                return -ENOMEM;
        state->loop = loop;
        state->is_given = given != NULL;
        if (asprintf(&state->directory, "%s%s", given ? given : dir, given ? "" : "/.agent") < 0)
                state->directory = NULL;
        r = state->directory ? loop_timer_new(&state->save_timer, loop, on_save_timer, state) : -ENOMEM;
        if (r == 0)
                r = loop_timer_new(&state->sync_timer, loop, on_sync_timer, state);
        if (r == 0)
                r = try_open(state);
        if (r < 0) {
                state_free(state);
                return r;
        }
        *ret_state = state;
        return 0;
}

struct state *state_free(struct state *state) {
        if (!state)
                return NULL;
        loop_timer_free(state->save_timer);
        loop_timer_free(state->sync_timer);
        store_free(state->store);
        if (state->read)
                state__state__free_unpacked(state->read, NULL);
        free(state->directory);
        free(state->uid);
        free(state->resource_version);
        free(state);
        return NULL;
}

bool state_is_of_another_pod(const struct state *state) {
        return state->is_of_another_pod;
}

const char *state_result_uid(const struct state *state) {
        return state->uid;
}

void state_note_published(struct state *state, const char *uid, const char *resource_version) {
        (void)identity_set(&state->uid, uid);
        (void)identity_set(&state->resource_version, resource_version);
}

int state_attempt(const struct state *state) {
        return state->attempt;
}

bool state_is_restored(const struct state *state) {
        return state->is_restored;
}

const char *state_directory(const struct state *state) {
        return state->directory;
}
