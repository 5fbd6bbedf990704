"""Whom to ask next in a case, with reasons and with what stands against it: advice, which decides nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from arrp.core.case import Case
from arrp.core.money import Amount
from arrp.core.policy import Participant, Rules
from arrp.core.pursuing import against
from arrp.core.request import Ask, Source
from arrp.core.sums import total
from arrp.node.callers import Caller
from arrp.node.experience import frontier_of
from arrp.node.need_to_know import Known
from arrp.node.service import Service
from arrp.node.store import spent
from arrp.trace.learned import Learned
from arrp.trace.onward import OFFICER_MINUTES, Choice, Frontier, Piece, planned, ranked, told

PAPER_MINUTES = 3 * OFFICER_MINUTES  # an assumption: a letter is printed, sent by hand, and its answer typed


@dataclass(frozen=True, slots=True)
class _Looked:
    """A case as its officer looks at it now. `found`: by piece, whom a request after it would go to, and what stands
    against it."""

    case: Case
    rules: Rules
    now: datetime
    asset: str
    pieces: list[Piece]
    found: dict[str, tuple[Participant | None, tuple[str, ...]]]

    def here(self, institution: str) -> list[Piece]:
        """What a request there could ask after."""
        return [piece for piece in self.pieces if piece.stage.institution == institution and not piece.upstream]

    def whom(self, institution: str) -> Participant | None:
        """R-18. The country of an account tells who is written to on paper; an institution alone does not."""
        peers = (self.found[piece.ref][0] for piece in self.here(institution))
        return next((peer for peer in peers if peer is not None), None) or self.rules.to_ask(institution)

    def can_arm(self, institution: str) -> bool:
        """As whoever keeps the accounts there says of itself."""
        holder = self.rules.answering_for(institution)
        return holder is not None and holder.can is not None and holder.can.arm


def onward_for(service: Service, caller: Caller, case_id: str) -> dict[str, Any]:
    """Whom to ask next, the best first, each with its reasons and what stands against it: case, asset, whole (whether
    the log was read to its end), choices, asked (what waits for an answer), unplaced (nobody said where it went).
    Raises NotFound."""
    known, node, experience = Known(service, caller), service.node, service.experience
    case = known.case(case_id)
    known.look(case, "whom to ask next")
    is_whole, now, loss = experience.read(node.store), node.clock.now(), total(case)
    with node.store.reading() as connection:
        rules = spent.with_elsewhere(connection, node.rules, case_id)
    pieces = frontier_of(case)
    found = {piece.ref: against(case, _source(piece), now, rules) for piece in pieces if not piece.upstream}
    looked = _Looked(case, rules, now, loss.asset if loss is not None else "EUR", pieces, found)
    placed = [piece for piece in pieces if piece.stage.institution]
    return {
        "case": case.id, "asset": looked.asset, "whole": is_whole,
        "choices": [_choice_row(choice, looked) for choice in _chosen(placed, looked, experience.so_far(now))],
        "asked": [_piece_row(piece, looked) for piece in pieces if piece.upstream],
        "unplaced": [_piece_row(piece, looked) for piece in pieces if not piece.stage.institution],
    }


def _chosen(placed: list[Piece], looked: _Looked, learned: Learned) -> list[Choice]:
    """In the order of the plan; after it those that nobody can ask, or that only an arm would reach and cannot arm, as
    if they could."""
    frontier = Frontier(placed, looked.now)
    every = ranked(frontier, learned)
    peers = {choice.institution: looked.whom(choice.institution) for choice in every}
    closed = frozenset(who for who, peer in peers.items() if peer is None or peer.id == looked.rules.me.id)
    dear = {who: PAPER_MINUTES for who, peer in peers.items() if peer is not None and peer.channel == "paper"}
    able = frozenset(who for who in peers if looked.can_arm(who))
    plan = planned(replace(frontier, minutes=dear, closed=closed, arms=able), learned)
    chosen = {choice.institution for choice in plan}
    return [*plan, *(choice for choice in every if choice.institution not in chosen)]


def _choice_row(choice: Choice, looked: _Looked) -> dict[str, Any]:
    peer, asset = looked.whom(choice.institution), looked.asset
    here = looked.here(choice.institution)
    requests = [{**_piece_row(piece, looked), "against": list(looked.found[piece.ref][1])} for piece in here]
    return {
        "institution": choice.institution, "whom": peer and peer.id, "name": peer.name if peer is not None else "",
        "ask": choice.ask, "minutes": choice.minutes, "gain": str(Amount(round(choice.gain), asset)),
        "value": str(Amount(round(choice.value), asset)), "said": told(choice, asset), "requests": requests,
        "against": [] if here else _against_arming(looked, choice.institution),
    }


def _source(piece: Piece) -> Source:
    kind, _, ref = piece.ref.partition(" ")
    return Source(kind, ref, None, ())


def _piece_row(piece: Piece, looked: _Looked) -> dict[str, Any]:
    source = _source(piece)
    return {"source": source.kind, "ref": source.ref, "institution": piece.stage.institution,
            "amount": str(Amount(piece.amount, looked.asset)), "since": piece.arrived_at.isoformat()}


def _against_arming(looked: _Looked, institution: str) -> list[str]:
    """Nobody stated that money came there: only an `arm` asks for what may still come."""
    peer = looked.whom(institution)
    if peer is None:
        return ["nobody in the directory answers for it"]
    said = ["nobody stated that money came there: only an arm would reach it"]
    if not looked.can_arm(institution):
        said.append("its entry in the directory does not say that it can hold on arrival")
    mandates = [*([looked.case.mandate] if looked.case.mandate else []), *looked.rules.standing]
    if not any(Ask.ARM.value in mandate.asks for _, mandate in mandates):
        said.append("no mandate allows to arm: two officers sign it (R-15)")
    said += [f"request {one.id} is with {one.peer} already" for one in looked.case.wishes
             if one.is_open and one.body.institution == institution]
    return said
