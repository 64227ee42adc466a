"""Waits end by their deadline, and a time-out says what was last seen."""

import pytest

from provision.core.errors import WaitError
from provision.core.wait import Deadline, NotYet, until


def test_the_first_answer_that_is_not_not_yet_is_returned() -> None:
    answers = iter([NotYet("nothing"), NotYet("almost"), 42])
    assert until("the answer", lambda: next(answers), Deadline.after(5), interval=0) == 42


def test_a_time_out_is_an_error_with_the_last_thing_seen() -> None:
    with pytest.raises(WaitError) as caught:
        until("a pod", lambda: NotYet("phase Pending"), Deadline.after(0.02), interval=0.01, remedy="Look at it")
    assert str(caught.value) == "Waited 0 s for a pod; last seen: phase Pending\n  remedy: Look at it"


def test_the_condition_is_probed_once_even_when_the_deadline_has_passed() -> None:
    assert until("x", lambda: "ready", Deadline.after(0)) == "ready"
