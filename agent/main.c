/* experiments-agent: follows a trainer's metrics files and publishes them as its Job's Result. */
#include <stdio.h>
#include <string.h>

#include "agent.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "options.h"
#include "parse.h"
#include "state_command.h"
#include "version.h"

static int run(const struct options *options) {
        CLEANUP(agent_freep) struct agent *agent = NULL;
        int status = agent_new(&agent, options);

        return status == 0 ? agent_run(agent) : status;
}

int main(int n_arguments, char **arguments) {
        CLEANUP(options_release) struct options options = { 0 };
        int status;

        if (n_arguments > 1 && strcmp(arguments[1], "parse") == 0)
                return parse_command(n_arguments - 1, arguments + 1);
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
        return run(&options);
}
