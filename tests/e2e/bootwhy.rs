//! `bootwhy` with a client that comes as far as it is let. A machine that really boots is followed in `genimage`.

use std::time::Duration;

use ::lab::{Wait, wait_for};

use crate::serve::{serve, site};

const LIMIT: Duration = Duration::from_secs(60);
const BIOS: &[&str] = &["-V", "PXEClient:Arch:00000:UNDI:002001", "-x", "0x5d:0000"];
const IPXE: &[&str] = &["-V", "PXEClient:Arch:00000:UNDI:002001", "-x", "0x5d:0000", "-x", "0x4d:69505845"];
const NODE: &str = "http://10.77.0.254/node/52-54-00-77-00-01";

#[test]
fn a_boot_is_followed_to_where_it_gets_stuck() {
    let lab = site();
    let image = lab.home().join("image");
    lab.shell("mkdir image && cd image && touch kernel initrd.gz rootimg.sfs").success();
    lab.run(&format!("mkdef -t osimage deb12 imagetype=linux provmethod=netboot rootimgdir={}", image.display()))
        .success();
    lab.run("nodeset n1 osimage=deb12").success();
    lab.shell("rm image/kernel").success();
    let mut daemon = serve(&lab, "--log json --metrics 127.0.0.1:9684");
    let n1 = lab.client("52:54:00:77:00:01");
    n1.udhcpc(BIOS).success();
    n1.shell("atftp --get -r undionly.kpxe -l $LEASE.loader 10.77.0.254").success();
    n1.udhcpc(IPXE).success();
    n1.shell(&format!("curl -sf {NODE}")).success();
    n1.shell("curl -s http://10.77.0.254/image/deb12/kernel").success();

    let told = |command: &str, expected: &str| {
        wait_for(command, LIMIT, || match lab.run(command).stdout {
            told if told.contains(expected) => Wait::Ready(told),
            told => Wait::NotYet(told),
        })
    };
    let story = told("bootwhy n1", "stuck for");
    for said in [
        "n1: boot of 20",
        "DHCP, firmware    10.77.0.9 undionly.kpxe",
        "loader            undionly.kpxe, ",
        "DHCP, iPXE        10.77.0.9 http://10.77.0.254/node/52-54-00-77-00-01",
        "kernel            failed: deb12/kernel: Not Found",
        "kernel: its image lacks a file or the file cannot be read: deb12/kernel: Not Found",
        "n1: to do: packimage IMAGE, and nodeset n1 osimage=IMAGE",
    ] {
        assert!(story.contains(said), "'{said}' is not in\n{story}");
    }
    let cause = "stuck: kernel: its image lacks a file or the file cannot be read: deb12/kernel: Not Found";
    assert_eq!(lab.run("bootwhy n1 -b").success(), format!("n1: {cause}"));
    let data = lab.run("bootwhy n1 --json").success();
    assert!(data.contains(r#""verdict":"stuck""#) && data.contains(r#""stage":"loader""#), "{data}");

    // A callback that proves nothing changes nothing, and is seen.
    let forged = format!("curl -s -o /dev/null -w %{{http_code}} '{NODE}/status/booted?token=AAAA'");
    assert_eq!(n1.shell(&forged).success(), "403");
    daemon.expect_error(r#""kind":"denied""#, LIMIT);
    assert_eq!(lab.run("nodels n1 nodelist.status").stdout, "n1: netbooting\n");

    // What it was told to do is no fault, and a boot of its own.
    lab.run("nodeset n1 offline").success();
    n1.udhcpc(IPXE).success();
    n1.shell(&format!("curl -sf {NODE}")).success();
    told("bootwhy n1", "it was told to let the firmware go on");
    let both = lab.run("bootwhy n1 --last 2").success();
    assert!(both.matches("boot of").count() == 2 && both.contains("ended there: kernel"), "{both}");

    // Machines that are no nodes are known too, and numbers are there.
    let stranger = lab.client("52:54:00:77:00:aa");
    stranger.udhcpc(&[]).success();
    told("tabdump bootevent", "52:54:00:77:00:aa");
    lab.run("mkdef n2 groups=all").success();
    assert!(lab.run("bootwhy n2").stdout.contains("nothing was seen of it"));
    let numbers = lab.shell("curl -sf http://127.0.0.1:9684/metrics").success();
    for line in [
        "xcrane_boot_events_total{kind=\"sent\",subject=\"loader\"} 1",
        "xcrane_boot_events_total{kind=\"absent\",subject=\"kernel\"} 1",
        "xcrane_boot_events_total{kind=\"denied\",subject=\"token\"} 1",
        "xcrane_dhcp_leases 1",
    ] {
        assert!(numbers.contains(line), "{line} is not in\n{numbers}");
    }
}
