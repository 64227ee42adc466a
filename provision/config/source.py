"""A lab.yml as the user wrote it: its data, and the line of every key."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from provision.core.errors import InputError
from provision.core.paths import page

DEFAULT_NAME = "lab.yml"
_MOST_BYTES = 1 << 20
_NAME_ANOTHER = "Name the file that describes the lab: --lab FILE"

KeyPath = tuple[Hashable, ...]
"""Where a value stands, by keys and list indexes: ("hosts", 1, "address")."""


def dotted(path: KeyPath) -> str:
    """`path` as it is shown: hosts[1].address."""
    text = ""
    for part in path:
        text += f"[{part}]" if text and isinstance(part, int) else f".{part}" if text else str(part)
    return text


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong at `path`; `about` are further values that it was judged by."""

    path: KeyPath
    problem: str
    remedy: str = ""
    about: tuple[KeyPath, ...] = ()

    @property
    def paths(self) -> tuple[KeyPath, ...]:
        return (self.path, *self.about)


@dataclass(frozen=True)
class Source:
    """`name` is the file as the user named it, `data` what it holds, `root` the same as nodes with lines.

    `inventory` is the Ansible inventory that `data`'s hosts came from, if they did.
    """

    name: str
    data: dict[Any, Any]
    root: yaml.Node | None = None
    repeated: tuple[Fault, ...] = ()
    inventory: str = ""

    def error(self, finding: Fault) -> tuple[int, InputError]:
        """`finding` as an error, and the line that it is on: that of the first of its paths that the file has."""
        written = next((path for path in finding.paths if self._node(path)), finding.path)
        if self.inventory and written[:1] == ("hosts",) and isinstance(written[1], int):
            where = f"{self.inventory}: host '{self.data['hosts'][written[1]]['name']}'"
            return self.line(("ssh", "inventory")), InputError(finding.problem, where=where, remedy=finding.remedy)
        line = self.line(written)
        place = f"{self.name}:{line}" if line else self.name
        where = f"{place}: {dotted(written)}" if written else place
        return line, InputError(finding.problem, where=where, remedy=finding.remedy)

    def line(self, path: KeyPath) -> int:
        """The line of `path`, or of the nearest part of it that the file has; 0 without any."""
        for length in range(len(path), 0, -1):
            if node := self._node(path[:length]):
                return int(node.start_mark.line) + 1
        return 0

    def _node(self, path: KeyPath) -> yaml.Node | None:
        """The node of the key or list item at the end of `path`."""
        value, found = self.root, None
        for part in path:
            if isinstance(value, yaml.MappingNode):
                # The last one: a key of the mapping itself stands behind those that `<<` merged into it.
                pairs = [pair for pair in value.value if pair[0].value == str(part)]
                found, value = pairs[-1] if pairs else (None, None)
            elif isinstance(value, yaml.SequenceNode) and isinstance(part, int) and part < len(value.value):
                found = value = value.value[part]
            else:
                return None
        return found


def read(path: Path | None) -> Source:
    """The lab file at `path`; none, an empty one, and a missing file with the default name hold nothing.

    Raises InputError when the file cannot be read, is not YAML or is not a mapping.
    """
    if path is None:
        return Source(DEFAULT_NAME, {})
    try:
        if path.exists() and not path.is_file():  # a pipe or a device may have no end
            raise InputError("This is no file", where=str(path), remedy=_NAME_ANOTHER)
        with path.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise InputError(
                "The file is longer than a lab's description can be (1 MiB)",
                where=str(path),
                remedy=_NAME_ANOTHER,
            )
        text = content.decode()
    except FileNotFoundError:
        if path.name == DEFAULT_NAME:
            return Source(str(path), {})
        raise InputError(
            "The file does not exist",
            where=str(path),
            remedy=f"Correct its path, or leave out --lab: then {DEFAULT_NAME} is read",
        ) from None
    except OSError as error:
        raise InputError(
            f"The file cannot be read: {error.strerror}", where=str(path), remedy="Let it be read, or name another one"
        ) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(
            "The file is not UTF-8 text", where=f"{path}:{line}", remedy="Save it in the encoding UTF-8"
        ) from error
    return parse(text, str(path))


def parse(text: str, name: str) -> Source:
    """`text` as a lab file called `name`; raises InputError as `read` does."""
    loader = yaml.SafeLoader("")
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        repeated = tuple(_repeated(root)) if root else ()
        data = loader.construct_document(root) if root else None
    except yaml.YAMLError as error:
        raise _invalid(error, text, name) from error
    except (ValueError, RecursionError) as error:  # a date such as 2026-13-01; brackets without end
        raise InputError(f"The file is not valid YAML: {error}", where=name) from error
    finally:
        loader.dispose()
    if root is None or data is None:
        return Source(name, {})
    if not isinstance(data, dict):
        raise InputError(
            "The file must be a mapping of keys to values",
            where=f"{name}:{root.start_mark.line + 1}",
            remedy=f"Write lines such as `name: second`; {page('configuration')} lists the keys",
        )
    return Source(name, data, root, repeated)


def _invalid(error: yaml.YAMLError, text: str, name: str) -> InputError:
    mark = getattr(error, "problem_mark", None)
    if mark is None:  # the reader's, of a character that YAML does not allow
        return InputError("The file is not valid YAML", where=name, detail=str(error).split("\n", maxsplit=1)[0])
    where = f"{name}:{mark.line + 1}:{mark.column + 1}"
    if text.splitlines()[mark.line : mark.line + 1] and text.splitlines()[mark.line][mark.column :].startswith("\t"):
        return InputError(
            "A tab stands where YAML allows spaces only", where=where, remedy="Indent by spaces, two a level"
        )
    problem = str(getattr(error, "problem", error))
    if problem.startswith("but "):  # the second half of a sentence
        problem = f"{getattr(error, 'context', '')}, {problem}"
    return InputError(
        f"The file is not valid YAML: {problem}",
        where=where,
        remedy="Mend this place: the number after the line is the column",
    )


def _repeated(root: yaml.Node) -> Iterator[Fault]:
    """Keys that stand twice in one mapping, of which YAML would quietly take the last."""
    waiting: list[tuple[yaml.Node, KeyPath]] = [(root, ())]
    seen: set[int] = set()  # aliases lead to the same node again, or to one of their own parents
    while waiting:
        node, path = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += [(item, (*path, index)) for index, item in enumerate(node.value)]
        elif isinstance(node, yaml.MappingNode):
            waiting += [(value, (*path, str(key.value))) for key, value in node.value]
            yield from _repeated_keys(node, path)


def _repeated_keys(node: yaml.MappingNode, path: KeyPath) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for key, _ in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name in first:
            yield Fault(
                (*path, name), f"Key '{name}' is given twice, first on line {first[name]}", "Remove one of them"
            )
        first.setdefault(name, line)
