# The service and its worker: one image, two commands.
#
#   docker build -t escapemaster .
#   docker run --env-file … -p 8000:8000 escapemaster        # the service
#   docker run --env-file … escapemaster python -m escapemaster worker   # the worker
#
# The database, Auth, Storage and the edge functions are Supabase's.

FROM python:3.13-slim AS build
RUN python -m venv /opt/escapemaster
COPY requirements.txt /tmp/
RUN /opt/escapemaster/bin/pip install --no-cache-dir --no-deps --require-hashes -r /tmp/requirements.txt
# Not python_api/escapemaster_dev: production has no tools of the developers.
COPY python_api/escapemaster /srv/escapemaster/escapemaster
RUN PYTHONPATH=/srv/escapemaster /opt/escapemaster/bin/python -m compileall -q /srv/escapemaster

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home escapemaster
COPY --from=build /opt/escapemaster /opt/escapemaster
COPY --from=build /srv/escapemaster /srv/escapemaster
ENV PATH="/opt/escapemaster/bin:$PATH" \
    PYTHONPATH=/srv/escapemaster \
    PYTHONUNBUFFERED=1 \
    PORT=8000
USER 10001
WORKDIR /srv/escapemaster
EXPOSE 8000
# No entrypoint: what hosts call a start command replaces both on one and only this on another.
CMD ["python", "-m", "escapemaster", "serve", "--host", "0.0.0.0"]
