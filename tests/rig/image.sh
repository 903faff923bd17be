#!/usr/bin/env bash
# Builds the image of a test host, celeryops-host:debian<version>, if it is missing or its inputs have changed.
#   image.sh [13|12]    the Debian version; default: $RIG_DEBIAN, else 13
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/common.sh"

version=${1:-${RIG_DEBIAN:-13}}
case $version in
  13) suite=trixie ;;
  12) suite=bookworm ;;
  *) fail "Debian $version is not known here: 13 and 12 are." ;;
esac
image=celeryops-host:debian$version
pulled_base=debian:$version-slim
made_base=celeryops-base:debian$version

export TMPDIR=${TMPDIR:-/var/tmp} # a base image in the making is larger than a /tmp in memory likes
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
context=$work/context
log=${here%/tests/rig}/.cache/rig/debian$version.log
mkdir -p "${log%/*}"

there() {
  docker image inspect "$1" >/dev/null 2>&1
}

# All files that the image is built from, in $context.
collect_inputs() {
  mkdir "$context"
  cp "$here/Dockerfile" "$here/boot.sh" "$context"
  python3 "$here/inherited.py" "$context/inherited"
}

fingerprint() {
  (cd "$context" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c1-16)
}

fingerprint_of_image() {
  docker image inspect --format '{{index .Config.Labels "celeryops.inputs"}}' "$image" 2>/dev/null || true
}

# The base is the official image where a registry can be reached, else the same made from Debian's packages.
make_base() {
  need mmdebstrap mmdebstrap
  local options=(--quiet --variant=minbase) settings=$context/inherited/etc/apt/apt.conf.d/90controller
  if [[ -e $settings ]]; then
    options+=("--aptopt=$settings")
  fi
  mmdebstrap "${options[@]}" "$suite" "$work/base.tar" || fail "mmdebstrap could not make a base of Debian $version: see above."
  docker import "$work/base.tar" "$made_base" >/dev/null
}

build() {
  docker build --build-arg "BASE=$1" --label "celeryops.inputs=$inputs" --tag "$image" "$context" >"$log" 2>&1 ||
    fail "The image $image cannot be built: $(grep -v '^ *$' "$log" | tail -n 1) (all of it: $log)"
  docker image prune --force --filter label=celeryops.inputs >/dev/null
}

collect_inputs
inputs=$(fingerprint)
if [[ $(fingerprint_of_image) == "$inputs" ]]; then
  exit 0
fi
echo "Building $image (about a minute) ..."
if there "$made_base"; then
  base=$made_base
elif there "$pulled_base" || timeout 20 docker pull --quiet "$pulled_base" >/dev/null 2>&1; then
  base=$pulled_base
else
  make_base
  base=$made_base
fi
build "$base"
