/* A Result as the API has it: made of the fold and of what else the agent knows of its run.
 * Pure: the same facts give the same bytes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "result/fold.h"

#define RESULT_API_VERSION "ml.intel.com/v2"
#define RESULT_GROUP "ml.intel.com"
#define RESULT_VERSION "v2"

enum {
        RESULT_BYTES_MAX = 10240,  /* compact JSON of the whole object without managedFields */
        RESULT_SERVER_BYTES = 256, /* of those, room for what the server adds: uid, generation, … */
        RESULT_NOTES_MAX = 8,
        RESULT_NOTE_BYTES_MAX = 160,
};

enum phase {
        PHASE_PENDING,     /* nothing was reported yet */
        PHASE_RUNNING,
        PHASE_SUCCEEDED,
        PHASE_FAILED,      /* this attempt failed, and the Job has no retry left */
        PHASE_STOPPED,     /* left because a stop was requested */
        PHASE_INTERRUPTED, /* evicted, deleted, outcome unknown, or failed with a retry left */
};

const char *phase_name(enum phase phase);

/* Who the Result is of. All texts are borrowed; NULL: not known, and left out. */
struct result_identity {
        const char *namespace_name;
        const char *name;            /* of the Result and of its Job */
        const char *experiment;      /* name; also the label "experiment" */
        const char *parameters;      /* JSON object: spec.parameters and status.job_parameters */
        struct {
                const char *api_version, *kind, *name, *uid; /* all, or none */
                bool controller;
        } owner;
};

/* Everything in the status that the fold does not know. Texts are borrowed; NULL and -1 and 0 mean
 * not known where the comment says nothing else. */
struct result_facts {
        enum phase phase;
        int64_t start_us, last_report_us, completion_us; /* since 1970; 0: not yet */
        const char *output_path; /* overrides the fold's */
        struct {
                const char *job_uid, *pod_name, *pod_uid, *reason;
                int number;        /* from 1; 0: not known */
                int exit_code;     /* -1: not known */
                int restarts;      /* -1: not known */
                int exit_said;     /* exit status as the trainer itself said it; -1: it said none */
        } attempt;
        struct {
                bool reporting;
                const char *reason;  /* CamelCase: Reporting, NoMetricsFile, NothingRecognized, … */
                const char *message; /* for people */
                int64_t since_us;
        } condition;
        /* What earlier attempts had counted; is_ours: as in struct history. */
        struct {
                bool is_ours;
                uint64_t rejected, lost_bytes;
        } before;
        struct {
                const char *version;
                uint64_t rejected, lost_bytes;
                uint64_t dropped;      /* reports that clients of the socket had no room for */
                const char *notes[RESULT_NOTES_MAX];
                size_t n_notes;
        } agent;
};

/* Both append one JSON document to out; 0, -ENOBUFS (out's limit), -ENOMEM.
 * What is written is within RESULT_BYTES_MAX together with the metadata: digits of the history are
 * shortened and rows thinned as far as needed, then metrics left out from the lowest rank up. */

/* The body of a merge patch to /status: {"status":{…}}. Fields without a value are null, so that
 * nothing of an earlier patch stays. */
int result_write_patch(struct buffer *out, const struct result_identity *identity,
                       const struct fold *fold, const struct result_facts *facts);

/* The whole object, for POST (fold NULL: without status) or a file; fields without a value are
 * left out. */
int result_write_manifest(struct buffer *out, const struct result_identity *identity,
                          const struct fold *fold, const struct result_facts *facts);
