"""Units of systemd that are enabled and run with their files as they are now."""

from __future__ import annotations

import subprocess

UNIT_FOLDER = "/etc/systemd/system/"


class Refused(Exception):
    """What the host did not do, in a sentence."""


def systemctl(*words):
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)  # noqa: S607 - wherever it is
    if done.returncode != 0:
        raise Refused("'systemctl {}' failed: {}".format(" ".join(words), (done.stderr or done.stdout).strip()))
    return done.stdout


def state_of(unit):
    """The unit's properties, as systemd has them."""
    wanted = "--property=LoadState,ActiveState,UnitFileState,NeedDaemonReload"
    return dict(line.split("=", 1) for line in systemctl("show", wanted, unit).splitlines())


def ensure_unit(item, changed_files, check_mode):
    """Have one unit enabled and running, with the files as they are now; return whether anything was done."""
    name, state = item["name"], state_of(item["name"])
    acts = []
    if state["UnitFileState"] != "enabled":
        acts.append("enable")
    if state["ActiveState"] != "active":
        acts.append("start")
    elif item["restart"] or set(item["restart_for"]) & set(changed_files):
        acts.append("restart")
    if not check_mode:
        for act in acts:
            _act(act, name)
    return bool(acts)


def _act(act, unit):
    try:
        systemctl(act, unit)
    except Refused as refused:
        raise Refused(f"{refused}\n{_last_words(unit)}".strip()) from refused


def _last_words(unit):
    """What the unit said last: systemd itself only says where to look."""
    argv = ["journalctl", "--unit", unit, "--lines", "5", "--no-pager", "--output", "cat"]
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:  # no journal here
        return ""


def reload_units(units, changed_files, check_mode):
    """Have systemd read its files again where one has changed, also in a run that was interrupted before this."""
    stale = any(path.startswith(UNIT_FOLDER) for path in changed_files) or any(
        state_of(unit["name"])["NeedDaemonReload"] == "yes" for unit in units
    )
    if stale and not check_mode:
        systemctl("daemon-reload")
