"""The README, and the two commands of its quick start."""

import re

from hooks.rendering import ROOT

TEXT = (ROOT / "README.md").read_text("utf-8")
START, TEST = re.findall(r"^```sh\n(.*)\n```$", TEXT, re.MULTILINE)
(START_WITH_UV,) = re.findall(r"`(uvx .+)`", TEXT)
