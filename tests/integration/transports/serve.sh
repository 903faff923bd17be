#!/usr/bin/env bash
# The first process of the brokers' container. Its password comes from the environment; what clients need of
# certificates and keys is in /srv/tls. Each server's process id is in /run/served/<name>.
#   redis 6379 | redis_tls 6380 (server certificate) | redis_mutual 6381 (client certificates too)
#   master 6382 with sentinel1..3 on 26379..26381 | rabbitmq 5672, and 5671 with client certificates
set -euo pipefail
address=$(hostname -i)
tls=/srv/tls
mkdir -p "$tls" /run/served
cd "$tls"

# certificate NAME SUBJECT EXTENSION: signed by the authority.
certificate() {
  openssl req -quiet -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$2" 2>/dev/null
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out "$1.crt" \
    -extfile <(echo "$3") 2>/dev/null
}

openssl req -quiet -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 2 -subj "/CN=authority" 2>/dev/null
openssl req -quiet -x509 -newkey rsa:2048 -nodes -keyout /dev/null -out stranger.crt -days 2 -subj "/CN=stranger" 2>/dev/null
certificate server "$address" "subjectAltName = IP:$address"
certificate client client "extendedKeyUsage = clientAuth"

# signer NAME: a key and its certificate for signed messages.
signer() {
  openssl req -quiet -x509 -newkey rsa:2048 -nodes -keyout "$1.key" -out "$2/$1.crt" -days 2 -subj "/CN=$1" 2>/dev/null
}

mkdir store elsewhere
signer worker store
signer operator store
signer intruder elsewhere
chmod --recursive a+rX .

# redis NAME SETTING...: a server whose default user is off.
redis() {
  cat >"/run/$1.conf" <<END
dir /run
save ""
appendonly no
bind 0.0.0.0
protected-mode no
user default off
user celery on >$PASSWORD ~* &* +@all
END
  printf '%s\n' "${@:2}" >>"/run/$1.conf"
  redis-server "/run/$1.conf" >"/run/$1.log" &
  echo $! >"/run/served/$1"
}

certificates=("tls-cert-file $tls/server.crt" "tls-key-file $tls/server.key" "tls-ca-cert-file $tls/ca.crt")
redis redis "port 6379"
redis redis_tls "port 0" "tls-port 6380" "tls-auth-clients no" "${certificates[@]}"
redis redis_mutual "port 0" "tls-port 6381" "tls-auth-clients yes" "${certificates[@]}"
redis master "port 6382"

for number in 1 2 3; do
  cat >"/run/sentinel$number.conf" <<END
dir /run
port $((26378 + number))
protected-mode no
requirepass $PASSWORD
sentinel sentinel-pass $PASSWORD
sentinel monitor shop $address 6382 2
sentinel auth-user shop celery
sentinel auth-pass shop $PASSWORD
sentinel down-after-milliseconds shop 60000
END
  redis-sentinel "/run/sentinel$number.conf" >"/run/sentinel$number.log" &
  echo $! >"/run/served/sentinel$number"
done

cat >/etc/rabbitmq/rabbitmq.conf <<END
listeners.tcp.default = 5672
listeners.ssl.default = 5671
ssl_options.cacertfile = $tls/ca.crt
ssl_options.certfile = $tls/server.crt
ssl_options.keyfile = $tls/server.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
END
rabbitmq-server >/run/rabbitmq.log 2>&1 &
until rabbitmqctl await_startup --timeout 60 >/dev/null 2>&1; do
  sleep 0.2
done
pgrep beam.smp >/run/served/rabbitmq
rabbitmqctl add_user celery <<<"$PASSWORD" >/dev/null
rabbitmqctl add_vhost shop >/dev/null
rabbitmqctl set_permissions --vhost shop celery '.*' '.*' '.*' >/dev/null
touch /run/served/all
wait
