"""What goes on paper: the reference and its check sign, the text to the letter, the PDF to the byte (R-95)."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrp.core.deadline import Basis
from arrp.core.errors import Malformed
from arrp.core.events import ATTACHED, KINDS, Decide, Extend, Keep, Withdraw
from arrp.core.mandate import Mandate
from arrp.core.messages import Act, Approval, Handling, Uses
from arrp.core.money import Amount
from arrp.core.policy import Contact, Officer, Participant
from arrp.core.request import Ask, Asked, Condition, Credit, Document, Reason, Source
from arrp.node.paper import pdf
from arrp.wire import paper
from arrp.wire.codec import dumps, loads
from arrp.wire.paper import Cover, letter
from arrp.wire.reference import SIGNS, _check_sign, read_reference, reference_of
from arrp.wire.sheet import WIDTH, Part, Row, Sheet, printable, text

LETTERS = Path(__file__).parent / "letters"
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HASHES = st.text("0123456789abcdef", min_size=64, max_size=64)


def eur(number: str) -> Amount:
    return Amount.parse(number, "EUR")


ES = Participant(
    "NCB-ES", "Bureau of Spain (fictional)", "authority", "ES", "https://es.example", (),
    (Officer("ana", "Ana Ejemplo", ("duty officer",)), Officer("ben", "Benito Ejemplo", ("approver",))),
    languages=("es", "en"), contacts=(Contact("Duty desk", "+34 910 000 000", "always"),),
)  # fmt: skip
DE = Participant("NCB-DE", "Bureau of Germany (fictional)", "authority", "DE", "", (), (), channel="paper",
                 languages=("de", "en"))
SIGNED = (Approval("ana", "0123456789abcdef", "Ed25519", "s"), Approval("ben", "fedcba9876543210", "Ed25519", "s"))
MANDATE = Mandate("L1", eur("100000.00"), eur("100000.00"), 3, (), ("hold",), (), START, START + timedelta(days=3))
ASKED = Asked(
    ask=Ask.HOLD, institution="DE37040044", asked=eur("100000.00"), claim=eur("100000.00"),
    source=Source("payment", "0", None, ()), loss="L1", stated_by="NCB-ES", crime="BEC", keep=eur("100000.00"),
    account="payto://iban/DE89370400440532013000", facts="invoice redirection: a changed account was sent by mail",
    credit=Credit(amount=eur("100000.00"), references=("P1", "174c245f-2682-4291-ad67-2a41e530cd27"),
                  booked_from=START - timedelta(hours=1), name="Γιώργος Παπαδόπουλος"),
    basis=Basis("es-1", "ES", "article 1 (fictional)", "Bureau of Spain"),
    documents=(Document("cd" * 32, "police report", "application/pdf", 1000, "es"),),
)  # fmt: skip
COVER = Cover(case="c" * 32, act_hash="ab" * 32, sender=ES, to=DE, written_at=START, mandate=MANDATE,
              mandate_approvals=SIGNED)


def act(kind: str, body: object, not_after: datetime | None = START + timedelta(hours=72)) -> Act:
    return Act("0" * 32, "a" * 32, "NCB-DE", kind, Handling.H1, Uses(), body, not_after)


# --- the reference ---------------------------------------------------------------------------------------------


def test_the_check_sign_is_that_of_the_standard() -> None:
    """ISO/IEC 7064 MOD 37-2, as blood donations have it: G123 498 654 321 has H (ISBT 128)."""
    assert _check_sign("G123498654321") == "H"


@given(HASHES)
def test_a_reference_is_read_however_it_is_typed(act_hash: str) -> None:
    """R-95: capitals or not, dashes or spaces; always the same for one act, in signs nobody confuses."""
    reference = reference_of(act_hash)
    assert re.fullmatch(f"[{SIGNS}]{{3}}-[{SIGNS}]{{3}}-[{SIGNS}]{{3}}", reference)
    assert reference_of(act_hash) == reference
    for typed in (reference, reference.lower(), reference.replace("-", " "), f"  {reference.replace('-', '')}\n"):
        assert read_reference(typed) == reference


@settings(max_examples=50)
@given(HASHES)
def test_every_wrong_sign_and_every_exchange_is_found(act_hash: str) -> None:
    """R-95: each of 9 places × 31 wrong signs, each pair of places exchanged: none reads as another reference."""
    plain = reference_of(act_hash).replace("-", "")
    slips = {plain[:i] + sign + plain[i + 1:] for i in range(len(plain)) for sign in SIGNS} - {plain}
    for i in range(len(plain)):
        for j in range(i):
            slip = list(plain)
            slip[i], slip[j] = slip[j], slip[i]
            slips.add("".join(slip))
    for slip in slips - {plain}:
        with pytest.raises(Malformed, match="mistyped"):
            read_reference(slip)


@pytest.mark.parametrize(
    ("typed", "why"),
    [("K7Q-F3M-XA", "has 8 signs: a reference has 9"), ("O7Q-F3M-XAR", "has O: references have digits 2 to 9"),
     ("", "has 0 signs"), ("ΑΒΓ-ΑΒΓ-ΑΒΓ", "letters without I and O")],
)
def test_what_is_no_reference_says_why(typed: str, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        read_reference(typed)


# --- the text --------------------------------------------------------------------------------------------------

SHEETS = {
    "request": letter(act("Request", ASKED), COVER),
    "request_by_night": letter(act("Request", ASKED), replace(COVER, approvals=SIGNED[:1])),
    "withdrawal": letter(act("Withdraw", Withdraw("the victim was paid back")), replace(
        COVER, mandate=None, mandate_approvals=(), approvals=SIGNED[:1], about="K7Q-F3M-XAR")),
    "extension": letter(act("Extend", Extend(Basis("de-1", "DE", "section 2", "Court", "7 Js 1/26"),
                                             START + timedelta(days=30), ASKED.documents[0])),
                        replace(COVER, mandate=None, mandate_approvals=(), approvals=SIGNED, about="K7Q-F3M-XAR")),
}  # fmt: skip


@pytest.mark.parametrize("name", SHEETS)
def test_the_letter_is_the_committed_one(name: str) -> None:
    """R-95: what a stranger reads is reviewed as text; `UPDATE_STORIES=1` writes it anew."""
    committed, said = LETTERS / f"{name}.txt", text(SHEETS[name])
    if os.environ.get("UPDATE_STORIES"):
        committed.write_text(said)
    assert said == committed.read_text()
    assert max(map(len, said.splitlines())) <= WIDTH


def test_every_kind_that_is_said_has_its_letter() -> None:
    """R-95: whatever leaves for a node can leave on paper; the forms offer every condition and real reasons."""
    spoken = {kind for kind, row in KINDS.items() if row.writer in ("requesting", "either")} - set(ATTACHED)
    assert set(paper._BODIES) == spoken
    assert set(paper._TITLES) == spoken - {"Request"}
    assert set(paper._CONDITIONS) == set(Condition)
    assert set(Reason) - set(paper._REASONS) == {Reason.NOAS, Reason.WITHDRAWN, Reason.NOT_KEPT, Reason.NOT_DECIDED,
                                                 Reason.NOT_SIGNED, Reason.NOT_TRACED}


@pytest.mark.parametrize(("kind", "body"), [("Keep", Keep(eur("1.00"), True)), (
    "Decide", Decide(True, None, ASKED.basis, START + timedelta(days=3)))])
def test_a_short_letter_says_what_its_act_says(kind: str, body: object) -> None:
    said = text(letter(act(kind, body), replace(COVER, mandate=None, mandate_approvals=(), about="K7Q-F3M-XAR")))
    assert "K7Q-F3M-XAR" in said
    assert ("1.00 EUR" in said) == (kind == "Keep")


def test_r94_a_letter_of_one_officer_says_until_when_the_second_may_sign() -> None:
    by_one, by_two = (text(letter(act("Request", ASKED), replace(COVER, approvals=SIGNED[:many]))) for many in (1, 2))
    assert "A second signs by" in " ".join(by_one.split())
    assert "A second signs by" not in " ".join(by_two.split())


def test_a_stranger_cannot_steer_the_page() -> None:
    """Control characters, and marks that turn the direction of writing, are taken out; joiners of Persian stay."""
    assert printable("a\x1b[2J\u202eb\u2066c\x00\u2028d") == "a[2Jbcd"
    assert printable("می\u200cخواهم\tx") == "می\u200cخواهم x"
    sheet = Sheet("T", "c", "r", START, (Part("P", (Row("L", "one\x07\ntwo"),)),))
    assert "one\n" + " " * 24 + "two" in text(sheet)


# --- the PDF ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page() -> bytes:
    return pdf(SHEETS["request"])


def test_the_same_sheet_is_the_same_pdf_whoever_carried_it(page: bytes) -> None:
    """R-95: no clock, no dice; a sheet that went through JSON is the same sheet."""
    assert pdf(loads(Sheet, dumps(SHEETS["request"]))) == page


def test_it_is_a4_with_its_pages_counted(page: bytes) -> None:
    assert b"/MediaBox [0 0 595.28 841.89]" in page
    assert page.count(b"/Type /Page\n") == 4


def test_what_the_font_lacks_is_a_code_never_a_question_mark() -> None:
    """R-95: Chinese is printed as its code, and the text version has it."""
    chinese = replace(ASKED, credit=replace(ASKED.credit, name="王小明"))
    sheet = letter(act("Request", chinese), COVER)
    assert "王小明" in text(sheet)
    coded = letter(act("Request", replace(chinese, credit=replace(ASKED.credit, name="[U+738B][U+5C0F][U+660E]"))),
                   COVER)
    assert pdf(sheet) == pdf(coded)
