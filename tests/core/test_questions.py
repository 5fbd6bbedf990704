"""R-17, T05: whoever asks about very many accounts learns nothing more from a machine, and a person is called."""

from __future__ import annotations

import pytest

from arrp.core.events import Decide
from arrp.core.request import Ask, Reason
from tests.core.test_people import FOUND, Calling, an_hour_tells_nothing
from tests.stories.plain import ES, LT, NCB_ES, OPEN, START, VASP_LT, World, payment
from tests.stories.test_stories import ACCEPTED

TOO_MANY = OPEN.questions_per_day


class Asking(Calling):
    """A request of a peer that has asked so many others today, about an account like that."""

    def __init__(self, before: int, there: str = "there", ask: Ask = Ask.HOLD) -> None:
        self.world = World()
        self.world.join(NCB_ES, VASP_LT)
        self.world.core("VASP-LT").book(LT, "+9.00 EUR", "P1", other=ES, at=START)
        FOUND[there](self.world.core("VASP-LT"))
        self.world.questions = before
        self.world.report("NCB-ES", payment("9.00 EUR", LT, "P1"))
        self.request = self.world.ask("NCB-ES", "9.00 EUR", LT, ask=ask)

    def decide(self, said: Decide) -> None:
        self.world.officer("VASP-LT", "decide", said, self.request, by=("Lina",))


@pytest.mark.parametrize("ask", [Ask.HOLD, Ask.STOP])
@pytest.mark.parametrize("there", FOUND)
def test_r17_t05_beyond_the_quota_nothing_tells_what_is_at_the_account(there: str, ask: Ask) -> None:
    told, same = Asking(TOO_MANY, there, ask), Asking(TOO_MANY, "there", ask)
    an_hour_tells_nothing(told, same)
    assert told.case().request(told.request).answer == "received"
    assert f"decide {told.request}" in told.case().escalated
    assert any(f"more than {TOO_MANY} requests of this peer in a day" in line for line in told.world.lines)


def test_r17_the_last_of_the_quota_is_answered_like_the_first() -> None:
    held = Asking(TOO_MANY - 1)
    assert held.world.core("VASP-LT").free(LT) == 0


@pytest.mark.parametrize(("there", "answer", "free"), [
    ("there", "accepted", 0), ("nobody's", "ended", None), ("closed", "ended", 900), ("no such credit", "ended", 900),
])  # fmt: skip
def test_r17_what_an_officer_accepts_beyond_the_quota_is_looked_up_and_held(
        there: str, answer: str, free: int | None) -> None:
    told = Asking(TOO_MANY, there)
    told.decide(ACCEPTED)
    assert told.case().request(told.request).answer == answer
    if free is not None:
        assert told.world.core("VASP-LT").free(LT) == free


def test_r17_what_an_officer_refuses_beyond_the_quota_was_never_looked_up() -> None:
    told = Asking(TOO_MANY)
    told.decide(Decide(False, Reason.DISPROPORTIONATE, None, None))
    assert told.case().request(told.request).reason == Reason.DISPROPORTIONATE
    assert not told.case().located
