"""Record what MediaPipe itself gives: `facemesh.npz`, which detector `facemesh` is compared with.

    pip install mediapipe==0.10.21 ai-edge-litert scikit-image       # in an environment of its own
    python tests/golden/record_facemesh.py

Recorded are the outputs of the two networks for pictures that are cut out of a photograph without resampling, and the
landmarks of `mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True)` for whole images.
"""

import os
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "detectors"))
from facemesh_images import detector_picture, images, mesh_pictures

GRAPH = """
input_stream: "image"
input_stream: "roi"
input_side_packet: "with_attention"
output_stream: "landmarks"
node {
  calculator: "FaceLandmarkCpu"
  input_stream: "IMAGE:image"
  input_stream: "ROI:roi"
  input_side_packet: "WITH_ATTENTION:with_attention"
  output_stream: "LANDMARKS:landmarks"
}
"""


def points(landmarks, width: int, height: int) -> list[list[float]]:
    """Return landmarks in px."""
    return [[point.x * width, point.y * height, point.z * width] for point in landmarks.landmark]


def mesh_of(pictures: list[np.ndarray]) -> np.ndarray:
    """Return the points (n, 478, 3) that the mesh network gives for pictures of 192 x 192 px."""
    import mediapipe
    from mediapipe.framework.formats import rect_pb2
    from mediapipe.python import packet_creator, packet_getter
    from mediapipe.python._framework_bindings import resource_util

    resource_util.set_resource_dir(os.path.dirname(os.path.dirname(mediapipe.__file__)))
    found = []
    graph = mediapipe.CalculatorGraph(graph_config=GRAPH)
    graph.observe_output_stream("landmarks", lambda _, packet: found.append(packet_getter.get_proto(packet)))
    graph.start_run({"with_attention": packet_creator.create_bool(True)})
    whole = rect_pb2.NormalizedRect(x_center=0.5, y_center=0.5, width=1, height=1, rotation=0)
    for time, picture in enumerate(pictures, start=1):
        data = np.ascontiguousarray(picture)
        frame = packet_creator.create_image_frame(image_format=mediapipe.ImageFormat.SRGB, data=data)
        graph.add_packet_to_input_stream("image", frame.at(time))
        graph.add_packet_to_input_stream("roi", packet_creator.create_proto(whole).at(time))
        graph.wait_until_idle()
    graph.close()
    return np.array([points(one, 192, 192) for one in found], np.float32)


def detector_of(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the log-odds (896,) and places (896, 16) that the detector network gives for a picture."""
    import mediapipe
    from ai_edge_litert.interpreter import Interpreter

    path = Path(mediapipe.__file__).parent / "modules/face_detection/face_detection_short_range.tflite"
    net = Interpreter(str(path))
    net.allocate_tensors()
    net.set_tensor(net.get_input_details()[0]["index"], picture[None].astype(np.float32) / 127.5 - 1)
    net.invoke()
    by_name = {one["name"]: net.get_tensor(one["index"]) for one in net.get_output_details()}
    return by_name["classificators"][0, :, 0], by_name["regressors"][0]


def main() -> None:
    """Write the file."""
    import mediapipe

    logits, places = detector_of(detector_picture())
    made = {"logits": logits, "places": places, "mesh": mesh_of(mesh_pictures())}
    for name, image in images().items():
        mesh = mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True, max_num_faces=4)
        found = mesh.process(image).multi_face_landmarks
        height, width = image.shape[:2]
        made[name] = np.array([points(one, width, height) for one in found], np.float32)[..., :2]
    np.savez_compressed(Path(__file__).with_name("facemesh.npz"), **made)


if __name__ == "__main__":
    main()
