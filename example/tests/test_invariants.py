"""What holds for every route, table and migration: see kit/src/kit/testing/invariants.py."""

from kit.testing.invariants import *  # noqa: F403
