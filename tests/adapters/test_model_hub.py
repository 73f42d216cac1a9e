"""Fetching against a server that speaks the hub's protocol, over real sockets of this machine."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import hub_server
from hub_server import COMMIT, LATER, REPOSITORY, Hub, Serving
from lookalike.adapters import model_hub, model_hub_http
from lookalike.adapters.model_hub import LOCK, PARTS, Wanted, check, copy, fetch, fetched, here, read_lock
from lookalike.core.errors import InputError

huggingface_hub = pytest.importorskip("huggingface_hub", reason="the hub's own library is missing")

VISION, WORDS = "onnx/vision_model.onnx", "tokenizer.json"
CONTENT = {VISION: bytes(range(256)) * 12_000, WORDS: b'{"model": "words"}' * 50}
"""Three megabytes, so that there are several chunks of it, and a small file."""
OTHERS = {"modeling.py": b"raise SystemExit", "README.md": b"# A model", "onnx/model_fp16.onnx": b"half"}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may take its time to answer; those tests that are about time say so."""
    monkeypatch.setattr(model_hub_http, "REACHED_WITHIN_S", 30.0)
    monkeypatch.setattr(model_hub_http, "PAUSE_S", 0.01)
    monkeypatch.delenv("HF_HUB_ETAG_TIMEOUT", raising=False)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Serving(Hub({**CONTENT, **OTHERS})) as serving:
        yield serving


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models" / "small"


def wanted(**changes: Any) -> Wanted:
    return replace(Wanted("small", REPOSITORY, "main", dict.fromkeys(CONTENT)), **changes)


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def refused(call: Callable[[], object]) -> InputError:
    """Return the error of a call, which must say what to do."""
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.code == "model"
    assert caught.value.hint
    return caught.value


def files_in(folder: Path) -> set[str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix() for path in found} - {".fetching"}


@contextmanager
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def closed(*_: object, **__: object) -> None:
        raise AssertionError("the network was used")

    with monkeypatch.context() as patched:
        patched.setattr(socket, "socket", closed)
        patched.setattr(socket, "getaddrinfo", closed)
        yield


def test_what_is_wanted_and_nothing_else_is_fetched_and_pinned(hub: Hub, folder: Path) -> None:
    seen: dict[str, list[tuple[int, int]]] = {}
    lock = fetch(
        wanted(),
        folder,
        mirror=hub.address,
        progress=lambda file, done, total: seen.setdefault(file, []).append((done, total)),
    )
    assert files_in(folder) == {*CONTENT, LOCK}
    for path, content in CONTENT.items():
        assert (folder / path).read_bytes() == content
        assert seen[path][-1] == (len(content), len(content))
    assert json.loads((folder / LOCK).read_text("utf-8")) == {
        "hub": REPOSITORY,
        "commit": COMMIT,
        "files": {
            path: {"sha256": digest(content), "bytes": len(content)} for path, content in CONTENT.items()
        },
    }
    assert lock == read_lock(folder) == check(wanted(), folder)
    assert here(wanted(), folder)
    revisions = [path.split("/resolve/")[1].split("/")[0] for path in hub.paths("HEAD")]
    assert revisions == ["main", *[COMMIT] * (len(revisions) - 1)], "what changes meanwhile is not mixed in"
    named = {path.rpartition(f"/resolve/{COMMIT}/")[2] for path in hub.paths("GET")}
    assert named == set(CONTENT), "the files of one commit, and no others"
    assert not any("modeling" in each.path or "fp16" in each.path for each in hub.asked)


def test_afterwards_no_network_is_touched(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = fetch(wanted(), folder, mirror=hub.address)
    with no_sockets(monkeypatch):
        assert fetch(wanted(), folder) == lock
        assert fetch(wanted(), folder, revision=COMMIT) == lock
        assert check(wanted(), folder) == lock


def test_a_damaged_file_is_fetched_again_and_the_others_are_not(hub: Hub, folder: Path) -> None:
    fetch(wanted(), folder, mirror=hub.address)
    (folder / WORDS).write_bytes(b"damaged")
    assert not here(wanted(), folder)
    assert "damaged" in str(refused(lambda: check(wanted(), folder)))
    hub.asked.clear()
    fetch(wanted(), folder, mirror=hub.address)
    assert (folder / WORDS).read_bytes() == CONTENT[WORDS]
    assert [path.rsplit("/", 1)[1] for path in hub.paths("GET")] == [WORDS]


def test_another_revision_is_another_fetch(hub: Hub, folder: Path) -> None:
    fetch(wanted(), folder, mirror=hub.address)
    hub.commits["next"] = LATER
    hub.files[WORDS] = b"newer"
    lock = fetch(wanted(), folder, revision="next", mirror=hub.address)
    assert lock.commit == LATER
    assert (folder / WORDS).read_bytes() == b"newer"
    assert fetched(wanted(revision=COMMIT), folder) is None, "a preset that pins another commit is not there"
    assert fetched(wanted(revision="main"), folder) == lock, "a branch is what it was when it was fetched"


def test_between_two_versions_there_is_no_lock(hub: Hub, folder: Path) -> None:
    fetch(wanted(), folder, mirror=hub.address)
    hub.commits["next"] = LATER
    hub.files |= {VISION: b"newer", WORDS: b"newer"}
    (folder / WORDS).unlink()
    (folder / WORDS / "in the way").mkdir(parents=True)
    error = refused(lambda: fetch(wanted(), folder, revision="next", mirror=hub.address))
    assert WORDS in str(error)
    assert (folder / VISION).read_bytes() == b"newer"
    assert not (folder / LOCK).exists()


def test_a_hash_that_the_preset_gains_counts(hub: Hub, folder: Path) -> None:
    fetch(wanted(), folder, mirror=hub.address)
    stricter = wanted(files={**wanted().files, WORDS: digest(b"another")})
    assert fetched(stricter, folder) is None
    assert "the preset says" in str(refused(lambda: fetch(stricter, folder, mirror=hub.address)))
    assert fetched(wanted(), folder) is not None, "what is there stays until all is right"


@pytest.mark.parametrize("ending", ["_data", ".data"])
def test_weights_beside_a_graph_come_with_it(hub: Hub, folder: Path, ending: str) -> None:
    beside = VISION + ending
    hub.files[beside] = b"weights" * 1000
    lock = fetch(wanted(), folder, mirror=hub.address)
    assert (folder / beside).read_bytes() == b"weights" * 1000
    assert beside in lock.files
    (folder / beside).write_bytes(b"WEIGHTS" * 1000)
    assert fetched(wanted(), folder) is None


def test_weights_that_nobody_fetched_do_not_stay_beside_a_graph(hub: Hub, folder: Path) -> None:
    lock = fetch(wanted(), folder, mirror=hub.address)
    (folder / f"{VISION}_data").write_bytes(b"of an older version")
    assert "says nothing of onnx/vision_model.onnx_data" in str(refused(lambda: check(wanted(), folder)))
    assert fetched(wanted(), folder) is None
    assert fetch(wanted(), folder, mirror=hub.address) == lock
    assert files_in(folder) == {*CONTENT, LOCK}


def test_weights_that_the_preset_pins_are_asked_for_once(hub: Hub, folder: Path) -> None:
    hub.files[f"{VISION}_data"] = weights = b"weights" * 1000
    pinned = wanted(files={**wanted().files, f"{VISION}_data": digest(weights)})
    assert fetch(pinned, folder, mirror=hub.address).files.keys() == pinned.files.keys()
    got = [each for each in hub.asked if each.method == "HEAD" and each.path.endswith("_data")]
    assert len(got) <= 2  # the hub redirects to where large files are
    hub.files[f"{VISION}_data"] = b"changed" * 1000
    assert "the preset says" in str(
        refused(lambda: fetch(pinned, folder.with_name("other"), mirror=hub.address))
    )


def test_a_broken_download_goes_on_where_it_broke(hub: Hub, folder: Path) -> None:
    hub.breaks_after[VISION] = [1_200_000, 2_400_000]
    fetch(wanted(), folder, mirror=hub.address)
    assert (folder / VISION).read_bytes() == CONTENT[VISION]
    ranges = [each.range for each in hub.asked if each.path.startswith("/stored/") and each.method == "GET"]
    assert ranges == [None, "bytes=1200000-", "bytes=2400000-"]


def test_a_second_fetch_goes_on_where_the_first_one_was_interrupted(hub: Hub, folder: Path) -> None:
    def interrupt(file: str, done: int, total: int) -> None:
        if file == VISION and done > 1_000_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(wanted(), folder, mirror=hub.address, progress=interrupt)
    assert not (folder / LOCK).exists()
    assert not (folder / VISION).exists()
    [part] = [path for path in (folder / PARTS).iterdir() if "vision" in path.name]
    have = part.stat().st_size
    assert 0 < have < len(CONTENT[VISION])
    hub.asked.clear()
    fetch(wanted(), folder, mirror=hub.address)
    assert (folder / VISION).read_bytes() == CONTENT[VISION]
    assert [each.range for each in hub.asked if each.path.startswith("/stored/")] == [f"bytes={have}-"]
    assert files_in(folder) == {*CONTENT, LOCK}


def test_a_server_without_ranges_sends_all_again(hub: Hub, folder: Path) -> None:
    hub.ranges = False
    hub.breaks_after[VISION] = [1_200_000]
    fetch(wanted(), folder, mirror=hub.address)
    assert (folder / VISION).read_bytes() == CONTENT[VISION]


def test_a_truncated_download_is_no_model(hub: Hub, folder: Path) -> None:
    hub.said_bytes[VISION] = len(CONTENT[VISION]) + 10
    error = refused(lambda: fetch(wanted(), folder, mirror=hub.address))
    assert REPOSITORY in str(error)
    assert "goes on where it stopped" in error.hint
    assert not (folder / LOCK).exists()
    assert not (folder / VISION).exists()


def test_a_file_longer_than_it_said_is_refused(hub: Hub, folder: Path) -> None:
    hub.said_bytes[VISION] = 100
    hub.files[VISION] = bytes(100)
    fetch(wanted(), folder, mirror=hub.address)
    remote = model_hub_http.Remote(WORDS, COMMIT, "etag", 10)
    repository = model_hub_http.Repository(REPOSITORY, hub.address)
    error = refused(lambda: repository.download(remote, folder / "part", lambda _: None))
    assert "longer than the 10 bytes" in str(error)


def test_a_file_that_is_not_the_one_meant_is_refused_and_forgotten(hub: Hub, folder: Path) -> None:
    pinned = wanted(files={VISION: digest(b"the one meant"), WORDS: None})
    error = refused(lambda: fetch(pinned, folder, mirror=hub.address))
    assert VISION in str(error)
    assert digest(CONTENT[VISION])[:12] in str(error)
    assert digest(b"the one meant")[:12] in str(error)
    assert files_in(folder) == set(), "nothing of it is left to go on with"


def test_a_download_is_compared_with_the_hash_of_the_hub(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_server, "_sha256", lambda content: digest(content + b"damaged on its way"))
    assert "the hub says" in str(refused(lambda: fetch(wanted(), folder, mirror=hub.address)))
    assert not (folder / LOCK).exists()


def test_a_file_the_repository_does_not_have(hub: Hub, folder: Path) -> None:
    del hub.files[WORDS]
    error = refused(lambda: fetch(wanted(hint="Make it."), folder, mirror=hub.address))
    assert f"no file {WORDS}" in str(error)
    assert REPOSITORY in str(error)
    assert "--from DIR" in error.hint
    assert error.hint.endswith("Make it.")


@pytest.mark.parametrize(
    ("changes", "revision", "said"),
    [
        ({"hub": "makers/none"}, None, "there is no makers/none"),
        ({}, "v9", "no revision v9"),
    ],
)
def test_what_the_hub_does_not_have(
    hub: Hub, folder: Path, changes: dict[str, str], revision: str | None, said: str
) -> None:
    given = wanted(**changes)
    assert said in str(refused(lambda: fetch(given, folder, revision=revision, mirror=hub.address)))
    assert not folder.exists(), "nothing is made before it is known to exist"


@pytest.mark.parametrize("status", [403, 429, 500, 503])
def test_a_hub_that_refuses(hub: Hub, folder: Path, status: int) -> None:
    hub.status = status
    assert f"answers {status}" in str(refused(lambda: fetch(wanted(), folder, mirror=hub.address)))


def test_a_web_server_is_no_hub(hub: Hub, folder: Path) -> None:
    hub.commit_said = False
    assert "does not answer as a hub does" in str(
        refused(lambda: fetch(wanted(), folder, mirror=hub.address))
    )


@pytest.mark.parametrize("address", ["hub.example.com", "ftp://hub", "http://", "http://[", "file:///etc"])
def test_what_is_no_address_is_refused(folder: Path, address: str) -> None:
    assert "no address of a hub" in str(refused(lambda: fetch(wanted(), folder, mirror=address)))


TOLD = """
import sys
from pathlib import Path
from lookalike.adapters.model_hub import Wanted, fetch

hub, folder, mirror, *files = sys.argv[1:]
fetch(Wanted("small", hub, "main", dict.fromkeys(files)), Path(folder), mirror=mirror or None)
"""


@pytest.mark.parametrize("as_mirror", [False, True])
def test_a_token_goes_to_the_hub_alone(hub: Hub, folder: Path, as_mirror: bool) -> None:
    # In a process of its own, for the hub's library reads its settings but once.
    environment = os.environ | {
        "HF_ENDPOINT": "http://hub.invalid" if as_mirror else hub.address,
        "HF_TOKEN": "hf_secret",
        "HF_HUB_ETAG_TIMEOUT": "30",
    }
    mirror = hub.address if as_mirror else ""
    command = [sys.executable, "-c", TOLD, REPOSITORY, str(folder), mirror, *CONTENT]
    subprocess.run(command, check=True, env=environment, timeout=120)
    assert check(wanted(), folder)
    told = {each.path.startswith("/stored/"): each.token for each in hub.asked}
    assert told == {False: None if as_mirror else "Bearer hf_secret", True: None}


def test_a_hub_that_is_not_to_be_asked(folder: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE" in str(refused(lambda: fetch(wanted(), folder, mirror=hub.address)))
    assert hub.asked == []


@contextmanager
def refusing() -> Iterator[str]:
    """Yield the address of a port that nothing listens at."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@contextmanager
def unroutable() -> Iterator[str]:
    """Yield an address to which packets go and from which nothing comes: the queue of who listens is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            for each in waiting:
                each.close()


@contextmanager
def silent() -> Iterator[str]:
    """Yield the address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def nameless() -> Iterator[str]:
    """Yield an address whose look-up takes as long as it does where a resolver is out of reach."""
    looked_up, asked = socket.getaddrinfo, threading.Event()
    over = threading.Event()

    def slow(*_: object, **__: object) -> Any:
        asked.set()
        over.wait(30)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    socket.getaddrinfo = slow
    try:
        yield "http://hub.invalid"
        assert asked.is_set()
    finally:
        over.set()
        socket.getaddrinfo = looked_up


@pytest.mark.parametrize("away", [refusing, unroutable, silent, nameless])
def test_no_network_is_said_at_once(
    away: Callable[[], Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_hub_http, "REACHED_WITHIN_S", 1.5)
    huggingface_hub.get_session()
    with away() as address:
        begun = time.monotonic()
        error = refused(lambda: fetch(wanted(), folder, mirror=address))
        took_s = time.monotonic() - begun
    assert REPOSITORY in str(error)
    assert address in str(error)
    assert "--from DIR" in error.hint
    assert "--mirror URL" in error.hint
    assert took_s < 4, "two seconds, and as much again on a busy machine; the hub's library takes 20"
    assert not folder.exists()


def test_a_slow_network_can_be_waited_for(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_hub_http, "REACHED_WITHIN_S", 0.0)
    assert "HF_HUB_ETAG_TIMEOUT" in refused(lambda: fetch(wanted(), folder, mirror=hub.address)).hint
    monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "30")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_ETAG_TIMEOUT", 30)
    assert fetch(wanted(), folder, mirror=hub.address).commit == COMMIT


def test_a_folder_that_cannot_be_written(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"in the way")
    error = refused(lambda: fetch(wanted(), tmp_path / "file" / "small", mirror=hub.address))
    assert str(tmp_path / "file") in str(error)
    assert "LOOKALIKE_MODELS_DIR" in error.hint


def test_a_model_larger_than_the_disk_is_not_begun(hub: Hub, folder: Path) -> None:
    hub.said_bytes[VISION] = 10**17
    error = refused(lambda: fetch(wanted(), folder, mirror=hub.address))
    assert "has room for" in str(error)
    assert hub.paths("GET") == []


def test_a_disk_that_fills_up_is_said_and_fetching_goes_on_once_there_is_room(hub: Hub, folder: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, before[1]))
    try:
        error = refused(lambda: fetch(wanted(), folder, mirror=hub.address))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "File too large" in str(error)
    assert "Make room" in error.hint
    hub.asked.clear()
    fetch(wanted(), folder, mirror=hub.address)
    assert (folder / VISION).read_bytes() == CONTENT[VISION]
    [asked] = [each.range for each in hub.asked if each.path.startswith("/stored/")]
    assert asked, "from where the disk was full"


def test_one_model_is_fetched_by_one_process_at_a_time(hub: Hub, folder: Path) -> None:
    errors = []

    def again(file: str, done: int, total: int) -> None:
        if not errors:
            errors.append(refused(lambda: fetch(wanted(), folder, mirror=hub.address)))

    fetch(wanted(), folder, mirror=hub.address, progress=again)
    assert "another process" in str(errors[0])
    assert fetched(wanted(), folder)


KILLED = """
import os, signal, sys
from pathlib import Path
from lookalike.adapters.model_hub import Wanted, fetch

def die(file, done, total):
    if done == total and file == sys.argv[4]:
        os.kill(os.getpid(), signal.SIGKILL)

wanted = Wanted("small", sys.argv[1], "main", dict.fromkeys(sys.argv[4:]))
fetch(wanted, Path(sys.argv[2]), mirror=sys.argv[3], progress=die)
"""


def test_a_fetch_that_is_killed_leaves_no_lock_and_goes_on(hub: Hub, folder: Path) -> None:
    command = [sys.executable, "-c", KILLED, REPOSITORY, str(folder), hub.address, *CONTENT]
    environment = os.environ | {"HF_HUB_ETAG_TIMEOUT": "30"}
    ended = subprocess.run(command, check=False, env=environment, timeout=120)
    assert ended.returncode == -signal.SIGKILL
    assert read_lock(folder) is None
    hub.asked.clear()
    fetch(wanted(), folder, mirror=hub.address)
    assert check(wanted(), folder)
    assert [path.rsplit("/", 1)[1] for path in hub.paths("GET")] == [WORDS], "the first was all there"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A snapshot as the hub's cache has it: the files are links."""
    snapshot, blobs = tmp_path / "snapshots" / COMMIT, tmp_path / "blobs"
    blobs.mkdir()
    for path, content in {**CONTENT, **OTHERS}.items():
        blob = blobs / digest(content)
        blob.write_bytes(content)
        (snapshot / path).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / path).symlink_to(blob)
    return snapshot


def test_files_are_taken_from_a_directory_without_a_network(
    directory: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (directory / f"{VISION}_data").write_bytes(b"weights")
    with no_sockets(monkeypatch):
        lock = copy(wanted(), folder, directory)
        assert fetch(wanted(), folder) == lock
    assert lock.commit == COMMIT
    assert files_in(folder) == {*CONTENT, f"{VISION}_data", LOCK}
    assert not (folder / VISION).is_symlink()


def test_a_directory_of_any_name_has_no_commit(directory: Path, folder: Path) -> None:
    lock = copy(wanted(), folder, directory.rename(directory.parent / "a copy"))
    assert lock.commit == ""
    assert fetched(wanted(revision=LATER), folder) == lock, "whoever copied it says that it is the one"


def test_a_directory_must_hold_all_files(directory: Path, folder: Path) -> None:
    (directory / WORDS).unlink()
    (directory / VISION).unlink()
    error = refused(lambda: copy(wanted(), folder, directory))
    assert VISION in str(error)
    assert WORDS in str(error)
    assert REPOSITORY in error.hint


def test_a_directory_with_another_file_is_refused(directory: Path, folder: Path) -> None:
    pinned = wanted(files={VISION: digest(b"the one meant"), WORDS: None})
    assert "the preset says" in str(refused(lambda: copy(pinned, folder, directory)))
    assert not (folder / LOCK).exists()


def test_a_clone_without_its_large_files_is_noticed(directory: Path, folder: Path) -> None:
    (directory / VISION).unlink()
    (directory / VISION).write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\n")
    assert "git lfs pull" in refused(lambda: copy(wanted(), folder, directory)).hint


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[]", b'{"hub": "a/b"}', b'{"hub": "a/b", "commit": "", "files": {"x": {"size": 1}}}'],
)
def test_a_lock_that_cannot_be_read_is_none(
    hub: Hub, folder: Path, damage: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(wanted(), folder, mirror=hub.address)
    (folder / LOCK).write_bytes(damage)
    assert read_lock(folder) is None
    assert not here(wanted(), folder)
    assert "was not fetched" in str(refused(lambda: check(wanted(), folder)))
    fetch(wanted(), folder, mirror=hub.address)
    assert check(wanted(), folder)


def test_the_lock_is_the_one_the_encoder_reads(hub: Hub, folder: Path, tmp_path: Path) -> None:
    from lookalike.adapters.encoder_onnx_files import found
    from lookalike.adapters.encoder_onnx_preset import read_preset

    toml = tmp_path / "small.toml"
    toml.write_text(
        f'name = "small"\nversion = 1\ndim = 8\naligned = false\nlicence = "MIT"\ncard = ""\nhub = "{REPOSITORY}"\n'
        f'[image]\nfile = "{VISION}"\ninput = "i"\noutput = "o"\nsize_px = 8\nresize = "squash"\n'
        "mean = [0.5, 0.5, 0.5]\nstd = [1, 1, 1]\n",
        "utf-8",
    )
    preset = read_preset(toml)
    error = refused(lambda: found(preset, tmp_path, folder.parent))
    assert re.search("lookalike models fetch small", error.hint)
    fetch(wanted(files=preset.files()), folder, mirror=hub.address)
    pinned, where = found(preset, tmp_path, folder.parent)
    assert where == folder
    assert pinned.files() == {VISION: digest(CONTENT[VISION])}
    assert model_hub.read_lock(folder) is not None
