"""A terminal as SVG: dark in light and dark mode, and drawn with the reader's own fonts."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from pictures.session import CUT, Entry

COLUMNS = 88
CHARACTER, ROW = 8.43, 20  # pixels, of a font of 14 pixels
MARGIN, GAP, BAR = 20, 12, 40
WIDTH = round(COLUMNS * CHARACTER + 2 * MARGIN)

FONTS = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"
DOTS = ("#ff5f57", "#febc2e", "#28c840")
BACKGROUND, BORDER = "#161b22", "#30363d"
PROMPT, COMMAND, OUTPUT, FAINT = "#3fb950", "#f0f6fc", "#adbac7", "#6e7681"


def draw(panes: Iterable[Sequence[Entry]]) -> str:
    y, body = BAR, list[str]()
    for pane in panes:
        body.append(_line(y))
        y += GAP
        for entry in pane:
            for row in _rows(entry):
                y += ROW
                body.append(f'<text x="{MARGIN}" y="{y - 5}" xml:space="preserve">{row}</text>')
            y += GAP
    return "\n".join([*_window(y), *body, "</svg>\n"])


def _window(height: int) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        f' width="{WIDTH}" height="{height}" font-family="{FONTS}" font-size="14">'
    )
    yield (
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="10"'
        f' fill="{BACKGROUND}" stroke="{BORDER}"/>'
    )
    for number, colour in enumerate(DOTS):
        yield f'<circle cx="{MARGIN + 4 + 20 * number}" cy="{BAR // 2}" r="6" fill="{colour}"/>'


def _line(y: int) -> str:
    return f'<path d="M1 {y}.5H{WIDTH - 1}" stroke="{BORDER}"/>'


def _rows(entry: Entry) -> Iterator[str]:
    first, *others = entry.command.splitlines()
    yield _span("$ ", PROMPT) + _span(first, COMMAND)
    yield from (_span(line, COMMAND) for line in others)
    for line in entry.output.rstrip().splitlines():
        yield from (_span(part, FAINT if part == CUT else OUTPUT) for part in _folded(line))


def _folded(line: str) -> Iterator[str]:
    """Broken after a comma, where JSON is easiest to read."""
    while len(line) > COLUMNS:
        end = line.rfind(",", 0, COLUMNS) + 1 or COLUMNS
        yield line[:end]
        line = line[end:]
    yield line


def _span(text: str, colour: str) -> str:
    return f'<tspan fill="{colour}">{escape(text, quote=False)}</tspan>'
