"""A registry of the tests' own that answers as registries should not, and keeps what it was asked."""

import hashlib
import http.server
import json
import socket
import ssl
import threading
import time

OCI = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class FaultyRegistry:
    """Serves documents and blobs by digest and by tag.

    `answer` is called with the request's handler before anything is served; when it returns true it has answered itself.
    """

    def __init__(self, image=None, name="team/app", tls=None):
        self.name = name
        self.documents = {}
        self.blobs = {}
        self.requests = []
        self.answer = lambda handler: False
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                registry.requests.append((self.path, dict(self.headers)))
                try:
                    if not registry.answer(self):
                        registry.serve(self)
                except (BrokenPipeError, ConnectionResetError):
                    pass

            def do_POST(self):
                self.body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                self.do_GET()

            def reply(self, status, body=b"", fields=(), length=None):
                self.send_response(status)
                for key, value in fields:
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(body) if length is None else length))
                self.end_headers()
                self.wfile.write(body)
                if length is not None:
                    self.close_connection = True

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            # What a client gives up is no news.
            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.address = "127.0.0.1:%d" % self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()
        if image:
            self.digest = self.add(image)

    def add(self, image, tag="1"):
        """Takes an image; returns its manifest's digest."""
        def described(data, media_type):
            self.blobs[digest_of(data)] = data
            return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}

        manifest = {
            "schemaVersion": 2, "mediaType": OCI,
            "config": described(image.configuration, "application/vnd.oci.image.config.v1+json"),
            "layers": [described(layer.blob, layer.media_type) for layer in image.layers],
        }
        return self.put(json.dumps(manifest).encode(), OCI, tag)

    def put(self, data, media_type, tag="1"):
        self.documents[tag] = self.documents[digest_of(data)] = (data, media_type)
        return digest_of(data)

    def announce(self, tag, *sizes):
        """An image of layers of these sizes that nobody has; returns its reference, and their digests, which are made up."""
        digests = [digest_of(f"{tag} {number}".encode()) for number in range(len(sizes))]
        config = json.dumps({
            "architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": digests}}).encode()
        self.blobs[digest_of(config)] = config
        self.put(json.dumps({
            "schemaVersion": 2, "mediaType": OCI,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(config), "size": len(config)},
            "layers": [
                {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": size}
                for digest, size in zip(digests, sizes)],
        }).encode(), OCI, tag)
        return self.named(tag), digests

    def named(self, tag):
        return f"{self.address}/{self.name}:{tag}"

    @property
    def reference(self):
        return self.named("1")

    def asked(self, word):
        return [(path, fields) for path, fields in self.requests if word in path]

    def serve(self, handler):
        kind, _, name = handler.path.removeprefix(f"/v2/{self.name}/").partition("/")
        if kind == "manifests" and name in self.documents:
            data, media_type = self.documents[name]
            return handler.reply(200, data, [("Content-Type", media_type), ("Docker-Content-Digest", digest_of(data))])
        if kind == "blobs" and name in self.blobs:
            data = self.blobs[name]
            start = self.start(handler)
            if start:
                return handler.reply(206, data[start:], [("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")])
            return handler.reply(200, data)
        return handler.reply(404, b'{"errors":[{"code":"NAME_UNKNOWN","message":"no such thing"}]}')

    @staticmethod
    def start(handler):
        """The first byte that is asked for."""
        return int(handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))

    @staticmethod
    def hang(handler, seconds=60):
        """Says nothing more until the other side has gone."""
        handler.close_connection = True
        deadline = time.monotonic() + seconds
        handler.connection.settimeout(0.1)
        while time.monotonic() < deadline:
            try:
                if not handler.connection.recv(1, socket.MSG_PEEK):
                    return
            except TimeoutError:
                pass
            except OSError:
                return

    @staticmethod
    def flood(handler, size=None):
        """Sends zeros, so many or without end."""
        handler.send_response(200)
        handler.send_header("Connection", "close")
        if size is not None:
            handler.send_header("Content-Length", str(size))
        handler.end_headers()
        handler.close_connection = True
        zeros = bytes(1 << 20)
        try:
            while size is None or size > 0:
                handler.wfile.write(zeros if size is None else zeros[:size])
                size = None if size is None else size - len(zeros)
        except OSError:
            # Who asked has heard enough.
            pass

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
