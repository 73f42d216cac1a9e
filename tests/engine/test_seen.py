"""Which ids were met: as a set of strings would say it, in a fraction of its memory."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from lookalike.engine.seen import SeenIds
from strategies import examples

few_ids = st.one_of(st.sampled_from(["", "a", "b", "A", "a ", "é", "日本"]), st.text(max_size=4))


@examples(100)
@given(st.lists(st.lists(few_ids, max_size=12), max_size=12))
def test_it_says_what_a_set_says(batches: list[list[str]]) -> None:
    seen, known = SeenIds(), set[str]()
    for ids in batches:
        expected = []
        for id_ in ids:
            expected.append(id_ in known)
            known.add(id_)
        assert seen.add(ids) == expected


def test_thousands_in_batches_of_any_size_and_all_of_them_again() -> None:
    ids = [f"SKU-{number}" for number in range(20_000)]
    seen, at = SeenIds(), 0
    for size in (1, 2, 5000, 3, 1, 1, 7000, 1, 500, 20_000):
        assert not any(seen.add(ids[at : at + size]))
        at += size
    assert all(seen.add(ids)) and all(seen.add(ids[::-1]))
    assert seen.add(["new", "SKU-7", "new"]) == [False, True, True]


def test_an_id_costs_about_eight_bytes() -> None:
    seen, count = SeenIds(), 40_000
    tracemalloc.start()
    try:
        for start in range(0, count, 500):
            seen.add([f"a rather long id of product number {number}" for number in range(start, start + 500)])
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 12 * count
