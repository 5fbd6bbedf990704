"""The directory as its keepers publish it: versions of one signed text, each checked against the one before it.

Pure verification, after the root role of The Update Framework (python-tuf; specification 5.3): a version counts
when k of the keepers named in the version *before* it signed it, and k of its own as well, so that keepers can
be exchanged but never exchange themselves; versions grow by one; `valid_until` ends what nobody renews, so that
who is kept from newer versions notices. Beyond that model each participant signs its own entry (R-35).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from arrp.core.errors import Conflict, Malformed, NotFound, Refused
from arrp.core.policy import SKEW, Key, Participant
from arrp.wire import Problem
from arrp.wire.approvals import signing_public
from arrp.wire.codec import dumps, parse_json, read
from arrp.wire.entry import Entry, check_once, check_together, key_id, open_entry, signers_of
from arrp.wire.signed_text import TEXT_MAX, SignedText, Signer, TextSignature

VERSION = 1
VALID_FOR_MAX = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Keeper:
    """One of those who answer for the directory. `name` is for people."""

    name: str
    key_id: str
    key: str


@dataclass(frozen=True, slots=True)
class Keepers:
    """`threshold` of `named` sign together."""

    threshold: int
    named: tuple[Keeper, ...]

    @property
    def digest(self) -> str:
        """What is read over the telephone before the first directory is trusted: 64 hex digits."""
        return sha256(b"arrp keepers v1\0" + dumps(self)).hexdigest()

    def keys(self) -> dict[str, Ed25519PublicKey]:
        return {keeper.key_id: signing_public(keeper.key) for keeper in self.named}


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry as it was handed in: `entry` is its exact text. `reissued`: the keepers put it in on another word than
    a key of the entry it replaces. `suspended` is the keepers' own word: nothing of that participant is applied."""

    entry: str
    signatures: tuple[TextSignature, ...]
    reissued: bool
    suspended: bool

    @property
    def signed(self) -> SignedText:
        return SignedText(self.entry.encode(), self.signatures)


@dataclass(frozen=True, slots=True)
class Edition:
    """One version. `before` is the digest of the version it follows, null in the first."""

    v: int
    version: int
    issued_at: datetime
    valid_until: datetime
    before: str | None
    keepers: Keepers
    entries: tuple[Listed, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """An edition that holds together by itself, its entries read. Who signed it as a keeper is another question."""

    edition: Edition
    signed: SignedText
    listed: Mapping[str, tuple[Listed, Entry]]

    @property
    def participants(self) -> tuple[Participant, ...]:
        return tuple(
            replace(entry.participant, suspended=listed.suspended) for listed, entry in self.listed.values()
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the next version shall change. `reissued`: its `entries` are put in on the keepers' own word."""

    entries: tuple[SignedText, ...] = ()
    reissued: bool = False
    suspended: tuple[str, ...] = ()
    readmitted: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    keepers: Keepers | None = None


def next_edition(before: Opened | None, base: Opened | None, wanted: Wanted, dates: tuple[datetime, datetime]
                 ) -> Edition:
    """The version after `before`, as `base` (a draft of it, or `before` itself) with what is wanted; `dates` are
    when it is issued and when it ends. Raises NotFound for who is not there, Malformed, Refused."""
    listed = {id: one for id, (one, _) in base.listed.items()} if base else {}
    for signed in wanted.entries:
        id = open_entry(signed).participant.id
        suspended = id in listed and listed[id].suspended
        listed[id] = Listed(signed.text.decode(), signed.signatures, wanted.reissued, suspended)
    for id in (*wanted.suspended, *wanted.readmitted, *wanted.removed):
        if id not in listed:
            raise NotFound(f"{id} is not in the directory, which has {', '.join(listed) or 'nobody'}")
    for id in (*wanted.suspended, *wanted.readmitted):
        listed[id] = replace(listed[id], suspended=id in wanted.suspended)
    for id in wanted.removed:
        del listed[id]
    keepers = wanted.keepers or (base.edition.keepers if base else None)
    if keepers is None:
        raise Malformed("a first directory names its keepers: --keeper FILE, each, and --threshold")
    version, digest = (before.edition.version + 1, before.signed.digest) if before else (1, None)
    return Edition(VERSION, version, *dates, digest, keepers, tuple(listed.values()))


def edition_text(edition: Edition) -> bytes:
    """The exact bytes that keepers sign."""
    return dumps(edition, TEXT_MAX)


def open_edition(signed: SignedText) -> Opened:
    """Everything that a version shows by itself: its form, its keepers, its entries and their own signatures.

    Raises Malformed and Refused, naming the entry."""
    edition = read(Edition, parse_json(signed.text, TEXT_MAX))
    if edition.v != VERSION:
        raise Malformed(f"directories of form {edition.v} are not known here", code=Problem.UNSUPPORTED_VERSION)
    _check_dates(edition)
    _check_keepers(edition.keepers)
    pairs = list(_read_entries(edition.entries))
    check_once("id", (id for id, _ in pairs))
    opened = Opened(edition, signed, dict(pairs))
    check_together(opened.participants)
    _check_apart(edition.keepers, opened.participants)
    return opened


def check_signed(opened: Opened, keepers: Iterable[Keepers]) -> None:
    """R-34: enough of each of these groups of keepers signed it, and nobody else did. Raises Refused."""
    groups = tuple(keepers)
    keys = {kid: key for group in groups for kid, key in group.keys().items()}
    signed = opened.signed.signers(Signer.KEEPER, keys)
    for group in groups:
        names = sorted(keeper.name for keeper in group.named if keeper.key_id in signed)
        if len(names) < group.threshold:
            raise Refused(
                f"version {opened.edition.version} of the directory is signed by {', '.join(names) or 'nobody'}: "
                f"{group.threshold} of {', '.join(keeper.name for keeper in group.named)} must sign it",
                rule="R-34",
            )


def check_first(opened: Opened, keepers_digest: str, now: datetime) -> None:
    """R-34: the first directory that a node trusts, by what its people were told over the telephone.
    It need not be version 1. Raises Refused."""
    told = "".join(keepers_digest.split()).lower()
    if told != opened.edition.keepers.digest:
        raise Refused("its keepers are others than you were told: compare the digest once more over the telephone, "
                      "with somebody whose voice or number you know", rule="R-34")
    check_signed(opened, [opened.edition.keepers])
    _check_in_time(opened.edition, now)


def check_next(before: Opened, after: Opened, now: datetime, *, is_newest: bool = True) -> None:
    """R-34: `after` may take the place of `before`. Raises Refused, and Conflict for the same version with
    other content. R-38: only as a step to a later one may it have ended."""
    check_signed(after, [before.edition.keepers, after.edition.keepers])  # what they did not sign is no version at all
    check_follows(before, after)
    _check_in_time(after.edition, now if is_newest else min(now, after.edition.issued_at))


def check_follows(before: Opened, after: Opened) -> None:
    """`check_next` but for the keepers' signatures and the clock: what a keeper looks at before signing."""
    old, new = before.edition, after.edition
    if new.version < old.version:
        raise Refused(f"version {new.version} of the directory is older than version {old.version}, which counts here: "
                      "it is never rolled back", rule="R-34")
    if new.version == old.version and after.signed.digest != before.signed.digest:
        raise Conflict(f"there are two versions {new.version} of the directory: keep both, and call its keepers",
                       rule="R-34")
    if new.version != old.version + 1:
        raise Refused(f"version {new.version} does not follow version {old.version}: fetch those between, and put "
                      "them into effect one after another", rule="R-34")
    if new.before != before.signed.digest:
        raise Refused(f"version {new.version} follows another version {old.version} than the one that counts here: "
                      "call the keepers", rule="R-34")
    if new.issued_at < old.issued_at:
        raise Refused("it was issued before the version that it follows", rule="R-34")
    for id, (listed, entry) in after.listed.items():
        if id in before.listed:
            check_replaced(before.listed[id][1], listed, entry)


def check_replaced(old: Entry, listed: Listed, new: Entry) -> None:
    """R-35: a changed entry is signed by a key of the one it replaces, or openly re-issued by the keepers; it is
    newer; and what was revoked stays revoked. Raises Refused."""
    if new == old:
        return
    id = new.participant.id
    if new.issued_at <= old.issued_at:
        raise Refused(f"the entry of {id} of {new.issued_at:%Y-%m-%dT%H:%M:%SZ} is not newer than the one in the "
                      "directory: its node writes a new one", rule="R-35")
    _check_still_revoked(old.participant, new.participant)
    if listed.reissued:
        return
    kept = {key.id for key in new.participant.signing if key.revoked_at is None}
    mine = {key.id for key in old.participant.signing if key.revoked_at is None}
    if not signers_of(listed.signed, new) & kept & mine:
        raise Refused(f"the entry of {id} is changed, and not signed by a key of the entry it replaces: telephone its "
                      "people; if it is theirs, it is re-issued by the keepers (--reissue)", rule="R-35")


def _check_still_revoked(old: Participant, new: Participant) -> None:
    revoked = {key.id: key for key in new.all_keys() if key.revoked_at is not None}
    for key in old.all_keys():
        if key.revoked_at is not None and not _covers(revoked.get(key.id), key):
            raise Refused(f"key {key.id} of {new.id} was revoked, and would not be, or from a later instant: what is "
                          "revoked stays so", rule="R-37")


def _covers(found: Key | None, revoked: Key) -> bool:
    if found is None or found.compromised_from is None or revoked.compromised_from is None:
        return False
    return found.compromised_from <= revoked.compromised_from


def _read_entries(entries: Iterable[Listed]) -> Iterable[tuple[str, tuple[Listed, Entry]]]:
    for number, listed in enumerate(entries, 1):
        try:
            entry = open_entry(listed.signed)
        except (Malformed, Refused) as why:
            raise type(why)(f"entry {number}: {why}", code=why.code) from None
        if not listed.signatures and not listed.reissued:
            raise Refused(f"entry {number} ({entry.participant.id}) is signed by nobody and not marked as re-issued",
                          rule="R-35")
        yield entry.participant.id, (listed, entry)


def _check_dates(edition: Edition) -> None:
    if edition.version < 1:
        raise Malformed(f"version: {edition.version} is no version, which begin with 1")
    if (edition.before is None) != (edition.version == 1):
        raise Malformed("before: the first version follows none, every other one follows the digest of another")
    if not timedelta(0) < edition.valid_until - edition.issued_at <= VALID_FOR_MAX:
        raise Malformed(f"valid_until: a directory is valid for some time, at most {VALID_FOR_MAX.days} days")


def _check_in_time(edition: Edition, now: datetime) -> None:
    if edition.issued_at > now + SKEW:
        raise Refused(f"version {edition.version} is of {edition.issued_at:%Y-%m-%dT%H:%MZ}, which is to come: look at "
                      "the clock of this machine", rule="R-34")
    if now >= edition.valid_until:
        raise Refused(f"version {edition.version} ended on {edition.valid_until:%Y-%m-%dT%H:%MZ}: there must be a "
                      "newer one, ask the keepers", rule="R-38")


def _check_keepers(keepers: Keepers) -> None:
    if not 1 <= keepers.threshold <= len(keepers.named):
        raise Malformed(f"keepers: {keepers.threshold} of {len(keepers.named)} can never sign")
    check_once("keepers: name", (keeper.name for keeper in keepers.named))
    check_once("keepers: key", (keeper.key for keeper in keepers.named))
    for keeper in keepers.named:
        if key_id(signing_public(keeper.key)) != keeper.key_id:
            raise Malformed(f"keepers: {keeper.name[:64]}: the key id is not that of this key")


def _check_apart(keepers: Keepers, members: Iterable[Participant]) -> None:
    """A keeper's key is no participant's: who keeps the list and who stands in it are two."""
    theirs = {keeper.key for keeper in keepers.named}
    for who in members:
        if any(key.key in theirs for key in who.all_keys()):
            raise Malformed(f"keepers: a key of {who.id} is also a keeper's")
