/* The file that says that a stop was requested, for trainers that only look at files (proto/PROTOCOL.md). */
#pragma once

/* Puts reason and a newline into the file at path, as a whole or not at all. 0 or a negative errno. */
int stop_file_write(const char *path, const char *reason);
