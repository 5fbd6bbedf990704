"""A page of a document, for the one participant that may have it (R-58).

    DocumentAsk { v, from, to, at, request, digest, offset }      signed by who asks
    the answer: HPKE-sealed bytes of the document from that offset on, bound to digest and offset

A page is small enough for any answer, so a document of 20 MB needs no answer that does not end, and
goes on where it stopped. What came is the document if its bytes have its digest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from arrp.core.request import Document
from arrp.wire.envelope import seal_bytes, unseal_bytes

_TAG = b"arrp document v1\0"


def seal_page(data: bytes, recipient: X25519PublicKey, digest: str, offset: int) -> bytes:
    """One page, which only `recipient` opens and only as this place of this document."""
    return seal_bytes(data, recipient, _bound(digest, offset))


def open_page(sealed: bytes, keys: tuple[X25519PrivateKey, ...], digest: str, offset: int) -> bytes:
    """The bytes of a page. Raises Refused for another key, document or place."""
    return unseal_bytes(sealed, keys, _bound(digest, offset))


def _bound(digest: str, offset: int) -> bytes:
    return _TAG + f"{digest} {offset}".encode()


def documents_of(body: object) -> Iterator[Document]:
    """Every document that a body names, wherever it stands in it."""
    if isinstance(body, Document):
        yield body
    elif isinstance(body, tuple):
        for item in body:
            yield from documents_of(item)
    elif is_dataclass(body):
        for field in fields(body):
            yield from documents_of(getattr(body, field.name))
