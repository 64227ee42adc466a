"""The namespace switch: which backend a cluster has, and multicast turned on, off and looked at by namespace.

`detect` says what the cluster is, `switch` changes and reads it, `show` prints it. A backend is one file.
"""

from provision.multicast.detect import Detection, detect
from provision.multicast.switch import Changed, NamespaceStatus, disable, enable, existing, status

__all__ = ["Changed", "Detection", "NamespaceStatus", "detect", "disable", "enable", "existing", "status"]
