#include "tracee.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#define PROGRAM_COUNTER(registers) (registers).rip
#define RESULT(registers) (registers).rax
#define ARGUMENT(registers, index) *((index) == 0 ? &(registers).rdi : &(registers).rdx)
#define TRAP_MASK 0xffl
#define TRAP 0xccl /* int3 */
#elif defined(__aarch64__)
#define PROGRAM_COUNTER(registers) (registers).pc
#define RESULT(registers) (registers).regs[0]
#define ARGUMENT(registers, index) (registers).regs[index]
#define TRAP_MASK 0xffffffffl
#define TRAP 0xd4200000l /* brk #0 */
#else
#error "at_call knows the registers of x86_64 and aarch64 only"
#endif

static int get_registers(pid_t pid, struct user_regs_struct *registers) {
        struct iovec place = { registers, sizeof(*registers) };

        return ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &place) < 0 ? -errno : 0;
}

static int set_registers(pid_t pid, struct user_regs_struct *registers) {
        struct iovec place = { registers, sizeof(*registers) };

        return ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &place) < 0 ? -errno : 0;
}

int tracee_seize(pid_t pid) {
        long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;

        return ptrace(PTRACE_SEIZE, pid, NULL, options) < 0 ? -errno : 0;
}

/* --- going on --- */

static bool is_over(int status) {
        return WIFEXITED(status) || WIFSIGNALED(status);
}

/* Waits for its next stop. 1: it ended. */
static int wait_for_stop(pid_t pid, int *ret_status) {
        while (waitpid(pid, ret_status, __WALL) < 0)
                if (errno != EINTR)
                        return 1;
        return is_over(*ret_status);
}

/* How to go on after a stop that is none of a call: with its signal, or, stopped like any process, to wait. */
static int go_on(pid_t pid, int status, enum __ptrace_request request) {
        int event = status >> 16, number = WSTOPSIG(status);
        bool is_stopped = event == PTRACE_EVENT_STOP && number != SIGTRAP;

        if (is_stopped)
                return ptrace(PTRACE_LISTEN, pid, NULL, NULL) < 0;
        return ptrace(request, pid, NULL, (long)(event ? 0 : number)) < 0;
}

int tracee_next(pid_t pid) {
        int status;

        if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) < 0)
                return 1;
        while (wait_for_stop(pid, &status) == 0) {
                if (WSTOPSIG(status) == (SIGTRAP | 0x80))
                        return 0;
                if (go_on(pid, status, PTRACE_SYSCALL))
                        return 1;
        }
        return 1;
}

void tracee_kill(pid_t pid) {
        int status;

        (void)kill(pid, SIGKILL);
        while (wait_for_stop(pid, &status) == 0)
                (void)ptrace(PTRACE_CONT, pid, NULL, NULL);
}

/* --- the start of the program --- */

/* Where the loader will jump to when everything is loaded: getauxval(3). 0: not known. */
static uint64_t entry_of(pid_t pid) {
        Elf64_auxv_t item;
        uint64_t entry = 0;
        char path[32];
        int fd;

        (void)snprintf(path, sizeof(path), "/proc/%d/auxv", (int)pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        while (fd >= 0 && entry == 0 && read(fd, &item, sizeof(item)) == (ssize_t)sizeof(item))
                if (item.a_type == AT_ENTRY)
                        entry = item.a_un.a_val;
        if (fd >= 0)
                close(fd);
        return entry;
}

static int wait_for_exec(pid_t pid) {
        int status;

        while (wait_for_stop(pid, &status) == 0) {
                if (status >> 16 == PTRACE_EVENT_EXEC)
                        return 0;
                if (go_on(pid, status, PTRACE_CONT))
                        return 1;
        }
        return 1;
}

/* Waits for the trap; other signals reach the program. */
static int wait_for_trap(pid_t pid) {
        int status;

        if (ptrace(PTRACE_CONT, pid, NULL, NULL) < 0)
                return 1;
        while (wait_for_stop(pid, &status) == 0) {
                if (WSTOPSIG(status) == SIGTRAP && status >> 16 == 0)
                        return 0;
                if (go_on(pid, status, PTRACE_CONT))
                        return 1;
        }
        return 1;
}

int tracee_run_to_start(pid_t pid) {
        struct user_regs_struct registers;
        uint64_t entry;
        long code;
        int r = wait_for_exec(pid);

        if (r != 0)
                return r;
        entry = entry_of(pid);
        errno = 0;
        code = ptrace(PTRACE_PEEKTEXT, pid, entry, NULL);
        if (errno != 0 || ptrace(PTRACE_POKETEXT, pid, entry, (code & ~TRAP_MASK) | TRAP) < 0)
                return -errno;
        r = wait_for_trap(pid);
        if (r != 0)
                return r;
        if (ptrace(PTRACE_POKETEXT, pid, entry, code) < 0)
                return -errno;
        r = get_registers(pid, &registers);
        PROGRAM_COUNTER(registers) = entry;
        return r < 0 ? r : set_registers(pid, &registers);
}

/* --- one call --- */

int tracee_skip_call(pid_t pid) {
        /* ptrace(2) leaves it open; both kernels pass over a call whose number is -1. */
#if defined(__x86_64__)
        struct user_regs_struct registers;
        int r = get_registers(pid, &registers);

        registers.orig_rax = (unsigned long long)-1;
        return r < 0 ? r : set_registers(pid, &registers);
#else
        int number = -1;
        struct iovec place = { &number, sizeof(number) };

        return ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &place) < 0 ? -errno : 0;
#endif
}

int tracee_set_result(pid_t pid, int64_t result) {
        struct user_regs_struct registers;
        int r = get_registers(pid, &registers);

        RESULT(registers) = (unsigned long long)result;
        return r < 0 ? r : set_registers(pid, &registers);
}

int tracee_set_argument(pid_t pid, int index, uint64_t value) {
        struct user_regs_struct registers;
        int r = get_registers(pid, &registers);

        ARGUMENT(registers, index) = value;
        return r < 0 ? r : set_registers(pid, &registers);
}

int tracee_put_back(pid_t pid, int index, uint64_t value) {
#if defined(__aarch64__)
        if (index == 0)
                return 0; /* the result is in the same register */
#endif
        return tracee_set_argument(pid, index, value);
}

/* --- what it means --- */

void tracee_print_string(pid_t pid, uint64_t address, FILE *out) {
        errno = 0;
        for (uint64_t at = address;; at++) {
                long word = ptrace(PTRACE_PEEKDATA, pid, at & ~UINT64_C(7), NULL);
                char c = (char)(word >> 8 * (at & 7));

                if (errno != 0 || c == '\0' || at - address == PATH_MAX)
                        return;
                putc(c == '\n' ? ' ' : c, out);
        }
}

bool tracee_read_fd(pid_t pid, int fd, char *ret_path, size_t size_bytes) {
        char link[64];
        ssize_t n;

        (void)snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)pid, fd);
        n = readlink(link, ret_path, size_bytes - 1);
        ret_path[n > 0 ? n : 0] = '\0';
        return n > 0;
}
