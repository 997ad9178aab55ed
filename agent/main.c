/* experiments-agent: follows a trainer's metrics files and publishes them as its Job's Result. */
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "agent.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "options.h"
#include "parse.h"
#include "report_command.h"
#include "run_command.h"
#include "state_command.h"
#include "version.h"

static int run(const struct options *options) {
        CLEANUP(agent_freep) struct agent *agent = NULL;
        int status = agent_new(&agent, options);

        return status == 0 ? agent_run(agent) : status;
}

/* glibc raises these by itself after a large block was freed, and then gives nothing back of what a whole document
 * took (mallopt(3)). There is one thread, and nothing is allocated where speed matters. */
static void keep_memory_small(void) {
        (void)mallopt(M_MMAP_THRESHOLD, 64 * 1024);
        (void)mallopt(M_TRIM_THRESHOLD, 64 * 1024);
        (void)mallopt(M_TOP_PAD, 16 * 1024);
        (void)mallopt(M_ARENA_MAX, 1);
}

int main(int n_arguments, char **arguments) {
        CLEANUP(options_release) struct options options = { 0 };
        int status;

        if (n_arguments > 1 && strcmp(arguments[1], "parse") == 0)
                return parse_command(n_arguments - 1, arguments + 1);
        if (n_arguments > 1 && strcmp(arguments[1], "report") == 0)
                return report_command(n_arguments - 1, arguments + 1);
        if (n_arguments > 1 && strcmp(arguments[1], "run") == 0) {
                keep_memory_small();
                return run_command(n_arguments - 1, arguments + 1);
        }
        if (n_arguments > 1 && strcmp(arguments[1], "state") == 0)
                return state_command(n_arguments - 1, arguments + 1);

        status = options_parse(&options, n_arguments, arguments);
        if (status != 0)
                return status;
        if (options.help) {
                options_print_help();
                return 0;
        }
        if (options.version) {
                puts("experiments-agent " EXPERIMENTS_VERSION);
                return 0;
        }
        log_setup("experiments-agent", options.log_format,
                  options.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
        keep_memory_small();
        return run(&options);
}
