carries() {
    [ "$(cat "/sys/class/net/$uplink/mtu")" -ge "$mtu" ] || say "$uplink carries less than the MTU of $mtu"
}

up() {
    [ -e "/sys/class/net/$uplink" ] || say "there is no port $uplink"
    carries
    ip link set "$uplink" up
}

# The uplink is the host's own and stays as it is.
down() {
    :
}

check() {
    [ -n "$(ip -o link show dev "$uplink" up 2>/dev/null)" ] || say "$uplink is missing or down"
    carries
}
