#!/bin/busybox sh
# What udhcpc was told becomes the card's configuration.
[ "$1" = bound ] || exit 0
ip addr flush dev "$interface"
ip addr add "$ip/$mask" dev "$interface"
for gateway in $router; do
    ip route add default via "$gateway" dev "$interface" && break
done
: >/run/xcrane.resolv
[ -z "$domain" ] || echo "search $domain" >/run/xcrane.resolv
for server in $dns; do echo "nameserver $server" >>/run/xcrane.resolv; done
echo "$ip/$mask" >/run/xcrane.address
echo "$hostname" >/run/xcrane.name
