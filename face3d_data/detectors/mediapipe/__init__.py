"""MediaPipe's face detector and face mesh with attention in torch, their weights and licence."""
