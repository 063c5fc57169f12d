//! What is done with a cluster that runs: a snapshot of it and back to that, a member that leaves, whether it works. Programs
//! that are run on its members.
//!
//! A snapshot is of the whole cluster, whichever member says it. Every member is given the same one, and they begin anew from
//! it with each other: first all have it beside what they have, then all are stopped, then all exchange and start.

use super::{BEFORE, CTL, DATA, IS_HEALTHY, MARK, Member, Ports, RESTORED, SERVICE};

const SAVE: &str = r#"d=$(mktemp -d) || exit; trap 'rm -rf "$d"' EXIT
ctl "$1" snapshot save "$d/db" >/dev/null && gzip -c "$d/db""#;
/// etcd itself looks whether the snapshot is whole.
const PREPARE: &str = r#"umask 077; d=$(mktemp -d) || exit; trap 'rm -rf "$d"' EXIT
gzip -dc >"$d/db" && rm -rf "$5" && ETCDCTL_API=3 etcdctl snapshot restore "$d/db" --name="$1" \
    --initial-advertise-peer-urls="$2" --initial-cluster="$3" --initial-cluster-token="$4" --data-dir="$5" >"$d/said" 2>&1 &&
    chown -R etcd:etcd "$5" || { tail -n 1 "$d/said" >&2; exit 1; }"#;
const STOP: &str = r#"systemctl stop "$1""#;
const START: &str = r#"systemctl reset-failed "$1" 2>/dev/null; systemctl start --no-block "$1""#;
/// What was there before the first of several tries is what stays beside: the mark says that one has begun.
const EXCHANGE: &str = r#"[ -e "$5" ] || { rm -rf "$4" && : >"$5"; } || exit
if [ -e "$4" ]; then rm -rf "$3"; elif [ -e "$3" ]; then mv "$3" "$4"; fi && mv "$2" "$3" && sync -f "$3" || exit
systemctl reset-failed "$1" 2>/dev/null; systemctl start --no-block "$1""#;
const FINISH: &str = r#"for turn in $(seq 120); do
    said=$(ctl "$1" endpoint health 2>&1) && { rm -f "$2"; exit; }
    sleep 0.5
done
printf '%s\n' "$said" | tail -n 1 >&2; exit 1"#;
/// Who does not run counts as a member still, and so does one that was announced and has not come. The others refuse while
/// one that came before is not yet known to all.
const LEAVE: &str = r#"list=$(ctl "$1" member list) || exit
id=$(printf '%s\n' "$list" | grep -F -e ", $2," | cut -d, -f1)
[ -n "$id" ] || exit 0
rest=$(printf '%s\n' "$list" | grep -vF -e ", $2,"); well=0
for end in $(printf '%s\n' "$rest" | cut -d, -f5); do ctl "$end" endpoint health >/dev/null 2>&1 && well=$((well + 1)); done
all=$(printf '%s' "$rest" | grep -c .)
[ $((2 * well)) -gt "$all" ] || { echo "$well of the $all others are healthy, which is no majority: it has to stay" >&2; exit 1; }
for turn in $(seq 30); do
    said=$(ctl "$1" member remove "$id" 2>&1) && exit
    sleep 1
done
printf '%s\n' "$said" | tail -n 1 >&2; exit 1"#;
const TRY: &str = r#"own=$1 key=$2 value=$3; shift 3; bad=0
trap 'ctl "$own" del "$key" >/dev/null 2>&1' EXIT
ctl "$own" put "$key" "$value" >/dev/null || exit
for end; do
    [ "$(ctl "$end" get --print-value-only "$key")" = "$value" ] || { bad=1; echo "$end does not have what was written" >&2; }
done
exit $bad"#;

/// Prints a snapshot of all that a member has, packed.
pub fn save(ports: Ports, member: &Member) -> Vec<String> {
    asking(SAVE, &[&ports.endpoint(member)])
}

/// Puts a snapshot, which it reads from its standard input, beside what a member has; `token` tells the cluster that comes of
/// it from the one that was, and from that of every other try.
pub fn prepare(ports: Ports, member: &Member, members: &[Member], token: &str) -> Vec<String> {
    let (peer, cluster) = (ports.peer_url(member), ports.cluster(members));
    program(PREPARE, &[&member.node, &peer, &cluster, token, RESTORED])
}

/// Stops a member.
pub fn stop() -> Vec<String> {
    program(STOP, &[SERVICE])
}

/// Starts a member that was stopped, as it was.
pub fn start() -> Vec<String> {
    program(START, &[SERVICE])
}

/// Starts a member with what was put beside.
pub fn exchange() -> Vec<String> {
    program(EXCHANGE, &[SERVICE, RESTORED, DATA, BEFORE, MARK])
}

/// Waits until a member that was exchanged is healthy; the next restore is one of its own then.
pub fn finish(ports: Ports, member: &Member) -> Vec<String> {
    asking(FINISH, &[&ports.endpoint(member), MARK])
}

/// Takes a member out of the cluster, asked at one of the others; refused where those would have no majority.
pub fn leave(ports: Ports, others: &[Member], leaving: &Member) -> Vec<String> {
    asking(LEAVE, &[&ports.endpoints(others), &ports.peer_url(leaving)])
}

/// Whether a member says that it is well.
pub fn is_healthy(ports: Ports, member: &Member) -> Vec<String> {
    asking(IS_HEALTHY, &[&ports.endpoint(member)])
}

/// Writes at a member and reads that at all of them; `value` is of this time only.
pub fn write_and_read(ports: Ports, member: &Member, members: &[Member], value: &str) -> Vec<String> {
    let (own, key) = (ports.endpoint(member), format!("xcrane/test/{}", member.node));
    let ends: Vec<String> = members.iter().map(|member| ports.endpoint(member)).collect();
    let arguments: Vec<&str> = [own.as_str(), &key, value].into_iter().chain(ends.iter().map(String::as_str)).collect();
    asking(TRY, &arguments)
}

fn asking(script: &str, arguments: &[&str]) -> Vec<String> {
    program(&format!("{CTL}{script}"), arguments)
}

fn program(script: &str, arguments: &[&str]) -> Vec<String> {
    ["sh", "-c", script, "sh"].iter().chain(arguments).map(|word| (*word).to_owned()).collect()
}
