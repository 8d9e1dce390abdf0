"""Show the site, rebuild it when a file changes, and have open pages reload."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from alone import alone
from watchfiles import watch

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "_build" / "html"
# named one by one: watching the root would take in all of .venv
WATCHED = (
    "_config.yml",
    "_toc.yml",
    "_ext",
    "_static",
    "_templates",
    "intro.md",
    "appendix",
    "benchmarks/doctor",
    "chapters",
    "claims",
    "data",
    "labs",
    "nnperf_utils",
)
RELOAD = b"""<script>
let seen; setInterval(async () => {
  const now = await (await fetch("/.built", {cache: "no-store"})).text();
  if (seen && now !== seen) location.reload(); seen = now;
}, 1000);
</script>"""


class Page(SimpleHTTPRequestHandler):
    """Serves the site's files; pages get a script that reloads them."""

    def do_GET(self) -> None:
        """Answer a request; ``/.built`` tells when the site was built."""
        path = Path(self.translate_path(self.path))
        if self.path == "/.built":
            index = SITE / "index.html"
            self._answer(
                str(index.stat().st_mtime_ns if index.is_file() else 0).encode()
            )
        elif path.suffix == ".html" and path.is_file():
            self._answer(path.read_bytes() + RELOAD)
        else:
            super().do_GET()

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(self.path))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the terminal for the build's own lines."""


def main() -> None:
    """Serve until interrupted."""
    address = ("127.0.0.1", int(os.environ.get("PORT", "8000")))
    handler = functools.partial(Page, directory=str(SITE))
    server = ThreadingHTTPServer(address, handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://{address[0]}:{address[1]}/index.html  (Ctrl-C ends)", flush=True)
    paths = [ROOT / name for name in WATCHED if (ROOT / name).exists()]
    for _ in watch(*paths, raise_interrupt=False):
        with alone("make serve"):
            for script in ("execute.py", "build.py"):
                command = [sys.executable, Path(__file__).parent / script]
                if subprocess.run(command).returncode:
                    break  # the failure has been printed; the old page stays


if __name__ == "__main__":
    main()
