#!/bin/bash
# Makes an installation medium of Debian in the current directory, as its makers lay theirs out: the base system and what an
# installation adds to it, the parts of the installer, their indices, and the installer that boots from the network in netboot. It is not
# signed, as media are not.
#
# SUITE is Debian's name and RELEASE its number, OFFERED is packages beside the base system. All comes from the mirror that apt has here,
# past apt's own lists, and without what came after the release: the installer's kernel has its modules there.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/lists"
quiet=(-qq -o "Dir::State=$work" -o "Dir::Cache=$work" -o Dir::State::status=/dev/null -o "Dir::Etc::sourcelist=$work/sources"
    -o Dir::Etc::sourceparts=- -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::GzipIndexes=false)

fail() { echo "$*" >&2 && exit 1; }

sources() {
    local here
    here=$(. /etc/os-release && echo "$VERSION_CODENAME")
    archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $here" 'Component: main' | sed -n 1p)
    [ -n "$archive" ] || fail "apt has no mirror of Debian here: apt-get update"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive $SUITE main main/debian-installer" >"$work/sources"
    apt-get "${quiet[@]}" update
    version=$(sed -n 's/^Version: //p' "$work"/lists/*InRelease)
}

# The names of what a base system consists of, and of what is offered with all that it needs and recommends; some of these exclude each
# other.
packages() {
    local name
    {
        apt-get "${quiet[@]}" --no-install-recommends --simulate install \
            '?and(?or(?priority(required),?priority(important)),?not(?section(debian-installer)))'
        for name in $OFFERED; do apt-get "${quiet[@]}" --simulate install "$name"; done
    } | sed -n 's/^Inst \([^ ]*\) .*/\1/p' | sort -u
}

# The names of the installer's parts without those of kernels that it does not start.
parts() {
    awk -v kernel="$kernel" -v RS= -F '\n' '{
        name = $1; sub(/^Package: /, "", name)
        if ($0 !~ /\nKernel-Version: / || index($0, "\nKernel-Version: " kernel "\n")) print name
    }' "$work"/lists/*debian-installer_binary-amd64_Packages | sort -u
}

# Files with what the archive says of them, which is on the input, at their places below pool.
fetch() {
    awk -v archive="$archive" '/^Filename: / { file = $2 } /^SHA256: / { print archive file, file, "SHA256:" $2 }' >"$work/wanted"
    cut -d' ' -f2 "$work/wanted" | xargs -n 1 dirname | sort -u | xargs mkdir -p
    xargs -n 300 /usr/lib/apt/apt-helper "${quiet[@]}" download-file <"$work/wanted"
}

# What the archive says of packages named on the input.
said() { xargs apt-cache "${quiet[@]}" --no-all-versions show; }

# Of what the archive says on the input, that of files which were fetched.
present() {
    awk -v RS= -v ORS='\n\n' '{
        file = $0; sub(/.*\nFilename: /, "", file); sub(/\n.*/, "", file)
        if ((getline line <file) >= 0) print
        close(file)
    }'
}

# Not every mirror has all parts. For those that an installation cannot do without stand the same programs and modules, as packages for
# installed systems have them.
stand_ins() {
    local version kept
    version=$(echo e2fsprogs | said | sed -n 's/^Version: //p')
    if ! ls pool/main/*/*/e2fsprogs-udeb_* >/dev/null 2>&1; then
        unpack e2fsprogs libext2fs2t64 libcom-err2 libss2
        rm -r "$work/udeb/usr/share"
        udeb e2fsprogs-udeb "$version" 'Depends: libblkid1-udeb, libc6-udeb, libuuid1-udeb'
    fi
    if ! ls pool/main/*/*/ext4-modules-"${kernel}"-di_* >/dev/null 2>&1; then
        unpack "linux-image-$kernel"
        kept='/kernel/(fs/(ext4|jbd2|mbcache)|drivers/(md|block/(virtio_blk|loop))|lib/raid6|crypto/(async_tx|xor))|/crc[^/]*$'
        find "$work/udeb" -type f | grep -vE "$kept" | xargs rm
        find "$work/udeb" -type d -empty -delete
        udeb "ext4-modules-$kernel-di" "$version" "Kernel-Version: $kernel" \
            'Provides: ext2-modules, ext3-modules, ext4-modules, md-modules, scsi-modules'
    fi
}

unpack() {
    local package
    rm -rf "$work/udeb"
    for package; do dpkg-deb -x pool/main/*/*/"${package}"_*_amd64.deb "$work/udeb"; done
}

# A part of the installer with what was unpacked: its name, its version and what is to be said of it.
udeb() {
    local file=pool/$1.udeb
    mkdir "$work/udeb/DEBIAN"
    printf '%s\n' "Package: $1" "Version: $2" 'Architecture: amd64' 'Section: debian-installer' 'Priority: standard' 'Maintainer: the lab' \
        'Description: what the mirror lacks' "${@:3}" >"$work/udeb/DEBIAN/control"
    dpkg-deb -Zxz --build "$work/udeb" "$file" >/dev/null
    dpkg-deb --field "$file"
    printf 'Filename: %s\nSize: %s\nSHA256: %s\n\n' "$file" "$(stat -c %s "$file")" "$(sha256sum <"$file" | cut -d' ' -f1)"
}

index() {
    mkdir -p "dists/$SUITE/$1/binary-amd64"
    cat >"dists/$SUITE/$1/binary-amd64/Packages"
    gzip -9nk "dists/$SUITE/$1/binary-amd64/Packages"
    printf 'Archive: stable\nOrigin: Debian\nLabel: Debian\nVersion: %s\nComponent: %s\nArchitecture: amd64\n' "$version" "$1" \
        >"dists/$SUITE/$1/binary-amd64/Release"
}

release() {
    cd "dists/$SUITE"
    {
        printf 'Origin: Debian\nLabel: Debian\nSuite: stable\nVersion: %s\nCodename: %s\n' "$version" "$SUITE"
        printf 'Date: %s\nArchitectures: amd64\nComponents: main\nSHA256:\n' "$(LC_ALL=C date -Ru)"
        find main -type f | while read -r file; do
            echo " $(sha256sum <"$file" | cut -d' ' -f1) $(stat -c %s "$file") $file"
        done
    } >"$work/Release"
    mv "$work/Release" .
    cd ../..
    ln -s "$SUITE" dists/stable
}

# The installer of the release that boots from the network comes as a package.
netboot() {
    local package=debian-installer-$RELEASE-netboot-amd64
    echo "$package" | said | fetch
    dpkg-deb -x pool/main/*/*/"$package"_*.deb "$work/installer"
    mkdir netboot
    mv "$work/installer/usr/lib/debian-installer/images/$RELEASE/amd64/text/debian-installer/amd64"/{linux,initrd.gz} netboot/
    rm -r pool/main/d/debian-installer-netboot-images
    kernel=$(strings -n 8 netboot/linux | sed -n 's/^\([0-9.]*[^ ]*-amd64\) (.*/\1/p' | sort -u)
}

sources
netboot
packages | said >"$work/packages"
fetch <"$work/packages"
index main <"$work/packages"
parts | said >"$work/parts"
fetch <"$work/parts" 2>"$work/missing" || :
{ present <"$work/parts" && stand_ins; } | index main/debian-installer
release
mkdir .disk
echo "Debian GNU/Linux $version \"${SUITE^}\" - Lab amd64 NETINST $(date -u +%Y%m%d-%H:%M)" >.disk/info
chmod -R a+rX .
