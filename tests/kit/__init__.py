"""The tests of the kit. They run in a rendered project: `tests/test_kit.py` copies them there."""
