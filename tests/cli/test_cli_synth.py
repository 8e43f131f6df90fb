from pathlib import Path

import pytest
from click.testing import CliRunner

from face3d_data.cli.main import main
from face3d_data.cli.synth import TAUGHT_SEED, command
from face3d_data.yaml_file import read_yaml


def test_synth_writes_the_layout_and_says_how_to_read_it(tmp_path):
    out = tmp_path / "people"
    done = CliRunner().invoke(
        command, [str(out), "--people", "1", "--captures", "1", "--width", "96", "--height", "72", "-j1"]
    )
    assert done.exit_code == 0, done.output
    assert "1 person x 1 capture" in done.output
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()) == [
        "intrinsics.json",
        "person_000/capture_00_color.png",
        "person_000/capture_00_depth.png",
        "person_000/landmarks.json",
        "synthetic.json",
    ]


def test_a_folder_with_other_things_exits_2_with_one_line(tmp_path, capsys):
    (tmp_path / "a").write_text("")
    with pytest.raises(SystemExit) as stopped:
        main(["synth", str(tmp_path)])
    assert stopped.value.code == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert "is not empty and was not written by `face3d synth`: use another folder" in said[0]


def test_people_who_taught_the_packaged_network_are_named(tmp_path):
    source = read_yaml(Path(__file__).parents[2] / "pipelines" / "recognition.yaml", "a pipeline")["sources"]["own"]
    assert source["seed"] == TAUGHT_SEED
    small = ["--people", "1", "--captures", "1", "--width", "32", "--height", "24", "-j", "1"]
    for seed, noted in ((TAUGHT_SEED, True), (TAUGHT_SEED + 1, False)):
        done = CliRunner().invoke(command, [str(tmp_path / str(seed)), *small, "--seed", str(seed)])
        assert done.exit_code == 0, done.output
        assert ("taught the network that comes with the package" in done.output) is noted
