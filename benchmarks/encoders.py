"""What an encoder of CLIP's size costs on the processor, beside bare ONNX Runtime; and on a GPU, beside what the GPU can do.

    python benchmarks/encoders.py [--rounds 40] [--threads 1 2] [--small]
    python benchmarks/encoders.py --data fashion.parquet [--head 3000] [--small]
    python benchmarks/encoders.py --gpu [--small]

The model has the shape of CLIP ViT-B/32 and random weights, exported by `lookalike models export` in float32 and int8. In each
round the adapter and a bare session of ONNX Runtime take the same input in turn, so that what else the machine does meets both.
The adapter gets decoded pixels and resizes them, the bare session gets the ready tensor; decoding and resizing are listed by
themselves. Neither lets its threads spin while they wait, which the adapter never does, as they would take the cores from the
server and from each other; what a bare session takes by default, spinning and alone on the machine, is listed as `spinning`.
`--data` indexes products end to end with the float32 model, and says for which share of the time the encoder was at work. A GPU
is measured with ready tensors in bfloat16, against the roofline of a timed matrix product and a timed copy. `--small` makes a
model of two narrow layers: to see that it runs; nothing of it is kept. Needs the extra `torch`.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np
from PIL import Image

from record import percentiles, record

LENGTHS = (6, 12, 77)
CONTEXT = 77
PHOTO_PX = (1600, 1200)
TITLES = 160
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
MATRIX = 8192
COPIED_BYTES = 4 << 30
REST_S = 0.2


@dataclass(frozen=True)
class Shape:
    """A vision transformer, with the text tower that CLIP puts beside it."""

    name: str
    width: int
    layers: int
    heads: int
    patch_px: int
    size_px: int
    dim: int
    text_width: int
    text_layers: int
    vocabulary: int = 49_408

    @property
    def tokens(self) -> int:
        """Patches, and one for the whole."""
        return (self.size_px // self.patch_px) ** 2 + 1

    @property
    def image_flops(self) -> float:
        """Multiplications and additions for one picture: patches, layers of 12 width² weights, attention, projection."""
        patches = 2 * (self.tokens - 1) * 3 * self.patch_px**2 * self.width
        layer = 2 * self.tokens * 12 * self.width**2 + 4 * self.tokens**2 * self.width
        return patches + self.layers * layer + 2 * self.width * self.dim

    @property
    def image_weights(self) -> int:
        """Numbers in the image tower, but for the small ones."""
        return 3 * self.patch_px**2 * self.width + self.layers * 12 * self.width**2 + self.width * self.dim


B32 = Shape("vit-b-32", 768, 12, 12, 32, 224, 512, 512, 12)
L14 = Shape("vit-l-14", 1024, 24, 16, 14, 224, 768, 768, 12)
SMALL = Shape("small", 64, 2, 2, 16, 64, 32, 64, 2, 2_000)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--small", action="store_true", help="a tiny model: to see that it runs")
    parser.add_argument("--data", help="products with photos: measure indexing them instead")
    parser.add_argument("--head", type=int, default=3000, help="so many of them")
    parser.add_argument("--gpu", action="store_true", help="measure a CUDA device instead")
    arguments = parser.parse_args()
    if arguments.gpu:
        sweep([SMALL] if arguments.small else [B32, L14], arguments.rounds)
    elif arguments.data:
        index(SMALL if arguments.small else B32, arguments.data, arguments.head)
    else:
        measure(SMALL if arguments.small else B32, arguments.threads, arguments.rounds)


# --- the processor ------------------------------------------------------------------------------------------------------


def measure(shape: Shape, threads: list[int], rounds: int) -> None:
    """Measure both number formats at each number of threads."""
    with tempfile.TemporaryDirectory() as folder:
        presets = exported(shape, Path(folder))
        for precision, path in presets.items():
            files = {file.name: file.stat().st_size for file in path.parent.glob(f"{path.stem}-*.onnx")}
            for count in threads:
                for figures in times(path, shape, count, rounds):
                    about = {"model": shape.name, "precision": precision, "threads": count, "files": files}
                    keep(shape, **about, onnxruntime=version("onnxruntime"), **figures)


def exported(shape: Shape, folder: Path, seed: int = 0) -> dict[str, Path]:
    """Make weights, export them, quantise them; return the presets by number format."""
    from lookalike.adapters.encoder_onnx_preset import pattern
    from lookalike.adapters.model_export import export_model
    from lookalike.adapters.model_export_int8 import quantise

    weights = folder / "weights"
    clip_model(shape, seed).save_pretrained(weights)
    tokenizer().save(str(weights / "tokenizer.json"))
    side = {"height": shape.size_px, "width": shape.size_px}
    said = {"size": {"shortest_edge": shape.size_px}, "crop_size": side, "resample": 3}
    (weights / "preprocessor_config.json").write_text(json.dumps(said))
    whole = export_model(str(weights), folder / "out", places=[], name=shape.name, say=print).preset
    pictures = [pattern(shape.size_px, shape.size_px, seed) for seed in range(32)]
    small, lost = quantise(whole, pictures, [phrase(3 + n % 20, n) for n in range(TITLES)], say=print)
    print(lost)
    return {"fp32": whole, "int8": small}


def clip_model(shape: Shape, seed: int = 0) -> Any:
    """Make a CLIP model of this shape with the weights it begins training with."""
    import torch
    import transformers

    torch.manual_seed(seed)
    vision = {
        "hidden_size": shape.width,
        "intermediate_size": 4 * shape.width,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "image_size": shape.size_px,
        "patch_size": shape.patch_px,
    }
    text = {
        "hidden_size": shape.text_width,
        "intermediate_size": 4 * shape.text_width,
        "num_hidden_layers": shape.text_layers,
        "num_attention_heads": shape.text_width // 32,
        "vocab_size": shape.vocabulary,
        "max_position_embeddings": CONTEXT,
        "bos_token_id": 0,
        "eos_token_id": 1,
    }
    config = transformers.CLIPConfig(vision_config=vision, text_config=text, projection_dim=shape.dim)
    return transformers.CLIPModel(config).eval()


def tokenizer() -> Any:
    """Make a tokenizer of a thousand words, one token each, with a mark before and behind: lengths are as wanted."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = {word: number for number, word in enumerate(["<s>", "</s>", *(f"w{n}" for n in range(1000))])}
    made = Tokenizer(models.WordLevel(words, unk_token="w0"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    return made


def phrase(tokens: int, seed: int) -> str:
    """Return a phrase of so many tokens, the marks at its ends included."""
    return " ".join(f"w{n}" for n in np.random.default_rng(seed).integers(0, 1000, tokens - 2))


def times(path: Path, shape: Shape, threads: int, rounds: int) -> Iterator[dict[str, Any]]:
    """Measure a picture and phrases, the adapter and the bare session in turn."""
    from lookalike.adapters.encoder_onnx import OnnxEncoder
    from lookalike.adapters.encoder_onnx_pixels import prepared
    from lookalike.adapters.encoder_onnx_preset import read_preset
    from lookalike.core.images import ImageLimits, decode

    preset = read_preset(path)
    encoder = OnnxEncoder.from_preset(path, threads)
    assert preset.image is not None and preset.text is not None
    image_file, text_file = path.parent / preset.image.file, path.parent / preset.text.file
    bare_image, bare_text = bare_session(image_file, threads), bare_session(text_file, threads)
    photo = photo_bytes()
    pixels = decode(photo, ImageLimits())
    tensor = prepared([pixels], preset.image)
    calls: dict[str, Callable[[], object]] = {
        "adapter": lambda: encoder.encode_images([pixels]),
        "bare": lambda: bare_image.run(None, {"pixel_values": tensor}),
        "decode": lambda: decode(photo, ImageLimits()),
        "resize": lambda: prepared([pixels], preset.image),  # type: ignore[arg-type]
    }
    photo_size = "x".join(map(str, PHOTO_PX))
    took = interleaved(calls, rounds) | spinning(image_file, threads, {"pixel_values": tensor}, rounds)
    yield {"what": f"image of {photo_size}", **with_overhead(took)}
    for length in LENGTHS:
        text = phrase(length, length)
        ids = np.array([encoder._tokenizer.tokens([text])[0]], np.int64)
        assert ids.shape[1] == length
        feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        calls = {
            "adapter": partial(encoder.encode_texts, [text]),
            "bare": partial(bare_text.run, None, feeds),
        }
        took = interleaved(calls, rounds) | spinning(text_file, threads, feeds, rounds)
        yield {"what": f"text of {length} tokens", **with_overhead(took)}


def spinning(file: Path, threads: int, feeds: dict[str, Any], rounds: int) -> dict[str, dict[str, float]]:
    """Measure a bare session that spins, by itself: beside others it would take their cores."""
    session = bare_session(file, threads, spin=True)
    took = interleaved({"spinning": partial(session.run, None, feeds)}, rounds)
    del session
    sleep(REST_S)
    return took


def bare_session(file: Path, threads: int, *, spin: bool = False) -> Any:
    """Open a graph as ONNX Runtime does by default, but for the number of threads, and whether they spin as they wait."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spin)))
    return ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def photo_bytes() -> bytes:
    """Make a JPEG of the size that phones send, with something in it."""
    noise = np.random.default_rng(0).integers(0, 256, (PHOTO_PX[1] // 40, PHOTO_PX[0] // 40, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).resize(PHOTO_PX, Image.Resampling.BICUBIC).save(out, "JPEG", quality=90)
    return out.getvalue()


def interleaved(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, dict[str, float]]:
    """Call each in turn, over and over; return percentiles of the milliseconds of each."""
    took_ms: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 3):
        for name, call in calls.items():
            started = perf_counter()
            call()
            if turn >= 3:
                took_ms[name].append((perf_counter() - started) * 1e3)
    return {name: percentiles(ms) for name, ms in took_ms.items()}


def with_overhead(took: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Add how much more the adapter takes than the bare session, by medians; resizing, which the latter does not do, apart."""
    adapter, bare = took["adapter"]["p50_ms"], took["bare"]["p50_ms"]
    resize = took["resize"]["p50_ms"] if "resize" in took else 0.0
    return {
        **took,
        "overhead_percent": round(100 * (adapter / bare - 1), 2),
        "overhead_without_resizing_percent": round(100 * ((adapter - resize) / bare - 1), 2),
    }


# --- indexing -----------------------------------------------------------------------------------------------------------


class Timed:
    """An encoder, and how long it was at work."""

    def __init__(self, encoder: Any) -> None:
        self.encoder, self.took_s, self.pictures, self.phrases = encoder, 0.0, 0, 0
        self.name, self.fingerprint, self.dim = encoder.name, encoder.fingerprint, encoder.dim
        self.aligned, self.sees, self.reads = encoder.aligned, encoder.sees, encoder.reads

    def encode_images(self, images: Any) -> Any:
        """Encode pictures, as the encoder does."""
        self.pictures += len(images)
        return self._timed(self.encoder.encode_images, images)

    def encode_texts(self, texts: Any) -> Any:
        """Encode phrases, as the encoder does."""
        self.phrases += len(texts)
        return self._timed(self.encoder.encode_texts, texts)

    def _timed(self, encode: Callable[[Any], Any], given: Any) -> Any:
        started = perf_counter()
        try:
            return encode(given)
        finally:
            self.took_s += perf_counter() - started


def index(shape: Shape, source: str, head: int) -> None:
    """Index products end to end; record the share of the time in which the encoder was at work."""
    import lookalike
    from ingest import _head
    from lookalike.wiring import load_encoder

    with tempfile.TemporaryDirectory() as folder:
        encoder = Timed(load_encoder(str(exported(shape, Path(folder))["fp32"])))
        encoder.encode_images([np.zeros((64, 64, 3), np.uint8)])
        encoder.encode_texts(["w1 w2"])
        encoder.took_s = encoder.pictures = encoder.phrases = 0
        with lookalike.open(Path(folder) / "shop.db", encoder=encoder) as shop:
            started = perf_counter()
            report = shop.index(_head(source, head))
            whole_s, ingest_s = perf_counter() - started, report.took_s
        keep(
            shape,
            what="indexing",
            model=shape.name,
            precision="fp32",
            source=Path(source).name,
            products=report.read,
            images=encoder.pictures,
            texts=encoder.phrases,
            ingest_s=round(ingest_s, 2),
            with_learning_s=round(whole_s, 2),
            encoder_s=round(encoder.took_s, 2),
            encoder_share=round(encoder.took_s / whole_s, 4),
            encoder_share_of_ingest=round(min(1.0, encoder.took_s / ingest_s), 4),
        )


# --- a GPU --------------------------------------------------------------------------------------------------------------


def sweep(shapes: list[Shape], rounds: int) -> None:
    """Measure image towers by the size of a batch, against what the device can do."""
    import torch

    if not torch.cuda.is_available():
        print("torch sees no CUDA device here. Where it does:  python benchmarks/encoders.py --gpu")
        return
    device = torch.cuda.get_device_name()
    peak, bandwidth = peak_flops(), peak_bytes()
    print(f"{device}: {peak / 1e12:.0f} TFLOP/s in bfloat16, {bandwidth / 1e12:.2f} TB/s")
    for shape in shapes:
        tower = clip_model(shape).to("cuda", torch.bfloat16)
        for batch in BATCHES:
            pixels = torch.randn(batch, 3, shape.size_px, shape.size_px, device="cuda", dtype=torch.bfloat16)
            see = partial(tower.get_image_features, pixel_values=pixels)
            with torch.inference_mode():
                took_s = timed_on_gpu(see, rounds)
            flops = batch * shape.image_flops
            best_s = max(flops / peak, 2 * shape.image_weights / bandwidth)
            figures = {
                "took_ms": round(took_s * 1e3, 3),
                "images_per_s": round(batch / took_s),
                "tflops": round(flops / took_s / 1e12, 1),
                "of_roofline": round(best_s / took_s, 3),
            }
            about = {"model": shape.name, "precision": "bf16", "device": device, "torch": torch.__version__}
            peaks = {"peak_tflops": round(peak / 1e12), "peak_tb_per_s": round(bandwidth / 1e12, 2)}
            keep(shape, what=f"batch of {batch}", **about, **peaks, **figures)


def peak_flops() -> float:
    """Time a large matrix product in bfloat16 -> operations in a second."""
    import torch

    one, other = (torch.randn(MATRIX, MATRIX, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    return 2 * MATRIX**3 / timed_on_gpu(lambda: one @ other, 20)


def peak_bytes() -> float:
    """Time a copy within the device's memory -> bytes read and written in a second."""
    import torch

    source = torch.zeros(COPIED_BYTES, device="cuda", dtype=torch.uint8)
    target = torch.empty_like(source)
    return 2 * COPIED_BYTES / timed_on_gpu(lambda: target.copy_(source), 10)


def timed_on_gpu(call: Callable[[], object], rounds: int) -> float:
    """Return the median seconds of a call by the device's own clock."""
    import torch

    for _ in range(5):
        call()
    took_ms = []
    for _ in range(rounds):
        begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begun.record()
        call()
        ended.record()
        torch.cuda.synchronize()
        took_ms.append(begun.elapsed_time(ended))
    return float(np.median(took_ms)) / 1e3


def keep(shape: Shape, **figures: Any) -> None:
    """Print what was measured, and add it to the results unless the model is small."""
    if shape is not SMALL:
        record("encoders", **figures)
    same = ("files", "onnxruntime", "torch")
    print(json.dumps({key: value for key, value in figures.items() if key not in same}))


if __name__ == "__main__":
    main()
