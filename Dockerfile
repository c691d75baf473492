# HQ-GAN for CPUs, from the locked versions.
#
#   docker build --tag hqgan .
#   mkdir -p runs && docker run --rm --volume "$PWD/runs:/home/hqgan/runs" hqgan demo --out runs/demo
#
# On Linux x86-64 PyPI's torch brings NVIDIA's CUDA packages, GPU or not: several gigabytes that nothing here uses.
# The container's user has the id 1000, and has to be allowed to write into what is mounted.
FROM python:3.11-slim

RUN useradd --create-home --uid 1000 hqgan
WORKDIR /opt/hqgan
COPY requirements requirements
RUN python -m pip install --no-cache-dir --root-user-action=ignore --require-hashes --no-deps -r requirements/base.lock -r requirements/torch.lock
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN python -m pip install --no-cache-dir --root-user-action=ignore --no-deps --no-build-isolation .

USER hqgan
WORKDIR /home/hqgan
ENTRYPOINT ["hqgan"]
CMD ["--help"]
