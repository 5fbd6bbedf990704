"""ISO 20022 XML: pacs.008 and pacs.009 of every version, alone or wrapped with a business header.

Elements are found by their local names, so a version needs no code of its own. Nothing is taken
from outside the bytes: no DTD, no entity, no network. What this file takes from a transaction:

    amount          IntrBkSttlmAmt (what was settled; an InstdAmt that differs is written down)
    settled_on      IntrBkSttlmDt, of the transaction or else of the group
    instructed_at   AccptncDtTm, else GrpHdr/CreDtTm; `source` says which
    references      InstrId, TxId, ClrSysRef, MsgId, then the remittance information
    agent           BICFI (BIC before 2019), else the US routing number (USABA)
    pacs.009        debtor and creditor are the customers of UndrlygCstmrCdtTrf where it is there (a
                    cover payment), else the institutions themselves
"""

from __future__ import annotations

from typing import TypeAlias

from lxml import etree

from arrp.core.errors import Malformed
from arrp.core.money import Amount
from arrp.core.report import Evidence, Party, Payment, Place
from arrp.wire.reading import Reading

_ORDERS = {"FIToFICstmrCdtTrf", "FICdtTrf", "FinInstnCdtTrf", "pacs.008.001.01", "pacs.009.001.01"}
_OTHERS = {
    "pacs.002": "a payment status",
    "pacs.004": "a return of money",
    "camt.029": "an answer to a recall",
    "camt.052": "an account report",
    "camt.053": "an account statement",
    "camt.054": "a notice of a booking",
    "camt.056": "a recall request",
    "pain.001": "an order of a customer to its bank",
}

_UNDERLYING = "UndrlygCstmrCdtTrf"
_OF_TRANSFER = """PmtId/InstrId PmtId/TxId PmtId/ClrSysRef PmtId/EndToEndId PmtId/UETR IntrBkSttlmAmt IntrBkSttlmDt
    AccptncDtTm AddtlDtTm/AccptncDtTm InstdAmt"""
_OF_PARTIES = """Dbtr/Nm Dbtr/FinInstnId/Nm Dbtr/FinInstnId/BICFI Dbtr/FinInstnId/BIC DbtrAcct/Id/IBAN
    DbtrAcct/Id/Othr/Id DbtrAcct/Prxy/Id DbtrAgt/FinInstnId/BICFI DbtrAgt/FinInstnId/BIC
    DbtrAgt/FinInstnId/ClrSysMmbId RmtInf/Ustrd RmtInf/Strd/CdtrRefInf/Ref"""


_Used: TypeAlias = "dict[str, _Used]"


def _used(above: str) -> _Used:
    """What is taken, as a tree of element names; under a leaf everything is."""
    tree: _Used = {}
    of_parties = (_OF_PARTIES + " " + _OF_PARTIES.replace("Dbtr", "Cdtr")).split()
    for path in [*_OF_TRANSFER.split(), *(above + path for path in of_parties)]:
        node = tree
        for name in path.split("/"):
            node = node.setdefault(name, {})
    return tree


_USED, _USED_IN_COVER = _used(""), _used(f"{_UNDERLYING}/")


def read_pacs(file: str, data: bytes) -> Evidence:
    """The payments of a pacs.008 or pacs.009 file. Raises Malformed naming what it is instead."""
    reading = Reading(file)
    found = [element for element in parse_xml(data).iter() if _local(element) in {"Document", *_ORDERS}]
    for element in found:
        if _local(element) in _ORDERS:
            _read_orders(reading, element)
        elif not any(_local(child) in _ORDERS for child in element):
            reading.miss(f"line {element.sourceline}", _not_an_order(element))
    if not found:
        reading.miss("whole file", "XML without a pacs.008 or pacs.009 in it: export the payment message itself")
    return reading.evidence()


def parse_xml(data: bytes) -> etree._Element:
    """The root of an XML file from a stranger. Raises Malformed with the line."""
    no_dtd = Malformed("the XML declares a document type (DTD), which no payment message does: it is not read")
    if b"<!DOCTYPE" in data.replace(b"\0", b""):  # refused before libxml2 sees a declaration, in UTF-16 too
        raise no_dtd
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as why:
        raise Malformed(f"the XML is broken: {why}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise no_dtd
    return root


def _not_an_order(document: etree._Element) -> str:
    name = document.tag.rpartition("}")[0].rpartition(":")[2] or next((_local(child) for child in document), "it")
    what = _OTHERS.get(name[:8], "not a payment order")
    return f"{name} is {what}: payments are read from pacs.008 and pacs.009"


def _read_orders(reading: Reading, orders: etree._Element) -> None:
    header = at(orders, "GrpHdr")
    transfers = [element for element in orders if _local(element) == "CdtTrfTxInf"]
    for number, transfer in enumerate(transfers, start=1):
        place = f"CdtTrfTxInf {number} (line {transfer.sourceline})"
        amount = _amount(reading, transfer, place)
        if amount is not None:
            reading.payments.append(_payment(reading, header, transfer, (place, amount)))
    stated = text_of(header, "NbOfTxs")
    if stated != str(len(transfers)):
        reading.miss("GrpHdr/NbOfTxs", f"says {stated or 'nothing'}, {len(transfers)} are there: is the file whole?")


def _payment(
    reading: Reading, header: etree._Element | None, transfer: etree._Element, known: tuple[str, Amount]
) -> Payment:
    place, amount = known
    underlying = at(transfer, _UNDERLYING)
    parties = transfer if underlying is None else underlying
    accepted = text_of(transfer, "AccptncDtTm") or text_of(transfer, "AddtlDtTm/AccptncDtTm")
    time_from = "AccptncDtTm" if accepted else "GrpHdr/CreDtTm"
    instructed_at = reading.instant(f"{place} {time_from}", accepted or text_of(header, "CreDtTm"))
    day = text_of(transfer, "IntrBkSttlmDt") or text_of(header, "IntrBkSttlmDt")
    end_to_end_id = text_of(transfer, "PmtId/EndToEndId")
    unused = _unused(transfer, _USED if underlying is None else _USED_IN_COVER)
    if unused:
        reading.miss(place, f"not carried over: {', '.join(dict.fromkeys(unused))}")
    return Payment(
        amount=amount,
        settled_on=reading.day(f"{place} IntrBkSttlmDt", day),
        instructed_at=instructed_at,
        debtor=_party(reading, parties, "Dbtr", place),
        creditor=_party(reading, parties, "Cdtr", place),
        uetr=reading.uetr(f"{place} PmtId/UETR", text_of(transfer, "PmtId/UETR")),
        end_to_end_id="" if end_to_end_id == "NOTPROVIDED" else end_to_end_id,
        references=_references(header, transfer, parties),
        source=Place(reading.file, f"{place}, instructed_at from {time_from}" if instructed_at else place),
    )


def _amount(reading: Reading, transfer: etree._Element, place: str) -> Amount | None:
    """The settled amount. Without one there is no payment, and a line says so."""
    amount = _money(reading, transfer, "IntrBkSttlmAmt", f"{place} IntrBkSttlmAmt, payment left out")
    instructed = _money(reading, transfer, "InstdAmt", f"{place} InstdAmt")
    if amount is None and at(transfer, "IntrBkSttlmAmt") is None:
        reading.miss(place, "no IntrBkSttlmAmt: payment left out")
    if amount is not None and instructed not in (None, amount):
        reading.miss(f"{place} InstdAmt", f"{instructed} was instructed, {amount} was settled: the settled one is used")
    return amount


def _money(reading: Reading, transfer: etree._Element, name: str, place: str) -> Amount | None:
    element = at(transfer, name)
    if element is None:
        return None
    asset = element.get("Ccy", "")
    said = text_of(element) or "nothing"
    return reading.attempt(place, lambda number: Amount.parse(plain_number(number), asset), said, None)


def plain_number(number: str) -> str:
    """xs:decimal also allows `+12`, `012`, `12.` and `.5`."""
    whole, _, fraction = number.removeprefix("+").partition(".")
    return (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")


def _party(reading: Reading, parties: etree._Element, role: str, place: str) -> Party:
    """`role` is Dbtr or Cdtr. In pacs.009 the party is itself an institution, known by its BIC."""
    own = at(parties, f"{role}/FinInstnId")
    bic = _bic(own)
    agent = _agent(reading, parties, f"{role}Agt", place) or reading.agent(f"{place} {role}", bic)
    account_place = f"{place} {role}Acct, account left empty"
    iban, other, proxy = (text_of(parties, f"{role}Acct/{path}") for path in ("Id/IBAN", "Id/Othr/Id", "Prxy/Id"))
    # What stands in IBAN or Prxy must be an account by itself; only Othr is a number at the agent.
    account = reading.account(account_place, agent if other and not iban else "", iban or other or proxy)
    return Party(text_of(parties, f"{role}/Nm") or text_of(own, "Nm") or bic, account, agent)


def _agent(reading: Reading, parties: etree._Element, role: str, place: str) -> str:
    institution = at(parties, f"{role}/FinInstnId")
    clearing = text_of(institution, "ClrSysMmbId/MmbId")
    if bic := _bic(institution):
        return reading.agent(f"{place} {role}", bic)
    if clearing and text_of(institution, "ClrSysMmbId/ClrSysId/Cd") == "USABA":
        return reading.agent(f"{place} {role}", clearing)
    if institution is not None:
        said = text_of(institution)
        reading.miss(f"{place} {role}", f"left empty: {said!r} is neither a BIC nor a US routing number")
    return ""


def _bic(institution: etree._Element | None) -> str:
    return text_of(institution, "BICFI") or text_of(institution, "BIC")


def _references(header: etree._Element | None, transfer: etree._Element, parties: etree._Element) -> tuple[str, ...]:
    """Every other name the payment goes by, each once; then what the debtor wrote for the creditor."""
    names = [text_of(transfer, f"PmtId/{name}") for name in ("InstrId", "TxId", "ClrSysRef")]
    remittance = [information for information in parties if _local(information) == "RmtInf"]
    written = [text_of(line) for about in remittance for line in about if _local(line) == "Ustrd"]
    invoices = [text_of(strd, "CdtrRefInf/Ref") for about in remittance for strd in about if _local(strd) == "Strd"]
    once = dict.fromkeys([*names, text_of(header, "MsgId"), *written, *invoices])
    return tuple(name for name in once if name and name != text_of(transfer, "PmtId/EndToEndId"))


def _unused(element: etree._Element, used: _Used, above: str = "") -> list[str]:
    """The highest elements of which nothing is used."""
    unused = []
    for child in element:
        name = _local(child)
        if name not in used:
            unused.append(above + name)
        elif used[name]:
            unused += _unused(child, used[name], f"{above}{name}/")
    return unused


def _local(element: etree._Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def at(element: etree._Element | None, path: str) -> etree._Element | None:
    """The first element under `path`, by local names."""
    for name in path.split("/"):
        element = next((child for child in element if _local(child) == name), None) if element is not None else None
    return element


def text_of(element: etree._Element | None, path: str = "") -> str:
    found = at(element, path) if path else element
    return "" if found is None else " ".join("".join(str(part) for part in found.itertext()).split())
