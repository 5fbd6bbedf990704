"""The Merkle tree against its recursive definition and against published vectors (RFC 6962, RFC 9162)."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrp.core.errors import ArrpError, Corrupt, Malformed
from arrp.core.messages import Checkpoint
from arrp.wire.audit import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    leaf_hash_erased,
    private_digest,
    root,
    verify_consistency,
    verify_inclusion,
)
from arrp.wire.codec import halves, joined
from arrp.wire.envelope import sign, verify
from tests.wire.samples import BODIES, CHECKPOINT, NCB, SALT, Ask, Logged, amount_of

# --- the definition, written apart (RFC 9162 §2.1) ------------------------------------------------


def mth(leaves: list[bytes]) -> bytes:
    """Merkle Tree Hash over leaf hashes."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = largest_power_below(len(leaves))
    return sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH(m, D[n])."""
    if len(leaves) == 1:
        return []
    k = largest_power_below(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: list[bytes], complete: bool) -> list[bytes]:
    """SUBPROOF(m, D[n], b)."""
    if m == len(leaves):
        return [] if complete else [mth(leaves)]
    k = largest_power_below(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], complete), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


def largest_power_below(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def leaves(count: int) -> list[bytes]:
    return [sha256(b"leaf %d" % n).digest() for n in range(count)]


SIZES = range(34)


@pytest.mark.parametrize("size", SIZES)
def test_r63_root_frontier_and_proofs_are_those_of_the_definition(size: int) -> None:
    given_leaves = leaves(size)
    assert root(given_leaves) == mth(given_leaves)
    for index in range(size):
        proof = inclusion_proof(given_leaves, index)
        assert list(proof) == path(index, given_leaves)
        verify_inclusion(given_leaves[index], index, size, proof, mth(given_leaves))
    for old in range(1, size + 1):
        proof = consistency_proof(given_leaves, old)
        assert list(proof) == subproof(old, given_leaves, True)
        verify_consistency(old, mth(given_leaves[:old]), size, mth(given_leaves), proof)


@given(st.integers(0, 400))
def test_a_frontier_knows_the_root_after_each_leaf(size: int) -> None:
    frontier = Frontier()
    for leaf in leaves(size):
        frontier = Frontier.load(frontier.append(leaf).dump())
    assert (frontier.size, frontier.root()) == (size, mth(leaves(size)))


# --- published vectors ----------------------------------------------------------------------------
# The eight leaves and all values below are those of the Certificate Transparency reference tests (RFC 6962).

PUBLISHED = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
PUBLISHED_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
A, B, C, D = (
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
)
E = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
F = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
PUBLISHED_INCLUSION = [
    (0, 1, []),
    (0, 8, [A, B, C]),
    (5, 8, [D, E, PUBLISHED_ROOTS[4]]),
    (2, 3, [PUBLISHED_ROOTS[2]]),
    (1, 5, [PUBLISHED_ROOTS[1], B, D]),
]
PUBLISHED_CONSISTENCY = [
    (1, 1, []),
    (1, 8, [A, B, C]),
    (2, 8, [B, C]),
    (6, 8, [F, E, PUBLISHED_ROOTS[4]]),
    (2, 5, [B, D]),
]


def published(size: int) -> list[bytes]:
    return [sha256(b"\0" + bytes.fromhex(entry)).digest() for entry in PUBLISHED[:size]]


@pytest.mark.parametrize("size", range(9))
def test_published_roots(size: int) -> None:
    assert root(published(size)).hex() == PUBLISHED_ROOTS[size]


@pytest.mark.parametrize(("index", "size", "proof"), PUBLISHED_INCLUSION)
def test_published_inclusion_proofs(index: int, size: int, proof: list[str]) -> None:
    given_proof = tuple(bytes.fromhex(node) for node in proof)
    assert inclusion_proof(published(size), index) == given_proof
    verify_inclusion(published(size)[index], index, size, given_proof, bytes.fromhex(PUBLISHED_ROOTS[size]))


@pytest.mark.parametrize(("old", "size", "proof"), PUBLISHED_CONSISTENCY)
def test_published_consistency_proofs(old: int, size: int, proof: list[str]) -> None:
    given_proof = tuple(bytes.fromhex(node) for node in proof)
    assert consistency_proof(published(size), old) == given_proof
    roots = [bytes.fromhex(PUBLISHED_ROOTS[n]) for n in (old, size)]
    verify_consistency(old, roots[0], size, roots[1], given_proof)


# --- proofs that prove nothing --------------------------------------------------------------------


@st.composite
def spoiled_inclusion(draw: st.DrawFn) -> tuple[bytes, int, int, tuple[bytes, ...], bytes]:
    """A true inclusion proof with exactly one thing changed."""
    size = draw(st.integers(1, 40))
    index = draw(st.integers(0, size - 1))
    proof, top, leaf = inclusion_proof(leaves(size), index), mth(leaves(size)), leaves(size)[index]
    match draw(st.sampled_from(["leaf", "index", "root", "longer", "shorter", "changed", "swapped"])):
        case "leaf":
            leaf = bytes(32)
        case "index":
            index = draw(st.integers(-2, 2 * size).filter(lambda other: other != index))
        case "root":
            top = mth(leaves(size + 1))
        case "longer":
            proof = (*proof, bytes(32))
        case "shorter" if proof:
            proof = draw(st.sampled_from([proof[1:], proof[:-1]]))
        case "changed" if proof:
            at = draw(st.integers(0, len(proof) - 1))
            proof = (*proof[:at], bytes(32), *proof[at + 1 :])
        case "swapped" if len(proof) > 1:
            proof = (proof[1], proof[0], *proof[2:])
        case _:
            leaf = bytes(32)
    return leaf, index, size, proof, top


@given(spoiled_inclusion())
def test_a_spoiled_inclusion_proof_is_refused(spoiled: tuple[bytes, int, int, tuple[bytes, ...], bytes]) -> None:
    with pytest.raises(Corrupt) as refusal:
        verify_inclusion(*spoiled)
    assert refusal.value.code == "bad-proof"


@given(st.integers(1, 40), st.integers(0, 40), st.data())
def test_r64_no_proof_hides_a_change_of_history(old: int, new: int, data: st.DataObject) -> None:
    """Edit, delete or cut any leaf that a peer has a checkpoint of: whatever proof the node sends is refused."""
    before = leaves(old)
    after = leaves(max(old, new))
    at = data.draw(st.integers(0, old - 1))
    match data.draw(st.sampled_from(["edit", "delete", "cut"])):
        case "edit":
            after[at] = bytes(32)
        case "delete":
            del after[at]
        case _:
            after = after[:at]
    forged = data.draw(st.lists(st.sampled_from([*leaves(40), mth(before), mth(after)]), max_size=6)).copy()
    attempts = [tuple(forged), consistency_proof(after, min(old, len(after)))]
    if mth(after[:old]) == mth(before):
        return  # the deleted leaf was the last one, and the tree grew again as it was
    for proof in attempts:
        with pytest.raises(Corrupt):
            verify_consistency(old, mth(before), len(after), mth(after), proof)


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


@pytest.mark.parametrize(
    ("index", "size", "proof", "top"),
    [
        (0, 1, (bytes(32),), node(bytes(32), leaves(1)[0])),
        (0, 8, (bytes(32),), node(leaves(1)[0], bytes(32))),
        (0, 8, (), leaves(1)[0]),
    ],
    ids=["too long", "too short", "empty"],
)
def test_a_proof_of_the_wrong_length_is_refused_though_it_hashes_to_the_root(
    index: int, size: int, proof: tuple[bytes, ...], top: bytes
) -> None:
    """Whoever signs a checkpoint chooses its size and its root: they must fit each other."""
    with pytest.raises(Corrupt):
        verify_inclusion(leaves(1)[0], index, size, proof, top)


P = (b"a" * 32, b"b" * 32, b"c" * 32, b"d" * 32)


@pytest.mark.parametrize(
    ("old", "size", "proof", "old_root", "top"),
    [
        (3, 4, P, node(P[3], node(P[2], P[0])), node(P[3], node(P[2], node(P[0], P[1])))),
        (2, 8, (bytes(32),), mth(leaves(2)), node(mth(leaves(2)), bytes(32))),
        (4, 8, (), mth(leaves(4)), mth(leaves(4))),
    ],
    ids=["too long", "too short", "empty"],
)
def test_a_consistency_proof_of_the_wrong_length_is_refused_too(
    old: int, size: int, proof: tuple[bytes, ...], old_root: bytes, top: bytes
) -> None:
    with pytest.raises(Corrupt):
        verify_consistency(old, old_root, size, top, proof)


def test_two_logs_of_one_size_contradict_each_other() -> None:
    """Two signed checkpoints of one size and two roots are the whole proof of a split view (T17)."""
    one, other = mth(leaves(7)), mth([*leaves(6), bytes(32)])
    with pytest.raises(Corrupt, match="keep both signed checkpoints"):
        verify_consistency(7, one, 7, other, ())


def test_the_empty_tree() -> None:
    assert Frontier().root() == root([]) == EMPTY_ROOT == mth([])
    verify_consistency(0, EMPTY_ROOT, 5, mth(leaves(5)), consistency_proof(leaves(5), 0))
    verify_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, ())
    for old_root, size, new_root, proof in (
        (bytes(32), 5, mth(leaves(5)), ()),
        (EMPTY_ROOT, 0, bytes(32), ()),
        (EMPTY_ROOT, 5, mth(leaves(5)), (bytes(32),)),
    ):
        with pytest.raises(Corrupt):
            verify_consistency(0, old_root, size, new_root, proof)
    with pytest.raises(Corrupt):
        verify_inclusion(bytes(32), 0, 0, (), EMPTY_ROOT)


@pytest.mark.parametrize("index", [-1, 3])
def test_no_proof_for_a_leaf_that_is_not_there(index: int) -> None:
    with pytest.raises(Malformed):
        inclusion_proof(leaves(3), index)
    with pytest.raises(Malformed):
        consistency_proof(leaves(3), 4 if index == 3 else -1)


@pytest.mark.parametrize("line", ["", "x", "1", "2 00", "0 " + "00" * 32, "1 zz", "-1", "1  " + "00" * 32, "3 0 0"])
def test_a_spoiled_frontier_is_corrupt(line: str) -> None:
    with pytest.raises(Corrupt):
        Frontier.load(line)


# --- leaves, erasure, checkpoints ----------------------------------------------------------------


def test_r60_an_erased_event_still_verifies() -> None:
    """The private half and its salt are gone; leaf, proof and signed root are as they were."""
    rows = [Logged("Ask", Ask(amount_of(n), n, f"payto://iban/{n}")) for n in range(5)]
    written = [(*halves(row), bytes([n]) * 16) for n, row in enumerate(rows)]
    tree = [leaf_hash(lasting, salt, private) for lasting, private, salt in written]
    checkpoint = sign(replace(CHECKPOINT, size=5, root=root(tree).hex()), NCB, "k1")

    lasting, private, salt = written[3]
    kept = private_digest(salt, private)
    del private, salt

    assert b"payto" not in lasting
    assert joined(Logged, lasting, None, BODIES) == Logged("Ask", Ask(amount_of(3), 3))
    stated = verify(Checkpoint, checkpoint, lambda _sender, _kid: NCB.public_key())
    leaf = leaf_hash_erased(lasting, kept)
    verify_inclusion(leaf, 3, stated.size, inclusion_proof(tree, 3), bytes.fromhex(stated.root))


def test_r60_what_is_left_of_an_erased_event_tells_nothing() -> None:
    """Without the salt, trying every account against the digest does not even find the true one."""
    lasting, private = halves(Logged("Ask", Ask(amount_of(1), 1, "payto://iban/PT50000201231234567890154")))
    kept = private_digest(SALT, private)
    assert kept not in (sha256(private).digest(), sha256(lasting + private).digest())
    assert kept != private_digest(bytes(16), private)


@given(st.binary(max_size=40), st.binary(max_size=40), st.integers(0, 79), st.sampled_from(["lasting", "private"]))
def test_a_leaf_changes_with_every_byte(lasting: bytes, private: bytes, at: int, half: str) -> None:
    leaf = leaf_hash(lasting, SALT, private)
    changed = {"lasting": lasting, "private": private}
    data = changed[half]
    changed[half] = data[:at] + b"\xff" + data[at:]
    assert leaf_hash(changed["lasting"], SALT, changed["private"]) != leaf
    assert leaf_hash(lasting, bytes(16), private) != leaf
    assert leaf == sha256(b"\0" + lasting + sha256(SALT + private).digest()).digest()


@pytest.mark.parametrize("call", [lambda: leaf_hash(b"", b"short", b""), lambda: leaf_hash_erased(b"", b"short")])
def test_salts_and_digests_have_their_length(call: object) -> None:
    """Otherwise bytes could move from one part of the leaf to the next."""
    assert callable(call)
    with pytest.raises(ArrpError, match="bytes, not 5"):
        call()


def test_a_leaf_never_passes_for_a_node() -> None:
    one, other = leaves(2)
    assert leaf_hash_erased(one, other) != mth([one, other])
