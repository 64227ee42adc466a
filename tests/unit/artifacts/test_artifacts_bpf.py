"""The policy's programs are compiled by whatever clang there is, to the same bytes wherever the checkout is."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provision.artifacts import bpf_object, golang
from provision.artifacts.store import Store, file_digest
from provision.core.errors import CommandError, HostError

# Says its own path for its version, and makes an empty file of its last argument.
FAKE = """#!/bin/sh
if [ "$1" = --version ]; then echo "$0"; exit; fi
for last; do :; done
: >"$last"
"""
EM_BPF = 247  # elf(5)
NO_CLANG = "Command 'clang' is missing\n  remedy: `apt-get install clang linux-libc-dev`"
NO_HEADER = "File '{}' is missing\n  remedy: `apt-get install linux-libc-dev`"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return Path(shutil.copytree(bpf_object.SOURCE.parent, tmp_path / "checkout")) / bpf_object.SOURCE.name


def make(folder: Path, source: Path) -> bytes:
    folder.mkdir()
    bpf_object.make_object(folder, golang.architecture(), [].append, source)
    return (folder / bpf_object.OBJECT).read_bytes()


def fake_clang(folder: Path, *names: str, script: str = "#!/bin/sh\n") -> None:
    folder.mkdir()
    for name in names:
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)


@pytest.mark.parametrize(
    "change",
    [
        lambda source: source.write_text(source.read_text() + "// more\n"),
        lambda source: (source.parent / "more.h").write_text(""),
    ],
)
def test_another_source_gives_another_key(source: Path, change: Callable[[Path], Any]) -> None:
    before = bpf_object.item("amd64", source)
    assert before == bpf_object.item("amd64")  # a copy elsewhere is the same
    change(source)
    assert bpf_object.item("amd64", source).key != before.key


def test_other_flags_give_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = bpf_object.item("amd64").key
    assert bpf_object.item("arm64").key != before
    monkeypatch.setattr(bpf_object, "_FLAGS", ("-O1",))
    assert bpf_object.item("amd64").key != before


def test_the_object_is_for_bpf_and_the_same_from_wherever(tmp_path: Path, source: Path) -> None:
    made = make(tmp_path / "one", source)
    assert made[:6] == b"\x7fELF\x02\x01" and int.from_bytes(made[18:20], "little") == EM_BPF
    assert str(tmp_path).encode() not in made and b".debug" not in made
    assert make(tmp_path / "two", bpf_object.SOURCE) == made


def test_the_record_names_the_object_and_its_compiler(tmp_path: Path) -> None:
    folder = bpf_object.ensure(golang.architecture(), Store(tmp_path), [].append)
    record = json.loads((folder / bpf_object.RECORD).read_text())
    assert record["sha256"] == file_digest(folder / bpf_object.OBJECT)
    assert "clang version" in record["compiler"]


def test_what_does_not_compile_is_shown(tmp_path: Path, source: Path) -> None:
    source.write_text("int unused(void) { int x; return 0; }\n")
    with pytest.raises(CommandError) as caught:
        make(tmp_path / "made", source)
    assert "policy.c:1:" in caught.value.detail and "unused variable 'x'" in caught.value.detail


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (("clang", "clang-14"), "clang"),
        (("clang-9", "clang-14", "clang-cpp-15", "clang-15.old"), "clang-14"),
    ],
)
def test_a_numbered_clang_is_taken_where_there_is_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], chosen: str
) -> None:
    fake_clang(tmp_path / "bin", *names, script=FAKE)
    monkeypatch.setenv("PATH", f"{tmp_path}/none:{tmp_path}/bin")
    make(tmp_path / "made", bpf_object.SOURCE)
    record = json.loads((tmp_path / "made" / bpf_object.RECORD).read_text())
    assert record["compiler"] == f"{tmp_path}/bin/{chosen}"


def test_without_a_compiler_the_remedy_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError) as caught:
        bpf_object.make_object(tmp_path, "amd64", [].append)
    assert str(caught.value) == NO_CLANG


def test_without_the_kernels_headers_the_remedy_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_clang(tmp_path / "bin", "clang")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(bpf_object, "_HEADER", tmp_path / "bpf.h")
    with pytest.raises(HostError) as caught:
        bpf_object.make_object(tmp_path, "amd64", [].append)
    assert str(caught.value) == NO_HEADER.format(tmp_path / "bpf.h")
