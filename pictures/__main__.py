"""Draw the pictures of the documentation: run a rendered project, and show what it shows.

Wants Chromium, and looks best with Noto: on Debian, the packages chromium, fonts-noto-core and
fonts-noto-mono.
"""

import argparse
import sys

from hooks.rendering import ROOT, leave_git_hook
from pictures.session import session
from pictures.swagger import picture
from pictures.terminal import draw


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m pictures", description=__doc__)
    parser.add_argument("--browser", default="chromium", help="the command of Chromium")
    browser: str = parser.parse_args().browser
    leave_git_hook()
    with session() as running:
        (ROOT / "docs/terminal.svg").write_text(draw(running.panes()), "utf-8")
        (ROOT / "docs/swagger.png").write_bytes(picture(running.server.url, browser))
    return 0


if __name__ == "__main__":
    sys.exit(main())
