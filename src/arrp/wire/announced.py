"""What a version of the directory changes, in sentences for officers and keepers: nobody joins unannounced (R-34)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from arrp.core.policy import Contact, Key, Officer, Participant
from arrp.wire.directory import Edition, Opened
from arrp.wire.entry import Entry

# Members of an entry whose change is told as old → new; keys, officers and suspension have sentences of their own.
_OWN_SENTENCES = {"id", "signing", "sealing", "officers", "suspended"}


@dataclass(frozen=True, slots=True)
class Change:
    """`about` is a participant, or "keepers". `revoked` is a key that counts no more: what it signed in its window
    is to be listed for officers (R-37)."""

    about: str
    said: str
    revoked: Key | None = None


def changes(before: Opened | None, after: Opened) -> tuple[Change, ...]:
    """Everything that `after` changes; without a `before`, everybody joins."""
    known = {who.id: who for who in before.participants} if before else {}
    found = list(_keepers(before.edition if before else None, after.edition))
    for who in after.participants:
        listed, entry = after.listed[who.id]
        old = known.pop(who.id, None)
        if old is None:
            found += _joined(who, entry)
        else:
            reissued = listed.reissued and before is not None and before.listed[who.id][1] != entry
            found += _changed(old, who, reissued)
    found += [Change(id, f"{id} leaves the directory: nothing is asked of it, or heard from it, any more")
              for id in known]
    return tuple(found)


def _keepers(old: Edition | None, new: Edition) -> Iterator[Change]:
    if old is not None and old.keepers == new.keepers:
        return
    names = ", ".join(f"{keeper.name} ({keeper.key_id})" for keeper in new.keepers.named)
    yield Change("keepers", f"the directory is kept by {new.keepers.threshold} of {names}")


def _joined(who: Participant, entry: Entry) -> Iterator[Change]:
    answers = f", answering for {', '.join(who.answers_for)}" if who.answers_for else ""
    yield Change(who.id, f"{who.id} joins: {who.name}, {who.kind} in {who.country}{answers}, by {who.channel}; "
                         f"its entry is of {entry.issued_at:%Y-%m-%dT%H:%MZ}")
    for key in who.all_keys():
        if key.revoked_at is not None:
            yield from _revoked(who.id, "a key", key)


def _changed(old: Participant, new: Participant, reissued: bool) -> Iterator[Change]:
    if reissued:
        yield Change(new.id, f"{new.id} is re-issued by the keepers: no key of its old entry signed the new one")
    if old.suspended != new.suspended:
        yield Change(new.id, f"{new.id} is {'suspended: nothing of it is applied' if new.suspended else 'readmitted'}")
    for field in fields(Participant):
        was, is_now = getattr(old, field.name), getattr(new, field.name)
        if field.name not in _OWN_SENTENCES and was != is_now:
            yield Change(new.id, f"{new.id}: {field.name} was {_told(was)}, is {_told(is_now)}")
    yield from _keys(new.id, "signing key", old.signing, new.signing)
    yield from _keys(new.id, "sealing key", old.sealing, new.sealing)
    yield from _officers(old, new)


def _officers(old: Participant, new: Participant) -> Iterator[Change]:
    before = {officer.id: officer for officer in old.officers}
    for officer in new.officers:
        was = before.pop(officer.id, Officer(officer.id, "", (), ()))
        if (was.name, was.roles) != (officer.name, officer.roles):
            roles = ", ".join(officer.roles) or "without a role"
            yield Change(new.id, f"{new.id}: officer {officer.id} is {officer.name}, {roles}")
        yield from _keys(new.id, f"officer {officer.id}, key", was.keys, officer.keys)
    for id in before:
        yield Change(new.id, f"{new.id}: {id} is an officer no more")


def _keys(id: str, what: str, old: tuple[Key, ...], new: tuple[Key, ...]) -> Iterator[Change]:
    before = {key.id: key for key in old}
    for key in new:
        was = before.pop(key.id, None)
        if key.revoked_at is not None and (was is None or was.revoked_at is None):
            yield from _revoked(id, what, key)
        elif was is None:
            yield Change(id, f"{id}: {what} {key.id} counts from {key.since:%Y-%m-%dT%H:%M:%SZ}")
        elif was.until != key.until:
            end = f"until {key.until:%Y-%m-%dT%H:%M:%SZ}" if key.until else "without an end"
            yield Change(id, f"{id}: {what} {key.id} counts {end}")
    for kid in before:
        yield Change(id, f"{id}: {what} {kid} is there no more")


def _revoked(id: str, what: str, key: Key) -> Iterator[Change]:
    since = f"{key.compromised_from:%Y-%m-%dT%H:%M:%SZ}" if key.compromised_from else "the beginning"
    yield Change(id, f"{id}: {what} {key.id} is revoked: what it signed from {since} on counts no more. "
                     f"See what that was: arrp audit signed-by {key.id} --since {since}", key)


def _told(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_told, value)) or "empty"
    if isinstance(value, Contact):
        return f"{value.name} {value.telephone} ({value.hours})"
    return str(value)
