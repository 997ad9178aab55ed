/* A program of one thread that is stopped at each of its system calls (ptrace(2)). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* Starts tracing; the process must have allowed it. It dies with its tracer. Negative errno. */
int tracee_seize(pid_t pid);

/* Lets it run up to the first instruction of the program that it executes next, past the dynamic loader
 * and what libraries do before. 1: it ended before; negative errno. */
int tracee_run_to_start(pid_t pid);

/* Lets it run up to where a system call begins or ends; its signals reach it. 0, 1: it ended. */
int tracee_next(pid_t pid);

/* At the beginning of a call: it is not carried out. */
int tracee_skip_call(pid_t pid);
/* At its end: what the program gets. */
int tracee_set_result(pid_t pid, int64_t result);
/* Argument 0 or 2, for this call. At its end it has to be put back: programs rely on it. */
int tracee_set_argument(pid_t pid, int index, uint64_t value);
int tracee_put_back(pid_t pid, int index, uint64_t value);

/* Kills it, and waits until it is gone. */
void tracee_kill(pid_t pid);

/* What a descriptor of its stands for: a path, or what proc(5) shows in its place. False: it is not open. */
bool tracee_read_fd(pid_t pid, int fd, char *ret_path, size_t size_bytes);

/* The string that it has at this address. */
void tracee_print_string(pid_t pid, uint64_t address, FILE *out);
