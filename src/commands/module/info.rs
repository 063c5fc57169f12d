//! All that a module says of itself.

use serde_json::{Map, Value, json};

use super::tell::say;
use crate::commands::Shape;
use crate::context::Context;
use crate::failure::Failure;
use crate::modules::manifest::{Container, Manifest, Method, Run};
use crate::modules::requirements::Requirements;
use crate::modules::schema::Key;
use crate::modules::selector::Selector;
use crate::modules::site::Site;
use crate::modules::words::said;
use crate::modules::{Module, refusal};
use crate::outcome::Outcome;
use crate::ui::Format;

pub(super) fn info(cx: &Context, site: &Site, name: &str, shape: Shape) -> Result<Outcome, Failure> {
    let module = site.find(name)?;
    if shape.format() == Format::Json {
        say(cx, Format::Json, name, Vec::new(), described(module));
        return Ok(Outcome::Done);
    }
    let place = if module.is_builtin() { "built in".to_owned() } else { module.directory.display().to_string() };
    cx.ui.line(&said(&format!("{name}: {place}")));
    lines(&module.manifest).iter().for_each(|line| cx.ui.line(&said(&format!("    {line}"))));
    // What it lacks is told of one that is still to be applied.
    if let Some(why) = refusal::obstacle(site, name).filter(|_| !site.installed.contains_key(name)) {
        cx.ui.line(&said(&format!("    cannot be applied: {why}")));
    }
    Ok(Outcome::Done)
}

/// The same for people, line by line.
fn lines(manifest: &Manifest) -> Vec<String> {
    let all = |what: &str, selectors: &[Selector]| {
        selectors.iter().map(|selector| format!("{what} {selector}")).collect::<Vec<_>>()
    };
    let mut lines: Vec<String> = manifest.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    lines.extend(all("requires", &manifest.requires.strong));
    lines.extend(all("would like", &manifest.requires.weak));
    lines.extend(all("influences", &manifest.influences));
    lines.extend(needs(&manifest.requirements));
    lines.extend(manifest.targets.iter().map(|key| format!("works on the nodes of config {key}")));
    lines.extend(manifest.at_once.iter().map(|number| format!("nodes that it changes at once: {number}")));
    lines.extend(contained(&manifest.container));
    lines.extend(manifest.config.iter().map(|(key, wanted)| config(key, wanted)));
    let method = |(method, run): (&Method, &Run)| format!("method {method}: {}, at most {} s", run.way, run.limit);
    lines.extend(manifest.methods.iter().map(method));
    lines
}

/// What a bundle would collect for it.
fn needs(requirements: &Requirements) -> Vec<String> {
    let Requirements { images, packages, files } = requirements;
    let images = images.iter().map(|image| format!("needs image {} of {}", image.reference, image.digest));
    let packages = packages.iter().map(|(os, names)| format!("needs packages of {os}: {}", names.join(" ")));
    let files = files.iter().map(|file| format!("needs file {} from {}", file.path.display(), file.url));
    images.chain(packages).chain(files).collect()
}

fn contained(container: &Container) -> Option<String> {
    let Container { image, host, network } = container;
    let parts = [
        image.as_ref().map(|image| format!("image {image}")),
        host.as_ref().map(|key| format!("on the host of config {key}")),
        network.as_ref().map(|network| format!("network {network}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("container: {}", parts.join(", ")))
}

fn config(key: &str, wanted: &Key) -> String {
    let default = default(wanted).map(|default| format!(" [default: {default}]")).unwrap_or_default();
    let from = wanted.from.as_ref().map(|range| format!(" of {range}")).unwrap_or_default();
    let init = match (wanted.choose, wanted.everywhere, &wanted.addresses) {
        (0, true, _) => format!(", init proposes all nodes{from}"),
        (0, false, None) => String::new(),
        (0, false, Some(key)) => format!(", init fills in the addresses of {key}"),
        (number, ..) => format!(", free nodes that init chooses{from}: {number}"),
    };
    format!("config {key}: {} ({}{init}){default}", wanted.help, wanted.terms())
}

/// The same for scripts.
fn described(module: &Module) -> Value {
    let manifest = &module.manifest;
    let words = |selectors: &[Selector]| selectors.iter().map(ToString::to_string).collect::<Vec<_>>();
    let key = |(key, wanted): (&String, &Key)| {
        let described = json!({ "help": wanted.help, "type": wanted.kind.to_string(), "required": wanted.required,
            "default": default(wanted), "values": wanted.values, "minimum": wanted.minimum, "maximum": wanted.maximum,
            "secret": wanted.secret, "choose": wanted.choose, "everywhere": wanted.everywhere,
            "from": wanted.from, "addresses": wanted.addresses });
        (key.clone(), described)
    };
    let method = |(method, run): (&Method, &Run)| {
        (method.name().to_owned(), json!({ "way": run.way.to_string(), "limit": run.limit }))
    };
    let Container { image, host, network } = &manifest.container;
    json!({
        "directory": module.directory,
        "labels": manifest.labels,
        "requires": { "strong": words(&manifest.requires.strong), "weak": words(&manifest.requires.weak) },
        "influences": words(&manifest.influences),
        "requirements": required(&manifest.requirements),
        "targets": manifest.targets,
        "at_once": manifest.at_once,
        "container": { "image": image, "host": host, "network": network },
        "config": manifest.config.iter().map(key).collect::<Map<_, _>>(),
        "methods": manifest.methods.iter().map(method).collect::<Map<_, _>>(),
    })
}

/// In the words of `module.toml`.
fn required(requirements: &Requirements) -> Value {
    let Requirements { images, packages, files } = requirements;
    let image = |(reference, digest): (String, String)| json!({ "ref": reference, "digest": digest });
    let images = images.iter().map(|image| (image.reference.to_string(), image.digest.to_string())).map(image);
    let files = files.iter().map(|file| json!({ "url": file.url, "sha256": file.sha256, "path": file.path }));
    json!({ "images": images.collect::<Vec<_>>(), "packages": packages, "files": files.collect::<Vec<_>>() })
}

/// A key's default as it may be shown.
fn default(wanted: &Key) -> Option<String> {
    let default = wanted.default.as_ref()?;
    Some(if wanted.secret { "******".to_owned() } else { default.to_string() })
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn all_that_a_manifest_says_is_told() {
        let methods =
            ["metadata", "init", "plan", "apply", "audit"].map(|it| format!("{it} = {{ way = 'container' }}\n"));
        let manifest = Manifest::read(&format!(
            "targets = 'nodes'\nat_once = 2\ninfluences = [['kind eq b']]\n\
             [labels]\nname = 'm'\nversion = '1'\n\
             [requires]\nstrong = [['kind eq a']]\n\
             [requirements]\nimages = [{{ ref = 'site/m:1', digest = 'sha256:{digest}' }}]\npackages = {{ debian12 = ['tar'] }}\n\
             files = [{{ url = 'https://example.org/m.tar', sha256 = '{digest}', path = 'm.tar' }}]\n\
             [container]\nimage = 'site/m:1'\nhost = 'host'\nnetwork = 'blue'\n\
             [config.host]\ntype = 'noderange'\nhelp = 'where it runs'\nchoose = 1\nfrom = 'rack1'\n\
             [config.nodes]\ntype = 'noderange'\nhelp = 'what it looks at'\nrequired = true\neverywhere = true\n\
             [config.peers]\ntype = 'list'\nhelp = 'where they are'\naddresses = 'nodes'\n[methods]\n{methods}",
            digest = "a".repeat(64),
            methods = methods.concat()
        ))
        .unwrap();
        assert_snapshot!(lines(&manifest)[..15].join("\n"), @"
        name=m
        version=1
        requires kind eq a
        influences kind eq b
        needs image site/m:1 of sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        needs packages of debian12: tar
        needs file m.tar from https://example.org/m.tar
        works on the nodes of config nodes
        nodes that it changes at once: 2
        container: image site/m:1, on the host of config host, network blue
        config host: where it runs (a noderange, as a string, free nodes that init chooses of rack1: 1)
        config nodes: what it looks at (a noderange, as a string, required, init proposes all nodes)
        config peers: where they are (a list of strings, init fills in the addresses of nodes)
        method metadata: container, at most 600 s
        method init: container, at most 600 s
        ");
        let module = Module { directory: std::path::PathBuf::new(), manifest };
        assert_snapshot!(serde_json::to_string_pretty(&described(&module)["requirements"]).unwrap(), @r#"
        {
          "images": [
            {
              "ref": "site/m:1",
              "digest": "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            }
          ],
          "packages": {
            "debian12": [
              "tar"
            ]
          },
          "files": [
            {
              "url": "https://example.org/m.tar",
              "sha256": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
              "path": "m.tar"
            }
          ]
        }
        "#);
    }
}
