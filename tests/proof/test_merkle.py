"""The tree is that of RFC 9162: known roots, and every path against a root computed by the definition."""

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.proof.merkle import EMPTY, Frontier, Tree, leaf, root_of

RECORDS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
"""The test data of Certificate Transparency, and the roots of its first 1, 2 … 8 records."""
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def leaves_of(records):
    return [leaf(record) for record in records]


def by_definition(leaves):
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    left = 1
    while left * 2 < len(leaves):
        left *= 2
    return sha256(b"\1" + by_definition(leaves[:left]) + by_definition(leaves[left:])).digest()


@pytest.mark.parametrize("size", range(1, 9))
def test_the_roots_are_those_of_certificate_transparency(size):
    leaves = leaves_of([bytes.fromhex(one) for one in RECORDS[:size]])
    assert Frontier.over(b"".join(leaves)).root().hex() == ROOTS[size - 1] == by_definition(leaves).hex()


def test_a_tree_without_leaves_has_the_hash_of_nothing():
    assert Frontier().root() == EMPTY == by_definition([])


@pytest.mark.parametrize("size", [*range(1, 35), 63, 64, 65, 100, 127, 128, 129])
def test_every_path_leads_to_the_root_and_no_other_record_does(size):
    leaves = leaves_of([b"%d" % number for number in range(size)])
    tree, root = Tree(b"".join(leaves)), by_definition(leaves)
    for index in range(size):
        path = tree.path(index)
        assert root_of(leaves[index], index, size, path) == root
        assert len(path) <= (size - 1).bit_length()
        assert root_of(leaf(b"another"), index, size, path) != root
        if size > 1:
            assert root_of(leaves[index], index, size, path[:-1]) is None
            assert root_of(leaves[index], index, size, [*path, root]) is None
            assert root_of(leaves[index], (index + 1) % size, size, path) != root
    for index in (-1, size):
        assert root_of(leaves[0], index, size, []) is None
        with pytest.raises(IndexError):
            tree.path(index)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=4), max_size=60), st.data())
def test_a_tree_that_stopped_goes_on_as_if_it_had_not(records, data):
    leaves = leaves_of(records)
    stopped = data.draw(st.integers(0, len(leaves)))
    before = Frontier.over(b"".join(leaves[:stopped]))
    again = Frontier(before.size, before.roots)
    for one in leaves[stopped:]:
        again.append(one)
    assert again.root() == by_definition(leaves)


def test_roots_that_cannot_be_those_of_a_tree_are_refused():
    with pytest.raises(ValueError, match="3 leaves has 2 whole subtrees, not 1"):
        Frontier(3, [bytes(32)])
