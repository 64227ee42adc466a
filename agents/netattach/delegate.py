"""Running one plug-in: find it, give it the call, take its result (CNI 1.1, section 4)."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time

from .errors import DECODING_FAILURE, DELEGATE_FAILED, PLUGIN_MISSING, CniError, PluginMissing

_BUSY_TRIES = 5  # a binary that is just being written: "text file busy"


class Runner:
    """Runs plug-ins from `folders`, each within `timeout` seconds, with one call's environment."""

    def __init__(self, folders: list[str], environ: dict[str, str], timeout: float) -> None:
        self.folders = folders
        self.environ = environ
        self.timeout = timeout

    def find(self, kind: str) -> str:
        """The path of the plug-in `kind`; CniError 104 when no folder has it."""
        for folder in self.folders:
            path = f"{folder}/{kind}"
            if os.access(path, os.X_OK) and not os.path.isdir(path):
                return path
        raise PluginMissing(
            PLUGIN_MISSING, f'the CNI plug-in "{kind}" is missing', f"searched: {', '.join(self.folders)}"
        )

    def run(self, command: str, ifname: str, config: dict[str, object], args: str = "") -> dict[str, object]:
        """The plug-in's result, empty where it prints none. Raises CniError with the plug-in's own code.

        `args` are CNI_ARGS beside those of the call.
        """
        kind = str(config["type"])
        path = self.find(kind)
        environ = {**self.environ, "CNI_COMMAND": command, "CNI_IFNAME": ifname}
        if args:
            given = self.environ.get("CNI_ARGS", "")
            environ["CNI_ARGS"] = ";".join([given or "IgnoreUnknown=1", args])
        if not ifname:
            del environ["CNI_IFNAME"]
        status, out, err = spawn([path], environ, json.dumps(config).encode(), self.timeout)
        if err:
            sys.stderr.write(err)
        subject = f'plug-in "{kind}"'
        if status is None:
            raise CniError(DELEGATE_FAILED, f"{subject} did not finish {command} in {self.timeout:g} seconds")
        if status != 0:
            raise _failure(subject, status, out, err)
        return _result(subject, out)


def _result(subject: str, out: str) -> dict[str, object]:
    try:
        result = json.loads(out) if out.strip() else {}
    except ValueError as error:
        raise CniError(DECODING_FAILURE, f"{subject} printed a result that is not JSON", str(error)) from error
    if not isinstance(result, dict):
        raise CniError(DECODING_FAILURE, f"{subject} printed a result that is not a JSON object")
    return result


def _failure(subject: str, status: int, out: str, err: str) -> CniError:
    """The error that a plug-in printed, or what else it said before it ended with `status`."""
    try:
        printed = json.loads(out)
        code, msg = int(printed["code"]), str(printed["msg"])
        return CniError(code or DELEGATE_FAILED, f"{subject}: {msg}", str(printed.get("details") or ""))
    except (ValueError, KeyError, TypeError):
        said = (err or out).strip()[-500:]
        return CniError(DELEGATE_FAILED, f"{subject} ended with status {status}", said)


def spawn(argv: list[str], environ: dict[str, str], stdin: bytes, timeout: float) -> tuple[int | None, str, str]:
    """Run `argv`; its status (None: it was killed after `timeout` seconds), standard output and error.

    Anonymous files instead of pipes: no end can block, and output of any size needs no reader.
    posix_spawn instead of subprocess, which takes 5 ms to load.
    """
    files = [os.memfd_create(name) for name in ("stdin", "stdout", "stderr")]
    try:
        os.write(files[0], stdin)
        os.lseek(files[0], 0, os.SEEK_SET)
        actions = [(os.POSIX_SPAWN_DUP2, file, target) for target, file in enumerate(files)]
        status = _wait(_start(argv, environ, actions), timeout)
        return status, _text(files[1]), _text(files[2])
    finally:
        for file in files:
            os.close(file)


def _start(argv: list[str], environ: dict[str, str], actions: list[tuple[int, int, int]]) -> int:
    for attempt in range(_BUSY_TRIES):
        try:
            return os.posix_spawnp(argv[0], argv, environ, file_actions=actions, setpgroup=0)
        except OSError as error:
            last = error
            if error.errno != 26:  # ETXTBSY
                break
            time.sleep(0.1 * (attempt + 1))
    raise PluginMissing(PLUGIN_MISSING, f'"{argv[0]}" cannot be executed', str(last))


def _wait(pid: int, timeout: float) -> int | None:
    handle = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        in_time = bool(poll.poll(timeout * 1000))
        if not in_time:
            os.killpg(pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return status if in_time else None
    finally:
        os.close(handle)


def _text(file: int) -> str:
    size = os.fstat(file).st_size
    return os.pread(file, size, 0).decode(errors="replace")
