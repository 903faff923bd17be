#!/usr/bin/env bash
# Makes sure of a Docker engine that answers: the one that is there as it is, else Debian's, installed and started.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/common.sh"

state=${here%/tests/rig}/.cache/engine # log and process id of an engine that this script started
patience=60                            # seconds until a started engine must answer

answers() {
  docker info >/dev/null 2>&1
}

start_engine() {
  echo "Starting the Docker engine ..."
  if [[ -d /run/systemd/system ]]; then
    systemctl start docker || fail "The Docker engine does not start: see journalctl -u docker."
    return
  fi
  mkdir -p "$state"
  # A session of its own, so that the engine outlives the make that started it.
  setsid dockerd </dev/null >"$state/dockerd.log" 2>&1 &
  local engine=$! second
  echo "$engine" >"$state/dockerd.pid"
  for ((second = 0; second < patience; second++)); do
    if answers; then
      return
    fi
    kill -0 "$engine" 2>/dev/null || break
    sleep 1
  done
  fail "The Docker engine does not start: $(tail -n 1 "$state/dockerd.log") (all of it: $state/dockerd.log)"
}

need ssh openssh-client
if answers; then
  exit 0
fi
if [[ -n ${DOCKER_HOST:-} ]]; then
  fail "The Docker engine at DOCKER_HOST=$DOCKER_HOST does not answer: start it, or unset DOCKER_HOST."
fi
if [[ $EUID -ne 0 ]]; then
  fail "No Docker engine answers user $(id -un): start it, let the user in (group docker), or run this as root."
fi
need dockerd docker.io iptables ca-certificates
need docker docker-cli # since Debian 13 a package of its own
answers || start_engine
