"""Action behind the project's own modules: their code on the host without Ansible's package of it.

Ansible ships a module with its own libraries, and a host needs a quarter of a second of processor time to compile
these: more than all that the module does. These modules need only Python's library, so their source goes to the
host's Python over the connection's standard input, arguments and all.

A file of modules/ says what the module of its name takes, the one of that name in module_utils/ what it does: its
`outcome`, and by relative imports the other files that go along. The actions of the other modules beside this are links
to it, since Ansible finds an action by its file's name.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

_PLUGINS = Path(__file__).parents[1]
_PYTHON = "/usr/bin/python3"  # where Debian has it, if the inventory says nothing
_NEEDS = re.compile(r"^from \.(\w+) import ", re.MULTILINE)
# Makes modules of a package out of sources, those first that others import; the last one has the outcome.
_ON_HOST = """
import json, sys, types
def load(name, source):
    module = sys.modules[f"parts.{name}"] = types.ModuleType(f"parts.{name}")
    module.__package__ = "parts"
    exec(compile(source, f"{name}.py", "exec"), module.__dict__)
    return module
sys.modules["parts"] = types.ModuleType("parts")
sys.modules["parts"].__path__ = []
"""


class ActionModule(ActionBase):
    """Validates the arguments by the module's `specification`, and returns what its `outcome` says on the host."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        name = self._task.action.rsplit(".", 1)[-1]
        _, arguments = self.validate_argument_spec(**specification(name))
        python = (task_vars or {}).get("ansible_python_interpreter", _PYTHON)
        sent = program(name, arguments, self._task.check_mode).encode()
        done = self._low_level_execute_command(f"{python} -I -", in_data=sent)
        return {**result, **_parse(done)}


def specification(name: str) -> dict[str, Any]:
    """What the module takes, for Ansible's validation."""
    found = importlib.util.spec_from_file_location(name, _PLUGINS / "modules" / f"{name}.py")
    assert found is not None and found.loader is not None  # noqa: S101 - for mypy: a path of .py has both
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    wanted: dict[str, Any] = module.specification()
    return wanted


def program(name: str, arguments: dict[str, Any], check_mode: bool) -> str:
    """What the host's Python is to read; its last line of output is the outcome, as JSON."""
    parts = dict(_parts(name))
    loads = "".join(f"module = load({part!r}, {source!r})\n" for part, source in parts.items())
    wanted = f"json.loads({json.dumps(arguments)!r}), {check_mode!r}"
    return f"{_ON_HOST}{loads}print('\\n' + json.dumps(module.outcome({wanted})))\n"


def _parts(name: str) -> Iterator[tuple[str, str]]:
    """Name and source of the files that the outcome needs, each after those that it imports."""
    source = (_PLUGINS / "module_utils" / f"{name}.py").read_text(encoding="utf-8")
    for needed in _NEEDS.findall(source):
        yield from _parts(needed)
    yield name, source


def _parse(done: dict[str, Any]) -> dict[str, Any]:
    """The last line is the outcome: before it may stand what a login shell says."""
    try:
        result: dict[str, Any] = json.loads(done["stdout"].rstrip("\n").rsplit("\n", 1)[-1])
    except ValueError:
        told = {"module_stdout": done["stdout"], "module_stderr": done["stderr"], "rc": done["rc"]}
        said = (done["stderr"] or done["stdout"]).strip()
        return {"failed": True, "msg": f"The host's Python did not get through the module: {said}", **told}
    return result
