# A tunnel of another number, as the network had before: two side by side would send everything in circles.
others() {
    for place in "/sys/class/net/$bridge/brif"/vx*; do
        other=${place##*/}
        if [ -e "$place" ] && [ "$other" != "$tunnel" ]; then
            echo "$other"
        fi
    done
}

up() {
    make_bridge
    refuse_strangers $(others)
    remove_devices $(others)
    make_tunnel_device
    ip link set "$tunnel" mtu "$mtu" master "$bridge" up
    send_to_peers
    let_pass
}

down() {
    remove_devices "$tunnel"
    remove_bridge
    stop_passing
}

check() {
    is_bridge || say "bridge $bridge is missing"
    check_up "$bridge"
    check_tunnel
    [ -z "$(others)" ] || say "$bridge has other tunnels too"
    is_in "$tunnel" "$bridge" || say "$tunnel is not in $bridge"
    passes || say "the firewall does not let $bridge pass"
}
