#!/bin/bash
# A lab and its hosts as the kernel sees them. Every namespace of a lab belongs to one process, the keeper, which is the first
# of its pid namespace: when it dies the kernel ends every process of the lab, and with them go networks and mounts.
#
#   watch             start the keeper, wait until it ends (stdin ended, or it was killed), then sweep
#   keep              be the keeper: the management network, br0, and a second wire without addresses, br1
#   power NAME I      give host NAME (address 10.77.0.I) power; runs inside the keeper's namespaces
#   init NAME I       first process of a host: joins its control groups
#   boot NAME I       the same process, now that its groups look like the roots of all groups
#   registry          an image registry on the management network, with $LAB/registry as its storage
#   packages          the packages of the root over http on the management network
#   stranger NAME WIRE ADDRESS/LENGTH   a machine with this address on br0 or br1, ready when LAB/strangers/NAME has its number
#   visit NAME WIRE ADDRESS/LENGTH      the same process, now that it has a network of its own
#   bmc N             ipmi_sim as the BMC of machine N at 10.79.0.N, with the files of LAB/bmc/N
#   emulator A P D M  sushy-tools' emulator of Redfish at address A, by the Python P that has it, in directory D; over machine M, if it is given
#   sweep             remove what outlives a dead lab: control groups and its directory
#
# LAB is the lab's directory, TAG the name of its control groups, ROOT holds the read-only roots of hosts. LAB/NAME/kind says
# what a host is: light (a shell is its first process), systemd, or bare (systemd over a root without an engine).
set -eu
NET=10.77.0

watch() {
    cd /
    share_neighbours
    unshare --pid --fork --kill-child --net --mount bash "$LAB/host.sh" keep 9>&- || :
    sweep
    unshare_neighbours
}

# All networks of a machine share one table of neighbours: a lab of a few dozen containers has more than the thousand that fit,
# and then packets of every lab are lost. So it is larger as long as any lab lives; each holds a lock, and the last one puts back
# what was. Where the machine does not let us, labs are as small as its table.
LIMIT=/proc/sys/net/ipv4/neigh/default/gc_thresh3
NEIGHBOURS=65536
BEFORE=/run/lock/xcrane-lab.neighbours

share_neighbours() {
    [ -w $LIMIT ] && exec 9>>$BEFORE.lock && flock --shared 9 || return 0
    [ "$(<$LIMIT)" -lt $NEIGHBOURS ] || return 0
    (set -C && cat $LIMIT >$BEFORE) 2>/dev/null || : # what an earlier one has kept is older
    echo $NEIGHBOURS >$LIMIT || :
}

unshare_neighbours() {
    [ -s $BEFORE ] && flock --exclusive --nonblock 9 || return 0
    cat $BEFORE >$LIMIT && rm -f $BEFORE
}

# A bridge whose MTU was set once does not follow its narrowest port.
keep() {
    local me # as the machine outside counts: /proc stays the machine's until a host mounts its own
    read -r me _ </proc/self/stat
    ip link set lo up
    ip -batch - <<-END
	link add br0 type bridge forward_delay 0
	addr add $NET.254/24 dev br0
	link set br0 up
	link add br1 type bridge forward_delay 0 mcast_snooping 0
	link set br1 up
	link set br0 mtu 1400
	link set br0 mtu 1500
	END
    echo "$me" >"$LAB/keeper.new"
    mv "$LAB/keeper.new" "$LAB/keeper"
    if [ "$OWNED" = yes ]; then while read -r _; do :; done; else while :; do sleep infinity; done; fi
}

groups() { find /sys/fs/cgroup -depth -type d \( -path "*/$TAG.$1" -o -path "*/$TAG.$1/*" \) "${@:2}" 2>/dev/null; }

# Killed processes leave their groups a moment after they are gone, so a first rmdir may find one busy.
sweep() {
    local try
    for try in {1..100}; do
        groups '*' -exec rmdir {} + || :
        [ -n "$(groups '*')" ] || break
        sleep 0.05
    done
    rm -rf --one-file-system "$LAB"
}

power() {
    local status
    while :; do
        groups "$1" -exec rmdir {} + || : # what its former life has left
        status=0
        unshare --net --mount --uts --ipc --pid --fork --kill-child bash "$LAB/host.sh" init "$1" "$2" || status=$?
        rm -f "$LAB/$1/pid"
        [ $status = 129 ] || break # SIGHUP: the host asked for a restart by reboot(2)
    done
}

init() {
    enter_groups "$TAG.$1"
    exec unshare --cgroup bash "$LAB/host.sh" boot "$1" "$2"
}

# Nobody but the host's own processes may be in its groups: version 2 hands no controllers on from a group with processes.
enter_groups() {
    local top=/sys/fs/cgroup group
    if [ -f $top/cgroup.controllers ]; then
        for group in $(<$top/cgroup.controllers); do echo "+$group" >$top/cgroup.subtree_control || :; done
        mkdir -p "$top/$1"
        echo 0 >"$top/$1/cgroup.procs"
        return
    fi
    for group in $top/*/; do
        [ -f "${group}cgroup.procs" ] || continue
        mkdir -p "$group$1"
        if [ -f "${group}cpuset.cpus" ]; then
            cat "${group}cpuset.cpus" >"$group$1/cpuset.cpus"
            cat "${group}cpuset.mems" >"$group$1/cpuset.mems"
        fi
        echo 0 >"$group$1/cgroup.procs"
    done
}

boot() {
    local me keeper kind lower=system root=$LAB/$1/root
    read -r me _ </proc/self/stat
    keeper=$(<"$LAB/keeper")
    kind=$(<"$LAB/$1/kind")
    [ "$kind" != bare ] || lower=bare
    join_networks "$1" "$2" "$me" "$keeper"
    mount --make-rprivate /
    mount -t overlay "$1" -o "lowerdir=$ROOT/$lower,upperdir=$LAB/$1/upper,workdir=$LAB/$1/work" "$root"
    # The engine's overlays cannot stand on an overlay.
    mkdir -p "$root/var/lib/docker"
    mount --bind "$LAB/$1/docker" "$root/var/lib/docker"
    mount --bind "$LAB/$1/srv" "$root/srv"
    mount_kernel "$root" "$kind"
    [ "$kind" = light ] || protect_kernel "$root"
    echo "$me" >"$LAB/$1/pid.new"
    hostname "$1"
    cd "$root"
    mkdir -p .old
    pivot_root . .old
    cd /
    mv ".old$LAB/$1/pid.new" ".old$LAB/$1/pid" # from here on /proc/PID/root is the host
    umount -l /.old
    rmdir /.old
    if [ "$kind" = light ]; then serve; else start_systemd; fi
}

# A machine keeps its hardware addresses over a power cut; with new ones its neighbours would talk to the old for a while.
join_networks() {
    local wire
    for wire in 0 1; do
        nsenter "--net=/proc/$4/ns/net" ip link del "$1.$wire" 2>/dev/null || : # left by a former life of this host
        nsenter "--net=/proc/$4/ns/net" ip -batch - <<-END
	link add $1.$wire type veth peer name eth$wire address $(printf '02:4c:00:00:%02x:%02x' $wire "$2") netns /proc/$3/ns/net
	link set $1.$wire master br$wire up
	END
    done
    ip link set lo up
    [ ! -e "$LAB/$1/addresses-itself" ] || return 0
    ip -batch - <<-END
	addr add $NET.$2/24 dev eth0
	link set eth0 up
	link set eth1 up
	route add default via $NET.254
	END
}

mount_kernel() {
    local name minor
    mount -t proc proc "$1/proc"
    mount -t sysfs sysfs "$1/sys"
    mount -t tmpfs -o mode=755 run "$1/run"
    mount -t tmpfs tmp "$1/tmp"
    mount -t tmpfs -o mode=755 dev "$1/dev"
    for name in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 666 "$1/dev/${name%:*}" c 1 "${name#*:}"; done
    mknod -m 666 "$1/dev/tty" c 5 0
    mkdir "$1/dev/pts" "$1/dev/shm" "$1/dev/net"
    mknod -m 666 "$1/dev/net/tun" c 10 200
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$1/dev/pts"
    mount -t tmpfs shm "$1/dev/shm"
    ln -s pts/ptmx "$1/dev/ptmx"
    ln -s /proc/self/fd "$1/dev/fd"
    for name in 0:stdin 1:stdout 2:stderr; do ln -s "fd/${name%:*}" "$1/dev/${name#*:}"; done
    mount_groups "$1/sys/fs/cgroup" "$2"
}

# What systemd and its friends would set in the kernel is for the whole machine, but for the network's part.
protect_kernel() {
    mount --bind "$1/proc/sys" "$1/proc/sys"
    mount --bind "$1/proc/sys/net" "$1/proc/sys/net"
    mount -o remount,bind,ro "$1/proc/sys"
    mount -o remount,bind,ro "$1/sys"
}

mount_groups() {
    local group name options
    if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
        mount -t cgroup2 cgroup "$1"
        [ "$2" = light ] || return 0 # systemd does the rest in its own way
        mkdir -p "$1/init"
        echo 0 >"$1/init/cgroup.procs"
        for name in $(<"$1/cgroup.controllers"); do echo "+$name" >"$1/cgroup.subtree_control" || :; done
        return
    fi
    mount -t tmpfs -o mode=755 cgroup "$1"
    for group in /sys/fs/cgroup/*/; do
        group=${group%/} name=${group##*/}
        [ -f "$group/cgroup.procs" ] && [ ! -f "$group/cgroup.controllers" ] && [ ! -L "$group" ] || continue
        options=$name
        [ "$name" != systemd ] || options=none,name=systemd
        mkdir "$1/$name"
        mount -t cgroup -o "$options" cgroup "$1/$name"
    done
}

enter_host() { exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin container=lab "$@"; }

start_systemd() {
    sysctl -qw net.ipv4.ip_forward=0 # as in a machine that was just bought, whatever the one outside does
    enter_host /lib/systemd/systemd --log-target=console --show-status=false
}

serve() {
    enter_host HOME=/root bash -c '
        sysctl -qw net.ipv4.ip_forward=1
        systemctl start ssh
        systemctl start docker
        trap "systemctl stop docker; exit" TERM
        while :; do sleep infinity & wait $!; done'
}

registry() {
    cd /
    unshare --mount bash -c 'mount --bind "$LAB/registry" "$ROOT/system/srv" && exec chroot "$ROOT/system" docker-registry serve /srv/config.yml'
}

bmc() {
    local me
    ip addr replace "10.79.0.$1/16" dev lo
    cd "$LAB/bmc/$1"
    read -r me _ </proc/self/stat
    echo "$me" >pid
    exec ipmi_sim -c lan.conf -f bmc.emu -s state -n </dev/null
}

emulator() {
    ip addr add "$1/16" dev lo
    cd "$3"
    exec "$2" emulator.py "$1" "$3" ${4:+"$4"} </dev/null
}
packages() {
    cd /
    unshare --mount bash -c '
        mount --bind "$ROOT/packages" "$ROOT/system/srv"
        exec chroot "$ROOT/system" busybox httpd -f -p 10.77.0.254:8080 -h /srv'
}

stranger() {
    cd /
    exec unshare --net bash "$LAB/host.sh" visit "$@"
}

visit() {
    local me keeper
    read -r me _ </proc/self/stat
    keeper=$(<"$LAB/keeper")
    nsenter "--net=/proc/$keeper/ns/net" ip -batch - <<-END
	link add $1 type veth peer name eth0 netns /proc/$me/ns/net
	link set $1 master br$2 up
	END
    ip -batch - <<-END
	link set lo up
	addr add $3 dev eth0
	link set eth0 up
	END
    echo "$me" >"$LAB/strangers/.$1"
    mv "$LAB/strangers/.$1" "$LAB/strangers/$1"
    exec sleep infinity
}

"$@"
