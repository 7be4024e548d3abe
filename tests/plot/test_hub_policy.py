"""Who complies with the caps of computing hubs, and from which occupancy on."""

import pytest

from twin.errors import InputFileError
from twin.plot.hub_policy import Design, complying, draw, read_designs

TRIED = [
    Design("dry", occupancy, pue) for occupancy, pue in ((0.3, 1.24), (0.7, 1.22), (1.0, 1.19))
]
TRIED += [Design("wet", occupancy, pue) for occupancy, pue in ((0.3, 1.9), (0.7, 1.45), (1.0, 1.4))]


@pytest.mark.parametrize(
    ("plant", "cap", "expected"),
    [("dry", 1.25, [0.7, 1.0]), ("dry", 1.2, [1.0]), ("wet", 1.5, [0.7, 1.0]), ("wet", 1.3, [])],
)
def test_a_plant_complies_at_some_of_the_occupancies_tried(plant, cap, expected):
    assert complying(TRIED, plant, cap) == expected


def test_low_occupancy_never_complies_however_low_the_pue():
    assert not Design("dry", 0.59, 1.0).complies(1.5)


def test_the_figure_is_drawn(tmp_path):
    assert draw(TRIED, tmp_path).read_bytes().startswith(b"\x89PNG")


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(InputFileError, match="holds no finished run"):
        read_designs(tmp_path)
