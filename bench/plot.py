"""The outcome as one SVG: throughput over the tutorial's, and what a deep page costs."""

from collections.abc import Iterator
from math import log10
from statistics import median

from bench.report import PLACES, Record, Records, ratios, select

COLOURS = {"service": "#1f77b4", "tutorial": "#d62728", "limit": "#7f7f7f"}
WIDTH, HEIGHT = 860, 340
TOP, BOTTOM = 50, 280

HEAD = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
    ' font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
)


def plot(records: Records) -> str:
    return "\n".join([HEAD, *_bars(records["loads"]), *_lines(records["depths"]), "</svg>\n"])


def _text(x: float, y: float, text: str, anchor: str = "middle", size: int = 12) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" font-size="{size}">{text}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str = "black") -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"'
        ' stroke-width="1.5"/>'
    )


def _bars(loads: list[Record]) -> Iterator[str]:
    """Bars from zero, each with the range of its rounds."""
    spreads = {
        (operation, place): ratios(
            select(loads, operation=operation, place=place), "rate", "tutorial"
        )
        for operation in dict.fromkeys(record["operation"] for record in loads)
        for place in ("near", "far")
    }
    scale = (BOTTOM - TOP) / max(1.0, *(spread.greatest for spread in spreads.values()))
    yield _text(200, 24, "Throughput, service ÷ tutorial", size=14)
    yield _line(40, BOTTOM - scale, 370, BOTTOM - scale, "#bbbbbb")
    yield _text(34, BOTTOM - scale + 4, "1", "end")
    for index, ((operation, place), spread) in enumerate(spreads.items()):
        x, colour = 50 + index * 54, "#9ecae1" if place == "near" else COLOURS["service"]
        top = BOTTOM - spread.middle * scale
        yield (
            f'<rect x="{x}" y="{top:.1f}" width="38" height="{BOTTOM - top:.1f}" fill="{colour}"/>'
        )
        yield _line(x + 19, BOTTOM - spread.least * scale, x + 19, BOTTOM - spread.greatest * scale)
        yield _text(x + 19, BOTTOM + 16, operation)
        yield _text(x + 19, BOTTOM + 32, PLACES[place], size=10)
        yield _text(x + 19, BOTTOM - 6, f"{spread.middle:.1f}")


def _lines(depths: list[Record]) -> Iterator[str]:
    """Milliseconds of the deepest page by the number of tasks, both logarithmic."""
    deepest = select(depths, page="deepest")
    times = [log10(record["p50"] * 1000) for record in deepest]
    sizes = sorted({record["size"] for record in deepest})
    low, high = min(times), max(*times, min(times) + 0.1)
    step = 320 / max(1, len(sizes) - 1)
    yield _text(640, 24, "The deepest page of 50, by number of tasks", size=14)
    for tick in range(int(low) - 1, int(high) + 2):
        if low <= tick <= high:
            y = BOTTOM - (tick - low) / (high - low) * (BOTTOM - TOP)
            yield _line(470, y, 800, y, "#dddddd")
            yield _text(464, y + 4, f"{10.0**tick:g} ms", "end")
    for index, size in enumerate(sizes):
        yield _text(480 + index * step, BOTTOM + 16, f"{size:,}")
    for number, (app, colour) in enumerate(COLOURS.items()):
        points = []
        for index, size in enumerate(sizes):
            took = log10(median(r["p50"] for r in select(deepest, app=app, size=size)) * 1000)
            y = BOTTOM - (took - low) / (high - low) * (BOTTOM - TOP)
            points.append(f"{480 + index * step:.1f},{y:.1f}")
        yield (
            f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}"'
            ' stroke-width="2.5"/>'
        )
        yield _line(500 + number * 100, 318, 520 + number * 100, 318, colour)
        yield _text(526 + number * 100, 322, app, "start")
