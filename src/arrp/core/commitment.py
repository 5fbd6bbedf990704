"""Commitments: a hash that says nothing until its salt is told (R-61)."""

from __future__ import annotations

from hashlib import sha256

_TAG = b"arrp commitment v1\0"  # so that no other hash of ours can pass for one


def commit(salt: str, text: str) -> str:
    """Hex SHA-256 of tag, salt (hex) and text: nobody without the salt can test a guess against it."""
    return sha256(_TAG + bytes.fromhex(salt) + text.encode()).hexdigest()
