//! What the container sees of the host's storage and devices.

use serde_json::{Map, Value, json};

use super::Parsed;
use super::text::{bars, list, whole, yes_no};

const BIND_OPTIONS: [&str; 10] = ["ro", "rw", "z", "Z", "nocopy", "shared", "rshared", "slave", "rslave", "rprivate"];

/// `/host:/path` binds, `name:/path` is a named volume, `/path` alone a volume without a name.
pub(super) fn volumes(text: &str) -> Parsed {
    let mut binds = Vec::new();
    let mut unnamed = Map::new();
    for item in list(text, ',')? {
        let parts: Vec<&str> = item.split(':').collect();
        let (source, path, options) = match parts.as_slice() {
            [path] => (None, *path, &[][..]),
            [source, path, options @ ..] => (Some(*source), *path, options),
            [] => continue,
        };
        if !path.starts_with('/') || path == "/" {
            return Err(format!("'{item}' has no absolute path in the container"));
        }
        if let Some(option) = options.iter().find(|option| !BIND_OPTIONS.contains(option)) {
            return Err(format!("'{option}' is none of {}", BIND_OPTIONS.join(", ")));
        }
        match source {
            None => drop(unnamed.insert(path.into(), json!({}))),
            Some(source) if source.starts_with('/') || is_volume_name(source) => {
                binds.push(bind(source, path, options));
            }
            Some(source) => return Err(format!("'{source}' is neither an absolute path nor a volume's name")),
        }
    }
    let mut body = Map::new();
    if !binds.is_empty() {
        body.insert("HostConfig".into(), json!({ "Binds": binds }));
    }
    if !unnamed.is_empty() {
        body.insert("Volumes".into(), unnamed.into());
    }
    Ok(body.into())
}

fn bind(source: &str, path: &str, options: &[&str]) -> String {
    match options {
        [] => format!("{source}:{path}"),
        _ => format!("{source}:{path}:{}", options.join(",")),
    }
}

fn is_volume_name(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    text.len() > 1 && text.as_bytes()[0].is_ascii_alphanumeric() && text.bytes().all(legal)
}

/// xCAT's disks of a guest, of which a container can have directories of its host and of an NFS server. Mounts, not
/// binds: they stand beside those of `dockervolumes`, and a directory that is not there is an error.
pub(super) fn disks(text: &str) -> Parsed {
    let mut mounts = Vec::new();
    for item in text.split([',', '|']).map(str::trim) {
        let (url, path) = item.split_once('=').map_or((item, None), |(url, path)| (url, Some(path)));
        mounts.push(match url.split_once(":/") {
            Some(("dir", rest)) => {
                let directory = format!("/{}", rest.trim_start_matches('/'));
                let target = target(item, path.unwrap_or(&directory))?;
                json!({ "Type": "bind", "Source": directory, "Target": target })
            }
            Some(("nfs", rest)) => {
                let (server, directory) = rest.trim_start_matches('/').split_once('/').unwrap_or_default();
                let directory = format!("/{directory}");
                if server.is_empty() {
                    return Err(format!("'{item}' names no server"));
                }
                let target = target(item, path.unwrap_or(&directory))?;
                nfs(server, &directory, target)
            }
            Some(("phy", _)) => return Err(format!("'{item}' is a device: give it by dockerdevices")),
            _ => return Err(format!("'{item}' is nothing that a container can have")),
        });
    }
    Ok(json!({ "HostConfig": { "Mounts": mounts } }))
}

fn target<'a>(item: &str, path: &'a str) -> Result<&'a str, String> {
    let good = path.starts_with('/') && path.trim_end_matches('/').len() > 1;
    if good { Ok(path) } else { Err(format!("'{item}' has no place in the container")) }
}

/// A volume of the host's engine that mounts the directory when a container needs it; one for all of its containers.
fn nfs(server: &str, directory: &str, target: &str) -> Value {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    let name: String =
        format!("nfs-{server}{directory}").chars().map(|letter| if legal(letter) { letter } else { '_' }).collect();
    let options = json!({ "type": "nfs", "o": format!("addr={server}"), "device": format!(":{directory}") });
    let driver = json!({ "Name": "local", "Options": options });
    // Else the engine would fill an empty directory of the server with what the image has there.
    let options = json!({ "NoCopy": true, "DriverConfig": driver });
    json!({ "Type": "volume", "Source": name, "Target": target, "VolumeOptions": options })
}

pub(super) fn tmpfs(text: &str) -> Parsed {
    let mut mounts = Map::new();
    for item in bars(text)? {
        let (path, options) = item.split_once(':').unwrap_or((&item, ""));
        if !path.starts_with('/') {
            return Err(format!("'{item}' does not start with an absolute path"));
        }
        mounts.insert(path.into(), options.into());
    }
    Ok(json!({ "HostConfig": { "Tmpfs": mounts } }))
}

pub(super) fn devices(text: &str) -> Parsed {
    let mut devices = Vec::new();
    let mut requests = Vec::new();
    for item in list(text, ',')? {
        match item.split_once('=') {
            Some(("gpu", count)) => requests.push(gpus(count)?),
            Some((name, _)) => return Err(format!("'{name}' is not known")),
            None => devices.push(device(item)?),
        }
    }
    let mut host = Map::new();
    if !devices.is_empty() {
        host.insert("Devices".into(), devices.into());
    }
    if !requests.is_empty() {
        host.insert("DeviceRequests".into(), requests.into());
    }
    Ok(json!({ "HostConfig": host }))
}

fn gpus(count: &str) -> Parsed {
    let count = match count {
        "all" => Ok(-1),
        number => whole::<u16>(number).map(i32::from).ok_or_else(|| format!("'gpu={number}' is not a count of GPUs")),
    };
    Ok(json!({ "Count": count?, "Capabilities": [["gpu"]] }))
}

fn device(item: &str) -> Parsed {
    let is_mode = |text: &str| !text.is_empty() && text.chars().all(|letter| "rwm".contains(letter));
    let (source, path, mode) = match item.split(':').collect::<Vec<_>>().as_slice() {
        [source] => (*source, *source, "rwm"),
        [source, mode] if is_mode(mode) => (*source, *source, *mode),
        [source, path] => (*source, *path, "rwm"),
        [source, path, mode] if is_mode(mode) => (*source, *path, *mode),
        _ => return Err(format!("'{item}' is not a device")),
    };
    if !source.starts_with('/') || !path.starts_with('/') {
        return Err(format!("'{item}' is not a device: its paths start with '/'"));
    }
    Ok(json!({ "PathOnHost": source, "PathInContainer": path, "CgroupPermissions": mode }))
}

pub(super) fn read_only(text: &str) -> Parsed {
    Ok(json!({ "HostConfig": { "ReadonlyRootfs": Value::Bool(yes_no(text)?) } }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(parse: fn(&str) -> Parsed, text: &str, expected: Option<Value>) {
        assert_eq!(parse(text).ok(), expected, "{text}");
    }

    #[test]
    fn volumes_of_three_kinds() {
        let binds =
            json!({ "HostConfig": { "Binds": ["/scratch:/scratch", "/etc/hosts:/etc/hosts:ro", "data:/d:ro,z"] } });
        check(volumes, "/scratch:/scratch, /etc/hosts:/etc/hosts:ro,data:/d:ro:z", Some(binds));
        check(volumes, "/cache", Some(json!({ "Volumes": { "/cache": {} } })));
        for wrong in ["", "scratch", "a:b", "/a:/", "/a:/b:rx", "d!:/b", "/a:/b,", "x:/b"] {
            check(volumes, wrong, None);
        }
    }

    #[test]
    fn disks_that_are_directories() {
        let bind = |source: &str, target: &str| json!({ "Type": "bind", "Source": source, "Target": target });
        let mounts = |mounts: &[Value]| Some(json!({ "HostConfig": { "Mounts": mounts } }));
        check(disks, "dir:///scratch", mounts(&[bind("/scratch", "/scratch")]));
        check(disks, "dir:/a=/b|dir:///c", mounts(&[bind("/a", "/b"), bind("/c", "/c")]));
        let nfs = json!({
            "Type": "volume", "Source": "nfs-nas_export_home", "Target": "/home",
            "VolumeOptions": { "NoCopy": true, "DriverConfig": { "Name": "local",
                "Options": { "type": "nfs", "o": "addr=nas", "device": ":/export/home" } } },
        });
        check(disks, "nfs://nas/export/home=/home", mounts(&[nfs]));
        for wrong in [
            "",
            "/scratch",
            "dir://",
            "dir:///",
            "dir:///a=b",
            "nfs://",
            "nfs:///x",
            "nfs://nas",
            "phy:/dev/sda",
            "lvm:vg",
            "dir:///a,",
        ] {
            check(disks, wrong, None);
        }
    }

    #[test]
    fn tmpfs_options_hold_commas() {
        let mounts = json!({ "HostConfig": { "Tmpfs": { "/run": "", "/tmp": "size=64m,mode=1777" } } });
        check(tmpfs, "/run|/tmp:size=64m,mode=1777", Some(mounts));
        check(tmpfs, "run", None);
    }

    #[test]
    fn devices_and_gpus() {
        let one = |source: &str, path: &str, mode: &str| json!({ "PathOnHost": source, "PathInContainer": path, "CgroupPermissions": mode });
        let expect = |devices: Value| Some(json!({ "HostConfig": { "Devices": devices } }));
        check(devices, "/dev/fuse", expect(json!([one("/dev/fuse", "/dev/fuse", "rwm")])));
        check(
            devices,
            "/dev/a:/dev/b:r,/dev/c:rw",
            expect(json!([one("/dev/a", "/dev/b", "r"), one("/dev/c", "/dev/c", "rw")])),
        );
        let gpu = |count: i32| {
            Some(json!({ "HostConfig": { "DeviceRequests": [{ "Count": count, "Capabilities": [["gpu"]] }] } }))
        };
        check(devices, "gpu=all", gpu(-1));
        check(devices, "gpu=2", gpu(2));
        for wrong in ["", "fuse", "gpu=some", "tpu=1", "/dev/a:b", "/dev/a:/dev/b:rx", "/a:/b:r:w"] {
            check(devices, wrong, None);
        }
    }
}
