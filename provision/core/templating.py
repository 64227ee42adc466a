"""The one door to Jinja: a template and its variables in, text out, and errors that name file, line and variable."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
    UndefinedError,
)

from provision.core.errors import InputError
from provision.core.paths import ROOT


def render_file(template: Path, values: Mapping[str, Any]) -> str:
    """The text of `template`; raises InputError naming the file, the line and what is wrong there."""
    try:
        return _environment(template.parent).get_template(template.name).render(values)
    except TemplateNotFound as error:
        raise InputError(
            "The template does not exist",
            where=shown(template.parent / (error.name or template.name)),
            remedy="Install mcastlab anew, or restore the file where it runs from a checkout",
        ) from error
    except UndefinedError as error:
        raise InputError(
            f"The template needs a variable that it does not get: {error.message}",
            where=_place(template, error),
            remedy="Correct its name, or give it that variable where the template is rendered",
        ) from error
    except TemplateError as error:
        raise InputError(f"The template cannot be rendered: {error.message}", where=_place(template, error)) from error


def evaluate(given: Mapping[str, Any], values: Mapping[str, Any], where: Path) -> dict[str, Any]:
    """The variables `given`, whose text may hold expressions over `values` and over those before it, as in Ansible.

    Text that is one expression keeps the expression's type. Raises InputError naming `where` and the variable.
    """
    environment, known = _environment(ROOT), dict(values)
    for name, value in given.items():
        try:
            known[name] = _evaluated(environment, value, known)
        except TemplateError as error:
            raise InputError(f"Variable '{name}' cannot be computed: {error.message}", where=shown(where)) from error
    return {name: known[name] for name in given}


def shown(path: Path) -> str:
    """`path` as an error shows it: within the checkout from its root on."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def _evaluated(environment: Environment, value: Any, known: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_evaluated(environment, item, known) for item in value]
    if not isinstance(value, str) or "{{" not in value:
        return value
    text = value.strip()
    if text.startswith("{{") and text.endswith("}}") and text.count("{{") == 1:
        found = environment.compile_expression(text[2:-2].strip(), undefined_to_none=False)(**known)
        if isinstance(found, StrictUndefined):
            raise UndefinedError(found._undefined_message)
        return found
    return environment.from_string(value).render(known)


def _environment(folder: Path) -> Environment:
    # No autoescape: that is for HTML. What goes into YAML passes through `tojson`, which quotes it: whatever a value
    # holds, it stays one value. The whitespace settings are those of Ansible's template module.
    environment = Environment(  # noqa: S701
        loader=FileSystemLoader(folder), undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    environment.filters["tojson"] = _tojson
    return environment


def _tojson(value: object) -> str:
    """`value` as JSON, which is YAML as well; Jinja's own filter escapes < and & for HTML."""
    return json.dumps(value, default=_unknown_to_json)


def _unknown_to_json(value: object) -> object:
    if isinstance(value, StrictUndefined):
        value._fail_with_undefined_error()
    raise TypeError(f"A template got {value!r}, which is neither text, number, list nor mapping")


def _place(template: Path, error: TemplateError) -> str:
    """The line of the template, or of the one that it includes, where `error` came up.

    Jinja puts the lines of templates into the traceback; an error of syntax has its line itself.
    """
    if isinstance(error, TemplateSyntaxError):
        return f"{shown(Path(error.filename or template))}:{error.lineno}"
    place, traceback = shown(template), error.__traceback__
    while traceback:
        file = Path(traceback.tb_frame.f_code.co_filename)
        if file.parent == template.parent:
            place = f"{shown(file)}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place
