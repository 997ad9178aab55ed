/* The command "parse": shows what would be understood of files. */
#pragma once

/* arguments[0] is "parse". Returns the exit status: 0 when something was understood of every file (of
 * a directory: of one of its files), 1 when not or when one cannot be read, 2 for wrong use. */
int parse_command(int n_arguments, char **arguments);
