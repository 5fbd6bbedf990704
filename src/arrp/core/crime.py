"""What kind of crime the money was lost to: sixteen codes, their plain words, the recall reason banks know.

Fraud is one reason to ISO 20022 (`FRAD`); only a payment nobody authorised has its own (`UAPA`,
compromised credentials). Policies, mandates and statistics need the finer list.
"""

from __future__ import annotations

from enum import StrEnum


class Crime(StrEnum):
    """One primary code per loss. `plain` is for people, `recall_reason` for camt.056 CxlRsnInf/Rsn/Cd."""

    BEC = "BEC"
    VISH = "VISH"
    TECH = "TECH"
    INVT = "INVT"
    HYBR = "HYBR"
    ROMC = "ROMC"
    FAML = "FAML"
    SEXT = "SEXT"
    RANS = "RANS"
    MRCH = "MRCH"
    JOBX = "JOBX"
    ADVF = "ADVF"
    ATOX = "ATOX"
    HACK = "HACK"
    GAMB = "GAMB"
    MULE = "MULE"

    @property
    def plain(self) -> str:
        return _PLAIN[self]

    @property
    def recall_reason(self) -> str:
        return "UAPA" if self is Crime.ATOX else "FRAD"


_PLAIN = {
    Crime.BEC: "business e-mail compromise or invoice redirection",
    Crime.VISH: "voice phishing: a fake call from a bank or the police",
    Crime.TECH: "tech-support scam",
    Crime.INVT: "investment fraud on a fake platform",
    Crime.HYBR: "investment fraud begun as a romance",
    Crime.ROMC: "romance fraud",
    Crime.FAML: "impersonation of a relative or friend",
    Crime.SEXT: "sextortion",
    Crime.RANS: "ransomware or another extortion payment",
    Crime.MRCH: "purchase, marketplace or rental fraud",
    Crime.JOBX: "job or task scam",
    Crime.ADVF: "advance fee: loan, prize, inheritance or recovery scam",
    Crime.ATOX: "account takeover: a payment nobody authorised",
    Crime.HACK: "theft of virtual assets",
    Crime.GAMB: "laundering through illegal online gambling",
    Crime.MULE: "laundering through the accounts of others",
}
