"""A site that knows its weather from a file alone."""

from datetime import datetime

import numpy as np
import pytest

from tests.support.weather import BEIJING, beijing
from twin.config import parse
from twin.errors import ConfigError
from twin.site.recorded import RecordedSite

NORMALS = (
    "monthly_mean_c",
    "monthly_rh_percent",
    "daily_range_k",
    "scatter_k",
    "summer_scatter_k",
)
PLACE = {key: value for key, value in BEIJING.items() if key not in NORMALS}
START = datetime(2023, 7, 3)


def test_it_reads_what_a_site_with_normals_reads(epw):
    path = epw.write(epw.rows())
    recorded = RecordedSite(**PLACE | {"weather_path": path, "climate_shift_k": 2.0})
    other = beijing(weather_path=path, climate_shift_k=2.0)
    one, two = (site.weather(START, 86400.0, lambda _: None) for site in (recorded, other))
    assert np.array_equal(one.drybulb_c, two.drybulb_c)
    assert np.array_equal(one.wetbulb_c, two.wetbulb_c)


def test_without_a_file_it_is_refused():
    with pytest.raises(ConfigError, match=r"site\.weather_path: is required"):
        parse(RecordedSite, {}, "site")
