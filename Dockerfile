# VAR Studio in a container; docs/hosting.md says how to build and run it.
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
# cpu, or cuda for torch with NVIDIA's libraries (several gigabytes)
ARG DEVICE=cpu
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
WORKDIR /src
# What seldom changes comes first, so that a change of the code builds in seconds.
COPY requirements.txt ./
RUN if [ "$DEVICE" = cpu ]; then export PIP_INDEX_URL=https://download.pytorch.org/whl/cpu; fi \
    && /opt/venv/bin/pip install "$(grep '^torch==' requirements.txt)"
RUN /opt/venv/bin/pip install -r requirements.txt
COPY . .
RUN /opt/venv/bin/pip wheel --no-deps --wheel-dir dist . \
    && /opt/venv/bin/pip install --no-deps dist/*.whl

FROM python:${PYTHON}-slim
COPY --from=build /opt/venv /opt/venv
RUN useradd --uid 10001 --no-create-home studio && install -d -o studio -g studio /data
# Only /data (models) and /tmp (files of visitors) are written to: the rest may be read-only.
ENV PATH=/opt/venv/bin:$PATH HOME=/tmp VAR_STUDIO_HOME=/data VAR_STUDIO_HOST=0.0.0.0 VAR_STUDIO_PORT=7860 \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001
WORKDIR /tmp
VOLUME /data
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as web; web.urlopen('http://127.0.0.1:7860/healthz', timeout=4)"]
ENTRYPOINT ["var-studio"]
