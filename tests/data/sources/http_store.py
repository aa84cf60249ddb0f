"""A web server on this machine that serves a folder, counts what is asked for, and misbehaves when told to."""

import re
import threading
import time
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Counting:
    """A served folder.

    Attributes:
        url: Where it is served.
        gets: How often each path below it was asked for and given.
        ranges: How often each range of bytes of a path was given: path, first, last.
        headers: Those of the last request.
        most_at_once: The most requests that were being answered at one time.
        fault: From the path of a request and how often it was asked for before to what goes wrong, or None: a status,
            `"cut"` in the middle, `"garbage"` of the right length, or seconds of silence before the answer.
    """

    def __init__(self, folder):
        self.folder, self.gets, self.ranges, self.headers = Path(folder), Counter(), Counter(), {}
        self.asked, self.at_once, self.most_at_once = Counter(), 0, 0
        self.fault = lambda path, n: None
        self.lock = threading.Lock()

    def begin(self, path):
        with self.lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            self.asked[path] += 1
            return self.asked[path] - 1

    def end(self):
        with self.lock:
            self.at_once -= 1

    def chunks(self, name):
        """Return the count of each chunk of an array, by its key."""
        prefix = f"{name}/"
        return {p.removeprefix(prefix): n for p, n in self.gets.items() if p.startswith(prefix) and p[-1].isdigit()}


@contextmanager
def serving(folder):
    """Serve a folder as long as the context lasts."""
    counting = Counting(folder)
    handler = type("Handler", (_Handler,), {"counting": counting})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    counting.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield counting
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    counting: Counting

    def log_message(self, *words):
        pass

    def do_HEAD(self):
        file = self.counting.folder / self.path.strip("/")
        self._send(200 if file.is_file() else 404, file.read_bytes() if file.is_file() else b"")

    def do_GET(self):
        path = self.path.strip("/")
        before = self.counting.begin(path)
        try:
            self._answer(path, self.counting.fault(path, before))
        finally:
            self.counting.end()

    def _answer(self, path, fault):
        self.counting.headers = self.headers
        if isinstance(fault, float):
            time.sleep(fault)
        file = self.counting.folder / path
        if isinstance(fault, int) or not file.is_file():
            return self._send(fault if isinstance(fault, int) else 404, b"<html>no</html>")
        content = file.read_bytes()
        if fault == "garbage":
            content = bytes(len(content))
        self.counting.gets[path] += 1
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if wanted is None:
            return self._send(200, content, is_cut=fault == "cut")
        first = int(wanted[1]) if wanted[1] else len(content) - int(wanted[2])
        last = int(wanted[2]) if wanted[1] and wanted[2] else len(content) - 1
        self.counting.ranges[path, first, last] += 1
        span = f"bytes {first}-{last}/{len(content)}"
        return self._send(206, content[first : last + 1], {"Content-Range": span}, is_cut=fault == "cut")

    def _send(self, status, content, headers=(), is_cut=False):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **dict(headers)}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[: len(content) // 2] if is_cut else content)
        self.close_connection = is_cut
