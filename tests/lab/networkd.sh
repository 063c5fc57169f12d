#!/bin/sh
# systemd-networkd of the hosts' root file system $1 on this network's eth0, in a mount namespace of its own: what it was told,
# or nothing. It must know a machine by its number: $2.
root=$1
id=$(mktemp)
echo "$2" >"$id"
mount -t tmpfs none "$root/run" && mount -t sysfs -o ro none "$root/sys" && mount -t proc none "$root/proc" || exit
mount --rbind /dev "$root/dev" && mount --bind "$id" "$root/etc/machine-id" && rm "$id" || exit
mkdir -p "$root/run/systemd/network" "$root/run/systemd/netif"
printf '[Match]\nName=eth0\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n' >"$root/run/systemd/network/10.network"
chroot "$root" /lib/systemd/systemd-networkd &
daemon=$!
for try in $(seq 300); do
    grep -h '^[A-Z]' "$root"/run/systemd/netif/leases/* 2>/dev/null && ip -4 -o addr show dev eth0 | awk '{print $4}' && break
    sleep 0.1
done
kill $daemon
wait $daemon
