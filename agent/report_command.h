/* The command "report": tells a running agent one moment of a training, for scripts. */
#pragma once

/* arguments[0] is "report". Returns the exit status: 0 when the agent has kept it, 1 when not, 2 for wrong use. */
int report_command(int n_arguments, char **arguments);
