"""Every example answers its question, in an empty folder, and is short enough to be read."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
MOST_LINES = 40


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_answers_its_question_for_the_first_of_its_designs(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, value in vars(module).items():
        if isinstance(value, tuple):
            monkeypatch.setattr(module, name, value[:1])
    module.main(0.02)
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert not any("nan" in line for line in lines)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_is_short_says_its_question_and_stands_in_the_documentation(path):
    text = path.read_text(encoding="utf-8")
    first, _, command = text.splitlines()[:3]
    assert first.startswith('"""')
    assert command == f"python examples/{path.name} [DAYS]"
    assert len(text.splitlines()) <= MOST_LINES
    assert f"`{path.name}`" in (ROOT / "docs" / "library.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_runs_as_its_first_lines_say(path, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path), "0.02"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
