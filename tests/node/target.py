"""A real node of the participant that hostile bytes are made for (tests/wire/samples), behind both its apps.

`mouth_of` says good things to it in the conversation that the tests of refusal must not disturb.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, select, text
from starlette.testclient import TestClient

from arrp.core.mandate import LossAct
from arrp.core.messages import Outcome
from arrp.core.policy import Key, Officer, Participant, Policy, Rules
from arrp.core.request import Ask, Asked, Credit, Source
from arrp.core.wishes import Keep
from arrp.node.api import desk_app
from arrp.node.callers import owner
from arrp.node.directory import Directory
from arrp.node.files import Files
from arrp.node.hearing import Hearing
from arrp.node.http import peers_app
from arrp.node.keys import NodeKeys, fresh_keys, key_id
from arrp.node.service import Node, Service
from arrp.node.store.engine import Store
from arrp.node.store.tables import schema
from arrp.wire import approvals, envelope
from arrp.wire.approvals import approve, b64
from arrp.wire.codec import act_bytes
from arrp.wire.envelope import Attached
from tests.node.mouth import receipt_of
from tests.node.world import PT, Time
from tests.wire.samples import (
    ACT,
    ANA,
    ANA_TOO,
    BANK_SEAL,
    BEN,
    FIU,
    HEAD,
    NCB,
    SALT,
    T0,
    amount_of,
    carrying,
    node_key,
)

ME, PEER = "bank-pt", "ncb-fr"
GOOD, HOSTILE = "aa" * 16, ACT.request
OURS = {"tom": node_key("officer tom"), "ivo": node_key("officer ivo")}
LOSS = LossAct("L1", PEER, amount_of(10_000_000), ("p",), "r")
ROLES = ("duty officer",)
SINCE = T0 - timedelta(days=30)

_COUNTS = select(*(select(func.count()).select_from(table).scalar_subquery().label(table.name)
                   for table in schema.sorted_tables))


def _key(kid: str, key: Ed25519PrivateKey) -> Key:
    return Key(kid, b64(key.public_key().public_bytes_raw()), SINCE)


def _participants(keys: NodeKeys) -> tuple[Participant, ...]:
    def who(id: str, kind: str, signing: dict[str, Ed25519PrivateKey], officers: tuple[Officer, ...]) -> Participant:
        named = tuple(_key(kid, key) for kid, key in signing.items())
        return Participant(id, id, kind, "PT", f"http://{id}", (), officers, named, fresh_keys(keys, SINCE)[1:])

    ncb = (Officer("ana", "Ana", ROLES, (_key("a1", ANA), _key("a2", ANA_TOO))),
           Officer("ben", "Ben", ROLES, (_key("b1", BEN),)), Officer("ana-again", "Ana", ROLES, (_key("a1", ANA),)))
    ours = tuple(Officer(id, id, ROLES, (_key(key_id(key.public_key()), key),)) for id, key in OURS.items())
    return (who(ME, "institution", {keys.signing_id: keys.signing}, ours), who(PEER, "authority", {"k1": NCB}, ncb),
            who("fiu-pt", "authority", {"k1": FIU, "k2": FIU}, ()))


@dataclass
class Target:
    """The node, what it is asked through, and how much it has written."""

    service: Service
    hearing: Hearing
    peers: TestClient
    officers: TestClient
    clock: Time
    said: int = 0

    def rows(self) -> dict[str, int]:
        """How much is written in each table."""
        with self.service.node.store.reading() as connection:
            return dict(connection.execute(_COUNTS).one()._mapping)

    def good(self) -> bytes:
        """The next good parcel: first a request to hold, then what shall be kept of it."""
        self.said += 1
        if self.said == 1:
            return self._request()
        keep = Keep(amount_of(5_000_000 + self.said), False)
        return self._act("Keep", keep, ())

    def accepts(self) -> bool:
        """Whether the next good parcel is applied."""
        answer = self.peers.post("/parcels", content=self.good())
        return answer.status_code == 200 and receipt_of(answer.text).outcome is Outcome.APPLIED

    def forget(self) -> None:
        """What a refused act left: its number is free for the next hostile one."""
        of = {"request": HOSTILE}
        with self.service.node.store.writing() as connection:
            cases = connection.execute(text("SELECT case_id FROM conversations WHERE request = :request"), of).scalars()
            for case in list(cases):
                connection.execute(text("DELETE FROM events WHERE case_id = :case"), {"case": case})
                connection.execute(text("DELETE FROM acts WHERE case_id = :case"), {"case": case})
                connection.execute(text("DELETE FROM conversations WHERE case_id = :case"), {"case": case})
                connection.execute(text("DELETE FROM cases WHERE id = :case"), {"case": case})
                self.service.folds.forget(case)
            connection.execute(text("DELETE FROM inbox WHERE request = :request"), of)

    def close(self) -> None:
        self.service.node.store.close()

    def _request(self) -> bytes:
        said = replace(ACT, act="bb" * 16, request=None, to=None, kind="Loss", body=LOSS, not_after=None)
        data = act_bytes(said)
        named = approvals.act_hash(SALT, data)
        both = (approve(ANA, "ana", "a1", named), approve(BEN, "ben", "b1", named))
        whole = amount_of(10_000_000)
        body = Asked(ask=Ask.HOLD, institution="PT0002", asked=whole, claim=whole, credit=Credit(amount=whole),
                     source=Source("payment", "0", None, ()), loss="L1", stated_by=PEER, crime="BEC", account=PT,
                     loss_act=named)
        return self._act("Request", body, (Attached(PEER, b64(data), b64(SALT), both, None),))

    def _act(self, kind: str, body: Any, attached: tuple[Attached, ...]) -> bytes:
        not_after = self.clock.at + timedelta(hours=12)
        act = replace(ACT, act=f"{self.said:032x}", request=GOOD, kind=kind, body=body, not_after=not_after)
        data = act_bytes(act)
        named = approvals.act_hash(SALT, data)
        both = (approve(ANA, "ana", "a1", named), approve(BEN, "ben", "b1", named))
        head = replace(HEAD, id=f"{self.said:032x}", request=GOOD, number=self.said, sent_at=self.clock.at,
                       apply_by=not_after, act_hash=named, approvals=both)
        return carrying(envelope.sign(head, NCB, "k1"), data, attached=attached)


def target(url: str, folder: Path) -> Target:
    signing = node_key(ME)
    keys = NodeKeys(signing, key_id(signing.public_key()), BANK_SEAL)
    directory = Directory(_participants(keys))
    clock = Time()
    clock.at = T0
    rules = Rules(directory.participant(ME), directory.participants, {}, Policy(), digest="rules")
    service = Service(Node(Store(url), rules, directory, keys, clock, files=Files(folder)))
    hearing = Hearing(service)
    peers = TestClient(peers_app(hearing), raise_server_exceptions=False)
    officers = TestClient(desk_app(service, None, owner), "http://node/v1", raise_server_exceptions=False)
    return Target(service, hearing, peers, officers, clock)
