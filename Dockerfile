# Two images: the site (web and its Celery worker), and on it the agent of a worker host.
FROM debian:bookworm-slim AS site
RUN apt-get update -q && apt-get install -q -y --no-install-recommends python3 ca-certificates \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /srv/bulkhead
COPY . .
RUN ./lab prepare site && rm -rf /var/lib/apt/lists/* /var/lib/bulkhead/build /root/.cache
ENV PATH=/var/lib/bulkhead/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 PYTHONUNBUFFERED=1 BULKHEAD_STATE_DIR=/var/lib/bulkhead HOME=/var/lib/bulkhead/web
USER bulkhead

FROM site AS agent
USER root
RUN ./lab prepare worker && rm -rf /var/lib/apt/lists/*
ENTRYPOINT ["/srv/bulkhead/deploy/compose/agent-entrypoint"]
CMD ["/srv/bulkhead/lab", "worker"]
