"""Real small HTTP servers on loopback that stand for containers, and endpoints that name them."""

import json
import socket
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from sagedock.local.hosting.records import HostingRecords
from sagedock.local.hosting.values import Endpoint, EndpointStatus, Hop, Route
from sagedock.local.process import Owner
from sagedock.local.settings import LocalSettings


class Container:
    """A server: `answer(request)` gives (status, headers, body); body may be an iterator, which is
    sent in chunks. `seen` are the requests, as (path, headers, body)."""

    def __init__(self, answer=lambda request: (200, {}, request.body), port=0):
        container = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                container.seen.append((self.path, self.headers, self.body))
                status, headers, body = container.answer(self)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if isinstance(body, bytes):
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                else:
                    self._chunks(body)

            do_GET = do_DELETE = do_POST

            def _chunks(self, parts):
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for part in parts:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                self.wfile.write(b"0\r\n\r\n")

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def get_request(self):
                connection, address = super().get_request()
                container.connections.append(connection)
                return connection, address

            def handle_error(self, *_):
                pass

        self.answer, self.seen, self.connections = answer, [], []
        self._server = Server(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def hop(self, name="container_1", **members):
        return Hop(name=name, host="127.0.0.1", port=self.port, **members)

    def drop_connections(self):
        """As a server does with connections that were idle for long."""
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.connections.clear()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self.drop_connections()


class MultiModelContainer(Container):
    """D5: loads models from `folder`, as many as there is `room` for."""

    def __init__(self, folder: Path, room=100):
        super().__init__(self._answer)
        self.folder, self.room, self.loaded, self.order = folder, room, {}, []
        self.lock = threading.Lock()

    def _answer(self, request):
        with self.lock:
            return self._answered(request)

    def _answered(self, request):
        parts = request.path.split("/")[2:]
        if not parts:
            return self._load(json.loads(request.body))
        if parts[0] not in self.loaded:
            return 404, {}, b"not loaded"
        if request.command == "DELETE":
            del self.loaded[parts[0]]
        if request.command == "POST":
            return self.invoked(self.loaded[parts[0]], request.body)
        return 200, {}, b"{}"

    def invoked(self, words, body):
        return 200, {}, words + b":" + body

    def _load(self, document):
        name = document["model_name"]
        assert document["url"] == f"/opt/ml/models/{name}/model"
        if name in self.loaded:
            return 409, {}, b""
        if len(self.loaded) >= self.room:
            return 507, {}, b"no memory"
        path = self.folder / name / "model" / "words.txt"
        if not path.is_file():
            return 500, {}, b"no words.txt"
        self.loaded[name] = path.read_bytes()
        self.order.append(name)
        return 200, {}, b"{}"


class World:
    """A data folder with endpoints in it."""

    def __init__(self, folder: Path):
        self.settings = LocalSettings.from_environment({}, data=folder)
        self.records = HostingRecords(folder)

    def route(self, *hops, variant="v", instance="i-1", weight=1.0, **members):
        return Route(variant=variant, instance=instance, weight=weight, hops=hops, **members)

    def endpoint(self, *routes, name="e", variants=({"VariantName": "v"},), **request):
        """An endpoint InService with these routes."""
        now = time.time()
        self.records.add(
            Endpoint(
                name=name, arn=f"arn:{name}", created=now, modified=now,
                status=EndpointStatus.CREATING, config="c", owner=Owner.me(),
                request={"ProductionVariants": list(variants), **request},
            )
        )  # fmt: skip
        self.records.in_service(name, routes)

    def close(self):
        self.records.close()
