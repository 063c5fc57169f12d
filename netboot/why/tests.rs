//! Each cause from a list of events.

use super::*;

/// Events as `second kind subject detail; …`.
fn seen(text: &str) -> Vec<Seen> {
    let event = |line: &str| {
        let mut words = line.trim().splitn(4, ' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        let (second, kind, subject, detail) = (word(), word(), word(), word());
        let time = second.parse::<u64>().unwrap_or_else(|_| panic!("{line}")) * 1000;
        Seen { time, kind: Kind::parse(&kind).unwrap_or_else(|| panic!("{line}")), subject, detail }
    };
    text.split(';').map(event).collect()
}

const GOOD: &str = "0 power on; 5 offer firmware 10.0.0.1 undionly.kpxe; 6 ack firmware 10.0.0.1 undionly.kpxe; \
    7 begun loader undionly.kpxe; 8 sent loader undionly.kpxe, 80000 bytes; 10 offer ipxe 10.0.0.1; 10 ack ipxe 10.0.0.1; \
    11 script netboot debian12; 12 begun kernel tiny/kernel: 10 bytes; 13 sent kernel tiny/kernel: 10 bytes; \
    13 begun initrd tiny/initrd: 9 bytes; 14 sent initrd tiny/initrd: 9 bytes; 20 offer system 10.0.0.1; 20 ack system 10.0.0.1; \
    21 begun root tiny/root.sqfs: 99 bytes; 25 sent root tiny/root.sqfs: 99 bytes";

/// The good boot up to its `count`th event.
fn good(count: usize) -> String {
    GOOD.split(';').take(count).collect::<Vec<_>>().join(";")
}

fn around(now: u64) -> Around {
    Around { now: now * 1000, node: "n1".into(), macs: "52:54:00:00:00:01".into(), strangers: Vec::new() }
}

#[track_caller]
fn check(events: &str, around: &Around, stage: Stage, expected: &str) {
    let boots = boots(&seen(events));
    match verdict(boots.last().expect("a boot"), around) {
        Verdict::Stuck { stage: found, cause, remedy, .. } => {
            assert!(found == stage && cause.contains(expected), "{found:?} {cause}");
            assert!(!remedy.is_empty() && !cause.contains("{}") && !remedy.contains("NODE"), "{cause} {remedy}");
        }
        other => panic!("{events}: {other:?}"),
    }
}

#[test]
fn each_stage_has_its_cause() {
    let late = around(10_000);
    for (count, stage, expected) in [
        (1, Stage::Power, "no packet of 52:54:00:00:00:01 was seen"),
        (2, Stage::Firmware, "was offered 10.0.0.1 undionly.kpxe and has not asked for it"),
        (3, Stage::Firmware, "asks for no loader: TFTP"),
        (4, Stage::Loader, "did not come to its end (undionly.kpxe)"),
        (5, Stage::Loader, "Secure Boot"),
        (6, Stage::Ipxe, "was offered 10.0.0.1"),
        (7, Stage::Ipxe, "does not ask for its script"),
        (8, Stage::Script, "asks for no kernel"),
        (9, Stage::Kernel, "did not arrive: tiny/kernel"),
        (10, Stage::Kernel, "asks for no address"),
        (11, Stage::Initrd, "did not arrive"),
        (12, Stage::Initrd, "asks for no address"),
        (13, Stage::System, "was offered"),
        (14, Stage::System, "asks for no root file system"),
        (15, Stage::Root, "its memory is too small"),
        (16, Stage::Root, "has not said that it is up"),
    ] {
        check(&good(count), &late, stage, expected);
    }
}

#[test]
fn an_installation_ends_with_a_start_from_the_disk() {
    let events = "0 power boot; 3 offer ipxe 10.0.0.1; 3 ack ipxe 10.0.0.1; 4 script install debian13; \
        5 begun kernel deb13/linux: 9 bytes; 5 sent kernel deb13/linux: 9 bytes; 20 ack system 10.0.0.1; \
        30 sent installer preseed.cfg; 900 sent installer finish.sh; 901 sent postscripts 9 bytes; 902 status installed";
    check(events, &around(10_000), Stage::Said, "was not seen to start from its disk");
    let started =
        "950 offer ipxe 10.0.0.1; 950 ack ipxe 10.0.0.1; 951 script boot; 990 ack system 10.0.0.1; 999 status booted";
    let both = boots(&seen(&format!("{events}; {started}")));
    assert_eq!(both.iter().map(Boot::has_installed).collect::<Vec<_>>(), [true, false]);
    assert_eq!(both[1].up_after(), Some(49_000));
}

#[test]
fn what_failed_says_why() {
    let soon = around(40);
    let after = |count: usize, more: &str| format!("{}; {more}", good(count));
    let check = |events: &str, stage, expected: &str| check(events, &soon, stage, expected);
    check(
        &after(1, "3 silent firmware discover: networks.dhcpserver names another server"),
        Stage::Firmware,
        "does not answer it: networks.dhcpserver names",
    );
    check(
        &after(2, &format!("6 silent firmware request: {ANOTHER}")),
        Stage::Firmware,
        "another DHCP server on the wire",
    );
    // It may take the address, or wait for an offer with something to load.
    for more in ["", "; 3 ack firmware 10.0.0.1 and no loader: UEFI of 32 bits (ia32), architecture 6"] {
        let told = format!("2 offer firmware 10.0.0.1 and no loader: UEFI of 32 bits (ia32), architecture 6{more}");
        let cause = "its firmware is UEFI of 32 bits (ia32), architecture 6, and iPXE for that is not served";
        super::tests::check(&after(1, &told), &around(10_000), Stage::Firmware, cause);
    }
    check(&after(2, "6 nak firmware 0.0.0.0"), Stage::Firmware, "another machine uses it");
    check(&after(1, "5 ack firmware 10.0.0.1 http://10.0.0.9/loader/snponly.efi"), Stage::Firmware, "HTTP does not");
    check(&after(6, "11 decline ipxe 10.0.0.1"), Stage::Ipxe, "address 10.0.0.1: another machine uses it");
    check(&after(4, "9 broken loader undionly.kpxe: the client is silent"), Stage::Loader, "large packets");
    check(
        &after(3, "9 absent loader undionly.kpxe: no such file"),
        Stage::Loader,
        "was not loaded: undionly.kpxe: no such",
    );
    check(
        &after(7, "11 noscript netboot attribute 'kernel' is not set"),
        Stage::Script,
        "no script for it: attribute 'kernel'",
    );
    check(&after(8, "12 absent kernel tiny/kernel: Not Found"), Stage::Kernel, "lacks a file");
    check(&after(10, "13 absent initrd tiny/initrd: Not Found"), Stage::Initrd, "lacks a file");
    check(&after(15, "22 broken root tiny/root.sqfs: after 5 of 99 bytes"), Stage::Root, "memory is too small");
    check(&after(11, "14 broken initrd tiny/initrd: after 5 of 9 bytes"), Stage::Initrd, "did not arrive");
    check(&after(16, "30 status failed"), Stage::Said, "says itself");
    let late = around(10_000);
    super::tests::check(
        "0 offer firmware 0.0.0.0 undionly.kpxe",
        &late,
        Stage::Firmware,
        "beside the other DHCP server",
    );
    super::tests::check(
        &after(16, "40 denied token as 52:54:00:00:00:01: 403"),
        &late,
        Stage::Root,
        "its token is another boot's",
    );
    super::tests::check(&after(2, "6 limited dhcp"), &late, Stage::Firmware, "more often than one machine may");
}

#[test]
fn what_comes_after_the_root_has_its_causes() {
    let late = around(20_000);
    let after = |more: &str| format!("{}; {more}", good(14));
    let check = |events: &str, stage, expected: &str| check(&after(events), &late, stage, expected);
    check("30 sent installer preseed.cfg", Stage::Installer, "answers (preseed.cfg) and does not come to its end");
    check(
        "30 absent installer preseed.cfg: no login",
        Stage::Installer,
        "no answers for its installer: preseed.cfg: no",
    );
    check("30 status postbooting; 31 sent postscripts 9 bytes", Stage::Said, "postscripts do not come to their end");
    check("30 status postbooting; 31 absent postscripts x: gone", Stage::Said, "no postscripts for it: x: gone");
    check("30 sent postscripts 9 bytes; 40 status failed", Stage::Said, "one of its postscripts has failed");
    check("30 status failed its next step cannot be begun: x", Stage::Said, "its next step cannot be begun: x");
    check("30 reported node", Stage::Discovery, "has begun nothing since");
    let said = |events: &str| verdict(boots(&seen(events)).last().unwrap(), &late);
    assert!(matches!(said("0 reported node; 1 status standingby"), Verdict::AsTold(_)));
    assert_eq!(boots(&seen("0 reported nobody why")).len(), 0, "it is no node's");
    assert_eq!(
        said(&after("30 status postbooting; 31 sent postscripts 9 bytes; 33 status booted")),
        Verdict::Up(33_000)
    );
}

const ANOTHER: &str = crate::dhcp::ANOTHER_SERVER;

#[test]
fn a_machine_that_is_not_heard_may_be_one_of_those_that_are() {
    let strangers: Vec<String> = (1..=6).map(|number| format!("52:54:00:00:00:a{number}")).collect();
    let wrong = Around { strangers, ..around(10_000) };
    check(
        "0 power boot",
        &wrong,
        Stage::Power,
        "a1, 52:54:00:00:00:a2, 52:54:00:00:00:a3, 52:54:00:00:00:a4 and 2 more: the MAC",
    );
    check(
        "0 power boot",
        &Around { macs: String::new(), ..wrong },
        Stage::Power,
        "does not know its MAC address; unknown",
    );
}

#[test]
fn what_goes_on_is_not_stuck() {
    let said = |events: &str, now: u64| verdict(boots(&seen(events)).last().unwrap(), &around(now));
    assert_eq!(said("0 power on", 200), Verdict::UnderWay(Stage::Power));
    assert_eq!(said(&good(12), 60), Verdict::UnderWay(Stage::Initrd));
    let up = format!("{}; 30 status booted; 31 ack system 10.0.0.1; 4000 ack system 10.0.0.1", good(16));
    assert_eq!(said(&up, 9000), Verdict::Up(30_000));
    let told = said("0 power on; 1 ack ipxe 10.0.0.1; 2 script offline", 9000);
    assert!(matches!(&told, Verdict::AsTold(text) if text.contains("nodeset n1 offline")), "{told:?}");
}

#[test]
fn boots_are_told_apart() {
    let count = |events: &str| boots(&seen(events)).iter().map(|boot| boot.steps.len()).collect::<Vec<_>>();
    assert_eq!(count(&format!("{GOOD}; 30 status booted; 900 power reset; 903 offer firmware x")), [10, 2]);
    assert_eq!(count(&format!("{GOOD}; 30 status booted; 900 offer ipxe x; 901 script boot")), [10, 2]);
    assert_eq!(count("0 offer firmware x; 60 offer firmware x; 120 ack firmware x"), [1], "it tries again");
    assert_eq!(count("0 offer firmware x; 1000 offer firmware x"), [1, 1]);
    assert_eq!(count("0 ack ipxe x; 1 script netboot; 2 absent kernel x; 9 script netboot; 10 absent kernel x"), [3]);
    assert_eq!(count("0 ack system x; 5 status booted"), [1], "leases of a system that runs are no boot");
    let tries = boots(&seen("0 offer firmware x; 4 offer firmware x; 12 offer firmware y"));
    let step = &tries[0].steps[0];
    assert_eq!((step.times, step.first, step.last, step.detail.as_str()), (3, 0, 12_000, "y"));
}
