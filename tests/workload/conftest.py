"""Contexts and configurations for the workload tests."""

import dataclasses
import importlib
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
import yaml

from twin.config import parse
from twin.gpu.air_server import AirServer
from twin.records import Hardware, WorkloadContext
from twin.rng import rng_for

CONF = Path(__file__).resolve().parents[2] / "conf" / "workload"


def gpu(name):
    """Return the server of conf/gpu."""
    path = CONF.parent / "gpu" / f"{name}.yaml"
    return parse(AirServer, yaml.safe_load(path.read_text(encoding="utf-8")), "gpu")


def hardware(server):
    """Return what a service may know of a facility of such servers."""
    return Hardware(
        memory_bytes=server.memory_bytes,
        memory_bytes_per_s=server.memory_bytes_per_s,
        domain_gpus=8,
        domain_bytes_per_s=450e9,
        fabric_bytes_per_s=50e9,
        storage_bytes_per_s=1e12,
        gpu_power_w=server.gpu_power_w,
        link_fraction=server.link_fraction,
        exchange_s=server.exchange_us * 1e-6,
        attention_s=server.attention_us * 1e-6,
    )


A100, H100 = gpu("a100"), gpu("h100")


def resolve(family, kind, path):
    module, name = kind.split(".")
    return getattr(importlib.import_module(f"twin.{family}.{module}"), name)


def parse_conf(name, **more):
    """Return a workload of conf/workload with some keys replaced."""
    data = yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8")) | more
    return parse(resolve("workload", data["kind"], ""), data, "workload", resolve)


@pytest.fixture
def configured():
    """Return what makes a workload of conf/workload with some keys replaced."""
    return parse_conf


@pytest.fixture
def context():
    """Return a context: a week on 268 servers of 8 A100 from a Monday, unless said otherwise."""

    def build(seed=0, days=7.0, **more):
        made = WorkloadContext(
            start=datetime(2023, 7, 3),
            duration_s=days * 86400,
            gpus=2144,
            gpus_per_server=8,
            gpu_peak_flops=A100.peak_flops,
            rng=rng_for(seed),
            hardware=hardware(A100),
        )
        return dataclasses.replace(made, **more)

    return build


@pytest.fixture
def on_h100(context):
    """Return a context on H100s."""

    def build(**more):
        more = {"gpus": 256, "hardware": hardware(H100), **more}
        return context(gpu_peak_flops=H100.peak_flops, **more)

    return build


def fleet(**more):
    """Return a chat service of ten replicas of four GPUs."""
    settings = {"replicas": 10, "requests_per_s": 50.0, "noise_fraction": 0.1}
    return replace(parse_conf("llm_serving"), **(settings | more))


@pytest.fixture
def decode(on_h100):
    """Return what one of its replicas does on H100s."""
    return fleet().decode(on_h100())
