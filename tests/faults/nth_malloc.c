/* For LD_PRELOAD: in the program's main(), the NTH_MALLOC-th request for memory fails, and that is said on
 * standard error. What the C library asks for on its behalf (strdup, asprintf, opendir, tsearch, ...) goes
 * through the same functions and counts, too ("Replacing malloc" in glibc's manual). */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* glibc's own, under the names that it keeps for replacements. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

typedef int main_function(int n_arguments, char **arguments, char **environment);
typedef int start_function(main_function *program, int n_arguments, char **arguments, void (*init)(void),
                           void (*fini)(void), void (*rtld_fini)(void), void *stack_end);
start_function __libc_start_main;

static unsigned long nth; /* counts down; 0: does nothing */
static main_function *program_main;

/* Where in which file, for addr2line(1). */
static void say(const char *function, size_t size, const void *caller) {
        char line[256];
        Dl_info info = { 0 };
        int n;

        (void)dladdr(caller, &info);
        n = snprintf(line, sizeof(line), "nth_malloc: %s of %zu bytes fails at %s+%#lx\n", function, size,
                     info.dli_fname ? info.dli_fname : "?", (unsigned long)((const char *)caller - (char *)info.dli_fbase));
        if (write(STDERR_FILENO, line, (size_t)n) < 0)
                abort();
}

static bool fails(const char *function, size_t size, const void *caller) {
        if (nth == 0 || --nth > 0)
                return false;
        say(function, size, caller);
        errno = ENOMEM;
        return true;
}

void *malloc(size_t size) {
        return fails("malloc", size, __builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
        return fails("calloc", n * size, __builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t size) {
        return fails("realloc", size, __builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}

void *reallocarray(void *old, size_t n, size_t size) {
        size_t bytes;

        if (__builtin_mul_overflow(n, size, &bytes)) {
                errno = ENOMEM;
                return NULL;
        }
        return fails("reallocarray", bytes, __builtin_return_address(0)) ? NULL : __libc_realloc(old, bytes);
}

void *aligned_alloc(size_t alignment, size_t size) {
        return fails("aligned_alloc", size, __builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
}

static int counted_main(int n_arguments, char **arguments, char **environment) {
        const char *text = getenv("NTH_MALLOC");

        nth = text ? strtoul(text, NULL, 10) : 0;
        unsetenv("NTH_MALLOC"); /* what this one runs is another program */
        return program_main(n_arguments, arguments, environment);
}

/* What the loader and the constructors of libraries ask for does not count. */
int __libc_start_main(main_function *program, int n_arguments, char **arguments, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end) {
        start_function *start = (start_function *)dlsym(RTLD_NEXT, "__libc_start_main");

        program_main = program;
        return start(counted_main, n_arguments, arguments, init, fini, rtld_fini, stack_end);
}
