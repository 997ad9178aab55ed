#include "state_command.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <state/state.pb-c.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/json_put.h"
#include "print_fold.h"
#include "result/fold.h"
#include "result/result.h"
#include "store/store.h"

#define PROGRAM "experiments-agent state"

enum {
        OUTPUT_BYTES_MAX = 64 * 1024 * 1024,
        EXIT_NOTHING_KEPT = 1,
        EXIT_WRONG_USE = 2,
        GO_ON = -1,
};

/* What is kept, as far as it is understood. */
struct kept {
        char *directory;
        struct store_slot slots[STORE_SLOTS];
        size_t newest; /* of the intact ones; STORE_SLOTS: none */
        State__State *state;
        State__File **files; /* as many as state has; NULL: not as an agent writes it */
        struct fold *fold;
};

static void kept_release(struct kept *kept) {
        for (size_t i = 0; kept->files && i < kept->state->n_files; i++)
                if (kept->files[i])
                        state__file__free_unpacked(kept->files[i], NULL);
        free(kept->files);
        if (kept->state)
                state__state__free_unpacked(kept->state, NULL);
        fold_free(kept->fold);
        free(kept->directory);
}

/* --- reading --- */

static bool has_slots(const struct store_slot slots[static STORE_SLOTS]) {
        for (size_t i = 0; i < STORE_SLOTS; i++)
                if (slots[i].condition != STORE_SLOT_ABSENT)
                        return true;
        return false;
}

/* The state's own directory, or the one that is followed, which has it inside. */
static int find_slots(struct kept *kept, const char *path) {
        char *inside;
        int r;

        kept->directory = strdup(path);
        if (!kept->directory)
                return -ENOMEM;
        r = store_list(path, kept->slots);
        if (r < 0 || has_slots(kept->slots))
                return r;
        if (asprintf(&inside, "%s/.agent", path) < 0)
                return -ENOMEM;
        if (store_list(inside, kept->slots) < 0) {
                memset(kept->slots, 0, sizeof(kept->slots));
                free(inside);
                return 0;
        }
        free(kept->directory);
        kept->directory = inside;
        return 0;
}

static size_t find_newest(const struct kept *kept, enum store_condition condition) {
        size_t newest = STORE_SLOTS;

        for (size_t i = 0; i < STORE_SLOTS; i++)
                if (kept->slots[i].condition == condition &&
                    (newest == STORE_SLOTS || kept->slots[i].generation > kept->slots[newest].generation))
                        newest = i;
        return newest;
}

/* Whatever its axis was fixed to. */
static int unpack_fold(struct kept *kept) {
        struct slice bytes = { (const char *)kept->state->fold.data, kept->state->fold.len };
        struct fold_config config = { .metrics_max = FOLD_METRICS_MAX };
        int r = -EBADMSG;

        for (config.axis = AXIS_ROW; config.axis <= AXIS_AUTO && r == -EBADMSG; config.axis++) {
                kept->fold = fold_free(kept->fold);
                r = fold_new(&kept->fold, &config);
                if (r == 0)
                        r = fold_unpack(kept->fold, bytes);
        }
        return r;
}

static int unpack_files(struct kept *kept) {
        kept->files = calloc(kept->state->n_files + 1, sizeof(State__File *));
        if (!kept->files)
                return -ENOMEM;
        for (size_t i = 0; i < kept->state->n_files; i++) {
                kept->files[i] = state__file__unpack(NULL, kept->state->files[i].len, kept->state->files[i].data);
                if (!kept->files[i])
                        return -EBADMSG;
        }
        return 0;
}

/* The newest generation. 0, -EBADMSG: it is intact, but not as an agent writes it; -ENOMEM. */
static int unpack(struct kept *kept) {
        CLEANUP(buffer_release) struct buffer bytes = BUFFER_INIT(STORE_BYTES_MAX);
        int r = store_load(kept->directory, kept->newest, &bytes);

        if (r < 0)
                return r;
        kept->state = state__state__unpack(NULL, bytes.size_bytes, (const uint8_t *)bytes.data);
        if (!kept->state)
                return -EBADMSG;
        r = unpack_files(kept);
        return r == 0 ? unpack_fold(kept) : r;
}

/* --- for people --- */

static void print_instant(int64_t unix_us) {
        char text[INSTANT_TEXT_BYTES] = "-";

        if (unix_us > 0)
                instant_format(unix_us, text);
        fputs(text, stdout);
}

static void print_slot(const struct kept *kept, size_t i) {
        const struct store_slot *slot = &kept->slots[i];

        printf("  %s  ", store_slot_name(i));
        if (slot->condition != STORE_SLOT_ABSENT)
                print_instant(slot->written_us);
        if (slot->generation > 0)
                printf("  generation %llu, %llu bytes, version %u.%u", (unsigned long long)slot->generation,
                       (unsigned long long)slot->size_bytes, (unsigned)slot->major, (unsigned)slot->minor);
        printf("%s%s", slot->condition == STORE_SLOT_ABSENT ? "" : ": ", store_condition_text(slot->condition));
        if (slot->error < 0)
                printf(": %s", strerror(-slot->error));
        puts(i == kept->newest ? ", the newest" : slot->is_suspect ? ", but to sync it has failed" : "");
}

static void print_text(const char *before, const char *text) {
        if (!text || !*text)
                return;
        fputs(before, stdout);
        print_clean(slice_from(text));
}

static const char *phase_text(int phase) {
        return phase >= PHASE_PENDING && phase <= PHASE_INTERRUPTED ? phase_name((enum phase)phase) : "?";
}

static void print_run(const State__State *state) {
        printf("written    ");
        print_instant(state->written_us);
        print_text(" by experiments-agent ", state->version);
        if (state->run) {
                print_text("\njob        ", state->run->job);
                print_text(" in namespace ", state->run->namespace_name);
                print_text(", uid ", state->run->job_uid);
                print_text("\npod        ", state->run->pod);
                print_text(", uid ", state->run->pod_uid);
        }
        if (state->published) {
                print_text("\nserver     has acknowledged resourceVersion ", state->published->resource_version);
                print_text(" of the Result with uid ", state->published->uid);
        }
        putchar('\n');
}

static void print_facts(const State__Facts *facts) {
        if (!facts)
                return;
        printf("phase      %s, start ", phase_text(facts->phase));
        print_instant(facts->start_us);
        printf(", last report ");
        print_instant(facts->last_report_us);
        printf("\ncounts     %llu rejected, %llu bytes lost", (unsigned long long)facts->rejected,
               (unsigned long long)facts->lost_bytes);
        if (facts->attempt > 0)
                printf(", attempt %d", (int)facts->attempt);
        if (facts->restarts >= 0)
                printf(", %d restarts of the trainer", (int)facts->restarts);
        putchar('\n');
}

static void print_file(const State__File *file) {
        printf("  ");
        print_clean(slice_from(file->path));
        printf(": read to %llu of %lld bytes, %llu records, %llu rejected%s", (unsigned long long)file->offset_bytes,
               (long long)file->size_bytes, (unsigned long long)file->records, (unsigned long long)file->rejects,
               file->is_stray ? ", renamed or replaced since" : "");
        if (strcmp(file->source, file->path) != 0)
                print_text(", was ", file->source);
        putchar('\n');
}

static void print_clients(const State__State *state) {
        if (state->n_clients == 0)
                return;
        printf("clients of the socket: %zu\n", state->n_clients);
        for (size_t i = 0; i < state->n_clients; i++) {
                const State__Client *client = state->clients[i];

                printf("  ");
                print_clean(slice_from(client->id));
                printf(": kept up to %llu, seen ", (unsigned long long)client->kept);
                print_instant(client->seen_us);
                putchar('\n');
        }
}

static void print_kept(const struct kept *kept) {
        const State__State *state = kept->state;

        print_run(state);
        print_facts(state->facts);
        printf("files      %zu\n", state->n_files);
        for (size_t i = 0; i < state->n_files; i++)
                print_file(kept->files[i]);
        print_clients(state);
        printf("fold       %llu records\n", (unsigned long long)fold_accepted(kept->fold));
        if (fold_n_rows(kept->fold) > 0)
                print_fold(kept->fold, "");
}

/* --- as JSON --- */

static void put_text(struct json_writer *json, const char *key, const char *text) {
        if (!text || !*text)
                return;
        json_put_key(json, key);
        json_put_string(json, text);
}

static void put_integer(struct json_writer *json, const char *key, int64_t value) {
        json_put_key(json, key);
        json_put_integer(json, value);
}

static void put_number(struct json_writer *json, const char *key, double value) {
        json_put_key(json, key);
        json_put_number(json, value, 17);
}

static void put_instant(struct json_writer *json, const char *key, int64_t unix_us) {
        char text[INSTANT_TEXT_BYTES];

        if (unix_us <= 0)
                return;
        instant_format(unix_us, text);
        put_text(json, key, text);
}

static void put_slot(struct json_writer *json, const struct kept *kept, size_t i) {
        static const char *const words[] = {
                [STORE_SLOT_ABSENT] = "Absent", [STORE_SLOT_INTACT] = "Intact", [STORE_SLOT_NEWER] = "Newer",
                [STORE_SLOT_UNREADABLE] = "Unreadable", [STORE_SLOT_NO_FILE] = "NoFile", [STORE_SLOT_EMPTY] = "Empty",
                [STORE_SLOT_FOREIGN] = "Foreign", [STORE_SLOT_TORN] = "Torn", [STORE_SLOT_CHANGED] = "Changed",
        };
        const struct store_slot *slot = &kept->slots[i];
        char version[16];

        json_put_open(json, '{');
        put_text(json, "file", store_slot_name(i));
        put_text(json, "condition", words[slot->condition]);
        put_text(json, "message", slot->error < 0 ? strerror(-slot->error) : store_condition_text(slot->condition));
        put_instant(json, "written", slot->written_us);
        if (slot->generation > 0) {
                (void)snprintf(version, sizeof(version), "%u.%u", (unsigned)slot->major, (unsigned)slot->minor);
                put_integer(json, "generation", (int64_t)slot->generation);
                put_integer(json, "durable", (int64_t)slot->durable);
                put_integer(json, "bytes", (int64_t)slot->size_bytes);
                put_text(json, "version", version);
                json_put_key(json, "suspect");
                json_put_bool(json, slot->is_suspect);
        }
        json_put_close(json, '}');
}

static void put_run(struct json_writer *json, const State__State *state) {
        put_instant(json, "written", state->written_us);
        put_text(json, "version", state->version);
        if (state->run) {
                json_put_key(json, "run");
                json_put_open(json, '{');
                put_text(json, "namespace", state->run->namespace_name);
                put_text(json, "job", state->run->job);
                put_text(json, "jobUID", state->run->job_uid);
                put_text(json, "pod", state->run->pod);
                put_text(json, "podUID", state->run->pod_uid);
                json_put_close(json, '}');
        }
        if (state->published) {
                json_put_key(json, "published");
                json_put_open(json, '{');
                put_text(json, "uid", state->published->uid);
                put_text(json, "resourceVersion", state->published->resource_version);
                json_put_close(json, '}');
        }
}

static void put_facts(struct json_writer *json, const State__Facts *facts) {
        if (!facts)
                return;
        json_put_key(json, "facts");
        json_put_open(json, '{');
        put_text(json, "phase", phase_text(facts->phase));
        put_instant(json, "start", facts->start_us);
        put_instant(json, "lastReport", facts->last_report_us);
        put_integer(json, "rejected", (int64_t)facts->rejected);
        put_integer(json, "lostBytes", (int64_t)facts->lost_bytes);
        if (facts->attempt > 0)
                put_integer(json, "attempt", facts->attempt);
        if (facts->restarts >= 0)
                put_integer(json, "restarts", facts->restarts);
        json_put_close(json, '}');
}

static void put_file(struct json_writer *json, const State__File *file) {
        json_put_open(json, '{');
        put_text(json, "path", file->path);
        put_text(json, "source", file->source);
        put_integer(json, "device", (int64_t)file->device);
        put_integer(json, "inode", (int64_t)file->inode);
        put_instant(json, "born", file->born_ns / 1000);
        put_instant(json, "modified", file->written_ns / 1000);
        put_integer(json, "size", file->size_bytes);
        put_integer(json, "offset", (int64_t)file->offset_bytes);
        put_integer(json, "records", (int64_t)file->records);
        put_integer(json, "rejected", (int64_t)file->rejects);
        json_put_key(json, "stray");
        json_put_bool(json, file->is_stray);
        json_put_close(json, '}');
}

static void put_client(struct json_writer *json, const State__Client *client) {
        json_put_open(json, '{');
        put_text(json, "id", client->id);
        put_integer(json, "kept", (int64_t)client->kept);
        put_instant(json, "seen", client->seen_us);
        json_put_close(json, '}');
}

static void put_column(struct json_writer *json, const struct column *column) {
        json_put_open(json, '{');
        put_text(json, "name", column->name);
        put_number(json, "latest", column->latest);
        put_number(json, "min", column->min);
        put_number(json, "max", column->max);
        put_integer(json, "nonFinite", (int64_t)column->non_finite);
        put_text(json, "source", column->source);
        json_put_close(json, '}');
}

static void put_fold(struct json_writer *json, const struct fold *fold) {
        json_put_key(json, "fold");
        json_put_open(json, '{');
        put_text(json, "axis", axis_name(fold_axis(fold)));
        put_integer(json, "accepted", (int64_t)fold_accepted(fold));
        put_integer(json, "rows", (int64_t)fold_n_rows(fold));
        put_number(json, "epoch", fold_epoch(fold));
        put_number(json, "step", fold_step(fold));
        put_integer(json, "leftOut", (int64_t)fold_n_left_out(fold));
        json_put_key(json, "metrics");
        json_put_open(json, '[');
        for (size_t i = 0; i < fold_n_columns(fold); i++) {
                struct column column = fold_column(fold, i);

                put_column(json, &column);
        }
        json_put_close(json, ']');
        json_put_close(json, '}');
}

static void put_state(struct json_writer *json, const struct kept *kept) {
        json_put_key(json, "state");
        json_put_open(json, '{');
        put_run(json, kept->state);
        put_facts(json, kept->state->facts);
        json_put_key(json, "files");
        json_put_open(json, '[');
        for (size_t i = 0; i < kept->state->n_files; i++)
                put_file(json, kept->files[i]);
        json_put_close(json, ']');
        json_put_key(json, "clients");
        json_put_open(json, '[');
        for (size_t i = 0; i < kept->state->n_clients; i++)
                put_client(json, kept->state->clients[i]);
        json_put_close(json, ']');
        put_fold(json, kept->fold);
        json_put_close(json, '}');
}

static int print_json(const struct kept *kept, bool has_state) {
        CLEANUP(buffer_release) struct buffer output = BUFFER_INIT(OUTPUT_BYTES_MAX);
        struct json_writer json = JSON_WRITER_INIT(&output);

        json_put_open(&json, '{');
        put_text(&json, "directory", kept->directory);
        json_put_key(&json, "generations");
        json_put_open(&json, '[');
        for (size_t i = 0; i < STORE_SLOTS; i++)
                put_slot(&json, kept, i);
        json_put_close(&json, ']');
        if (has_state)
                put_state(&json, kept);
        json_put_close(&json, '}');
        if (json.error == 0)
                printf("%.*s\n", (int)output.size_bytes, output.data);
        return json.error;
}

/* --- the command --- */

static int say(const char *path, const char *what) {
        fprintf(stderr, PROGRAM ": %s: %s\n", path, what);
        return EXIT_NOTHING_KEPT;
}

static int say_newer(const struct kept *kept, size_t newer) {
        const struct store_slot *slot = &kept->slots[newer];

        fprintf(stderr, PROGRAM ": %s/%s: is of version %u.%u, and this program reads %d.x: use the agent that wrote it\n",
                kept->directory, store_slot_name(newer), (unsigned)slot->major, (unsigned)slot->minor, STORE_MAJOR);
        return EXIT_NOTHING_KEPT;
}

/* Why there is nothing to show, on standard error. */
static int say_why(const struct kept *kept, int error) {
        size_t newer = find_newest(kept, STORE_SLOT_NEWER);

        if (newer < STORE_SLOTS)
                return say_newer(kept, newer);
        if (kept->newest == STORE_SLOTS)
                return say(kept->directory, has_slots(kept->slots) ? "no generation is intact" : "no state is kept here");
        if (error == -EBADMSG)
                return say(kept->directory, "is intact, but not as an agent writes it");
        return say(kept->directory, strerror(-error));
}

static int show(const char *path, bool is_json) {
        CLEANUP(kept_release) struct kept kept = { 0 };
        bool has_state;
        int r = find_slots(&kept, path);

        if (r < 0)
                return say(path, strerror(-r));
        kept.newest = find_newest(&kept, STORE_SLOT_INTACT);
        has_state = kept.newest < STORE_SLOTS && find_newest(&kept, STORE_SLOT_NEWER) == STORE_SLOTS;
        if (has_state)
                r = unpack(&kept);
        has_state = has_state && r == 0;
        if (is_json && print_json(&kept, has_state) < 0)
                return say(path, "is too large to be shown");
        if (!is_json) {
                printf("%s\n", kept.directory);
                for (size_t i = 0; i < STORE_SLOTS; i++)
                        print_slot(&kept, i);
        }
        if (!is_json && has_state)
                print_kept(&kept);
        return has_state ? 0 : say_why(&kept, r);
}

static int wrong_use(const char *what, const char *expected) {
        fprintf(stderr, PROGRAM ": %s: expected %s (see --help)\n", what, expected);
        return EXIT_WRONG_USE;
}

static int print_help(void) {
        printf("Usage: " PROGRAM " [--output FORMAT] DIR\n"
               "\n"
               "Shows what an agent has kept of its run, and would go on from: DIR is what its --state was, or the\n"
               "directory that it followed. It may be running.\n"
               "\n"
               "  -o, --output FORMAT   text or json (default text)\n"
               "  -h, --help            print this and exit\n"
               "\n"
               "Exit status: 0; 1 when nothing intact is kept there, or a newer version wrote it; 2 for wrong use.\n");
        return 0;
}

/* GO_ON, or the exit status to end with. */
static int take_flags(int n_arguments, char **arguments, bool *ret_is_json) {
        static const struct option options[] = { { "output", required_argument, NULL, 'o' }, { "help", no_argument, NULL, 'h' }, { 0 } };
        int found;

        opterr = 0;
        optind = 0;
        while ((found = getopt_long(n_arguments, arguments, ":ho:", options, NULL)) != -1) {
                if (found == 'h')
                        return print_help();
                if (found != 'o')
                        return wrong_use(arguments[optind - 1], found == ':' ? "an argument" : "a flag that there is");
                *ret_is_json = strcasecmp(optarg, "json") == 0;
                if (!*ret_is_json && strcasecmp(optarg, "text") != 0)
                        return wrong_use("--output", "text or json");
        }
        return optind + 1 == n_arguments ? GO_ON : wrong_use(optind < n_arguments ? arguments[optind + 1] : "no directory", "one DIR");
}

int state_command(int n_arguments, char **arguments) {
        bool is_json = false;
        int status = take_flags(n_arguments, arguments, &is_json);

        if (status == GO_ON)
                status = show(arguments[optind], is_json);
        return fflush(stdout) == 0 ? status : EXIT_NOTHING_KEPT;
}
