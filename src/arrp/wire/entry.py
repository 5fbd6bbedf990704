"""One participant's entry in the directory: what may stand in it, and that the participant itself signed it (R-35).

An entry is a signed text (wire/signed_text) of `Entry`. `issued_at` grows with every entry of a participant, so
that an old one, truly signed, cannot be put back in the place of a newer one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from arrp.core.errors import Malformed, Refused
from arrp.core.policy import Contact, Key, Officer, Participant
from arrp.core.roles import ROLES
from arrp.wire import Problem
from arrp.wire.approvals import sealing_public, signing_public
from arrp.wire.codec import dumps, parse_json, read
from arrp.wire.signed_text import SignedText, Signer

KINDS = ("authority", "institution", "issuer", "coordinator")
CHANNELS = ("node", "paper")
VERSION = 1

_ID = re.compile(r"[A-Z0-9-]{2,32}")
_OFFICER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_LANGUAGE = re.compile(r"[a-z]{2}")
_PREFIX = re.compile(r"[!-~]{2,64}")
_TELEPHONE = re.compile(r"\+[0-9][0-9 ]{4,30}")


@dataclass(frozen=True, slots=True)
class Entry:
    """What a participant says of itself."""

    v: int
    issued_at: datetime
    participant: Participant


def key_id(public: Ed25519PublicKey) -> str:
    """The name of a signing key: it follows from the key, so a mistyped key does not fit its name."""
    return id_of(public.public_bytes_raw())


def id_of(raw: bytes) -> str:
    """The name of any key, of its raw bytes: the first 16 hex digits of their SHA-256."""
    return sha256(raw).hexdigest()[:16]


def entry_text(entry: Entry) -> bytes:
    """The exact bytes to sign. Raises Malformed for what may not stand in a directory."""
    check_entry(entry.participant)
    return dumps(entry)


def open_entry(signed: SignedText) -> Entry:
    """The entry of a signed text, checked, and signed by nobody but its own keys. Raises Malformed, Refused."""
    entry = read(Entry, parse_json(signed.text))
    if entry.v != VERSION:
        raise Malformed(f"entries of version {entry.v} are not known here", code=Problem.UNSUPPORTED_VERSION)
    check_entry(entry.participant)
    who = entry.participant
    if who.suspended:
        raise Malformed("suspended: that is for the keepers of the directory to say")
    signers = signers_of(signed, entry)
    if who.channel == "node" and not any(key.id in signers for key in who.signing if key.revoked_at is None):
        raise Refused(f"the entry of {who.id} is not signed by a key of its own: hand in the one that its node wrote",
                      rule="R-35", code=Problem.BAD_SIGNATURE)
    return entry


def signers_of(signed: SignedText, entry: Entry) -> frozenset[str]:
    """The keys of the entry that signed it. Raises Refused for any other signature."""
    keys = {key.id: signing_public(key.key) for key in entry.participant.signing}
    return signed.signers(Signer.PARTICIPANT, keys)


def check_entry(entry: Participant) -> None:
    """Whether an entry may stand in a directory. Raises Malformed naming the field, what is there, what may be."""
    _check_form("id", entry.id, _ID, "2 to 32 capitals, digits and dashes, such as BANK-PT")
    _check_form("country", entry.country, _COUNTRY, "two capitals, such as PT")
    _check_named("name", entry.name)
    _check_one_of("kind", entry.kind, KINDS)
    _check_one_of("channel", entry.channel, CHANNELS)
    _check_reach(entry)
    _check_node_keys(entry)
    for officer in entry.officers:
        check_officer(officer)
    check_once("officers: id", (officer.id for officer in entry.officers))
    check_once("officers: key", (key.key for officer in entry.officers for key in officer.keys))
    for contact in entry.contacts:
        check_contact(contact)
    for language in entry.languages:
        _check_form("languages", language, _LANGUAGE, "two small letters, such as pt")


def check_officer(officer: Officer) -> None:
    """The same for one officer of an entry; roles are of the closed list (R-90): a mistyped one would carry nothing."""
    where = f"officers: {officer.id[:64]}"
    _check_form("officers: id", officer.id, _OFFICER_ID, "1 to 64 letters, digits, dots, dashes and underscores")
    _check_named(f"{where}: name", officer.name)
    for role in officer.roles:
        _check_one_of(f"{where}: roles", role, tuple(ROLES))
    check_once(f"{where}: roles", officer.roles)
    if not officer.keys:
        raise Malformed(f"{where}: keys: there is none, so nothing they say could be believed")
    for key in officer.keys:
        check_signing_key(f"{where}: keys: {key.id[:32]}", key)


def check_contact(contact: Contact) -> None:
    """Somebody who is called back at three in the morning: a number that can be dialled from abroad."""
    _check_named("contacts: name", contact.name)
    _check_named("contacts: hours", contact.hours)
    _check_form("contacts: telephone", contact.telephone, _TELEPHONE, "a number from abroad, such as +351 210 000 000")


def check_signing_key(where: str, key: Key) -> None:
    """Whether this is an Ed25519 key under its own name, with dates that can be. Raises Malformed."""
    try:
        found = key_id(signing_public(key.key))
    except Malformed as why:
        raise Malformed(f"{where}: {why}", code=why.code) from None
    _check_key(where, key, found)


def check_together(members: Sequence[Participant]) -> None:
    """What no entry shows by itself. Raises Malformed."""
    check_once("id", (who.id for who in members))
    check_once("answers_for", (prefix for who in members for prefix in set(who.answers_for)))
    check_once("signing", (key.key for who in members for key in who.signing))
    check_once("officers: key", (key.key for who in members for officer in who.officers for key in officer.keys))
    kinds = {who.id: who.kind for who in members}
    for who in members:
        for id in who.instructs:
            if kinds.get(id, "institution") not in ("institution", "issuer"):
                raise Malformed(f"{who.id} instructs {id}, which is of kind {kinds[id]}: it keeps no accounts")


def check_address(field: str, address: str) -> None:
    """Where a node may be called: http or https, with nothing that a reader and a client take differently."""
    try:
        parts = urlsplit(address)
        plain = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        plain = False
    if not plain or parts.scheme not in ("http", "https") or "@" in address or parts.query or parts.fragment:
        raise Malformed(f"{field}: {address[:200]!r} is not the address of a node, such as https://arrp.example:8443")
    if not address.isprintable() or " " in address or address.endswith("/"):
        raise Malformed(f"{field}: {address[:200]!r} is written without spaces and without a slash at its end")


def check_once(field: str, values: Iterable[str]) -> None:
    for value, count in Counter(values).most_common(1):
        if count > 1:
            raise Malformed(f"{field}: {value[:80]} is there {count} times, and must be one participant's or person's")


def _check_reach(entry: Participant) -> None:
    """Where it is reached, and whom it speaks for."""
    if entry.channel == "node" or entry.address:
        check_address("address", entry.address)
    keeps_accounts = entry.kind in ("institution", "issuer")
    if entry.answers_for and not keeps_accounts:
        raise Malformed(f"answers_for: of kind {entry.kind}, it keeps no accounts and answers for none")
    if entry.instructs and entry.kind != "authority":
        raise Malformed(f"instructs: only an authority instructs, and this is of kind {entry.kind}")
    for prefix in entry.answers_for:
        _check_form("answers_for", prefix, _PREFIX, "the start of a bank code, BIC or chain, such as PT0002")
    for id in entry.instructs:
        _check_form("instructs", id, _ID, "the id of a participant")
    for asset in entry.assets:
        _check_form("assets", asset, _PREFIX, "a token, such as eip155:1/erc20:0x…")


def _check_node_keys(entry: Participant) -> None:
    if entry.channel == "node" and not entry.signing:
        raise Malformed("signing: there is no key, so nothing it says could be believed")
    if entry.channel == "node" and not entry.sealing:
        raise Malformed("sealing: there is no key, so nothing could be sent to it")
    for key in entry.signing:
        check_signing_key(f"signing: {key.id[:32]}", key)
    for key in entry.sealing:
        where = f"sealing: {key.id[:32]}"
        try:
            found = id_of(sealing_public(key.key).public_bytes_raw())
        except Malformed as why:
            raise Malformed(f"{where}: {why}", code=why.code) from None
        _check_key(where, key, found)
    check_once("sealing", (key.key for key in entry.sealing))


def _check_key(where: str, key: Key, found: str) -> None:
    if found != key.id:
        raise Malformed(f"{where}: the key id {key.id[:32]!r} is not that of this key: one of the two was mistyped")
    if key.until is not None and key.until <= key.since:
        raise Malformed(f"{where}: it ends before it begins")
    if (key.revoked_at is None) != (key.compromised_from is None):
        raise Malformed(f"{where}: revoked_at and compromised_from stand together or not at all")
    if key.revoked_at is not None and key.compromised_from is not None and key.compromised_from > key.revoked_at:
        raise Malformed(f"{where}: it was revoked before it was compromised")


def _check_form(field: str, text: str, form: re.Pattern[str], wanted: str) -> None:
    if not form.fullmatch(text):
        raise Malformed(f"{field}: {text[:80]!r} is not {wanted}")


def _check_one_of(field: str, text: str, words: Sequence[str]) -> None:
    if text not in words:
        raise Malformed(f"{field}: {text[:80]!r} is not one of {', '.join(words)}")


def _check_named(field: str, text: str) -> None:
    if not text.strip() or len(text) > 200 or not text.isprintable():
        raise Malformed(f"{field}: {text[:80]!r} is not a name of 1 to 200 characters")
