"""All that is said speaks as docs/voice.md says, as far as that can be read from the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from provision.core.packages import lacking
from provision.core.paths import ROOT

KINDS = {"InputError", "HostError", "CommandError", "WaitError", "ChecksFailed", "KubeError"}
COMMANDS = ("lab.yml", "containerd", "kubeadm")  # names that a sentence may begin with
OF_A_HOST = ("cannot say",)  # what follows "Host 'NAME'" (plugins/action)
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
    "Command '…' in pod": "what it printed follows; what to do is for whoever ran it to say",
    "Command '…' on host": "as in a pod",
    "A command in a pod did not start": "what the API server says follows",
    "Pod '": "the pod's own events follow; checks say what to do",
    "The probe in … reported nothing": "what it printed follows",
}


# What a remedy begins with: what to do. Or a command between backticks, which is to be typed.
# fmt: off
VERBS = {
    "Accept", "Add", "Allow", "Bring", "Build", "Check", "Choose", "Correct", "Do", "Enable", "End", "Exchange",
    "Free", "Give", "Indent", "Install", "Leave", "Let", "List", "Load", "Look", "Mend", "Name", "Pipe", "Put",
    "Remove", "Repeat", "Run", "Save", "Say", "See", "Set", "Start", "Take", "Try", "Use", "Wait", "Write",
}
# fmt: on
OUTCOMES = {"passed", "failed", "not_applicable"}
ONLY_A_CHECKOUT_HAS = re.compile(r"\bmake (up|down|test|lint|check|clean)\b|\bscripts/|(?<!/)\bdocs/")


class Message(NamedTuple):
    """A text of the code; what is only known when it runs stands as UNKNOWN."""

    where: str
    text: str
    remedy: bool = False


class Source(NamedTuple):
    path: Path
    tree: ast.Module

    def calls(self) -> Iterator[tuple[str, ast.Call]]:
        """Each call with the last word of what is called."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield ast.unparse(node.func).rpartition(".")[2], node

    def message(self, node: ast.expr, text: str, *, remedy: bool = False) -> Message:
        return Message(f"{self.path.relative_to(ROOT)}:{node.lineno}", text, remedy)

    def texts(self, node: ast.expr) -> Iterator[str]:
        """What an expression can say, through the names that this file gives to texts."""
        if isinstance(node, ast.IfExp):
            yield from (*self.texts(node.body), *self.texts(node.orelse))
        elif isinstance(node, ast.BoolOp):
            yield from (text for value in node.values for text in self.texts(value))
        elif isinstance(node, ast.Name):
            yield from (text for value in self._values(node.id) for text in self.texts(value))
        elif text := plain(node):
            yield text

    def _values(self, name: str) -> Iterator[ast.expr]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Assign) and any(ast.unparse(target) == name for target in node.targets):
                yield from () if isinstance(node.value, ast.Name | ast.Tuple) else (node.value,)


def sources(folder: str) -> list[Source]:
    return [Source(path, ast.parse(path.read_text())) for path in sorted((ROOT / folder).rglob("*.py"))]


def plain(node: ast.expr) -> str:
    """The text of a literal; nothing for one that is made elsewhere."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else UNKNOWN for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return (plain(node.left) or UNKNOWN) + (plain(node.right) or UNKNOWN)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        return re.sub(r"\{\w*\}", UNKNOWN, plain(node.func.value))
    return ""


PROVISION = sources("provision")


def messages() -> Iterator[Message]:
    for source in PROVISION:
        for name, call in source.calls():
            if name in KINDS and call.args and (text := plain(call.args[0])):
                yield source.message(call, text, remedy=any(keyword.arg == "remedy" for keyword in call.keywords))


def remedies() -> Iterator[Message]:
    """Those handed over by name, those of hints and of faults in lab.yml, and what backends keep."""
    for source in PROVISION:
        for name, call in source.calls():
            given = [keyword.value for keyword in call.keywords if keyword.arg == "remedy"]
            given += call.args[2:3] if name in {"Fault", "Hint"} else []
            yield from (source.message(node, text) for node in given for text in source.texts(node))
        for node in ast.walk(source.tree):
            if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "remedy" and node.value:
                yield from (source.message(node.value, text) for text in source.texts(node.value))


def reasons() -> Iterator[Message]:
    """What checks say of what they saw."""
    for source in PROVISION:
        for name, call in source.calls():
            if name in OUTCOMES and call.args and (text := plain(call.args[0])):
                yield source.message(call, text)


def steps() -> Iterator[Message]:
    """What is said while something is done."""
    for source in PROVISION:
        for name, call in source.calls():
            if name in {"report", "say"} and call.args and (text := plain(call.args[0]).strip()):
                yield source.message(call, text)


def told_on_hosts() -> Iterator[Message]:
    """Messages of tasks, and of what modules of ours refuse on hosts."""
    for path in sorted((ROOT / "roles").glob("*/tasks/*.yml")):
        for text in _spoken(yaml.safe_load(path.read_text())):
            yield Message(str(path.relative_to(ROOT)), re.sub(r"\{\{.*?\}\}", UNKNOWN, text))
    for source in sources("plugins"):
        given = [call.args[0] for name, call in source.calls() if name == "Refused"] + [*_messages_in(source.tree)]
        yield from (source.message(node, text) for node in given if (text := plain(node)))


def _messages_in(tree: ast.Module) -> Iterator[ast.expr]:
    """What a module answers as `msg`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            yield from (value for key, value in zip(node.keys, node.values, strict=True) if key and plain(key) == "msg")


def _spoken(tasks: object) -> Iterator[str]:
    if isinstance(tasks, list):
        for task in tasks:
            yield from _spoken(task)
    elif isinstance(tasks, dict):
        for key, value in tasks.items():
            if key in {"fail_msg", "success_msg", "msg"} and isinstance(value, str):
                yield value
            else:
                yield from _spoken(value)


ALL = list(messages())


REMEDIES, REASONS, STEPS, HOSTS = list(remedies()), list(reasons()), list(steps()), list(told_on_hosts())


def begins_well(text: str) -> bool:
    return (
        text[0].isupper() or text[0] in f"'{UNKNOWN}`-" or text[0].isdigit() or text.startswith((*COMMANDS, *OF_A_HOST))
    )


def test_there_are_texts_to_read() -> None:
    assert [len(texts) > least for texts, least in COUNTED] == [True] * len(COUNTED)


COUNTED = [(ALL, 120), (REMEDIES, 150), (REASONS, 30), (STEPS, 15), (HOSTS, 10)]


@pytest.mark.parametrize("message", [*ALL, *HOSTS], ids=lambda message: message.where)
def test_it_is_a_sentence_without_its_stop(message: Message) -> None:
    assert begins_well(message.text), f"{message.text!r} begins in lower case"
    assert not message.text.rstrip().endswith((".", "!")), f"{message.text!r} has a stop"
    assert '"' not in message.text, f"{message.text!r} has names in double quotes"


def test_checks_and_steps_speak_in_sentences_too() -> None:
    said = [*REASONS, *STEPS]
    assert [one for one in said if not begins_well(one.text)] == []
    assert [one for one in said if one.text.endswith((".", "!"))] == []


def test_a_remedy_begins_with_what_to_type_or_do() -> None:
    begun = [one for one in REMEDIES if one.text[0] not in f"`{UNKNOWN}"]
    assert [one for one in begun if re.match(r"\w+", one.text)[0] not in VERBS] == []  # type: ignore[index]
    assert [one for one in REMEDIES if one.text.endswith((".", "!"))] == []


def test_a_remedy_holds_where_there_is_no_checkout() -> None:
    assert [one for one in [*ALL, *REMEDIES] if ONLY_A_CHECKOUT_HAS.search(one.text)] == []
    assert ONLY_A_CHECKOUT_HAS.search("Run `make up`")
    assert ONLY_A_CHECKOUT_HAS.search("Read docs/multus.md")
    assert not ONLY_A_CHECKOUT_HAS.search("Read https://example.org/docs/multus")


def test_what_packages_makes_speaks_so_too() -> None:
    for commands in (["ssh"], ["ssh", "nft"], ["no-such-command"]):
        error = lacking(commands, "take another way")
        assert begins_well(error.problem)
        assert not error.problem.endswith(".")
        assert re.match(r"\w+|`", error.remedy)[0] in {*VERBS, "`"}  # type: ignore[index]


def test_tables_are_made_in_one_place() -> None:
    makers = {
        str(source.path.relative_to(ROOT)) for source in PROVISION for name, _ in source.calls() if name == "Table"
    }
    assert makers == {"provision/core/tables.py"}


@pytest.mark.parametrize("word", ["please", "sorry", "should", "oops"])
def test_nobody_is_begged_or_told_what_should_be(word: str) -> None:
    assert [one for texts, _ in COUNTED for one in texts if word in one.text.lower().split()] == []


def test_each_has_a_remedy_or_a_reason_to_have_none() -> None:
    lacking = [message for message in ALL if not message.remedy]
    assert [one for one in lacking if not one.text.startswith(tuple(NO_REMEDY))] == []
    assert [start for start in NO_REMEDY if not any(one.text.startswith(start) for one in lacking)] == []


def test_only_the_end_of_the_command_line_ends_the_process() -> None:
    ends = {
        str(source.path.relative_to(ROOT))
        for source in PROVISION
        for node in ast.walk(source.tree)
        if (isinstance(node, ast.Attribute) and ast.unparse(node) in {"sys.exit", "os._exit"})
        or (isinstance(node, ast.Name) and node.id in {"SystemExit", "exit", "quit"})
    }
    assert ends == {"provision/cli/ending.py"}
