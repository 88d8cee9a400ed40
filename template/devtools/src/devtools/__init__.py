"""What `uv run dev` and the tests need and production must not have."""

import sys

if sys.platform == "win32":
    raise SystemExit("This needs Linux or macOS: on Windows, run it in WSL.")
