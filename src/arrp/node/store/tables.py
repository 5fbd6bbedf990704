"""The schema: one log, and tables derived from it that can all be rebuilt from it or from peers.

Instants are whole microseconds since 1970 in UTC, money is whole minor units, hashes are bytes.
Invariants are constraints first: one number per conversation and side, one leaf per event, one
position per leaf, one effect per intent.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    CheckConstraint,
    Column,
    ColumnElement,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    and_,
    bindparam,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime as whole microseconds. A naive one is a bug and is refused."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        if value is None:
            return None
        assert value.tzinfo is not None, "an instant without a time zone"
        return (value - _EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else _EPOCH + timedelta(microseconds=value)


# SQLite numbers rows only where the key is exactly INTEGER.
Serial = BigInteger().with_variant(Integer, "sqlite")

schema = MetaData()

meta = Table("meta", schema, Column("name", Text, primary_key=True), Column("value", Text, nullable=False))

cases = Table(
    "cases", schema,
    Column("id", Text, primary_key=True),
    Column("key", Text, nullable=False, unique=True),  # its loss or payment, or its account as a keyed hash
    Column("version", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("due_at", Instant),  # when time itself changes this case; the timer
    Index("cases_due", "due_at"),
)

events = Table(
    "events", schema,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("case_id", Text, ForeignKey("cases.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("rules", Text, nullable=False),  # digest of the rules that were in force
    Column("lasting", LargeBinary, nullable=False),
    Column("private", LargeBinary),  # null once erased, like its salt
    Column("salt", LargeBinary),
    Column("private_digest", LargeBinary, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("position", BigInteger, unique=True),  # null until the sequencer comes by, within a second
    UniqueConstraint("case_id", "number"),
    Index("events_kind", "kind", "id"),  # what was ever asked of the core
)

# Wishes and signatures of our officers, by the id their maker gave them: said again, they change nothing.
given = Table(
    "given", schema,
    Column("id", Text, primary_key=True),
    Column("case_id", Text, ForeignKey("cases.id"), nullable=False),
    Column("mark", Text, nullable=False),  # a keyed hash of what was said: the same id with other content is refused
    Column("first", Integer, nullable=False),  # the events that followed: numbers first to last of the case
    Column("last", Integer, nullable=False),
)

acts = Table(
    "acts", schema,
    Column("act_hash", Text, primary_key=True),
    Column("act", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("case_id", Text, ForeignKey("cases.id")),  # null: a standing mandate
    Column("bytes", LargeBinary),  # null once erased, like the salt
    Column("salt", LargeBinary),
    Column("approvals", LargeBinary, nullable=False),
    UniqueConstraint("by", "act"),
)

conversations = Table(
    "conversations", schema,
    Column("peer", Text, primary_key=True),
    Column("request", Text, primary_key=True),
    Column("case_id", Text, ForeignKey("cases.id"), nullable=False),
    Column("sent", Integer, nullable=False),
    Column("seen", Integer, nullable=False),
    Column("heard", Integer, nullable=False),  # highest number that arrived, in its turn or not
    Column("jumped", Integer, nullable=False),  # highest number of a command that did not wait in the gap
    Index("conversations_request", "request"),  # officers name a request, not its peer
)

outbox = Table(
    "outbox", schema,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("peer", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("act_hash", Text, ForeignKey("acts.act_hash"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("urgency", Text, nullable=False),
    Column("head", LargeBinary, nullable=False),  # exact bytes of the head; signed again if the key changes
    Column("attached", LargeBinary, nullable=False),  # act hashes that travel with it
    Column("state", Text,  # paper: an officer has to send it; by_hand: one did
           CheckConstraint("state IN ('queued', 'receipted', 'refused', 'dead', 'paper', 'by_hand')"), nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("problems", Integer, nullable=False),  # answers that were a problem document, since it was queued
    Column("receipt", Text),
    Column("kid", Text),  # the key of ours under which it was sent when it was receipted
    UniqueConstraint("peer", "request", "number"),
    Index("outbox_due", "state", "peer", "urgency", "due_at"),  # the queue of each peer, read as far as it has room
)

inbox = Table(
    "inbox", schema,
    Column("peer", Text, primary_key=True),
    Column("head", Text, primary_key=True),
    Column("request", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("act_hash", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),  # of the signed head: same id with another head is refused
    Column("outcome", Text, CheckConstraint("outcome IN ('applied', 'waiting', 'refused', 'superseded')"),
           nullable=False),
    Column("code", Text),
    Column("reason", Text),
    Column("received_at", Instant, nullable=False),
    Column("waiting", LargeBinary),  # the sealed parcel, until its turn comes
    Column("signed", Text),  # the head as its sender signed it: who loses it can have it back
    UniqueConstraint("peer", "request", "number"),
)

asked = Table(
    "asked", schema,
    Column("request", Text, primary_key=True),
    Column("peer", Text, nullable=False),
    Column("loss", Text, nullable=False),
    Column("mandate", Text),
    Column("key", Text, nullable=False),
    Column("claim", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Index("asked_peer", "peer", "at"),
)

# Keys with which systems and officers call the desk over the network; only a digest of each is here.
api_keys = Table(
    "api_keys", schema,
    Column("id", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("officer", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("until", Instant, nullable=False),
    Column("revoked_at", Instant),
)

# Every look of a person at what is private in a case.
looks = Table(
    "looks", schema,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Column("officer", Text, nullable=False),
    Column("case_id", Text, ForeignKey("cases.id"), nullable=False),
    Column("what", Text, nullable=False),
    Index("looks_case", "case_id"),
)

# Files behind the digests that acts name. Each case that needs one has a row; the file itself lies beside the
# store, once, under its digest.
documents = Table(
    "documents", schema,
    Column("digest", Text, primary_key=True),
    Column("case_id", Text, ForeignKey("cases.id"), primary_key=True),
    Column("peer", Text, nullable=False),  # who has it, and in which conversation it was named; "": it is ours
    Column("request", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("due_at", Instant),  # when it is asked for again; null: it is here, or given up
    Column("tries", Integer, nullable=False),
    Column("here_at", Instant),
    Index("documents_due", "due_at"),
)

# To whom a document was named: nobody else is given its file.
recipients = Table(
    "recipients", schema,
    Column("digest", Text, primary_key=True),
    Column("peer", Text, primary_key=True),
    Column("request", Text, primary_key=True),
)

# Officers of peers whom somebody here has called back: that outlives the case in which it was done.
called_back = Table(
    "called_back", schema,
    Column("peer", Text, primary_key=True),
    Column("officer", Text, primary_key=True),
    Column("at", Instant, nullable=False),
)

intents = Table(
    "intents", schema,
    Column("ref", Text, primary_key=True),
    Column("case_id", Text, ForeignKey("cases.id"), nullable=False),
    Column("peer", Text, nullable=False),
    Column("verb", Text, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("answered_at", Instant),
    Index("intents_due", "answered_at", "due_at"),
)

joins = Table(
    "joins", schema,
    Column("request", Text, primary_key=True),
    Column("case_id", Text, ForeignKey("cases.id"), nullable=False),
    Column("peer", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("done_at", Instant),
)

checkpoints = Table(
    "checkpoints", schema,
    Column("size", BigInteger, primary_key=True),
    Column("root", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("jws", Text, nullable=False),
)

peers = Table(
    "peers", schema,
    Column("id", Text, primary_key=True),
    Column("checkpoint_size", BigInteger, nullable=False),
    Column("checkpoint", Text),
    Column("checkpoint_root", Text),
    Column("checkpoint_at", Instant),
    Column("contradiction", Text),  # a signed checkpoint that cannot be true beside the kept one
    Column("compared_at", Instant),
    Column("silent_since", Instant),
    Column("stated_at", Instant),  # the newest state exchange it sent: an older one is a replay
    Column("apart", BigInteger),  # microseconds by which its clock was before ours when it last stated it
    Column("copies", Text),  # due | silent, while it has not told us what we said; else null
    Column("copies_at", Instant),  # when it is asked again
    Column("anomaly", Text),  # it claims to have seen of us what it cannot show
)

# Every version of the directory that counted here: none is ever rolled back, and evidence finds its keys.
directories = Table(
    "directories", schema,
    Column("version", Integer, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("file", LargeBinary, nullable=False),
    Column("at", Instant, nullable=False),
)

leases = Table(
    "leases", schema,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("until", Instant, nullable=False),
)


When = datetime | BindParameter[datetime]  # an instant, or where a statement that is built once will have it


def of(*columns: Column[Any]) -> ColumnElement[bool]:
    """Where each column is the parameter `of_<name>`. Statements on the way of every message are built
    once, when the module is read: building one takes longer than running it."""
    return and_(*(column == bindparam(f"of_{column.name}", type_=column.type) for column in columns))
