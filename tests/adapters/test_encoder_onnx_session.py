"""Where a graph runs, what it is given, and what happens when memory is short."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from lookalike.adapters.encoder_onnx import OnnxEncoder
from lookalike.adapters.encoder_onnx_pools import POOLS
from lookalike.adapters.encoder_onnx_preset import pattern
from lookalike.adapters.encoder_onnx_session import PROVIDERS, Running
from lookalike.core.errors import InputError, MissingExtra
from small_models import DIM, SIDE_PX, small_model

PICTURES = [pattern(40 + 7 * i, 200 - 2 * i, seed=i) for i in range(10)]


def changed(folder: Path, change: Callable[[onnx.ModelProto], None]) -> OnnxEncoder:
    """Write the small model, change its graph of pictures, and open it."""
    path = small_model(folder)
    file = folder / "image.onnx"
    before = sha256(file.read_bytes()).hexdigest()
    model = onnx.load(file)
    change(model)
    onnx.save(model, file)
    after = sha256(file.read_bytes()).hexdigest()
    path.write_text(path.read_text("utf-8").replace(before, after), "utf-8")
    return OnnxEncoder.from_preset(path)


def missing() -> list[str]:
    return [
        name for name, each in PROVIDERS.items() if each.name not in onnxruntime.get_available_providers()
    ]


@pytest.mark.parametrize("name", missing())
def test_a_provider_that_is_not_installed_is_refused_with_the_line_that_installs_it(
    name: str, tmp_path: Path
) -> None:
    with pytest.raises(MissingExtra, match=f"has no {name}") as caught:
        OnnxEncoder.from_preset(small_model(tmp_path), providers=(name, "cpu"))
    assert "pip install" in caught.value.hint


def test_an_unknown_provider_is_refused() -> None:
    with pytest.raises(InputError, match="encoder_providers: 'gpu'") as caught:
        Running(("gpu",))
    assert caught.value.hint == "There are: cpu, cuda, openvino, coreml."
    with pytest.raises(InputError, match="nothing"):
        Running(())


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_are_those_that_were_asked_for(threads: int, tmp_path: Path) -> None:
    encoder = OnnxEncoder.from_preset(small_model(tmp_path), threads)
    encoder.warm_up()
    for session in (encoder._seeing._session, encoder._reading._session):
        assert session.get_session_options().intra_op_num_threads == threads
        assert session.get_providers() == ["CPUExecutionProvider"]


def test_warming_up_opens_every_graph_and_finds_what_is_wrong(tmp_path: Path) -> None:
    encoder = OnnxEncoder.from_preset(small_model(tmp_path))
    encoder.warm_up()
    for file in tmp_path.glob("*.onnx"):
        file.unlink()
    assert encoder.encode_images(PICTURES[:1]).shape == encoder.encode_texts(["red"]).shape == (1, DIM)
    with pytest.raises(InputError, match=r"image\.onnx: No such file"):
        OnnxEncoder.from_preset(tmp_path / "small.toml").warm_up()


SHORT_OF_MEMORY = """
import logging, sys
from pathlib import Path
import numpy as np
import onnxruntime as ort
from lookalike.adapters.encoder_onnx import OnnxEncoder
from lookalike.adapters.encoder_onnx_preset import pattern
from lookalike.core.errors import LookalikeError

class Options(ort.SessionOptions):
    def __init__(self):
        super().__init__()
        self.add_session_config_entry("session.use_env_allocators", "1")

path, most = Path(sys.argv[1]), int(sys.argv[2])
pictures = [pattern(40 + 7 * i, 200 - 2 * i, seed=i) for i in range(32)]
wanted = OnnxEncoder.from_preset(path, 1).encode_images(pictures)
memory = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
ort.create_and_register_allocator(memory, ort.OrtArenaCfg({"max_mem": most, "arena_extend_strategy": 1}))
ort.SessionOptions = Options
encoder = OnnxEncoder.from_preset(path, 1)
try:
    for _ in range(2):
        np.testing.assert_allclose(encoder.encode_images(pictures), wanted, atol=1e-5)
    print(encoder._seeing._most)
except LookalikeError as error:
    print(error.code, error)
"""


def short_of_memory(folder: Path, max_bytes: int) -> tuple[str, str]:
    """Embed 32 pictures in a process in which ONNX Runtime has so much memory -> what it prints and logs."""
    program = [sys.executable, "-W", "error", "-c", SHORT_OF_MEMORY, str(small_model(folder)), str(max_bytes)]
    ran = subprocess.run(program, check=True, timeout=120, capture_output=True, text=True)
    return ran.stdout.strip(), ran.stderr


def test_a_batch_that_is_too_large_for_the_memory_is_halved_until_it_fits(tmp_path: Path) -> None:
    printed, logged = short_of_memory(tmp_path, 300_000)
    fits = int(printed)
    assert fits in (1, 2, 4, 8, 16)
    assert logged.count("going on with") == (32 // fits).bit_length() - 1  # not again for the second batch


def test_no_memory_for_one_picture_is_said(tmp_path: Path) -> None:
    printed, _ = short_of_memory(tmp_path, 15_000)
    assert printed.startswith("memory model file")
    assert "there is no memory to run it on a single input" in printed


def test_a_graph_that_does_not_say_its_shapes_is_run_all_the_same(tmp_path: Path) -> None:
    def forget(model: onnx.ModelProto) -> None:
        for value in (model.graph.input[0], model.graph.output[0]):
            value.type.tensor_type.ClearField("shape")

    (tmp_path / "free").mkdir()
    expected = OnnxEncoder.from_preset(small_model(tmp_path / "free")).encode_images(PICTURES)
    np.testing.assert_allclose(changed(tmp_path, forget).encode_images(PICTURES), expected, atol=1e-6)


def test_an_output_that_is_a_single_number_is_refused(tmp_path: Path) -> None:
    def sum_up(model: onnx.ModelProto) -> None:
        model.graph.node[-1].output[0] = "before"
        model.graph.node.append(helper.make_node("ReduceSum", ["before"], ["vectors"], keepdims=0))
        model.graph.output[0].type.tensor_type.ClearField("shape")

    with pytest.raises(InputError, match=r"an output of shape \(\) came out"):
        changed(tmp_path, sum_up).encode_images(PICTURES)


def test_a_graph_of_a_fixed_number_of_rows_takes_any_number(tmp_path: Path) -> None:
    def fix(model: onnx.ModelProto) -> None:
        for value in (model.graph.input[0], model.graph.output[0]):
            value.type.tensor_type.shape.dim[0].dim_value = 4

    (tmp_path / "free").mkdir()
    free = OnnxEncoder.from_preset(small_model(tmp_path / "free"))
    encoder = changed(tmp_path, fix)
    for count in (1, 3, 4, 5, 10):
        np.testing.assert_allclose(
            encoder.encode_images(PICTURES[:count]), free.encode_images(PICTURES[:count]), atol=1e-5
        )


def test_inputs_the_toml_does_not_know_are_refused(tmp_path: Path) -> None:
    def add(model: onnx.ModelProto) -> None:
        model.graph.input.append(
            helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["n", "length"])
        )

    with pytest.raises(InputError, match=r"it also takes \['input_ids'\], of which the \.toml says nothing"):
        changed(tmp_path, add).encode_images(PICTURES[:1])


def test_shapes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    encoder = OnnxEncoder.from_preset(small_model(tmp_path))
    image = encoder.preset.image
    assert image is not None
    wrong = replace(encoder.preset, image=replace(image, size_px=SIDE_PX + 1))
    with pytest.raises(InputError, match=r"image\.onnx: it cannot be run: .*[Gg]ot") as caught:
        OnnxEncoder(wrong, tmp_path).encode_images(PICTURES[:1])
    assert caught.value.code == "model"


def test_half_precision_goes_in_and_comes_out(tmp_path: Path) -> None:
    def halve(model: onnx.ModelProto) -> None:
        graph = model.graph
        graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16
        graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT16
        graph.input[0].name, graph.output[0].name = "half_pixels", "half_vectors"
        graph.node.insert(0, helper.make_node("Cast", ["half_pixels"], ["pixels"], to=TensorProto.FLOAT))
        graph.node.append(helper.make_node("Cast", ["vectors"], ["half_vectors"], to=TensorProto.FLOAT16))

    encoder = changed(tmp_path, halve)
    image = encoder.preset.image
    assert image is not None
    named = replace(encoder.preset, image=replace(image, input="half_pixels", output="half_vectors"))
    vectors = OnnxEncoder(named, tmp_path).encode_images(PICTURES)
    (tmp_path / "full").mkdir()
    full = OnnxEncoder.from_preset(small_model(tmp_path / "full")).encode_images(PICTURES)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, full, atol=2e-3)
    assert np.abs(vectors - full).max() > 1e-6


def test_logging_says_nothing_while_all_is_well(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        OnnxEncoder.from_preset(small_model(tmp_path)).warm_up()
    assert not caplog.messages


# --- pools --------------------------------------------------------------------------------------------------------------

OUTPUTS = {
    (2,): np.arange(8, dtype=np.float32).reshape(2, 4),
    (3,): np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    (4,): np.arange(48, dtype=np.float32).reshape(2, 4, 3, 2),
}


def test_pools_take_what_they_say() -> None:
    two, three, four = OUTPUTS.values()
    np.testing.assert_array_equal(POOLS["none"](two, None), two)
    np.testing.assert_array_equal(POOLS["cls"](three, None), [[0, 1, 2, 3], [12, 13, 14, 15]])
    np.testing.assert_array_equal(POOLS["mean"](three, None), [[4, 5, 6, 7], [16, 17, 18, 19]])
    used = np.array([[True, True, False], [True, False, False]])
    np.testing.assert_array_equal(POOLS["mean"](three, used), [[2, 3, 4, 5], [12, 13, 14, 15]])
    np.testing.assert_array_equal(POOLS["mean"](three.astype(np.float16), used).dtype, np.float32)
    np.testing.assert_array_equal(POOLS["mean"](four, None)[0], [2.5, 8.5, 14.5, 20.5])


@pytest.mark.parametrize(("pool", "axes"), [("none", 3), ("none", 4), ("cls", 2), ("cls", 4), ("mean", 2)])
def test_an_output_of_another_layout_is_refused_with_what_fits(pool: str, axes: int) -> None:
    with pytest.raises(InputError, match=rf"pool = '{pool}' takes outputs of .* axes") as caught:
        POOLS[pool](OUTPUTS[(axes,)], None)
    assert caught.value.code == "model"
    assert {2: "none", 3: "cls or mean", 4: "mean"}[axes] in caught.value.hint
