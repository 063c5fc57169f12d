//! A machine whose firmware boots by HTTP, where nobody speaks TFTP.

use insta::assert_snapshot;

use crate::genimage::follow_boot;
use crate::serve::{define_network, serve};
use crate::{lab, session};

#[test]
fn firmware_boots_by_http_alone() {
    let lab = lab().redfish_machines(1);
    define_network(&lab);
    lab.run(&lab.server(1).definition().join(" ")).success();
    lab.run("chdef -t site requesttimeout=300").success();
    let _daemon = serve(&lab, "--services dhcp,ra,http");
    assert_snapshot!(session(&lab, "
        nodeset m1 boot
        rsetboot m1 http
        rpower m1 on
    "), @"
    $ nodeset m1 boot
    m1: boot
    $ rsetboot m1 http
    m1: UEFI HTTP
    ------- stderr -------
    m1: Warning: its BMC was told UEFI HTTP for the next boot, and says that it is for all: rsetboot NODE default ends that
    $ rpower m1 on
    m1: on
    ");
    follow_boot(&lab, &["power", "DHCP, firmware", "loader", "snponly.efi", "DHCP, iPXE", "script"]);
    let console = lab.server(1).console();
    assert!(console.contains("HTTP Boot over IPv4") && !console.contains("PXE over IPv4"), "{console}");
    lab.run("rpower m1 off").success();
}
