"""What a name may look like, checked before it becomes part of a path, a URL or a plug-in's environment."""

from __future__ import annotations

import re

# CNI 1.1, "Parameters" and "Configuration format": container IDs and network names.
_CNI_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*")
# RFC 1123 labels joined by dots, as Kubernetes validates object names.
_OBJECT = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_MAC = re.compile(r"[0-9A-Fa-f]{2}([:-])[0-9A-Fa-f]{2}(\1[0-9A-Fa-f]{2}){4}")

IFNAMSIZ = 16  # linux/if.h: 15 characters and the final zero
INTERFACE_RULE = f'choose one of at most {IFNAMSIZ - 1} octets, without spaces, "/" and ":"'
OBJECT_NAME_MAX = 253


def cni_name(text: str) -> bool:
    """Whether `text` may be a container ID or a network name."""
    return bool(_CNI_NAME.fullmatch(text))


def object_name(text: str) -> bool:
    """Whether `text` may be the name of a Kubernetes object or namespace."""
    return len(text) <= OBJECT_NAME_MAX and bool(_OBJECT.fullmatch(text))


def interface_name(text: str) -> bool:
    """Whether Linux takes `text` as an interface's name (dev_valid_name in net/core/dev.c)."""
    if not text or len(text.encode()) >= IFNAMSIZ or text in (".", ".."):
        return False
    return not any(char in "/:" or char.isspace() or not char.isprintable() for char in text)


def plugin_type(text: object) -> bool:
    """Whether `text` may name a plug-in's executable: no path, so nothing outside the plug-in folders runs."""
    return isinstance(text, str) and bool(text) and "/" not in text and "\\" not in text and text not in (".", "..")


def mac_address(text: str) -> bool:
    """Whether `text` is a 6-byte Ethernet address."""
    return bool(_MAC.fullmatch(text))
