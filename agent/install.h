/* --install: hands this program to others by a directory that they share. */
#pragma once

/* Copies the program that runs to directory/experiments-agent, as a whole or not at all, and over what is there; the
 * directory is made when it is not there. 0 or negative errno. */
int install_program(const char *directory);
