//! What is written down of a machine: of any in table discoverydata, of one that is a node in the node's tables.

use netboot::discovery::Report;
use netboot::script::State;
use tables::Edit;

use super::index::Known;
use super::sequence::Sequence;
use super::table;

/// Bytes of a column that a machine fills with lists, as long as it is no node.
const OF_STRANGERS: usize = 4096;

/// What is known of a node once it is that machine.
pub(super) fn merged(before: &Known, report: &Report) -> Known {
    let first = |own: &String, its: &String| if own.is_empty() { its.clone() } else { own.clone() };
    let mut known = Known {
        serial: first(&before.serial, &report.serial),
        uuid: first(&before.uuid, &report.uuid),
        ..before.clone()
    };
    if known.macs.is_empty() {
        known.macs.extend(report.mac);
    }
    known
}

/// The columns of table discoverydata.
pub(super) fn note(edit: &mut Edit<'_>, report: &Report, node: &str, method: &str, why: &str) -> tables::Result<()> {
    let own = report.mac;
    let mut nics: Vec<_> = report.nics.iter().collect();
    nics.sort_by_key(|nic| Some(nic.mac) != own);
    let mut macs: Vec<String> = nics.iter().map(|nic| format!("{}!{}", nic.name, nic.mac)).collect();
    if nics.first().is_none_or(|nic| Some(nic.mac) != own) {
        macs.splice(0..0, own.map(|mac| format!("boot!{mac}")));
    }
    let drivers: Vec<String> = nics.iter().map(|nic| format!("{}!{}", nic.name, nic.driver)).collect();
    let (switch, port) = report.switch_port.clone().unwrap_or_default();
    let bmc = report.bmc.map(|bmc| format!("bmc {bmc}"));
    let last: Vec<String> = bmc.into_iter().chain((!why.is_empty()).then(|| why.to_owned())).collect();
    let room = if node.is_empty() { OF_STRANGERS } else { usize::MAX };
    let taken: usize = last.iter().map(|text| text.len() + 2).sum();
    let mut other = fitting(report.disks.iter().map(disk).collect(), 2, room.saturating_sub(taken));
    other.extend(last);
    let cells = [
        ("node", node),
        ("method", method),
        ("arch", &report.arch),
        ("cpucount", &counted(report.cpus.into())),
        ("cputype", &report.cpu),
        ("memory", &counted(report.memory)),
        ("mtm", &model(report)),
        ("serial", &report.serial),
        ("nicdriver", &fitting(drivers, 1, room).join(",")),
        ("nichwaddr", &fitting(macs, 1, room).join(",")),
        ("switchname", &switch),
        ("switchport", &port),
        ("otherdata", &other.join("; ")),
    ];
    edit.note_machine(&report.key(), &cells)
}

/// As many of the first words as fit with something between them.
fn fitting(mut words: Vec<String>, between: usize, room: usize) -> Vec<String> {
    let ends = words.iter().scan(0, |end, word| {
        *end += word.len() + between;
        Some(*end - between)
    });
    let count = ends.take_while(|end| *end <= room).count();
    words.truncate(count);
    words
}

fn disk(disk: &netboot::discovery::Disk) -> String {
    let words = [
        format!("disk {}", disk.name),
        format!("{}GB", disk.bytes / 1_000_000_000),
        disk.model.clone(),
        disk.serial.clone(),
    ];
    words.iter().filter(|word| !word.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" ")
}

fn counted(number: u64) -> String {
    if number == 0 { String::new() } else { number.to_string() }
}

fn model(report: &Report) -> String {
    [&report.vendor, &report.product].into_iter().filter(|word| !word.is_empty()).cloned().collect::<Vec<_>>().join(" ")
}

/// Makes a node be that machine: who it is where that is not known, what was found in it, and the begin of its chain.
pub(crate) fn take(edit: &mut Edit<'_>, report: &Report, name: &str) -> tables::Result<()> {
    take_in_order(edit, report, name, None, None)?;
    begin_chain(edit, name)
}

/// What was found in a node, as far as it was told.
pub(super) fn note_hardware(edit: &mut Edit<'_>, report: &Report, name: &str) -> tables::Result<()> {
    let disks: Vec<String> =
        report.disks.iter().map(|disk| format!("{}:{}GB", disk.name, disk.bytes / 1_000_000_000)).collect();
    let found = [
        ("cputype", report.cpu.clone()),
        ("cpucount", counted(report.cpus.into())),
        ("memory", counted(report.memory)),
        ("disksize", disks.join(",")),
    ];
    let found: Vec<(&str, &str)> =
        found.iter().filter(|(_, value)| !value.is_empty()).map(|(column, value)| (*column, value.as_str())).collect();
    if !found.is_empty() {
        edit.set(table("hwinv"), &[name], &found)?;
    }
    Ok(())
}

/// All of it but the chain, of a node that may not be defined yet.
pub(super) fn take_in_order(
    edit: &mut Edit<'_>,
    report: &Report,
    name: &str,
    sequence: Option<&Sequence>,
    address: Option<std::net::Ipv4Addr>,
) -> tables::Result<()> {
    if edit.row(table("nodelist"), &[name])?.is_none() {
        let groups = sequence.and_then(|sequence| sequence.groups.as_deref()).unwrap_or("all");
        edit.set(table("nodelist"), &[name], &[("groups", groups)])?;
    }
    let mac = report.mac.map(|mac| mac.to_string()).unwrap_or_default();
    let bmc = report.bmc.map(|bmc| bmc.to_string()).unwrap_or_default();
    let ip = address.map(|address| address.to_string()).unwrap_or_default();
    let chain =
        sequence.and_then(|sequence| Some(format!("osimage={}", sequence.osimage.as_ref()?))).unwrap_or_default();
    let (interface, model) = (report.interface().unwrap_or_default().to_owned(), model(report));
    let own = [
        (table("mac"), "mac", &mac),
        (table("mac"), "interface", &interface),
        (table("vpd"), "serial", &report.serial),
        (table("vpd"), "uuid", &report.uuid),
        (table("vpd"), "mtm", &model),
        (table("nodetype"), "arch", &report.arch),
        (table("ipmi"), "bmc", &bmc),
        (table("hosts"), "ip", &ip),
        (table("chain"), "chain", &chain),
    ];
    let columns = own.map(|(table, column, _)| (table, column));
    let known = edit.cells(&[name.to_owned()], &columns)?.pop().unwrap_or_default();
    for ((table, column, value), known) in own.into_iter().zip(known) {
        if known.text.is_none() && !value.is_empty() {
            edit.set(table, &[name], &[(column, value)])?;
        }
    }
    note_hardware(edit, report, name)
}

/// Its chain from the begin. Without one it does what it was told by nodeset, or stands by.
pub(super) fn begin_chain(edit: &mut Edit<'_>, name: &str) -> tables::Result<()> {
    let Some(node) = edit.resolve(&[name.to_owned()])?.pop() else { return Ok(()) };
    let chain = node.get("chain").unwrap_or_default().to_owned();
    if chain.is_empty() && node.get("currstate").is_some() {
        return Ok(());
    }
    let standby = State::Standby.to_string();
    edit.set(table("chain"), &[name], &[("currstate", &standby), ("currchain", &chain)]).map(drop)
}
