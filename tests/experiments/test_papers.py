"""Tables 2 to 4 of the paper, from what the tools leave."""

import json

import pytest
import tool_runner

from sa3dhp.errors import InputError
from sa3dhp.experiments import papers
from sa3dhp.systems.relation_distillation import config as configs


def _write(folder, name, result):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(result), encoding="utf-8")


@pytest.fixture
def workdir(tmp_path):
    """As the commands of two headers leave it."""
    both = {
        "source_only": {"mpjpe": 210.0, "pa_mpjpe": 120.0, "pck": 40.0},
        "adapted": {"mpjpe": 99.5, "pa_mpjpe": 88.0, "pck": 80.0},
        "command": "python tools/adapt.py --config=configs/s2h.yaml",
        "commit": "abc",
    }
    _write(tmp_path / "s2h/adapted", "result.json", {**both, "protocol": "h36m_p2"})
    target = tmp_path / "s2w/adapted"
    _write(target, "result.json", {**both, "protocol": "mpi_inf_3dhp"})
    again = {"protocol": "3dpw_smpl", "overall": {"pa_mpjpe": 85.25}}
    _write(target, "3dpw_smpl.json", again)
    return tmp_path


def test_each_row_has_its_runs_numbers_and_the_papers(workdir):
    text = papers.run(workdir)
    lines = text.splitlines()
    assert "| S -> H | h36m_p2 | 120.0 -> 88.0 (86.2) | 210.0 -> 99.5 (97.8) |" in lines
    assert "| S -> H, Semi | not run | (48.2) | (57.6) |" in lines
    row = "| S -> W | mpi_inf_3dhp | 40.0 -> 80.0 (79.1) | (43.4) |"
    assert any(line.startswith(row) for line in lines)
    assert "| S -> W | 3dpw_smpl | 85.2 (79.3) |" in lines
    assert "* S -> H: `python tools/adapt.py --config=configs/s2h.yaml`" in text
    found = json.loads((workdir / "papers.json").read_text(encoding="utf-8"))
    assert len(found["rows"]) == sum(len(t.lines) for t in papers.TABLES)
    assert (workdir / "papers.md").read_text(encoding="utf-8") == text


def test_every_row_is_a_setting_whose_card_the_table_takes():
    for table in papers.TABLES[:2]:
        for line in table.lines:
            config = configs.load(_path(line.setting))
            assert config.data.evaluation_card.startswith(table.cards)


def _path(name):
    from sa3dhp import files

    return files.find(f"configs/{name}.yaml")


def test_nothing_to_show_names_what_is_missing(tmp_path):
    with pytest.raises(InputError, match="finished runs of the paper's settings"):
        papers.run(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_damaged_result_is_named(workdir):
    (workdir / "s2h/adapted/result.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"s2h/adapted/result.json: expected the res"):
        papers.run(workdir)


def test_the_tool_prints_the_tables(workdir, tmp_path):
    done = tool_runner.run(
        "reproduce", "--table=papers", f"--workdir={workdir}", cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        "| S -> H | h36m_p2 |" in done.stdout and "papers.json and .md" in done.stdout
    )
