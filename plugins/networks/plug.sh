say() {
    echo "$*" >&2
    return 1
}

# A device says in its alias whose it is: what somebody else has made is neither used nor taken away. From before it is made
# until it has its alias a note says so.
owner="xcrane-network $network"
notes=/run/xcrane/making

is_there() {
    [ -e "/sys/class/net/$1" ]
}

alias_of() {
    cat "/sys/class/net/$1/ifalias" 2>/dev/null || :
}

# Files of ours that have bridges made at boot tell nobody whose they are.
is_ours() {
    case "$(alias_of "$1")" in
    "$owner" | xcrane-network) return 0 ;;
    esac
    for made_by in "$notes/$1" "/etc/systemd/network/00-xcrane-$1.netdev" \
        "/etc/NetworkManager/system-connections/xcrane-$1.nmconnection" "/etc/network/interfaces.d/xcrane-$1"; do
        [ ! -e "$made_by" ] || return 0
    done
    return 1
}

refuse_strangers() {
    for each; do
        ! is_there "$each" || is_ours "$each" ||
            say "$each is there and is not of network $network, which will not touch it"
    done
}

put_mark() {
    for each; do
        [ "$(alias_of "$each")" = "$owner" ] || ip link set dev "$each" alias "$owner"
        forget "$each"
    done
}

# Another network, which is made at the same moment, takes the directory away when it finds it empty.
note() {
    tries=0
    for each; do
        until mkdir -p "$notes" && true >"$notes/$each"; do
            tries=$((tries + 1))
            [ "$tries" -lt 100 ] || return 1
        done 2>/dev/null
    done
}

forget() {
    [ -d "$notes" ] || return 0
    for each; do rm -f "$notes/$each"; done
    rmdir -p "$notes" 2>/dev/null || :
}

# Its name, the name of its other end if it has two, or nothing; then what it is.
make_device() {
    made=$1
    twin=$2
    shift 2
    refuse_strangers "$made" $twin
    if ! is_there "$made"; then
        note "$made" $twin
        ip link add "$made" "$@" || {
            forget "$made" $twin
            return 1
        }
    fi
    put_mark "$made" $twin
}

remove_devices() {
    for each; do
        ! is_there "$each" || ! is_ours "$each" || ip link del "$each"
    done
    forget "$@"
}

is_bridge() {
    [ -d "/sys/class/net/$bridge/bridge" ]
}

# A real card stands elsewhere in /sys than bridges do: the way to its master is longer than that of a virtual one.
is_in() {
    [ "$(master_of "$1")" = "$2" ]
}

master_of() {
    link=$(readlink "/sys/class/net/$1/master") && echo "${link##*/}"
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
    make_device "$bridge" "" type bridge
    is_bridge || say "$bridge is there and is no bridge"
    ip link set "$bridge" address "$mac"
    ip link set "$bridge" type bridge forward_delay 0
    ip link set "$bridge" mtu "$mtu" up
}

# A bridge that containers are plugged into stays, so that they are connected again when the rest is back.
remove_bridge() {
    if is_bridge && [ -z "$(ls "/sys/class/net/$bridge/brif")" ]; then
        remove_devices "$bridge"
    fi
}

check_up() {
    case "$(ip -o link show dev "$1" up 2>/dev/null)" in
    *" mtu $mtu "*) ;;
    *) say "$1 is down or its MTU is not $mtu" ;;
    esac
}
