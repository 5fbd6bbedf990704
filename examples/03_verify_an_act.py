"""Check what officers and nodes signed, with nothing but public keys: two approvals of one act, and a node's head.

The bytes come from vectors/signatures.json, which other implementations check themselves against.

    python examples/03_verify_an_act.py
"""

from __future__ import annotations

import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from arrp.core.errors import ArrpError
from arrp.core.messages import Approval, Head
from arrp.wire.approvals import check_approval, unb64
from arrp.wire.envelope import verify

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "signatures.json").read_text(encoding="utf-8"))
KEYS = {key["name"]: Ed25519PublicKey.from_public_bytes(unb64(key["public"])) for key in VECTORS["keys"]}


def key_of(who: str, key: str) -> Ed25519PublicKey | None:
    """As a directory would answer: None for whom it does not know."""
    return KEYS.get(f"{who} {key}")


def main() -> None:
    for said in VECTORS["approvals"]:
        act_hash = said["act_hash"]
        approval = Approval(said["officer"], said["key"], said["algorithm"], said["signature"])
        check_approval(approval, act_hash, KEYS[f"{approval.officer} {approval.key}"])
        print(f"{approval.officer} approved act {act_hash[:12]}…")
        try:
            check_approval(approval, "00" * 32, KEYS[f"{approval.officer} {approval.key}"])
        except ArrpError as error:
            print(f"    and no other: {error}")
    jws = next(vector["jws"] for vector in VECTORS["jws"] if vector["type"] == "Head")
    head = verify(Head, jws, key_of)
    print(f"{head.sender} says this to {head.to}, as number {head.number}, with {len(head.approvals)} approvals")


if __name__ == "__main__":
    main()
