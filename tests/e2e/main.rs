//! The program as people run it: a file a command, each test a terminal session; those that touch hosts use real ones.
//!
//! What a command prints stands in its test; what differs from run to run has a name there, such as `$TIME`.

mod accounts;
mod bmcdiscover;
mod bmcs;
mod bootwhy;
mod builtin_modules;
mod bundle;
mod bundle_sites;
mod chdef;
mod chknet;
mod chtab;
mod chvm;
mod claims;
mod completion;
mod copycds;
mod database;
mod deflog;
mod defundo;
mod dhcp_beside;
mod drivers;
mod dumpxcatdb;
mod executables;
mod faults;
mod freeipmi;
mod genimage;
mod gettab;
mod handles;
mod http_boot;
mod imgbuild;
mod imgcapture;
mod imgexport;
mod imgimport;
mod imgload;
mod imgpull;
mod imgpush;
mod imgsave;
mod imgtest;
mod install;
mod link;
mod looks;
mod lsdef;
mod lsdocker;
mod lshost;
mod lsimage;
mod lsnet;
mod lsregistry;
mod lsvm;
mod makehosts;
mod makenetworks;
mod man;
mod metal;
mod mirrors;
mod mkdef;
mod mkdocker;
mod mkhost;
mod mknb;
mod mknet;
mod mkregistry;
mod mkvm;
mod module;
mod module_answers;
mod module_authors;
mod module_contract;
mod module_faults;
mod module_leavers;
mod module_limits;
mod module_order;
mod module_plans;
mod module_states;
mod module_ways;
mod names;
mod nodeadd;
mod nodech;
mod nodediscoverdef;
mod nodediscoverls;
mod nodediscoverstart;
mod nodediscoverstatus;
mod nodediscoverstop;
mod nodegrpch;
mod nodels;
mod nodepurge;
mod noderange;
mod noderm;
mod nodeset;
mod nodestat;
mod objects;
mod packimage;
mod pins;
mod pping;
mod pscp;
mod psh;
mod rbeacon;
mod rcons;
mod redfish;
mod redfish_controllers;
mod redfish_resources;
mod registry_faults;
mod registry_images;
mod restorexcatdb;
mod reventlog;
mod rinstall;
mod rinv;
mod rmdef;
mod rmdocker;
mod rmhost;
mod rmimage;
mod rmnet;
mod rmregistry;
mod rmvm;
mod rnetboot;
mod rpower;
mod rsetboot;
mod rspconfig;
mod rvitals;
mod serial_consoles;
mod serve;
mod settings;
mod stream;
mod tabdump;
mod tabedit;
mod tabgrep;
mod tabprune;
mod tabrestore;
mod unit;
mod updatenode;
mod updatevm;
mod ways;
mod ways_back;
mod xcoll;
mod xdcp;
mod xdsh;
mod xdshbak;

use std::fs;

use ::lab::Lab;

/// A lab without hosts and with nothing defined, in which commands are started through their links.
fn lab() -> Lab {
    let lab = Lab::new(env!("CARGO_BIN_EXE_xcrane"));
    lab.run(&format!("link {}", lab.links().display())).success();
    lab
}

/// The same with n1 to n3 in groups rack1 and all, and n4 in group all.
fn rack() -> Lab {
    let lab = lab();
    lab.shell("nodeadd n[1-3] groups=rack1,all nodehm.mgt=ipmi && nodeadd n4 groups=all nodehm.mgt=docker").success();
    lab
}

/// Hosts h1, h2, … that are defined, and containers c1 to c6 that are defined on h1 and h2 in turn but not made.
fn lab_with_guests(hosts: u8) -> Lab {
    let lab = lab().hosts(hosts).define_hosts();
    let host = if hosts == 1 { "h1".to_owned() } else { format!("|h(($1-1)%{hosts}+1)|") };
    let line = format!(
        "mkdef c[1-6] groups=web,all mgt=docker vmhost='{host}' image=busybox:lab vmnics=cluster \
         ip='|10.100.0.($1+0)|' dockertty=yes dockerstoptimeout=1"
    );
    lab.run(&line).success();
    lab
}

/// The hosts of a lab, defined as an admin does it who has never heard of Docker: a name and an address.
fn defined_hosts(lab: Lab, hosts: u8) -> Lab {
    lab.run(&format!("mkdef h[1-{hosts}] groups=hosts ip='|10.77.0.($1+0)|'")).success();
    lab.run("chdef -t site connecttimeout=3").success();
    lab
}

/// Makes and starts c1 on h1, from the image in the home directory.
fn start_container(lab: &Lab) {
    let image = lab.home().join("busybox.tar");
    let line = format!("mkdef c1 groups=web mgt=docker vmhost=h1 image={} dockerstoptimeout=1", image.display());
    lab.run(&line).success();
    lab.run("mkvm c1").success();
    assert_eq!(lab.run("rpower c1 on").success(), "c1: on");
}

/// What a terminal shows when the lines of `script` are typed into a shell one after the other.
fn session(lab: &Lab, script: &str) -> String {
    let lines = script.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| format!("$ {line}\n{}", lab.shell(line))).collect()
}

/// Writes a file into the home directory, which is where commands are run.
fn write(lab: &Lab, name: &str, text: &str) {
    fs::write(lab.home().join(name), text).expect("the home directory of a lab can be written");
}

fn read(lab: &Lab, name: &str) -> String {
    fs::read_to_string(lab.home().join(name)).expect("the program has written that file")
}
