#include "calls.h"

#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#define CALL(name) { SYS_##name, #name, -1, -1, false }
#define ON_FD(name) { SYS_##name, #name, -1, 0, false }
#define ON_PATH(name, path) { SYS_##name, #name, path, -1, false }
#define TRANSFER(name) { SYS_##name, #name, -1, 0, true }

/* Those that a program of this kind makes; a call that is not here has a number, and can be counted. */
static const struct call calls[] = {
        TRANSFER(read), TRANSFER(write), TRANSFER(pread64), TRANSFER(pwrite64), TRANSFER(sendto), TRANSFER(recvfrom),
        ON_FD(readv), ON_FD(writev), ON_FD(preadv), ON_FD(pwritev), ON_FD(sendmsg), ON_FD(recvmsg),
        ON_FD(close), ON_FD(fstat), ON_FD(lseek), ON_FD(fsync), ON_FD(fdatasync), ON_FD(ftruncate), ON_FD(fallocate),
        ON_FD(getdents64), ON_FD(fcntl), ON_FD(flock), ON_FD(ioctl), ON_FD(fstatfs), ON_FD(fchmod), ON_FD(dup),
        ON_FD(dup3), ON_FD(epoll_ctl), ON_FD(epoll_pwait), ON_FD(inotify_rm_watch), ON_FD(bind), ON_FD(listen),
        ON_FD(accept4), ON_FD(connect), ON_FD(getsockopt), ON_FD(setsockopt), ON_FD(timerfd_settime), ON_FD(signalfd4),
        ON_PATH(openat, 1), ON_PATH(newfstatat, 1), ON_PATH(statx, 1), ON_PATH(faccessat, 1), ON_PATH(faccessat2, 1),
        ON_PATH(mkdirat, 1), ON_PATH(unlinkat, 1), ON_PATH(renameat2, 1), ON_PATH(linkat, 1), ON_PATH(symlinkat, 2),
        ON_PATH(readlinkat, 1), ON_PATH(fchmodat, 1), ON_PATH(statfs, 0), ON_PATH(truncate, 0), ON_PATH(execve, 0),
        ON_PATH(inotify_add_watch, 1), ON_PATH(chdir, 0),
        CALL(brk), CALL(mmap), CALL(munmap), CALL(mprotect), CALL(mremap), CALL(madvise),
        CALL(epoll_create1), CALL(inotify_init1), CALL(eventfd2), CALL(timerfd_create), CALL(pipe2), CALL(socket),
        CALL(socketpair), CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(kill), CALL(tgkill),
        CALL(getpid), CALL(gettid), CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid), CALL(getppid),
        CALL(getrandom), CALL(prlimit64), CALL(prctl), CALL(uname), CALL(sysinfo), CALL(umask), CALL(ppoll),
        CALL(clock_gettime), CALL(clock_nanosleep), CALL(nanosleep), CALL(futex), CALL(clone), CALL(clone3),
        CALL(wait4), CALL(waitid), CALL(exit), CALL(exit_group), CALL(sched_yield),
#ifdef SYS_renameat
        ON_PATH(renameat, 1),
#endif
#ifdef SYS_open /* what newer architectures leave out */
        ON_PATH(open, 0), ON_PATH(stat, 0), ON_PATH(lstat, 0), ON_PATH(access, 0), ON_PATH(unlink, 0), ON_PATH(mkdir, 0),
        ON_PATH(rename, 0), ON_PATH(rmdir, 0), ON_PATH(link, 0), ON_PATH(readlink, 0),
        ON_FD(epoll_wait), CALL(poll), CALL(pipe), CALL(fork), CALL(vfork), CALL(arch_prctl),
#endif
};

const struct call *call_by_number(long number) {
        for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
                if (calls[i].number == number)
                        return &calls[i];
        return NULL;
}

const struct call *call_by_name(const char *name) {
        for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
                if (strcmp(calls[i].name, name) == 0)
                        return &calls[i];
        return NULL;
}
