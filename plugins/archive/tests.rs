//! Archives of all kinds, and bad ones.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::contents::sha256;
use super::{Archive, Parcel};

/// A layer is any bytes here; only engines look inside.
const LAYERS: [&[u8]; 2] = [b"the lower layer, the same on many hosts", b"the upper one"];

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, name, *content).unwrap();
    }
    tar.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let skipped = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    let (one, other) = bytes.split_at(bytes.len() / 2);
    let frame = |bytes: &[u8]| compress_to_vec(bytes, CompressionLevel::Fastest);
    [frame(one), skipped.to_vec(), frame(other), skipped.to_vec()].concat()
}

fn config() -> Vec<u8> {
    let diff_ids: Vec<String> = LAYERS.iter().map(|layer| sha256(layer)).collect();
    json!({ "os": "linux", "rootfs": { "type": "layers", "diff_ids": diff_ids } }).to_string().into_bytes()
}

/// As `docker save` writes it.
fn saved() -> Vec<u8> {
    let manifest = json!([{ "Config": "c.json", "RepoTags": ["app:1"], "Layers": ["a/layer.tar", "b/layer.tar"] }]);
    let manifest = manifest.to_string();
    tar(&[
        ("a/layer.tar", LAYERS[0]),
        ("b/layer.tar", LAYERS[1]),
        ("c.json", &config()),
        ("manifest.json", manifest.as_bytes()),
    ])
}

/// The files of an OCI layout with layers packed so.
fn layout(pack: impl Fn(&[u8]) -> Vec<u8>) -> Vec<(String, Vec<u8>)> {
    let blob = |content: &[u8]| (format!("blobs/{}", sha256(content).replace(':', "/")), content.to_vec());
    let packed = LAYERS.map(pack);
    let described: Vec<Value> = packed.iter().map(|layer| json!({ "digest": sha256(layer), "size": 1 })).collect();
    let kind = "application/vnd.oci.image.config.v1+json";
    let config = config();
    let manifest = json!({ "config": { "mediaType": kind, "digest": sha256(&config) }, "layers": described });
    let manifest = manifest.to_string().into_bytes();
    let list = json!({ "manifests": [
        { "digest": sha256(&manifest), "annotations": { "org.opencontainers.image.ref.name": "app:1" } },
        { "digest": sha256(b"not here"), "platform": { "os": "linux", "architecture": "s390x" } },
    ] });
    let mut files = vec![blob(&manifest), blob(&config), ("index.json".to_owned(), list.to_string().into_bytes())];
    files.extend(packed.iter().map(|layer| blob(layer)));
    files
}

fn packed_tar(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    tar(&files.iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect::<Vec<_>>())
}

fn open(bytes: &[u8]) -> (TempDir, Result<Archive, String>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.tar");
    fs::write(&path, bytes).unwrap();
    let opened = open_at(&path);
    (directory, opened)
}

fn open_at(path: &Path) -> Result<Archive, String> {
    Archive::open(path).map_err(|error| crate::chain(&error).replace(&path.display().to_string(), "FILE"))
}

/// The files of a parcel.
fn sent(parcel: &Parcel) -> Vec<(PathBuf, Vec<u8>)> {
    let mut bytes = Vec::new();
    parcel.write(&mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, parcel.size(), "the size is known beforehand");
    let mut tar = tar::Archive::new(bytes.as_slice());
    let entries = tar.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (entry.path().unwrap().into_owned(), content)
    });
    entries.collect()
}

/// An engine gets the same image whatever the archive's kind.
fn check_whole(archive: Archive, unpacked: bool) {
    let archive = Arc::new(archive);
    let [image] = archive.images() else { panic!("one image") };
    assert_eq!((image.names.as_slice(), &image.id), (&["app:1".to_owned()][..], &sha256(&config())));
    let parcel = Parcel::new(&archive, &[]).unwrap();
    let files = sent(&parcel);
    let manifest: Value = serde_json::from_slice(&files[0].1).unwrap();
    assert_eq!(manifest[0]["RepoTags"], json!(["app:1"]));
    let content = |name: &Value| {
        let name = name.as_str().unwrap();
        files.iter().find(|(path, _)| path == Path::new(name)).map(|(_, content)| content.clone()).unwrap()
    };
    assert_eq!(content(&manifest[0]["Config"]), config());
    for (name, layer) in manifest[0]["Layers"].as_array().unwrap().iter().zip(LAYERS) {
        let held = content(name);
        let plain = if held.starts_with(&[0x1f, 0x8b]) {
            let mut plain = Vec::new();
            flate2::read::MultiGzDecoder::new(held.as_slice()).read_to_end(&mut plain).unwrap();
            plain
        } else {
            held.clone()
        };
        assert_eq!((plain.as_slice(), held == plain), (layer, unpacked));
    }
    let held = [vec![sha256(LAYERS[0]), sha256(b"another")]];
    let parcel = Parcel::new(&archive, &held).unwrap();
    assert_eq!(sent(&parcel).len(), 3, "texts and the upper layer");
    assert!(parcel.spared() > 0 && !parcel.is_bare());
    let other_place = [vec![sha256(LAYERS[1]), sha256(LAYERS[0])]];
    assert_eq!(sent(&Parcel::new(&archive, &other_place).unwrap()).len(), 4, "a layer counts in its place only");
    let all = [LAYERS.map(sha256).to_vec()];
    assert!(Parcel::new(&archive, &all).unwrap().is_bare());
}

#[test]
fn every_kind_of_archive_gives_the_same_image() {
    let plain = |layer: &[u8]| layer.to_vec();
    for (bytes, unpacked) in [
        (saved(), true),
        (gzip(&saved()), true),
        (zstd(&saved()), true),
        (packed_tar(&layout(plain)), true),
        (packed_tar(&layout(gzip)), false),
        (packed_tar(&layout(zstd)), true),
        (gzip(&packed_tar(&layout(zstd))), true),
    ] {
        let (_directory, archive) = open(&bytes);
        check_whole(archive.unwrap(), unpacked);
    }
}

#[test]
fn a_directory_is_an_archive_and_no_link_leads_out_of_it() {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in layout(gzip) {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    check_whole(open_at(directory.path()).unwrap(), false);
    let blob = directory.path().join(format!("blobs/{}", sha256(&gzip(LAYERS[1])).replace(':', "/")));
    fs::remove_file(&blob).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &blob).unwrap();
    assert!(open_at(directory.path()).err().unwrap().contains("it lacks blobs/sha256/"));
}

#[test]
fn links_in_an_archive_are_followed_within_it() {
    let manifest = r#"[{"Config":"c.json","Layers":["x/../a/layer.tar","b/layer.tar"]}]"#;
    let mut tar = tar::Builder::new(Vec::new());
    let mut append = |name: &str, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, name, content).unwrap();
    };
    append("z/layer.tar", LAYERS[0]);
    append("b/layer.tar", LAYERS[1]);
    append("c.json", &config());
    append("manifest.json", manifest.as_bytes());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    tar.append_link(&mut header, "a/layer.tar", "../../../z/layer.tar").unwrap();
    let (_directory, archive) = open(&tar.into_inner().unwrap());
    let parcel = Parcel::new(&Arc::new(archive.unwrap()), &[]).unwrap();
    assert_eq!(sent(&parcel).len(), 4);
}

#[test]
fn bad_archives_are_refused_with_a_reason() {
    let check = |bytes: &[u8], expected: &str| {
        let (_directory, archive) = open(bytes);
        let why = match archive {
            Err(why) => why,
            Ok(archive) => crate::chain(&Parcel::new(&Arc::new(archive), &[]).err().expect(expected)),
        };
        assert!(why.contains(expected), "{why}\n{expected}");
    };
    let whole = saved();
    check(b"", "neither manifest.json (docker save) nor index.json");
    check(&[b'x'; 2000], "cannot use FILE: it is neither an archive of images");
    check(&whole[..700], "ends before its time");
    check(&whole[..1300], "ends before its time");
    check(&whole[..2048], "neither manifest.json");
    check(&gzip(&whole)[..80], "ends before its time");
    let long = |length: usize| tar(&[("a".repeat(length).as_str(), b"")]);
    check(&long(4097), "a name in it has more than 4096 bytes");
    check(&long(4096), "neither manifest.json");
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    let mut linked = tar::Builder::new(Vec::new());
    linked.append_link(&mut header, "a", "b".repeat(4097)).unwrap();
    check(&linked.into_inner().unwrap(), "a name in it has more than 4096 bytes");
    let many: Vec<String> = ('a'..='q').map(|letter| letter.to_string().repeat(4096)).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|name| (name.as_str(), &b""[..])).collect();
    check(&tar(&many), "the names in it have more than");
    check(&tar(&[("repositories", b"{}")]), "before Docker 1.10");
    check(&tar(&[("manifest.json", b"[")]), "manifest.json makes no sense");
    check(&tar(&[("manifest.json", b"[]")]), "holds no image");
    let lost = br#"[{"Config":"../../etc/passwd","RepoTags":null,"Layers":[]}]"#;
    check(&tar(&[("manifest.json", lost)]), "it lacks ../../etc/passwd");
    let manifest = br#"[{"Config":"c.json","Layers":["/etc/passwd","b"]}]"#;
    check(&tar(&[("manifest.json", manifest), ("c.json", &config()), ("b", b"")]), "it lacks /etc/passwd");
    let manifest = br#"[{"Config":"c.json","Layers":["b"]}]"#;
    check(&tar(&[("manifest.json", manifest), ("c.json", &config()), ("b", b"")]), "has 2 layers and 1 files");
    let mut files = layout(gzip);
    files[1].1.push(b' ');
    check(&packed_tar(&files), "is not what its digest says");
    let mut files = layout(gzip);
    files[3].1 = gzip(b"something else");
    check(&packed_tar(&files), "is not what its digest says");
}

#[test]
fn a_name_of_gigabytes_is_not_kept() {
    for kind in [tar::EntryType::GNULongName, tar::EntryType::XHeader, tar::EntryType::XGlobalHeader] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(3 << 30);
        header.set_cksum();
        let (_directory, archive) = open(header.as_bytes());
        let why = archive.err().unwrap();
        assert!(why.contains("have more than 1048576 bytes"), "{why}");
    }
}

#[test]
fn a_member_of_any_size_is_no_panic() {
    let mut header = tar::Header::new_gnu();
    header.set_size(u64::MAX);
    header.set_cksum();
    let (_directory, archive) = open(header.as_bytes());
    let why = archive.err().unwrap();
    assert!(why.contains("a member of it has 18446744073709551615 bytes"), "{why}");
}

#[test]
fn lists_that_name_the_same_lists_again_and_again_are_refused() {
    let mut list = json!({ "manifests": [] }).to_string().into_bytes();
    let mut files = Vec::new();
    for _ in 0..3 {
        files.push((format!("blobs/{}", sha256(&list).replace(':', "/")), list.clone()));
        list = json!({ "manifests": vec![json!({ "digest": sha256(&list) }); 100] }).to_string().into_bytes();
    }
    files.push(("index.json".to_owned(), list));
    let (_directory, archive) = open(&packed_tar(&files));
    let why = archive.err().unwrap();
    assert!(why.contains("its lists name more than 10000 images"), "{why}");
}

#[test]
fn images_share_a_configuration() {
    let image = json!({ "Config": "c.json", "Layers": ["a", "b"] });
    let manifest = json!([image, image]).to_string();
    let bytes =
        tar(&[("a", LAYERS[0]), ("b", LAYERS[1]), ("c.json", &config()), ("manifest.json", manifest.as_bytes())]);
    let (_directory, archive) = open(&bytes);
    let archive = archive.unwrap();
    let [one, other] = archive.images() else { panic!("two images") };
    assert!(Arc::ptr_eq(&one.config, &other.config));
}

#[test]
fn the_size_of_a_parcel_waits_for_nobody() {
    let (_directory, archive) = open(&packed_tar(&layout(zstd)));
    let archive = Arc::new(archive.unwrap());
    let parcel = Parcel::new(&archive, &[]).unwrap();
    // As another host's layers are looked through.
    let _locked = archive.unpacked.lock().unwrap();
    let (told, size) = mpsc::channel();
    std::thread::spawn(move || told.send(parcel.size()));
    assert!(size.recv_timeout(Duration::from_secs(5)).is_ok());
}

#[test]
fn what_unpacks_to_very_much_is_refused() {
    let zeros = vec![0; 1 << 20];
    let mut header = tar::Header::new_gnu();
    header.set_path("layer").unwrap();
    header.set_size(5 << 30);
    header.set_cksum();
    let mut bytes = gzip(header.as_bytes());
    let piece = gzip(&zeros);
    (0..20).for_each(|_| bytes.extend(&piece));
    let (_directory, archive) = open(&bytes);
    let why = archive.err().unwrap();
    assert!(why.contains("unpacks to more than 200 times its size"), "{why}");
}

proptest! {
    #[test]
    fn no_bytes_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..3000), at in 0..4000usize, kind in 0..4usize) {
        drop(open(&bytes));
        // A good archive with a hole of such bytes.
        let mut whole = match kind {
            0 => saved(),
            1 => gzip(&saved()),
            2 => zstd(&saved()),
            _ => packed_tar(&layout(zstd)),
        };
        let start = at.min(whole.len());
        let end = (start + bytes.len() / 20).min(whole.len());
        bytes.truncate(end - start);
        whole[start..end].copy_from_slice(&bytes);
        if let (_directory, Ok(archive)) = open(&whole)
            && let Ok(parcel) = Parcel::new(&Arc::new(archive), &[])
        {
            drop(parcel.write(std::io::sink()));
        }
    }
}
