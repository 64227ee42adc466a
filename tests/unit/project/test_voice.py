"""All errors speak as docs/voice.md says, as far as that can be read from the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from provision.core.paths import ROOT

KINDS = {"InputError", "HostError", "CommandError", "WaitError", "ChecksFailed", "KubeError"}
COMMANDS = ("lab.yml", "containerd")  # names that a sentence may begin with
UNKNOWN = "…"
# Why nobody can do anything about them: by the beginning of the sentence. The list may only get shorter.
NO_REMEDY = {
    "The file is not valid YAML": "the place and what is wrong there are the remedy",
    "The file cannot be read": "a template of mcastlab's own",
    "The template cannot be rendered": "a template of mcastlab's own",
    "Variable '…' cannot be computed": "a role of mcastlab's own",
    "The root file system has no file": "an image of mcastlab's own",
    "Image '…' has neither component": "an image of mcastlab's own",
    "'…' has not one binary for each": "a component of mcastlab's own",
    "The connection to host '…' has been closed": "mcastlab is being stopped",
    "The checks are being stopped": "by the user",
    "Command '": "what it printed follows; what to do is for whoever ran it to say",
    "A command in a pod did not start": "what the API server says follows",
    "Pod '": "the pod's own events follow; checks say what to do",
    "The probe in … reported nothing": "what it printed follows",
}


class Message(NamedTuple):
    """An error that is made in the code; what is only known when it runs stands as UNKNOWN."""

    where: str
    text: str
    remedy: bool


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def messages() -> Iterator[Message]:
    for path in sources("provision"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS and node.args:
                text = plain(node.args[0])
                if text:
                    remedy = any(keyword.arg == "remedy" for keyword in node.keywords)
                    yield Message(f"{path.relative_to(ROOT)}:{node.lineno}", text, remedy)


def plain(node: ast.expr) -> str:
    """The text of a literal; nothing for one that is made elsewhere."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else UNKNOWN for part in node.values)
    return ""


ALL = list(messages())


def test_there_are_errors_to_read() -> None:
    assert len(ALL) > 120


@pytest.mark.parametrize("message", ALL, ids=lambda message: message.where)
def test_it_is_a_sentence_without_its_stop(message: Message) -> None:
    begins = message.text[0].isupper() or message.text[0] in f"'{UNKNOWN}`-" or message.text.startswith(COMMANDS)
    assert begins, f"{message.text!r} begins in lower case"
    assert not message.text.rstrip().endswith((".", "!")), f"{message.text!r} has a stop"
    assert '"' not in message.text, f"{message.text!r} has names in double quotes"


@pytest.mark.parametrize("word", ["please", "sorry", "should", "oops"])
def test_nobody_is_begged_or_told_what_should_be(word: str) -> None:
    assert [message for message in ALL if word in message.text.lower().split()] == []


def test_each_has_a_remedy_or_a_reason_to_have_none() -> None:
    lacking = [message for message in ALL if not message.remedy]
    assert [one for one in lacking if not one.text.startswith(tuple(NO_REMEDY))] == []
    assert [start for start in NO_REMEDY if not any(one.text.startswith(start) for one in lacking)] == []


def test_only_the_end_of_the_command_line_ends_the_process() -> None:
    ends = {
        str(path.relative_to(ROOT))
        for path in sources("provision")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Attribute) and ast.unparse(node) in {"sys.exit", "os._exit"})
        or (isinstance(node, ast.Name) and node.id in {"SystemExit", "exit", "quit"})
    }
    assert ends == {"provision/cli/ending.py"}
