#!/bin/sh
# The first process of a test host: makes the container a machine for systemd, then becomes systemd.
set -eu

# A cgroup tree of its own; in the machine's, the systemds of two hosts would end each other's services.
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup

# Under the runtime's masks, units with ProtectProc= or PrivateUsers= fail (status 217/USER).
awk '$5 ~ "^/proc/" { print $5 }' /proc/self/mountinfo | sort -r | xargs --no-run-if-empty umount

# The runtime mounts /etc/hosts, which could not be replaced as on a real host. A later start keeps
# the host's own file and renews only its own address.
own=$(grep -w "$(hostname)$" /etc/hosts | head -n 1)
cp /etc/hosts /run/hosts
umount /etc/hosts
if [ -s /etc/hosts ]; then
  sed -i "s/^.*[[:space:]]$(hostname)\$/$own/" /etc/hosts
else
  cp /run/hosts /etc/hosts
fi

# Its identity, at the first start; systemd would take the machine's id, the same for all hosts.
[ -s /etc/machine-id ] || tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id
[ -e /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key

exec /sbin/init
