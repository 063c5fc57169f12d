//! Packages on a host, by the package manager that it has.

use super::{Family, Install, Source, Step, local_packages};
use crate::ssh::Exit;
use crate::{Error, Host, Progress, Result, host};

/// What an installation brings is noted before it begins: later, apt alone could not tell it from what was there.
/// What is only brought up to date has its old version in brackets.
pub(super) const NOTE: &str = r#"
note() {
    mkdir -p /etc/xcrane
    apt-get -s --no-install-recommends install "$@" 2>/dev/null | sed -n 's/^Inst \([^ ]*\) (.*/\1/p' >>/etc/xcrane/installed
}
"#;

/// dpkg may have been interrupted, another run may hold its lock, and an index may be older than its packages. What an
/// admin has put into a configuration file stays.
const APT_INSTALL: &str = r#"
update=$1; shift
PATH=$PATH:/usr/sbin:/sbin; export PATH DEBIAN_FRONTEND=noninteractive LC_ALL=C
apt() { apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold --no-install-recommends "$@" </dev/null; }
index() { apt-get -q -o DPkg::Lock::Timeout=300 update </dev/null; }
[ "$update" = no ] || said=$(index 2>&1)
note "$@"
apt install "$@" >/dev/null 2>&1 && exit
dpkg --configure -a >/dev/null 2>&1 </dev/null
[ "$update" = yes ] || said=$(index 2>&1)
last=$(apt install "$@" 2>&1) && exit
printf '%s\n' "$said" "$last" | grep '^E: ' | head -n 1 >&2
exit 1"#;

/// What came along with them and nobody needs any more goes too, in one go.
const APT_REMOVE: &str = r#"
PATH=$PATH:/usr/sbin:/sbin; export PATH DEBIAN_FRONTEND=noninteractive LC_ALL=C
list=/etc/xcrane/installed
unneeded() {
    apt-get -s -o APT::AutoRemove::RecommendsImportant=false -o APT::AutoRemove::SuggestsImportant=false \
        --auto-remove purge "$@" 2>/dev/null | sed -n 's/^\(Remv\|Purg\) \([^ ]*\).*/\2/p'
}
purge() { apt-get -q -y -o DPkg::Lock::Timeout=300 purge "$@" </dev/null; }
[ ! -e $list ] || set -- "$@" $(unneeded "$@" | grep -xF -f $list)
purge "$@" >/dev/null 2>&1 || { dpkg --configure -a >/dev/null 2>&1 </dev/null; purge "$@" >/dev/null; } || exit
[ -e $list ] || exit 0
left=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $(cat $list) 2>/dev/null | sed -n 's/^installed //p')
if [ "$left" ]; then printf '%s\n' "$left" >$list; else rm -f $list; rmdir /etc/xcrane 2>/dev/null || :; fi"#;

/// What apt would take away with the packages without having been asked: what needs them and has not come with them.
const APT_NEEDED: &str = r#"
PATH=$PATH:/usr/sbin:/sbin LC_ALL=C; export PATH LC_ALL
apt-get -s purge "$@" 2>/dev/null </dev/null | sed -n 's/^\(Remv\|Purg\) \([^ ]*\).*/\2/p' |
    grep -vxF -e "$(printf '%s\n' "$@")" | grep -vxF -e "$(cat /etc/xcrane/installed 2>/dev/null)" || :"#;

/// Refuses steps that would take away what others have installed, because it needs what goes. Of dnf it is not asked.
pub async fn refuse_needed(host: &Host, steps: &[Step]) -> Result<()> {
    for step in steps {
        let Step::Remove { packages, family: Family::Apt } = step else { continue };
        let argv = ["sh", "-c", APT_NEEDED, "sh"].into_iter().chain(packages.iter().map(String::as_str));
        let said = host.run(&argv.collect::<Vec<_>>()).await?;
        let said = String::from_utf8_lossy(&said);
        let needing: Vec<&str> = said.split_whitespace().collect();
        if !needing.is_empty() {
            let (needing, gone) = (needing.join(", "), packages.join(", "));
            let what = format!("cannot remove packages {gone}");
            return Err(Error::Refused { what, why: format!("{needing}, which others have installed, would go too") });
        }
    }
    Ok(())
}

/// Installs packages that are not there.
pub(super) async fn install(host: &Host, wanted: &Install, progress: &Progress) -> Result<()> {
    match (&wanted.source, wanted.family) {
        (Source::Directory(directory), Family::Apt) => {
            local_packages::install_debs(host, directory, &wanted.packages, progress).await
        }
        (Source::Directory(directory), Family::Dnf) => {
            local_packages::install_rpms(host, directory, &wanted.packages, progress).await
        }
        (Source::Host, Family::Apt) => {
            let update = if wanted.update { "yes" } else { "no" };
            run(host, &["sh", "-c", &format!("{NOTE}{APT_INSTALL}"), "sh", update], &wanted.packages).await
        }
        (Source::Host, Family::Dnf) => run(host, &["dnf", "-q", "-y", "install"], &wanted.packages).await,
    }
}

/// Removes packages with their configuration, and what only they needed.
pub(super) async fn remove(host: &Host, packages: &[String], family: Family) -> Result<()> {
    match family {
        Family::Apt => run(host, &["sh", "-c", APT_REMOVE, "sh"], packages).await,
        Family::Dnf => run(host, &["dnf", "-q", "-y", "remove"], packages).await,
    }
}

/// Runs a program with further arguments; of one that fails the last line is told.
pub(super) async fn run(host: &Host, program: &[&str], arguments: &[String]) -> Result<()> {
    let argv: Vec<&str> = program.iter().copied().chain(arguments.iter().map(String::as_str)).collect();
    let ran = host.try_run(&argv, &[]).await?;
    match ran.exit {
        Exit::Code(0) => Ok(()),
        exit => Err(Error::Refused { what: host.name().into(), why: host::why(&exit, &ran.stderr) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_what_is_new_is_noted() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().to_str().unwrap();
        let said = "Inst containerd [1.6.20] (1.7.1 Debian:12 [amd64])\nInst runc (1.1.5 Debian:12 [amd64])\nConf runc (1.1.5)";
        let note = NOTE.replace("/etc/xcrane", place).replace("apt-get", "apt");
        let script = format!("apt() {{ printf '%s\\n' \"$SAID\"; }}\nSAID='{said}'{note}note docker.io");
        let ran = Host::Local.try_run(&["sh", "-c", &script], &[]).await.unwrap();
        assert_eq!(ran.exit, Exit::Code(0), "{}", String::from_utf8_lossy(&ran.stderr));
        assert_eq!(std::fs::read_to_string(dir.path().join("installed")).unwrap(), "runc\n");
    }
}
