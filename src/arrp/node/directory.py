"""The directory that counts in a home: who takes part, under which address and keys, with which officers.

HOME/directory.json is a signed text (wire/signed_text): the version in force, the signatures of its keepers, and
one of this node, given when the version was checked against the one before it (`put_in_force`). A version without
it was copied in by somebody, and does not count. HOME/entry.json is what this node hands in to the keepers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from arrp.core.errors import Malformed, NotFound, Refused
from arrp.core.policy import Key, Participant
from arrp.node.files import read_file, replace_file
from arrp.node.keys import NodeKeys
from arrp.wire import Problem
from arrp.wire.approvals import sealing_public, signing_public
from arrp.wire.directory import Opened, check_first, check_next, check_signed, open_edition
from arrp.wire.entry import VERSION, Entry, entry_text, open_entry
from arrp.wire.signed_text import TEXT_MAX, SignedText, Signer, read_signed

FILE_MAX = TEXT_MAX + (1 << 16)


class Directory:
    """The participants, with their keys parsed once: they are asked for with every message. Made of an edition it
    knows its version, digest and end; made of participants alone (tests) it never ends."""

    def __init__(self, participants: Iterable[Participant], opened: Opened | None = None) -> None:
        self.participants: Mapping[str, Participant] = {who.id: who for who in participants}
        self.opened = opened
        self.missed = ""  # who was last asked for with a key that is not here: perhaps a newer version has it
        everybody = self.participants.values()
        self._signing = {(who.id, key.id): (key, signing_public(key.key)) for who in everybody for key in who.signing}
        self._officers = {
            (who.id, officer.id, key.id): (key, signing_public(key.key))
            for who in everybody
            for officer in who.officers
            for key in officer.keys
        }
        self._sealing = {(who.id, key.id): sealing_public(key.key) for who in everybody for key in who.sealing}

    @property
    def version(self) -> int:
        return self.opened.edition.version if self.opened else 0

    @property
    def digest(self) -> str:
        return self.opened.signed.digest if self.opened else ""

    @property
    def valid_until(self) -> datetime | None:
        return self.opened.edition.valid_until if self.opened else None

    def is_stale(self, at: datetime) -> bool:
        """R-38: nobody has renewed it in time: who is who is not known any more."""
        return self.valid_until is not None and at >= self.valid_until

    def participant(self, id: str) -> Participant:
        """Raises NotFound."""
        if id not in self.participants:
            raise NotFound(f"participant {id} is not in the directory: ask its keepers for the newest one")
        return self.participants[id]

    def key_of(self, sender: str, kid: str) -> Ed25519PublicKey | None:
        """The key a node signs, or signed, with (wire.envelope.KeyOf): for evidence, whatever became of it."""
        found = self._signing.get((sender, kid))
        if found is None:
            self.missed = sender
        return found and found[1]

    def officer_key_of(self, participant: str, officer: str, key_id: str) -> Ed25519PublicKey | None:
        """The same of an officer (wire.envelope.OfficerKeyOf)."""
        found = self._officers.get((participant, officer, key_id))
        return found and found[1]

    def check_key(self, sender: str, kid: str, arrived_at: datetime, signed_at: datetime | None = None) -> None:
        """R-36, R-37: what arrived then, signed with that key of a node, counts. Raises Refused."""
        found = self._signing.get((sender, kid))
        _check(f"key {kid[:64]} of {sender[:64]}", found and found[0], arrived_at, signed_at)

    def key_at(self, sender: str, kid: str, at: datetime) -> Ed25519PublicKey | None:
        """The key of a node for what arrives now; None when there is no such key. Raises Refused."""
        if (sender, kid) in self._signing:
            self.check_key(sender, kid, at)
        return self.key_of(sender, kid)

    def officer_key_at(self, participant: str, officer: str, key_id: str, at: datetime) -> Ed25519PublicKey | None:
        """The key of an officer for an approval that arrives now; None when it does not count (R-36, R-37)."""
        found = self._officers.get((participant, officer, key_id))
        if found is None:
            self.missed = participant
        return found[1] if found and found[0].fault(at) is None else None

    def signing_officer(self, participant: str, officer: str, key_id: str, at: datetime) -> Ed25519PublicKey | None:
        """The key of an officer who signs at this very instant: a retired one signs nothing new."""
        found = self._officers.get((participant, officer, key_id))
        return found[1] if found and found[0].is_usable(at) else None

    def sealing_of(self, participant: str, at: datetime) -> X25519PublicKey:
        """The key to seal for now: the newest that counts. Raises NotFound."""
        named = self.participants[participant].sealing if participant in self.participants else ()
        usable = [key for key in named if key.is_usable(at)]
        if not usable:
            raise NotFound(f"the directory has no sealing key of {participant}: nothing can be sent to it")
        return self._sealing[participant, max(usable, key=lambda key: (key.since, key.id)).id]


def _check(what: str, key: Key | None, arrived_at: datetime, signed_at: datetime | None) -> None:
    if key is None:
        raise Refused(f"the directory has no {what}", code=Problem.UNKNOWN_KEY)
    fault = key.fault(arrived_at, signed_at)
    if fault is not None:
        raise Refused(f"{what} {fault}: send it again under one that counts", rule="R-36", code="key-over")


# --- versions -------------------------------------------------------------------------------------


def directory_of(opened: Opened) -> Directory:
    return Directory(opened.participants, opened)


def read_edition(path: Path) -> Opened:
    """A version as its keepers hand it out, or a draft of one; who signed it is not looked at.
    Raises NotFound, and Malformed or Refused naming the file, the entry and the field."""
    data = read_file(path, FILE_MAX)
    try:
        return open_edition(read_signed(data))
    except (Malformed, Refused) as why:
        raise type(why)(f"{path}: {why}", code=why.code) from None


def load_directory(path: Path) -> Directory:
    """The directory of a file that enough of its own keepers signed. Raises NotFound, Malformed, Refused."""
    opened = read_edition(path)
    check_signed(opened, [opened.edition.keepers])
    return directory_of(opened)


def trusted_directory(home: Path, keys: NodeKeys) -> Directory:
    """The directory that was put in force in this home (R-34). Raises NotFound, Malformed, Refused."""
    path = home / "directory.json"
    found = load_directory(path)
    assert found.opened is not None
    own = {kid: key.public_key() for kid, key in keys.all_signing().items()}
    if not found.opened.signed.signers(Signer.NODE, own):
        raise Refused(f"{path} was not put in force here: arrp directory publish {home} FILE checks it first",
                      rule="R-34")
    return found


def put_in_force(home: Path, keys: NodeKeys, after: Opened, keepers_digest: str, now: datetime) -> Opened | None:
    """Check a version against the one in force, and put it in its place, in one moment; the version it followed.
    The first one is compared with `keepers_digest`. Raises Refused, Conflict. The same once more is no matter."""
    before = trusted_directory(home, keys).opened if (home / "directory.json").exists() else None
    if before is None:
        check_first(after, keepers_digest, now)
    elif before.signed.digest == after.signed.digest:
        return before
    else:
        check_next(before, after, now)
    _write(home, keys, after)
    return before


def put_between(home: Path, keys: NodeKeys, after: Opened, now: datetime) -> None:
    """`put_in_force` for a version that has a later one already: itself it may have ended (R-38). Raises Refused,
    Conflict, NotFound."""
    before = trusted_directory(home, keys).opened
    assert before is not None
    check_next(before, after, now, is_newest=False)
    _write(home, keys, after)


def _write(home: Path, keys: NodeKeys, after: Opened) -> None:
    """With the keepers' signatures, and the one of this node that says it was checked."""
    keepers = tuple(one for one in after.signed.signatures if one.by is Signer.KEEPER)
    mine = SignedText(after.signed.text, keepers).signed(Signer.NODE, keys.signing, keys.signing_id)
    replace_file(home / "directory.json", mine.file())


# --- entries --------------------------------------------------------------------------------------


def read_signed_entry(path: Path) -> tuple[SignedText, Entry]:
    """One participant's entry as it is handed in, checked. Raises NotFound, Malformed, Refused."""
    data = read_file(path)
    try:
        signed = read_signed(data)
        return signed, open_entry(signed)
    except (Malformed, Refused) as why:
        raise type(why)(f"{path}: {why}", code=why.code) from None


def read_entry(path: Path) -> Participant:
    """What a participant says of itself. Raises NotFound, Malformed, Refused."""
    return read_signed_entry(path)[1].participant


def write_entry(path: Path, participant: Participant, keys: NodeKeys, now: datetime) -> None:
    """The entry as a file, to be handed to the keepers: newer than the one that is there, and signed by every key of
    this node that it names (R-35), so that it follows its predecessor whichever of them is in force."""
    if path.exists():
        now = max(now, read_signed_entry(path)[1].issued_at + timedelta(microseconds=1))
    signed = SignedText(entry_text(Entry(VERSION, now, participant)))
    held = keys.all_signing()
    for key in participant.signing:
        if key.id in held and key.revoked_at is None:
            signed = signed.signed(Signer.PARTICIPANT, held[key.id], key.id)
    replace_file(path, signed.file())
