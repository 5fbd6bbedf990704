"""Read a payment file: what was paid, to whom, and what of the file was not understood.

    python examples/01_read_a_payment_file.py [FILE…]
"""

from __future__ import annotations

import sys
from pathlib import Path

from arrp.wire.evidence import read_evidence

EVIDENCE = Path(__file__).parent / "evidence"


def main(files: list[Path]) -> None:
    for file in files:
        evidence = read_evidence(file.name, file.read_bytes())
        for payment in evidence.payments:
            print(f"{payment.amount} from {payment.debtor.name} to {payment.creditor.name}")
            print(f"    at {payment.creditor.account}, UETR {payment.uetr or 'none'}")
        for missed in evidence.not_understood:
            print(f"    not understood: {missed.place}: {missed.what}")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]] or sorted(EVIDENCE.iterdir()))
