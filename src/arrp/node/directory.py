"""The directory: who takes part, under which address and keys, with which officers (directory.json).

A JSON list with one entry per participant, the fields of core/policy.Participant, none left out:

    id            2 to 32 of A-Z 0-9 and -             country      two letters, ISO 3166-1
    name          for people                           address      http(s)://host[:port][/path] of its node
    kind          authority | institution | issuer | coordinator
    answers_for   institution, issuer: prefixes of the accounts kept there (PT0002, a BIC, a CAIP-2 chain)
    instructs     authority: ids of the participants it may instruct
    signing       key id -> Ed25519 key of the node; a key id is the first 16 hex of the key's SHA-256
    sealing       X25519 key that parcels to it are sealed for
    officers      [{id, name, roles, key_id, key}]: people who approve, each with an Ed25519 key of their own
    suspended     true = nothing of it is applied

Keys are base64url without padding. Who may change the file is for its keepers; a node only reads it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from arrp.core.errors import Conflict, Malformed, NotFound
from arrp.core.policy import Officer, Participant
from arrp.node.files import read_file, replace_file
from arrp.node.keys import NodeKeys, key_id
from arrp.wire.codec import dumps, parse_json, read
from arrp.wire.envelope import sealing_public, signing_public

KINDS = ("authority", "institution", "issuer", "coordinator")

_ID = re.compile(r"[A-Z0-9-]{2,32}")
_OFFICER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_PREFIX = re.compile(r"[!-~]{2,64}")


class Directory:
    """The participants, with their keys parsed once: they are asked for with every message."""

    def __init__(self, participants: Iterable[Participant]) -> None:
        self.participants: Mapping[str, Participant] = {who.id: who for who in participants}
        everybody = self.participants.values()
        self._signing = {(who.id, kid): signing_public(key) for who in everybody for kid, key in who.signing.items()}
        self._officers = {
            (who.id, officer.id, officer.key_id): signing_public(officer.key)
            for who in everybody
            for officer in who.officers
            if officer.key
        }
        self._sealing = {who.id: sealing_public(who.sealing) for who in everybody if who.sealing}

    def participant(self, id: str) -> Participant:
        """Raises NotFound."""
        if id not in self.participants:
            raise NotFound(f"participant {id} is not in the directory: ask its keepers for the newest one")
        return self.participants[id]

    def key_of(self, sender: str, kid: str) -> Ed25519PublicKey | None:
        """The key a node signs with (wire.envelope.KeyOf)."""
        return self._signing.get((sender, kid))

    def officer_key_of(self, participant: str, officer: str, key_id: str) -> Ed25519PublicKey | None:
        """The key an officer approves with (wire.envelope.OfficerKeyOf)."""
        return self._officers.get((participant, officer, key_id))

    def sealing_of(self, participant: str) -> X25519PublicKey:
        """The key to seal for. Raises NotFound."""
        if participant not in self._sealing:
            raise NotFound(f"the directory has no sealing key of {participant}: nothing can be sent to it")
        return self._sealing[participant]


def load_directory(path: Path) -> Directory:
    """The directory of a file. Raises NotFound, and Malformed naming the entry and the field."""
    return Directory(_read_entries(path))


def read_entry(path: Path) -> Participant:
    """One participant's entry, checked. Raises NotFound, Malformed."""
    return entry_of(read_file(path), str(path))


def entry_of(data: bytes, where: str) -> Participant:
    """The entry that `data` is the JSON of; errors name `where`."""
    try:
        return _entry(parse_json(data))
    except Malformed as why:
        raise Malformed(f"{where}: {why}", code=why.code) from None


def write_entry(path: Path, entry: Participant) -> None:
    """The entry as a file of its own, to be handed to the keepers of the directory."""
    check_entry(entry)
    replace_file(path, _text(_tree(entry)))


def add_entries(path: Path, entries: Sequence[Participant], replace: bool = False) -> None:
    """All of them, or none, into the directory at `path`, which may be new. What is there already and the
    same stays; what differs is a Conflict unless it shall be replaced."""
    found = {who.id: who for who in (_read_entries(path) if path.exists() else ())}
    for entry in entries:
        if not replace and found.get(entry.id, entry) != entry:
            raise Conflict(f"{path} has another entry for {entry.id}: to put this one in its place, say --replace")
        found[entry.id] = entry
    members = tuple(found.values())
    _check_together(members)
    replace_file(path, _text([_tree(who) for who in members]))


def add_entry(path: Path, entry: Participant) -> None:
    """One entry into the directory at `path`."""
    add_entries(path, [entry])


def check_own_keys(directory: Directory, me: str, keys: NodeKeys) -> None:
    """What the directory says of this node must be what it has. Raises NotFound, Conflict."""
    entry = directory.participant(me)
    if entry.signing.get(keys.signing_id) != keys.signing_public or entry.sealing != keys.sealing_public:
        raise Conflict(
            f"the directory knows other keys of {me} than those of this node ({keys.signing_id}): no peer would "
            "believe it. Hand in entry.json again, or restore the keys from the backup."
        )


def check_entry(entry: Participant) -> None:
    """Whether an entry may stand in a directory. Raises Malformed naming the field, what is there, what may be."""
    _check_form("id", entry.id, _ID, "2 to 32 capitals, digits and dashes, such as BANK-PT")
    _check_form("country", entry.country, _COUNTRY, "two capitals, such as PT")
    _check_named("name", entry.name)
    _check_one_of("kind", entry.kind, KINDS)
    _check_address(entry.address)
    keeps_accounts = entry.kind in ("institution", "issuer")
    if entry.answers_for and not keeps_accounts:
        raise Malformed(f"answers_for: of kind {entry.kind}, it keeps no accounts and answers for none")
    if entry.instructs and entry.kind != "authority":
        raise Malformed(f"instructs: only an authority instructs, and this is of kind {entry.kind}")
    for prefix in entry.answers_for:
        _check_form("answers_for", prefix, _PREFIX, "the start of a bank code, BIC or chain, such as PT0002")
    for id in entry.instructs:
        _check_form("instructs", id, _ID, "the id of a participant")
    _check_node_keys(entry)
    for officer in entry.officers:
        check_officer(officer)
    _check_once("officers: id", (officer.id for officer in entry.officers))
    _check_once("officers: key", (officer.key for officer in entry.officers))


def check_officer(officer: Officer) -> None:
    """The same for one officer of an entry."""
    where = f"officers: {officer.id[:64]}"
    _check_form("officers: id", officer.id, _OFFICER_ID, "1 to 64 letters, digits, dots, dashes and underscores")
    _check_named(f"{where}: name", officer.name)
    for role in officer.roles:
        _check_named(f"{where}: roles", role)
    _check_signing_key(f"{where}: key", officer.key_id, officer.key)


# --- reading and checking -------------------------------------------------------------------------


def _read_entries(path: Path) -> tuple[Participant, ...]:
    try:
        tree = parse_json(read_file(path))
        if not isinstance(tree, list):
            raise Malformed("a directory is a list of entries: [ … ]")
        members = tuple(_numbered(number, item) for number, item in enumerate(tree, 1))
        _check_together(members)
    except Malformed as why:
        raise Malformed(f"{path}: {why}", code=why.code) from None
    return members


def _numbered(number: int, tree: object) -> Participant:
    try:
        return _entry(tree)
    except Malformed as why:
        id = tree.get("id") if isinstance(tree, dict) else None
        raise Malformed(f"entry {number} ({str(id or 'without id')[:32]}): {why}", code=why.code) from None


def _entry(tree: object) -> Participant:
    entry = read(Participant, tree)
    check_entry(entry)
    return entry


def _check_node_keys(entry: Participant) -> None:
    if not entry.signing:
        raise Malformed("signing: there is no key, so nothing it says could be believed")
    for kid, key in entry.signing.items():
        _check_signing_key(f"signing: {kid[:32]}", kid, key)
    try:
        sealing_public(entry.sealing)
    except Malformed as why:
        raise Malformed(f"sealing: {why}", code=why.code) from None


def _check_signing_key(where: str, kid: str, key: str) -> None:
    try:
        fits = key_id(signing_public(key)) == kid
    except Malformed as why:
        raise Malformed(f"{where}: {why}", code=why.code) from None
    if not fits:
        raise Malformed(f"{where}: the key id {kid[:32]!r} is not that of this key: one of the two was mistyped")


def _check_together(members: Sequence[Participant]) -> None:
    """What no entry shows by itself."""
    _check_once("id", (who.id for who in members))
    _check_once("answers_for", (prefix for who in members for prefix in set(who.answers_for)))
    _check_once("signing", (key for who in members for key in who.signing.values()))
    _check_once("officers: key", (officer.key for who in members for officer in who.officers))
    kinds = {who.id: who.kind for who in members}
    for who in members:
        for id in who.instructs:
            if kinds.get(id, "institution") not in ("institution", "issuer"):
                raise Malformed(f"{who.id} instructs {id}, which is of kind {kinds[id]}: it keeps no accounts")


def _check_form(field: str, text: str, form: re.Pattern[str], wanted: str) -> None:
    if not form.fullmatch(text):
        raise Malformed(f"{field}: {text[:80]!r} is not {wanted}")


def _check_one_of(field: str, text: str, words: Sequence[str]) -> None:
    if text not in words:
        raise Malformed(f"{field}: {text[:80]!r} is not one of {', '.join(words)}")


def _check_named(field: str, text: str) -> None:
    if not text.strip() or len(text) > 200 or not text.isprintable():
        raise Malformed(f"{field}: {text[:80]!r} is not a name of 1 to 200 characters")


def _check_once(field: str, values: Iterable[str]) -> None:
    for value, count in Counter(values).most_common(1):
        if count > 1:
            raise Malformed(f"{field}: {value[:80]} is there {count} times, and must be one participant's or person's")


def _check_address(address: str) -> None:
    try:
        parts = urlsplit(address)
        plain = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        plain = False
    if not plain or parts.scheme not in ("http", "https") or "@" in address or parts.query or parts.fragment:
        raise Malformed(f"address: {address[:200]!r} is not the address of a node, such as https://arrp.example:8443")
    if not address.isprintable() or " " in address or address.endswith("/"):
        raise Malformed(f"address: {address[:200]!r} is written without spaces and without a slash at its end")


def _tree(entry: Participant) -> object:
    return parse_json(dumps(entry))


def _text(tree: object) -> bytes:
    return (json.dumps(tree, indent=2, ensure_ascii=False) + "\n").encode()
