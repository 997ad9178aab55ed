"""How system calls fail: for each the errors of its manual page (man-pages 6.03, section 2) that may come
without a mistake of the caller's."""

SHORT = "SHORT"  # fewer bytes than were asked for: a success that is not all of it

FAILURES = {
    "accept4": ("EINTR", "ECONNABORTED", "EMFILE", "ENFILE", "ENOMEM"),
    "access": ("EACCES", "EIO", "ENOENT", "ENOMEM"),
    "bind": ("EACCES", "EADDRINUSE", "ENOENT", "ENOMEM", "EROFS"),
    "brk": ("ENOMEM",),
    "close": ("EINTR", "EIO", "ENOSPC"),
    "epoll_create1": ("EMFILE", "ENFILE", "ENOMEM"),
    "epoll_ctl": ("ENOMEM", "ENOSPC"),
    "epoll_wait": ("EINTR",),
    "epoll_pwait": ("EINTR",),
    "faccessat": ("EACCES", "EIO", "ENOENT", "ENOMEM"),
    "faccessat2": ("EACCES", "EIO", "ENOENT", "ENOMEM"),
    "fcntl": ("EAGAIN", "EINTR", "ENOLCK"),
    "fdatasync": ("EIO", "ENOSPC", "EDQUOT", "EINTR"),
    "flock": ("EINTR", "ENOLCK"),
    "fstat": ("ENOMEM",),
    "fstatfs": ("EINTR", "EIO", "ENOMEM"),
    "fsync": ("EIO", "ENOSPC", "EDQUOT", "EINTR"),
    "ftruncate": ("EINTR", "EIO"),
    "getdents64": ("ENOENT",),
    "getrandom": ("EINTR", "EAGAIN", "ENOSYS"),
    "inotify_add_watch": ("ENOSPC", "ENOMEM", "EACCES", "ENOENT"),
    "inotify_init1": ("EMFILE", "ENFILE", "ENOMEM"),
    "ioctl": ("EINVAL", "ENOTTY"),
    "linkat": ("EDQUOT", "EIO", "ENOMEM", "ENOSPC", "EPERM"),
    "listen": ("EADDRINUSE",),
    "madvise": ("EAGAIN", "ENOMEM"),
    "mkdir": ("EACCES", "EDQUOT", "ENOMEM", "ENOSPC", "EROFS"),
    "mkdirat": ("EACCES", "EDQUOT", "ENOMEM", "ENOSPC", "EROFS"),
    "mmap": ("EAGAIN", "ENOMEM"),
    "mremap": ("EAGAIN", "ENOMEM"),
    "munmap": ("ENOMEM",),
    "newfstatat": ("EACCES", "ENOENT", "ENOMEM"),
    "openat": ("EACCES", "EDQUOT", "EINTR", "EMFILE", "ENFILE", "ENOENT", "ENOMEM", "ENOSPC", "EROFS"),
    "prlimit64": ("EPERM",),
    "pread64": (SHORT, "EINTR", "EIO"),
    "pwrite64": (SHORT, "EDQUOT", "EINTR", "EIO", "ENOSPC"),
    "pwritev": ("EDQUOT", "EINTR", "EIO", "ENOSPC"),
    "readlink": ("EACCES", "EIO", "ENOENT", "ENOMEM"),
    "readlinkat": ("EACCES", "EIO", "ENOENT", "ENOMEM"),
    "recvfrom": ("EAGAIN", "EINTR", "ECONNRESET", "ENOMEM"),
    "read": (SHORT, "EAGAIN", "EINTR", "EIO"),
    "renameat": ("EACCES", "EDQUOT", "ENOMEM", "ENOSPC", "EROFS"),
    "sendto": (SHORT, "EAGAIN", "EINTR", "ECONNRESET", "ENOBUFS", "ENOMEM", "EPIPE"),
    "signalfd4": ("EMFILE", "ENFILE", "ENODEV", "ENOMEM"),
    "socket": ("EACCES", "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"),
    "statfs": ("EACCES", "EINTR", "EIO", "ENOENT", "ENOMEM"),
    "statx": ("EACCES", "ENOENT", "ENOMEM"),
    "unlink": ("EACCES", "EIO", "ENOENT", "ENOMEM", "EROFS"),
    "unlinkat": ("EACCES", "EIO", "ENOENT", "ENOMEM", "EROFS"),
    "write": (SHORT, "EAGAIN", "EDQUOT", "EINTR", "EIO", "ENOSPC"),
}

# The errors of these are mistakes of the caller's, or there are none.
DO_NOT_FAIL = {"exit_group", "getpid", "getuid", "geteuid", "lseek", "rt_sigaction", "rt_sigprocmask", "umask",
               "inotify_rm_watch"}


def flags(call, failure, k):
    """What makes the k-th of these calls fail in at_call."""
    how = ["--short"] if failure == SHORT else ["--fail", failure]
    return ["--calls", call, "--at", str(k), *how]
