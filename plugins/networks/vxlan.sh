say() {
    echo "$*" >&2
    return 1
}

is_bridge() {
    [ -d "/sys/class/net/$bridge/bridge" ]
}

# Nothing but these can be changed of a tunnel once it is there.
is_tunnel() {
    case "$(ip -d -o link show dev "$tunnel" 2>/dev/null) " in
    *" vxlan id $vni local $address ${device:+dev $device }srcport "*" dstport $port "*) ;;
    *) return 1 ;;
    esac
}

# To whom the tunnel sends what is for all, or whose place it does not know.
listed() {
    bridge fdb show dev "$tunnel" | sed -n 's/^00:00:00:00:00:00 .*dst \([^ ]*\).*/\1/p' | sort
}

wanted() {
    for peer in $peers; do echo "$peer"; done | sort
}

# A host that has left the network is sent nothing more, learned addresses included.
forget_strangers() {
    bridge fdb show dev "$tunnel" | while read -r who entry; do
        case "$entry " in
        *" dst "*) ;;
        *) continue ;;
        esac
        dst=${entry#* dst }
        dst=${dst%% *}
        case " $peers " in
        *" $dst "*) ;;
        *) bridge fdb del "$who" dev "$tunnel" dst "$dst" ;;
        esac
    done
}

# Where packets of a bridge go through the firewall, a policy of DROP would stop them; the engine lets its own networks
# pass only where it is in charge of the firewall.
passes() {
    ! command -v "$filter" >/dev/null || "$filter" -w -C FORWARD -i "$bridge" -o "$bridge" -j ACCEPT 2>/dev/null
}

up() {
    if [ ! -e "/sys/class/net/$bridge" ]; then
        ip link add "$bridge" type bridge
    fi
    is_bridge || say "$bridge is there and is no bridge"
    ip link set "$bridge" address "$mac" mtu "$mtu" up
    if ! is_tunnel; then
        [ ! -e "/sys/class/net/$tunnel" ] || ip link del "$tunnel"
        ip link add "$tunnel" type vxlan id "$vni" local "$address" ${device:+dev "$device"} dstport "$port"
    fi
    ip link set "$tunnel" mtu "$mtu" master "$bridge" up
    forget_strangers
    known=" $(listed | tr '\n' ' ')"
    for peer in $peers; do
        case "$known" in
        *" $peer "*) ;;
        *) bridge fdb append 00:00:00:00:00:00 dev "$tunnel" dst "$peer" ;;
        esac
    done
    passes || "$filter" -w -A FORWARD -i "$bridge" -o "$bridge" -j ACCEPT
}

# A bridge that containers are plugged into stays, so that they are connected again when the tunnel is back.
down() {
    [ ! -e "/sys/class/net/$tunnel" ] || ip link del "$tunnel"
    if is_bridge && [ -z "$(ls "/sys/class/net/$bridge/brif")" ]; then
        ip link del "$bridge"
    fi
    command -v "$filter" >/dev/null || return 0
    while passes; do
        "$filter" -w -D FORWARD -i "$bridge" -o "$bridge" -j ACCEPT
    done
}

check() {
    is_bridge || say "bridge $bridge is missing"
    is_tunnel || say "tunnel $tunnel is missing or another one"
    for link in "$bridge" "$tunnel"; do
        case "$(ip -o link show dev "$link" up)" in
        *" mtu $mtu "*) ;;
        *) say "$link is down or its MTU is not $mtu" ;;
        esac
    done
    [ "$(readlink "/sys/class/net/$tunnel/master")" = "../$bridge" ] || say "$tunnel is not in $bridge"
    [ "$(listed)" = "$(wanted)" ] || say "$tunnel does not lead to exactly $peers"
    passes || say "the firewall does not let $bridge pass"
}
