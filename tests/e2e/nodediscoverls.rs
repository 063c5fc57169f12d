//! `nodediscoverls`, and five hundred machines that report at the same moment.

use std::fs;
use std::time::{Duration, Instant};

use ::lab::{Wait, wait_for};

use crate::lab;
use crate::serve::{define_network, serve};

const MACHINES: usize = 500;
const LIMIT: Duration = Duration::from_secs(300);

/// What all of them may take of the daemon's processor time. Built without optimisation and on a busy machine it took 9 s.
const MOST: Duration = Duration::from_secs(if cfg!(debug_assertions) { 30 } else { 5 });

/// Every machine has an address of its own, and all report at once over twenty-five connections.
const SIMULATOR: &str = r#"
import http.client, sys
from concurrent.futures import ThreadPoolExecutor

def machine(number):
    address = f"10.76.{number // 250}.{number % 250 + 1}"
    mac = f"52:54:00:78:{number // 250:02x}:{number % 250:02x}"
    report = (f"serial=SN{number + 1}\nuuid=4c414200-0000-4000-8000-{number + 1:012}\nvendor=Lab\nproduct=Anvil\narch=x86_64\n"
        f"cpu=Some Processor at 3 GHz\ncpus=64\nmemory=515000\ndisk=sda\t480000000000\tSSD\tD{number}\ndisk=sdb\t480000000000\tSSD\tE{number}\n"
        f"nic=eth0\t{mac}\tigb\t1\nnic=eth1\t52:54:00:79:{number // 250:02x}:{number % 250:02x}\tigb\t0\n")
    for attempt in range(5):
        connection = http.client.HTTPConnection("10.76.255.254", timeout=100, source_address=(address, 0))
        try:
            connection.request("POST", f"/discover/{mac}", report)
            answer = connection.getresponse()
            text = answer.read().decode()
        except OSError as error:
            failure = error
            continue
        finally:
            connection.close()
        if answer.status == 200:
            return text.split("\n")[0]
        failure = f"{answer.status} {text}"
    return failure

with ThreadPoolExecutor(25) as pool:
    print("\n".join(str(told) for told in pool.map(machine, range(int(sys.argv[1])))))
"#;

#[test]
fn five_hundred_machines_at_once_become_five_hundred_nodes() {
    let lab = lab().network();
    define_network(&lab);
    lab.run(&format!("mkdef n[001-{MACHINES}] groups=all serial='|n(\\d+)|SN($1+0)|'")).success();
    let mut leases = "#ip,mac,until,client,comments,disable\n".to_owned();
    for number in 0..MACHINES {
        let (net, host) = (number / 250, number % 250);
        leases += &format!("\"10.76.{net}.{}\",\"52:54:00:78:{net:02x}:{host:02x}\",\"9999999999\",,,\n", host + 1);
    }
    fs::write(lab.home().join("lease.csv"), leases).expect("a file");
    fs::write(lab.home().join("machines.py"), SIMULATOR).expect("a file");
    lab.shell("tabrestore $HOME/lease.csv && ip addr add 10.76.255.254/16 dev br0").success();
    let daemon = serve(&lab, "");
    let client = lab.client("52:54:00:77:00:aa");
    client
        .shell(&format!(
            "i=0; while [ $i -lt {MACHINES} ]; do echo addr add 10.76.$((i / 250)).$((i % 250 + 1))/16 dev eth0; i=$((i + 1)); done | ip -batch -"
        ))
        .success();
    let used = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", daemon.pid())).expect("the daemon runs");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks: u64 = [11, 12].iter().map(|place| fields[*place].parse::<u64>().expect("a number")).sum();
        Duration::from_millis(ticks * 10)
    };
    let (before, begin) = (used(), Instant::now());
    let (script, file) = (lab.home().join("machines.py"), lab.home().join("told"));
    // In the background: how long it takes depends on what else this machine does.
    client
        .shell(&format!("(python3 {} {MACHINES}; echo ended) >{} 2>&1 </dev/null &", script.display(), file.display()))
        .success();
    let told = wait_for("the answers to all machines", LIMIT, || {
        let told = fs::read_to_string(&file).unwrap_or_default();
        if told.contains("ended") { Wait::Ready(told) } else { Wait::NotYet(told) }
    });
    let (cpu, wall) = (used() - before, begin.elapsed());
    println!("{MACHINES} machines: {cpu:?} of the daemon's processor time within {wall:?}");
    let expected: Vec<String> = (1..=MACHINES).map(|number| format!("node n{number:03}")).collect();
    assert_eq!(told.lines().filter(|line| *line != "ended").collect::<Vec<_>>(), expected);
    assert!(cpu <= MOST, "{cpu:?} of the daemon's processor time");
    let macs = lab.run("nodels all mac.mac").success();
    let distinct: std::collections::BTreeSet<&str> =
        macs.lines().filter_map(|line| line.split_once(": ")).map(|(_, mac)| mac).collect();
    assert_eq!(distinct.len(), MACHINES);
    let listed = lab.run("nodediscoverls -t mtms").success();
    assert_eq!(listed.lines().count(), MACHINES + 1);
}

#[test]
fn nobody_was_discovered_yet() {
    let lab = lab();
    let listed = lab.run("nodediscoverls -t undef").success();
    assert_eq!(
        listed,
        "UUID                                    NODE                METHOD         MTM                 SERIAL"
    );
    let refused = lab.run("nodediscoverls -u 4c414200-0000-4000-8000-000000000001");
    assert!(refused.code == 1 && refused.stderr.contains("no machine with UUID"), "{refused}");
}
