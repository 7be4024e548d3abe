"""Ranks that divide the work, and those that do not."""

import pytest

from twin.errors import ParameterError
from twin.physics.training.layout import Layout


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch": 100}, r"batch=100: must be a multiple of data x micro_batch = 8"),
        ({"expert": 3}, r"expert=3: must be a divisor of data=8"),
        ({"tensor": 0}, r"tensor=0: must be >= 1"),
        ({"pipeline": 3, "both_ways": True}, r"pipeline=3: must be even where both_ways is true"),
        (
            {"virtual_stages": 2, "both_ways": True},
            r"virtual_stages=2: must be 1 where both_ways is true",
        ),
    ],
)
def test_parallelism_that_does_not_divide_is_refused(changes, message):
    with pytest.raises(ParameterError, match=message):
        Layout(**{"tensor": 8, "pipeline": 8, "data": 8, "batch": 64, **changes})
