"""The project's Ansible modules as their action sends them: one program, arguments and all, for any host's Python."""

from __future__ import annotations

import importlib.util
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from provision.core.paths import ROOT

_ACTION = ROOT / "plugins" / "action" / "host_files.py"


def program(name: str, arguments: dict[str, Any], *, check_mode: bool = False) -> str:
    """What the host's Python reads; prints the outcome as JSON in its last line."""
    found = importlib.util.spec_from_file_location("own_action", _ACTION)
    assert found is not None and found.loader is not None
    action = importlib.util.module_from_spec(found)
    found.loader.exec_module(action)
    specification = action.specification(name)
    validator = ArgumentSpecValidator(specification.pop("argument_spec"), **specification)
    result = validator.validate(arguments)
    assert result.error_messages == []
    sent: str = action.program(name, result.validated_parameters, check_mode)
    return sent
