"""Fixtures of the tests of sites."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from tests.support.weather import EpwWriter
from twin.config import parse
from twin.site.normals import NormalsSite

SITES = Path(__file__).resolve().parents[2] / "conf" / "site"


@pytest.fixture
def epw(tmp_path):
    return EpwWriter(tmp_path)


@pytest.fixture(scope="session")
def site_named():
    """Return a function that builds the site of ``conf/site/NAME.yaml``."""

    def build(name):
        data = OmegaConf.to_container(OmegaConf.load(SITES / f"{name}.yaml"))
        return parse(NormalsSite, data, "site")

    return build
