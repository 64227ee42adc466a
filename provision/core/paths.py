"""Where things are: roles, agents and the like, the user's cache, and one lab's state folder."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from provision.core.errors import HostError

_PACKAGE = Path(__file__).resolve().parents[1]
# Of all that is not this package: a wheel has it in assets/ (pyproject.toml), a checkout beside the package.
ROOT = _PACKAGE / "assets" if (_PACKAGE / "assets").is_dir() else _PACKAGE.parent
BUNDLE_DIR = "/opt/mcastlab/bundle"  # on a host of a lab
CTR = (f"{BUNDLE_DIR}/bin/ctr", "--namespace=k8s.io")  # containerd's command there, for the kubelet's containers
DOCUMENTATION = "https://github.com/mcastlab/mcastlab/blob/main/docs"


def page(name: str) -> str:
    """Where a page of the documentation is read: also by those who have no checkout."""
    return f"{DOCUMENTATION}/{name}.md"


def cache_dir() -> Path:
    """The cache that outlives labs: MCASTLAB_CACHE, or `mcastlab` in XDG_CACHE_HOME, or ~/.cache/mcastlab."""
    if override := os.environ.get("MCASTLAB_CACHE"):
        return Path(override)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "mcastlab"


@dataclass(frozen=True)
class StateDir:
    """`.mcastlab/NAME/` beside lab.yml: keys, kubeconfig, inventory, logs and reports of one lab, and no state."""

    path: Path

    @classmethod
    def of(cls, lab_file: Path, lab_name: str) -> StateDir:
        return cls(lab_file.resolve().parent / ".mcastlab" / lab_name)

    def refuse_anothers(self) -> None:
        """Raise HostError where the lab is another user's: its folder is closed, and its hosts are in another cache."""
        place = self.path if os.path.lexists(self.path) else self.path.parent
        if os.path.lexists(place) and (owner := place.lstat().st_uid) != os.geteuid():
            raise HostError(
                f"This is user '{_user(owner)}'s, and a lab belongs to the user who brought it up",
                where=str(place),
                remedy=f"Run the command as that user: `sudo -u '{_user(owner)}' …`",
            )

    def make(self) -> None:
        """Create the folder for its owner alone (0700); raises HostError where it cannot be, or would be elsewhere."""
        for place in (self.path.parent, self.path):
            if place.is_symlink():
                raise HostError(
                    "This is a link, and mcastlab writes and removes only in folders of its own",
                    where=str(place),
                    remedy="Remove the link",
                )
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise HostError(
                f"The lab's folder cannot be made: {error.strerror}",
                where=str(self.path),
                remedy="Remove what is in its place, or check the folder's owner",
            ) from error

    @property
    def key(self) -> Path:
        return self.path / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.path / "known_hosts"

    @property
    def kubeconfig(self) -> Path:
        return self.path / "kubeconfig"

    @property
    def inventory(self) -> Path:
        return self.path / "inventory.json"

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def reports(self) -> Path:
        return self.path / "reports"


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"#{number}"  # as sudo takes a user without a name
