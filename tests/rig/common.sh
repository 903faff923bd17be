# shellcheck shell=bash
# What engine.sh and image.sh share.

# fail SENTENCE: ends the script with the cause and the fix on standard error.
fail() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# need COMMAND PACKAGE...: makes sure of the command, from Debian's packages when it is missing.
need() {
  command -v "$1" >/dev/null || install_packages "${@:2}"
}

# install_packages NAME...: as root on a machine with apt; elsewhere it says what is to be installed.
install_packages() {
  if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
    fail "$* is missing here: install it, or run this as root on Debian or Ubuntu."
  fi
  echo "Installing $* ..."
  if ! (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "$@") \
    >/dev/null; then
    fail "apt-get could not install $*: see its message above."
  fi
}
