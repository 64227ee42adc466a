"""What a pod calls an image: names in full, as containerd writes them, and the advice on pulling."""

from __future__ import annotations

import pytest

from provision.core.errors import InputError
from provision.load.names import full, pull_advice


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("app", "docker.io/library/app:latest"),
        ("app:1", "docker.io/library/app:1"),
        ("theirs/app", "docker.io/theirs/app:latest"),
        ("localhost/app:1.2_x", "localhost/app:1.2_x"),
        ("localhost:5000/a/b-c__d", "localhost:5000/a/b-c__d:latest"),
        ("registry.example/app", "registry.example/app:latest"),
        ("host:5000/app:2", "host:5000/app:2"),
    ],
)
def test_names_in_full(name: str, whole: str) -> None:
    assert full(name) == whole
    assert full(whole) == whole


@pytest.mark.parametrize("name", ["", "App", "a b", "-app", "app@sha256:0", "a//b", "x:y/z", "app:" + "t" * 129])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(InputError) as raised:
        full(name, "app.tar")
    assert str(raised.value) == (
        f"app.tar: '{name}' is no name of an image\n"
        "  remedy: Write it as HOST/REPOSITORY:TAG, in small letters; host and tag may be left out"
    )


def test_latest_is_pulled_unless_a_pod_says_otherwise() -> None:
    assert pull_advice("docker.io/library/app:1").startswith("imagePullPolicy: IfNotPresent, the default of this tag")
    assert "without it Kubernetes pulls ':latest'" in pull_advice("docker.io/library/app:latest")
