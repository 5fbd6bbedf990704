"""A node that stops stolen money in minutes, with law and a date on every hold. Where to find what:

    step                what happens, and the events that say so                       read
    ─────────────────   ────────────────────────────────────────────────────────────   ──────────────────────
     1 report           the payments of the victim, from evidence: LossReported        wire/evidence, core/report
     2 case             one case per loss: CaseOpened, CaseJoined                      core/case
     3 mandate          what the node may do alone, signed by two: MandateSigned,      core/mandate
                        LossSigned
     4 request          one account, one capped amount, one participant: Request       core/requesting, core/request
     5 sign, deliver    ActApproved, then sent until receipted: RequestDelivered;      wire/envelope, node/
                        ActRefused, Escalated
     6 receive, see     RequestReceived, and a person saw it: RequestSeen              core/starting
     7 hold at once     where policy and law allow: Located, HoldPlaced                core/reading, core/holding
     8 decide           RequestAccepted, RequestAcceptedOnCondition, MoreAsked,        core/deciding
                        RequestRefused; down to a bank: Decide
     9 allocate         Keep, answered by HoldKept; kept and decided: HoldConfirmed    core/holding, core/sums
    10 trace onward     where the rest went: MovedOn                                   trace/account, core/ledger
    11 pursue           each leg is asked after in its turn: Request again             core/requesting
    12 formalise        the end and why: EndComputed; HoldExtended, HoldSecured, or    core/deadline, core/guard
                        the date came: HoldLapsed
    13 fairness         HolderTold, ObjectionRaised, ObjectionDecided; what nobody     core/returning
                        claims goes free: HoldReduced, HoldReleased
    14 return           ReturnAnnounced, ReturnSent, MoneyReturned, or ReturnFailed    core/returning
    15 resolve, close   CaseResolved; every unit accounted for: CaseClosed             core/sums, core/case

The events are the kinds of core/events; core/protocol is the one function that decides them. `core`,
`trace` and `wire` compute; `node` keeps, sends and asks the clock; `connectors` speak to the systems
that have the money; `law` has what each country's law says, as data; `cli` is how people speak to a node.
"""

__version__ = "0.1.0"
