"""The scorecard fits a terminal and holds every figure that applies."""

import io

from rich.console import Console

from twin.results.quantity import scorecard
from twin.results.run_folder import Run
from twin.results.terminal import summary_table


def test_every_figure_stands_in_eighty_or_a_hundred_columns(week):
    summary = Run.open(week).summary
    for width in (80, 100):
        out = io.StringIO()
        Console(file=out, width=width).print(summary_table(summary))
        text = " ".join(out.getvalue().split())
        for rows in scorecard(summary).values():
            for _, label, _ in rows:
                assert width < 100 or label in text, label
