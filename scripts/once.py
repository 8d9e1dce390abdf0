"""Run a command once for each state of the repository.

``python scripts/once.py NAME COMMAND ...`` runs the command unless it has ended
well before on the very same files; ``AGAIN=1`` in the environment runs it anyway.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from alone import alone

ROOT = Path(__file__).resolve().parents[1]
# what only the tests read does not change the site; its figures of the doctor are
# from benchmarks/
IRRELEVANT = {"site": ("tests/", ".github/")}
MADE = {"site": ROOT / "_build" / "html" / "index.html"}  # without it, not done


def repository_state(name: str) -> str:
    """Return a digest of every file that git does not ignore, and of the runs."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    files = [f for f in listed if f and not f.startswith(IRRELEVANT.get(name, ()))]
    paths = [ROOT / file for file in sorted(set(files))]
    paths += sorted((ROOT / ".executed").glob("*.json"))
    digest = hashlib.sha256(sys.version.encode())
    for path in paths:
        if path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(ROOT)}:{content}\n".encode())
    return digest.hexdigest()


def main(name: str, *command: str) -> int:
    """Run the command if its state is new; return its exit status."""
    stamp = ROOT / "_build" / f".{name}"
    state = repository_state(name)
    made = MADE.get(name, stamp)
    seen = (
        stamp.is_file()
        and stamp.read_text(encoding="utf-8") == state
        and made.is_file()
    )
    if seen and not os.environ.get("AGAIN"):
        print(f"{name}: done before on this very state (AGAIN=1 repeats it)")
        return 0
    stamp.unlink(missing_ok=True)
    try:
        status = subprocess.run(command, cwd=ROOT).returncode
    except KeyboardInterrupt:
        return 130
    if status == 0:
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(state, encoding="utf-8")
    return status


if __name__ == "__main__":
    with alone(f"once.py {sys.argv[1]}"):
        sys.exit(main(*sys.argv[1:]))
