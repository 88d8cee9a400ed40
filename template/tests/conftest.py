"""What the tests need to know about this service. Fixtures: kit/src/kit/testing/fixtures.py."""

from collections.abc import Callable

import pytest

pytest_plugins = ["kit.testing.fixtures"]


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The settings of the tests, without DATABASE_URL. Add your required settings here."""
    # A failed test shows its log. With "info", that is each request, in two forms.
    return {"USER_ID_HEADER": "X-User-ID", "LOG_LEVEL": "warning"}


@pytest.fixture(scope="session")
def credentials() -> Callable[[str], dict[str, str]]:
    """Who is calling: returns the headers of a user. `alice.user_id` is such a user."""
    return lambda user_id: {"X-User-ID": user_id}
