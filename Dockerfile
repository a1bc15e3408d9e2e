# The images of DuraGraph, by target:
#   server   the program; it serves unless it is given another command (`db migrate`, `worker list`, ...)
#   worker   the program with the example project and its Python
# `docker build .` makes the server.

FROM debian:12.15-slim AS build
WORKDIR /src
# The packages are a layer of their own, which a change of the sources leaves as it is.
COPY scripts/common.sh scripts/install-deps.sh scripts/
RUN scripts/install-deps.sh --build && rm -rf /var/lib/apt/lists/*
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake cmake
COPY deploy/sql deploy/sql
COPY sdk/python/duragraph_host sdk/python/duragraph_host
COPY src src
# CMake reads these; only the program is compiled.
COPY fuzz fuzz
COPY tests/next_release tests/next_release
COPY tests/simulation tests/simulation
COPY scripts/build.sh scripts/
RUN scripts/build.sh release duragraph

FROM debian:12.15-slim AS program
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="DuraGraph" \
      org.opencontainers.image.description="A self-hosted server that runs LangGraph projects durably" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# The libraries that the program is linked with, the authorities that TLS needs, and curl for the probe.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      ca-certificates \
      curl \
      libcurl4 \
      libfmt9 \
      libmimalloc2.0 \
      libnats3.4 \
      libpq5 \
      libprometheus-cpp-core1.0 \
      libsimdjson14 \
      libspdlog1.10 \
      libsqlite3-0 \
      libssl3 \
      libstdc++6 \
      libyaml-cpp0.7 \
      libzstd1 \
 && rm -rf /var/lib/apt/lists/*
# By its number, so that Kubernetes sees that it is not root.
RUN groupadd --gid 10001 duragraph \
 && useradd --uid 10001 --gid duragraph --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin duragraph
COPY LICENSE /usr/share/doc/duragraph/copyright
COPY deploy/docker/probe.sh /usr/local/bin/duragraph-probe
COPY --from=build /src/bin/duragraph /usr/local/bin/duragraph
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/duragraph"]

FROM program AS worker
USER 0
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
COPY examples/approval-agent/requirements.txt /opt/project/requirements.txt
RUN python3 -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --requirement /opt/project/requirements.txt
COPY examples/approval-agent /opt/project
# What `duragraph worker` unpacks for the project's Python lies in the project; its code stays root's.
RUN install --directory --owner=duragraph --group=duragraph --mode=0700 /opt/project/.duragraph
ENV VIRTUAL_ENV=/opt/venv
USER 10001:10001
CMD ["worker", "/opt/project", "--server", "http://server:8080"]

FROM program AS server
EXPOSE 8080
# Liveness, not readiness: schedulers such as Swarm replace what is unhealthy, and a database that is away is not
# mended by that. docker-compose.yml, where health only says what may be started next, asks for readiness instead.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["duragraph-probe", "livez"]
CMD ["serve"]
