"""The benchmark against RAPS runs, with and without a plant."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("cooling", ["off", "on"])
def test_a_list_of_jobs_is_simulated_in_a_process_of_its_own(cooling, tmp_path):
    jobs = tmp_path / "jobs.csv"
    jobs.write_text(
        "job_id,submit_s,nodes,runtime_s,limit_s,cpu_util,gpu_util\n"
        "0,30,2,120,600,0.1,0.9\n1,45,300,200,600,0.6,0.4\n"
    )
    options = {"starts": False, "cooling": cooling, "probe": False, "days": 0.01}
    words = ["--work", str(jobs), str(tmp_path / "run"), json.dumps(options)]
    (tmp_path / "run").mkdir()
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks/samework.py", *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    outcome = json.loads(done.stdout)
    assert outcome["done"] == 2.0
    assert outcome["residual"] < 1e-9
    assert 1.5 < outcome["mwh"] < 2.5  # an idle Frontier draws 7.3 MW, for a quarter of an hour
