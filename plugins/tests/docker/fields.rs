//! Every attribute of a definition, read back.

use plugins::Created;
use serde_json::{Value, json};

use crate::world::World;

/// An attribute, its text, where `docker inspect` shows it, and what must stand there.
type Case = (&'static str, &'static str, &'static str, Value);

fn process_cases() -> Vec<Case> {
    vec![
        ("dockercommand", "sleep 1000", "/Config/Cmd", json!(["sleep", "1000"])),
        ("dockercommand", r#"["sh","-c","sleep 1 ; exit"]"#, "/Config/Cmd", json!(["sh", "-c", "sleep 1 ; exit"])),
        ("dockerentrypoint", "/bin/sh -c", "/Config/Entrypoint", json!(["/bin/sh", "-c"])),
        ("dockerenv", "A=1|B=x,y", "/Config/Env/0", json!("A=1")),
        ("dockerenv", "A=1|B=x,y", "/Config/Env/1", json!("B=x,y")),
        ("dockeruser", "1000:100", "/Config/User", json!("1000:100")),
        ("dockerworkdir", "/tmp", "/Config/WorkingDir", json!("/tmp")),
        ("dockerhostname", "other", "/Config/Hostname", json!("other")),
        ("dockertty", "yes", "/Config/Tty", json!(true)),
        ("dockertty", "yes", "/Config/OpenStdin", json!(true)),
        ("dockerinit", "yes", "/HostConfig/Init", json!(true)),
        ("dockerprivileged", "yes", "/HostConfig/Privileged", json!(true)),
        ("dockercapadd", "SYS_NICE,IPC_LOCK", "/HostConfig/CapAdd", json!(["CAP_SYS_NICE", "CAP_IPC_LOCK"])),
        ("dockercapdrop", "ALL", "/HostConfig/CapDrop", json!(["ALL"])),
        ("dockerrestart", "on-failure:3", "/HostConfig/RestartPolicy", policy("on-failure", 3)),
        ("dockerrestart", "unless-stopped", "/HostConfig/RestartPolicy", policy("unless-stopped", 0)),
        ("dockerstopsignal", "usr1", "/Config/StopSignal", json!("SIGUSR1")),
        ("dockerstoptimeout", "3", "/Config/StopTimeout", json!(3)),
        ("dockerlabels", "site=hpc|a=b,c", "/Config/Labels/a", json!("b,c")),
        ("dockerlogopts", "driver=json-file|max-size=10m", "/HostConfig/LogConfig", log_config()),
        ("dockerhealth", "cmd=true|interval=30s|timeout=5s|retries=3|start=10s", "/Config/Healthcheck", health()),
    ]
}

fn policy(name: &str, count: u32) -> Value {
    json!({ "Name": name, "MaximumRetryCount": count })
}

fn log_config() -> Value {
    json!({ "Type": "json-file", "Config": { "max-size": "10m" } })
}

fn health() -> Value {
    let second = 1_000_000_000_i64;
    json!({ "Test": ["CMD-SHELL", "true"], "Interval": 30 * second, "Timeout": 5 * second, "Retries": 3, "StartPeriod": 10 * second })
}

fn resource_cases() -> Vec<Case> {
    let memlock = json!({ "Name": "memlock", "Soft": 65536, "Hard": 65536 });
    let files = json!({ "Name": "nofile", "Soft": 512, "Hard": 1024 });
    let device = json!({ "PathOnHost": "/dev/null", "PathInContainer": "/dev/nothing", "CgroupPermissions": "rw" });
    vec![
        ("vmcpus", "1.5", "/HostConfig/NanoCpus", json!(1_500_000_000)),
        ("dockercpuset", "0", "/HostConfig/CpusetCpus", json!("0")),
        ("vmmemory", "64", "/HostConfig/Memory", json!(64 << 20)),
        ("dockershmsize", "128M", "/HostConfig/ShmSize", json!(128 << 20)),
        ("dockerulimits", "memlock=65536,nofile=512:1024", "/HostConfig/Ulimits", json!([memlock, files])),
        ("dockersysctls", "net.core.somaxconn=1024", "/HostConfig/Sysctls", json!({ "net.core.somaxconn": "1024" })),
        ("dockervolumes", "/tmp:/host:ro,data:/data", "/HostConfig/Binds", json!(["/tmp:/host:ro", "data:/data"])),
        (
            "vmstorage",
            "dir:///etc=/mnt",
            "/HostConfig/Mounts",
            json!([{ "Type": "bind", "Source": "/etc", "Target": "/mnt" }]),
        ),
        ("vmstorage", "nfs://nas/export/home=/home", "/HostConfig/Mounts/0/Source", json!("nfs-nas_export_home")),
        ("vmstorage", "nfs://nas/home|dir:///etc=/mnt", "/HostConfig/Mounts/1/Target", json!("/mnt")),
        ("dockervolumes", "/cache", "/Config/Volumes", json!({ "/cache": {} })),
        (
            "dockertmpfs",
            "/run|/fast:size=1m,mode=1777",
            "/HostConfig/Tmpfs",
            json!({ "/run": "", "/fast": "size=1m,mode=1777" }),
        ),
        ("dockerdevices", "/dev/null:/dev/nothing:rw", "/HostConfig/Devices", json!([device])),
        ("dockerdevices", "gpu=2", "/HostConfig/DeviceRequests/0/Count", json!(2)),
        ("dockerdevices", "gpu=all", "/HostConfig/DeviceRequests/0/Capabilities", json!([["gpu"]])),
        ("dockerreadonly", "yes", "/HostConfig/ReadonlyRootfs", json!(true)),
        ("vmothersetting", r#"{"HostConfig":{"PidsLimit":77}}"#, "/HostConfig/PidsLimit", json!(77)),
        ("vmothersetting", r#"{"Domainname":"site"}"#, "/Config/Domainname", json!("site")),
    ]
}

fn network_cases() -> Vec<Case> {
    let web = json!({ "80/tcp": [{ "HostIp": "", "HostPort": "8080" }] });
    let dns = json!({ "53/udp": [{ "HostIp": "127.0.0.1", "HostPort": "5353" }] });
    vec![
        ("dockerports", "8080:80", "/HostConfig/PortBindings", web),
        ("dockerports", "127.0.0.1:5353:53/udp", "/HostConfig/PortBindings", dns),
        ("dockerextrahosts", "a:10.0.0.1", "/HostConfig/ExtraHosts", json!(["a:10.0.0.1"])),
        ("dockerdns", "10.0.0.1,10.0.0.2", "/HostConfig/Dns", json!(["10.0.0.1", "10.0.0.2"])),
        ("vmnics", "cluster", "/HostConfig/NetworkMode", json!("cluster")),
        ("vmnics", "host", "/HostConfig/NetworkMode", json!("host")),
        ("mac", "02:77:00:00:00:01", "/Config/MacAddress", json!("02:77:00:00:00:01")),
        ("provmethod", "busybox:lab!sleep,5", "/Config/Cmd", json!(["sleep", "5"])),
    ]
}

/// Makes a container with the one attribute, reads it back, and makes it again: it must then be found equal.
async fn read_back(world: &World, cases: Vec<Case>) {
    let mut wrong = Vec::new();
    for (number, (attribute, text, pointer, expected)) in cases.into_iter().enumerate() {
        let name = format!("c{number}");
        let node = world.node(&name, &[(attribute, text)]);
        let guests = world.backends.guests(&node).expect("docker makes guests");
        let made = guests.create(&node, false).await;
        if !matches!(made, Ok(Created::Created)) {
            wrong.push(format!("{attribute}={text}: {made:?}"));
            continue;
        }
        let found = world.inspect(&name).pointer(pointer).cloned().unwrap_or_default();
        if !alike(&found, &expected) {
            wrong.push(format!("{attribute}={text}: {pointer} is {found}, not {expected}"));
        }
        let again = guests.create(&node, false).await;
        if !matches!(again, Ok(Created::Unchanged)) {
            wrong.push(format!("{attribute}={text} again: {again:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Engines before 23 show capabilities as they were asked for, without their prefix.
fn alike(found: &Value, expected: &Value) -> bool {
    let bare = |value: &Value| value.to_string().replace("CAP_", "");
    found == expected || bare(found) == bare(expected)
}

#[tokio::test]
async fn what_runs() {
    read_back(&World::new(), process_cases()).await;
}

#[tokio::test]
async fn what_it_may_use() {
    read_back(&World::new(), resource_cases()).await;
}

#[tokio::test]
async fn how_it_is_reached() {
    read_back(&World::new(), network_cases()).await;
}

#[tokio::test]
async fn swap_counts_on_top_of_memory() {
    let world = World::new();
    let node = world.node("n1", &[("vmmemory", "64"), ("dockerswap", "32")]);
    let guests = world.backends.guests(&node).expect("docker makes guests");
    assert_eq!(guests.create(&node, false).await.expect("made"), Created::Created);
    let swap = &world.inspect("n1")["HostConfig"]["MemorySwap"];
    // A kernel without swap accounting has no such limit; the engine then says so and drops it.
    assert!(*swap == json!(96 << 20) || *swap == json!(-1) || *swap == json!(0), "{swap}");
    assert_eq!(guests.create(&node, false).await.expect("found equal"), Created::Unchanged);
}

#[tokio::test]
async fn the_hosts_file_of_names() {
    let world = World::new();
    let host = world.lab.host("h1");
    let node = world.node("n1", &[("vmnics", "cluster"), ("dockerhostsfile", "yes")]);
    let guests = world.backends.guests(&node).expect("docker makes guests");
    let refusal = guests.create(&node, false).await.expect_err("there is no such file").to_string();
    assert!(refusal.contains("/etc/xcrane/hosts (dockerhostsfile); write it with: makehosts --on h1"), "{refusal}");
    host.shell("mkdir /etc/xcrane && echo 10.100.0.9 far >/etc/xcrane/hosts");
    guests.create(&node, false).await.expect("made");
    assert_eq!(guests.create(&node, false).await.expect("found equal"), Created::Unchanged);
    let power = world.backends.power(&node).expect("docker powers");
    power.apply(&node, plugins::PowerAction::On).await.expect("runs");
    assert_eq!(host.docker("exec n1 cat /etc/hosts").success(), "10.100.0.9 far");
    // What is written into the file is seen by containers that run, and the engine never writes there.
    host.shell("echo 10.100.0.8 farther >/etc/xcrane/hosts");
    assert_eq!(host.docker("exec n1 cat /etc/hosts").success(), "10.100.0.8 farther");
    power.apply(&node, plugins::PowerAction::Reset).await.expect("runs");
    assert_eq!(host.docker("exec n1 cat /etc/hosts").success(), "10.100.0.8 farther");
    guests.remove(&node, true, true).await.expect("removed");
    assert_eq!(host.shell("cat /etc/xcrane/hosts"), "10.100.0.8 farther\n");
}

#[tokio::test]
async fn a_fixed_place_in_the_network() {
    let world = World::new();
    let place = [("vmnics", "cluster"), ("ip", "10.100.0.7"), ("mac", "02:77:00:00:00:07"), ("dockerlinks", "n1:db")];
    for node in [world.node("n1", &[("vmnics", "cluster")]), world.node("n2", &place)] {
        let guests = world.backends.guests(&node).expect("docker makes guests");
        guests.create(&node, false).await.expect("made");
        assert_eq!(guests.create(&node, false).await.expect("found equal"), Created::Unchanged);
        let power = world.backends.power(&node).expect("docker powers");
        power.apply(&node, plugins::PowerAction::On).await.expect("runs");
        assert_eq!(guests.create(&node, false).await.expect("running and equal"), Created::Unchanged);
    }
    let found = &world.inspect("n2")["NetworkSettings"]["Networks"]["cluster"];
    assert_eq!(found["IPAddress"], "10.100.0.7");
    assert_eq!(found["MacAddress"], "02:77:00:00:00:07");
    assert_eq!(found["Links"], json!(["n1:db"]));
    let hostname = world.lab.host("h1").docker("exec n2 hostname").stdout;
    assert_eq!(hostname.trim(), "n2");
}
