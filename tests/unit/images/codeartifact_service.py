"""CodeArtifact's two operations that a build needs, over HTTP as botocore's model has them."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qsl, urlsplit


class CodeArtifactService:
    """Answers on loopback while the `with` block runs; `asked` is what it was asked."""

    def __init__(self, token: str) -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.refuse = False
        service = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                parts = urlsplit(self.path)
                query = dict(parse_qsl(parts.query))
                service.asked.append((self.command, parts.path, query))
                status, document = service.answer(parts.path, query, token)
                body = json.dumps(document).encode()
                self.send_response(status)
                if status != 200:
                    self.send_header("x-amzn-ErrorType", "AccessDeniedException")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = answer

            def log_message(self, *words: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, path: str, query: dict[str, str], token: str) -> tuple[int, dict[str, object]]:
        if self.refuse:
            return 403, {"message": "not authorized to perform it"}
        if path == "/v1/authorization-token":
            return 200, {"authorizationToken": token, "expiration": 1.7e9}
        owner = query.get("domain-owner", "444455556666")
        host = f"{query['domain']}-{owner}.d.codeartifact.eu-west-1.amazonaws.com"
        return 200, {"repositoryEndpoint": f"https://{host}/pypi/{query['repository']}/"}

    def __enter__(self) -> "CodeArtifactService":
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(self, *what: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
