"""Lay the files of a new chapter, a small one that builds and passes.

``make chapter NAME=21_topic`` calls it. The files are those of ``scripts/chapter/``,
under the chapter's name. Nothing that exists is overwritten.
"""

from __future__ import annotations

import keyword
import re
import subprocess
import sys
from pathlib import Path

from adopt import address_in
from alone import alone

ROOT = Path(__file__).resolve().parents[1]
TEMPLATES = Path(__file__).with_name("chapter")
NAME = re.compile(r"(\d\d)_([a-z][a-z0-9]*(?:_[a-z0-9]+)*)")
# lists with a part for each chapter, by template: the file, and how its parts begin
LISTS = {
    "words.yml": ("_ext/search/words.yml", r"^  chapters/(\w+)"),
    "self_test.yml": ("appendix/self_test.yml", r"^\n- chapter: (\w+)"),
}


def destinations(name: str) -> dict[str, str]:
    """Return where each template goes, from the root of the repository."""
    topic = name.partition("_")[2]
    return {
        "notebook.ipynb": f"chapters/{name}.ipynb",
        "claims.yml": f"claims/{name}.yml",
        "exercises.py": f"nnperf_utils/exercises/{topic}.py",
        "test_exercises.py": f"tests/exercises/test_{topic}.py",
    }


def check(root: Path, name: str) -> None:
    """Raise a ValueError, one sentence, if no chapter can be laid under this name."""
    form = NAME.fullmatch(name)
    if not form or keyword.iskeyword(form[2]):
        raise ValueError(
            f"{name!r} is no chapter's name: expected two digits and a topic in lower "
            "case, such as make chapter NAME=21_label_smoothing."
        )
    taken = [*root.glob(f"chapters/{form[1]}_*.ipynb")]
    taken += [root / path for path in destinations(name).values()]
    for path in taken:
        if path.exists():
            place = path.relative_to(root).as_posix()
            raise ValueError(f"{place} exists, and nothing is overwritten.")


def filled(template: str, name: str) -> str:
    """Return a template's text with the chapter's name in place of the stand-ins."""
    number, _, topic = name.partition("_")
    words = topic.replace("_", " ")
    for stand_in, real in {
        "NN_the_topic": name,
        "NN": number,
        "the_topic": topic,
        "the-topic": topic.replace("_", "-"),
        "the topic": words,
        "The topic": words.capitalize(),
    }.items():
        template = re.sub(rf"\b{stand_in}\b", real, template)
    return template


def with_entry(toc: str, name: str) -> str:
    """Return the table of contents with a chapter after the one before it."""
    listed = list(re.finditer(r"^( *)- file: chapters/(\w+)\n", toc, re.MULTILINE))
    before = [match for match in listed if match[2] < name]
    near = (before or listed)[-1 if before else 0]
    place = near.end() if before else near.start()
    return f"{toc[:place]}{near[1]}- file: chapters/{name}\n{toc[place:]}"


def with_part(text: str, part: str, begin: str, name: str) -> str:
    """Return a list with a chapter's part in its place, unless it has one."""
    listed = list(re.finditer(begin, text, re.MULTILINE))
    if any(match[1] == name for match in listed):
        return text
    place = min((m.start() for m in listed if m[1] > name), default=len(text))
    return text[:place] + part + text[place:]


def with_term(glossary: str, entry: str) -> str:
    """Return the glossary with an entry in its place, unless it has the term."""
    term = entry.partition("\n")[0]
    begin = glossary.index("```{glossary}\n") + len("```{glossary}\n")
    end = glossary.index("\n```", begin) + 1
    entries = glossary[begin:end].rstrip("\n").split("\n\n")
    if any(term in one.splitlines() for one in entries):
        return glossary
    later = [one.casefold() > term.casefold() for one in entries]
    place = later.index(True) if any(later) else len(entries)
    entries.insert(place, entry.rstrip("\n"))
    return glossary[:begin] + "\n\n".join(entries) + "\n" + glossary[end:]


def lay(root: Path, name: str) -> list[str]:
    """Lay a chapter; return the files that were written or changed."""
    check(root, name)
    toc, glossary = root / "_toc.yml", root / "appendix" / "glossary.md"
    texts = {
        root / path: filled((TEMPLATES / template).read_text("utf-8"), name)
        for template, path in destinations(name).items()
    }
    texts[toc] = with_entry(toc.read_text("utf-8"), name)
    for template, (path, begin) in LISTS.items():
        part = filled((TEMPLATES / template).read_text("utf-8"), name)
        old = (root / path).read_text("utf-8")
        texts[root / path] = with_part(old, part, begin, name)
    entry = filled((TEMPLATES / "glossary.md").read_text("utf-8"), name)
    texts[glossary] = with_term(glossary.read_text("utf-8"), entry)
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    # a long or short topic changes where lines break, and the order of imports
    code = [path for path in texts if path.suffix in (".py", ".ipynb")]
    for step in (["check", "--fix", "--select=I"], ["format"]):
        command = [sys.executable, "-m", "ruff", *step, "--quiet", *code]
        subprocess.run(command, cwd=root, check=True)
    return [path.relative_to(root).as_posix() for path in texts]


def main(name: str) -> None:
    """Lay the chapter and say what to do next."""
    try:
        laid = lay(ROOT, name)
    except ValueError as error:
        sys.exit(str(error))
    print("\n".join(f"laid {path}" for path in laid))
    number = name.partition("_")[0]
    print(
        "Its example is small and complete: replace it part by part, and run "
        f"`make test CHAPTER={number}` as you go."
    )
    if address_in((ROOT / "_config.yml").read_text("utf-8")):
        print("When it is committed, `make adopt` gives it its cell for Colab.")


if __name__ == "__main__":
    with alone("lay_chapter.py"):
        main(sys.argv[1])
