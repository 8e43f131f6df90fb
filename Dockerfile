# On a CPU; TORCH_INDEX is PyTorch's index of CPU builds (its page "Start locally" shows the address for pip and CPU):
#   docker build -t face3d_data --build-arg TORCH_INDEX=ADDRESS .
#   docker run --rm -v "$PWD:/data" face3d_data run quickstart
# With CUDA, a base whose glibc is 2.35 or newer, and the index of builds for that CUDA version:
#   docker build -t face3d_data --build-arg BASE=nvidia/cuda:13.0.1-runtime-ubuntu24.04 --build-arg TORCH_INDEX=ADDRESS .
# Without TORCH_INDEX torch comes from the index that pip is configured with; on x86-64 that is often a CUDA build.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}
ARG TORCH_INDEX=

SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /opt/face3d_data
COPY apt.txt ./
# hadolint ignore=DL3008
RUN apt-get update \
    && packages=(make) && mapfile -t -O 1 packages < apt.txt \
    && { command -v python3 >/dev/null || packages+=(python3 python3-venv); } \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}" \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 10001 face3d && mkdir -p /data && chown 10001 /data /opt/face3d_data
USER 10001
COPY --chown=10001 . .
RUN PIP_NO_CACHE_DIR=1 make install EXTRAS=train TORCH_INDEX="${TORCH_INDEX}"
ENV PATH=/opt/face3d_data/.venv/bin:${PATH}
WORKDIR /data
ENTRYPOINT ["face3d"]
CMD ["--help"]
