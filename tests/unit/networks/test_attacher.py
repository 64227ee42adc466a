"""Which attacher is chosen, and what is said about it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from provision import config
from provision.artifacts.imported import Imported
from provision.config import Lab
from provision.core.errors import HostError
from provision.networks import attacher

IMAGE = Imported(Path("/cache/image.tar"), "localhost/mcastlab/multus-cni:1", "ghcr.io/x/multus-cni:v4", "1" * 64)


def lab(wanted: str, folder: Path) -> Lab:
    path = folder / "lab.yml"
    path.write_text(f"cluster: {{attacher: {wanted}}}\n")
    return config.load(path)


def imported(monkeypatch: pytest.MonkeyPatch, image: Imported | None) -> None:
    monkeypatch.setattr(attacher, "imported", SimpleNamespace(find=lambda kind: {"multus": image}[kind]))


@pytest.mark.parametrize(
    ("wanted", "image", "name", "reason"),
    [
        ("auto", None, "netattach", "no Multus image was imported"),
        ("auto", IMAGE, "multus", "its image was imported (ghcr.io/x/multus-cni:v4)"),
        ("multus", IMAGE, "multus", "lab.yml asks for it (ghcr.io/x/multus-cni:v4)"),
        ("netattach", IMAGE, "netattach", "lab.yml asks for it"),
    ],
)
def test_choice_and_reason(
    wanted: str, image: Imported | None, name: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported(monkeypatch, image)
    choice = attacher.choose_attacher(lab(wanted, tmp_path))
    assert (choice.name, choice.reason) == (name, reason)
    assert choice.image == (image if name == "multus" else None)


def test_multus_without_its_image_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imported(monkeypatch, None)
    with pytest.raises(HostError) as raised:
        attacher.choose_attacher(lab("multus", tmp_path))
    assert "its image was not imported" in str(raised.value)
    assert "mcastlab artifacts import FILE.tar" in raised.value.remedy


def test_a_lab_that_is_up_keeps_its_attacher_without_the_image(tmp_path: Path) -> None:
    """It is checked, shown and removed, which needs no image; `choose`, for `up`, refuses it."""
    assert attacher.known_attacher(lab("multus", tmp_path)).name == "multus"
    assert attacher.known_attacher(lab("netattach", tmp_path)) == attacher.choose_attacher(lab("netattach", tmp_path))
