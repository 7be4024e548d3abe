"""Contexts and configurations for the workload tests."""

import dataclasses
import importlib
from datetime import datetime
from pathlib import Path

import pytest
import yaml

from twin.config import parse
from twin.records import WorkloadContext
from twin.rng import rng_for

CONF = Path(__file__).resolve().parents[2] / "conf" / "workload"


def resolve(family, kind, path):
    module, name = kind.split(".")
    return getattr(importlib.import_module(f"twin.{family}.{module}"), name)


@pytest.fixture
def configured():
    """Return a workload of conf/workload with some keys replaced."""

    def build(name, **more):
        data = yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8")) | more
        return parse(resolve("workload", data["kind"], ""), data, "workload", resolve)

    return build


@pytest.fixture
def context():
    """Return a context: a week on 268 servers of 8 GPUs from a Monday, unless said otherwise."""

    def build(seed=0, days=7.0, **more):
        made = WorkloadContext(
            start=datetime(2023, 7, 3),
            duration_s=days * 86400,
            gpus=2144,
            gpus_per_server=8,
            gpu_peak_flops=312e12,
            rng=rng_for(seed),
        )
        return dataclasses.replace(made, **more)

    return build
