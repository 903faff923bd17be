#!/usr/bin/env bash
# The host of the integration tests: Redis, RabbitMQ and an application on each.
#   rig.sh up               makes the host and deploys both applications
#   rig.sh run [TARGET...]  runs targets against both side by side, all of them when none is named
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

# run_on INVENTORY TARGET...: each in a process of its own, where no variable of another's stays.
run_on() {
  for target in "${@:2}"; do
    play "$target-$1" "$1" tests/integration/targets.yml -e "target=$target"
  done
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
    together=() alone=()
    for target in "${targets[@]}"; do
      # It stops the Redis in which both applications keep their results.
      if [[ $target == broker_down ]]; then alone+=("$target"); else together+=("$target"); fi
    done
    # A group of processes for each, so that a failure or Ctrl-C ends the other one as well.
    set -m
    trap 'for group in $(jobs -p); do kill -- "-$group" || true; done 2>/dev/null' EXIT
    run_on onredis "${together[@]}" &
    run_on onrabbitmq "${together[@]}" &
    wait -n
    wait -n
    run_on onredis "${alone[@]}"
    run_on onrabbitmq "${alone[@]}"
    ;;
  down)
    rig_play down
    ;;
  *)
    sed -n '2,7s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
