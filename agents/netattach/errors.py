"""Failures as CNI reports them: a code, a short message and details (CNI 1.1, section "Error")."""

from __future__ import annotations

INCOMPATIBLE_VERSION = 1
UNSUPPORTED_FIELD = 2
CONTAINER_UNKNOWN = 3
BAD_ENVIRONMENT = 4
IO_FAILURE = 5
DECODING_FAILURE = 6
INVALID_CONFIG = 7
TRY_AGAIN = 11
NOT_AVAILABLE = 50

# 100 and above are the plug-in's own.
NAD_MISSING = 100
NAMESPACE_REFUSED = 101
API_REFUSED = 102
DELEGATE_FAILED = 103
PLUGIN_MISSING = 104
ALREADY_ATTACHED = 105
INTERNAL = 199


class CniError(Exception):
    """A failure with a CNI error code; `msg` is a whole sentence that names what it is about."""

    def __init__(self, code: int, msg: str, details: str = "") -> None:
        super().__init__(msg)
        self.code = code
        self.msg = msg
        self.details = details

    def __str__(self) -> str:
        return f"{self.msg} ({self.details})" if self.details else self.msg

    def about(self, subject: str) -> CniError:
        """The same failure, with `subject` named before the message."""
        return type(self)(self.code, f"{subject}: {self.msg}", self.details)

    def to_json(self, version: str) -> dict[str, object]:
        """The error object that goes to standard output."""
        out: dict[str, object] = {"cniVersion": version, "code": self.code, "msg": self.msg}
        if self.details:
            out["details"] = self.details
        return out


class PluginMissing(CniError):
    """A plug-in cannot be started: it did not run, whatever it was asked. Its code could be another plug-in's own."""


class Away(CniError):
    """What cannot be given back now: the API server, which keeps it, does not answer."""


class Damaged(CniError):
    """A file of the node's is there and cannot be used; the message names it, the details are the remedy."""
