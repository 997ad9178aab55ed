"""A proxy that stands between a client and the real API server, and misbehaves on request.

    with FaultProxy(server, ca_file) as proxy:
        proxy.add(Reply(429, {"Retry-After": "1"}, "slow down"), method="PATCH", times=1)
        ...                       # the client uses proxy.server and proxy.ca_file
        proxy.wait_for(lambda request: request.method == "PATCH")
        proxy.requests            # all that came, in order

Each request goes through one rule at most: the first that fits and has times left.
"""

import dataclasses
import http.client
import http.server
import json
import pathlib
import socket
import ssl
import subprocess
import tempfile
import threading


class Fault:
    """What happens to a request instead of, or around, its forwarding."""

    def handle(self, handler, forward):
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


class Hold(Fault):
    """Answers nothing until release() is called; then forwards as if nothing had been."""

    def __init__(self):
        self.released = threading.Event()

    def release(self):
        self.released.set()

    def handle(self, handler, forward):
        self.released.wait()
        handler.answer(*forward())


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

    def answer(self, status, headers, body, length=None):
        self.request_record.status = status
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def cut(self):
        self.close_connection = True

    def _forward(self, body):
        proxy = self.server.proxy
        connection = http.client.HTTPSConnection(proxy.host, proxy.port, context=proxy.context)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            connection.request(self.command, self.path, body=body, headers=headers)
            reply = connection.getresponse()
            return reply.status, dict(reply.getheaders()), reply.read()
        finally:
            connection.close()

    def _serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, query = self.path.partition("?")
        self.request_record = Request(self.command, path, query, dict(self.headers),
                                      json.loads(body) if body else None)
        fault = self.server.proxy._take(self.request_record)
        try:
            fault.handle(self, lambda: self._forward(body))
        except OSError:
            self.cut()
        self.server.proxy._answered()

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

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
        return Fault()

    def _answered(self):
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, condition, n=1):
        """Waits until n requests have come that fulfil the condition; returns the n-th."""
        with self._changed:
            self._changed.wait_for(lambda: sum(map(condition, self.requests)) >= n)
            return [request for request in self.requests if condition(request)][n - 1]

    def of(self, method):
        with self._changed:
            return [request for request in self.requests if request.method == method]
