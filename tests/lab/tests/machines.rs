//! Machines that really start: their BMC switches them, their firmware asks the network, their serial port can be read.

use std::time::Duration;

use lab::Lab;

/// Machines are emulated, and this one may be busy.
const LIMIT: Duration = Duration::from_secs(180);

#[test]
fn machines_are_switched_by_their_bmcs_and_ask_the_network_what_to_boot() {
    let lab = Lab::new("/bin/sh").machines(1).uefi_machines(1);
    let (bios, uefi) = (lab.server(1), lab.server(2));
    assert_eq!(bios.ipmitool("power status").success(), "Chassis Power is off");
    bios.ipmitool("chassis bootdev pxe").success();
    for server in [&bios, &uefi] {
        server.ipmitool("power on").success();
        assert_eq!(server.ipmitool("power status").success(), "Chassis Power is on");
    }
    let asks = format!("(net0 {})", bios.mac());
    bios.await_console(&asks, 1, LIMIT);
    assert!(bios.ipmitool("chassis bootparam get 5").success().contains("No override"), "it is for one start");
    bios.ipmitool("power reset").success();
    bios.await_console(&asks, 2, LIMIT);
    assert_eq!(bios.log(), "boot pxe\npower 1\nreset 1\n");

    uefi.await_console("Start PXE over IPv4", 1, LIMIT);
    for server in [&bios, &uefi] {
        server.ipmitool("power off").success();
        assert_eq!(server.ipmitool("power status").success(), "Chassis Power is off");
    }
}
