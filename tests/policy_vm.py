"""Tests on Debian's own kernel: in a virtual machine that qemu emulates, without a lab, Vagrant or libvirt.

    python -m tests.policy_vm [what pytest is to run]

The machine has Debian's packages, and at the same path a copy of this checkout, and its .venv, read-only. It has no
network, and the programs are compiled outside.
"""

from __future__ import annotations

import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from provision.artifacts import bpf_object, rootfs
from provision.artifacts.bundle import Maker
from provision.artifacts.store import Item, dies_with_us, key_of, text_digest
from provision.core.errors import HostError, McastlabError
from provision.core.lock import locked
from provision.core.paths import ROOT
from provision.core.run import as_root, run

# And ipvlan, which other kernels may lack.
TESTS = [
    "tests/integration/multicast_policy",
    "tests/integration/netattach/test_netattach_tenants.py::test_allowed[ipvlan of one who was given it]",
]
SECONDS = 2400  # for all that happens in the machine
PATIENCE = 6  # how many times what the tests wait for, or allow, elsewhere
_TREE = ROOT / "images" / "policy-vm-tree"
_SHARED = ROOT / "build" / "policy-vm"  # what the machine is told, and what it leaves: its console, its exit code
_COPY = ROOT / "build" / "policy-vm-checkout"  # so that nobody's work meanwhile is half of what is tested
_WITHOUT = (".git", ".venv", ".*_cache", ".mcastlab", ".vagrant", "build")
_TOOLS = {"mke2fs": "e2fsprogs", "qemu-system-x86_64": "qemu-system-x86"}
# Of an emulated processor the kernel would not trust the time counter (docs/vagrant.md); and what the emulator has
# translated of a program serves the next process of it only where that one has the same addresses.
_KERNEL = "root=/dev/vda rw init=/first console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable norandmaps"
_SIZE = "3G"

_RUN = """
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
mkdir -p {root} {plugins}
for place in checkout={root} venv={root}/.venv plugins={plugins}; do
  mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=1048576,cache=loose "${{place%%=*}}" "${{place#*=}}"
done
mount -t tmpfs tmpfs /tmp
mount -t debugfs debugfs /sys/kernel/debug
# Long turns, as the box has them.
for pair in min_granularity_ns=20000000 wakeup_granularity_ns=20000000 latency_ns=40000000; do
  echo "${{pair#*=}}" >"/sys/kernel/debug/sched/${{pair%%=*}}"
done
modprobe -a br_netfilter
ip link set lo up
stty -F /dev/ttyS1 raw
cd {root}
echo "in the machine after $(cut -d' ' -f1 /proc/uptime) s: kernel $(uname -r)" >/dev/ttyS1
env MCASTLAB_PATIENCE={patience} MCASTLAB_CNI_BIN={plugins} MCASTLAB_POLICY_OBJECT=/shared/policy.o \\
  .venv/bin/python -m pytest -p no:cacheprovider {words} >/dev/ttyS1 2>&1 </dev/null
echo "$?" >/shared/code
sync
echo b >/proc/sysrq-trigger
"""


def main(words: list[str]) -> int:
    """pytest's exit code in the machine; 3 when it did not come to that."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that it ends what it started
    try:
        with locked(_SHARED / "lock", "the machine for tests", _say, SECONDS):
            return _test(words)
    except McastlabError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted: the machine is ended", file=sys.stderr)
        return 130


def _test(words: list[str]) -> int:
    for tool, package in _TOOLS.items():
        if shutil.which(tool, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
            raise HostError(f"Command '{tool}' is missing", remedy=f"apt-get install {package}")
    maker = Maker.here()
    image = _image(maker, _say)
    programs = bpf_object.ensure(maker.images.architecture, maker.store, _say)
    plugins = maker.images.component("cni", _say)
    for name in ("code", "console.log"):
        (_SHARED / name).unlink(missing_ok=True)
    shutil.copy(programs / bpf_object.OBJECT, _SHARED)
    colour = f"--color={'yes' if sys.stdout.isatty() else 'no'}"
    arguments = shlex.join([*(words or TESTS), "-v", "-rP", "--durations=15", colour])
    text = _RUN.format(root=shlex.quote(str(ROOT)), plugins="/opt/cni", patience=PATIENCE, words=arguments)
    (_SHARED / "run").write_text(text)
    started = time.monotonic()
    try:
        shutil.rmtree(_COPY, ignore_errors=True)  # of a run that was killed
        shutil.copytree(ROOT, _COPY, symlinks=True, ignore=shutil.ignore_patterns(*_WITHOUT))
        (_COPY / ".venv").mkdir()
        run(_machine(image, plugins), timeout=SECONDS, on_line=lambda line: print(line, flush=True))
    finally:
        shutil.rmtree(_COPY, ignore_errors=True)
        _say(f"the machine ran for {time.monotonic() - started:.0f} s")
    try:
        return int((_SHARED / "code").read_text())
    except (OSError, ValueError):
        said = (_SHARED / "console.log").read_text(errors="replace").splitlines()[-40:]
        raise HostError("The machine ended without a result", where=str(_SHARED), detail="\n".join(said)) from None


def _machine(image: Path, plugins: Path) -> list[str]:
    """qemu's command line: the tests' output comes by its standard output, the kernel's goes to a file."""
    read_only = {"checkout": _COPY, "venv": ROOT / ".venv", "plugins": plugins}
    shares = {"shared": (_SHARED, "off"), **{name: (path, "on") for name, path in read_only.items()}}
    folders = [
        [
            "-virtfs",
            f"local,path={_comma(path)},mount_tag={tag},security_model=none,readonly={readonly},multidevs=remap",
        ]
        for tag, (path, readonly) in shares.items()
    ]
    return [
        *dies_with_us("KILL"),
        "qemu-system-x86_64",
        *("-accel", "tcg,thread=multi,tb-size=512", "-cpu", "qemu64", "-smp", "2", "-m", "2048"),
        *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-nic", "none"),
        *("-kernel", str(image / "vmlinuz"), "-initrd", str(image / "initrd.img"), "-append", _KERNEL),
        *("-drive", f"file={_comma(image / 'root.img')},format=raw,if=virtio,snapshot=on"),
        *("-serial", f"file:{_comma(_SHARED / 'console.log')}", "-serial", "stdio"),
        *(word for words in folders for word in words),
    ]


def _comma(path: Path) -> str:
    """A path within an option of qemu's."""
    return str(path).replace(",", ",,")


def _image(maker: Maker, report: Callable[[str], None]) -> Path:
    """A folder with root.img, vmlinuz and initrd.img, from the cache or made now (a minute)."""
    root_item = maker.images.root_item("policy-vm")

    def make_root(folder: Path) -> None:
        spec = maker.images.spec.roots["policy-vm"]
        rootfs.make_root(spec, maker.versions.suite, maker.images.architecture, folder / "root.tar", report)

    def make(folder: Path) -> None:
        root = maker.store.ensure(root_item, make_root, report)
        tree = folder / "tree"
        tree.mkdir()
        careful = dies_with_us("TERM")
        run(as_root([*careful, str(_TREE), str(tree), str(root / "root.tar"), str(folder)]), timeout=300)
        mke2fs = ["mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", str(tree), str(folder / "root.img"), _SIZE]
        run(as_root([*careful, *mke2fs]), timeout=300)
        run(as_root(["rm", "-rf", "--one-file-system", str(tree)]), timeout=120)

    key = key_of(root=root_item.key, tree=text_digest(_TREE), size=_SIZE)
    return maker.store.ensure(Item("policy-vm", key, "machine for tests"), make, report)


def _say(line: str) -> None:
    print(f"test-policy-vm: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
