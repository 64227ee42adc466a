"""What is read as an image, and what is refused with which words; nothing is left of either where it was copied."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from provision.artifacts.golang import architecture
from provision.core.errors import McastlabError
from provision.core.progress import Progress, Verbosity, console
from provision.load.wanted import Wanted, read
from tests import image_archives

NAME = "docker.io/theirs/app:1"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("MCASTLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert list((tmp_path / "cache" / "tmp").iterdir()) == []


def given(name: str, called: str = "") -> list[Wanted]:
    with ExitStack() as scratch:
        return read(name, called, scratch, Progress(console(stderr=True), Verbosity.QUIET))


def refused(name: str, called: str = "") -> str:
    with pytest.raises(McastlabError) as raised:
        given(name, called)
    return str(raised.value)


def app(folder: Path) -> Path:
    return image_archives.write(folder / "app.tar", "theirs/app:1")


def test_archives_and_folders_of_each_kind_give_the_same_image(tmp_path: Path) -> None:
    archive = app(tmp_path)
    layout = image_archives.layout(archive, tmp_path / "app.oci")
    folder = tmp_path / "layout"
    with tarfile.open(layout) as tar:
        tar.extractall(folder)  # noqa: S202 - our own
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    if not os.fork():  # what a shell puts in the place of <(podman save app)
        pipe.write_bytes(archive.read_bytes())
        os._exit(0)
    found = [given(str(path)) for path in (archive, layout, folder, pipe)]
    assert {(item.names, item.config) for (item,) in found} == {((NAME,), found[0][0].config)}


def test_copies_of_a_command_that_was_killed_are_removed_and_those_of_one_that_runs_stay(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "tmp"
    killed, runs = folder / "load.4194305.x", folder / f"load.{os.getppid()}.x"  # beyond any process's number
    killed.mkdir(parents=True)
    (killed / "image.tar").touch()
    runs.mkdir()
    given(str(app(tmp_path)))
    assert list(folder.iterdir()) == [runs]
    runs.rmdir()


def test_several_images_of_one_archive(tmp_path: Path) -> None:
    image_archives.write(tmp_path / "two.tar", "theirs/one:1", "theirs/two:2")
    assert [item.names for item in given("two.tar")] == [("docker.io/theirs/one:1",), ("docker.io/theirs/two:2",)]
    assert refused("two.tar", "both") == (
        "two.tar: There are 2 images in it, and one name for them\n  remedy: Leave out --as"
    )


def test_an_image_without_a_name_gets_one(tmp_path: Path) -> None:
    image_archives.docker(tmp_path / "unnamed.tar", None)
    assert refused("unnamed.tar") == "unnamed.tar: The image has no name in it\n  remedy: Give it one: --as NAME"
    assert given("unnamed.tar", "theirs/app")[0].names == ("docker.io/theirs/app:latest",)
    assert refused("unnamed.tar", "Theirs").startswith("'Theirs' is no name of an image\n  remedy: Write it as HOST/")


def test_an_image_of_several_names_keeps_all(tmp_path: Path) -> None:
    image_archives.docker(tmp_path / "app.tar", ["app:1", "app:latest"])
    assert given("app.tar")[0].names == ("docker.io/library/app:1", "docker.io/library/app:latest")


AGAIN = "\n  remedy: Save or download it again"


def test_archives_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "text.tar").write_text("no archive")
    assert refused("text.tar") == (
        f"text.tar: It is no tar archive, or a damaged one: file could not be opened successfully{AGAIN}"
    )
    whole = app(tmp_path).read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[:300_000])
    assert refused("cut.tar") == f"cut.tar: It is no tar archive, or a damaged one: unexpected end of data{AGAIN}"
    with tarfile.open(tmp_path / "others.tar", "w") as tar:
        tar.add(tmp_path / "text.tar", "text")
    assert refused("others.tar") == (
        f"others.tar: It is no archive of an image: neither manifest.json nor index.json is in it{AGAIN}"
    )
    (tmp_path / "folder").mkdir()
    assert refused("folder") == (
        f"folder: It is no archive of an image: neither manifest.json nor index.json is in it{AGAIN}"
    )
    assert refused("./app") == "./app: There is no such file\n  remedy: Name an archive: `podman save -o FILE IMAGE`"


def test_a_damaged_layer_is_named(tmp_path: Path) -> None:
    data = app(tmp_path).read_bytes()
    (tmp_path / "bad.tar").write_bytes(data[:400_000] + b"?" + data[400_001:])
    said = refused("bad.tar")
    assert said.startswith("bad.tar: Layer 'blobs/sha256/")
    assert said.endswith(f"is damaged: its SHA-256 is not the one in the configuration{AGAIN}")


def test_an_image_for_another_machine(tmp_path: Path) -> None:
    image_archives.write(tmp_path / "other.tar", "theirs/app:1", machine="s390x")
    here = architecture()
    assert refused("other.tar") == (
        f"other.tar: The image is for 's390x', and this machine is '{here}'\n"
        f"  remedy: Take the one that is made for '{here}'"
    )


def test_a_pipe_that_brings_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    if not os.fork():
        (tmp_path / "pipe").open("wb").close()
        os._exit(0)
    assert refused("pipe") == "pipe: Nothing came\n  remedy: See what the command says that was to write it"
