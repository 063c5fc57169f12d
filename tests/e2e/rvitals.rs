//! `rvitals` on a real BMC, whose sensors another program reads the same.

use insta::assert_snapshot;

use crate::{lab, session};

#[test]
fn what_a_machine_measures() {
    let lab = lab().servers(1);
    lab.run("mkdef n1 groups=all mgt=ipmi bmc=10.79.0.1 bmcusername=admin bmcpassword=secret").success();
    assert_snapshot!(session(&lab, "
        rvitals n1
        rvitals n1 temp --limits
        rvitals n1 fanspeed,voltage
        rvitals n1 power
        rvitals n1 leds -b
        rvitals n1 fanspeed --json
        rvitals n1 dust
    "), @r#"
    $ rvitals n1
    n1: Power Status: off
    n1: Power Overload: false
    n1: Power Interlock: inactive
    n1: Power Fault: false
    n1: Power Control Fault: false
    n1: Power Restore Policy: Always off
    n1: Last Power Event: none
    n1: Chassis intrusion: inactive
    n1: Front Panel Lockout: inactive
    n1: Drive Fault: false
    n1: Cooling Fault: false
    n1: CPU Temp: 29 C (84 F)
    n1: P12V: 11.98 Volts
    n1: Fan 1: 800 RPM, below lower critical
    n1: Avg Power: 90 Watts (307 BTUs/hr)
    n1: PS1: Presence Detected
    n1: PS2: Presence Detected
    n1: Inlet Temp: -4 C (25 F)
    $ rvitals n1 temp --limits
    n1: CPU Temp: 29 C (84 F) [good 10 to 80; not critical 5 to 85; recoverable 0 to 90]
    n1: Inlet Temp: -4 C (25 F)
    $ rvitals n1 fanspeed,voltage
    n1: P12V: 11.98 Volts
    n1: Fan 1: 800 RPM, below lower critical
    $ rvitals n1 power
    n1: Power Status: off
    n1: Avg Power: 90 Watts (307 BTUs/hr)
    $ rvitals n1 leds -b
    ------- stderr -------
    n1: Error: the machine does not tell this
    [exit status: 1]
    $ rvitals n1 fanspeed --json
    {"node":"n1","answer":[{"name":"Fan 1","value":800.0,"unit":"RPM","beyond":"lower critical","limits":{"lower non-critical":1200.0,"lower critical":1000.0}}]}
    $ rvitals n1 dust
    ------- stderr -------
    error: invalid value 'dust' for '[WHAT]...'
      [possible values: all, temp, voltage, fanspeed, power, wattage, leds, chassis]

    For more information, try '--help'.
    [exit status: 2]
    "#);
    let other = lab.server(1).ipmitool("sensor").stdout;
    for text in [
        "29.000     | degrees C  | ok    | 0.000     | 5.000     | 10.000    | 80.000    | 85.000    | 90.000",
        "11.977",
        "800.000    | RPM        | cr",
        "90.000     | Watts",
        "-4.000",
    ] {
        assert!(other.contains(text), "{other}");
    }
    lab.server(1).ipmitool("power on").success();
    assert_snapshot!(lab.run("rvitals n1 power,leds,chassis"), @"
    n1: Power Status: on
    n1: Power Overload: false
    n1: Power Interlock: inactive
    n1: Power Fault: false
    n1: Power Control Fault: false
    n1: Power Restore Policy: Always off
    n1: Last Power Event: none
    n1: Chassis intrusion: inactive
    n1: Front Panel Lockout: inactive
    n1: Drive Fault: false
    n1: Cooling Fault: false
    n1: Avg Power: 90 Watts (307 BTUs/hr)
    ");
}

#[test]
fn a_machine_without_sensors_says_so() {
    let mut lab = lab();
    let _bmcs = lab.simulated_bmcs();
    lab.run("mkdef n1 groups=all mgt=ipmi bmc=10.78.0.1 bmcusername=admin bmcpassword=secret").success();
    lab.run("mkdef c1 groups=all mgt=docker").success();
    assert_snapshot!(session(&lab, "
        rvitals n1 leds
        rvitals n1 temp
        rvitals c1 temp
    "), @"
    $ rvitals n1 leds
    n1: Identify Light: off
    $ rvitals n1 temp
    ------- stderr -------
    n1: Error: the machine does not tell this
    [exit status: 1]
    $ rvitals c1 temp
    ------- stderr -------
    c1: Error: reading sensors is not supported when using mgt=docker
    [exit status: 1]
    ");
}
