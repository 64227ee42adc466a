"""Action behind the project's own modules: their code on the host without Ansible's package of it.

Ansible ships a module with its own libraries, and a host needs a quarter of a second of processor time to compile
these: more than all that the module does. These modules need only Python's library, so their source goes to the
host's Python over the connection's standard input, arguments and all. Each module stays one that Ansible can run as
any other; `cluster_objects` beside this is a link to it, since Ansible finds an action by its file's name.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

from ansible.plugins.action import ActionBase

_PYTHON = "/usr/bin/python3"  # where Debian has it, if the inventory says nothing


class ActionModule(ActionBase):
    """Validates the arguments by the module's `specification`, and returns what its `outcome` says on the host."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        name = self._task.action.rsplit(".", 1)[-1]
        path = Path(__file__).parents[1] / "modules" / f"{name}.py"
        _, arguments = self.validate_argument_spec(**_load(path).specification())
        python = (task_vars or {}).get("ansible_python_interpreter", _PYTHON)
        program = _program(name, path.read_text(encoding="utf-8"), arguments, self._task.check_mode)
        done = self._low_level_execute_command(f"{python} -I -", in_data=program.encode())
        return {**result, **_parse(done)}


def _load(path: Path) -> ModuleType:
    found = importlib.util.spec_from_file_location(path.stem, path)
    assert found is not None and found.loader is not None  # noqa: S101 - for mypy: a path of .py has both
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def _program(name: str, source: str, arguments: dict[str, Any], check_mode: bool) -> str:
    """What the host's Python is to read: the module by its name, so that it does not run as a program."""
    return (
        f"import json\n"
        f"module = {{'__name__': {name!r}}}\n"
        f"exec(compile({source!r}, {name!r}, 'exec'), module)\n"
        f"print('\\n' + json.dumps(module['outcome'](json.loads({json.dumps(arguments)!r}), {check_mode!r})))\n"
    )


def _parse(done: dict[str, Any]) -> dict[str, Any]:
    """The last line is the outcome: before it may stand what a login shell says."""
    try:
        result: dict[str, Any] = json.loads(done["stdout"].rstrip("\n").rsplit("\n", 1)[-1])
    except ValueError:
        told = {"module_stdout": done["stdout"], "module_stderr": done["stderr"], "rc": done["rc"]}
        said = (done["stderr"] or done["stdout"]).strip()
        return {"failed": True, "msg": f"The host's Python did not get through the module: {said}", **told}
    return result
