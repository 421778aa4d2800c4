"""A server on this machine for downloads."""

import http.server
import threading

import pytest


@pytest.fixture
def serve(monkeypatch):
    """A function that starts a server for files, and returns its address and the list of requested paths.

    The server sends each file without its last `short` bytes.
    """
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(variable, "127.0.0.1")
    servers = []

    def start(files, short=0):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.requests.append(self.path)
                content = files.get(self.path.rpartition("/")[2])
                if content is None:
                    return self.send_error(404)
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: len(content) - short])

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.requests = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}/files/", server.requests

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()
