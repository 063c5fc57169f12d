#!/bin/busybox sh
# First process of a node without a disk: network, root by HTTP into memory, a writable layer above it, the root's own init.
#
#   xcrane.root=URL       the root, a squashfs
#   xcrane.sha256=HEX     what it must be
#   xcrane.node=NAME      the node's name; otherwise the one that DHCP gives
#   xcrane.callback=URL   asked for (GET) when the root has come up; beside it are the node's postscripts (see booted.sh)
#   BOOTIF=01-MAC         the card that the node was booted by; otherwise the first that has an answer
#
# What cannot go on says why on the console, waits, and starts the node anew: nobody has to press a button for a server of
# files that was away. A process that ends here takes the kernel with it, so nothing exits.
export PATH=/bin
/bin/busybox mkdir -p /proc /sys /dev /run /root /tmp
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null
mount -t tmpfs -o mode=755 run /run
exec </dev/console >/dev/console 2>&1

say() { echo "xcrane: $*"; }

# NAME: its value on the kernel's command line, the last one that was given.
word() {
    local found='' each
    for each in $(cat /proc/cmdline); do
        case "$each" in "$1="*) found=${each#*=} ;; esac
    done
    echo "$found"
}

give_up() {
    say "$*"
    say "starting anew in 20 s"
    sleep 20
    reboot -f
    sleep 100
}

# Drivers for what this node has not refuse to load, and then those that stand on them lack their symbols.
load() {
    local file options why absent=''
    while read -r file options; do
        why=$(insmod "/modules/$file" $options 2>&1) && continue
        case $why in
            *"No such device"*) absent=yes ;;
            *"unknown symbol"*) [ -n "$absent" ] || say "module $file does not load: $why" ;;
            *) say "module $file does not load: $why" ;;
        esac
    done </modules/order
}

# Names of cards: the one that BOOTIF means, else all.
cards() {
    local wanted card
    wanted=$(word BOOTIF | sed 's/^01-//; s/-/:/g' | tr A-F a-f)
    for card in /sys/class/net/*; do
        [ -e "$card/device" ] || continue
        [ -z "$wanted" ] || [ "$(cat "$card/address")" = "$wanted" ] || continue
        echo "${card##*/}"
    done
}

# A card's cable may need seconds before anything goes through it.
network() {
    local try card
    for try in 1 2 3 4 5 6 7 8 9 10; do
        for card in $(cards); do
            ip link set "$card" up
            if udhcpc -f -q -n -i "$card" -s /dhcp -t 4 -T 2 -O hostname; then
                say "$card has $(cat /run/xcrane.address)"
                return 0
            fi
        done
        sleep 1
    done
    return 1
}

fetch() {
    local try
    for try in 1 2 3 4 5; do
        wget -q -O /run/xcrane/root.sqfs "$1" && return 0
        say "cannot fetch $1, try $try"
        sleep "$try"
    done
    return 1
}

# The key by which ssh knows this node, which is the same at each boot: its server has it. Who is given none makes one.
host_key() {
    local server key=/root/etc/ssh/ssh_host_ed25519_key
    server=$(word xcrane.callback)
    [ -n "$server" ] && [ -e /root/usr/sbin/sshd ] && [ ! -e "$key" ] || return 0
    (umask 077 && wget -q -O "$key" --header "Authorization: Bearer $(word xcrane.token)" "${server%/status/*}/file/ssh_host_ed25519_key") && return 0
    rm -f "$key"
    say "the server has no key for ssh, this boot gets one of its own"
}

# What the root needs to know of how it came here, and one thing to do when it is up.
hand_over() {
    local name
    name=$(word xcrane.node)
    [ -n "$name" ] || name=$(cat /run/xcrane.name 2>/dev/null)
    [ -z "$name" ] || echo "$name" >/root/etc/hostname
    [ -e /root/etc/resolv.conf ] || cp /run/xcrane.resolv /root/etc/resolv.conf
    cp /bin/busybox /run/xcrane/busybox
    {
        echo '#!/run/xcrane/busybox sh'
        echo "callback='$(word xcrane.callback)'"
        cat /booted
    } >/run/xcrane/booted
    chmod 755 /run/xcrane/booted
    mkdir -p /run/systemd/system/multi-user.target.wants
    {
        echo '[Unit]'
        echo 'Description=Tell that this node has booted'
        echo 'After=multi-user.target'
        echo '[Service]'
        echo 'Type=oneshot'
        echo 'ExecStart=/run/xcrane/booted'
        echo 'Restart=on-failure'
        echo 'RestartSec=10'
    } >/run/systemd/system/xcrane-booted.service
    ln -s ../xcrane-booted.service /run/systemd/system/multi-user.target.wants/
}

come_up() {
    local url sum each
    url=$(word xcrane.root) sum=$(word xcrane.sha256)
    [ -n "$url" ] && [ -n "$sum" ] || { say "the kernel was not told xcrane.root= and xcrane.sha256="; return 1; }
    load
    network || { say "no card has an answer of DHCP: $(cards | tr '\n' ' ')"; return 1; }
    mkdir -m 700 /run/xcrane
    mount -t tmpfs -o mode=700,size=90% xcrane /run/xcrane
    say "fetching $url"
    fetch "$url" || return 1
    echo "$sum  /run/xcrane/root.sqfs" | sha256sum -c -s || { say "$url is not what it should be (sha256)"; return 1; }
    mkdir /run/xcrane/lower /run/xcrane/upper /run/xcrane/work
    mount -t squashfs -o loop,ro /run/xcrane/root.sqfs /run/xcrane/lower || return 1
    chmod 755 /run/xcrane/upper
    mount -t overlay -o lowerdir=/run/xcrane/lower,upperdir=/run/xcrane/upper,workdir=/run/xcrane/work root /root || return 1
    hand_over
    host_key
    for each in dev proc sys run; do
        mkdir -p "/root/$each"
        mount -o move "/$each" "/root/$each" || return 1
    done
}

# The maintenance system has no root: it does what it is told, and does not come back.
[ ! -e /maintain ] || . /maintain

come_up || give_up "no root"
exec switch_root /root /sbin/init
