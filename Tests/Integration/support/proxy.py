"""An engine that can be made to misbehave: a real one behind a socket of the tests' own."""

import json
import os
import socket
import threading

_LIMIT = 1 << 20


class Request:
    """What the executor asked, before it is passed on."""

    def __init__(self, head, body):
        self.lines = head.split(b"\r\n")
        self.method, self.target, _ = self.lines[0].decode("latin-1").split(" ", 2)
        self.body = body

    @property
    def path(self):
        """The path without its version and its query."""
        path = self.target.split("?", 1)[0]
        first, _, rest = path[1:].partition("/")
        return "/" + rest if first.startswith("v1.") else path

    @property
    def version(self):
        """The API version that the request names, or None."""
        first = self.target[1:].split("/", 1)[0]
        return first[1:] if first.startswith("v1.") else None

    def is_(self, method, start="", end=""):
        return self.method == method and self.path.startswith(start) and self.path.endswith(end)

    def encoded(self, version):
        target = self.target if self.version is None else self.target.replace("/v" + self.version, "/v" + version, 1)
        fields = [line for line in self.lines[1:] if line and not line.lower().startswith(b"connection:")]
        head = [f"{self.method} {target} HTTP/1.1".encode("latin-1"), *fields, b"Connection: close"]
        return b"\r\n".join(head) + b"\r\n\r\n" + self.body


class Proxy:
    """Passes requests on to an engine, one a connection, except for what a test wants otherwise.

    `before(request)` is called with each and says what becomes of it: None passes it on, "hang" never answers, "close"
    ends the connection, and (status, object) is the answer. `answer(request, object)` may change a JSON answer. With
    `version` the engine claims to speak that version of the API, and `oldest` at least.
    """

    ENGINE_VERSION = "1.41"

    def __init__(self, engine, path, before=None, answer=None, version=None, oldest="1.24"):
        self.engine = engine
        self.socket = path
        self.before = before or (lambda request: None)
        self.answer = answer
        self.version = version
        self.oldest = oldest
        self.requests = []
        self._stopped = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(64)
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self):
        self._stopped.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        os.unlink(self.socket)

    def seen(self, method, start="", end=""):
        return [request for request in self.requests if request.is_(method, start, end)]

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._attend, args=(connection,), daemon=True).start()

    def _attend(self, connection):
        with connection:
            try:
                request = self._read(connection)
                if request is not None:
                    self.requests.append(request)
                    self._act(connection, request)
            except OSError:
                pass

    @staticmethod
    def _read(connection):
        received = b""
        while b"\r\n\r\n" not in received:
            piece = connection.recv(65536)
            if not piece or len(received) > _LIMIT:
                return None
            received += piece
        head, _, body = received.partition(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n")
                       if line.lower().startswith(b"content-length:")), 0)
        while len(body) < length:
            body += connection.recv(65536)
        return Request(head, body)

    def _act(self, connection, request):
        action = self.before(request)
        if action == "hang":
            self._stopped.wait()
        elif action == "close":
            pass
        elif action is not None:
            self._reply(connection, *action)
        elif self.version and request.version and self._number(request.version) < self._number(self.oldest):
            self._reply(connection, 400, {"message": f"client version {request.version} is too old. Minimum supported "
                                                     f"API version is {self.oldest}"})
        else:
            self._forward(connection, request)

    @staticmethod
    def _number(version):
        return tuple(int(part) for part in version.split("."))

    def _reply(self, connection, status, value, extra=b""):
        body = b"" if value is None else json.dumps(value).encode()
        connection.sendall(f"HTTP/1.1 {status} Scripted\r\nContent-Type: application/json\r\nConnection: close\r\n"
                           f"Content-Length: {len(body)}\r\n".encode() + extra + b"\r\n" + body)

    def _forward(self, connection, request):
        with socket.socket(socket.AF_UNIX) as upstream:
            upstream.connect(self.engine.socket)
            upstream.sendall(request.encoded(self.ENGINE_VERSION))
            if self.version and request.path in ("/_ping", "/version"):
                return self._introduce(connection, request)
            if self.answer and request.method == "GET" and request.path.endswith("/json"):
                return self._rewrite(connection, request, upstream)
            while piece := upstream.recv(65536):
                connection.sendall(piece)

    def _introduce(self, connection, request):
        if request.path == "/_ping":
            extra = f"Api-Version: {self.version}\r\nOstype: linux\r\n".encode()
            return self._reply(connection, 200, None, extra)
        return self._reply(connection, 200, {
            "Version": "test", "ApiVersion": self.version, "MinAPIVersion": self.oldest, "Os": "linux", "Arch": "amd64"})

    def _rewrite(self, connection, request, upstream):
        received = b""
        while piece := upstream.recv(65536):
            received += piece
        head, _, body = received.partition(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        if b"chunked" in head.lower():
            body = self._unchunked(body)
        self._reply(connection, status, self.answer(request, json.loads(body)))

    @staticmethod
    def _unchunked(body):
        whole = b""
        while True:
            size, _, rest = body.partition(b"\r\n")
            count = int(size, 16)
            if count == 0:
                return whole
            whole, body = whole + rest[:count], rest[count + 2:]
