#!/bin/sh
# What a DHCP client runs when it has heard something: puts it into the file $LEASE and onto eth0.
case "${1:-$reason}" in
bound | renew | BOUND | RENEW | REBIND | REBOOT)
    env | grep -E '^(ip|subnet|mask|router|dns|domain|hostname|lease|siaddr|boot_file|serverid|mtu|broadcast|new_[a-z_]+)=' | sort >"$LEASE"
    ip -4 addr flush dev eth0
    ip addr add "${ip:-$new_ip_address}/${subnet:-$new_subnet_mask}" dev eth0
    ;;
deconfig | nak | leasefail | EXPIRE | FAIL | RELEASE | STOP | TIMEOUT)
    rm -f "$LEASE"
    ip -4 addr flush dev eth0
    ;;
PREINIT) ip link set eth0 up ;;
esac
exit 0
