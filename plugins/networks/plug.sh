say() {
    echo "$*" >&2
    return 1
}

is_bridge() {
    [ -d "/sys/class/net/$bridge/bridge" ]
}

is_in() {
    [ "$(readlink "/sys/class/net/$1/master")" = "../$2" ]
}

# Where packets of a bridge go through the firewall, a policy of DROP would stop them; the engine lets its own networks
# pass only where it is in charge of the firewall.
passes() {
    ! command -v "$filter" >/dev/null || "$filter" -w -C FORWARD -i "$bridge" -o "$bridge" -j ACCEPT 2>/dev/null
}

let_pass() {
    passes || "$filter" -w -A FORWARD -i "$bridge" -o "$bridge" -j ACCEPT
}

stop_passing() {
    command -v "$filter" >/dev/null || return 0
    while passes; do
        "$filter" -w -D FORWARD -i "$bridge" -o "$bridge" -j ACCEPT
    done
}

make_bridge() {
    [ -e "/sys/class/net/$bridge" ] || ip link add "$bridge" type bridge
    is_bridge || say "$bridge is there and is no bridge"
    ip link set "$bridge" address "$mac"
    ip link set "$bridge" type bridge forward_delay 0
    ip link set "$bridge" mtu "$mtu" up
}

# A bridge that containers are plugged into stays, so that they are connected again when the rest is back.
remove_bridge() {
    if is_bridge && [ -z "$(ls "/sys/class/net/$bridge/brif")" ]; then
        ip link del "$bridge"
    fi
}

check_up() {
    case "$(ip -o link show dev "$1" up 2>/dev/null)" in
    *" mtu $mtu "*) ;;
    *) say "$1 is down or its MTU is not $mtu" ;;
    esac
}
