"""A proxy that stands between a client and the real API server, and misbehaves on request.

    with FaultProxy(server, ca_file) as proxy:
        proxy.add(Reply(429, {"Retry-After": "1"}, "slow down"), method="PATCH", times=1)
        ...                       # the client uses proxy.server and proxy.ca_file
        proxy.wait_for(lambda request: request.method == "PATCH")
        proxy.requests            # all that came, in order

Each request goes through one rule at most: the first that fits and has times left. One that none
fits goes through proxy.otherwise(request), which returns a Fault: by default, nothing happens to it.
"""

import contextlib
import dataclasses
import http.client
import http.server
import json
import pathlib
import socket
import ssl
import struct
import subprocess
import tempfile
import threading


class Fault:
    """What happens to a request instead of, or around, its forwarding."""

    def handle(self, handler, forward):
        if handler.is_watch:
            handler.stream()
        else:
            handler.answer(*forward())


@dataclasses.dataclass
class Reply(Fault):
    """Answers itself; the server never sees the request."""

    status: int
    headers: dict = dataclasses.field(default_factory=dict)
    body: str = ""

    def handle(self, handler, forward):
        handler.answer(self.status, self.headers, self.body.encode())


class LoseReply(Fault):
    """The server gets the request, the client no answer."""

    def handle(self, handler, forward):
        forward()
        handler.cut()


class LoseRequest(Fault):
    """The connection ends before the server sees anything."""

    def handle(self, handler, forward):
        handler.cut()


class Truncate(Fault):
    """Half the reply's body, then the connection ends."""

    def handle(self, handler, forward):
        status, headers, body = forward()
        handler.answer(status, headers, body[: len(body) // 2], length=len(body))
        handler.cut()


@dataclasses.dataclass
class Cut(Fault):
    """That part (0 to 1) of the reply's bytes, status line and headers included; then the end."""

    part: float

    def handle(self, handler, forward):
        reply = handler.render(*forward())
        handler.send(reply[: int(len(reply) * self.part)])
        handler.cut()


@dataclasses.dataclass
class Pieces(Fault):
    """The reply in so many segments of its own each."""

    pieces: int

    def handle(self, handler, forward):
        status, headers, body = forward()
        reply = handler.render(status, headers, body)
        size = max(1, len(reply) // self.pieces)
        handler.request_record.status = status
        for start in range(0, len(reply), size):
            handler.send(reply[start: start + size])


@dataclasses.dataclass
class Reset(Fault):
    """RST instead of a reply; the server got the request when forwards is true."""

    forwards: bool = False

    def handle(self, handler, forward):
        if self.forwards:
            forward()
        handler.reset()


class Twice(Fault):
    """The server gets the request twice, the client the first answer or the second."""

    def __init__(self, answer=0):
        self.answer = answer

    def handle(self, handler, forward):
        handler.answer(*(forward(), forward())[self.answer])


class Late(Fault):
    """Passes the request on, and a copy of it when deliver() is called; keeps what the copy came to."""

    def __init__(self):
        self.forward, self.status = None, None

    def handle(self, handler, forward):
        self.forward = forward
        handler.answer(*forward())

    def deliver(self):
        self.status, _, body = self.forward()
        return body


@dataclasses.dataclass
class CutStream(Fault):
    """Of a watch: so many bytes of its lines, then the end of the connection."""

    size: int

    def handle(self, handler, forward):
        handler.stream(self.size)


class Hold(Fault):
    """Answers nothing until release() is called, or some seconds have passed; then forwards as if
    nothing had been, or does what another fault does."""

    def __init__(self, seconds=None, then=None):
        self.released = threading.Event()
        self.seconds, self.then = seconds, then or Fault()

    def release(self):
        self.released.set()

    def handle(self, handler, forward):
        self.released.wait(self.seconds)
        self.then.handle(handler, forward)


@dataclasses.dataclass
class Request:
    method: str
    path: str  # without the query
    query: str
    headers: dict
    body: object  # parsed JSON, or None
    status: int | None = None  # of the answer that the client got


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def render(self, status, headers, body, length=None):
        """The bytes of a reply; length is what its header says."""
        reason = http.HTTPStatus(status).phrase
        lines = [f"{self.protocol_version} {status} {reason}"]
        lines += [f"{name}: {value}" for name, value in headers.items()
                  if name.lower() not in ("content-length", "transfer-encoding", "connection")]
        lines.append(f"Content-Length: {len(body) if length is None else length}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body

    def send(self, data):
        self.wfile.write(data)
        self.wfile.flush()

    def answer(self, status, headers, body, length=None):
        self.request_record.status = status
        self.send(self.render(status, headers, body, length))

    def cut(self):
        self.close_connection = True

    def reset(self):
        self.cut()
        _reset(self.connection)

    def stream(self, size=None):
        """A watch: what comes goes on at once, until one of the two ends, or so many bytes have gone."""
        proxy = self.server.proxy
        connection = http.client.HTTPSConnection(proxy.host, proxy.port, context=proxy.context)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        proxy._streams.append(connection)
        try:
            connection.request("GET", self.path, headers=headers)
            reply = connection.getresponse()
            if reply.status != 200:
                self.answer(reply.status, dict(reply.getheaders()), reply.read())
                return
            self.request_record.status = reply.status
            self.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
            while line := reply.readline():
                self._send_chunk(line[:size])
                size = None if size is None else size - len(line)
                if size is not None and size <= 0:
                    self.cut()
                    return
            self._send_chunk(b"")
        finally:
            connection.close()

    def _send_chunk(self, data):
        self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _forwarder(self, body):
        """What sends this very request to the server, whenever and as often as it is called."""
        proxy, method, path = self.server.proxy, self.command, self.path
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}

        def forward():
            connection = http.client.HTTPSConnection(proxy.host, proxy.port, context=proxy.context)
            try:
                connection.request(method, path, body=body, headers=headers)
                reply = connection.getresponse()
                return reply.status, dict(reply.getheaders()), reply.read()
            finally:
                connection.close()

        return forward

    def _serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, query = self.path.partition("?")
        self.request_record = Request(self.command, path, query, dict(self.headers),
                                      json.loads(body) if body else None)
        self.is_watch = "watch=true" in query
        if self.server.proxy._refuses():  # on a connection from before
            self.reset()
            return
        fault = self.server.proxy._take(self.request_record)
        try:
            fault.handle(self, self._forwarder(body))
        except (OSError, http.client.HTTPException):
            self.cut()
        self.server.proxy._answered()

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve


def _reset(connection):
    """Ends a connection as a router does that has forgotten it: RST, no FIN (socket(7), SO_LINGER)."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    socket.close(connection.detach())


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def process_request(self, request, client_address):
        if self.proxy._refuses():
            _reset(request)
        else:
            super().process_request(request, client_address)

    def handle_error(self, *_):
        pass  # a client that leaves is part of the tests


class _Server6(_Server):
    address_family = socket.AF_INET6


class FaultProxy:
    def __init__(self, server, ca_file, names="IP:127.0.0.1", address="127.0.0.1", wants_client_cert=False):
        """wants_client_cert: only who shows ca_file with its key as client certificate gets in."""
        self.host, port = server.removeprefix("https://").rsplit(":", 1)
        self.port = int(port)
        self.context = ssl.create_default_context(cafile=str(ca_file))
        self.names, self.address = names, address
        self.wants_client_cert = wants_client_cert
        self.requests = []
        self.otherwise = lambda request: Fault()
        self.is_down = False  # resets each new connection before TLS, and an old one when it is used
        self.refused = 0      # such attempts, while it was down
        self._streams = []
        self._rules = []
        self._changed = threading.Condition()

    def __enter__(self):
        self._directory = tempfile.TemporaryDirectory()
        directory = pathlib.Path(self._directory.name)
        self.ca_file, self.key_file = directory / "cert.pem", directory / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                        "-nodes", "-days", "2", "-subj", "/CN=proxy", "-addext", f"subjectAltName={self.names}",
                        "-keyout", self.key_file, "-out", self.ca_file], check=True, capture_output=True)
        self._http = (_Server6 if ":" in self.address else _Server)((self.address, 0), _Handler)
        self._http.proxy = self
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca_file, self.key_file)
        if self.wants_client_cert:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.ca_file)
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,))
        self._thread.start()
        host = f"[{self.address}]" if ":" in self.address else self.address
        self.server = f"https://{host}:{self._http.server_port}"
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        for connection in self._streams:  # a watch that nothing happens to would stay for half an hour
            if connection.sock:
                with contextlib.suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._http.server_close()
        self._directory.cleanup()

    def add(self, fault, method=None, path="", times=None):
        """fault happens to the next `times` requests (None: to all) of that method whose path contains path."""
        with self._changed:
            self._rules.append([fault, method, path, times])
        return fault

    def clear(self):
        with self._changed:
            self._rules.clear()

    def _take(self, request):
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
            for rule in self._rules:
                fault, method, path, times = rule
                if method in (None, request.method) and path in request.path and times != 0:
                    rule[3] = times and times - 1
                    return fault
            return self.otherwise(request)

    def _refuses(self):
        with self._changed:
            self.refused += self.is_down
            self._changed.notify_all()
            return self.is_down

    def _answered(self):
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, condition, n=1):
        """Waits until n requests have come that fulfil the condition; returns the n-th."""
        with self._changed:
            self._changed.wait_for(lambda: sum(map(condition, self.requests)) >= n)
            return [request for request in self.requests if condition(request)][n - 1]

    def wait_for_change(self, seconds):
        """Until something comes, a refused connection counts, or the time is over."""
        with self._changed:
            self._changed.wait(seconds)

    def of(self, method):
        with self._changed:
            return [request for request in self.requests if request.method == method]
