# The service and its worker: the same image, two commands.
#
#   docker build -t escapemaster .
#   docker run --env-file … -p 8000:8000 escapemaster            # the service
#   docker run --env-file … escapemaster worker                  # the worker
#
# The database, Auth, Storage and the edge functions are Supabase's.

FROM python:3.13-slim AS build
WORKDIR /build
RUN python -m venv /opt/escapemaster
COPY requirements.txt .
RUN /opt/escapemaster/bin/pip install --no-cache-dir --require-hashes --requirement requirements.txt
COPY pyproject.toml README.md ./
COPY python_api python_api
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir "setuptools>=77" \
    && /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/escapemaster/bin/pip install --no-cache-dir --no-deps --no-index /wheels/*.whl

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home escapemaster
COPY --from=build /opt/escapemaster /opt/escapemaster
ENV PATH="/opt/escapemaster/bin:$PATH" \
    PYTHONUNBUFFERED=1 \
    PORT=8000
USER escapemaster
WORKDIR /tmp
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=3s --start-period=20s CMD \
    ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/health/live\", timeout=2)"]
ENTRYPOINT ["escapemaster"]
CMD ["serve", "--host", "0.0.0.0"]
