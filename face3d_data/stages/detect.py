"""Stage `detect`: the face in the image, and its landmarks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar

import numpy as np
from pydantic import Field, field_validator

from face3d_data.detectors.facemesh import Facemesh
from face3d_data.errors import Reject
from face3d_data.geometry.mean_face import MEAN_FACE_ASSET
from face3d_data.registry import components, find, hint, register
from face3d_data.sample import Sample
from face3d_data.stage import Names, Stage
from face3d_data.stages.face_choice import choose
from face3d_data.stages.face_search import CHAIN, names, search

if TYPE_CHECKING:
    from face3d_data.detectors.protocol import DetectedFaces, Detector

GIVEN, AUTO, MTCNN, FACEMESH = "given", "auto", "mtcnn", "facemesh"
WORKERS_A_DEVICE = 2
"""Workers that share a GPU: one prepares images while the other's are looked at; more only need more of its memory."""
NOT_GIVEN = "detector: given takes the landmarks of the reader, which gives none here: use detector: auto"
EVERY_SIZE = "every_size"
"""Option of detectors that end their search where they find a face, as large ones are found first."""
MANY: Names = ("landmarks_68", "landmarks_dense")
D = TypeVar("D", bound="Detector")
Probability = Annotated[float, Field(gt=0, lt=1)]


@register
class Detect(Stage):
    """Find the face: its box and five landmarks, with facemesh also 68 and 478.

    If there are several faces, `which` selects one, and the tag `faces_found` has their number. With `detector: auto`,
    facemesh searches, then mtcnn what it did not find, then the mean face is fitted to the depth; the tag `found_by`
    has the one that found the face, and a face whose depth is flat, such as a poster, is left out.
    """

    name = "detect"
    version = 4
    inputs = (("color",), ("landmarks",))
    optional = ("color", "depth", "intrinsics", "distortion", "box")
    # Only the focal length of a camera is used, to bound sizes: distortion changes nothing in that.
    outputs = ("box", "landmarks", *MANY)
    tag_names = ("face_score", "faces_found", "found_by")
    counted_tags = ("found_by",)
    reasons: ClassVar[dict[str, str]] = {
        "no_face": "no face was found with enough confidence",
        "several_faces": "more than one face was found, and several = reject",
        "flat": "the depth of every face that was found is flat: a picture of a face (detector: auto)",
    }

    detector: str = Field(
        "auto",
        description="facemesh, mtcnn, or a detector of another package, searches the colour image; auto tries "
        "facemesh, mtcnn and the depth; given uses the landmarks of the reader",
    )
    min_face_px: float = Field(
        20.0,
        ge=12,
        description="about the smallest face to search for, px; a face of half that size may be found. "
        "The larger, the faster",
    )
    thresholds: tuple[Probability, Probability, Probability] = Field(
        (0.6, 0.7, 0.8), description="least probability required from each of MTCNN's three networks"
    )
    min_confidence: float = Field(0.9, ge=0, le=1, description="least probability of a face to keep")
    which: Literal["best", "largest", "central", "confident"] = Field(
        "best",
        description="the face to use if there are several; best: by side x centrality x confidence, with the "
        "side of the box in the image, and centrality 1 in the middle of the image and 0 in its corners",
    )
    several: Literal["pick", "reject"] = Field("pick", description="what to do if there are several faces")
    depth_bound: bool = Field(
        True,
        description="if there is depth, search only for face sizes that are possible at the measured depths (faster)",
    )
    device: str = Field(
        "cpu", exclude=True, pattern=r"^(cpu|cuda(:\d+)?)$", description="torch device: cpu, cuda or cuda:1"
    )

    @field_validator("detector")
    @classmethod
    def _a_detector(cls, name: str) -> str:
        own = (GIVEN, AUTO, *CHAIN)
        known = dict.fromkeys(own) if name in own else {**dict.fromkeys(own), **components("detector")}
        if name not in known:
            raise ValueError(f"there is no detector {name!r} ({hint(name, known)})")
        return name

    def parameters(self) -> dict[str, Any]:
        """Return the parameters, with the versions of the detectors, and the kind of a device other than the CPU."""
        values = super().parameters()
        if self.device != "cpu":
            values["device"] = self.device.partition(":")[0]  # a GPU's sums are rounded otherwise
        versions = {} if self.detector in (GIVEN, MTCNN) else self._versions()
        return values | ({"detector version": versions} if versions else {})

    def _versions(self) -> Any:
        if self.detector == AUTO:
            return {name: self._detector(name).version for name in CHAIN}
        return self._detector(self.detector).version

    def groups(self) -> tuple[Names, ...]:
        """Return the arrays that the chosen detector works on: one, or with auto colour or depth."""
        if self.detector == AUTO:
            return (("color",), ("depth", "intrinsics"))
        return (("landmarks",),) if self.detector == GIVEN else (("color",),)

    def created(self) -> frozenset[str]:
        """Return what may be there afterwards: the larger sets only of detectors that may give them."""
        return frozenset(self.outputs) - (set(MANY) if self.detector in (GIVEN, MTCNN) else set())

    def content_files(self) -> Iterator[tuple[str, Path]]:
        """Yield the detector's weight files too."""
        yield from super().content_files()
        for name in names(self.detector) if self.detector != GIVEN else ():
            yield from self._detector(name).content_files()
        if self.detector == AUTO:
            yield MEAN_FACE_ASSET.label, MEAN_FACE_ASSET.file

    def output_bytes(self) -> int:
        """Return the bytes of a box and the landmarks."""
        return 64 if self.detector in (GIVEN, MTCNN) else 4500

    def run(self, sample: Sample, rng: np.random.Generator | None) -> Iterator[Sample]:
        """Yield the sample with `box` and `landmarks` set, and how sure the detector is as a tag."""
        yield self._take_given(sample) if self.detector == GIVEN else self._search(sample)

    @property
    def batch_size(self) -> int:
        """Return how many images are looked at together: several on a GPU, where only that is fast."""
        return 32 if self.device != "cpu" and self.detector in (AUTO, FACEMESH) else 1

    @property
    def workers_at_once(self) -> int | None:
        """Return how many workers may share the device."""
        return WORKERS_A_DEVICE if self.device != "cpu" else None

    def run_batch(
        self, samples: Sequence[Sample], rngs: Sequence[np.random.Generator | None]
    ) -> list[list[Sample] | Exception]:
        """Look at several images at once on a GPU; those without a face are searched one by one."""
        if self.batch_size == 1:
            return super().run_batch(samples, rngs)
        results: list[list[Sample] | Exception] = []
        for sample, seen in zip(samples, self._seen_at_once(samples), strict=True):
            try:
                results.append([self._search(sample, seen)])
            except Exception as error:
                results.append(error)
        return results

    def _seen_at_once(self, samples: Sequence[Sample]) -> list[DetectedFaces | None]:
        """Return what facemesh sees in each sample's image, None where there is no image or no large face."""
        found: list[DetectedFaces | None] = [None] * len(samples)
        places = [i for i, sample in enumerate(samples) if "color" in sample.arrays]
        colors = [samples[i].arrays["color"] for i in places]
        possible = [self._possible_px(samples[i]) for i in places]
        detector = self._with_options(Facemesh)
        for i, faces in zip(places, detector.detect_all(colors, self.min_face_px, possible), strict=True):
            found[i] = faces if len(faces) else None
        return found

    def refusal(self, sample: Sample) -> Reject | None:
        """Return why a sample cannot be worked on; landmarks that its reader does not give have a remedy here."""
        refused = super().refusal(sample)
        if refused is not None and refused.reason == "missing_landmarks":
            return Reject(refused.reason, NOT_GIVEN)
        return refused

    def every_face(self, sample: Sample) -> list[Sample]:
        """Return a sample for each face that is found, instead of for the one that `which` selects.

        Args:
            sample: one capture; its id, key and tags are those of all of them.

        Returns:
            Samples with `box` and `landmarks` set, the surest face first.

        Raises:
            Reject: as `run`.
        """
        refused = self.refusal(sample)
        if refused is not None:
            raise refused
        if self.detector == GIVEN:
            return [self._take_given(sample)]
        faces, tags = self._find(sample, None, every=True)
        return [self._marked(sample, faces, int(i)).with_tags(**tags) for i in np.argsort(-faces.scores, kind="stable")]

    def _take_given(self, sample: Sample) -> Sample:
        from face3d_data.detectors.given import box_around, check_in_image, check_landmarks

        landmarks = sample.arrays["landmarks"]
        made = {}
        try:
            if "box" in sample.arrays:
                check_landmarks(landmarks)
            else:
                made["box"] = box_around(landmarks)
            image = next((name for name in ("color", "depth") if name in sample.arrays), None)
            if image is not None:
                check_in_image(landmarks, sample.arrays[image].shape[:2])
        except ValueError as error:
            raise Reject("no_face", str(error)) from None
        return sample.with_arrays(**made).with_tags(face_score=1.0, faces_found=1)

    def _search(self, sample: Sample, seen: DetectedFaces | None = None) -> Sample:
        faces, tags = self._find(sample, seen)
        return self._take(sample, faces).with_tags(**tags)

    def _find(
        self, sample: Sample, seen: DetectedFaces | None, every: bool = False
    ) -> tuple[DetectedFaces, dict[str, str]]:
        """Return the faces of a sample that are sure enough, one or more, and tags on how they were found."""
        possible = self._possible_px(sample) if "color" in sample.arrays else None
        bound = f" (sought from {possible[0]:.0f} px on, by the depth: check its unit)" if possible else ""
        if self.detector == AUTO:
            return self._find_by_any(sample, possible, bound, seen, every)
        found = seen or self._look(self.detector, sample, possible, every)
        faces = found.keep(found.scores >= self.min_confidence)
        if not len(faces):
            best = f"best probability {found.scores.max():.3f}" if len(found) else "nothing like a face"
            raise Reject("no_face", best + bound)
        return faces, {}

    def _look(
        self, name: str, sample: Sample, possible: tuple[float, float] | None, every: bool = False
    ) -> DetectedFaces:
        detector = self._detector(name)
        if every and EVERY_SIZE in type(detector).model_fields:
            detector = detector.model_copy(update={EVERY_SIZE: True})
        return detector.detect(sample.arrays["color"], self.min_face_px, possible)

    def _find_by_any(
        self,
        sample: Sample,
        possible: tuple[float, float] | None,
        bound: str,
        seen: DetectedFaces | None,
        every: bool,
    ) -> tuple[DetectedFaces, dict[str, str]]:
        detectors: dict[str, Callable[[], DetectedFaces]] = {
            name: partial(self._look, name, sample, possible, every) for name in CHAIN
        }
        if seen is not None:
            detectors[FACEMESH] = lambda: seen
        try:
            faces, by = search(sample.arrays, detectors, self.min_confidence)
        except Reject as error:
            hint_text = bound if error.reason == "no_face" else ""  # a flat face was found: the bound did not hide it
            raise Reject(error.reason, error.detail + hint_text) from None
        return faces, {"found_by": by}

    def _take(self, sample: Sample, faces: DetectedFaces) -> Sample:
        if len(faces) > 1 and self.several == "reject":
            raise Reject("several_faces", f"{len(faces)} faces")
        image = sample.arrays["color" if "color" in sample.arrays else "depth"]
        return self._marked(sample, faces, choose(faces, self.which, image.shape[:2]))

    def _marked(self, sample: Sample, faces: DetectedFaces, index: int) -> Sample:
        """Return the sample with one of its faces."""
        made = {"box": faces.boxes[index], "landmarks": faces.landmarks[index], **faces.more(index)}
        marked = sample.without(*MANY).with_arrays(**made)
        return marked.with_tags(face_score=round(float(faces.scores[index]), 4), faces_found=len(faces))

    def _detector(self, name: str) -> Detector:
        """Return a detector with those of this stage's options that it has itself."""
        return self._with_options(find("detector", name))

    def _with_options(self, cls: type[D]) -> D:
        return cls(**{name: getattr(self, name) for name in cls.model_fields if name in type(self).model_fields})

    def _possible_px(self, sample: Sample) -> tuple[float, float] | None:
        """Return the face sizes that the sample's depth allows, None where it says nothing."""
        arrays = sample.arrays
        if not self.depth_bound or "depth" not in arrays or "intrinsics" not in arrays:
            return None
        if arrays["depth"].shape != arrays["color"].shape[:2]:
            return None
        from face3d_data.detectors.depth_bound import possible_face_px

        return possible_face_px(arrays["depth"], float(arrays["intrinsics"][0]))
