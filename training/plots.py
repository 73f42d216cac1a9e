"""The training log: a line of JSON at a time, and a picture of it with losses above, what was watched below."""

from __future__ import annotations

import json
import logging
from pathlib import Path

log = logging.getLogger(__name__)


def write_line(out: Path, line: dict[str, object]) -> None:
    """Append a line to the log in folder `out`, and show it."""
    text = json.dumps(line)
    log.info("%s", text)
    with (out / "log.jsonl").open("a") as file:
        file.write(text + "\n")


def plot_log(path: Path, out: Path) -> None:
    """Draw every number of a log over its steps."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    figure, (above, below) = pyplot.subplots(2, 1, figsize=(8, 8), sharex=True, layout="constrained")
    for axes, chosen, title in (
        (above, [line for line in lines if "text" in line and "step" in line], "losses of the first stage"),
        (below, [line for line in lines if "watched" in line and "step" in line], "watched products"),
    ):
        for name in (name for name in (chosen[0] if chosen else ()) if name not in UNDRAWN):
            axes.plot([line["step"] for line in chosen], [line[name] for line in chosen], label=name)
        axes.set_title(title)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    below.set_xlabel("step")
    figure.savefig(out, dpi=110)
    pyplot.close(figure)


UNDRAWN = ("step", "lr", "scale", "steps_per_s", "watched")
