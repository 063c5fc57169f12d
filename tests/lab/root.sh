#!/bin/bash
# Makes what hosts are made of, in the current directory:
#
#   bare       a machine with systemd and sshd, and nothing that xcrane brings to a host
#   packages   its packages and those that it may be given, with all they need, as an apt repository
#   system     the same machine with those packages that a Docker host of the lab has
#
# SUITE is Debian's name; BARE, ENGINE and OFFERED are lists of packages: in bare, in system as well, in the repository only.
set -eu
export DEBIAN_FRONTEND=noninteractive

# Hosts are thrown away, so nothing waits for the disk; and they have no way to the mirror that this root came from.
bare() {
    mkdir packages
    mmdebstrap --quiet --variant=minbase --format=directory --skip=essential/unlink --dpkgopt=force-unsafe-io "--include=${BARE// /,}" \
        --customize-hook='APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -qq -y --no-install-recommends -d install $ENGINE $OFFERED' \
        --customize-hook='mv "$1"/var/cache/apt/archives/*.deb packages/' \
        --customize-hook='rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/apt/sources.list' \
        "$SUITE" bare
}

# Most of an installation is unpacking, so what is large is packed anew for speed instead of size.
repack() {
    find packages -name '*.deb' -size +2M | while read -r deb; do
        dpkg-deb --raw-extract "$deb" unpacked
        dpkg-deb -Zzstd -z1 --build unpacked "$deb" >/dev/null
        rm -rf unpacked
    done
}

# What apt wants to find beside packages. An epoch's colon is quoted in file names, and quoted again by some who fetch them.
index() {
    local deb
    cd packages
    for deb in *%3a*; do [ ! -e "$deb" ] || mv "$deb" "${deb/\%3a/.}"; done
    for deb in *.deb; do
        dpkg-deb --field "$deb"
        printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$deb" "$(stat -c %s "$deb")" "$(sha256sum <"$deb" | cut -d' ' -f1)"
    done >Packages
    printf 'Origin: lab\nSuite: %s\nDate: %s\nSHA256:\n %s %s Packages\n' "$SUITE" "$(LC_ALL=C date -Ru)" \
        "$(sha256sum <Packages | cut -d' ' -f1)" "$(stat -c %s Packages)" >Release
    chmod a+rX . *
    cd ..
}

system() {
    cp -a bare system
    printf '#!/bin/sh\nexit 101\n' >system/usr/sbin/policy-rc.d # no daemon starts while the root is made
    chmod 755 system/usr/sbin/policy-rc.d
    unshare --mount bash -euc '
        mount --bind packages system/mnt
        mount -t proc proc system/proc
        echo "deb [trusted=yes] file:/mnt ./" >system/etc/apt/sources.list
        chroot system apt-get -qq update
        chroot system apt-get -qq -y --no-install-recommends install $ENGINE >/dev/null
        chroot system systemctl --quiet disable docker-registry openvswitch-switch'
    rm -rf system/usr/sbin/policy-rc.d system/etc/apt/sources.list system/var/{lib/apt/lists,cache/apt}/*
}

bare
repack
index
system
