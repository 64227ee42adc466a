"""CNI specification versions: which there are, how they compare, which one a network is run at."""

from __future__ import annotations

from .errors import INCOMPATIBLE_VERSION, CniError

# What a network may ask for, oldest first (CNI 1.1, "Released versions").
KNOWN = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
# What the runtime may speak with netattach itself: results before 0.3.0 have no interfaces.
SPOKEN = KNOWN[2:]
NEWEST = KNOWN[-1]


def at_least(version: str, other: str) -> bool:
    """Whether `version` is `other` or later; both are in KNOWN."""
    return KNOWN.index(version) >= KNOWN.index(other)


def select(subject: str, config: dict[str, object]) -> str:
    """The version to run a network at: the highest known one of `cniVersion` and `cniVersions`.

    A network without either is a 0.1.0 one, as every plug-in reads it. Raises CniError 1 when none is known.
    """
    listed = config.get("cniVersions")
    wanted = [str(item) for item in listed] if isinstance(listed, list) else []
    wanted.append(str(config.get("cniVersion") or "0.1.0"))
    usable = [version for version in KNOWN if version in wanted]
    if not usable:
        raise CniError(
            INCOMPATIBLE_VERSION,
            f'{subject} asks for CNI version "{", ".join(wanted)}", which netattach does not know',
            f"known versions: {', '.join(KNOWN)}",
        )
    return usable[-1]
