"""tests.data.serve: a web server on this machine whose files are not what their checksums say."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Quiet(SimpleHTTPRequestHandler):
    """Writes no log."""

    def log_message(self, *_args):
        pass


@contextmanager
def served(folder, names):
    """Serve files of these names from `folder`; give the address of the folder."""
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(b"something else")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
