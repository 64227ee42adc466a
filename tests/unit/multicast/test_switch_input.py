"""What `mcastlab multicast` and `mcastlab check` refuse before they ask anybody."""

from __future__ import annotations

from typing import Any

import pytest

from provision import multicast
from provision.commands import check as command
from provision.core.errors import InputError, McastlabError, Problems

NOBODY: Any = None  # a cluster that must not be asked


@pytest.mark.parametrize("name", ["", "..", "default/pods", "Bad NS", "-x", "x-", "a" * 64, "name?x=y"])
def test_what_cannot_be_a_namespace_is_not_asked_for(name: str) -> None:
    with pytest.raises(InputError, match="is no name of a namespace\n  remedy: Correct it to at most 63 characters"):
        multicast.existing(NOBODY, [name])


def test_all_of_them_are_named_at_once() -> None:
    with pytest.raises(Problems, match=r"'A' is no name(.|\n)*'B' is no name"):
        multicast.existing(NOBODY, ["A", "B"])


@pytest.mark.parametrize(
    ("names", "namespace", "every", "problem"),
    [
        (["nope"], None, False, "There is no check 'nope'"),
        (["hello"], None, True, "--all runs every check there is"),
        ([], "app", True, "--all runs every check there is"),
        (["hello"], "app", False, "--namespace is for the check 'pod-to-pod-namespace' alone"),
        ([], "", False, "--namespace names no namespace"),
    ],
)
def test_what_cannot_be_checked_together_is_refused_before_the_lab_is_looked_for(
    names: list[str], namespace: str | None, every: bool, problem: str
) -> None:
    with pytest.raises(McastlabError, match=problem):
        command.check(NOBODY, names, every=every, namespace=namespace, json=None, junit=None)
