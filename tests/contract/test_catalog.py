"""The contract of the `Catalog` port, run over every adapter: memory, SQLite and a real PostgreSQL."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lookalike.adapters.catalog_memory import MemoryCatalog
from lookalike.adapters.catalog_sql import SqlCatalog
from lookalike.core.errors import CatalogError, RowError, VectorError
from lookalike.core.ports import Catalog
from lookalike.core.types import (
    DESCRIPTION,
    IMAGE,
    TITLE,
    Embedding,
    ImageRef,
    Product,
    Record,
    Thumbnail,
    content_hash,
    contents,
)

MADE_BY = {IMAGE: "eye-1", TITLE: "words-1", DESCRIPTION: "words-1"}
OpenCatalog = Callable[[], Catalog]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def open_catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenCatalog]:
    """Yield a function that opens one and the same new catalogue, each time with a handle of its own."""
    if request.param == "memory":
        only = MemoryCatalog()
        yield lambda: only
        return
    place = tmp_path / "shop.db"
    if request.param == "postgres":
        place = request.getfixturevalue("postgres_url")
    opened: list[Catalog] = []

    def open_another() -> Catalog:
        opened.append(SqlCatalog.open(place))
        return opened[-1]

    yield open_another
    for catalog in opened:
        catalog.close()


@pytest.fixture
def catalog(open_catalog: OpenCatalog) -> Catalog:
    """Return an empty catalogue."""
    return open_catalog()


def vector(seed: str, dim: int = 6) -> np.ndarray:
    """Return a unit vector, float32 [dim], that depends on nothing but `seed`."""
    found = np.random.default_rng(int(content_hash(seed), 16)).standard_normal(dim)
    return (found / np.linalg.norm(found)).astype(np.float32)


def picture(name: str) -> ImageRef:
    return ImageRef(f"{name}.jpg", content_hash(name))


def embed(product: Product, made_by: dict[str, str] = MADE_BY) -> tuple[Embedding, ...]:
    """Embed all there is to embed of a product."""
    return tuple(
        Embedding(space, made_by[space], hash_, vector(made_by[space] + hash_))
        for space, hashes in contents(product).items()
        for hash_ in hashes
        if space in made_by
    )


def bare(*products: Product) -> list[Record]:
    """Return records without embeddings."""
    return [Record(product) for product in products]


def complete(*products: Product) -> list[Record]:
    """Return records with all embeddings."""
    return [Record(product, "seen", "signature", embed(product)) for product in products]


def pairs(product: Product) -> set[tuple[str, str]]:
    """Return the contents of a product, as `held` does."""
    return {(space, hash_) for space, hashes in contents(product).items() for hash_ in hashes}


def only_change(catalog: Catalog, id_: str):
    return next(change for change in catalog.changes(0) if change.id == id_)


def held(catalog: Catalog, id_: str, made_by: dict[str, str] = MADE_BY) -> set[tuple[str, str]]:
    return set(catalog.embedded([id_], made_by)[id_])


SHIRT = Product(
    "shirt", title="Shirt", description="A shirt.", price=20.0, images=(picture("front"), picture("back"))
)

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
NUMBER = st.floats(allow_nan=False)
DATE = st.datetimes(timezones=st.just(UTC))
VALUE = st.booleans() | st.integers() | NUMBER | TEXT | DATE | st.lists(TEXT, max_size=3).map(tuple)
PRODUCT = st.builds(
    Product,
    id=TEXT,
    family=st.none() | TEXT,
    title=TEXT,
    description=TEXT,
    price=st.none() | NUMBER,
    currency=st.none() | TEXT,
    brand=st.none() | TEXT,
    categories=st.lists(TEXT, max_size=3).map(tuple),
    attributes=st.dictionaries(TEXT, VALUE, max_size=5),
    images=st.lists(st.builds(ImageRef, TEXT, st.none() | TEXT), max_size=3).map(tuple),
    availability=st.none() | st.booleans(),
    popularity=st.none() | NUMBER,
    rating=st.none() | NUMBER,
    conversion_rate=st.none() | NUMBER,
    added=st.none() | DATE,
    active=st.booleans(),
)
SLOW = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.parametrize("adapter", [MemoryCatalog, SqlCatalog])
def test_an_adapter_has_every_method_of_the_port_with_its_signature(adapter: type) -> None:
    named = {
        name: member
        for name, member in vars(Catalog).items()
        if inspect.isfunction(member) and name[0] != "_"
    }
    assert len(named) == 19
    for name, method in named.items():
        assert inspect.signature(getattr(adapter, name)) == inspect.signature(method), name


# What goes in comes out


@SLOW
@given(product=PRODUCT)
def test_every_field_comes_back_as_it_went_in(catalog: Catalog, product: Product) -> None:
    catalog.write(bare(product))
    key = catalog.keys([product.id])[product.id]
    found = catalog.get_many([key])[key]
    assert found == product
    for name, value in product.attributes.items():
        assert type(found.attributes[name]) is type(value), name
    assert found.added is None or found.added.utcoffset() == timedelta(0)


def test_texts_that_look_like_something_else_stay_texts(catalog: Catalog) -> None:
    date = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)
    odd = {
        "$date": "2026-03-29",
        "text": date.isoformat(),
        "date": date,
        "$float": "inf",
        "inf": float("inf"),
    }
    odd |= {"no": False, "zero": 0, "nought": 0.0, "": "", "tags": (), "tag": ("null",), "huge": 2**80}
    catalog.write(bare(Product("odd", attributes=odd)))
    found = catalog.get_many([0])[0].attributes
    assert found == odd
    assert {name: type(value) for name, value in found.items()} == {
        name: type(value) for name, value in odd.items()
    }


def test_dates_are_stored_as_utc(catalog: Catalog) -> None:
    noon = datetime(2026, 7, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    catalog.write(bare(Product("a", added=noon, attributes={"since": noon})))
    found = catalog.get_many([0])[0]
    assert found.added == noon and found.added.hour == 10 and found.added.utcoffset() == timedelta(0)
    assert found.attributes["since"] == noon


def test_the_bytes_of_a_picture_are_not_kept(catalog: Catalog) -> None:
    catalog.write(bare(Product("a", images=(ImageRef("bytes:1", "hash", data=b"jpeg"),))))
    assert catalog.get_many([0])[0].images[0].data is None
    assert catalog.known(["a"])["a"].images == (ImageRef("bytes:1", "hash"),)


@pytest.mark.parametrize(
    "product",
    [
        Product("bad", title="a\0b"),
        Product("bad", categories=("a\0b",)),
        Product("bad", attributes={"a\0b": 1}),
        Product("bad", attributes={"sizes": ("S", "\0")}),
        Product("bad", images=(ImageRef("\0.jpg"),)),
        Product("bad", brand="\ud83d"),
        Product("b\0d"),
        Product("bad", price=float("nan")),
        Product("bad", attributes={"width": float("nan")}),
        Product("bad", added=datetime(2026, 1, 1)),
        Product("bad", attributes={"since": datetime(2026, 1, 1)}),
        Product("bad", attributes={"since": datetime.min.replace(tzinfo=timezone(timedelta(hours=5)))}),
        Product("bad", attributes={"width": 10**400}),
        Product("bad", price=-(10**400)),
    ],
    ids=lambda product: repr(product)[:60].encode("ascii", "replace").decode(),
)
def test_what_no_database_can_keep_is_refused_and_nothing_is_written(
    catalog: Catalog, product: Product
) -> None:
    catalog.write(complete(SHIRT))
    with pytest.raises(RowError, match="cannot be stored") as caught:
        catalog.write([*complete(replace(SHIRT, price=1.0), Product("good")), *bare(product)])
    assert caught.value.hint
    assert catalog.sequence() == catalog.count() == 1
    assert catalog.get_many([0, 1]) == {0: SHIRT}
    catalog.write(bare(Product("next")))
    assert catalog.keys(["next"]) == {"next": 1}, "a failed write leaves no gap in the keys"


@pytest.mark.parametrize("shape", [(), (0,), (2, 3)])
def test_an_embedding_is_one_vector(catalog: Catalog, shape: tuple[int, ...]) -> None:
    wrong = Embedding(TITLE, "words-1", content_hash("Shirt"), np.ones(shape, np.float32))
    with pytest.raises(VectorError):
        catalog.write([*bare(Product("good")), Record(SHIRT, embeddings=(wrong,))])
    assert catalog.count() == catalog.sequence() == 0


# Writing


def test_keys_count_from_0_in_the_order_given(catalog: Catalog) -> None:
    catalog.write(bare(Product("b"), Product("a")))
    assert catalog.sequence() == 2
    catalog.write(bare(Product("a"), Product("c")))
    assert catalog.sequence() == 4
    assert catalog.keys(["a", "b", "c", "d"]) == {"b": 0, "a": 1, "c": 2}
    assert catalog.count() == 3


def test_writing_nothing_moves_nothing(catalog: Catalog) -> None:
    assert list(catalog.write([])) == []
    assert catalog.sequence() == catalog.count() == 0
    catalog.write(bare(SHIRT))
    catalog.write([])
    assert catalog.sequence() == 1


def test_a_product_is_replaced_whole(catalog: Catalog) -> None:
    catalog.write([Record(replace(SHIRT, brand="B", attributes={"a": 1}), "first", "made")])
    catalog.write([Record(Product("shirt", title="Polo"), "second")])
    assert catalog.get_many([0]) == {0: Product("shirt", title="Polo")}
    known = catalog.known(["shirt"])["shirt"]
    assert (known.key, known.source_hash, known.embedded, known.images) == (0, "second", "", ())


def test_of_an_id_that_comes_twice_in_one_write_the_last_counts(catalog: Catalog) -> None:
    first, last = replace(SHIRT, title="Old"), replace(SHIRT, title="New")
    assert list(catalog.write(complete(first, Product("other"), last))) == []
    assert catalog.sequence() == 3
    assert catalog.get_many([0, 1]) == {0: last, 1: Product("other")}
    assert held(catalog, "shirt") == {(made.space, made.content_hash) for made in embed(last)}
    assert [change.id for change in catalog.changes(0)] == ["other", "shirt"]
    assert catalog.count() == 2


# Embeddings, and what moves content_seq


def test_a_price_change_keeps_embeddings_and_content_seq(catalog: Catalog) -> None:
    catalog.write(complete(SHIRT))
    catalog.write(bare(replace(SHIRT, price=10.0, brand="B", images=SHIRT.images[::-1])))
    change = only_change(catalog, "shirt")
    assert (change.seq, change.content_seq) == (2, 1)
    assert held(catalog, "shirt") == {(made.space, made.content_hash) for made in embed(SHIRT)}


def test_embeddings_of_contents_that_went_are_dropped_whoever_made_them(catalog: Catalog) -> None:
    newer = {IMAGE: "eye-2", TITLE: "words-2"}
    catalog.write([Record(SHIRT, embeddings=embed(SHIRT) + embed(SHIRT, newer))])
    catalog.write(bare(replace(SHIRT, images=SHIRT.images[1:])))
    front, back = (image.content_hash for image in SHIRT.images)
    for made_by in (MADE_BY, newer):
        assert (IMAGE, front) not in held(catalog, "shirt", made_by)
        assert {(IMAGE, back), (TITLE, content_hash("Shirt"))} <= held(catalog, "shirt", made_by)
    assert only_change(catalog, "shirt").content_seq == 2


def test_new_and_replaced_embeddings_move_content_seq(catalog: Catalog) -> None:
    catalog.write([*bare(SHIRT), *complete(Product("hat", title="Hat"))])
    catalog.write([Record(SHIRT, embeddings=embed(SHIRT)[:1])])  # new
    assert only_change(catalog, "shirt").content_seq == 3
    assert only_change(catalog, "hat").content_seq == 2, "the neighbour's stays"
    again = replace(embed(SHIRT)[0], vector=vector("again"))
    catalog.write([Record(SHIRT, embeddings=(again,))])  # replaced
    assert only_change(catalog, "shirt").content_seq == 4
    keys, vectors = catalog.embeddings(np.array([0]), MADE_BY)[IMAGE]
    assert keys.tolist() == [0]
    np.testing.assert_array_equal(vectors, [again.vector])


def test_a_text_change_without_any_embedding_does_not_move_content_seq(catalog: Catalog) -> None:
    catalog.write(bare(SHIRT))
    catalog.write(bare(replace(SHIRT, title="Polo")))
    assert only_change(catalog, "shirt").content_seq == 1


def test_an_embedding_of_a_content_the_product_does_not_have_is_not_kept(catalog: Catalog) -> None:
    catalog.write(complete(SHIRT))
    catalog.write([Record(SHIRT, embeddings=embed(replace(SHIRT, title="Hat", description="", images=())))])
    assert only_change(catalog, "shirt").content_seq == 1
    assert held(catalog, "shirt") == {(made.space, made.content_hash) for made in embed(SHIRT)}


def test_vectors_come_ordered_by_key_and_bit_for_bit(catalog: Catalog) -> None:
    tiny = np.array([1e-45, -0.0, 1.0], np.float32)
    products = [
        Product(f"p{n}", title=f"Title {n}", images=(picture(f"{n}a"), picture(f"{n}b"))) for n in range(3)
    ]
    catalog.write(complete(*products, Product("none")))
    catalog.write(
        [Record(Product("tiny", title="T"), embeddings=(Embedding(TITLE, "t", content_hash("T"), tiny),))]
    )
    found = catalog.embeddings(np.array([2, 0, 0, 3, 99]), MADE_BY)
    assert set(found) == set(MADE_BY)
    keys, vectors = found[IMAGE]
    assert keys.tolist() == [0, 0, 2, 2] and keys.dtype == np.int64
    assert vectors.shape == (4, 6) and vectors.dtype == np.float32 and vectors.flags.writeable
    expected = [sorted((e.content_hash, e.vector.tobytes()) for e in embed(products[n])[:2]) for n in (0, 2)]
    assert [row.tobytes() for row in vectors] == [raw for pair in expected for _, raw in pair]
    keys, vectors = found[DESCRIPTION]
    assert keys.shape == (0,) and vectors.shape == (0, 0) and vectors.dtype == np.float32
    assert catalog.embeddings(np.array([4]), {TITLE: "t"})[TITLE][1].tobytes() == tiny.tobytes()


def test_vectors_of_several_lengths_are_not_mixed(catalog: Catalog) -> None:
    one, two = Product("one", title="1"), Product("two", title="2")
    for product, dim in ((one, 3), (two, 4)):
        made = Embedding(TITLE, "t", content_hash(product.title), vector("v", dim))
        catalog.write([Record(product, embeddings=(made,))])
    assert catalog.embeddings(np.array([0]), {TITLE: "t"})[TITLE][1].shape == (1, 3)
    with pytest.raises(CatalogError, match="several lengths"):
        catalog.embeddings(np.array([0, 1]), {TITLE: "t"})


def test_embedded_goes_by_fingerprint_and_answers_for_every_id(catalog: Catalog) -> None:
    catalog.write(complete(SHIRT))
    found = catalog.embedded(["shirt", "unknown"], {TITLE: "words-1", IMAGE: "eye-2"})
    assert found == {"shirt": {(TITLE, content_hash("Shirt"))}, "unknown": frozenset()}


# The change sequence


def test_vectors_of_another_generation_are_added_without_a_change(catalog: Catalog) -> None:
    newer = {IMAGE: "eye-2", TITLE: "words-2", DESCRIPTION: "words-1"}
    catalog.write([*complete(SHIRT), *complete(Product("hat", title="Hat"))])
    before = [(change.seq, change.content_seq) for change in catalog.changes(0)]
    others = [made for made in embed(SHIRT, newer) if made.space != DESCRIPTION]
    gone = replace(others[0], content_hash=content_hash("another picture"))
    catalog.add_embeddings([*((0, made) for made in others), (0, gone), (1, others[0]), (77, others[0])])
    catalog.add_embeddings([])
    assert [(change.seq, change.content_seq) for change in catalog.changes(0)] == before
    assert catalog.sequence() == 2
    assert held(catalog, "shirt", newer) == {(made.space, made.content_hash) for made in embed(SHIRT)}
    assert held(catalog, "hat", newer) == set()
    assert held(catalog, "shirt") == {(made.space, made.content_hash) for made in embed(SHIRT)}
    catalog.add_embeddings([(0, replace(others[0], vector=vector("again")))])
    _, vectors = catalog.embeddings(np.array([0]), newer)[others[0].space]
    assert any(np.array_equal(each, vector("again")) for each in vectors)
    with pytest.raises(VectorError):
        catalog.add_embeddings([(0, others[1]), (0, replace(others[0], vector=np.zeros((2, 3), np.float32)))])


def test_a_deleted_product_takes_no_vectors(catalog: Catalog) -> None:
    catalog.write(complete(SHIRT))
    catalog.delete(["shirt"])
    catalog.add_embeddings([(0, made) for made in embed(SHIRT)])
    catalog.write(bare(SHIRT))
    assert held(catalog, "shirt") == set()


def test_the_vectors_of_a_generation_are_dropped_and_no_others(catalog: Catalog) -> None:
    newer = {IMAGE: "eye-2", TITLE: "words-2", DESCRIPTION: "words-1"}
    catalog.write([Record(SHIRT, embeddings=embed(SHIRT) + embed(SHIRT, newer))])
    head = catalog.sequence()
    pictures = len(SHIRT.images)
    assert catalog.drop_embeddings({IMAGE: "eye-2", TITLE: "words-2"}) == pictures + 1
    assert catalog.drop_embeddings({IMAGE: "eye-2"}) == 0
    assert held(catalog, "shirt") == {(made.space, made.content_hash) for made in embed(SHIRT)}
    assert catalog.sequence() == head


def test_changes_come_oldest_first_in_pages(catalog: Catalog) -> None:
    products = [Product(f"p{n}") for n in range(7)]
    catalog.write(bare(*products))
    catalog.write(bare(products[2], products[0]))
    catalog.delete(["p4"])
    seen, after = [], 0
    while page := catalog.changes(after, limit=3):
        assert len(page) <= 3
        seen += page
        after = page[-1].seq
    assert [(change.seq, change.id) for change in seen] == [
        (2, "p1"), (4, "p3"), (6, "p5"), (7, "p6"), (8, "p2"), (9, "p0"), (10, "p4"),
    ]  # fmt: skip
    assert seen == list(catalog.changes(0))
    assert [change.product for change in seen] == [*(products[n] for n in (1, 3, 5, 6, 2, 0)), None]
    assert [change.key for change in seen] == [1, 3, 5, 6, 2, 0, 4]
    assert catalog.changes(10) == [] and catalog.changes(0, limit=0) == []
    assert catalog.sequence() == 10


def test_a_deleted_product_is_gone_but_for_its_key(catalog: Catalog) -> None:
    catalog.write(complete(SHIRT, Product("hat", title="Hat")))
    assert catalog.delete(["shirt", "unknown", "shirt", "a\0b"]) == 1
    assert catalog.delete(["shirt"]) == 0 and catalog.delete([]) == 0
    assert catalog.sequence() == 3 and catalog.count() == 1
    change = only_change(catalog, "shirt")
    assert (change.seq, change.key, change.product, change.content_seq) == (3, 0, None, 3)
    assert not catalog.known(["shirt"]) and not catalog.keys(["shirt"]) and not catalog.get_many([0])
    assert not held(catalog, "shirt") and not len(catalog.embeddings(np.array([0]), MADE_BY)[TITLE][0])
    assert catalog.keys(["hat"]) == {"hat": 1}


def test_a_product_that_returns_has_its_old_key_and_no_old_embeddings(catalog: Catalog) -> None:
    catalog.write(complete(SHIRT))
    catalog.delete(["shirt"])
    catalog.write(bare(Product("hat"), SHIRT))
    assert catalog.keys(["shirt", "hat"]) == {"shirt": 0, "hat": 1}
    change = only_change(catalog, "shirt")
    assert (change.seq, change.content_seq, change.product) == (4, 4, SHIRT)
    assert held(catalog, "shirt") == set() and catalog.count() == 2


def test_readers_have_positions(catalog: Catalog) -> None:
    assert catalog.position("index") == 0
    catalog.set_position("index", 7)
    catalog.set_position("report", 3)
    catalog.set_position("index", 2)
    assert (catalog.position("index"), catalog.position("report")) == (2, 3)
    assert catalog.sequence() == 0


def test_an_artifact_moves_the_sequence_only_when_it_is_different(catalog: Catalog) -> None:
    assert catalog.artifact("calibration") is None
    for data, head in ((b"", 1), (b"", 1), (b"\0\xff", 2), (b"\0\xff", 2), (b"", 3)):
        catalog.set_artifact("calibration", data)
        assert catalog.artifact("calibration") == data
        assert catalog.sequence() == head
    assert catalog.changes(0) == []
    catalog.write(bare(SHIRT))
    assert catalog.sequence() == 4


def test_an_artifact_is_replaced_only_while_it_is_what_it_was(catalog: Catalog) -> None:
    assert catalog.replace_artifact("thing", b"", b"x") is None
    assert catalog.artifact("thing") is None and catalog.sequence() == 0
    for was, data, head in ((None, b"a", 1), (b"a", b"b", 2), (b"b", b"b", 2)):
        assert catalog.replace_artifact("thing", was, data) == 0
        assert (catalog.artifact("thing"), catalog.sequence()) == (data, head)
    for was in (None, b"a", b""):
        assert catalog.replace_artifact("thing", was, b"c") is None
        assert (catalog.artifact("thing"), catalog.sequence()) == (b"b", 2)


def test_vectors_are_dropped_with_an_artifact_or_not_at_all(catalog: Catalog) -> None:
    newer = {IMAGE: "eye-2", TITLE: "words-2", DESCRIPTION: "words-1"}
    catalog.write([Record(SHIRT, embeddings=embed(SHIRT) + embed(SHIRT, newer))])
    both = held(catalog, "shirt", newer)
    catalog.set_artifact("thing", b"a")
    gone = {IMAGE: "eye-2", TITLE: "words-2"}
    assert catalog.replace_artifact("thing", b"other", b"b", gone) is None
    assert held(catalog, "shirt", newer) == both
    assert catalog.replace_artifact("thing", b"a", b"b", gone) == len(SHIRT.images) + 1
    assert {space for space, _ in held(catalog, "shirt", newer)} == {DESCRIPTION}
    assert held(catalog, "shirt") == {(made.space, made.content_hash) for made in embed(SHIRT)}


def test_of_many_who_replace_an_artifact_one_succeeds(open_catalog: OpenCatalog) -> None:
    catalogs = [open_catalog() for _ in range(6)]
    for turn in range(5):
        was, data = b"%d" % turn if turn else None, b"%d" % (turn + 1)
        with ThreadPoolExecutor(len(catalogs)) as pool:
            begun = [pool.submit(each.replace_artifact, "thing", was, data) for each in catalogs]
            done = [each.result() for each in begun]
        assert done.count(0) == 1 and done.count(None) == len(catalogs) - 1
    assert catalogs[0].sequence() == 5


# Looking up


def test_many_are_found_in_the_order_asked_for(catalog: Catalog) -> None:
    products = [Product(f"p{n}", price=float(n)) for n in range(1203)]
    catalog.write(bare(*products))
    ids = [product.id for product in products]
    asked = [*range(1202, -1, -1), 5000, -1, 3]
    found = catalog.get_many(asked)
    assert list(found) == list(range(1202, -1, -1))
    assert all(found[key] == products[key] for key in found)
    assert catalog.keys([*ids, "x"]) == {id_: n for n, id_ in enumerate(ids)}
    assert set(catalog.known(ids)) == set(catalog.embedded(ids, MADE_BY)) == set(ids)
    assert catalog.delete(ids[:1100]) == 1100 and catalog.count() == 103


def test_ids_that_cannot_be_stored_are_simply_not_there(catalog: Catalog) -> None:
    catalog.write(bare(Product("a")))
    odd = ["a\0b", "\ud800", "a\0"]
    assert not catalog.known(odd) and not catalog.keys(odd)
    assert catalog.embedded(odd, MADE_BY) == dict.fromkeys(odd, frozenset())


def test_the_first_thumbnail_of_a_content_stays(catalog: Catalog) -> None:
    for data in (b"first", b"second"):
        catalog.write([Record(SHIRT, thumbnails=(Thumbnail("hash", data), Thumbnail(data.decode(), b"\0")))])
    assert catalog.thumbnail("hash") == b"first" and catalog.thumbnail("second") == b"\0"
    assert catalog.thumbnail("unknown") is None


# Written only over what was read


@pytest.mark.parametrize("meanwhile", ["written", "deleted", "written and deleted", "nothing"])
def test_what_moved_on_since_it_was_read_is_left_unwritten(open_catalog: OpenCatalog, meanwhile: str) -> None:
    catalog, other = open_catalog(), open_catalog()
    catalog.write(complete(SHIRT, Product("hat", title="Hat")))
    read = catalog.known(["shirt", "hat"])
    assert (read["shirt"].seq, read["hat"].seq) == (1, 2)
    theirs = replace(SHIRT, images=SHIRT.images[:1])
    if "written" in meanwhile:
        other.write(complete(theirs))
    if "deleted" in meanwhile:
        other.delete(["shirt"])
    head = other.sequence()
    ours = [
        Record(replace(SHIRT, price=1.0), "ours", "signature", read_seq=read["shirt"].seq),
        Record(Product("hat", title="Cap"), read_seq=read["hat"].seq),
    ]
    moved = [] if meanwhile == "nothing" else ["shirt"]
    assert list(catalog.write(ours)) == moved
    assert catalog.sequence() == head + 2 - len(moved)
    held_now = {product.id: product for product in catalog.get_many(range(3)).values()}
    assert held_now["hat"].title == "Cap"
    if meanwhile == "nothing":
        assert held_now["shirt"].price == 1.0 and held(catalog, "shirt") == pairs(SHIRT)
    elif "deleted" in meanwhile:
        assert "shirt" not in held_now and catalog.count() == 1
    else:
        assert held_now["shirt"] == theirs and held(catalog, "shirt") == pairs(theirs)
        assert catalog.known(["shirt"])["shirt"].source_hash == "seen"


def test_what_was_not_there_may_have_come_meanwhile(open_catalog: OpenCatalog) -> None:
    catalog, other = open_catalog(), open_catalog()
    first = Record(Product("a", price=1.0), read_seq=0)
    assert list(other.write([first])) == []
    assert list(catalog.write([replace(first, product=Product("a", price=2.0))])) == ["a"]
    assert catalog.get_many([0])[0].price == 1.0
    other.delete(["a"])
    assert list(catalog.write([replace(first, product=Product("a", price=3.0))])) == []
    assert catalog.get_many([0])[0].price == 3.0


def test_a_price_that_moved_on_leaves_the_sequence_and_the_others_alone(catalog: Catalog) -> None:
    catalog.write(bare(SHIRT))
    assert list(catalog.write([Record(SHIRT, read_seq=7), Record(SHIRT, read_seq=0)])) == ["shirt", "shirt"]
    assert catalog.sequence() == 1
    # Of two records of one product, the second was not made from the first.
    twice = [Record(replace(SHIRT, price=price), read_seq=1) for price in (1.0, 2.0)]
    assert list(catalog.write(twice)) == ["shirt"]
    assert catalog.get_many([0])[0].price == 1.0
    assert list(catalog.write([Record(SHIRT)])) == []  # nothing was asked


def test_of_many_who_add_to_a_number_nobody_is_lost(open_catalog: OpenCatalog) -> None:
    """Each reads a price, adds one and writes it over what was read, again if it moved on: the sum comes out right."""
    threads, times = 4, 15
    open_catalog().write(bare(Product("a", price=0.0)))

    def add() -> int:
        catalog, refused = open_catalog(), 0
        for _ in range(times):
            while True:
                read = catalog.known(["a"])["a"].seq
                product = catalog.get_many([0])[0]
                more = replace(product, price=(product.price or 0.0) + 1.0)
                if not catalog.write([Record(more, read_seq=read)]):
                    break
                refused += 1
        return refused

    with ThreadPoolExecutor(threads) as pool:
        for each in [pool.submit(add) for _ in range(threads)]:
            each.result(60)
    assert open_catalog().get_many([0])[0].price == threads * times


# Several at a time


def test_a_second_handle_follows_the_first(open_catalog: OpenCatalog) -> None:
    writer, reader = open_catalog(), open_catalog()
    writer.write(complete(SHIRT))
    assert [change.product for change in reader.changes(0)] == [SHIRT]
    reader.set_position("index", 1)
    assert writer.position("index") == 1
    reader.delete(["shirt"])
    assert writer.count() == 0 and writer.changes(1)[0].product is None


def test_a_follower_sees_every_change_once_and_in_order(open_catalog: OpenCatalog) -> None:
    """Two write while a third follows: a number that became visible after a higher one would be missed for ever."""
    batches, size = 25, 4
    total = 2 * batches * size

    def write(name: str) -> None:
        catalog = open_catalog()
        for batch in range(batches):
            catalog.write(complete(*(Product(f"{name}{batch}-{n}", title="T") for n in range(size))))

    def follow() -> list[int]:
        catalog, seen, until = open_catalog(), [0], time.monotonic() + 60
        while len(seen) <= total and time.monotonic() < until:
            seen += [change.seq for change in catalog.changes(seen[-1], limit=7)]
        return seen

    with ThreadPoolExecutor(3) as pool:
        follower, *writers = pool.submit(follow), pool.submit(write, "a"), pool.submit(write, "b")
        for writer in writers:
            writer.result()
        assert follower.result() == list(range(total + 1))
    keys = [change.key for change in open_catalog().changes(0)]
    assert sorted(keys) == list(range(total))


# Two adapters, one meaning

NAMES = st.sampled_from(["a", "b", "c", "d"])
SMALL = st.builds(
    Product,
    id=NAMES,
    title=st.sampled_from(["", "x", "y"]),
    images=st.lists(st.sampled_from([picture("1"), picture("2"), ImageRef("3")]), max_size=2).map(tuple),
    price=st.sampled_from([None, 1.0]),
)
RECORD = st.builds(
    lambda product, made_by, some, read_seq: Record(
        product, embeddings=embed(product, made_by)[:some], read_seq=read_seq
    ),
    SMALL,
    st.sampled_from([MADE_BY, {TITLE: "words-2", IMAGE: "eye-1"}]),
    st.integers(0, 3),
    st.none() | st.integers(0, 4),
)
STEP = st.lists(RECORD, max_size=4) | st.lists(NAMES, max_size=2).map(tuple) | st.binary(max_size=1)


def take(catalog: Catalog, step: list[Record] | tuple[str, ...] | bytes) -> object:
    """Do one step: write records, delete ids or set an artifact."""
    if isinstance(step, list):
        return list(catalog.write(step))
    return catalog.delete(step) if isinstance(step, tuple) else catalog.set_artifact("thing", step)


@SLOW
@given(steps=st.lists(STEP, max_size=8))
def test_sql_and_memory_agree_after_any_steps(tmp_path: Path, steps: list) -> None:
    place = tmp_path / "twin.db"
    place.unlink(missing_ok=True)
    sql, memory = SqlCatalog.open(place), MemoryCatalog()
    try:
        for step in steps:
            assert take(sql, step) == take(memory, step)
        assert list(sql.changes(0)) == list(memory.changes(0))
        assert (sql.sequence(), sql.count()) == (memory.sequence(), memory.count())
        ids = ["a", "b", "c", "d"]
        assert sql.known(ids) == memory.known(ids) and sql.keys(ids) == memory.keys(ids)
        for made_by in (MADE_BY, {TITLE: "words-2", IMAGE: "eye-1"}):
            assert sql.embedded(ids, made_by) == memory.embedded(ids, made_by)
            ours, theirs = (c.embeddings(np.arange(4), made_by) for c in (sql, memory))
            for space in made_by:
                np.testing.assert_array_equal(ours[space][0], theirs[space][0])
                np.testing.assert_array_equal(ours[space][1], theirs[space][1])
    finally:
        sql.close()
