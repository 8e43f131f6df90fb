"""Files of detector `facemesh`: the weights of its two networks."""

from face3d_data.resources import Asset

SHORT_RANGE = Asset("facemesh_short_range", "detectors/mediapipe/short_range.safetensors")
ATTENTION_MESH = Asset("facemesh_attention_mesh", "detectors/mediapipe/attention_mesh.safetensors")
