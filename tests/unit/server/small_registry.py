"""A registry in this process, in place of the program that keeps images' bytes."""

import json
import re

from sagedock.server.http import Listener
from sagedock.server.messages import Response
from sagedock.server.registry.store import digest_of


class SmallRegistry:
    """As much of a registry as goes with one layer at a time; a Service, and what stands for the
    program that runs it."""

    def __init__(self) -> None:
        self.blobs, self.manifests, self.garbage = {}, {}, False
        self._listener = Listener(("127.0.0.1", 0), self)
        self._listener.start()

    @property
    def address(self):
        return "127.0.0.1", self._listener.server_port

    def has_garbage(self) -> None:
        self.garbage = True

    def close(self) -> None:
        self._listener.shutdown()
        self._listener.server_close()

    def __call__(self, asked):
        kind, _, rest = re.split("/(?=manifests/|blobs/)", asked.path)[1].partition("/")
        if kind == "manifests":
            return self._manifest(asked, rest)
        if asked.method == "POST":
            return Response(status=202, headers={"Location": f"{asked.path}1?_state=x"})
        if asked.method == "PUT":
            data = asked.body.read()
            digest = digest_of(data)
            self.blobs[digest] = data
            return Response(status=201, headers={"Docker-Content-Digest": digest})
        if rest not in self.blobs:
            error = {"errors": [{"code": "BLOB_UNKNOWN", "message": "blob unknown"}]}
            return Response(status=404, body=json.dumps(error).encode())
        data = self.blobs[rest]
        if asked.method == "HEAD":
            return Response(headers={"Content-Length": str(len(data))}, bodyless=True)
        return Response(body=iter([data[:100], data[100:]]) if len(data) > 1 << 20 else data)

    def _manifest(self, asked, reference):
        if asked.method == "DELETE":
            self.manifests.pop(reference, None)
            return Response(status=202)
        body = asked.body.read()
        layers = [one["digest"] for one in json.loads(body).get("layers", [])]
        if not set(layers) <= set(self.blobs):
            error = {"errors": [{"code": "MANIFEST_BLOB_UNKNOWN", "message": "blob unknown"}]}
            return Response(status=400, body=json.dumps(error).encode())
        self.manifests[reference] = body
        return Response(status=201)
