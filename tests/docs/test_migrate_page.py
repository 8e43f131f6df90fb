"""docs/migrate.md: each of its commands runs, on tiny data and small networks, and the options it names are there.

All commands are run in this process, so that nothing is imported twice.
"""

from __future__ import annotations

import re
import shlex
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from click import Context
from click.testing import CliRunner
from pages import blocks, page, run_python
from PIL import Image

from face3d_data.cli.main import face3d
from face3d_data.registry import find
from face3d_data.synthetic.write import write_people
from face3d_training.checkpoint import build_spec
from face3d_training.config import TrainConfig, load_config
from face3d_training.published_networks import published_network
from face3d_training.registry import make_spec, specs
from face3d_training.speed import measure_cost

PAGE = page("docs/migrate.md")
SMALLER = {
    "name: pointmlp_elite,": "name: pointmlp_elite8,",
    "n_points: 2048": "n_points: 192",
    "--n-points 2048": "--n-points 192",
    "per_epoch: 3200": "per_epoch: 8",
    "identities: 32, samples: 1": "identities: 2, samples: 2",
    "--triplets 3200 --identities 32 --batch 32": "--triplets 8 --identities 2 --batch 4",
    "accumulate: 4": "accumulate: 1",
    "identities: 16, samples: 8": "identities: 2, samples: 2",
    "size: 128": "size: 4",
    "size: 16}": "size: 4}",
    "IR_50": "MobileNet_V2",
    "name: ir50": "name: mobilenet_v2",
    "name: resnet50": "name: mobilenet_v2",
    "{name: lpd,": "{name: mobilenet_v2,",
    "loss: {lpd: {}}": "loss: {softmax: {}}",
    "image_size_px: 224": "image_size_px: 32",
    "image_size_px: 112": "image_size_px: 32",
    "image_size_px: 128": "image_size_px: 32",
    "--config rgb_triplet": "--config rgb_triplet --model mobilenet_v2 --data.image-size 32 --batch.identities 2 "
    "--batch.samples 2 --batch.accumulate 1 --triplets.per-epoch 4",
    "--data.image-size 140": "--data.image-size 32",
    "--data.image-size 112": "--data.image-size 32",
    "train: 0.7, eval: 0.1, test: 0.2": "train: 0.5, test: 0.5",
    "train: 0.8, eval: 0.1, test: 0.1": "train: 0.5, test: 0.5",
    "{folds: 10, per_fold: 200}": "{folds: 1, per_fold: 1}",
    "--min-captures 10": "--min-captures 2",
    "--folds 10": "--folds 2",
    "detect crop": "detect --min-face 40 crop",
}
"""Sizes and networks of the page, and what they are here."""
MORE = {
    "train": "--epochs 1",
    "evaluate": "--resamples 2 --no-baseline",
    "run": "--engine serial",
    "chain": "--engine serial",
}
"""Options that each run of a command gets here, before its own."""


def smaller(text):
    """Return a piece of the page for tiny data."""
    for size, here in SMALLER.items():
        text = text.replace(size, here)
    return text


def commands(block):
    """Yield the commands of a block as lists of words, `NAME=VALUE` before them among these."""
    for line in block.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words:
            yield words


def write_clouds(folder, people, captures):
    """Write clouds of 192 points as `<name>/<id>.ply`."""
    rng = np.random.default_rng(len(people))
    head = "ply\nformat ascii 1.0\nelement vertex 192\n"
    head += "".join(f"property float {axis}\n" for axis in "xyz") + "end_header\n"
    for name in people:
        (folder / name).mkdir(parents=True)
        for number in range(captures):
            rows = rng.normal(size=(192, 3)) * [50, 60, 20]
            text = "\n".join(" ".join(f"{value:.2f}" for value in row) for row in rows)
            (folder / name / f"125_0_0_{number}.ply").write_text(f"{head}{text}\n")


def write_photographs(folder):
    """Write synthetic people as photographs, as colour and depth, as LFW and as query and gallery."""
    list(write_people(folder / "made", 4, 2, 5, 160, 120, 1))
    for number, person in enumerate(sorted(path for path in (folder / "made").iterdir() if path.is_dir())):
        for i, file in enumerate(sorted(person.glob("*_color.png"))):
            image = Image.open(file)
            small = image.resize((112, 112))
            depth = np.asarray(Image.open(file.with_name(file.name.replace("_color", "_depth"))))
            role = "query" if i else "gallery"
            for path, picture in (
                (f"photos/{person.name}/{i}.png", image),
                (f"vggface3/{person.name}/{i}.png", image),
                (f"vggface3/{person.name}/{i}_darker.png", image.point(lambda value: 0.8 * value)),
                (f"lfw_112/lfw_{number}/lfw_{number}_{i + 1:04d}.png", small),
                (f"test/{role}/{number}/{i}.png", small),
            ):
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                picture.save(folder / path)
            for name in (f"{i}.npy", f"{i}_darker.npy"):
                np.save(folder / "vggface3" / person.name / name, depth)
    lines = ["2\t1", *(f"lfw_{a}\t1\t2\nlfw_{a}\t1\tlfw_{a + 1}\t2" for a in (0, 2))]
    (folder / "lfw_112" / "pairs.txt").write_text("\n".join(lines) + "\n")


def write_networks(folder):
    """Write checkpoints as the programs write them."""
    torch.manual_seed(0)
    for path, name in (("pointMLPEliteTriplet_18", "pointMLPElite8Triplet"), ("model_resnet34_triplet", "mobilenetv2")):
        network = published_network(name, "")
        spec = make_spec("model", network.name, network.options)
        state = spec.build().state_dict()
        state = {f"model.{key}": value for key, value in state.items()} if name == "mobilenetv2" else state
        content = {"epoch": 18, "model_state_dict": state, "model_architecture": name, "embedding_dimension": 512}
        content |= {"batch_size_training": 32, "best_distance_threshold": np.mean([0.9, 1.1])}
        (folder / "old").mkdir(exist_ok=True)
        torch.save(content, folder / "old" / f"{path}.pt")
    (folder / "pth").mkdir()
    net = make_spec("model", "mobilenet_v2", {}).build()
    torch.save({f"module.{key}": value for key, value in net.state_dict().items()}, folder / "pth/MobileNet_V2.pth")


def draw_triplets(path, dataset):
    """Draw triplets as the trainers do: from a CSV of their own, of names of files and of folders."""
    table = pd.read_csv(dataset / "train.csv", dtype=str)
    files = [sample_id.split("/")[1:] for sample_id in table["sample_id"]]
    folders = [(f"{who}_masked", name.removeprefix("masked_")) if name.startswith("masked_") else (who, name)
               for who, name in files]  # fmt: skip
    people = sorted({who for who, _ in folders})
    of = {who: [name for other, name in folders if other == who] for who in people}
    one, other = (who for who in people if not who.endswith("_masked"))
    rows = [
        [*of[a][:2], of[b][0], people.index(a), people.index(b), a, b]
        for a, b in ((one, other), (other, one), (one, f"{one}_masked"))
        if b in of
    ]
    path.parent.mkdir(parents=True)
    np.save(path, np.array(rows))


def draw_nothing(figure, target, **options):
    """Write an empty picture in place of a figure."""
    if isinstance(target, str | Path):
        Path(target).write_bytes(b"")


def run_here(words):
    """Run a command of the page in this process; return what it printed."""
    environment = dict(word.split("=", 1) for word in words if words.index(word) < words.index("face3d"))
    name, *arguments = words[words.index("face3d") + 1 :]
    if "--triplets" in arguments and name == "train":
        draw_triplets(Path(arguments[arguments.index("--triplets") + 1]), Path("work/datasets") / arguments[0])
    done = CliRunner().invoke(face3d, [name, *shlex.split(MORE.get(name, "")), *arguments], env=environment)
    assert done.exit_code == 0, f"{shlex.join(words)}\n{done.output[-3000:]}\n{done.exception}"
    return done.output


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """What each command printed, by its name and first argument; and the folder."""
    folder = tmp_path_factory.mktemp("migrate")
    said, space = {}, {"__name__": "page"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        # What takes longest and is tested elsewhere: figures, and the time that a network takes.
        patch.setattr("matplotlib.figure.Figure.savefig", draw_nothing)
        patch.setattr("face3d_training.evaluation.run.measure_cost", partial(measure_cost, batch_sizes=(1,), seconds=0))
        write_clouds(folder / "data" / "train_file", [f"10{i}{worn}" for i in range(4) for worn in ("", "_masked")], 2)
        write_clouds(folder / "data" / "test_file", ["201", "202", "201_masked", "202_masked"], 2)
        pairs = ["201 125_0_0_0 125_0_0_1", "201 125_0_0_0 202_masked 125_0_0_0"]
        pairs += [line.replace("201", "x").replace("202", "201").replace("x", "202") for line in pairs]
        Path("data/Bosphorus_pair.txt").write_text("\n".join(pairs).replace(" ", "\t") + "\n")
        write_photographs(folder)
        write_networks(folder)
        for block in blocks(smaller(PAGE)):
            if block.name:
                Path(block.name).write_text(block.text)
            elif block.language == "python":
                run_python(block.text, folder, space)
            elif block.language == "sh":
                said |= {shlex.join(words): run_here(words) for words in commands(block)}
    return said, folder


def printed(said, beginning):
    """Return what the only command that begins so printed."""
    (found,) = (text for command, text in said.items() if command.startswith(beginning))
    return found


@pytest.mark.slow
def test_every_command_runs_and_does_what_theirs_did(followed):
    said, folder = followed
    assert "8 samples of 2 people, 4 of them masked" in printed(said, "face3d evaluate clouds")
    assert "masked → plain" in printed(said, "face3d evaluate clouds")
    assert "epoch 18 of its training" in printed(said, "face3d train clouds --config s0.yaml --weights")
    assert "1 triplet of 3 left out" in printed(said, "face3d train clouds --config s0.yaml --weights")
    assert "accuracy over 2 folds: pointMLPEliteTriplet_18 " in printed(said, "face3d evaluate judged")
    assert np.load(next((folder / "exported").glob("*.npy"))).shape == (8, 7)
    assert "16 captures: train 8, test 8" in printed(said, "face3d chain read rgbd_npy")
    table = pd.read_csv(folder / "vggface3d" / "test.csv")
    assert list(table.columns) == ["rgb_image_path", "dep_image_path", "cls_name"]
    assert "accuracy over 2 folds" in printed(said, "face3d evaluate lfw work/training/s2-s0")
    assert len(list((folder / "seen").iterdir())) == 2
    assert len(pd.read_csv(folder / "seen.csv")) == 2
    assert "distance" in printed(said, "face3d compare")
    copied = [path for side in ("clean", "dirty") for path in (folder / "cleaned" / side).rglob("*.png")]
    assert len(copied) == 8
    assert torch.jit.load(folder / "traced.pt")(torch.zeros(2, 3, 32, 32)).shape == (2, 512)
    assert "probe.csv → gallery.csv (4 probes against 4 enrolled samples" in printed(said, "face3d evaluate pku")
    assert "s4-s0: mAP" in printed(said, "face3d evaluate pku")
    assert (folder / "trees" / "faces_webface_112x112_raw_image").is_dir()


CONFIGS = {block.name: block.text for block in blocks(PAGE) if block.name.endswith(".yaml")}


@pytest.mark.parametrize("name", CONFIGS)
def test_configs_are_those_of_their_trainers_as_they_stand(name, tmp_path):
    (tmp_path / name).write_text(CONFIGS[name])
    config = load_config(tmp_path / name)
    with torch.device("meta"):
        build_spec(config).build()
    # Learning rate, epochs and batch (of triplets for S0) as the defaults and commands of the trainers have them.
    known = {"s0": (0.01, 50, 32), "s1": (0.001, 50, 16), "s2": (0.1, 125, 128), "s4": (0.01, 120, 128)}
    size = config.batch.identities * config.batch.samples if config.batch.sampler == "pk" else config.batch.size
    assert (config.optimizer.learning_rate, config.epochs, size) == known[config.name]


def test_what_the_tables_name_is_there():
    keys = set(re.findall(r"`((?:data|batch|triplets|optimizer|schedule|stop|augment)\.[a-z_]+)", PAGE))
    assert len(keys) > 15
    known = {name: set(field.annotation.model_fields) for name, field in TrainConfig.model_fields.items()
             if hasattr(field.annotation, "model_fields")}  # fmt: skip
    known["augment"] = set(find("stage", "augment").model_fields)
    assert [key for key in keys if key.partition(".")[2] not in known[key.partition(".")[0]]] == []
    for loss, option in re.findall(r"`loss\.([a-z]+)\.([a-z0-9_]+)`", PAGE):
        assert option in specs("loss")[loss].model_fields
    commands = (
        "train",
        "evaluate",
        "embed",
        "enroll",
        "identify",
        "compare",
        "cleanup",
        "chain",
        "export",
        "export-model",
    )
    there = {"--root", "--pairs", "--by", "--logdir"}  # of a reader, a dataset, a table step, and of TensorBoard
    for name in commands:
        command = face3d.get_command(None, name)
        there |= {text for option in command.get_params(Context(command)) for text in option.opts}
    for stage in ("crop", "detect"):
        there |= {f"--{key.removesuffix('_px').replace('_', '-')}" for key in find("stage", stage).model_fields}
    right = "\n".join(row.split("|")[-2] for row in rows_of_tables())
    assert set(re.findall(r"(?<=[` ])(--[a-z-]+)(?=[ `])", right)) - there == set()


def rows_of_tables():
    return [line for line in PAGE.splitlines() if line.startswith("|") and not line.startswith("|---")]


SCRIPTS = (
    *(
        "data/generate_csv_files.py",
        "data/writefile_to_txt.py",
        "data/readfile_to_txt_pair.py",
        "main.py",
        "Plot_all.py",
    ),
    *("align.sh", "align_dataset_mtcnn.py", "get_dataset_csv.py", "train_softmax.py", "evaluation.py"),
    *("download_data.py", "align_dataset_mtcnn_cfp.py", "train.py", "logger.py", "evaluate.py", "trace_model.py"),
    *("export_embeddings.py", "export_embeddings_npy.py", "compare_images.py", "compare_embeddings_with_image.py"),
    *("compare_embeddings_with_image_npy.py", "live_cam_face_recognition_npy.py", "export_dataset_embeddings.py"),
    *("face_recognition_on_image.py", "face_recognition_live_cam.py", "cluster_clean_dataset.py"),
    *("convert_from_h5_to_protobuf.py", "calculate_glint360k_rgb_mean_std.py", "train_triplet_loss.py"),
    *("validate_on_LFW.py", "test_model_lfw_far.py", "test_model_lfw_far_align.py", "transform_align.py", "plot.py"),
    *("run_train.sh", "run_eval.sh", "test.py"),
)
"""Files that a user of the five programs starts."""


def test_every_script_of_theirs_has_a_row():
    left = "\n".join(row.split("|")[1] for row in rows_of_tables())
    assert [script for script in SCRIPTS if script not in left] == []


def test_commands_that_need_a_camera_or_a_browser_have_such_options():
    shown = "".join(block.text for block in blocks(PAGE) if block.language == "text")
    lines = [shlex.split(line) for line in shown.splitlines() if line.startswith("face3d ")]
    assert lines
    for _, name, *arguments in lines:
        context = face3d.get_command(None, name).make_context(name, arguments)
        assert context.params["camera"] == "0"
