/* The command "state": shows what an agent has kept of its run. */
#pragma once

/* arguments[0] is "state". Returns the exit status: 0, 1 when nothing intact is kept there, 2 for wrong
 * use. */
int state_command(int n_arguments, char **arguments);
