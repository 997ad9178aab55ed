"""As much of an API server as it takes to request a stop: one Result, over plain HTTP on this machine."""

import http.server
import json
import threading

UID = "11111111-2222-3333-4444-555555555555"


class Api:
    def __init__(self):
        self.result, self.version = None, 1
        self.lock = threading.Condition()
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.answer(api.result if "/results/" in self.path else None)

            def do_POST(self):
                self.answer(api.create(self.body()), 201)

            def do_PATCH(self):
                self.answer(*api.patch(self.body()))

            def body(self):
                return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

            def answer(self, thing, code=200):
                if thing is None:
                    code, thing = 404, {"kind": "Status", "code": 404, "reason": "NotFound", "message": "not found"}
                data = json.dumps(thing).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def put(self, result, **metadata):
        self.version += 1
        self.result = {**result, "metadata": {**result["metadata"], "resourceVersion": str(self.version), **metadata}}
        self.lock.notify_all()
        return self.result

    def create(self, result):
        with self.lock:
            return self.put(result, uid=UID, generation=1)

    def patch(self, patch):
        with self.lock:
            if self.result is None:
                return None, 404
            if patch["metadata"].get("resourceVersion") not in (None, str(self.version)):
                return {"kind": "Status", "code": 409, "reason": "Conflict", "message": "it was changed"}, 409
            return self.put({**self.result, "status": patch["status"]}), 200

    def request_stop(self, reason):
        """The agent's next report meets a version that it has not seen, so that it looks."""
        with self.lock:
            self.lock.wait_for(lambda: self.result is not None)
            self.put({**self.result, "spec": {"stop": {"requested": True, "reason": reason}}}, generation=2)

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
