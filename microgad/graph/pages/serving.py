"""The HTTP server of a live view, which runs in a thread and answers only this machine."""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from .page import document

if TYPE_CHECKING:
    from .watching import StepHistory


class Server:
    """Serves the page at `/`, and the steps after the third at `/steps?after=3`, until it is closed."""

    def __init__(self, history: StepHistory, port: int) -> None:
        self.http = _Quiet(("127.0.0.1", port), _handler(history))
        self.port: int = self.http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.05,), name="microgad.watch", daemon=True)
        self.thread.start()

    def close(self) -> None:
        """Stop the server and free its port."""
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


class _Quiet(ThreadingHTTPServer):
    """A server that prints no errors about closed connections, to keep the output of the training clean."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _handler(history: StepHistory) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host = self.headers.get("Host", "").rpartition(":")[0]
            request = urlsplit(self.path)
            if host not in ("127.0.0.1", "localhost"):  # the name of another site that resolves to this machine
                self.answer(403, "text/plain", "only for this machine")
            elif request.path == "/":
                self.answer(200, "text/html", document(history.page(), live=True))
            elif request.path == "/steps":
                after = parse_qs(request.query).get("after", ["-1"])[0]
                number = int(after) if after.removeprefix("-").isdecimal() else -1
                news = {"steps": history.after(number), "recorded": bool(history.graph["ops"]), "open": history.open}
                self.answer(200, "application/json", json.dumps(news, separators=(",", ":"), allow_nan=False))
            else:
                self.answer(404, "text/plain", "not found")

        def answer(self, status: int, kind: str, content: str) -> None:
            body = content.encode()
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Print nothing."""

    return Handler
