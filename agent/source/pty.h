/* A pseudoterminal that stands for a terminal of ours: for its output only, which comes out as it went in. */
#pragma once

/* *ret_master is ours, and does not wait; *ret_slave is for who writes. Looks as the terminal does, in its settings and
 * the size of its window, and is nobody's controlling terminal. 0 or negative errno. */
int pty_new(int terminal, int *ret_master, int *ret_slave);
