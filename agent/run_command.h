/* The command "run": the agent with the trainer as its child. */
#pragma once

/* arguments[0] is "run". Returns the exit status: the command's, 128 + N when signal N ended it, 127 when it is not
 * found, 126 when it cannot be run; 2 for wrong use; 1 when the agent cannot start otherwise. */
int run_command(int n_arguments, char **arguments);
