"""That phrases become the tokens a model was trained on, in batches that need no padding, whatever is in them."""

from __future__ import annotations

import gzip
import json
import logging
import re
import string
import unicodedata
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from lookalike.adapters.encoder_onnx_preset import TextGraph
from lookalike.adapters.encoder_onnx_tokens import (
    TOKENS_AT_ONCE,
    Batch,
    TokenizerFile,
    by_length,
    cleaned,
)
from lookalike.core.errors import InputError
from small_models import TITLES, byte_pairs, pieces, word_pieces

CONTEXT = 20
HARD = (
    "", " ", "\t\n", "x", "!?-'", "👗👟👩‍👩‍👧", "Café crème à la carte", "cafe\u0301", "赤いチェックのシャツ", "빨간 셔츠",
    "قميص أحمر", "चमकीला कुर्ता", "Ελληνικά", "İstanbul", "ﬁne ½ ²", "it's we'll they've I'd", "3.5mm x 1,000",
    "a\u00a0b\u3000c", "zero\u200bwidth", "\0", "ß", "100% cotton/linen", "__init__", "don't DON'T", "²³", "Ⅷ", "e\u0301\u0323",
    "\ud83d half", "red check shirt " * 40, "shirt" * 300,
)  # fmt: skip


def opened(tokenizer: Tokenizer, folder: Path, **given: Any) -> TokenizerFile:
    """Save a tokenizer and open it as the TOML of a model would."""
    file = folder / "tokenizer.json"
    tokenizer.save(str(file))
    graph = {"file": "text.onnx", "input": "input_ids", "output": "vectors", "context": CONTEXT}
    digest = sha256(file.read_bytes()).hexdigest()
    return TokenizerFile(TextGraph(**(graph | {"tokenizer_sha256": digest} | given)), folder, "Get it again.")


def rows_of(tokens: TokenizerFile, texts: Sequence[str]) -> list[list[int]]:
    """Return the ids of each text as the batches have them, without padding."""
    rows: dict[int, list[int]] = {}
    for batch in tokens.batches(texts):
        for row, ids, used in zip(batch.rows, batch.ids, batch.used, strict=True):
            assert row not in rows
            rows[int(row)] = ids[used].tolist()
    return [rows[row] for row in range(len(texts))]


# --- what CLIP's tokenizer does, written down anew ----------------------------------------------------------------------


class BytePairs:
    """Byte pair encoding as CLIP has it (Sennrich et al., 2016; bytes as letters as in GPT-2), the slow and plain way."""

    words = r"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"

    def __init__(self, merges: Sequence[tuple[str, str]]) -> None:
        self.letters = letters()
        alphabet = [self.letters[byte] for byte in sorted(self.letters, key=plain_first)]
        joined = [left + right for left, right in merges]
        marks = ["<|startoftext|>", "<|endoftext|>"]
        self.ids = {
            token: i
            for i, token in enumerate([*alphabet, *(letter + "</w>" for letter in alphabet), *joined, *marks])
        }
        self.ranks = {pair: rank for rank, pair in enumerate(merges)}
        self.merges = list(merges)

    def encode(self, text: str, context: int) -> list[int]:
        import regex

        clean = " ".join(unicodedata.normalize("NFC", text.encode(errors="replace").decode()).split()).lower()
        # What is a blank to Python and to a regular expression differs for four signs between two texts; none is here.
        ids = [i for word in regex.findall(self.words, clean) for i in self.word(word)]
        return [self.ids["<|startoftext|>"], *ids[: context - 2], self.ids["<|endoftext|>"]]

    @cache  # noqa: B019 - lives as long as the tests
    def word(self, word: str) -> tuple[int, ...]:
        parts = [self.letters[byte] for byte in word.encode()]
        parts[-1] += "</w>"
        while len(parts) > 1:
            ranked = [self.ranks.get(pair, 1 << 30) for pair in pairwise(parts)]
            best = min(ranked)
            if best == 1 << 30:
                break
            pair, merged, at = self.merges[best], [], 0
            while at < len(parts):
                here = tuple(parts[at : at + 2]) == pair
                merged.append("".join(pair) if here else parts[at])
                at += 2 if here else 1
            parts = merged
        return tuple(self.ids[part] for part in parts)

    def as_file(self) -> Tokenizer:
        """Make what CLIP's tokenizer.json is."""
        made = Tokenizer(
            models.BPE(self.ids, self.merges, end_of_word_suffix="</w>", unk_token="<|endoftext|>")
        )
        made.normalizer = normalizers.Sequence(
            [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
        )
        made.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(self.words), "removed", invert=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        begin, end = "<|startoftext|>", "<|endoftext|>"
        made.post_processor = processors.RobertaProcessing(
            (end, self.ids[end]), (begin, self.ids[begin]), trim_offsets=False, add_prefix_space=False
        )
        return made


def letters() -> dict[int, str]:
    """Return the letter that stands for each byte: itself where it can be seen, else one from 256 on."""
    seen = [*range(33, 127), *range(161, 173), *range(174, 256)]
    unseen = [byte for byte in range(256) if byte not in seen]
    return {byte: chr(byte) for byte in seen} | {byte: chr(256 + i) for i, byte in enumerate(unseen)}


def plain_first(byte: int) -> tuple[bool, int]:
    return letters()[byte] != chr(byte), byte


def trained() -> BytePairs:
    merges = json.loads(byte_pairs().to_str())["model"]["merges"]
    return BytePairs([tuple(pair) for pair in merges])


def clips_own() -> BytePairs:
    spec = find_spec("open_clip")
    if spec is None or spec.origin is None:
        pytest.skip("CLIP's vocabulary comes with: pip install --no-deps open_clip_torch")
    lines = gzip.decompress(Path(spec.origin).with_name("bpe_simple_vocab_16e6.txt.gz").read_bytes())
    merges = lines.decode().split("\n")[1 : 49152 - 256 - 2 + 1]
    return BytePairs([tuple(line.split()) for line in merges])  # type: ignore[misc]


@pytest.fixture(scope="module", params=[trained, clips_own], ids=lambda made: made.__name__)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[BytePairs, TokenizerFile]:
    reference = request.param()
    return reference, opened(reference.as_file(), tmp_path_factory.mktemp("clip"))


def test_byte_pairs_are_those_of_clip(pair: tuple[BytePairs, TokenizerFile]) -> None:
    reference, tokens = pair
    brands = ("", "Ünïque", "O'Neill", "H&M", "北京", "№5")
    texts = [*HARD, *TITLES, *(f"{brand} {title} {i}" for i, title in enumerate(TITLES) for brand in brands)]
    assert rows_of(tokens, texts) == [reference.encode(text, CONTEXT) for text in texts]


ALPHABETS = st.text(
    st.one_of(
        st.characters(codec="ascii", exclude_categories=["Cc"]),
        st.sampled_from("éßñçøüÀЖщъאבΩλअकखไทย한국어日本語漢字👗👟🏽🇫🇷½²Ⅷ’–…™€"),
    ),
    max_size=60,
)


@given(text=ALPHABETS)
def test_whatever_is_written(pair: tuple[BytePairs, TokenizerFile], text: str) -> None:
    reference, tokens = pair
    if "<|" not in text:
        assert rows_of(tokens, [text]) == [reference.encode(text, CONTEXT)]


# --- any tokenizer ------------------------------------------------------------------------------------------------------

MADE = {"byte pairs": byte_pairs, "word pieces": word_pieces, "pieces": pieces}
PADS = {"byte pairs": "<|endoftext|>", "word pieces": "[PAD]", "pieces": "</s>"}


@pytest.mark.parametrize("name", MADE)
@given(texts=st.lists(st.text(max_size=30), max_size=5))
def test_any_text_becomes_one_to_context_tokens(name: str, texts: list[str], tmp_path_factory: Any) -> None:
    tokens = _kept(name, tmp_path_factory)
    assert all(1 <= len(ids) <= CONTEXT for ids in rows_of(tokens, texts))


_KEPT: dict[str, TokenizerFile] = {}


def _kept(name: str, folders: Any) -> TokenizerFile:
    if name not in _KEPT:
        _KEPT[name] = opened(MADE[name](), folders.mktemp("tokens"))
    return _KEPT[name]


@pytest.mark.parametrize("name", MADE)
def test_a_file_that_pads_and_cuts_of_its_own_accord_does_neither(name: str, tmp_path: Path) -> None:
    made = MADE[name]()
    made.enable_padding(pad_id=made.token_to_id(PADS[name]), pad_token=PADS[name], length=64)
    made.enable_truncation(3)
    ids = opened(made, tmp_path).tokens(["red shirt 42"])[0]
    made.no_padding()
    made.no_truncation()
    assert ids == made.encode("red shirt 42").ids
    assert 3 < len(ids) <= CONTEXT


def test_texts_of_one_length_go_together_without_padding(tmp_path: Path) -> None:
    batches = list(opened(word_pieces(), tmp_path).batches(TITLES))
    assert all(batch.used.all() for batch in batches)
    assert len({batch.ids.shape[1] for batch in batches}) > 3
    assert max(batch.ids.size for batch in batches) <= TOKENS_AT_ONCE
    assert sorted(np.concatenate([batch.rows for batch in batches])) == list(range(len(TITLES)))
    larger = list(opened(word_pieces(), tmp_path).batches(TITLES, times=100))
    assert len(larger) < len(batches)


@given(lengths=st.lists(st.integers(1, 2000), max_size=50), times=st.integers(1, 5))
def test_every_row_is_in_one_batch(lengths: list[int], times: int) -> None:
    parts = list(by_length(np.array(lengths, np.intp), times))
    assert sorted(row for rows, _ in parts for row in rows) == list(range(len(lengths)))
    for rows, length in parts:
        assert {lengths[row] for row in rows} == {length}
        assert len(rows) == 1 or len(rows) * length <= TOKENS_AT_ONCE * times


def test_padding_to_the_context_uses_the_token_that_is_named_or_the_files_own(tmp_path: Path) -> None:
    [named] = opened(pieces(), tmp_path, pad_to="context", pad="</s>").batches(["red"])
    assert named.ids.shape == (1, CONTEXT)
    count = int(named.used.sum())
    assert 2 <= count < CONTEXT
    assert named.used[0].tolist() == [True] * count + [False] * (CONTEXT - count)
    assert set(named.ids[0, count:].tolist()) == {1}
    own = pieces()
    own.enable_padding(pad_id=2, pad_token="<unk>")
    [batch] = opened(own, tmp_path, pad_to="context").batches(["red"])
    assert set(batch.ids[0, count:].tolist()) == {2}
    assert (batch.ids[0, :count] == named.ids[0, :count]).all()


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"pad_to": "context"}, "it names no padding token"),
        ({"pad": "<nothing>"}, "has no token '<nothing>'"),
    ],
)
def test_padding_with_nothing_is_refused(given_: dict[str, str], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said) as caught:
        opened(pieces(), tmp_path, **given_).tokens(["red"])
    assert caught.value.code == "model"


def test_mask_and_types_are_fed_where_the_graph_takes_them(tmp_path: Path) -> None:
    tokens = opened(word_pieces(), tmp_path, pad_to="context", mask="seen", types="kinds")
    batch = Batch(np.array([0]), np.array([[1, 7, 2, 0]]), np.array([[True, True, True, False]]))
    fed = tokens.inputs(batch)
    assert {name: values.tolist() for name, values in fed.items()} == {
        "seen": [[1, 1, 1, 0]],
        "kinds": [[0] * 4],
    }
    assert {values.dtype for values in fed.values()} == {np.dtype(np.int64)}
    assert opened(word_pieces(), tmp_path, mask="").inputs(batch) == {}


def test_a_prefix_stands_before_every_text(tmp_path: Path) -> None:
    made = word_pieces()
    plain, with_prefix = opened(made, tmp_path), opened(made, tmp_path, prefix="lamp: ")
    assert with_prefix.tokens(["red", ""]) == plain.tokens(["lamp: red", "lamp: "])


def test_a_text_that_is_too_long_keeps_its_marks_and_is_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = opened(byte_pairs(), tmp_path)
    with caplog.at_level(logging.WARNING):
        tokens.tokens(["red shirt"])
        assert not caplog.messages
        long = [tokens.tokens([f"shirt {i} " * 40])[0] for i in range(3)]
    assert len(caplog.messages) == 1
    assert f"more than {CONTEXT} tokens" in caplog.text
    assert {(len(ids), ids[0], ids[-1]) for ids in long} == {(CONTEXT, 0, 1)}


def test_a_tokenizer_without_marks_gives_an_empty_text_its_padding(tmp_path: Path) -> None:
    bare = pieces()
    bare.post_processor = processors.TemplateProcessing(single="$A")
    assert rows_of(opened(bare, tmp_path, pad="</s>"), ["", "red"])[0] == [1]


def test_a_tokenizer_that_is_missing_damaged_or_none_at_all_is_refused(tmp_path: Path) -> None:
    tokens = opened(word_pieces(), tmp_path)
    file = tmp_path / "tokenizer.json"
    whole = file.read_bytes()
    file.write_bytes(whole[:100])
    with pytest.raises(InputError, match=r"tokenizer\.json \(100 bytes\) is damaged") as caught:
        tokens.tokens(["red"])
    assert caught.value.hint == "Get it again."
    file.unlink()
    with pytest.raises(InputError, match=r"tokenizer\.json: No such file"):
        tokens.tokens(["red"])
    file.write_bytes(whole)
    assert tokens.tokens(["red"])
    file.write_bytes(b"[]")
    none = TextGraph(file="t", input="i", output="o", tokenizer_sha256=sha256(b"[]").hexdigest())
    with pytest.raises(InputError, match="it is no tokenizer"):
        TokenizerFile(none, tmp_path, "Get it again.").tokens(["red"])


# --- what SigLIP's tokenizers do with letters and punctuation -------------------------------------------------------------

SHOUTED = (*HARD, "Red-Check  T-SHIRT, 50% (Cotton)", "ΛΟΓΟΣ ΟΔΟΣ", "ΛΌΓΟΣ-X", "İSTANBUL ẞ Ǆ", " a . b ")


def said(**given: object) -> TextGraph:
    return TextGraph(file="text.onnx", input="input_ids", output="vectors", tokenizer="file", **given)  # type: ignore[arg-type]


def canonical(text: str) -> str:
    """As transformers' SiglipTokenizer.canonicalize_text (after big_vision's prompt_engineering), written down anew."""
    bare = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return re.sub(r"\s+", " ", bare).strip()


@pytest.mark.parametrize("text", [text for text in SHOUTED if "Σ" not in text])
def test_texts_for_siglip_are_those_of_its_tokenizer(text: str) -> None:
    assert cleaned(text, said(lowercase=True, punctuation=False)) == canonical(text)


@pytest.mark.parametrize("text", [text for text in SHOUTED if "\ud83d" not in text])
def test_texts_for_siglip_2_are_those_of_its_tokenizer(text: str) -> None:
    siglip2 = pytest.importorskip(
        "transformers.models.siglip2.tokenization_siglip2", reason="pip install 'lookalike[torch]'"
    )
    reference = siglip2.Siglip2Tokenizer().backend_tokenizer.normalizer.normalize_str
    assert cleaned(text, said(lowercase=True)).replace(" ", "\u2581") == reference(text)


def test_capitals_and_signs_make_no_other_tokens_where_the_model_knows_none(tmp_path: Path) -> None:
    made = pieces()
    made.normalizer = normalizers.NFKC()  # a file that leaves it to whoever calls it
    texts = ["Red, Shirt!", "RED SHIRT", "red shirt"]
    whole = rows_of(opened(made, tmp_path, lowercase=True, punctuation=False), texts)
    assert whole[0] == whole[1] == whole[2]
    as_they_are = rows_of(opened(made, tmp_path), texts)
    assert as_they_are[2] == whole[2] and as_they_are[0] != whole[2] != as_they_are[1]
    small = rows_of(opened(made, tmp_path, lowercase=True), texts)
    assert small[1] == small[2] != small[0]
    prefixed = rows_of(opened(made, tmp_path, lowercase=True, prefix="Query: "), texts)
    assert prefixed[1] == prefixed[2] != small[2]
