"""The tables of docs/reliability.md, made from the figures; the prose around them is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from reliability.figures import load
from reliability.fuzz.targets import TARGETS

PAGE = Path(__file__).resolve().parent.parent / "docs/reliability.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
MEMORY_LIMIT_MIB = 2.0
NOT_RUN = "Not run yet."
# In a short soak, a pool of threads that fills and modules that load look like a leak.
LONG_ENOUGH = 200
GROWING_AT_FIRST = ("threads",)


def write(page: Path, results: Path) -> None:
    """Write the page with the tables of the present figures."""
    page.write_text(renewed(page.read_text(encoding="utf-8"), results), encoding="utf-8")


def renewed(text: str, results: Path) -> str:
    """Return the page's text with the tables of these figures."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    sections = [
        f"### {title}\n\n{_section(table, load(results, part))}" for part, title, table in SECTIONS
    ]
    return f"{before}{BEGIN}\n\n" + "\n\n".join(sections) + f"\n\n{END}{after}"


def verdicts(part: str, content: Any) -> list[str]:
    """Return what a part's figures do not reach, a line each."""
    if content is None:
        return [f"{part} has no figures"]
    return JUDGES[part](content)


def _section(table: Callable[[Any], str], content: Any) -> str:
    return NOT_RUN if content is None else table(content)


def _origin(content: Any) -> str:
    minutes = max(1, round(content["seconds"] / 60))
    return f"{content['date']}, seed {content['seed']}, {minutes} minutes on {content['machine']}."


def _kill_table(content: Any) -> str:
    figures = content["figures"]
    points = figures["points"]
    clean = sum(len(point["seconds"]) - len(point["unclean"]) for point in points)
    total = sum(len(point["seconds"]) for point in points)
    rows = [
        (
            point["title"],
            str(len(point["seconds"])),
            str(len(point["seconds"]) - len(point["unclean"])),
            str(len(_seen(point))),
            _milliseconds(_seen(point)),
            _milliseconds(point["seconds"]),
        )
        for point in points
    ]
    return "\n\n".join(
        [
            _origin(content),
            f"{clean} of {total} rounds were clean within {figures['limit']:g} s, "
            f"{figures['lanes']} rounds at a time. Beside each lived a run with a VM of the same "
            "name, which was asked after each round and had lost nothing.",
            _table(
                (
                    "killed when",
                    "rounds",
                    "clean",
                    "QEMU seen",
                    "it is gone: median, most",
                    "all is gone",
                ),
                rows,
            ),
        ]
    )


def _seen(point: Any) -> list[float]:
    """Return when QEMU was gone, in the rounds in which it still ran after the kill."""
    return [seconds for seconds in point["qemu"] if seconds]


def _milliseconds(seconds: Sequence[float | None]) -> str:
    known = [value for value in seconds if value is not None]
    if not known:
        return "-"
    return f"{median(known) * 1000:.0f} ms, {max(known) * 1000:.0f} ms"


def _soak_table(content: Any) -> str:
    figures = content["figures"]
    mix = ", ".join(
        f"{number} {KINDS[kind]} ({figures['seconds'][kind]:g} s each)"
        for kind, number in figures["mix"].items()
    )
    ends = ", ".join(f"{number} by {end}" for end, number in sorted(figures["ends"].items()))
    rows = [
        (key, str(item["first"]), str(item["last"]), f"{item['least']} to {item['most']}")
        for key, item in figures["flat"].items()
    ]
    rows += [
        (
            f"{key}, KiB",
            str(item["first"]),
            str(item["last"]),
            f"{item['per_cycle']:+.2f} KiB a cycle",
        )
        for key, item in figures["memory"].items()
    ]
    return "\n\n".join(
        [
            _origin(content),
            f"{figures['cycles']} cycles in one process: {mix}. They ended {ends}. The first tenth "
            "is left out below: modules load and caches fill.",
            _table(("after each cycle", "first", "last", "least to most, or slope"), rows),
        ]
    )


KINDS = {
    "process": "machines without a guest",
    "clone": "clones as far as the agent",
    "cold": "cold boots as far as the SSH login",
}


def _parallel_table(content: Any) -> str:
    figures = content["figures"]
    rows = [
        (
            NAMES[key],
            str(item["vms"]),
            f"{item['seconds']:g} s",
            str(len(item["failures"])),
            str(len(item["left"])),
        )
        for key, item in figures.items()
    ]
    heads = ("side by side", "VMs", "took", "collisions", "left behind")
    return f"{_origin(content)}\n\n{_table(heads, rows)}"


NAMES = {
    "pabot": "8 pabot workers, the same suite and names",
    "runs": "2 runs of robot, the same suite and names",
}


def _fuzz_table(content: Any) -> str:
    rows = [
        (
            item["target"],
            f"{item['executions']:,}",
            f"{item['seconds'] / 3600:.1f} h",
            str(item["crashes"]),
            str(item["seed"]),
            item["date"],
        )
        for item in content
    ]
    return _table(("target", "inputs", "CPU time", "findings left", "seed", "date"), rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _judge_kill(content: Any) -> list[str]:
    return [
        f"killed when {point['title']}: round {item['round']}: "
        + "; ".join([*item["left"], *item["harm"]])
        for point in content["figures"]["points"]
        for item in point["unclean"]
    ]


def _judge_soak(content: Any) -> list[str]:
    figures = content["figures"]
    is_long = figures["cycles"] >= LONG_ENOUGH
    missed = [
        f"{key} went from {item['first']} to {item['last']}"
        for key, item in figures["flat"].items()
        if item["last"] > item["first"] and (is_long or key not in GROWING_AT_FIRST)
    ]
    for key, item in figures["memory"].items():
        growth = item["per_cycle"] * figures["cycles"] / 1024
        if is_long and growth > MEMORY_LIMIT_MIB:
            missed.append(f"{key} grew by {growth:.1f} MiB, {MEMORY_LIMIT_MIB:g} are allowed")
    missed += figures["left_at_the_end"]
    return missed + ["a cycle failed, see above"] * bool(figures["exit_code"])


def _judge_parallel(content: Any) -> list[str]:
    return [
        text for item in content["figures"].values() for text in item["failures"] + item["left"]
    ]


def _judge_fuzz(content: Any) -> list[str]:
    found = [f"fuzz target {item['target']} has findings" for item in content if item["crashes"]]
    missing = TARGETS.keys() - {item["target"] for item in content}
    return found + [f"fuzz target {target} was not run to its end" for target in sorted(missing)]


SECTIONS = (
    ("kill", "Runs that are killed", _kill_table),
    ("soak", "Many starts in one run", _soak_table),
    ("parallel", "Runs side by side", _parallel_table),
    ("fuzz", "Malformed input", _fuzz_table),
)
JUDGES: dict[str, Callable[[Any], list[str]]] = {
    "kill": _judge_kill,
    "soak": _judge_soak,
    "parallel": _judge_parallel,
    "fuzz": _judge_fuzz,
}
