#include "source/tail.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "source/tail_state.h"

enum {
        POLL_MS = 1000,  /* between two looks at everything, where inotify does not serve */
        QUIET_MS = 100,  /* after a look: many small writes are one wake-up */
};

bool tail_says_first(struct tail *tail, const char *path) {
        uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */

        for (const char *at = path; *at; at++)
                hash = (hash ^ (uint8_t)*at) * 0x100000001b3u;
        for (size_t i = 0; i < tail->n_said_once; i++)
                if (tail->said_once[i] == hash)
                        return false;
        if (tail->n_said_once == SAID_ONCE_MAX)
                return false;
        tail->said_once[tail->n_said_once++] = hash;
        if (tail->n_said_once == SAID_ONCE_MAX)
                log_warning("there are more such: no more of them are named");
        return true;
}

/* --- looking at what is known --- */

static void look_again(struct tail *tail, struct followed *followed) {
        CLEANUP(cleanup_free) char *path = strdup(file_path(followed->file));
        struct file_status status;

        if (!path || followed->is_removed)
                return;
        if (followed->is_stray)
                look_at_followed(tail, followed, NULL);
        else
                look_at_file(tail, path, file_status_at(path, true, &status) == 0 ? &status : NULL);
}

/* It may be found under another name when places are looked at. Where one file is followed, only names beside it
 * are tried. */
static bool may_be_met(const struct followed *followed) {
        return !file_is_open(followed->file) && followed->place && !place_is_file(followed->place);
}

/* Strays, and files whose path leads nowhere any more, are not met by looking at places. */
static void look_at_known(struct tail *tail, bool places_are_next) {
        size_t n;
        CLEANUP(cleanup_free) struct followed **list = files_list(&tail->files, &n);

        for (size_t i = 0; list && i < n; i++) {
                bool is_there = !list[i]->is_removed && access(file_path(list[i]->file), F_OK) == 0;

                if (list[i]->is_removed || (is_there && !list[i]->is_stray) ||
                    (places_are_next && !is_there && may_be_met(list[i])))
                        continue;
                look_again(tail, list[i]);
        }
}

/* Documents that changed and have rested are looked at again. */
static void look_at_due(struct tail *tail) {
        size_t n;
        CLEANUP(cleanup_free) struct followed **list = files_list(&tail->files, &n);
        int64_t now_ms = loop_now_ms(tail->loop);

        tail->due_ms = INT64_MAX;
        for (size_t i = 0; list && i < n; i++) {
                int64_t due_ms = list[i]->is_removed ? INT64_MAX : file_due_ms(list[i]->file);

                if (due_ms <= now_ms)
                        look_again(tail, list[i]);
                else if (due_ms < tail->due_ms)
                        tail->due_ms = due_ms;
        }
}

/* Those whose path is in no place come first: they are the older generations. */
static void look_at_everything(struct tail *tail) {
        tail->due_ms = INT64_MAX;
        look_at_known(tail, true);
        places_look(tail);
        look_at_known(tail, false);
}

/* --- events --- */

static struct followed *find_watched(const struct tail *tail, int watch) {
        size_t n;
        CLEANUP(cleanup_free) struct followed **list = files_list(&tail->files, &n);

        for (size_t i = 0; list && i < n; i++)
                if (list[i]->watch == watch && watch >= 0)
                        return list[i];
        return NULL;
}

static void take_event(void *userdata, const struct watch_event *event) {
        struct tail *tail = userdata;
        struct followed *followed = event->path ? NULL : find_watched(tail, event->watch);

        tail->rescan = tail->rescan || event->is_lost;
        if (followed)
                look_again(tail, followed);
        if (!event->path)
                return;
        if (place_of(tail, event->path))
                places_look_at(tail, event->path);
        if (event->is_new && (tail->waits_for_parent || tail->has_links ||
                              (event->is_directory && tail->has_wild_directories)))
                tail->rescan = true;
}

static void set_timer(struct tail *tail, bool rest) {
        int64_t delay_ms = INT64_MAX;

        if (tail->due_ms != INT64_MAX)
                delay_ms = tail->due_ms - loop_now_ms(tail->loop);
        if (watches_are_blind(tail->watches) && delay_ms > POLL_MS)
                delay_ms = POLL_MS;
        if (rest && delay_ms > QUIET_MS)
                delay_ms = QUIET_MS;
        if (tail->more || tail->rescan)
                delay_ms = 0;
        if (delay_ms != INT64_MAX)
                loop_timer_set(tail->timer, delay_ms);
}

/* A trainer that writes a line at a time would wake us for each: after a look we rest for a moment. The
 * kernel keeps the events, and joins those that are alike (inotify(7)). */
static void on_events(void *userdata) {
        struct tail *tail = userdata;

        watches_read(tail->watches);
        places_look_at_met(tail);
        files_sweep(&tail->files);
        tail->config.looked(tail->config.userdata);
        watches_pause(tail->watches, true);
        set_timer(tail, true);
}

/* The one timer: the rest after events is over, a file had more, documents have rested, or it is time
 * to poll. */
static void on_timer(void *userdata) {
        struct tail *tail = userdata;
        bool look = watches_are_blind(tail->watches) || tail->rescan || tail->more;
        bool documents_are_due = tail->due_ms <= loop_now_ms(tail->loop);

        tail->rescan = tail->more = false;
        if (look)
                look_at_everything(tail);
        else if (documents_are_due)
                look_at_due(tail);
        files_sweep(&tail->files);
        if (look || documents_are_due)
                tail->config.looked(tail->config.userdata);
        watches_pause(tail->watches, false);
        set_timer(tail, false);
}

/* --- the tail as a whole --- */

size_t tail_split_place(const char *text, const struct format **ret_format) {
        const char *colon = strrchr(text, ':');
        const struct format *format = colon ? format_find(slice_from(colon + 1)) : NULL;

        *ret_format = format;
        return format ? (size_t)(colon - text) : strlen(text);
}

int tail_new(struct tail **ret_tail, struct loop *loop, const struct tail_config *config) {
        CLEANUP(tail_freep) struct tail *tail = calloc(1, sizeof(*tail));
        struct watches_config watches = { take_event, on_events, tail };
        int r;

        if (!tail)
                return -ENOMEM;
        tail->loop = loop;
        tail->config = *config;
        tail->due_ms = INT64_MAX;
        tail->roots = calloc(config->n_places + 1, sizeof(*tail->roots));
        if (!tail->roots)
                return -ENOMEM;
        r = loop_timer_new(&tail->timer, loop, on_timer, tail);
        if (r == 0)
                r = watches_new(&tail->watches, loop, &watches);
        if (r < 0)
                return r;
        tail->rescan = true;
        loop_timer_set(tail->timer, 0);
        *ret_tail = STEAL(tail);
        return 0;
}

struct tail *tail_free(struct tail *tail) {
        if (!tail)
                return NULL;
        loop_timer_free(tail->timer);
        watches_free(tail->watches);
        files_release(&tail->files);
        for (size_t i = 0; tail->roots && i < tail->config.n_places; i++)
                free(tail->roots[i]);
        free(tail->roots);
        free(tail->denied_directory);
        free(tail);
        return NULL;
}

void tail_freep(struct tail **tail) {
        *tail = tail_free(*tail);
}

bool tail_is_behind(const struct tail *tail) {
        return tail->more || tail->rescan;
}

void tail_finish(struct tail *tail) {
        size_t n;
        CLEANUP(cleanup_free) struct followed **list = NULL;

        tail->is_finishing = true;
        do {
                tail->more = tail->rescan = false;
                watches_read(tail->watches);
                places_look_at_met(tail);
                look_at_everything(tail);
        } while (tail->more || tail->rescan || watches_have_events(tail->watches));
        files_sweep(&tail->files);
        list = files_list(&tail->files, &n);
        for (size_t i = 0; list && i < n; i++)
                file_finish(list[i]->file);
        loop_timer_clear(tail->timer);
        watches_pause(tail->watches, true);
}

/* Where a stray is now, whatever its path leads to; NULL: not known. */
static const char *stray_path(const struct followed *stray, char *place, size_t size) {
        static const char deleted[] = " (deleted)"; /* proc(5), /proc/PID/fd */
        char link[64];
        ssize_t n;

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", file_fd(stray->file));
        n = file_is_open(stray->file) ? readlink(link, place, size - 1) : -1;
        if (n <= 0)
                return NULL;
        place[n] = '\0';
        return (size_t)n < sizeof(deleted) || strcmp(place + n - (sizeof(deleted) - 1), deleted) != 0 ? place : NULL;
}

int tail_each(const struct tail *tail, tail_keep keep, void *userdata) {
        size_t n;
        CLEANUP(cleanup_free) struct followed **list = files_list(&tail->files, &n);
        int r = list ? 0 : -ENOMEM;

        for (size_t i = 0; i < n && r == 0; i++) {
                struct file_kept kept = file_keep(list[i]->file);
                char place[PATH_MAX];
                const char *path = list[i]->is_stray ? stray_path(list[i], place, sizeof(place)) : NULL;

                if (path)
                        kept.path = path;
                if (kept.records > 0 || kept.rejects > 0 || kept.n_said > 0)
                        r = keep(userdata, &kept, list[i]->is_stray);
        }
        return r;
}

/* --- what was met --- */

/* Puts a file among the newest, which are in order. */
static void note_newest(const struct file *newest[TAIL_NEWEST_MAX], const struct file *file) {
        for (size_t i = 0; i < TAIL_NEWEST_MAX; i++)
                if (!newest[i] || file_written_ns(newest[i]) < file_written_ns(file)) {
                        memmove(newest + i + 1, newest + i, (TAIL_NEWEST_MAX - 1 - i) * sizeof(*newest));
                        newest[i] = file;
                        return;
                }
}

static bool is_denied(const struct file *file) {
        return file_error(file) == -EACCES || file_error(file) == -EPERM;
}

static void see(struct tail_view *view, const struct file *newest[TAIL_NEWEST_MAX], const struct file *file) {
        view->files += file_has_content(file);
        view->recognised += file_is_recognised(file);
        if (file_has_content(file))
                note_newest(newest, file);
        if (!is_denied(file))
                return;
        view->denied++;
        view->denied_path = file_path(file);
        view->denied_error = -file_error(file);
}

struct tail_view tail_view(const struct tail *tail) {
        struct tail_view view = { .files = tail->gone_files, .recognised = tail->gone_recognised };
        const struct file *newest[TAIL_NEWEST_MAX] = { NULL };
        size_t n;
        CLEANUP(cleanup_free) struct followed **list = files_list(&tail->files, &n);

        for (size_t i = 0; list && i < n; i++)
                see(&view, newest, list[i]->file);
        if (tail->denied_directory) {
                view.denied++;
                view.denied_path = tail->denied_directory;
                view.denied_error = tail->denied_error;
        }
        for (size_t i = 0; i < TAIL_NEWEST_MAX && newest[i]; i++)
                view.newest[i] = file_path(newest[i]);
        return view;
}
