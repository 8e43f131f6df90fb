"""Convert MediaPipe's face detector and face mesh to the safetensors files that detector `facemesh` reads.

    pip download --no-deps mediapipe==0.10.21 && pip install tflite      # in an environment of its own
    python benchmarks/make_face_mesh.py mediapipe-0.10.21-*.whl            # writes the files of detectors/mediapipe/
    python benchmarks/make_face_mesh.py mediapipe-0.10.21-*.whl --check    # exit 1 where a shipped file is another

Weights are copied as they are stored, in float16; only their axes are put into torch's order. A network is a chain of
blocks, which the graph of the TFLite file is walked back along, from each output to where its branch begins.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

SHIPPED = Path(__file__).parent.parent / "face3d_data" / "detectors" / "mediapipe"
SOURCES = {
    "short_range": (
        "mediapipe/modules/face_detection/face_detection_short_range.tflite",
        "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
    ),
    "attention_mesh": (
        "mediapipe/modules/face_landmark/face_landmark_with_attention.tflite",
        "e06a804e0144f9929eda782122916b35d60c697c3c9344013ca2bbe76a6ce2b4",
    ),
}
Arrays = dict[str, np.ndarray]


class Graph:
    """The operators and constants of a TFLite file."""

    def __init__(self, content: bytes) -> None:
        import tflite

        self.model = tflite.Model.GetRootAsModel(content, 0)
        self.graph = self.model.Subgraphs(0)
        names = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
        codes = [self.model.OperatorCodes(i) for i in range(self.model.OperatorCodesLength())]
        self.made: dict[int, tuple[str, list[int]]] = {}
        for i in range(self.graph.OperatorsLength()):
            operator = self.graph.Operators(i)
            code = codes[operator.OpcodeIndex()]
            name = names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            name = code.CustomCode().decode() if name == "CUSTOM" else name
            for output in operator.OutputsAsNumpy():
                self.made[int(output)] = (name, [int(tensor) for tensor in operator.InputsAsNumpy()])
        self.outputs = {
            self.graph.Tensors(int(i)).Name().decode().split(":")[0]: int(i) for i in self.graph.OutputsAsNumpy()
        }

    def constant(self, tensor: int) -> np.ndarray:
        """Return a constant as it is stored."""
        while tensor in self.made:
            name, inputs = self.made[tensor]
            if name != "DEQUANTIZE":
                raise ValueError(f"tensor {tensor} is no constant")
            tensor = inputs[0]
        stored = self.graph.Tensors(tensor)
        dtype = {0: np.float32, 1: np.float16, 2: np.int32}[stored.Type()]
        data = self.model.Buffers(stored.Buffer()).DataAsNumpy()
        return np.frombuffer(data.tobytes(), dtype).reshape(stored.ShapeAsNumpy())

    def convolution(self, tensor: int) -> tuple[int, Arrays]:
        """Return the input and the weights of the convolution that makes a tensor, in torch's order of axes."""
        name, (source, weight, bias) = self.made[tensor]
        axes = {"CONV_2D": (0, 3, 1, 2), "DEPTHWISE_CONV_2D": (3, 0, 1, 2)}[name]
        return source, {
            "weight": np.ascontiguousarray(self.constant(weight).transpose(axes)),
            "bias": self.constant(bias),
        }

    def block(self, tensor: int) -> tuple[int, Arrays]:
        """Return the input and the weights of the block that ends in a tensor."""
        name, inputs = self.made[tensor]
        slope = {"slope": self.constant(inputs[1]).reshape(-1)} if name == "PRELU" else {}
        before, terms = self.made[inputs[0]]
        if before != "ADD":
            source, found = self.convolution(inputs[0])
            return source, {**named(found, "conv"), **slope}
        point = next(term for term in terms if self.made.get(term, ("",))[0] == "CONV_2D")
        middle, pointwise = self.convolution(point)
        source, depthwise = self.convolution(middle)
        return source, {**named(depthwise, "depthwise"), **named(pointwise, "pointwise"), **slope}

    def chain(self, tensor: int, start: int) -> list[Arrays]:
        """Return the blocks that lead from `start` to a tensor, in order."""
        blocks = []
        while tensor != start:
            tensor, block = self.block(tensor)
            blocks.append(block)
        return blocks[::-1]

    def back(self, tensor: int, *through: str) -> int:
        """Return the tensor before these kinds of operators, each at most once in a row."""
        while self.made[tensor][0] in through:
            tensor = self.made[tensor][1][0]
        return tensor


def named(arrays: Arrays, prefix: str) -> Arrays:
    """Return arrays with a prefix before their names."""
    return {f"{prefix}.{name}": array for name, array in arrays.items()}


def chained(blocks: list[Arrays], prefix: str) -> Arrays:
    """Return the arrays of a chain of blocks."""
    return {f"{prefix}.{i}.{name}": array for i, block in enumerate(blocks) for name, array in block.items()}


def short_range(graph: Graph) -> Arrays:
    """Return the weights of the face detector."""
    made: Arrays = {}
    heads = {"scores": graph.outputs["classificators"], "boxes": graph.outputs["regressors"]}
    ends = {}
    for head, output in heads.items():
        for side, tensor in zip((16, 8), graph.made[output][1], strict=True):
            ends[side], weights = graph.convolution(graph.back(tensor, "RESHAPE"))
            made |= named(weights, f"{head}_{side}")
    made |= chained(graph.chain(ends[16], 0), "fine")
    return made | chained(graph.chain(ends[8], ends[16]), "coarse")


REGIONS = ("lips", "left_eye", "right_eye")
BRANCHES = {"lips": "lips", "left_eye": "left_eye", "left_iris": "left_eye", "right_eye": "right_eye",
            "right_iris": "right_eye"}  # fmt: skip


def attention_mesh(graph: Graph) -> Arrays:
    """Return the weights of the face mesh with attention, and for each region the vertices that it is cut by."""
    made: Arrays = {}
    mesh = graph.back(graph.outputs["output_mesh_identity"], "STRIDED_SLICE")
    face_end, weights = graph.convolution(mesh)
    made |= named(weights, "mesh")
    flag_end, weights = graph.convolution(graph.outputs["conv_faceflag"])
    made |= named(weights, "flag")
    if flag_end != face_end:
        raise ValueError("the face flag is of another branch")
    body: int | None = None
    for branch in BRANCHES:
        tensor = graph.back(graph.outputs[f"output_{branch}"], "RESHAPE", "TransformLandmarks")
        end, weights = graph.convolution(tensor)
        made |= named(weights, f"{branch}.out")
        start = end
        blocks: list[Arrays] = []
        while graph.made[start][0] != "TransformTensorBilinear":
            start, block = graph.block(start)
            blocks.append(block)
        body = graph.made[start][1][0]
        blocks = blocks[::-1]
        trunk = 6
        made |= chained(blocks[trunk:], f"{branch}.blocks")
        if branch in REGIONS:
            made |= chained(blocks[:trunk], f"{branch}.trunk")
    assert body is not None
    made |= chained(graph.chain(body, 0), "stem")
    return made | chained(graph.chain(face_end, body), "face")


def content(name: str, arrays: Arrays, source: str, sha256: str) -> bytes:
    """Return a safetensors file, with where it is from."""
    from safetensors.numpy import save

    tensors = {key: np.ascontiguousarray(arrays[key]) for key in sorted(arrays)}
    # One text: the order of several would be another each time.
    about = f"{name}: PyPI mediapipe 0.10.21, {source}, SHA-256 {sha256}, Apache-2.0, weights unchanged"
    return save(tensors, metadata={"source": about})


def make(wheel: Path) -> dict[str, bytes]:
    """Return the converted files by name."""
    made = {}
    with zipfile.ZipFile(wheel) as archive:
        for name, (path, wanted) in SOURCES.items():
            data = archive.read(path)
            found = hashlib.sha256(data).hexdigest()
            if found != wanted:
                raise SystemExit(f"{path} has SHA-256 {found}, expected {wanted}: take mediapipe 0.10.21")
            converter: Any = {"short_range": short_range, "attention_mesh": attention_mesh}[name]
            made[f"{name}.safetensors"] = content(name, converter(Graph(data)), path, found)
    return made


def main() -> None:
    """Write the files, or compare them with those that are shipped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--check", action="store_true", help="compare with the shipped files")
    asked = parser.parse_args()
    other = []
    for name, data in make(asked.wheel).items():
        path = SHIPPED / name
        if asked.check:
            other += [] if path.is_file() and path.read_bytes() == data else [name]
        else:
            path.write_bytes(data)
            print(f"{path}: {len(data)} bytes, SHA-256 {hashlib.sha256(data).hexdigest()}")
    if other:
        sys.exit(f"other than shipped: {', '.join(other)}")


if __name__ == "__main__":
    main()
