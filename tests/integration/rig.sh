#!/usr/bin/env bash
# The host of the integration tests: Redis, RabbitMQ and an application on each.
#   rig.sh up               makes the host and deploys both applications
#   rig.sh run [TARGET...]  runs targets against both, or those that BROKERS names (onredis, onrabbitmq); all targets
#                           when none is named
#   rig.sh down             removes the host
# RIG names it, so that several can stand side by side; default: integration.
set -euo pipefail
cd "$(dirname "$0")/../.."
rig=${RIG:-integration}
folder=$PWD/.cache/$rig
export ANSIBLE_PIPELINING=1

# play NAME INVENTORY PLAYBOOK [OPTION...]
play() {
  tests/quietly.sh "$rig-$1" ansible-playbook -i "tests/integration/$2.yml" -i "$folder/rig.yml" "${@:3}"
}

rig_play() {
  mkdir -p "$folder"
  tests/quietly.sh "$rig-$1" ansible-playbook "tests/rig/$1.yml" -i tests/integration/onredis.yml \
    -e "rig_name=$rig" -e rig_access=docker -e "rig_folder=$folder"
}

case ${1:-} in
  up)
    rig_play up
    play site-onredis onredis celeryops.cluster.site
    play rabbitmq onrabbitmq tests/integration/rabbitmq.yml
    play site-onrabbitmq onrabbitmq celeryops.cluster.site
    ;;
  run)
    shift
    targets=("$@")
    ((${#targets[@]})) || mapfile -t targets < <(cd tests/integration/targets && printf '%s\n' *)
    # Each in a process of its own: what one registers would win over another's variables.
    for inventory in ${BROKERS:-onredis onrabbitmq}; do
      for target in "${targets[@]}"; do
        play "$target-$inventory" "$inventory" tests/integration/targets.yml -e "target=$target"
      done
    done
    ;;
  down)
    rig_play down
    ;;
  *)
    sed -n '2,8s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
