"""Two runs are the same run when configuration, code and input files are."""

from twin.identity import code_hash, identity


def test_identity_ignores_order_and_output():
    one = {"clock": {"seed": 1, "start": "x"}, "output": {"plots": True}}
    two = {"output": {"plots": False}, "clock": {"start": "x", "seed": 1}}
    assert identity(one) == identity(two)


def test_identity_follows_every_value():
    assert identity({"clock": {"seed": 1}}) != identity({"clock": {"seed": 2}})


def test_identity_follows_the_content_of_input_files(tmp_path):
    trace = tmp_path / "trace.csv"
    config = {"workload": {"streams": [{"path": str(trace)}]}}
    trace.write_text("a")
    before = identity(config)
    trace.write_text("b")
    assert identity(config) != before


def test_the_hash_of_the_code_is_stable():
    assert code_hash() == code_hash()
