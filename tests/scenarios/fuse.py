"""A file system of the test's own: shows a directory through FUSE, and misbehaves on request.

    with Fuse(backing, mountpoint) as fuse:
        fuse.stale[name] = 100          # stat(2) says that it has 100 bytes, whatever it has
        fuse.read_bytes = 7             # no read(2) returns more
        fuse.write_bytes = 10           # no write(2) takes more
        fuse.fail = lambda call, path: errno.EIO if call == "fsync" else 0
        fuse.told = lambda call, path: …    # called after each call that succeeded

What is changed in `backing` changes here without any event of inotify, as on NFS. Nothing is cached,
so each system call of the agent is a request. The protocol is that of linux/fuse.h, version 7.31.
"""

import errno
import os
import struct
import threading

from scenarios.tools import mount, unmount

_LOOKUP, _FORGET, _GETATTR, _SETATTR, _READLINK, _SYMLINK = 1, 2, 3, 4, 5, 6
_MKDIR, _UNLINK, _RMDIR, _RENAME, _LINK, _OPEN, _READ, _WRITE = 9, 10, 11, 12, 13, 14, 15, 16
_STATFS, _RELEASE, _FSYNC, _FLUSH, _INIT, _OPENDIR, _READDIR, _RELEASEDIR, _FSYNCDIR = 17, 18, 20, 25, 26, 27, 28, 29, 30
_CREATE, _INTERRUPT, _DESTROY, _BATCH_FORGET, _RENAME2 = 35, 36, 38, 42, 45
_NO_REPLY = {_FORGET, _BATCH_FORGET, _INTERRUPT}

_HEADER = struct.Struct("<IIQQIIII")
_ATTRIBUTES = struct.Struct("<QQQQQQIIIIIIIIII")
_FOPEN_DIRECT_IO = 1
_FATTR_SIZE = 1 << 3


def _attributes(status, size):
    nanoseconds = [status.st_atime_ns, status.st_mtime_ns, status.st_ctime_ns]
    return _ATTRIBUTES.pack(status.st_ino, size, status.st_blocks, *(t // 10**9 for t in nanoseconds),
                            *(t % 10**9 for t in nanoseconds), status.st_mode, status.st_nlink, status.st_uid,
                            status.st_gid, 0, 4096, 0)


def _name(data):
    return os.fsdecode(data.split(b"\0")[0])


class Fuse:
    def __init__(self, backing, mountpoint):
        self.backing, self.mountpoint = str(backing), str(mountpoint)
        self.stale = {}
        self.read_bytes = self.write_bytes = 1 << 17
        self.fail = lambda call, path: 0
        self.told = lambda call, path: None
        self._paths = {1: ""}
        self._nodes = {"": 1}
        self._error = None
        for path in (backing, mountpoint):
            os.makedirs(path, exist_ok=True)

    def __enter__(self):
        self._device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        mount("fuse", self.mountpoint, "fuse.test",
              f"fd={self._device},rootmode=40000,user_id=0,group_id=0,allow_other")
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        unmount(self.mountpoint)
        os.close(self._device)
        if self._error:
            raise self._error

    # --- nodes ---

    def _real(self, path):
        return os.path.join(self.backing, path) if path else self.backing

    def _child(self, node, name):
        return os.path.join(self._paths[node], name)

    def _node(self, path):
        if path not in self._nodes:
            self._nodes[path] = len(self._paths) + 1
            self._paths[self._nodes[path]] = path
        return self._nodes[path]

    def _stat(self, path):
        status = os.lstat(self._real(path))
        return _attributes(status, self.stale.get(os.path.basename(path), status.st_size))

    def _entry(self, path):
        attributes = self._stat(path)
        return struct.pack("<QQQQII", self._node(path), 0, 0, 0, 0, 0) + attributes

    def _moved(self, old, new):
        """The node goes with the name; what was called so before is another's."""
        gone = self._nodes.pop(new, None)
        if gone:
            self._paths[gone] = new + " (replaced)"
        node = self._nodes.pop(old, None)
        if node:
            self._nodes[new], self._paths[node] = node, new

    # --- calls: each returns the reply's bytes ---

    def _do_init(self, node, data):
        (_, minor, readahead, _) = struct.unpack_from("<IIII", data)
        return struct.pack("<IIIIHHIIHHII", 7, min(minor, 31), readahead, 0, 12, 10, 1 << 17, 1, 0, 0, 0, 0) + bytes(24)

    def _do_lookup(self, node, data):
        return self._entry(self._child(node, _name(data)))

    def _do_getattr(self, node, data):
        flags, _, handle = struct.unpack_from("<IIQ", data)
        path = self._paths[node]
        if flags & 1:  # FUSE_GETATTR_FH: of an open file, which may have no name any more
            status = os.fstat(handle)
            size = self.stale.get(os.path.basename(path), status.st_size)
            return struct.pack("<QII", 0, 0, 0) + _attributes(status, size)
        return struct.pack("<QII", 0, 0, 0) + self._stat(path)

    def _do_setattr(self, node, data):
        valid, _, _, size = struct.unpack_from("<IIQQ", data)
        if valid & _FATTR_SIZE:
            os.truncate(self._real(self._paths[node]), size)
        return struct.pack("<QII", 0, 0, 0) + self._stat(self._paths[node])

    def _do_readlink(self, node, data):
        return os.fsencode(os.readlink(self._real(self._paths[node])))

    def _do_mkdir(self, node, data):
        path = self._child(node, _name(data[8:]))
        os.mkdir(self._real(path), struct.unpack_from("<I", data)[0])
        return self._entry(path)

    def _do_unlink(self, node, data):
        path = self._child(node, _name(data))
        os.unlink(self._real(path))
        self._moved(path, path + " (deleted)")
        return b""

    def _do_rmdir(self, node, data):
        os.rmdir(self._real(self._child(node, _name(data))))
        return b""

    def _rename(self, node, directory, names):
        old, new = (os.fsdecode(name) for name in names.split(b"\0")[:2])
        old, new = self._child(node, old), self._child(directory, new)
        os.rename(self._real(old), self._real(new))
        self._moved(old, new)
        return b""

    def _do_rename(self, node, data):
        return self._rename(node, *struct.unpack_from("<Q", data), data[8:])

    def _do_rename2(self, node, data):
        return self._rename(node, *struct.unpack_from("<Q", data), data[16:])

    def _do_open(self, node, data):
        (flags, _) = struct.unpack_from("<II", data)
        handle = os.open(self._real(self._paths[node]), flags & ~(os.O_DIRECT | os.O_NOFOLLOW) | os.O_CLOEXEC)
        return struct.pack("<QII", handle, _FOPEN_DIRECT_IO, 0)

    def _do_create(self, node, data):
        flags, mode, _, _ = struct.unpack_from("<IIII", data)
        path = self._child(node, _name(data[16:]))
        handle = os.open(self._real(path), flags | os.O_CREAT | os.O_CLOEXEC, mode)
        return self._entry(path) + struct.pack("<QII", handle, _FOPEN_DIRECT_IO, 0)

    def _do_read(self, node, data):
        handle, offset, size = struct.unpack_from("<QQI", data)
        return os.pread(handle, min(size, self.read_bytes), offset)

    def _do_write(self, node, data):
        handle, offset, size = struct.unpack_from("<QQI", data)
        return struct.pack("<II", os.pwrite(handle, data[40:40 + min(size, self.write_bytes)], offset), 0)

    def _do_fsync(self, node, data):
        return b""

    _do_fsyncdir = _do_flush = _do_destroy = _do_fsync

    def _do_release(self, node, data):
        os.close(struct.unpack_from("<Q", data)[0])
        return b""

    def _do_opendir(self, node, data):
        return struct.pack("<QII", 0, 0, 0)

    _do_releasedir = _do_fsync

    def _do_readdir(self, node, data):
        _, offset, size = struct.unpack_from("<QQI", data)
        names = [".", "..", *sorted(os.listdir(self._real(self._paths[node])))]
        reply = b""
        for i, name in enumerate(names[offset:], offset + 1):
            encoded = os.fsencode(name)
            entry = struct.pack("<QQII", i, i, len(encoded), 0) + encoded + bytes(-len(encoded) % 8)
            if len(reply) + len(entry) > size:
                break
            reply += entry
        return reply

    def _do_statfs(self, node, data):
        status = os.statvfs(self.backing)
        return struct.pack("<QQQQQIIII", status.f_blocks, status.f_bfree, status.f_bavail, status.f_files,
                           status.f_ffree, status.f_bsize, status.f_namemax, status.f_frsize, 0) + bytes(24)

    _CALLS = {_LOOKUP: "lookup", _GETATTR: "getattr", _SETATTR: "setattr", _READLINK: "readlink", _MKDIR: "mkdir",
              _UNLINK: "unlink", _RMDIR: "rmdir", _RENAME: "rename", _RENAME2: "rename2", _OPEN: "open",
              _READ: "read", _WRITE: "write", _STATFS: "statfs", _RELEASE: "release", _FSYNC: "fsync",
              _FLUSH: "flush", _INIT: "init", _OPENDIR: "opendir", _READDIR: "readdir", _RELEASEDIR: "releasedir",
              _FSYNCDIR: "fsyncdir", _CREATE: "create", _DESTROY: "destroy"}

    def _answer(self, opcode, node, data):
        """(error, reply) of one request."""
        call = self._CALLS.get(opcode)
        if not call:
            return errno.ENOSYS, b""
        path = self._paths.get(node, "")
        if call in ("create", "unlink"):
            path = self._child(node, _name(data[16:] if call == "create" else data))
        error = self.fail(call, path)
        if error:
            return error, b""
        try:
            reply = getattr(self, f"_do_{call}")(node, data)
        except OSError as failure:
            return failure.errno, b""
        self.told(call, path)
        return 0, reply

    def _serve(self):
        while True:
            try:
                request = os.read(self._device, 1 << 18)
            except OSError as error:
                if error.errno in (errno.ENODEV, errno.EBADF):
                    return  # unmounted
                continue    # interrupted, or the request is gone
            _, opcode, unique, node, *_ = _HEADER.unpack_from(request)
            try:
                error, reply = self._answer(opcode, node, request[_HEADER.size:])
            except Exception as failure:  # ours: the test has to hear of it, and the agent to go on
                self._error = failure
                error, reply = errno.EIO, b""
            if opcode in _NO_REPLY:
                continue
            try:
                os.write(self._device, struct.pack("<IiQ", 16 + len(reply), -error, unique) + reply)
            except OSError:
                pass  # whoever asked is gone
