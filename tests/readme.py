"""The README, the two commands of its quick start, and what it says of the second."""

import re

from hooks.rendering import ROOT

TEXT = (ROOT / "README.md").read_text("utf-8")
START, TEST = re.findall(r"^```sh\n(.*)\n```$", TEXT, re.MULTILINE)
(START_WITH_UV,) = re.findall(r"`(uvx .+)`", TEXT)
(ABOUT_TESTS,) = re.findall(r"^(The tests of this .*):$", TEXT, re.MULTILINE)
