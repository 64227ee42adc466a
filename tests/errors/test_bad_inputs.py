"""Each NAME.yml here is a bad lab.yml, and NAME.txt what the user is told about it, to the letter.

NAME.ini beside it is the Ansible inventory `hosts.ini` that it names. What bad hosts get is in hosts/, and is tested by
tests/integration/providers/ssh.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from provision import config
from provision.core.errors import McastlabError
from tests.golden_files import compare

HERE = Path(__file__).parent
INPUTS = sorted(path.stem for path in HERE.glob("*.yml"))


@pytest.mark.parametrize("name", INPUTS)
def test_a_bad_lab_file_gets_its_answer(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lab.yml").write_bytes((HERE / f"{name}.yml").read_bytes())
    if (inventory := HERE / f"{name}.ini").exists():
        (tmp_path / "hosts.ini").write_bytes(inventory.read_bytes())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(McastlabError) as caught:
        config.load(Path("lab.yml"))
    assert caught.value.exit_code == 2
    compare(f"{caught.value}\n", HERE / f"{name}.txt")


def test_every_answer_belongs_to_an_input() -> None:
    assert INPUTS
    assert sorted(path.stem for path in HERE.glob("*.txt")) == INPUTS
    assert {path.stem for path in HERE.glob("*.ini")} <= set(INPUTS)
