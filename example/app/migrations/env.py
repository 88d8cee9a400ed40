"""Alembic's environment: the kit's, with the models of this service."""

from kit.migrations import run

import app.resources  # noqa: F401 - brings every resource's tables

run()
