#!/usr/bin/env python3
"""Write roles/*/README.md: what each role does, its variables and an example, from its own argument_specs and defaults.

scripts/role_readmes.py          # writes them; a test holds them to what it would write
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parents[1] / "roles"
_EXAMPLES = {"int": 1, "bool": True, "list": [], "dict": {}}


def readme(role: Path) -> str:
    """The page of a role."""
    specs: dict[str, Any] = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text()) or {}
    parts = [f"# {role.name}\n", f"{specs['main']['short_description']}.\n"]
    parts += [f"{_text(specs['main']['description'])}\n"] if "description" in specs["main"] else []
    parts += ["## Variables\n", _variables(specs["main"].get("options", {}), defaults)]
    if others := {name: spec for name, spec in specs.items() if name != "main"}:
        rows = [f"| `{name}` | {spec['short_description']} |" for name, spec in others.items()]
        parts += ["## Entry points\n", "\n".join(["| `tasks_from` | does |", "|---|---|", *rows]) + "\n"]
    parts += ["## Example\n", _example(role.name, specs["main"].get("options", {}))]
    parts.append("How the roles go together: [docs/roles.md](../../docs/roles.md).\n")
    return "\n".join(parts)


def _variables(options: dict[str, Any], defaults: dict[str, Any]) -> str:
    rows = ["| variable | kind | default | what it is |", "|---|---|---|---|"]
    for name, option in options.items():
        kind = option.get("type", "str") + (f" of {option['elements']}" if "elements" in option else "")
        kind += f": {', '.join(map(str, option['choices']))}" if "choices" in option else ""
        rows.append(
            f"| `{name}` | {kind} | {_default(name, option, defaults)} | {_cell(_text(option['description']))} |"
        )
    return "\n".join(rows) + "\n"


def _default(name: str, option: dict[str, Any], defaults: dict[str, Any]) -> str:
    if option.get("required"):
        return "none, it must be given"
    if name not in defaults:
        return ""
    value = defaults[name]
    text = value if isinstance(value, str) else yaml.safe_dump(value, default_flow_style=True, width=10_000)
    return f"`{_cell(text.removesuffix('...' + chr(10)).strip())}`" if text.strip() else "empty"


def _text(description: str | list[str]) -> str:
    text = " ".join(description) if isinstance(description, list) else description
    return re.sub(r"\bC\(([^)]*)\)", r"`\1`", text)  # Ansible's markup for code


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _example(name: str, options: dict[str, Any]) -> str:
    needed = {
        key: _EXAMPLES.get(option.get("type", "str"), "…") for key, option in options.items() if option.get("required")
    }
    play = [{"hosts": "all", "become": True, "roles": [{"role": f"mcastlab.mcastlab.{name}", **needed}]}]
    text = yaml.safe_dump(play, sort_keys=False, allow_unicode=True)
    return f"```yaml\n{textwrap.dedent(text)}```\n"


if __name__ == "__main__":
    for folder in sorted(path for path in ROLES.iterdir() if path.is_dir()):
        (folder / "README.md").write_text(readme(folder))
