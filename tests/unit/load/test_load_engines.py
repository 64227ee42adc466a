"""Images by name, with programs in the place of podman and docker; tests/e2e/test_5_load.py asks the real podman."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.core.errors import McastlabError
from provision.load import engines


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of its own, with little more than a shell."""
    (tmp_path / "cat").symlink_to("/bin/cat")
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def install(folder: Path, engine: str, inspect: str, save: str = "exit 9") -> None:
    script = f'#!/bin/sh\ncase "$1" in\n  image) {inspect} ;;\n  save) {save} ;;\n'
    script += "  images) echo app:1; echo '<none>:<none>'; echo other:2 ;;\nesac\n"
    (folder / engine).write_text(script)
    (folder / engine).chmod(0o755)


def refused(name: str, folder: Path) -> str:
    with pytest.raises(McastlabError) as raised:
        engines.save(name, folder / "image.tar", lambda _line: None)
    return str(raised.value)


UNKNOWN = "echo 'Error: no such image' >&2; exit 1"


def test_the_one_that_has_it_saves_it_and_without_a_tag_the_latest(programs: Path) -> None:
    install(programs, "podman", UNKNOWN)
    install(programs, "docker", "echo sha256:1", 'echo "$@" > "$3"')
    assert engines.save("host:5000/app", programs / "image.tar", lambda _line: None) == "docker"
    assert (programs / "image.tar").read_text() == f"save --output {programs}/image.tar host:5000/app:latest\n"


def test_an_image_that_nobody_has(programs: Path) -> None:
    install(programs, "podman", UNKNOWN)
    install(programs, "docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    assert refused("app", programs) == (
        "There is no image 'app': it is no file, and podman and docker did not find it\n"
        "  | podman: Error: no such image\n"
        "  | docker: Cannot connect to the Docker daemon\n"
        "  remedy: Build or pull it first, or name its archive; one of root's: `sudo podman save app`, piped into"
        " `mcastlab load -`"
    )


def test_nobody_to_ask(programs: Path) -> None:
    assert refused("app", programs) == (
        "There is no file 'app', and neither podman nor docker is installed to be asked for an image\n"
        "  remedy: Name an archive, made where the image is: `podman save -o FILE IMAGE`"
    )


def test_two_that_have_different_ones(programs: Path) -> None:
    install(programs, "podman", "echo 1", 'echo "$@" > "$3"')
    install(programs, "docker", "echo sha256:2")
    assert refused("app", programs) == (
        "Podman and Docker have different images 'app'\n"
        "  remedy: Say which, by its archive: `docker save app`, piped into `mcastlab load -`"
    )
    install(programs, "docker", "echo sha256:1")
    assert engines.save("app", programs / "image.tar", lambda _line: None) == "podman"


def test_one_that_cannot_save_it(programs: Path) -> None:
    install(programs, "podman", "echo 1", "echo 'Error: layer is gone' >&2; exit 125")
    assert refused("app", programs) == (
        f"podman save --output {programs}/image.tar app:latest: podman could not save the image 'app'\n"
        "  | Error: layer is gone\n"
        "  remedy: See whether `podman save` works by itself, and load the archive that it writes"
    )


def test_names_for_completion(programs: Path) -> None:
    assert engines.listed("a") == []
    install(programs, "podman", UNKNOWN)
    assert engines.listed("a") == ["app:1"]
