"""One ONNX graph: opened when it is first needed, checked against its TOML, and run wherever the settings say.

ONNX Runtime calls what computes an execution provider; PROVIDERS has those that are known here. The first of those asked for
takes what it can of a graph, and the next ones the rest; the processor is always last.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lookalike.adapters.encoder_onnx_files import verified
from lookalike.adapters.encoder_onnx_preset import CODE, Graph
from lookalike.core.errors import InputError, LookalikeError, MissingExtra

MOST_THREADS: Final = 8
_NO_ROOM: Final = (
    "failed to allocate",
    "out of memory",
    "smaller than requested bytes",
    "alloc_failed",
    "bad_alloc",
    "bad allocation",
)
"""What ONNX Runtime, CUDA, cuBLAS, cuDNN and C++ say, in lower case, when there is no room left."""
_TYPES: Final[Mapping[str, type[np.generic]]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Provider:
    """One way to compute: what ONNX Runtime calls it, how it is installed, its options, and how large batches become."""

    name: str
    install: str
    options: Callable[[int], dict[str, str]]
    times: int
    """A batch is so many times as large as on the processor."""


PROVIDERS: Final[Mapping[str, Provider]] = {
    "cpu": Provider("CPUExecutionProvider", "pip install onnxruntime", lambda threads: {}, 1),
    "cuda": Provider(
        "CUDAExecutionProvider",
        "pip uninstall onnxruntime, then: pip install 'onnxruntime-gpu[cuda,cudnn]'",
        # Sums in 19 bits (TF32) would give other vectors than the processor does; and batches come in many shapes, each of
        # which would be tried with every algorithm there is.
        lambda threads: {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"},
        4,
    ),
    "openvino": Provider(
        "OpenVINOExecutionProvider",
        "pip uninstall onnxruntime, then: pip install onnxruntime-openvino",
        lambda threads: {"num_of_threads": str(threads)},
        1,
    ),
    "coreml": Provider(
        "CoreMLExecutionProvider",
        "on a Mac: pip install onnxruntime",
        lambda threads: {"ModelFormat": "MLProgram"},
        1,
    ),
}
"""What the setting `encoder_providers` can name."""


@dataclass(frozen=True, slots=True)
class Running:
    """How a graph is run: on which providers, best first, and with how many threads, 0 for all cores (up to 8)."""

    providers: tuple[str, ...] = ("cpu",)
    threads: int = 0

    def __post_init__(self) -> None:
        """Refuse what is unknown or not installed."""
        unknown = [name for name in self.providers if name not in PROVIDERS]
        if unknown or not self.providers:
            raise InputError(
                f"setting encoder_providers: {unknown[0] if unknown else 'nothing'!r} cannot run a model",
                hint=f"There are: {', '.join(PROVIDERS)}.",
            )
        if self.providers == ("cpu",):  # no need to load ONNX Runtime
            return
        import onnxruntime as ort

        for name in self.providers:
            if PROVIDERS[name].name not in ort.get_available_providers():
                raise MissingExtra(
                    f"this ONNX Runtime ({ort.__version__}) has no {name}", hint=PROVIDERS[name].install
                )

    @property
    def times(self) -> int:
        """How much larger batches are than on the processor."""
        return PROVIDERS[self.providers[0]].times


class Session:
    """One graph. Safe to use from several threads.

    `inputs` names what it is given, by what the TOML calls each ("input", "mask"); `hint` is how to get its file again.
    """

    def __init__(
        self, graph: Graph, inputs: Mapping[str, str], folder: Path, running: Running, hint: str
    ) -> None:
        self._graph = graph
        self._inputs = inputs
        self._folder = folder
        self._file = folder / graph.file
        self._running = running
        self._hint = hint
        self._lock = Lock()
        self._session: Any = None
        self._types: dict[str, type[np.generic]] = {}
        self._fixed = 0
        """Rows of a batch, where the graph takes no other number; 0 where it takes any."""
        self._most = 2**31
        """Rows of a batch that are known to be too many are more than this."""

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """Return what the graph makes of a batch, at least one row; `feeds` has the values by the names in the graph.

        A batch that is too large for the memory is halved until it fits, and so are those that come later. Raises InputError
        when the graph's file, names or shapes are not as the TOML says.
        """
        self.open()
        count = len(feeds[self._graph.input])
        parts, start = [], 0
        while start < count:
            size = min(self._most, count - start)
            try:
                parts.append(
                    self._run({name: values[start : start + size] for name, values in feeds.items()})
                )
                start += size
            except Exception as error:  # the classes of ONNX Runtime have no common ancestor but this
                self._make_room(size, error)
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def open(self) -> None:
        """Open the graph, unless it is open; raise InputError when its file or its names are not as the TOML says."""
        if self._session is None:
            with self._lock:
                if self._session is None:
                    self._session = self._open()

    def _run(self, feeds: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        typed = {name: values.astype(self._types[name], copy=False) for name, values in feeds.items()}
        count = len(typed[self._graph.input])
        if self._fixed > count:  # fill up with the last row
            rows = np.minimum(np.arange(self._fixed), count - 1)
            typed = {name: values[rows] for name, values in typed.items()}
        [result] = self._session.run([self._graph.output], typed)
        found: NDArray[Any] = result
        if not found.shape or len(found) < count:
            raise self._wrong(f"{count} rows went in and an output of shape {found.shape} came out")
        return found[:count]

    def _make_room(self, size: int, error: Exception) -> None:
        """Make batches smaller when memory was short; raise anything else."""
        if not any(sign in str(error).lower() for sign in _NO_ROOM):
            if type(error).__module__.startswith("onnxruntime"):
                raise self._wrong(f"it cannot be run: {error}") from error
            raise error
        if size == 1:
            raise LookalikeError(
                f"model file {self._file}: there is no memory to run it on a single input: {error}",
                hint='Free some, take a smaller model, or set encoder_providers to ["cpu"].',
                code="memory",
            ) from error
        self._most = min(self._most, size // 2)
        _log.warning(
            "%s: no memory for %d inputs at once, going on with %d", self._file.name, size, self._most
        )

    def _open(self) -> Any:
        # Here and not at the top: it takes 0.1 s to import, and a shop whose vectors are all made never needs it.
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads = self._running.threads or min(cores(), MOST_THREADS)
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        # Threads that spin while they wait take the cores from everything else here, other sessions included.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        wanted = [PROVIDERS[name] for name in self._running.providers]
        if "cuda" in self._running.providers:  # from 1.21 on: finds libraries that came in wheels
            getattr(ort, "preload_dlls", lambda: None)()
        file = verified(self._file, self._graph.sha256, self._hint)
        if self._graph.weights is not None:
            verified(self._folder / self._graph.weights, self._graph.data_sha256, self._hint)
        try:
            session = ort.InferenceSession(
                file, options, providers=[(each.name, each.options(threads)) for each in wanted]
            )
        except Exception as error:
            raise self._wrong(f"ONNX Runtime {ort.__version__} cannot open it: {error}") from error
        started = session.get_providers()
        for each in wanted:
            if each.name not in started:  # without a word, the processor would do it
                raise MissingExtra(f"ONNX Runtime could not start {each.name}", hint=each.install)
        self._check_names(session.get_inputs(), session.get_outputs())
        self._types = {slot.name: _TYPES.get(slot.type, np.float32) for slot in session.get_inputs()}
        [shape] = [slot.shape for slot in session.get_inputs() if slot.name == self._graph.input]
        if shape and isinstance(shape[0], int):
            self._fixed = self._most = shape[0]
        return session

    def _check_names(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        into, out = [slot.name for slot in inputs], [slot.name for slot in outputs]
        for field, name in self._inputs.items():
            if name not in into:
                raise self._wrong(f"the .toml calls its {field} {name!r}, it has {into}")
        if self._graph.output not in out:
            raise self._wrong(f"the .toml calls its output {self._graph.output!r}, it has {out}")
        if more := [name for name in into if name not in self._inputs.values()]:
            raise self._wrong(f"it also takes {more}, of which the .toml says nothing")

    def _wrong(self, reason: str) -> InputError:
        return InputError(
            f"model file {self._file}: {reason}",
            hint="The .toml and the file must be of one model.",
            code=CODE,
        )


def cores() -> int:
    """Return how many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
