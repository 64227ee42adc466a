"""What docs/architecture.md says of adding a part: its examples, put into a copy of the package, by the commands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from provision.core.paths import ROOT

HEADINGS = ("A stage of `up`", "A check", "A provider", "A source of artifacts")
_BLOCK = re.compile(r"^```(python|diff)\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def example(heading: str) -> dict[str, tuple[str, str]]:
    """(path, text) of the file and of the entry under a heading of the page: there is one of each."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    section = re.split(r"^##+ ", page.partition(f"\n### {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    blocks = _BLOCK.findall(section)
    assert [kind for kind, _, _ in blocks] == ["python", "diff"]
    return {kind: (path, text) for kind, path, text in blocks}


def entered(text: str, entry: str) -> str:
    """`text` with each part of a diff in force; what it says was there must stand in one place."""
    for part in re.split(r"^@@.*\n", entry, flags=re.MULTILINE)[1:]:
        lines = part.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if line[0] in " -")
        assert text.count(before) == 1, before
        text = text.replace(before, "".join(line[1:] for line in lines if line[0] in " +"))
    return text


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout whose package can be changed."""
    made = tmp_path / "checkout"
    made.mkdir()
    for path in ROOT.iterdir():
        if path.name != "provision":
            (made / path.name).symlink_to(path)
    shutil.copytree(ROOT / "provision", made / "provision", ignore=shutil.ignore_patterns("__pycache__"))
    return made


def add(tree: Path, heading: str) -> None:
    """Make the file and the entry of an example, and nothing else."""
    found = example(heading)
    path, text = found["python"]
    (tree / path).parent.mkdir(exist_ok=True)
    assert not (tree / path).exists()
    (tree / path).write_text(text)
    path, entry = found["diff"]
    (tree / path).write_text(entered((tree / path).read_text(), entry))


def mcastlab(tree: Path, *args: str, **settings: str) -> str:
    """What the command of that checkout prints, in a folder without a lab.yml."""
    place = tree.parent / "empty"
    place.mkdir(exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(tree), "MCASTLAB_CACHE": str(tree.parent / "cache"), **settings}
    argv = [sys.executable, "-c", "from provision.cli import main; main()", *args]
    done = subprocess.run(argv, cwd=place, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_stage(tree: Path) -> None:
    add(tree, HEADINGS[0])
    lines = mcastlab(tree, "up", "--dry-run").splitlines()
    (place,) = (number for number, line in enumerate(lines) if line.startswith("networks "))
    assert lines[place + 1] == "greeting    would say hello from 'k8s'"


def test_a_check(tree: Path) -> None:
    add(tree, HEADINGS[1])
    assert re.search("^ *one-version +cluster +yes +all nodes run the same", mcastlab(tree, "check", "--list"), re.M)


def test_a_provider(tree: Path) -> None:
    add(tree, HEADINGS[2])
    assert "reach by woken: 'k8s'" in mcastlab(tree, "up", "--provider", "woken", "--dry-run")
    (tree.parent / "empty" / "lab.yml").write_text("provider: woken\n")
    assert "probe the hosts for what woken needs" in mcastlab(tree, "up", "--dry-run")


def test_a_source(tree: Path) -> None:
    add(tree, HEADINGS[3])
    assert "make from go-modules: " in mcastlab(tree, "up", "--dry-run", MIRROR="/nowhere")
    assert "make from mirror: " in mcastlab(tree, "up", "--dry-run", MIRROR=str(tree))


def test_the_examples_are_typed(tree: Path) -> None:
    for heading in HEADINGS:
        add(tree, heading)
    argv = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(ROOT / ".mypy_cache"), "-p", "provision"]
    done = subprocess.run(argv, cwd=tree, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout
