"""`lookalike serve` as people meet it: a real process, its address, how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from time import sleep

import pytest

from lookalike.cli.serve import listening
from lookalike.service.keys import add_key, new_key, revoke_key
from running import COMMAND, PATIENCE_S, running


def test_answers_do_not_wait_for_acknowledgements() -> None:
    async def delays() -> int:
        with listening("127.0.0.1", 0) as listener:
            accepted: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
            async with await asyncio.start_server(lambda _, writer: accepted.put(writer), sock=listener):
                _, mine = await asyncio.open_connection(*listener.getsockname())
                writer = await accepted.get()
                no_delay = writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                for each in (mine, writer):
                    each.close()
                    await each.wait_closed()
        return int(no_delay)

    assert asyncio.run(delays()) != 0


@pytest.mark.skipif(sys.platform == "win32", reason="signals as on Unix")
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT], ids=lambda end: end.name)
def test_it_serves_until_told_to_stop(drawn_place: Path, tmp_path: Path, end: signal.Signals) -> None:
    place = Path(shutil.copy(drawn_place, tmp_path / "own.db"))
    with running(place) as (process, address):
        with urllib.request.urlopen(f"{address}/v1/products/D00001/similar?limit=2") as response:
            assert len(json.load(response)["results"]) == 2
        process.send_signal(end)
        assert process.wait(PATIENCE_S) == 0
    lines = [json.loads(line) for line in place.with_suffix(".log").read_text().splitlines()]
    assert "similar" in [line.get("search") for line in lines]


def test_where_others_can_call_a_key_opens_until_it_is_revoked(drawn_place: Path, tmp_path: Path) -> None:
    place = Path(shutil.copy(drawn_place, tmp_path / "own.db"))
    file = tmp_path / "keys.json"
    text, key = new_key("test", ["search"])
    add_key(file, key)

    def status(address: str, path: str, **headers: str) -> int:
        try:
            with urllib.request.urlopen(urllib.request.Request(address + path, headers=headers)) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    with running(place, "--host", "0.0.0.0", env={"LOOKALIKE_SERVICE__KEYS_FILE": str(file)}) as (_, address):
        similar, bearer = "/v1/products/D00001/similar", f"Bearer {text}"
        assert status(address, similar) == 401
        assert status(address, similar, Authorization=bearer, Host="shop.example") == 200
        assert status(address, "/metrics", Authorization=bearer) == 403
        revoke_key(file, key.id)
        sleep(1.5)
        assert status(address, similar, Authorization=bearer) == 401
    assert text not in place.with_suffix(".log").read_text()


@pytest.mark.parametrize(
    ("words", "keys", "says"),
    [
        (("--shop", "nowhere.db"), "", "nowhere.db"),
        (("--host", "203.0.113.1"), "false", "--host"),
        (("--host", "203.0.113.1"), "", "lookalike keys new"),
        (("--host", "127.0.0.1"), "true", "lookalike keys new"),
        (("--host", "127.0.0.1"), "perhaps", "service.require_keys"),
    ],
    ids=["no shop", "no such address", "no keys outside", "no keys where wanted", "no setting"],
)
def test_mistakes_get_an_error_and_a_remedy(
    tmp_path: Path, words: tuple[str, ...], keys: str, says: str
) -> None:
    command = [*COMMAND, "--port", "0", *words]
    env = {**os.environ, **({"LOOKALIKE_SERVICE__REQUIRE_KEYS": keys} if keys else {})}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 1, done.stderr
    assert "Error:" in done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "nowhere.db").exists()
