"""Build the site from the executed chapters; every warning is an error.

The new site takes the old one's place only when it is complete.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from alone import alone

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "_build" / "html"
NEXT = ROOT / "_build" / "next"


def main() -> int:
    """Build the site; return the exit status."""
    # once.py's word on the site that was: whoever builds, it is not that one any more
    (ROOT / "_build" / ".site").unlink(missing_ok=True)
    shutil.rmtree(NEXT, ignore_errors=True)
    NEXT.mkdir(parents=True)
    # a console script does not start where the folder's path holds a space
    start = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", start, "build", str(ROOT)]
    command += ["--path-output", str(NEXT), "--quiet", "-W", "-n", "--keep-going"]
    # what is imported for the reference has much to say, none of it about the site
    built = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    status = built.returncode
    if status:
        print(built.stdout)
    else:
        # the first page itself, in place of a page that only leads there
        built_site = NEXT / "_build" / "html"
        shutil.copy(built_site / "intro.html", built_site / "index.html")
        shutil.rmtree(SITE, ignore_errors=True)
        shutil.move(built_site, SITE)
        print(f"site: {SITE.relative_to(ROOT)}/index.html")
    shutil.rmtree(NEXT, ignore_errors=True)
    return status


if __name__ == "__main__":
    with alone("build.py"):
        sys.exit(main())
