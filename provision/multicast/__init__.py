"""The namespace switch: which backend a cluster has, and multicast turned on, off and looked at by namespace.

`detect` says what the cluster is, `switch` changes and reads it, `show` prints it. A backend is one file.
"""

from provision.multicast.detect import Found, detect
from provision.multicast.switch import Changed, State, disable, enable, existing, status

__all__ = ["Changed", "Found", "State", "detect", "disable", "enable", "existing", "status"]
