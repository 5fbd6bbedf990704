"""A core whose ledger is read while clerks hold: what it finds, where holds stand in the ledger, what was sent back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from arrp.connectors import CoreDown, NotYet
from arrp.connectors.manual import ManualCore
from arrp.connectors.reading import LedgerCore
from arrp.connectors.tasks import Line, Result
from arrp.core.answers import (
    AccountStatus,
    Cannot,
    ClaimedCredit,
    Compared,
    Gone,
    Held,
    HoldState,
    Landed,
    MatchedCredit,
    PayOut,
    Question,
    Reach,
    Released,
    Returned,
    Stopped,
    Why,
)
from arrp.core.coins import Coins
from arrp.core.errors import Conflict, Malformed, NotFound, Refused
from arrp.core.ledger import End, Pin
from arrp.core.money import Amount
from arrp.node.ledger_settings import LedgerSettings
from arrp.node.own_ledger import KeptHere, ledger_core
from arrp.trace.account import follow_account

START = datetime(2022, 6, 28, 9, 0, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
ANA, RUI = "payto://iban/PT50000201231234567890154", "payto://iban/PT41000201231234567810000"
VICTIM = "payto://iban/NL91ABNA0417164300"
UETR = "174c245f-2682-4291-ad67-2a41e530cd27"
HEADER = "time,from,to,amount,asset,ref,from_name,to_name,uetr,reverses\n"
REF = f"{RUI} EUR"


class Bank:
    """A ledger file that is appended to, a clerk, one clock."""

    def __init__(self, folder: Path, form: str = "csv", accounts: tuple[str, ...] = ("PT0002",)) -> None:
        self.at, self.folder = START, folder
        self.file = folder / "ledger.csv"
        self.opening = folder / "opening.csv"
        self.opening.write_text(f"account,amount,asset\n{ANA},10.00,EUR\n")
        self.file.write_text(HEADER)
        self.form, self.accounts = form, accounts
        self.core = self.opened()

    def opened(self) -> LedgerCore:
        """As a process that starts reads it."""
        settings = LedgerSettings(self.form, str(self.file), "", self.opening, self.accounts)
        return ledger_core(settings, ManualCore(self.folder / "tasks.db", lambda: self.at))

    def restart(self) -> None:
        self.core.close()
        self.core = self.opened()

    def book(self, ref: str, source: str, target: str, amount: str, **more: str) -> None:
        """A row at the present minute."""
        cells = {"asset": "EUR", "from_name": "", "to_name": "", "uetr": "", "reverses": "", **more}
        row = [self.at.isoformat(), source, target, amount, cells["asset"], ref, cells["from_name"], cells["to_name"],
               cells["uetr"], cells["reverses"]]
        with self.file.open("a") as file:
            file.write(",".join(row) + "\n")

    def does(self, **said: Any) -> None:
        (task,) = self.core.tasks()
        self.core.done(task.id, Result(**{"clerk": "tom", "at": self.at, **said}))

    def held(self, minor: int = 62_000, ref: str = "H") -> None:
        asked(lambda: self.core.hold(ref, REF, minor, START + 9 * HOUR))
        self.does(reference="B-1", amount=Amount(minor, "EUR"))


def asked(call: Callable[[], object]) -> NotYet:
    with pytest.raises(NotYet) as raised:
        call()
    return raised.value


def loss(bank: Bank, **more: str) -> None:
    bank.book("P1", VICTIM, RUI, "620.00", from_name="Jan Bakker", to_name="Rui Costa", uetr=UETR, **more)


QUESTION = Question("EUR", (ClaimedCredit((UETR,), 62_000, START - HOUR, START + HOUR),), RUI, "Rui Costa")


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    made = Bank(tmp_path)
    yield made
    made.core.close()


# --- find ------------------------------------------------------------------------------------------------


def test_find_says_what_matches_what_is_free_and_shows_the_ledger(bank: Bank) -> None:
    """As the simulated core does, and without a clerk."""
    loss(bank)
    bank.book("T2", RUI, "", "20.00")
    found = bank.core.find(QUESTION)
    assert (found.status, found.account_ref, found.booked, found.free) == (AccountStatus.OPEN, REF, 60_000, 60_000)
    assert {c.what: c.verdict for c in found.comparisons} == dict.fromkeys(
        ("account", "name", "amount", "time"), Compared.MATCH
    )
    assert found.credits == (MatchedCredit("P1", 62_000, "EUR", 1, START, 0, True),)
    assert found.ledger is not None
    shown = [(t.sequence, t.ref, t.incoming, t.amount, t.other, t.other_name, t.ends) for t in found.ledger.transfers]
    assert shown == [
        (1, "P1", True, 62_000, VICTIM, "Jan Bakker", None), (2, "T2", False, 2_000, "", "", End.CASH)]
    assert (found.ledger.opening, found.ledger.as_of, found.sequence) == (0, 2, 2)
    assert bank.core.tasks() == []


def test_what_differs_is_said(bank: Bank) -> None:
    loss(bank)
    other = Question("EUR", (ClaimedCredit(("else",), 99, START + 2 * HOUR, START + 3 * HOUR),), RUI, "Jan Bakker")
    found = bank.core.find(other)
    assert {c.what: c.verdict for c in found.comparisons} == {
        "account": Compared.MATCH, **dict.fromkeys(("name", "amount", "time"), Compared.DIFFERS)}
    assert found.credits == ()


def test_an_account_that_is_not_here_is_not_found_and_where_it_went_is_named(bank: Bank) -> None:
    """Neither one nobody knows, nor one of another bank, nor one in another asset."""
    loss(bank)
    nobody = Question("EUR", QUESTION.credits, "payto://iban/PT50000201230000000000000")
    for question in (nobody, Question("EUR", (), VICTIM), Question("USD", (), RUI), Question("EUR", (), "")):
        assert (bank.core.find(question).status, bank.core.find(question).account_ref) == (AccountStatus.NONE, "")
    assert bank.core.find(nobody).comparisons[0].there == RUI
    assert bank.core.hold("x", f"{VICTIM} EUR", 1, None) == Cannot(Why.NOT_FOUND)
    with pytest.raises(NotFound, match="has no account nobody that is kept here"):
        bank.core.transfers_since("nobody", 0)


def test_two_assets_of_one_account_are_two_accounts(bank: Bank) -> None:
    loss(bank)
    bank.book("D", VICTIM, RUI, "5.00", asset="USD")
    euros, dollars = bank.core.find(QUESTION), bank.core.find(Question("USD", (), RUI))
    assert (euros.booked, dollars.booked) == (62_000, 500)
    assert (euros.account_ref, dollars.account_ref) == (REF, f"{RUI} USD")


def test_an_overdraft_is_booked_and_never_free(bank: Bank) -> None:
    bank.book("O", ANA, "", "30.00")
    found = bank.core.find(Question("EUR", (), ANA))
    assert (found.ledger.opening, found.booked, found.free) == (1_000, -2_000, 0)
    assert isinstance(found.ledger.transfers[0].ends, End)
    asked(lambda: bank.core.hold("H", f"{ANA} EUR", 1, None))
    with pytest.raises(Malformed, match=r"leave 0\.00 EUR that no hold has"):
        bank.does(reference="B", amount=Amount(1, "EUR"))


def test_a_return_carries_its_coins_back(bank: Bank) -> None:
    """The first coins of the payment that are still with who returns: by its own ledger, where it is kept here."""
    loss(bank)
    bank.book("T2", RUI, ANA, "600.00")
    bank.book("T3", ANA, "", "110.00")  # her own 10.00, and 100.00 of what came
    bank.book("T4", ANA, RUI, "50.00", reverses="T2")
    ledger = bank.core.find(QUESTION).ledger
    assert [(t.ref, t.reverses, t.carries) for t in ledger.transfers][-1] == ("T4", "T2", Coins(((10_000, 15_000),)))
    followed = follow_account(ledger.transfers, ledger.opening, ())
    (part,) = followed.spent(followed.coins_of("P1"))
    assert (part.ref, part.came_back, part.back) == ("T2", Coins(((10_000, 15_000),)), Coins(((62_000, 67_000),)))


# --- holding ---------------------------------------------------------------------------------------------


def test_a_hold_is_a_clerks_and_stands_where_the_ledger_was(bank: Bank) -> None:
    """Its sequence is the last row booked by then; asked again, and after a restart, it is the same."""
    loss(bank)
    bank.at += MINUTE
    bank.book("T2", RUI, "", "20.00")
    first = asked(lambda: bank.core.hold("H", REF, 60_000, START + 9 * HOUR))
    assert asked(lambda: bank.core.hold("H", REF, 60_000, START + 9 * HOUR)).task == first.task
    with pytest.raises(Conflict, match="known with other content"):
        bank.core.hold("H", REF, 60_001, START + 9 * HOUR)
    held_at = bank.at = bank.at + MINUTE
    bank.does(reference="B-1", amount=Amount(59_000, "EUR"))
    bank.at += MINUTE
    bank.book("T3", RUI, "", "10.00")
    held = bank.core.hold("H", REF, 60_000, START + 9 * HOUR)
    assert held == Held("B-1", 59_000, 2, held_at, START + 9 * HOUR)
    bank.at = held_at
    bank.book("LATE", RUI, "", "0.01")  # the place that was told stays, whatever is exported late
    bank.restart()
    assert bank.core.hold("H", REF, 60_000, START + 9 * HOUR) == held
    assert bank.core.status("H").sequence == bank.core.holds()[0].sequence == 2
    found = bank.core.find(QUESTION)
    assert (found.booked, found.free) == (58_999, 0)


def test_release_and_extend_are_tasks_too(bank: Bank) -> None:
    loss(bank)
    bank.held()
    bank.at += MINUTE
    bank.book("D", VICTIM, RUI, "1.00")
    asked(lambda: bank.core.release("H", 40_000))
    bank.does(reference="B-2", amount=Amount(40_000, "EUR"))
    assert bank.core.release("H", 40_000) == Released("B-1", 40_000, 2)
    asked(lambda: bank.core.extend("H", START + 20 * HOUR))
    bank.does(reference="B-3")
    extended = bank.core.extend("H", START + 20 * HOUR)
    assert (extended.amount, extended.sequence, extended.until) == (40_000, 2, START + 20 * HOUR)
    assert bank.core.find(QUESTION).free == 62_100 - 40_000
    nothing = (bank.core.release("x", 0), bank.core.extend("x", None), bank.core.give_back("x", PayOut("r", 1, "o")))
    assert nothing == (Cannot(Why.NOT_FOUND),) * 3
    assert bank.core.status("x").state is HoldState.UNKNOWN


def test_nobody_types_a_ledger_that_is_read(bank: Bank) -> None:
    loss(bank)
    asked(lambda: bank.core.hold("H", REF, 62_000, START + HOUR))
    line = Line(False, Amount(1, "EUR"), START, "X")
    with pytest.raises(Malformed, match="nobody types it: leave out transfers"):
        bank.does(reference="B", amount=Amount(1, "EUR"), lines=(line,))
    with pytest.raises(Refused, match=r"R-99 1 movements .*: the ledger is read here"):
        bank.core.add_lines(REF, (line,))
    with pytest.raises(Malformed, match=r"leave 620\.00 EUR that no hold has|more than the 620\.00 EUR"):
        bank.does(reference="B", amount=Amount(62_001, "EUR"))


def test_a_payment_in_flight(bank: Bank) -> None:
    """R-49: what has arrived by the ledger needs no clerk; anything else is theirs."""
    asked(lambda: bank.core.stop("s", UETR, 5_000))
    bank.does(reference="S", amount=Amount(4_000, "EUR"))
    assert bank.core.stop("s", UETR, 5_000) == Stopped("S", 4_000, 0, START)
    loss(bank)
    assert bank.core.stop("s2", UETR, 5_000) == Landed("P1", REF)


# --- giving back -----------------------------------------------------------------------------------------


def test_money_is_sent_when_the_ledger_shows_it(bank: Bank) -> None:
    """Until then it is neither told nor free; then the very coins of the hold have left, and make no debt."""
    loss(bank)
    bank.book("D", VICTIM, RUI, "80.00")
    bank.held()
    before = bank.core.find(QUESTION)
    payout = PayOut("ret1", 50_000, "consent", VICTIM, "Jan Bakker")
    asked(lambda: bank.core.give_back("H", payout))
    bank.at += MINUTE
    bank.book("S-1", RUI, VICTIM, "500.00")  # the clerk has sent it, and not typed it yet
    bank.book("T9", RUI, "", "1.00")
    assert bank.core.find(QUESTION) == before
    bank.does(reference="S-1", amount=Amount(50_000, "EUR"))
    still = bank.core.find(QUESTION)
    assert (still.ledger, still.free) == (before.ledger, before.free)
    sent = bank.core.give_back("H", payout)
    assert sent == Returned("S-1", "ret1", 50_000, 12_000, 3)
    after = bank.core.find(QUESTION)
    assert [(t.ref, t.hold) for t in after.ledger.transfers] == [("P1", None), ("D", None), ("S-1", "H"), ("T9", None)]
    assert (after.booked, after.free) == (19_900, 7_900)
    bank.restart()
    assert (bank.core.give_back("H", payout), bank.core.find(QUESTION)) == (sent, after)
    pins = [Pin(Coins(((0, 62_000),)), 2, 3, "H"), Pin(Coins(((50_000, 62_000),)), 3, None, "H")]
    followed = follow_account(after.ledger.transfers, 0, pins)
    assert (followed.owed, followed.here(followed.coins_of("P1"))) == (0, Coins(((50_000, 62_000),)))


def test_what_the_export_does_not_show_yet_is_not_free(bank: Bank) -> None:
    """The clerk typed that it was sent; the export lags. By our name of it the row is known when it comes."""
    loss(bank)
    bank.held()
    payout = PayOut("ret1", 62_000, "consent", VICTIM, "Jan Bakker")
    asked(lambda: bank.core.give_back("H", payout))
    bank.does(reference="S-1", amount=Amount(62_000, "EUR"))
    asked(lambda: bank.core.give_back("H", payout))
    assert (bank.core.find(QUESTION).booked, bank.core.find(QUESTION).free) == (62_000, 0)
    bank.at += 2 * HOUR
    bank.book("X", RUI, "", "620.00", uetr="ret1")
    assert bank.core.give_back("H", payout).sequence == 2
    assert bank.core.transfers_since(REF, 1).transfers[0].hold == "H"


def test_another_payment_to_the_payee_is_not_the_return(bank: Bank) -> None:
    """Of another amount, before it was asked, or to somebody else under a name that is not its own."""
    bank.at -= 2 * timedelta(days=1)
    loss(bank)
    bank.book("old", RUI, VICTIM, "100.00")
    bank.at = START
    bank.held(50_000)
    payout = PayOut("ret1", 10_000, "consent", VICTIM, "Jan Bakker")
    asked(lambda: bank.core.give_back("H", payout))
    bank.does(reference="S-1", amount=Amount(10_000, "EUR"))
    bank.book("less", RUI, VICTIM, "1.00")
    bank.book("else", RUI, ANA, "100.00")
    asked(lambda: bank.core.give_back("H", payout))
    bank.book("right", RUI, VICTIM, "100.00")
    assert bank.core.give_back("H", payout).sequence == 5


# --- a ledger only grows ---------------------------------------------------------------------------------


def spoilt(bank: Bank, how: str) -> None:
    lines = bank.file.read_text().splitlines(keepends=True)
    changed = {
        "shorter": lines[:-1],
        "changed": [*lines[:1], lines[1].replace("620.00", "621.00"), *lines[2:]],
        "in between": [*lines[:2], lines[2].replace("T2", "T0"), *lines[2:]],
        "other order": [lines[0], lines[2], lines[1]],
        "empty": [],
    }
    bank.file.write_text("".join(changed[how]))


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("how", ["shorter", "changed", "in between", "other order", "empty"])
def test_a_ledger_that_reads_otherwise_is_refused_and_alarmed(
    bank: Bank, how: str, restarted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is answered from it, also by the next process, until what was read stands there again."""
    loss(bank)
    bank.book("T2", RUI, "", "20.00")
    known, whole = bank.core.find(QUESTION), bank.file.read_text()
    spoilt(bank, how)
    if restarted:
        bank.restart()
    for call in (lambda: bank.core.find(QUESTION), lambda: bank.core.transfers_since(REF, 0),
                 lambda: bank.core.hold("H", REF, 1, None)):
        with pytest.raises(CoreDown, match=r"A ledger only grows: put back|the header has no"):
            call()
    assert len([record for record in caplog.records if record.message.startswith("alarm: the ledger")]) == 1
    bank.file.write_text(whole)
    bank.book("T3", RUI, "", "1.00")
    assert bank.core.find(QUESTION).booked == known.booked - 100


def test_a_row_that_is_half_written_waits_for_its_end(bank: Bank) -> None:
    loss(bank)
    whole = bank.file.read_text()
    row = f"{START.isoformat()},{RUI},,1.00,EUR,T2,,,,\n"
    for end in range(1, len(row)):
        if end % 9 == 0:
            bank.file.write_text(whole + row[:end])
            assert bank.core.find(QUESTION).sequence == 1
    bank.file.write_text(whole + row)
    assert bank.core.find(QUESTION).sequence == 2


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("x,{r},,1.00,EUR,T2,,,,", "row 2: time 'x' is not an instant"),
        ("{t},{r},,1.00,EUR,P1,,,,", "row 2: ref P1 stands on row 1 already"),
        ("{t},{r},,-1.00,EUR,T2,,,,", "row 2: '-1.00' is not a plain decimal"),
        ("{t},{r},,1.00,EUR,T2", "row 2: it has 6 fields, the header has 10"),
        ("{t},{r},{v},1.00,EUR,T2,,,,P9", "row 2 reverses P9: no earlier row has that ref"),
        ("{t},{r},{a},1.00,EUR,T2,,,,P1", "row 2 reverses P1: it does not go the same way back"),
        ("{t},{r},{v},620.01,EUR,T2,,,,P1", "row 2 reverses P1: more goes back than was paid"),
    ],
)
def test_a_row_that_cannot_stand_is_named_and_stops_the_reading(bank: Bank, row: str, why: str) -> None:
    loss(bank)
    bank.core.find(QUESTION)
    good = bank.file.read_text()
    bank.file.write_text(good + row.format(t=START.isoformat(), r=RUI, v=VICTIM, a=ANA) + "\n")
    for _ in range(2):
        with pytest.raises(CoreDown, match=why):
            bank.core.find(QUESTION)
    bank.file.write_text(good)  # it was never read, so it may be mended
    assert bank.core.find(QUESTION).sequence == 1


def test_another_opening_is_another_ledger(bank: Bank) -> None:
    """Its coins would have other numbers."""
    bank.book("T", VICTIM, ANA, "1.00")
    assert bank.core.find(Question("EUR", (), ANA)).booked == 1_100
    bank.opening.write_text(bank.opening.read_text().replace("10.00", "11.00"))
    bank.restart()
    with pytest.raises(CoreDown, match="reads otherwise now"):
        bank.core.find(Question("EUR", (), ANA))


def test_from_an_account_to_itself_nothing_moves(bank: Bank) -> None:
    loss(bank)
    bank.book("self", RUI, RUI, "10.00")
    ledger = bank.core.find(QUESTION).ledger
    assert ([each.ref for each in ledger.transfers], ledger.as_of) == (["P1"], 2)


def test_no_ledger_at_all(bank: Bank) -> None:
    bank.file.unlink()
    with pytest.raises(CoreDown, match=r"there is no ledger at .*: an export writes it there"):
        bank.core.find(QUESTION)


# --- a chain ---------------------------------------------------------------------------------------------

CHAIN = "Timestamp,Block,Tx_hash,From,To,Value_in_USD\n"
A, B, C = (f"0x{letter * 40}" for letter in "abc")


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Bank]:
    made = Bank(tmp_path, "chain", ("eip155:1",))
    made.file.write_text(CHAIN)
    yield made
    made.core.close()


def mined(bank: Bank, block: int, tx: str, source: str, target: str, value: str) -> None:
    with bank.file.open("a") as file:
        file.write(f"2022-06-28 09:00:{block % 60:02},{block},{tx},{source},{target},{value}\n")


def test_a_chain_is_public_and_stops_whole_addresses(chain: Bank) -> None:
    can = chain.core.can()
    assert (can.reach, can.public, can.in_flight, can.arm) == (Reach.ADDRESS, True, False, False)
    assert chain.core.stop("s", "0x1", 5) == Gone()


def test_a_chain_is_not_the_one_whose_name_begins_alike() -> None:
    here = KeptHere({}, ("eip155:1", "PT0002"))
    accounts = (f"eip155:1:{A}", f"eip155:10:{A}", RUI, VICTIM, "till 7", "")
    assert [here.keeps(account) for account in accounts] == [True, False, True, False, False, False]


def test_a_chain_is_booked_block_by_block_and_never_re_ordered(chain: Bank) -> None:
    mined(chain, 7, "0x2", B, C, "40.00")
    mined(chain, 5, "0x1", A, B, "100.00")
    mined(chain, 7, "0x2", B, C, "5.00")
    question = Question("USD", (ClaimedCredit(("eip155:1/tx:0x1",), 10_000),), f"eip155:1:{B}")
    found = chain.core.find(question)
    assert [(t.sequence, t.ref, t.amount) for t in found.ledger.transfers] == [
        (1, "eip155:1/tx:0x1", 10_000), (2, "eip155:1/tx:0x2", 4_000), (3, "eip155:1/tx:0x2#2", 500)]
    assert (found.credits[0].ref, found.free) == ("eip155:1/tx:0x1", 5_500)
    mined(chain, 7, "0x3", B, C, "1.00")
    grown = chain.core.find(question)
    chain.restart()
    assert chain.core.find(question) == grown
    mined(chain, 6, "0x4", B, C, "1.00")
    with pytest.raises(CoreDown, match="block 6 comes after block 7 was read"):
        chain.core.find(question)
