"""What `uv run dev` and the tests need and production must not have."""

import sys

if sys.platform == "win32":
    raise SystemExit(
        "devtools need Linux, macOS or WSL: here, set DATABASE_URL, then run"
        " `uv run alembic upgrade head` and `uv run uvicorn app.main:app --reload`."
    )
