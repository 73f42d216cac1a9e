"""The public API on a drawn shop, with the built-in encoder and a real database."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import lookalike
from lookalike.adapters.encoder_onnx import OnnxEncoder
from lookalike.adapters.encoder_onnx_preset import read_preset
from lookalike.core.errors import (
    CatalogError,
    EncoderMismatch,
    FetchError,
    FilterError,
    ImageError,
    InputError,
    LimitError,
    Overloaded,
    QueryError,
    SourceError,
)
from lookalike.core.filter_text import parse
from lookalike.core.filters import matches
from lookalike.core.rows import Problem
from lookalike.core.types import Product
from lookalike.settings import load_settings
from lookalike.wiring import shown_place
from small_models import small_model

HEAVY = ("faiss", "onnxruntime", "torch", "sqlalchemy", "fastapi", "pandas", "pyarrow", "scipy", "PIL")


def loaded(code: str, modules: tuple[str, ...]) -> list[str]:
    """Return which of these modules a new process has loaded once it ran some code."""
    code += f"; import sys; print(*[m for m in {modules!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_importing_is_cheap() -> None:
    assert loaded("import lookalike", HEAVY) == []


def test_a_model_is_loaded_by_the_first_search_that_needs_it(drawn_place: Path) -> None:
    opened = f"import lookalike; shop = lookalike.open({str(drawn_place)!r})"
    assert loaded(f"{opened}; shop.search(like='D00001'); shop.get(['D00001'])", ("onnxruntime",)) == []
    assert loaded(f"{opened}; shop.search(text='red')", ("onnxruntime",)) == ["onnxruntime"]


def test_what_an_error_says_to_do_is_in_its_traceback_and_survives_a_pickle(drawn: lookalike.Shop) -> None:
    with pytest.raises(FilterError) as caught:
        drawn.search(text="mug", where="prise < 3")
    told = "".join(traceback.format_exception(caught.value))
    assert told.count("Did you mean price?") == 1 and "Did you mean" not in str(caught.value)
    for error in (
        caught.value,
        LimitError("search.max_k", "too many"),
        Overloaded("busy", retry_after_s=2.5),
    ):
        for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
            assert type(again) is type(error) and str(again) == str(error)
            assert again.__dict__ == error.__dict__ and again.__notes__ == [error.hint]


def test_products_come_in_the_order_asked_for(drawn: lookalike.Shop) -> None:
    ids = ["D00005", "D00001", "nope", "D00003", "D00001"]
    assert list(drawn.get(ids)) == ["D00005", "D00001", "D00003"]


def test_a_shop_and_the_package_say_what_they_are(drawn_place: Path) -> None:
    with lookalike.open(drawn_place) as shop:
        assert repr(shop) == f"<Shop {drawn_place}: {shop.findable} products that can be found>"
        assert shop.findable == len(shop.select("id exists")) <= len(shop)
    assert {"open", "Shop", "Product", "__version__"} <= set(dir(lookalike))
    assert shown_place("postgresql://me:secret@db/shop") == "postgresql://me:***@db/shop"


def test_pillow_images_can_be_indexed_as_they_can_be_searched_with(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3), np.uint8)
    pictures = [Image.fromarray(each) for each in noise]
    rows = [{"id": f"P{n}", "images": [picture]} for n, picture in enumerate(pictures)]
    with lookalike.open(tmp_path / "p.db") as shop:
        assert (shop.index(rows).images, shop.index(rows).unchanged) == (3, 3)
        shop.upsert([{"id": "P9", "image": pictures[0].convert("L")}])
        for n, picture in enumerate(pictures):
            best = shop.search(image=picture, k=1).hits[0]
            assert best.product.id == f"P{n}"
            assert best.because[0].similarity == pytest.approx(1, abs=1e-4)


def test_the_public_names_are_there() -> None:
    for name in lookalike.__all__:
        assert getattr(lookalike, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        lookalike.nonsense  # noqa: B018


def test_a_photo_finds_its_product(drawn: lookalike.Shop, drawn_source: Path) -> None:
    products = [json.loads(line) for line in drawn_source.read_text().splitlines()]
    for product in [product for product in products if product["active"]][:20]:
        photo = drawn_source.parent / product["images"][0]
        for image in (photo, photo.read_bytes(), np.asarray(Image.open(photo).convert("RGB"))):
            assert product["id"] in [hit.product.id for hit in drawn.search(image=image, k=3).hits]


def test_a_phrase_finds_titles_that_hold_its_words(drawn: lookalike.Shop) -> None:
    product = drawn.get(drawn.select("id exists"))["D00007"]
    found = drawn.search(text=product.title, k=5)
    assert found.hits[0].product.title == product.title
    assert found.matched == len(drawn.select("id exists"))


def test_every_hit_of_a_filtered_search_satisfies_the_filter(drawn: lookalike.Shop) -> None:
    where = 'price < 60 and not color = "black" and category prefix "Women"'
    result = drawn.search(text="dress", where=where, k=50, facets=["color", "brand"])
    assert result.hits
    assert all(matches(parse(where), hit.product) for hit in result.hits)
    assert sum(value.count for value in result.facets["color"]) <= result.matched
    as_text = drawn.search(text="dress", where='{"field": "price", "op": "<", "value": 60}', k=50)
    assert as_text.matched == drawn.search(text="dress", where="price < 60").matched
    as_json = {"and": [{"field": "price", "op": "<", "value": 60}, {"field": "brand", "op": "exists"}]}
    assert all((hit.product.price or 99) < 60 for hit in drawn.search(text="dress", where=as_json, k=50).hits)


def test_like_leaves_the_product_out_and_respects_kind(drawn: lookalike.Shop) -> None:
    same_kind = 0
    products = drawn.get(drawn.select("id exists"))
    for id_ in list(products)[:40]:
        hits = drawn.search(like=id_, k=4, weights={"attributes": 1.0}).hits
        assert id_ not in [hit.product.id for hit in hits]
        same_kind += products[id_].categories[0] in [hit.product.categories[0] for hit in hits]
        names = {term.name for term in hits[0].because}
        assert {"attributes.category", "attributes.brand", "attributes.price"} <= names
    assert same_kind >= 20  # one other of its kind among 91; chance would give 2


def test_signed_parts_and_several_images(drawn: lookalike.Shop, drawn_source: Path) -> None:
    photos = [drawn_source.parent / f"images/D0000{i}-1.jpg" for i in (1, 2)]
    away = drawn.search(parts=[{"text": "striped"}, {"text": "dress", "weight": -1}], k=10)
    assert not any("dress" in hit.product.title.lower() for hit in away.hits)
    for mode in ("any", "all", "mix"):
        assert len(drawn.search(image=photos, mode=mode, k=5).hits) == 5


def test_a_batch_answers_in_order(drawn: lookalike.Shop) -> None:
    texts = ["red dress", "lamp", "blue mug"]
    batch = drawn.search_many([{"text": text, "k": 2} for text in texts])
    assert [r.hits[0].product.id for r in batch] == [
        drawn.search(text=t, k=2).hits[0].product.id for t in texts
    ]


@pytest.mark.parametrize(
    ("question", "error", "says"),
    [
        ({"txt": "x"}, QueryError, "txt"),
        ({"text": "  "}, QueryError, "no phrase"),
        ({"text": 5}, QueryError, "no phrase"),
        ({"text": "x", "mode": "some"}, QueryError, "mode"),
        ({"parts": [{"text": "x", "image": "y"}]}, QueryError, "part 1"),
        ({"parts": [{"weight": 1}]}, QueryError, "part 1"),
        ({"like": "nope"}, QueryError, "nope"),
        ({"image": "nowhere.jpg"}, FetchError, "nowhere.jpg"),
        ({"image": b"<html></html>"}, ImageError, ""),
        ({"image": np.zeros((3, 3, 7), np.uint8)}, ImageError, ""),
        ({"image": "http://127.0.0.1:9/x.jpg"}, FetchError, "public"),
        ({"text": "x", "where": "price <"}, FilterError, "price <"),
        ({"text": "x", "where": "colr = 'red'"}, FilterError, "color"),
        ({"text": "x", "where": {"field": "price"}}, FilterError, ""),
        ({"text": "x", "where": '{"field": "price"'}, FilterError, "JSON"),
    ],
    ids=str,
)
def test_bad_questions_get_a_clear_error(
    drawn: lookalike.Shop, question: dict[str, object], error: type[InputError], says: str
) -> None:
    with pytest.raises(error) as caught:
        drawn.search(**question)  # type: ignore[arg-type]
    assert says in str(caught.value) + caught.value.hint
    assert caught.value.hint


def test_changes_are_searchable_at_once_and_prices_embed_nothing(drawn_source: Path, tmp_path: Path) -> None:
    with lookalike.open(tmp_path / "shop.db") as shop:
        shop.index(drawn_source)
        products = shop.get(shop.select("id exists"))
        report = shop.upsert(replace(product, price=1.5) for product in products.values())
        assert (report.changed, sum(report.encoded.values())) == (len(products), 0)
        assert shop.search(text="dress", where="price = 1.5").matched == len(products)
        shop.upsert([{"id": "new", "title": "a very special zebra umbrella", "price": 3}])
        titled = shop.search(text="a very special zebra umbrella", weights={"title": 1.0})
        assert titled.hits[0].product.id == "new"
        assert shop.delete(["new", "unknown"]) == 1
        assert "new" not in [hit.product.id for hit in shop.search(text="zebra umbrella", k=50).hits]
        problems: list[object] = []
        assert shop.upsert([{"title": "no id"}, {"id": "ok", "title": "fine"}], problems.append).failed == 1
        assert len(problems) == 1
        assert "ok" in shop.get(["ok"])


def test_a_product_that_cannot_be_kept_is_reported_and_the_others_land(tmp_path: Path) -> None:
    bad = [
        lookalike.Product("a", title="half \ud83d"),
        lookalike.Product("\ud83d"),
        lookalike.Product("b", price=float("nan")),
        lookalike.Product("c", attributes={"width": 10**400}),
    ]
    with lookalike.open(tmp_path / "shop.db") as shop:
        problems: list[Problem] = []
        report = shop.upsert([*bad, lookalike.Product("good", title="red shirt")], problems.append)
        assert (report.failed, report.new, len(problems)) == (4, 1, 4)
        assert all("cannot be stored" in p.reason and p.hint for p in problems)
        assert [hit.product.id for hit in shop.search(text="red shirt").hits] == ["good"]


def test_a_run_that_fails_leaves_no_thread(
    drawn_source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("encoder")

    with lookalike.open(tmp_path / "shop.db") as shop:
        monkeypatch.setattr(type(shop.encoder), "encode_images", fail)
        with pytest.raises(RuntimeError, match="encoder"):
            shop.index(drawn_source)
        assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("ahead")]


@pytest.mark.parametrize(
    "question",
    [
        {"parts": [{"text": "red", "weight": "much"}]},
        {"parts": [{"text": "red", "weight": None}]},
        {"parts": [{"space": "image", "vector": ["a"]}]},
        {"parts": [{"space": "image", "vector": [[1, 2], [3]]}]},
        {"k": "5"},
        {"k": 2.5},
        {"weights": {"title": "much"}},
        {"weights": ["title"]},
        {"rerank": {"popularity": "much"}},
        {"diversity": "much"},
        {"group": "yes"},
        {"max_per_category": "2"},
        {"cursor": 5},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(drawn: lookalike.Shop, question: dict[str, Any]) -> None:
    with pytest.raises(QueryError) as caught:
        drawn.search(**question)
    assert caught.value.hint


@pytest.mark.parametrize("where", [5, True, [{"field": "price", "op": "<", "value": 0}], {}], ids=str)
def test_what_is_no_filter_is_refused_not_passed_over(drawn: lookalike.Shop, where: Any) -> None:
    with pytest.raises(FilterError, match="not a filter"):
        drawn.search(text="red", where=where)


def test_one_facet_needs_no_list(drawn: lookalike.Shop) -> None:
    assert list(drawn.search(text="red", facets="brand").facets) == ["brand"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("variables", "file"),
    [
        ({"LOOKALIKE_SETTINGS": "missing.toml"}, None),
        ({"LOOKALIKE_IMAGES": "{"}, None),
        ({"LOOKALIKE_WORKERS": "none"}, None),
        ({}, b"workers = "),
        ({}, b"workers = '\xff'"),
    ],
    ids=["a file that is not there", "no JSON", "no number", "no TOML", "no UTF-8"],
)
def test_settings_that_cannot_be_read_are_refused(
    variables: dict[str, str], file: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    if file is not None:
        Path("lookalike.toml").write_bytes(file)
    with pytest.raises(InputError) as caught:
        load_settings()
    assert caught.value.hint


def test_judgments_may_hold_line_separators_and_must_be_text(drawn: lookalike.Shop, tmp_path: Path) -> None:
    judged = tmp_path / "judged.jsonl"
    line = {"id": "q", "query": {"text": "red\u2028dress\x85"}, "relevant_where": "id exists"}
    judged.write_text(json.dumps(line, ensure_ascii=False) + "\r\n", encoding="utf-8")
    evaluation = drawn.evaluate(judged)
    assert (len(evaluation.outcomes), evaluation.problems) == (1, ())
    judged.write_bytes(b"\xff\xfe")
    with pytest.raises(QueryError, match="UTF-8"):
        drawn.evaluate(judged)


def test_opening_and_searching_load_nothing_that_evaluation_or_pages_need(tmp_path: Path) -> None:
    with lookalike.open(tmp_path / "shop.db") as shop:
        shop.upsert([{"id": "a", "title": "red shirt"}])
    searched = f"import lookalike; lookalike.open({str(tmp_path / 'shop.db')!r}).search(text='red')"
    assert loaded(searched, ("scipy", "ir_measures", "jinja2", "alembic", "pyarrow", "rich", "onnx")) == []


def test_what_was_said_of_a_column_holds_for_later_sources(tmp_path: Path) -> None:
    rows = [{"nr": f"A{i}", "what": f"red lamp {i}", "eur": 3.5} for i in range(12)]
    with lookalike.open(tmp_path / "shop.db") as shop:
        shop.index(rows, columns={"id": "nr", "title": "what", "price": "eur"})
        assert shop.index(rows).unchanged == 12
        shop.upsert([rows[0] | {"what": "blue lamp"}])
        assert shop.get(["A0"])["A0"].title == "blue lamp"
        assert shop.get(["A0"])["A0"].price == 3.5


def test_pruning_deletes_what_left_the_source_unless_rows_failed(drawn_source: Path, tmp_path: Path) -> None:
    rows = [{"id": f"A{i}", "title": f"lamp {i}"} for i in range(30)]
    with lookalike.open(tmp_path / "shop.db") as shop:
        shop.index(rows)
        assert shop.index(rows[:20]).deleted == 0
        assert len(shop) == 30
        assert shop.index([*rows[:22], {"title": "no id"}], prune=True).deleted == 0
        assert shop.index(rows[:22], prune=True).deleted == 8
        assert len(shop) == 22
        assert shop.search(text="lamp", k=50).matched == 22


def test_one_thing_where_a_list_belongs_is_refused(drawn: lookalike.Shop) -> None:
    for call in (
        lambda: drawn.delete("D1"),
        lambda: drawn.get("D1"),
        lambda: drawn.upsert({"id": "x"}),
        lambda: drawn.upsert("x"),
    ):  # type: ignore[arg-type]
        with pytest.raises(InputError) as caught:
            call()
        assert "[" in caught.value.hint


def test_a_second_handle_follows_the_first(drawn_source: Path, tmp_path: Path) -> None:
    place = tmp_path / "shop.db"
    with lookalike.open(place) as writer, lookalike.open(place) as reader:
        writer.index(drawn_source)
        expected = [hit.product.id for hit in writer.search(text="lamp").hits]
        assert [hit.product.id for hit in reader.search(text="lamp").hits] == expected
        writer.delete(expected[:1])
        assert expected[0] not in [hit.product.id for hit in reader.search(text="lamp", k=50).hits]


def test_searches_go_on_while_another_thread_writes(drawn_source: Path, tmp_path: Path) -> None:
    with lookalike.open(tmp_path / "shop.db") as shop:
        shop.index(drawn_source)
        products = list(shop.get(shop.select("id exists")).values())
        stop, failures = threading.Event(), []

        def search() -> None:
            while not stop.is_set():
                try:
                    result = shop.search(like=products[0].id, where="price > 0", k=20)
                    assert len({hit.product.id for hit in result.hits}) == len(result.hits)
                except Exception as error:
                    failures.append(error)
                    return

        threads = [threading.Thread(target=search) for _ in range(2)]
        for thread in threads:
            thread.start()
        for turn in range(10):
            shop.delete([products[-1 - turn].id])
            shop.upsert([replace(p, price=float(turn + 1)) for p in products[: len(products) // 2]])
            shop.upsert([products[-1 - turn]])
        stop.set()
        for thread in threads:
            thread.join()
        assert not failures


def test_changes_of_one_product_at_the_same_time_take_turns(tmp_path: Path) -> None:
    with lookalike.open(tmp_path / "shop.db") as shop:
        shop.upsert([Product("P", title="one", description="first", price=1.0)])

        def meanwhile(work: Callable[[], object]) -> Callable[[Product], Product]:
            def edit(product: Product) -> Product:
                threads.append(threading.Thread(target=work))
                threads[-1].start()
                threads[-1].join(0.3)  # time enough to write, if it did not wait
                return replace(product, price=2.0)

            return edit

        threads: list[threading.Thread] = []
        for work, after in (
            (lambda: shop.upsert([Product("P", title="two", price=3.0)]), ["two", 3.0]),
            (lambda: shop.delete(["P"]), []),
        ):
            changed = shop.change("P", meanwhile(work))
            assert changed is not None and changed.price == 2.0
            threads[-1].join()
            assert [x for p in shop.get(["P"]).values() for x in (p.title, p.price)] == after
        # Of two that are written at once, neither drops an embedding that the other counts on.
        for _ in range(10):
            shop.upsert([Product("P", title="one", description="first")])
            both = [
                Product("P", title="two", description="first"),
                Product("P", title="one", description="second"),
            ]
            threads = [threading.Thread(target=shop.upsert, args=([product],)) for product in both]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            held = shop.get(["P"])["P"]
            title, description = (
                {b.name: b.value for b in shop.search(text=text, weights={space: 1.0}).hits[0].because}[space]
                for space, text in (("title", held.title), ("description", held.description))
            )
            assert title == pytest.approx(1.0, abs=0.01) and description == pytest.approx(1.0, abs=0.01)


def test_another_encoder_is_refused_with_the_command_that_mends_it(
    drawn_place: Path, drawn_source: Path, tmp_path: Path
) -> None:
    with pytest.raises(EncoderMismatch, match="builtin") as caught:
        lookalike.open(drawn_place, encoder=OnnxEncoder.from_preset(small_model(tmp_path)))
    assert "lookalike index" in caught.value.hint
    assert "--encoder small --reembed" in caught.value.hint


def test_a_shop_of_an_older_builtin_encoder_is_refused_until_it_is_embedded_anew(
    drawn_source: Path, tmp_path: Path
) -> None:
    place, small = tmp_path / "shop.db", small_model(tmp_path)
    older = OnnxEncoder(replace(read_preset(small), name="builtin", version=1), tmp_path)
    with lookalike.open(place, encoder=older) as shop:
        shop.index(drawn_source)
    with pytest.raises(
        EncoderMismatch, match=rf"{older.fingerprint}\), not with builtin \(builtin-"
    ) as caught:
        lookalike.open(place)
    assert f"lookalike index SOURCE --shop {place} --encoder builtin --reembed" in caught.value.hint
    with lookalike.open(place, encoder="builtin", reembed=True) as shop:
        report = shop.index(drawn_source)
        assert (report.unchanged, report.encoded["image"]) == (0, report.images)
    with lookalike.open(place) as shop:
        assert shop.encoder.dim != older.dim
        assert shop.search(text="lamp").hits


def test_another_encoder_is_used_once_all_is_embedded_anew(drawn_source: Path, tmp_path: Path) -> None:
    place, other = tmp_path / "shop.db", OnnxEncoder.from_preset(small_model(tmp_path))
    with lookalike.open(place) as shop:
        shop.index(drawn_source)
    with lookalike.open(place, encoder=other, reembed=True) as shop:
        report = shop.index(drawn_source)
        assert report.encoded["image"] == report.images
        assert shop.search(text="lamp").hits
    with pytest.raises(InputError, match="small"):
        lookalike.open(place)


@pytest.mark.parametrize(
    ("source", "error"),
    [("nowhere.parquet", SourceError), ("postgresql://x/y", SourceError), (__file__, SourceError)],
)
def test_sources_that_cannot_be_read(tmp_path: Path, source: str, error: type[InputError]) -> None:
    with lookalike.open(tmp_path / "shop.db") as shop, pytest.raises(error) as caught:
        shop.index(source)
    assert caught.value.hint


def test_places_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is no database, only words" * 100)
    for place, create in ((tmp_path / "text.db", True), (tmp_path / "none.db", False), (tmp_path, True)):
        with pytest.raises(CatalogError) as caught:
            lookalike.open(place, create=create)
        assert caught.value.hint


def test_unknown_encoders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nope"):
        lookalike.load_encoder("nope")


def test_evaluating_measures_what_is_found(drawn: lookalike.Shop) -> None:
    products = list(drawn.get(drawn.select("id exists")).values())[:30]
    judgments = [{"id": p.id, "query": {"text": p.title}, "relevant": [p.id]} for p in products]
    evaluation = drawn.evaluate(judgments)
    assert evaluation.measures["R@10"].mean > 0.9
    assert len(evaluation.outcomes) == 30


def test_postgres_serves_the_same_answers(
    drawn_source: Path, drawn: lookalike.Shop, postgres_url: str
) -> None:
    with lookalike.open(postgres_url) as shop:
        shop.index(drawn_source)
        for question in (
            {"text": "striped dress"},
            {"like": "D00010"},
            {"text": "lamp", "where": "price < 90"},
        ):
            ours = [(h.product.id, round(h.score, 5)) for h in shop.search(**question).hits]  # type: ignore[arg-type]
            assert ours == [(h.product.id, round(h.score, 5)) for h in drawn.search(**question).hits]  # type: ignore[arg-type]
