"""A finished run to read, made once."""

import pytest

from tests.support.synthetic_run import make_run


@pytest.fixture(scope="session")
def week(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "week", beat_s=300.0)
