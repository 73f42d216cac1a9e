"""The benchmark of the index: its data sets, filters and true answers are what they say, and a run counts right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.index import big, data, filters, live, report, truth
from benchmarks.index.__main__ import main
from benchmarks.index.dataset import CHUNK, Dataset, Filter, unit
from benchmarks.index.engines.protocol import Masks
from benchmarks.index.measure import Plan, _builds
from benchmarks.index.results import Results
from every_cell import EVERYTHING
from lookalike.adapters import index_cells

COUNT, DIM = 3000, 32
FAR, NEAR, RANDOM = Filter("far", 0.1), Filter("near", 0.1), Filter("random", 0.01)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def small(home: Path) -> Dataset:
    return data.dataset(COUNT, DIM, data=home, source="synthetic")


def brute_force(dataset: Dataset, kind: str, wanted: Filter) -> np.ndarray:
    """Return the similarities of the true 100 best in double precision, -inf where fewer match."""
    queries = np.load(dataset.folder / f"queries-{kind}.npy")
    products = queries.astype(np.float64) @ dataset.whole().astype(np.float64).T
    masks = filters.masks(dataset, wanted)
    for row, turn in zip(products, filters.assigned(dataset, wanted, queries), strict=True):
        if masks:
            row[~masks[turn]] = -np.inf
    return -np.sort(-products, axis=1)[:, :100]


@pytest.mark.parametrize("kind", ["in", "cross"])
@pytest.mark.parametrize("wanted", [Filter("none"), FAR, RANDOM], ids=str)
def test_truth_is_that_of_a_brute_force(small: Dataset, kind: str, wanted: Filter) -> None:
    found = truth.similarities(small, kind, [wanted])[wanted.name]
    expected = brute_force(small, kind, wanted)
    assert (np.isfinite(found) == np.isfinite(expected)).all()
    assert np.isfinite(found).sum(axis=1).min() == min(100, round(wanted.share * COUNT))
    np.testing.assert_allclose(found[np.isfinite(found)], expected[np.isfinite(expected)], atol=3e-7)


def test_truth_over_several_chunks(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = data.dataset(2 * CHUNK + 100, 8, data=home, source="synthetic")
    found = truth.similarities(made, "in", [FAR])[FAR.name]
    monkeypatch.setattr(truth, "MANY", -1)  # always by partition
    (made.folder / "truth" / "in-far-0.1.npy").unlink()
    np.testing.assert_array_equal(truth.similarities(made, "in", [FAR])[FAR.name], found)
    np.testing.assert_allclose(found[:50], brute_force(made, "in", FAR)[:50], atol=3e-7)


@pytest.mark.parametrize("text", ["random:0.5", "random:0.001", "far:0.1", "near:0.01", "far:0.5:fresh"])
def test_filters_keep_exactly_their_share(small: Dataset, text: str) -> None:
    wanted = Filter.read(text)
    assert str(wanted) == text
    masks = filters.masks(small, wanted)
    assert len(masks) == len(filters.mask_names(wanted)) == filters.MASKS
    assert {int(mask.sum()) for mask in masks} == {round(wanted.share * COUNT)}
    assert any((mask != masks[0]).any() for mask in masks[1:])


def test_far_filters_lie_elsewhere_and_near_ones_here(small: Dataset) -> None:
    queries, rows, masks = small.queries("in", "timed"), small.whole(), filters.masks(small, FAR)
    alike = {}
    for wanted in (FAR, NEAR):
        turns = filters.assigned(small, wanted, queries)
        alike[wanted.kind] = np.mean(
            [(rows[masks[t]] @ q).max() for q, t in zip(queries, turns, strict=True)]
        )
    chance = np.mean([(rows[filters.masks(small, RANDOM)[0]] @ q).max() for q in queries])
    assert alike["far"] < alike["near"]
    assert alike["far"] < chance  # though ten times as many rows match


@pytest.mark.parametrize(
    "text", ["", "none:0.1", "random", "random:0", "random:2", "far:0.1:old", "other:0.1"]
)
def test_what_is_no_filter(text: str) -> None:
    with pytest.raises(ValueError, match=r"no filter|the share"):
        Filter.read(text)


def test_rows_are_unit_and_some_are_copies(small: Dataset) -> None:
    rows = small.whole()
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    copies = len(rows) - len(np.unique(rows, axis=0))
    assert 0.015 * COUNT < copies < 0.025 * COUNT
    np.testing.assert_array_equal(small.take(np.array([5, 7])), rows[[5, 7]])


def test_a_smaller_set_begins_a_larger_one(home: Path) -> None:
    smaller, larger = (
        data.dataset(n, 8, data=home, source="synthetic") for n in (CHUNK + 10, 2 * CHUNK + 100)
    )
    np.testing.assert_array_equal(smaller.whole()[:CHUNK], larger.whole()[:CHUNK])
    assert (smaller.whole()[CHUNK:] != larger.whole()[CHUNK : CHUNK + 10]).any()


def features(count: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((20, width))
    return (centres[rng.integers(20, size=count)] + 0.3 * rng.standard_normal((count, width))).astype(
        np.float32
    )


def test_densified_rows_fill_the_space_between_real_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "HALF_ABOVE", 0)
    origin = data.densified(features(2400, 48), None, 24, seed=1)
    data._write(tmp_path, 5000, origin, seed=1)
    made = Dataset.open(tmp_path)
    assert made.mapped().dtype == np.float16
    rows, queries = made.whole(), made.queries("in", "timed")
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    real, between = rows[:1000], rows[1000:]  # 1,400 of the 2,400 are queries
    nearest = {
        name: np.median((queries @ part.T).max(axis=1)) for name, part in (("real", real), ("all", rows))
    }
    assert nearest["all"] > nearest["real"]
    assert (queries @ rows.T).max() < 0.9999, "queries are held out"
    # What was made lies no farther from the real rows than they from each other, and is not the same.
    apart = np.sort(real @ real.T, axis=1)[:, -2]
    assert np.median((between @ real.T).max(axis=1)) > np.quantile(apart, 0.05)
    np.testing.assert_allclose(
        truth.similarities(made, "in", [FAR])[FAR.name], brute_force(made, "in", FAR), atol=3e-7
    )


def test_real_phrases_are_the_cross_modal_queries() -> None:
    rng = np.random.default_rng(1)
    phrases = unit(rng.standard_normal((50, 16)))
    origin = data.densified(unit(features(2000, 16)), phrases, 16, seed=0)
    assert origin.queries["cross"].shape == (data.TUNING + data.TIMED, 16)
    np.testing.assert_allclose((origin.queries["cross"] @ phrases.T).max(axis=1), 1, atol=1e-5)
    with pytest.raises(ValueError, match="16 numbers, fewer than 32"):
        data.densified(phrases, None, 32, seed=0)


def test_judging(small: Dataset) -> None:
    queries = small.queries("in", "timed")[:4]
    products = queries @ small.whole().T
    order = np.argsort(-products, axis=1, kind="stable")
    true = -np.sort(-products, axis=1)[:, :100]
    found = order[:, :10].copy()
    found[1, 9] = found[1, 0]  # the same row again
    found[2, 4] = order[2, 2000]  # a wrong one
    found[3, 8:] = -1  # two too few
    allowed = [np.ones(COUNT, bool) for _ in queries]
    allowed[0][found[0, 0]] = False
    verdict = truth.judged(small, queries, found, true, allowed)
    assert verdict == truth.Verdict(pytest.approx((0.9 + 0.9 + 0.9 + 0.8) / 4), violations=1, short=2)


def test_a_copy_is_as_right_as_its_original(small: Dataset) -> None:
    rows = small.whole()
    _, firsts, counts = np.unique(rows, axis=0, return_index=True, return_counts=True)
    original = firsts[counts > 1][0]
    same = np.flatnonzero((rows == rows[original]).all(axis=1))
    query = rows[[original]]
    true = -np.sort(-(query @ rows.T), axis=1)[:, :100]
    for one in same:
        assert truth.judged(small, query, np.array([[one]]), true, [None]).recall == 1.0


def test_fewer_matches_than_wanted(small: Dataset) -> None:
    query = small.queries("in", "timed")[:2]
    mask = np.zeros(COUNT, bool)
    mask[[3, 4]] = True
    true = np.full((2, 100), -np.inf, np.float32)
    true[:, :2] = -np.sort(-(query @ small.whole()[3:5].T), axis=1)
    found = np.full((2, 10), -1)
    found[0, :2], found[1, 0] = [4, 3], 4
    right = truth.judged(small, query, found, true, [mask, mask])
    assert right.short == 1
    assert right.violations == 0
    assert right.recall in (pytest.approx(0.75), pytest.approx(0.5))


def test_tags_say_which_filters_a_row_matches(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    flags = {"a": rng.random(1001) < 0.5, "b": rng.random(1001) < 0.1}
    for name, mask in flags.items():
        np.save(tmp_path / f"{name}.npy", np.packbits(mask, bitorder="little"))
    masks = Masks(tmp_path, list(flags), 1001)
    np.testing.assert_array_equal(masks["b"], flags["b"])
    for start, stop in ((0, 1001), (13, 500), (992, 1001)):
        expected = [[name for name in flags if flags[name][row]] for row in range(start, stop)]
        assert masks.tags(start, stop) == expected


def test_a_run_of_the_exact_index(small: Dataset, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = home / "results.jsonl"
    of_the_set = ["--n", str(COUNT), "--dim", str(DIM), "--source", "synthetic"]
    asked = ["--data", str(home), "run", *of_the_set, "--engines", "lookalike:exact", "--out", str(out)]
    asked += ["--filters", "none,random:0.01,far:0.1:fresh", "--queries", "in", "--seconds", "1"]
    assert main(asked) == 0
    lines = Results(out).lines
    cells = [line for line in lines if line["what"] == "cell"]
    assert [(c["filter"], c["target"]) for c in cells] == [
        (name, target) for name in ("none", "random:0.01", "far:0.1:fresh") for target in (0.95, 0.99)
    ]
    for cell in cells:
        assert (cell["recall"], cell["violations"], cell["short"]) == (1.0, 0, 0)
        assert cell["reached"]
        assert cell["qps"] > 0 < cell["qps_2_threads"]
        assert cell["p50_ms"] <= cell["p99_ms"]
    [build] = [line for line in lines if line["what"] == "build"]
    assert build["count"] == COUNT
    assert build["peak_mb"] >= build["held_mb"] > 0

    assert main(asked) == 0
    assert len(Results(out).lines) == len(lines), "what is there is not measured again"
    capsys.readouterr()
    assert main(["report", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "| far:0.1:fresh | " in shown
    assert "| lookalike:exact |" in shown
    assert not list((home / "built").iterdir()), "nothing is left behind"


def test_an_engine_that_is_not_installed(
    small: Dataset, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--data", str(home), "run", "--n", str(COUNT), "--dim", str(DIM), "--source", "synthetic"]
    assert main([*asked, "--engines", "usearch", "--filters", "none", "--out", str(home / "none.jsonl")]) == 0
    assert "python -m benchmarks.index install usearch" in " ".join(capsys.readouterr().out.split())
    assert main([*asked, "--engines", "nothing", "--out", str(home / "none.jsonl")]) == 2
    assert "no engine 'nothing'" in capsys.readouterr().err


def test_a_live_run_counts_what_it_says(
    small: Dataset, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = home / "live.jsonl"
    asked = ["--data", str(home), "live", "--n", str(COUNT), "--dim", str(DIM), "--source", "synthetic"]
    asked += [
        "--minutes",
        "0.05",
        "--idle-seconds",
        "1",
        "--upserts",
        "100",
        "--deletes",
        "40",
        "--out",
        str(out),
    ]
    assert main(asked) == 0
    [line] = Results(out).lines
    assert line["held"] == line["found_held"] == COUNT + 30 * 5 - 30 * 4
    assert set(line["recall"].values()) == {1.0}  # of so few, by comparing all
    assert (line["gone_found"], line["lost"]) == (0, 0)
    assert line["idle"]["searches"] > 0 < line["live"]["searches"]
    assert 0.1 <= line["searchable_p50_s"] <= line["searchable_p99_s"]
    assert main(asked) == 0
    assert len(Results(out).lines) == 1, "what is there is not measured again"
    capsys.readouterr()
    assert main(["report", str(out)]) == 0
    assert "accepted to searchable p99" in capsys.readouterr().out


def test_what_there_should_be_after_changes(small: Dataset) -> None:
    load = live.Load(minutes=0.02, upserts_per_s=200, deletes_per_s=100)
    shop, there = live.Shop(COUNT, load), dict(enumerate(small.whole()))
    for batch in live.batches(shop):
        rows = live.made(small, batch.number, 20)
        assert not set(batch.keys.tolist()) & set(batch.gone.tolist())
        there |= dict(zip(batch.keys.tolist(), rows, strict=True))
        for key in batch.gone.tolist():
            del there[key]  # it must have been there
    held = {
        key: row
        for keys, rows in live.held(small, shop)
        for key, row in zip(keys.tolist(), rows, strict=True)
    }
    assert held.keys() == there.keys() == set(np.flatnonzero(shop.there).tolist())
    assert all((held[key] == there[key]).all() for key in there)
    queries = small.queries("in", "timed")[:20]
    every = np.stack(list(there.values()))
    np.testing.assert_allclose(
        live.truth(small, shop, queries, None), -np.sort(-queries @ every.T, axis=1)[:, :10], atol=3e-7
    )


def test_a_build_within_a_budget_of_memory(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_cells, "tune", lambda *_: EVERYTHING)  # which takes its time otherwise
    monkeypatch.setattr(big, "_apart", lambda work, wanted: work(wanted))
    out = tmp_path / "big.jsonl"
    asked = [
        "--data",
        str(home),
        "big",
        "--n",
        "5200",
        "--dim",
        "16",
        "--source",
        "synthetic",
        "--out",
        str(out),
    ]
    asked += ["--memory-gib", "0.0004", "--seconds", "1", "--k", "10"]
    assert main(asked) == 0
    lines = Results(out).lines
    assert [line["what"] for line in lines] == ["build"] + ["cell"] * 3
    for cell in lines[1:]:
        assert cell["recall"] >= 0.99 and (cell["violations"], cell["short"]) == (0, 0)
    assert lines[0]["disk_mb"] < 5200 * 16 * 4 / 2**20 + 1 and lines[0]["peak_mb"] >= lines[0]["peak_own_mb"]
    assert main(asked) == 0
    assert len(Results(out).lines) == 4, "what is there is not measured again"
    pytest.importorskip("matplotlib")
    report.growth(out, tmp_path / "growth.svg")
    assert (tmp_path / "growth.svg").stat().st_size > 10_000


def test_a_promised_recall_is_measured_where_it_is_asked_for(small: Dataset) -> None:
    builds = [{"recall": 0.95}, {"recall": 0.99}]
    plan = Plan(small, ["lookalike:auto"], [FAR], targets=[0.99], first_build_only=True)
    assert _builds(plan, builds) == [{"recall": 0.99}]
    assert _builds(replace(plan, targets=[0.95, 0.99]), builds) == builds
    other = [{"m": 16}, {"m": 32}]
    assert _builds(plan, other) == other[:1]
    assert _builds(replace(plan, first_build_only=False), other) == other
