"""The Merkle tree over the log (RFC 9162, SHA-256): one leaf for each event, in order of position (R-63).

A leaf is H(0x00 ‖ lasting ‖ H(salt ‖ private)). When the private half and its salt are erased, the
inner digest stays: it tells nothing without the salt, and the leaf and every root above it still
verify (R-60). Leaves, nodes and roots are 32 bytes here; a checkpoint writes its root in hex and is
signed by `envelope.sign`.

The writer keeps a `Frontier`, a few hashes however long the log is. The verifiers below it take
nothing but hashes, so that a peer or an auditor can run them without the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from arrp.core.errors import Corrupt, Malformed
from arrp.wire import Problem
from arrp.wire.approvals import checked_salt

Proof = tuple[bytes, ...]

EMPTY_ROOT = sha256(b"").digest()
HASH_BYTES = 32


def private_digest(salt: bytes, private: bytes) -> bytes:
    """What stays of the private half after erasure: H(salt ‖ private)."""
    return sha256(checked_salt(salt) + private).digest()


def leaf_hash(lasting: bytes, salt: bytes, private: bytes) -> bytes:
    """The leaf of an event, from both its halves."""
    return leaf_hash_erased(lasting, private_digest(salt, private))


def leaf_hash_erased(lasting: bytes, private_digest: bytes) -> bytes:
    """The same leaf, from what is left of an erased event."""
    if len(private_digest) != HASH_BYTES:
        raise Malformed(f"a digest has {HASH_BYTES} bytes, not {len(private_digest)}", code=Problem.MALFORMED)
    return sha256(b"\0" + lasting + private_digest).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """The roots of the full subtrees of a log of `size` leaves, the largest first: one for each bit
    of the size. Enough to append and to know the root."""

    size: int = 0
    peaks: Proof = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.peaks) != self.size.bit_count() or any(len(p) != HASH_BYTES for p in self.peaks):
            raise Corrupt(f"a frontier of {self.size} leaves does not have these {len(self.peaks)} peaks: rebuild it")

    def append(self, leaf: bytes) -> Frontier:
        peaks, right, size = list(self.peaks), leaf, self.size
        while size & 1:
            right = _node(peaks.pop(), right)
            size >>= 1
        return Frontier(self.size + 1, (*peaks, right))

    def root(self) -> bytes:
        if not self.peaks:
            return EMPTY_ROOT
        right = self.peaks[-1]
        for left in reversed(self.peaks[:-1]):
            right = _node(left, right)
        return right

    def dump(self) -> str:
        """One line for the store: the size and the peaks, in hex."""
        return " ".join((str(self.size), *(peak.hex() for peak in self.peaks)))

    @classmethod
    def load(cls, line: str) -> Frontier:
        """The inverse of `dump`. Raises Corrupt."""
        size, *peaks = line.split(" ")
        try:
            return cls(int(size), tuple(bytes.fromhex(peak) for peak in peaks))
        except ValueError:
            raise Corrupt("a stored frontier cannot be read: rebuild it from the leaves") from None


def root(leaves: Sequence[bytes]) -> bytes:
    """The root of all leaves, computed the short way."""
    frontier = Frontier()
    for leaf in leaves:
        frontier = frontier.append(leaf)
    return frontier.root()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> Proof:
    """Shows that leaf `index` is in the tree of `leaves` (RFC 9162 §2.1.3.1)."""
    if not 0 <= index < len(leaves):
        raise Malformed(f"there is no leaf {index} among {len(leaves)}", code=Problem.MALFORMED)
    if len(leaves) == 1:
        return ()
    middle = _middle(len(leaves))
    left, right = leaves[:middle], leaves[middle:]
    if index < middle:
        return (*inclusion_proof(left, index), root(right))
    return (*inclusion_proof(right, index - middle), root(left))


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Proof, root: bytes) -> None:
    """Raises Corrupt unless `leaf` is at `index` in the tree with this size and root (§2.1.3.2)."""
    node, first, last = leaf, index, size - 1
    if not 0 <= index < size:
        raise _bad_proof(f"leaf {index} lies outside a tree of {size}")
    for sibling in proof:
        if last == 0:
            raise _bad_proof("the proof is too long")
        if first & 1 or first == last:
            node = _node(sibling, node)
            first, last = _up_to_left_turn(first, last)
        else:
            node = _node(node, sibling)
        first, last = first >> 1, last >> 1
    if last != 0 or node != root:
        raise _bad_proof(f"leaf {index} does not lead to the root of size {size}")


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> Proof:
    """Shows that the first `old_size` leaves were only ever added to (RFC 9162 §2.1.4.1)."""
    if not 0 <= old_size <= len(leaves):
        raise Malformed(f"{old_size} leaves are not the beginning of {len(leaves)}", code=Problem.MALFORMED)
    return _consistency(leaves, old_size, whole=True) if old_size else ()


def _consistency(leaves: Sequence[bytes], old_size: int, *, whole: bool) -> Proof:
    if old_size == len(leaves):
        return () if whole else (root(leaves),)
    middle = _middle(len(leaves))
    left, right = leaves[:middle], leaves[middle:]
    if old_size <= middle:
        return (*_consistency(left, old_size, whole=whole), root(right))
    return (*_consistency(right, old_size - middle, whole=False), root(left))


def verify_consistency(old_size: int, old_root: bytes, size: int, root: bytes, proof: Proof) -> None:
    """Raises Corrupt unless the tree of `size` only adds to the tree of `old_size` (§2.1.4.2)."""
    if not 0 <= old_size <= size:
        raise _bad_proof(f"a tree of {size} does not continue one of {old_size}")
    if old_size in (0, size):  # nothing to show: from an empty tree, or to itself
        expected = EMPTY_ROOT if old_size == 0 else root
        if proof or old_root != expected or (size == 0 and root != EMPTY_ROOT):
            raise _bad_proof(f"the roots of size {old_size} and {size} contradict each other")
        return
    path = (old_root, *proof) if old_size.bit_count() == 1 else proof
    if not path or _roots_along(path, old_size, size) != (old_root, root):
        raise _bad_proof(f"the tree of {size} leaves is not the tree of {old_size} with leaves added")


def _roots_along(path: Proof, old_size: int, size: int) -> tuple[bytes, bytes] | None:
    """(old root, new root) that a consistency proof leads to, or None if its length is wrong."""
    first, last = old_size - 1, size - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return None
        if first & 1 or first == last:
            old, new = _node(sibling, old), _node(sibling, new)
            first, last = _up_to_left_turn(first, last)
        else:
            new = _node(new, sibling)
        first, last = first >> 1, last >> 1
    return (old, new) if last == 0 else None


def _up_to_left_turn(first: int, last: int) -> tuple[int, int]:
    """Skips the levels on which the rightmost node has no sibling."""
    while first and not first & 1:
        first, last = first >> 1, last >> 1
    return first, last


def _middle(size: int) -> int:
    """The largest power of two below `size`: where RFC 9162 splits a tree."""
    return 1 << (size - 1).bit_length() - 1


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def _bad_proof(why: str) -> Corrupt:
    return Corrupt(f"{why}: keep both signed checkpoints, they are the evidence", code=Problem.BAD_PROOF)
