# The maintenance system: read by init.sh, whose functions it uses. It tells what the machine is until somebody says which node that is,
# and then does what the node is to do, step by step.
#
#   xcrane.server=URL    who is asked
#   xcrane.token=TOKEN   what the node proves itself with; a machine that nobody knows has none
#   BOOTIF=01-MAC        the card that it was booted by
#
# Programs that are not busybox's, and are used where mknb has found or added them: ipmitool (the BMC's address), and for the switch and
# its port tcpdump (hears LLDP), or in its place neighbour (told a card, prints the switch, a tab and the port).
server=$(word xcrane.server)
own=$(word BOOTIF | sed 's/^01-//')
token=$(word xcrane.token)

reply=/run/answer

# PATH [FILE]: what the server answers, to a file that is posted if there is one; then in $reply.
ask() {
    # Debian's busybox (1.35) breaks down on "wget -T".
    timeout 30 wget -q -O "$reply" ${2:+--post-file "$2"} "$server/$1" 2>/dev/null
}

# WORD: what stands behind it in the answer.
answer() { sed -n "s/^$1 //p" "$reply" | head -n 1; }

# One line without what ends it.
clean() { tr '\t\r\n' '   ' | tr -d '\000-\037\177' | sed 's/^ *//; s/ *$//' | cut -c 1-200; }

fact() { [ ! -r "$1" ] || clean 2>/dev/null <"$1"; }

disks() {
    local disk serial
    for disk in /sys/block/*; do
        case "${disk##*/}" in sr* | fd* | loop* | ram*) continue ;; esac
        [ -e "$disk/device" ] || continue
        serial=$(fact "$disk/serial")
        [ -n "$serial" ] || serial=$(fact "$disk/device/serial")
        printf 'disk=%s\t%s\t%s\t%s\n' "${disk##*/}" "$(($(cat "$disk/size") * 512))" "$(fact "$disk/device/model")" "$serial"
    done
}

all_cards() {
    local card driver link
    for card in /sys/class/net/*; do
        [ -e "$card/device" ] || continue
        ip link set "${card##*/}" up 2>/dev/null
        driver=$(readlink "$card/device/driver")
        link=$(cat "$card/carrier" 2>/dev/null)
        printf 'nic=%s\t%s\t%s\t%s\n' "${card##*/}" "$(cat "$card/address")" "${driver##*/}" "${link:-0}"
    done
}

bmc() {
    local channel address
    [ -e /dev/ipmi0 ] && [ -x /bin/ipmitool ] || return 0
    for channel in 1 2 3 8; do
        address=$(timeout 10 ipmitool lan print "$channel" 2>/dev/null | sed -n 's/^IP Address  *: *//p')
        case "$address" in '' | 0.0.0.0) continue ;; esac
        echo "bmc=$address"
        return 0
    done
}

# BYTE...: as text, of which a name is left.
letters() {
    local byte
    for byte in "$@"; do printf "\\x$byte"; done | tr -cd 'A-Za-z0-9._:/-' | cut -c 1-200
}

# MAC-KIND BYTE...: what identifies a switch or a port, whose first octet says of which kind that is.
identity() {
    local mac=$1 kind=$((0x$2))
    shift 2
    if [ "$kind" = "$mac" ]; then echo "$*" | tr ' ' ':'; else letters "$@"; fi
}

# COUNT BYTE...: the first of them.
first() {
    local count=$1
    shift
    while [ "$count" -gt 0 ] && [ $# -gt 0 ]; do
        printf '%s ' "$1"
        shift
        count=$((count - 1))
    done
}

# What tcpdump -xx prints of a frame of LLDP (IEEE 802.1AB): the switch by its name or what identifies it, a tab, the port.
lldp() {
    local type length value switch='' name='' port=''
    set -- $(sed -n 's/^[[:space:]]*0x[0-9a-f]*: *//p' | tr -d ' \n' | sed 's/../& /g')
    [ $# -gt 14 ] || return 0
    shift 14
    while [ $# -ge 2 ]; do
        type=$((0x$1 >> 1)) length=$(((0x$1 & 1) << 8 | 0x$2))
        shift 2
        [ "$type" -ne 0 ] && [ $# -ge "$length" ] || break
        value=$(first "$length" "$@")
        case "$type:$length" in
        1:0 | 1:1 | 2:0 | 2:1) ;;
        1:*) switch=$(identity 4 $value) ;;
        2:*) port=$(identity 3 $value) ;;
        5:*) name=$(letters $value) ;;
        esac
        shift "$length"
    done
    [ -z "${name:-$switch}" ] || [ -z "$port" ] || printf '%s\t%s\n' "${name:-$switch}" "$port"
}

switch_port() {
    local found='' card
    card=$(cards | head -n 1)
    if [ -x /bin/neighbour ]; then
        found=$(timeout 40 neighbour "$card" 2>/dev/null | head -n 1)
    elif [ -x /bin/tcpdump ]; then
        found=$(timeout 40 tcpdump -Z root -n -xx -c 1 -i "$card" ether proto 0x88cc 2>/dev/null | lldp)
    fi
    [ -z "$found" ] || echo "switchport=$found"
}

# Switches send such a frame twice a minute, if they do: all else is said meanwhile.
listen() {
    [ -x /bin/neighbour ] || [ -x /bin/tcpdump ] || return 0
    : >/run/listening
    {
        switch_port >/run/port
        rm /run/listening
    } &
}

# What can be said by now.
report() {
    cat /run/facts
    if [ -e /run/listening ]; then
        echo listening=1
    elif [ -e /run/port ]; then
        cat /run/port
    fi
}

# SECONDS, or until the switch was heard of.
rest() {
    local left=$1 listening=''
    [ ! -e /run/listening ] || listening=yes
    while [ "$left" -gt 0 ]; do
        sleep 1
        left=$((left - 1))
        [ -z "$listening" ] || [ -e /run/listening ] || return 0
    done
}

# What was heard after the machine had become a node.
tell_port() {
    [ -e /run/listening ] || return 0
    {
        reply=/run/told
        while [ -e /run/listening ]; do sleep 1; done
        report >/run/report
        [ ! -s /run/port ] || ask "discover/$own?token=$token" /run/report
    } &
}

describe() {
    local dmi=/sys/class/dmi/id memory
    echo "serial=$(fact $dmi/product_serial)"
    echo "uuid=$(fact $dmi/product_uuid)"
    echo "vendor=$(fact $dmi/sys_vendor)"
    echo "product=$(fact $dmi/product_name)"
    echo "arch=$(uname -m)"
    echo "cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1 | clean)"
    echo "cpus=$(grep -c '^processor' /proc/cpuinfo)"
    memory=$(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo)
    echo "memory=$((memory / 1024))"
    disks
    all_cards
    bmc
}

# Until somebody says which node this is.
be_discovered() {
    local why pause said=''
    [ -z "$token" ] || return 0
    say "this machine is nobody's yet"
    describe >/run/facts
    listen
    while :; do
        report >/run/report
        why='the server does not answer'
        if ask "discover/$own" /run/report; then
            token=$(answer token)
            [ -z "$token" ] || break
            why=$(answer why)
        else
            : >"$reply"
        fi
        [ "$why" = "$said" ] || say "$why"
        said=$why
        pause=$(answer wait)
        rest "${pause:-10}"
    done
    say "this machine is node $(answer node)"
    tell_port
}

# COMMAND: whether it has succeeded.
run_command() {
    say "running $1"
    sh -c "$1"
}

# URL: an archive with a script runme.sh.
run_image() {
    say "running $1"
    rm -rf /run/image
    mkdir /run/image
    timeout 600 wget -q -O /run/image.tgz "$1" && tar -xzf /run/image.tgz -C /run/image || return 1
    (cd /run/image && sh ./runme.sh)
}

# ID of the step that is over.
finish() {
    local try
    for try in 1 2 3 4 5 6 7 8 9 10; do
        ask "node/$own/done?token=$token&id=$1" && return 0
        sleep "$try"
    done
}

# What is to be done, one thing after the other; a step that has failed is not tried again by itself.
follow() {
    local id failed='' silent=0 what
    while [ "$silent" -lt 60 ]; do
        if ! ask "node/$own/step?token=$token"; then
            silent=$((silent + 1))
            sleep 5
            continue
        fi
        silent=0 id=$(answer id) what=$(answer what)
        if [ "$id" = "$failed" ]; then
            sleep 5
            continue
        fi
        case "$(answer do)" in
        runcmd) run_command "$what" && finish "$id" || failed=$id ;;
        runimage) run_image "$what" && finish "$id" || failed=$id ;;
        shell)
            say "a shell, which ends by exit"
            setsid cttyhack sh
            finish "$id"
            ;;
        reboot)
            say "starting anew"
            reboot -f
            sleep 100
            ;;
        shutdown)
            say "switching off"
            finish "$id"
            poweroff -f
            sleep 100
            ;;
        *) sleep 5 ;;
        esac
        [ "$id" != "$failed" ] || {
            say "that has failed"
            ask "node/$own/status/failed?token=$token"
        }
    done
    give_up "the server does not answer any more, or not to this node"
}

load
network || give_up "no card has an answer of DHCP: $(cards | tr '\n' ' ')"
be_discovered
follow
