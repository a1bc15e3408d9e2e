#!/usr/bin/env bash
# Installs the Debian packages that are missing; does nothing, and quickly, when all are there.
# Usage: scripts/install-deps.sh [--lint | --build]
# --lint adds clang-format and clang-tidy; --build leaves out all but what compiles the program, for its image.
. "$(dirname "$0")/common.sh"

packages=(
  # compiler and build tools
  clang-19 lld-19 libclang-rt-19-dev cmake ninja-build ccache make git pkg-config
  # libraries that CMake looks for
  libboost1.81-dev libsqlite3-dev libpq-dev libzstd-dev libssl-dev libcurl4-openssl-dev libfmt-dev libspdlog-dev
  libsimdjson-dev rapidjson-dev libcli11-dev libmimalloc-dev libyaml-cpp-dev prometheus-cpp-dev libnats-dev libgtest-dev libgmock-dev
)
more=(
  # the example's and the tests' Python, and what the scripts call
  python3 python3-venv ca-certificates curl
  # the database of production, of which tests start servers of their own
  postgresql-15 postgresql-client-15
  # the broker of production, likewise, and the balancers and poolers that instances are tested behind
  nats-server nginx-light haproxy pgbouncer
  # what gives instances networks and clocks of their own, to take them away and to set them wrong
  iproute2 faketime
  # what reads docker-compose.yml where no engine is, and .dockerignore, and what the Dockerfile's steps are run in there
  docker-compose debootstrap
)
if [ "${1:-}" != --build ]; then packages+=("${more[@]}"); fi
if [ "${1:-}" = --lint ]; then packages+=(clang-format-19 clang-tidy-19); fi

if ! command -v dpkg-query >/dev/null; then
  die "this script knows Debian 12 only; install the equivalents of: ${packages[*]}"
fi

installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null || true)
missing=()
for package in "${packages[@]}"; do
  grep -qx "installed $package" <<<"$installed" || missing+=("$package")
done
if [ ${#missing[@]} = 0 ]; then exit 0; fi

# Debian would make a database cluster, and keep its server, NATS, balancers and pooler running, which nobody here
# asked for.
no_cluster=/etc/postgresql-common/createcluster.d/duragraph.conf
masked=()
clean_up() {
  as_root rm -f "$no_cluster"
  for unit in "${masked[@]}"; do
    as_root systemctl --quiet unmask "$unit"
    as_root systemctl --quiet disable "$unit"
  done
}
trap clean_up EXIT
if [[ " ${missing[*]} " == *" postgresql-15 "* ]]; then
  as_root mkdir -p "$(dirname "$no_cluster")"
  echo "create_main_cluster = false" | as_root tee "$no_cluster" >/dev/null
fi
for service in nats-server nginx-light haproxy pgbouncer; do
  unit=${service%-light}.service
  if [[ " ${missing[*]} " == *" $service "* ]] && [ -d /run/systemd/system ]; then
    as_root systemctl --quiet mask "$unit" && masked+=("$unit")
  fi
done

say "installing ${missing[*]}"
as_root apt-get update -qq
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
  -o DPkg::Lock::Timeout=300 "${missing[@]}"
