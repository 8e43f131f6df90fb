"""Networks as files of other programs: ONNX, TorchScript, safetensors."""
