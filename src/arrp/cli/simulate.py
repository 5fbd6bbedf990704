"""`arrp simulate`: days of many nodes in seconds, everything goes wrong, and a witness looks at each commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from arrp.cli.asking import AsJson, command
from arrp.cli.speaking import say, show, show_json, show_table
from arrp.core.errors import Corrupt, Malformed
from arrp.sim.faults import NAMES
from arrp.sim.history import LEAST, MOST, History, Outcome, Plan
from arrp.sim.plants import PLANTS, hunt
from arrp.sim.simulate import THEFTS, Totals
from arrp.sim.simulate import simulate as live


@dataclass(frozen=True, slots=True)
class Simulating:
    seed: Annotated[int, typer.Option(help="What everything follows from: the same seed, the same simulation.")] = 1
    deliveries: Annotated[int, typer.Option(help="How often bytes reach a node, in all histories.", min=100)] = 100_000
    nodes: Annotated[int, typer.Option(help="How many nodes take part.", min=LEAST, max=MOST)] = 5
    faults: Annotated[str, typer.Option(metavar="all|none|NAME,…", help="What may go wrong; each history has its own "
                                        "choice of it: " + ", ".join(NAMES) + ".")] = "all"
    plant: Annotated[str, typer.Option(metavar="NAME", help="A bug to plant into the code: is it caught?")] = ""
    list_plants: Annotated[bool, typer.Option("--list-plants", help="The bugs that can be planted.")] = False
    history: Annotated[int, typer.Option(metavar="SEED", help="Live one history again, as it was reported.")] = 0
    brisk: Annotated[bool, typer.Option("--brisk", help="With --history: hours instead of days.")] = False
    at_least: Annotated[int, typer.Option(help="Fail where an edge of a table, or a fault, happened less often.",
                                          min=0)] = 0
    as_json: AsJson = False


@command
def simulate(asked: Simulating) -> None:
    """Live through many histories of real nodes on simulated time, and check every invariant at every step."""
    if asked.list_plants:
        _list_plants(as_json=asked.as_json)
    elif asked.plant:
        _hunt(asked)
    elif asked.history:
        _again(Plan(asked.history, asked.nodes, _names(asked.faults), asked.deliveries, THEFTS, asked.brisk),
               as_json=asked.as_json)
    else:
        _simulate(asked)


def _simulate(asked: Simulating) -> None:
    totals = live(asked.seed, asked.deliveries, nodes=asked.nodes, among=_names(asked.faults), told=_progress)
    seldom = totals.seldom(max(1, asked.at_least), _names(asked.faults))
    if asked.as_json:
        show_json({**_totals(totals), "seldom": seldom})
    else:
        _report(totals)
        say(f"{len(seldom)} edges and faults happened less than {max(1, asked.at_least)} times: {', '.join(seldom)}")
    if totals.worst is not None:
        raise Corrupt(f"{totals.violations[0]}. Live it again: {_how(totals.worst.plan)}")
    if asked.at_least and seldom:
        raise Corrupt(f"{len(seldom)} edges and faults happened less than {asked.at_least} times: what is wrong there "
                      "was not looked for")


def _names(faults: str) -> tuple[str, ...]:
    if faults in ("all", "none"):
        return NAMES if faults == "all" else ()
    found = tuple(name.strip() for name in faults.split(","))
    if unknown := [name for name in found if name not in NAMES]:
        raise Malformed(f"there is no fault {', '.join(unknown)}; there are {', '.join(NAMES)}, all, none")
    return found


def _progress(totals: Totals) -> None:
    say(f"{totals.histories} histories, {totals.deliveries} deliveries, {totals.crashes} crashes, "
        f"{totals.deliveries / totals.seconds:.0f} a second")
    if totals.worst is not None:
        say(f"{totals.violations[0]}: looking for a smaller history in which that breaks")


def _totals(totals: Totals) -> dict[str, object]:
    return {
        "seed": totals.seed, "deliveries": totals.deliveries, "fresh": totals.fresh, "histories": totals.histories,
        "commands": totals.commands, "crashes": totals.crashes, "violations": totals.violations,
        "state_hash": totals.state_hash, "planted": None, "caught_by": None, "caught_after": None,
        "seconds": round(totals.seconds, 1), "faults": dict(totals.faults), "edges": dict(totals.edges),
        "story": list(totals.worst.story) if totals.worst else [],
    }


def _report(totals: Totals) -> None:
    rows = [("histories", totals.histories), ("deliveries", totals.deliveries), ("of them new to their reader",
            totals.fresh), ("commands of officers", totals.commands), ("crashes", totals.crashes),
            ("violations", len(totals.violations)), ("state hash", totals.state_hash[:16])]
    show_table(("what", "how many"), [(name, str(count)) for name, count in rows])
    show_table(("what went wrong", "times"), [(name, str(count)) for name, count in totals.faults.most_common()])
    for line in totals.worst.story if totals.worst else ():
        show(line)


def _again(plan: Plan, *, as_json: bool) -> None:
    found = History(plan).run()
    if as_json:
        show_json({"seed": plan.seed, "deliveries": found.deliveries, "crashes": found.crashes,
                   "violations": [str(one) for one in found.violations], "state_hash": found.state_hash,
                   "story": list(found.story)})
    else:
        _tell(found)
    if found.violations:
        raise Corrupt(str(found.violations[0]))


def _tell(found: Outcome) -> None:
    for line in found.story:
        show(line)
    show(f"{found.deliveries} deliveries, {found.crashes} crashes, {len(found.violations)} violations, state hash "
         f"{found.state_hash[:16]}")


def _how(plan: Plan) -> str:
    return (f"arrp simulate --history {plan.seed} --nodes {plan.nodes} --deliveries {plan.deliveries} --faults "
            f"{','.join(plan.faults) or 'none'}{' --brisk' if plan.brisk else ''}")


def _list_plants(*, as_json: bool) -> None:
    if as_json:
        show_json([{"name": one.name, "says": one.says, "caught_by": list(one.caught_by)} for one in PLANTS.values()])
        return
    show_table(("bug", "what is wrong", "caught by"),
               [(one.name, one.says, " or ".join(one.caught_by)) for one in PLANTS.values()])


def _hunt(asked: Simulating) -> None:
    found = hunt(asked.plant, asked.seed, asked.deliveries)
    if asked.as_json:
        show_json({"seed": asked.seed, "deliveries": found.after, "planted": found.name, "caught_by": found.by,
                   "caught_after": found.after if found.by else None, "violations": [found.said] if found.by else []})
    elif found.by:
        show(f"{found.name}: caught by {found.by} after {found.after} deliveries: {found.said}")
    if found.by is None:
        raise Corrupt(f"{found.name} was not caught in {found.after} deliveries of seed {asked.seed}: the witness is "
                      "blind to it")
