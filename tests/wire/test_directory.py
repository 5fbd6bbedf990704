"""Versions of the directory: who may publish what, what is never taken back, and what a version changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from arrp.core.errors import ArrpError, Conflict, Malformed, NotFound, Refused
from arrp.core.policy import Contact, Key, Participant
from arrp.sim.keepers import (
    KEEPERS,
    VALID,
    entry_of,
    first_edition,
    following,
    keeper,
    keeper_key,
    published,
    signed_by,
)
from arrp.wire.announced import changes
from arrp.wire.directory import (
    Edition,
    Keepers,
    Listed,
    Opened,
    Wanted,
    check_first,
    check_next,
    check_signed,
    edition_text,
    next_edition,
    open_edition,
)
from arrp.wire.entry import Entry, entry_text
from arrp.wire.signed_text import SignedText, Signer, read_signed
from tests.node.entries import BANK, FOUNDED, NCB, keys_of, officer, participant, signing_key

KID = BANK.signing[0].id
T0 = FOUNDED + timedelta(days=1)
LATER = T0 + timedelta(days=7)
FIRST = first_edition({"BANK-PT": (BANK, keys_of("BANK-PT")), "NCB-PT": (NCB, keys_of("NCB-PT"))}, T0)
RENEWED = next_edition(FIRST, FIRST, Wanted(), (LATER, LATER + VALID))


def with_entry(entry: SignedText, *, reissued: bool = False, before: Opened = FIRST) -> Edition:
    return next_edition(before, before, Wanted((entry,), reissued), (LATER, LATER + VALID))


def taken(before: Opened, edition: Edition, *names: str) -> Opened:
    after = published(edition, *names)
    check_next(before, after, LATER)
    return after


def rotated(id: str, **old: Any) -> tuple[Participant, Key]:
    """An entry with one signing key more; `old` are changes of the first."""
    entry = {"BANK-PT": BANK, "NCB-PT": NCB}[id]
    fresh = keys_of(f"{id} later")
    second = Key(fresh.signing_id, fresh.signing_public, LATER)
    return replace(entry, signing=(replace(entry.signing[0], **old), second)), second


# --- keepers -----------------------------------------------------------------------------------------------


def test_r34_a_first_directory_is_trusted_by_what_was_said_over_the_telephone() -> None:
    digest = KEEPERS.digest
    check_first(FIRST, f" {digest[:32].upper()} {digest[32:]} ", LATER)
    with pytest.raises(Refused, match="others than you were told"):
        check_first(FIRST, "0" * 64, LATER)
    with pytest.raises(Refused, match="others than you were told"):
        check_first(FIRST, "", LATER)
    own = published(replace(FIRST.edition, keepers=replace(KEEPERS, threshold=1)), "kim")
    with pytest.raises(Refused, match="others than you were told"):
        check_first(own, digest, LATER)
    with pytest.raises(Refused, match="signed by kim: 2 of kim, lee, mia"):
        check_first(published(FIRST.edition, "kim"), digest, LATER)


@pytest.mark.parametrize("names", [("kim", "lee"), ("lee", "mia"), ("kim", "lee", "mia")])
def test_r34_enough_keepers_are_enough(names: tuple[str, ...]) -> None:
    assert taken(FIRST, RENEWED, *names).edition.version == 2


def test_r34_t16_one_keeper_less_is_refused() -> None:
    for name in ("kim", "lee", "mia"):
        with pytest.raises(Refused, match=f"signed by {name}: 2 of kim, lee, mia must sign it"):
            taken(FIRST, RENEWED, name)
    with pytest.raises(Refused, match="signed by nobody"):
        check_next(FIRST, open_edition(SignedText(edition_text(RENEWED))), LATER)


def test_r34_one_keeper_who_signs_twice_is_one() -> None:
    once = signed_by(SignedText(edition_text(RENEWED)), "kim")
    twice = replace(once, signatures=once.signatures * 2)
    with pytest.raises(Refused, match="signed by kim: 2 of"):
        check_next(FIRST, open_edition(twice), LATER)
    assert signed_by(once, "kim").signatures == once.signatures


def test_r34_who_is_no_keeper_is_not_heard() -> None:
    with pytest.raises(Refused, match="not that of a keeper named here") as caught:
        taken(FIRST, RENEWED, "kim", "lee", "stranger")
    assert caught.value.code == "unknown-key"


def test_r34_a_signature_over_another_text_does_not_count() -> None:
    longer = replace(RENEWED, valid_until=RENEWED.valid_until + timedelta(days=1))
    forged = replace(published(RENEWED).signed, text=edition_text(longer))
    with pytest.raises(Refused, match="does not fit") as caught:
        check_next(FIRST, open_edition(forged), LATER)
    assert caught.value.code == "bad-signature"


@pytest.mark.parametrize("signer", [Signer.PARTICIPANT, Signer.NODE])
def test_r34_a_signature_of_another_kind_does_not_count(signer: Signer) -> None:
    """The tag keeps them apart: a keeper's key that signed an entry has not signed a directory."""
    text = signed_by(SignedText(edition_text(RENEWED)), "kim").signed(signer, keeper_key("lee"), keeper("lee").key_id)
    with pytest.raises(Refused, match="signed by kim: 2 of"):
        check_next(FIRST, open_edition(text), LATER)
    renamed = tuple(replace(one, by=Signer.KEEPER) for one in text.signatures)
    with pytest.raises(Refused, match="does not fit"):
        check_next(FIRST, open_edition(replace(text, signatures=renamed)), LATER)


def test_r34_keepers_change_by_the_old_and_the_new_together() -> None:
    """As the root of TUF rotates: k of those before, k of those after."""
    others = Keepers(2, (keeper("mia"), keeper("nils"), keeper("olga")))
    edition = next_edition(FIRST, FIRST, Wanted(keepers=others), (LATER, LATER + VALID))
    for names in (("kim", "lee"), ("nils", "olga"), ("kim", "mia"), ("mia", "nils"), ("kim", "nils")):
        with pytest.raises(Refused, match="must sign it"):
            taken(FIRST, edition, *names)
    second = taken(FIRST, edition, "kim", "mia", "nils")
    third = next_edition(second, second, Wanted(), (LATER, LATER + VALID))
    with pytest.raises(Refused, match="not that of a keeper"):
        taken(second, third, "kim", "lee")
    assert taken(second, third, "nils", "olga").edition.version == 3
    assert any("kept by 2 of mia" in change.said for change in changes(FIRST, second))


@pytest.mark.parametrize(
    ("keepers", "fault"),
    [
        (Keepers(3, (keeper("kim"), keeper("lee"))), "3 of 2 can never sign"),
        (Keepers(0, (keeper("kim"),)), "0 of 1"),
        (Keepers(2, (keeper("kim"), keeper("kim"))), "keepers: name: kim is there 2 times"),
        (Keepers(2, (keeper("kim"), replace(keeper("kim"), name="lee"))), "keepers: key"),
        (Keepers(1, (replace(keeper("kim"), key_id="0" * 16),)), "the key id is not that of this key"),
        (Keepers(1, (replace(keeper("kim"), key=BANK.signing[0].key, key_id=KID),)), "of BANK-PT is also a keeper's"),
    ],
)
def test_r34_keepers_that_cannot_be(keepers: Keepers, fault: str) -> None:
    with pytest.raises(Malformed, match=fault):
        published(replace(FIRST.edition, keepers=keepers))


# --- versions ------------------------------------------------------------------------------------------------


def test_r34_t16_a_directory_is_never_rolled_back() -> None:
    second = taken(FIRST, RENEWED)
    third = taken(second, next_edition(second, second, Wanted(), (LATER, LATER + VALID)))
    for older in (FIRST, second):
        with pytest.raises(Refused, match="it is never rolled back"):
            check_next(third, older, LATER)


def test_r34_one_version_has_one_content() -> None:
    other = replace(RENEWED, valid_until=RENEWED.valid_until + timedelta(days=1))
    with pytest.raises(Conflict, match="two versions 2"):
        check_next(taken(FIRST, RENEWED), published(other), LATER)


def test_r34_versions_follow_each_other() -> None:
    second = taken(FIRST, RENEWED)
    third = published(next_edition(second, second, Wanted(), (LATER, LATER + VALID)))
    with pytest.raises(Refused, match="fetch those between"):
        check_next(FIRST, third, LATER)
    elsewhere = replace(next_edition(second, second, Wanted(), (LATER, LATER + VALID)), before="0" * 64)
    with pytest.raises(Refused, match="follows another version 2"):
        check_next(second, published(elsewhere), LATER)
    with pytest.raises(Refused, match="issued before"):
        check_next(FIRST, published(replace(RENEWED, issued_at=T0 - timedelta(seconds=1))), LATER)


def test_r38_t16_who_is_kept_from_newer_versions_notices() -> None:
    """The freeze of TUF: an old version, truly signed, shown again and again."""
    end = RENEWED.valid_until
    check_next(FIRST, published(RENEWED), end - timedelta(seconds=1))
    with pytest.raises(Refused, match="ended on"):
        check_next(FIRST, published(RENEWED), end)
    with pytest.raises(Refused, match="ended on"):
        check_first(FIRST, KEEPERS.digest, FIRST.edition.valid_until)
    with pytest.raises(Refused, match="which is to come"):
        check_next(FIRST, published(RENEWED), LATER - timedelta(minutes=6))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"v": 2}, "form 2"),
        ({"version": 0}, "version: 0"),
        ({"version": 2}, "before"),
        ({"before": "0" * 64}, "before"),
        ({"valid_until": T0}, "valid_until"),
        ({"valid_until": T0 + timedelta(days=401)}, "at most 400 days"),
        ({"entries": FIRST.edition.entries * 2}, "id: .* is there 2 times"),
    ],
)
def test_a_version_that_cannot_be(change: dict[str, Any], fault: str) -> None:
    with pytest.raises(Malformed, match=fault):
        published(replace(FIRST.edition, **change))


def test_a_file_is_a_line_of_text_and_a_line_for_each_signature() -> None:
    data = FIRST.signed.file()
    assert read_signed(data) == FIRST.signed
    assert data.splitlines()[0] == edition_text(FIRST.edition)
    assert len(data.splitlines()) == 3
    for broken in (b"", b"\n", b"{}\n{}\n", data[:-10], data + b"x\n", data.replace(b"\n", b"\r\n"), b"\xff" * 10):
        with pytest.raises(ArrpError):
            check_signed(open_edition(read_signed(broken)), [KEEPERS])
    with pytest.raises(Malformed, match="more than"):
        read_signed(b"\n".join([b"{}"] * 80))


# --- entries -----------------------------------------------------------------------------------------------


def test_r35_an_entry_is_its_participants_own_word() -> None:
    entry = entry_of(participant("BANK-ES"), keys_of("BANK-ES"), LATER)
    assert [who.id for who in taken(FIRST, with_entry(entry)).participants] == ["BANK-PT", "NCB-PT", "BANK-ES"]
    unsigned = replace(entry, signatures=())
    with pytest.raises(Refused, match="not signed by a key of its own"):
        with_entry(unsigned)
    strange = unsigned.signed(Signer.PARTICIPANT, signing_key("BANK-PT"), BANK.signing[0].id)
    with pytest.raises(Refused, match="not that of a participant named here"):
        with_entry(strange)


def test_r35_an_entry_that_was_altered_after_it_was_signed_is_refused() -> None:
    """By a keeper even: all three may sign it, no node takes it."""
    listed, _ = FIRST.listed["BANK-PT"]
    altered = replace(listed, entry=listed.entry.replace("PT0002", "PT0003"))
    assert altered != listed
    edition = replace(RENEWED, entries=(altered, RENEWED.entries[1]))
    with pytest.raises(Refused, match=r"entry 1: .*does not fit"):
        published(edition, "kim", "lee", "mia")


def test_r35_a_changed_entry_is_signed_by_a_key_of_the_one_it_replaces() -> None:
    entry, second = rotated("BANK-PT", until=LATER + timedelta(days=7))
    both = replace(keys_of("BANK-PT"), other_signing=(signing_key("BANK-PT later"),))
    after = taken(FIRST, with_entry(entry_of(entry, both, LATER)))
    assert {key.id for key in after.participants[0].signing} == {BANK.signing[0].id, second.id}
    alone = entry_of(entry, keys_of("BANK-PT later"), LATER)
    with pytest.raises(Refused, match="not signed by a key of the entry it replaces"):
        taken(FIRST, with_entry(alone))
    told = [change.said for change in changes(FIRST, taken(FIRST, with_entry(alone, reissued=True)))]
    assert told[0] == "BANK-PT is re-issued by the keepers: no key of its old entry signed the new one"
    assert any(second.id in said and "counts from" in said for said in told)


def test_r35_an_old_entry_is_not_put_back() -> None:
    keys = keys_of("BANK-PT")
    moved = entry_of(replace(BANK, address="https://new.example"), keys, LATER)
    second = taken(FIRST, with_entry(moved))
    back = entry_of(BANK, keys, T0)
    for reissued in (False, True):
        with pytest.raises(Refused, match="is not newer"):
            taken(second, with_entry(back, reissued=reissued, before=second))


def test_r37_what_is_revoked_stays_revoked() -> None:
    revoked, _ = rotated("BANK-PT", revoked_at=LATER, compromised_from=T0)
    second = taken(FIRST, with_entry(entry_of(revoked, keys_of("BANK-PT later"), LATER), reissued=True))
    later = LATER + timedelta(hours=1)
    healed, _ = rotated("BANK-PT")
    narrowed, _ = rotated("BANK-PT", revoked_at=LATER, compromised_from=LATER)
    for entry in (healed, narrowed, replace(revoked, signing=revoked.signing[1:])):
        for reissued in (False, True):
            edition = with_entry(entry_of(entry, keys_of("BANK-PT later"), later), reissued=reissued, before=second)
            with pytest.raises(Refused, match="what is revoked stays so"):
                taken(second, edition)


def test_r37_a_revoked_key_cannot_let_in_its_successor() -> None:
    """Whoever stole it would revoke it, and name a key of his own."""
    entry, _ = rotated("BANK-PT", revoked_at=LATER, compromised_from=T0)
    text = SignedText(entry_text(Entry(1, LATER, entry)))
    thief = text.signed(Signer.PARTICIPANT, signing_key("BANK-PT"), BANK.signing[0].id)
    thief = thief.signed(Signer.PARTICIPANT, signing_key("BANK-PT later"), entry.signing[1].id)
    with pytest.raises(Refused, match="not signed by a key of the entry it replaces"):
        taken(FIRST, with_entry(thief))


def test_suspending_is_the_keepers_word_alone() -> None:
    with pytest.raises(Malformed, match="suspended"):
        with_entry(entry_of(replace(BANK, suspended=True), keys_of("BANK-PT"), LATER))
    dates = (LATER, LATER + VALID)
    second = taken(FIRST, next_edition(FIRST, FIRST, Wanted(suspended=("BANK-PT",)), dates))
    assert [who.suspended for who in second.participants] == [True, False]
    third = taken(second, with_entry(entry_of(replace(BANK, name="New"), keys_of("BANK-PT"), LATER), before=second))
    assert third.participants[0].suspended, "a new entry does not readmit"
    fourth = taken(third, next_edition(third, third, Wanted(readmitted=("BANK-PT",)), dates))
    assert not fourth.participants[0].suspended
    with pytest.raises(NotFound, match="BANK-XX is not in the directory"):
        next_edition(FIRST, FIRST, Wanted(suspended=("BANK-XX",)), dates)


def test_who_has_no_node_is_put_in_by_the_keepers() -> None:
    paper = replace(participant("NCB-FR", "authority", "FR"), channel="paper", address="", signing=(), sealing=(),
                    contacts=(Contact("Duty desk", "+33 1 00 00 00 00", "always"),))
    entry = SignedText(entry_text(Entry(1, LATER, paper)))
    with pytest.raises(Refused, match="signed by nobody and not marked"):
        taken(FIRST, with_entry(entry))
    after = taken(FIRST, with_entry(entry, reissued=True))
    assert any("NCB-FR joins" in change.said and "by paper" in change.said for change in changes(FIRST, after))


def test_an_entry_is_never_read_as_a_listed_one_of_another_form() -> None:
    listed = Listed("{}", (), True, False)
    with pytest.raises(Malformed, match="entry 1"):
        published(replace(FIRST.edition, entries=(listed,)))


# --- what changes ------------------------------------------------------------------------------------------


def test_r34_nobody_joins_or_leaves_unannounced() -> None:
    joins = changes(None, FIRST)
    assert [change.about for change in joins] == ["keepers", "BANK-PT", "NCB-PT"]
    left = taken(FIRST, next_edition(FIRST, FIRST, Wanted(removed=("BANK-PT",)), (LATER, LATER + VALID)))
    assert [change.said.split(":")[0] for change in changes(FIRST, left)] == ["BANK-PT leaves the directory"]
    assert changes(FIRST, taken(FIRST, RENEWED)) == ()


def test_every_change_of_an_entry_is_told() -> None:
    ana, ben = BANK.officers
    retired = replace(ana.keys[0], until=LATER)
    stolen = replace(ben.keys[0], revoked_at=LATER, compromised_from=T0)
    entry = replace(
        BANK, address="https://new.example", languages=("pt", "en"),
        contacts=(Contact("Night desk", "+351 210 000 000", "always"),),
        officers=(replace(ana, keys=(retired,)), replace(ben, roles=("approver",), keys=(stolen,)), officer("zoe")),
    )  # fmt: skip
    found = changes(FIRST, following(FIRST, entry_of(entry, keys_of("BANK-PT"), LATER), LATER))
    told = "\n".join(change.said for change in found)
    for said in (
        "address was https://bank-pt.example:8443, is https://new.example", "languages was empty, is pt, en",
        "contacts was empty, is Night desk +351 210 000 000 (always)", f"key {retired.id} counts until 2026-01-09",
        "officer BANK-PT.ben is BANK-PT.ben Example, approver", "officer zoe is zoe Example",
        f"key {stolen.id} is revoked: what it signed from 2026-01-02T00:00:00Z on counts no more",
    ):  # fmt: skip
        assert said in told, told
    assert [change.revoked and change.revoked.id for change in found if change.revoked] == [stolen.id]


@pytest.mark.parametrize("role", ["king", "Duty officer", "", "duty officer "])
def test_r90_an_entry_with_a_role_that_is_none_is_refused_by_name(role: str) -> None:
    """Read or signed: a mistyped role would carry nothing, and nobody would see it before the night it is needed."""
    odd = replace(BANK, officers=(replace(BANK.officers[0], roles=("approver", role)),))
    with pytest.raises(Malformed, match=r"officers: BANK-PT.ana: roles: .* is not one of duty officer, approver"):
        entry_text(Entry(1, LATER, odd))
    edition = edition_text(with_entry(entry_of(BANK, keys_of("BANK-PT"), LATER)))
    said = b'\\"roles\\":[\\"duty officer\\"]'
    assert said in edition
    with pytest.raises(Malformed, match="roles: "):
        open_edition(SignedText(edition.replace(said, b'\\"roles\\":[\\"%s\\"]' % role.encode(), 1)))


def test_r90_a_role_stands_once() -> None:
    odd = replace(BANK, officers=(replace(BANK.officers[0], roles=("approver", "approver")),))
    with pytest.raises(Malformed, match="roles: approver is there 2 times"):
        entry_text(Entry(1, LATER, odd))


def test_r38_a_version_that_has_ended_counts_only_as_a_step_to_a_later_one() -> None:
    after = published(RENEWED)
    with pytest.raises(Refused, match="version 2 ended"):
        check_next(FIRST, after, LATER + VALID)
    check_next(FIRST, after, LATER + VALID, is_newest=False)
    with pytest.raises(Refused, match="signed by mia"):
        check_next(FIRST, published(RENEWED, "mia"), LATER + VALID, is_newest=False)
    with pytest.raises(Refused, match="which is to come"):
        check_next(FIRST, after, T0, is_newest=False)
