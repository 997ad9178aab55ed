#include "run_command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "install.h"
#include "options.h"
#include "run_name.h"
#include "source/child.h"
#include "store/store.h"
#include "version.h"

#define PROGRAM "experiments-agent"
#define RUNS "experiments" /* where results and directories of runs are, below the one that we are started in */

enum {
        NAMES_MAX = 999,
        SOCKET_PATH_BYTES_MAX = sizeof(((struct sockaddr_un *)0)->sun_path) - 1,
        EXIT_CANNOT_START = 1,
};

/* What nothing said, and what was made for it. */
struct defaults {
        struct options *options;
        char name[RUN_NAME_BYTES_MAX + 1];
        char to[PATH_MAX];            /* absolute, as what the child is told has to be: it may go elsewhere */
        char dir[PATH_MAX];
        char socket[PATH_MAX];
        char socket_directory[PATH_MAX]; /* "": none was made */
        bool is_to_said, is_dir_ours;
        int lock;                        /* see is_free(); -1: none */
        char claim[PATH_MAX];            /* see claim_result(); "": none is left to take away */
};

static int cannot(const char *path, int error) {
        log_error("%s: %s", path, strerror(-error));
        return EXIT_CANNOT_START;
}

static int wrong_use(const char *what) {
        fprintf(stderr, PROGRAM " run: %s (see " PROGRAM " run --help)\n", what);
        return EXIT_USAGE;
}

/* --- the command --- */

static bool is_executable(const char *path, int *error) {
        struct stat status;

        if (stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0)
                return true;
        if (access(path, F_OK) == 0)
                *error = EACCES;
        return false;
}

/* Before anything is made for a run that will not be. 0, or the errno that execvp(3) would give. */
static int look_for(const char *command) {
        const char *path = getenv("PATH");
        char candidate[PATH_MAX];
        int error = ENOENT;

        if (!*command)
                return ENOENT;
        if (strchr(command, '/') || !path)
                return strchr(command, '/') && !is_executable(command, &error) ? error : 0;
        for (size_t n; ; path += n + 1) {
                n = strcspn(path, ":");
                if ((size_t)snprintf(candidate, sizeof(candidate), "%.*s%s%s", (int)n, path, n > 0 ? "/" : "", command) <
                            sizeof(candidate) && is_executable(candidate, &error))
                        return 0;
                if (!path[n])
                        return error;
        }
}

static int check_command(const char *command) {
        int error = look_for(command);

        if (error == 0)
                return 0;
        log_error("%s: %s", command, strerror(error));
        return error == ENOENT ? CHILD_EXIT_NOT_FOUND : CHILD_EXIT_NOT_EXECUTABLE;
}

/* --- the directory --- */

/* Two agents of one directory would count everything twice: a run in a run, or beside a sidecar. To look at the lock of
 * the state is to hold it for a moment, which another run that starts just then must not meet: they come one at a time,
 * by a lock of the directory itself. *ret_lock is held until we end; -1 where there is none. */
static bool is_free(const char *dir, int *ret_lock) {
        CLEANUP(store_freep) struct store *store = NULL;
        CLEANUP(cleanup_close) int lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        char path[PATH_MAX];

        if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
                return false;
        if ((size_t)snprintf(path, sizeof(path), "%s/.agent", dir) >= sizeof(path) || store_open(&store, path) == -EBUSY)
                return false;
        *ret_lock = lock;
        lock = -1;
        return true;
}

static void release_lock(struct defaults *defaults) {
        cleanup_close(&defaults->lock);
        defaults->lock = -1;
}

static int make_absolute(const char *path, char ret_path[static PATH_MAX]) {
        char here[PATH_MAX];

        if (realpath(path, ret_path))
                return 0;
        if (*path == '/')
                return (size_t)snprintf(ret_path, PATH_MAX, "%s", path) < PATH_MAX ? 0 : -ENAMETOOLONG;
        if (!getcwd(here, sizeof(here)))
                return -errno;
        return (size_t)snprintf(ret_path, PATH_MAX, "%s/%s", here, path) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int make_directory(const char *path) {
        return mkdir(path, 0777) < 0 && errno != EEXIST ? -errno : 0;
}

/* --- the name --- */

static void release_claim(struct defaults *defaults) {
        if (*defaults->claim)
                (void)unlink(defaults->claim);
        *defaults->claim = '\0';
}

/* Claims DIR/NAME.json of others that start in this second: the file that will become it (publish/directory.c) is made
 * first, then it is not to be there. Where it is there, the file that was made may be what its owner writes anew just
 * now, and stays: without it, what is written would be lost. */
static int claim_result(struct defaults *defaults) {
        char temporary[PATH_MAX], path[PATH_MAX];
        int fd;

        if ((size_t)snprintf(temporary, sizeof(temporary), "%s/.%s.tmp", defaults->to, defaults->name) >= sizeof(temporary) ||
            (size_t)snprintf(path, sizeof(path), "%s/%s.json", defaults->to, defaults->name) >= sizeof(path))
                return -ENAMETOOLONG;
        if (access(path, F_OK) == 0)
                return -EEXIST;
        fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0)
                return -errno;
        (void)close(fd);
        if (access(path, F_OK) == 0)
                return -EEXIST;
        memcpy(defaults->claim, temporary, sizeof(temporary));
        return 0;
}

/* The same of a directory. */
static int claim_directory(const char *runs, const char *name, char ret_dir[static PATH_MAX]) {
        if ((size_t)snprintf(ret_dir, PATH_MAX, "%s/%s", runs, name) >= PATH_MAX)
                return -ENAMETOOLONG;
        return mkdir(ret_dir, 0777) < 0 ? -errno : 0;
}

static int claim(struct defaults *defaults, const char *runs) {
        int r = defaults->options->to ? claim_result(defaults) : 0;

        if (r == 0 && defaults->is_dir_ours)
                r = claim_directory(runs, defaults->name, defaults->dir);
        if (r < 0)
                release_claim(defaults);
        return r;
}

static int name_run(struct defaults *defaults, const char *runs) {
        long long now_s = (long long)time(NULL);
        int r = -EEXIST;

        for (unsigned n = 1; n <= NAMES_MAX && r == -EEXIST; n++) {
                run_name(defaults->options->command, now_s, n, defaults->name);
                r = claim(defaults, runs);
        }
        defaults->options->job = defaults->name;
        return r;
}

/* --- what nothing said --- */

/* A Job that names itself to its pods is of a cluster. */
static void choose_to(struct defaults *defaults) {
        struct options *options = defaults->options;
        bool is_in_cluster = getenv("KUBERNETES_SERVICE_HOST") && options->job;

        defaults->is_to_said = options->to || options->server || is_in_cluster;
        if (!defaults->is_to_said)
                options->to = RUNS;
}

static bool is_of_variable(const char *value, const char *variable) {
        const char *text = getenv(variable);

        return value && text && strcmp(value, text) == 0;
}

static void choose_dir(struct defaults *defaults) {
        struct options *options = defaults->options;
        const char *above = getenv("EXPERIMENTS_DIR");
        bool is_above = is_of_variable(options->dir, "EXPERIMENTS_DIR");

        if (above && *above && !is_free(above, &defaults->lock)) { /* of the agent that we run below */
                if (is_above)
                        options->dir = NULL;
                if (is_of_variable(options->socket, "EXPERIMENTS_SOCKET"))
                        options->socket = NULL;
        }
        if (!is_above)
                release_lock(defaults);
        if (!options->dir && access(OPTIONS_DIR, W_OK | X_OK) == 0 && is_free(OPTIONS_DIR, &defaults->lock))
                options->dir = OPTIONS_DIR;
        defaults->is_dir_ours = !options->dir;
}

static int set_place(const char **place, char path[static PATH_MAX]) {
        int r = make_directory(*place);

        if (r == 0)
                r = make_absolute(*place, path);
        if (r < 0)
                return cannot(*place, r);
        *place = path;
        return 0;
}

static int set_dir_of_job(struct defaults *defaults, const char *runs) {
        if ((size_t)snprintf(defaults->dir, PATH_MAX, "%s/%s", runs, defaults->options->job) >= PATH_MAX)
                return -ENAMETOOLONG;
        return make_directory(defaults->dir);
}

/* experiments.XXXXXX, mode 0700, in TMPDIR, an absolute path, or else in /tmp; "" when it cannot be made. */
static int make_temporary(char ret_path[static PATH_MAX]) {
        const char *const places[] = { getenv("TMPDIR"), "/tmp" };
        int r = -ENOENT;

        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && r < 0; i++) {
                if (!places[i] || *places[i] != '/' || strlen(places[i]) > SOCKET_PATH_BYTES_MAX / 2)
                        continue;
                (void)snprintf(ret_path, PATH_MAX, "%s/" RUNS ".XXXXXX", places[i]);
                r = mkdtemp(ret_path) ? 0 : -errno;
        }
        if (r < 0)
                *ret_path = '\0';
        return r;
}

/* In a container whose own files are not to be written: only what goes to a server can do without a place here. */
static int set_temporary_dir(struct defaults *defaults) {
        int r = make_temporary(defaults->dir);

        if (r < 0)
                return cannot("/tmp", r);
        defaults->options->dir = defaults->dir;
        if (!defaults->options->job)
                run_name(defaults->options->command, (long long)time(NULL), 1, defaults->name);
        if (!defaults->options->job)
                defaults->options->job = defaults->name;
        return 0;
}

static int set_places(struct defaults *defaults) {
        struct options *options = defaults->options;
        const char *runs = RUNS;
        char absolute[PATH_MAX];
        int r = options->to ? set_place(&options->to, defaults->to) : 0;

        if (r == 0 && defaults->is_dir_ours && !options->to && access(".", W_OK) < 0)
                return set_temporary_dir(defaults);
        if (r == 0 && defaults->is_dir_ours)
                r = set_place(&runs, absolute);
        else if (r == 0)
                r = set_place(&options->dir, defaults->dir);
        if (r != 0)
                return r;
        if (!options->job)
                r = name_run(defaults, runs);
        else if (defaults->is_dir_ours)
                r = set_dir_of_job(defaults, runs);
        if (r < 0)
                return cannot(defaults->is_dir_ours ? runs : options->to, r);
        options->dir = defaults->dir;
        return 0;
}

/* Where the path would be too long for unix(7). */
static int set_short_socket(struct defaults *defaults) {
        int r = make_temporary(defaults->socket_directory);

        if (r < 0)
                return cannot("/tmp", r);
        (void)snprintf(defaults->socket, PATH_MAX, "%.*s/agent.sock", SOCKET_PATH_BYTES_MAX, defaults->socket_directory);
        return 0;
}

static int set_socket(struct defaults *defaults) {
        struct options *options = defaults->options;
        int r = 0;

        if (options->socket && strcmp(options->socket, "none") == 0) {
                (void)unsetenv("EXPERIMENTS_SOCKET");
                return 0;
        }
        if (options->socket)
                r = make_absolute(options->socket, defaults->socket);
        else if ((size_t)snprintf(defaults->socket, PATH_MAX, "%s/agent.sock", options->dir) > SOCKET_PATH_BYTES_MAX)
                r = set_short_socket(defaults);
        if (r != 0)
                return r < 0 ? cannot(options->socket, r) : r;
        options->socket = defaults->socket;
        return setenv("EXPERIMENTS_SOCKET", options->socket, 1) < 0 ? cannot("EXPERIMENTS_SOCKET", -errno) : 0;
}

static int set_defaults(struct defaults *defaults) {
        int r;

        choose_to(defaults);
        choose_dir(defaults);
        r = set_places(defaults);
        if (r == 0)
                r = set_socket(defaults);
        if (r == 0 && setenv("EXPERIMENTS_DIR", defaults->options->dir, 1) < 0)
                r = cannot("EXPERIMENTS_DIR", -errno);
        return r;
}

/* --- running --- */

static void say_place(const struct defaults *defaults) {
        const char *job = defaults->options->job;

        if (!defaults->is_to_said)
                fprintf(stderr, PROGRAM ": the Result is " RUNS "/%s.json; look at it with: " PROGRAM " state %s%s\n", job,
                        defaults->is_dir_ours ? RUNS "/" : "", defaults->is_dir_ours ? job : defaults->dir);
}

static int run_agent(const struct options *options) {
        CLEANUP(agent_freep) struct agent *agent = NULL;
        int status = agent_new(&agent, options);

        if (status != 0)
                return status;
        log_never_wait(); /* the command has our standard error, too, and may wait for it; we pass on, answer and keep */
        return agent_run(agent);
}

static int run(struct options *options) {
        struct defaults defaults = { .options = options, .lock = -1 };
        int r = check_command(options->command[0]);

        if (r == 0)
                r = set_defaults(&defaults);
        if (r == 0) {
                say_place(&defaults);
                r = run_agent(options);
        }
        release_claim(&defaults); /* nothing was published */
        release_lock(&defaults);
        if (*defaults.socket_directory)
                (void)rmdir(defaults.socket_directory);
        return r;
}

static int install(const char *directory) {
        int r = install_program(directory);

        return r < 0 ? cannot(directory, r) : 0;
}

int run_command(int n_arguments, char **arguments) {
        CLEANUP(options_release) struct options options = { 0 };
        int status;

        child_hold_descriptors();
        status = options_parse_run(&options, n_arguments, arguments);
        if (status != 0)
                return status;
        log_setup(PROGRAM, options.log_format, options.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING);
        if (options.help) {
                options_print_help_of_run();
                return 0;
        }
        if (options.version) {
                puts(PROGRAM " " EXPERIMENTS_VERSION);
                return 0;
        }
        if (options.install)
                return options.command ? wrong_use("--install: expected no command with it") : install(options.install);
        return options.command ? run(&options) : wrong_use("expected a command to run");
}
