"""How often is the doctor right? The table of `make doctor`.

Whatever was trained and looked at is kept in ``_build/doctor``: a run that is broken
off goes on where it stopped.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parent))

PARTS = {"development": ["development"], "aside": ["set aside"]}
PARTS["all"] = ["development", "set aside"]


def work(part: str, share: str, what: str) -> None:
    """Train and look at every n-th case, from the k-th on."""
    from cases import cases
    from train import looked_at

    first, step = map(int, share.split("/"))
    chosen = [c for name in PARTS[part] for c in cases(name)]
    if what:
        chosen = [c for c in chosen if what in c.name]
    chosen = chosen[first::step]
    for number, case in enumerate(chosen, 1):
        found = looked_at(case)
        facts = found["facts"]
        print(
            f"{number}/{len(chosen)} {case.name}: score {found['score']:.2f}, "
            f"reference {facts.get('reference', float('nan')):.2f}, trained in "
            f"{found['seconds']:.1f} s, looked at in {found['look_seconds']:.1f} s "
            f"{found['failure'][:80]} {found['notes'] or ''}",
            flush=True,
        )


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=PARTS, default="all")
    parser.add_argument("--work", help="train only: k/n, every n-th case from k on")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    asked = parser.parse_args()
    if asked.work:
        work(asked.part, asked.work, asked.only)
        return
    workers = [
        subprocess.Popen([sys.executable, __file__, "--part", asked.part, "--work",
                          f"{k}/2", "--only", asked.only])
        for k in range(2)
    ]
    for worker in workers:
        worker.wait()


if __name__ == "__main__":
    main()
