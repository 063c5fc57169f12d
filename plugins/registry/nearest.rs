//! Where a host asks for an image: the nearest of those that can have it, and at last the registry in its name.

use crate::Reference;

/// How the public registry is called by those who mirror it.
const PUBLIC: &str = "registry-1.docker.io";

/// A registry that fetches and keeps the images of another; both as `HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    pub place: String,
    pub of: String,
}

/// What a host knows of registries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Near {
    /// Those that it asks, the nearest first.
    pub registries: Vec<String>,
    /// Which registries mirror which.
    pub mirrors: Vec<Mirror>,
}

impl Near {
    /// Under which names the host asks for an image, in order.
    pub fn sources(&self, image: &Reference) -> Vec<Reference> {
        sources(image, &self.registries, &self.mirrors)
    }
}

/// Under which names to ask for `image`, in order, when the registries `near` are at hand, the nearest first. The last is its
/// own.
///
/// A mirror of the image's registry is asked for what the tag means there. Any other registry may have something else
/// under that tag, so it is asked only for content that is known by its digest; and a mirror of another registry never,
/// for it would ask there.
fn sources(image: &Reference, near: &[String], mirrors: &[Mirror]) -> Vec<Reference> {
    let own = place(image);
    let mut sources: Vec<Reference> = Vec::new();
    for candidate in near.iter().map(String::as_str).take_while(|candidate| *candidate != own) {
        let may = match mirrors.iter().any(|mirror| mirror.place == candidate) {
            true => leads_to(candidate, own, mirrors),
            false => image.digest().is_some(),
        };
        // A word that names no registry was refused when the host was defined by mkhost; here it is passed over.
        let there = may.then(|| mirrored(image).in_registry(candidate).ok()).flatten();
        sources.extend(there.filter(|there| !sources.contains(there)));
    }
    sources.push(image.clone());
    sources
}

/// The registry of an image as those who mirror it call it.
fn place(image: &Reference) -> &str {
    match image.registry() {
        None | Some("docker.io" | "index.docker.io") => PUBLIC,
        Some(registry) => registry,
    }
}

/// The image as a mirror calls it: the public registry has a folder for names without one.
fn mirrored(image: &Reference) -> Reference {
    match place(image) == PUBLIC && !image.repository().contains('/') {
        true => image.in_folder("library"),
        false => image.clone(),
    }
}

/// Whether what `mirror` has is from `origin`, maybe by way of other mirrors.
fn leads_to(mirror: &str, origin: &str, mirrors: &[Mirror]) -> bool {
    let mut at = mirror;
    // Mirrors that mirror each other lead nowhere.
    for _ in mirrors {
        let Some(next) = mirrors.iter().find(|mirror| mirror.place == at) else { return false };
        at = &next.of;
        if at == origin {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn check(image: &str, near: &str, expected: &[&str]) {
        let mirror = |(place, of): &(&str, &str)| Mirror { place: (*place).into(), of: (*of).into() };
        let mirrors = [("m:1", "o:5"), ("far:1", "m:1"), ("hub:1", PUBLIC), ("x:1", "y:1"), ("y:1", "x:1")];
        let mirrors: Vec<Mirror> = mirrors.iter().map(mirror).collect();
        let near: Vec<String> = near.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        let found = sources(&image.parse().unwrap(), &near, &mirrors);
        assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expected, "{image} near {near:?}");
    }

    #[test]
    fn the_nearest_first_and_the_images_own_last() {
        check("o:5/a/b:1", "", &["o:5/a/b:1"]);
        check("o:5/a/b:1", "m:1", &["m:1/a/b:1", "o:5/a/b:1"]);
        check("o:5/a/b:1", "far:1,m:1,o:5", &["far:1/a/b:1", "m:1/a/b:1", "o:5/a/b:1"]);
        check("o:5/a/b:1", "m:1,m:1", &["m:1/a/b:1", "o:5/a/b:1"]);
        check("o:5/a/b:1", "o:5,m:1", &["o:5/a/b:1"]);
    }

    #[test]
    fn others_are_asked_only_for_what_a_digest_names() {
        check("o:5/a:1", "copy:1", &["o:5/a:1"]);
        let pinned = format!("o:5/a@{DIGEST}");
        check(&pinned, "copy:1", &[&format!("copy:1/a@{DIGEST}"), &pinned]);
        check(&pinned, "hub:1,m:1", &[&format!("m:1/a@{DIGEST}"), &pinned]);
    }

    #[test]
    fn mirrors_of_other_registries_are_passed_over() {
        check("o:5/a:1", "hub:1", &["o:5/a:1"]);
        check("o:5/a:1", "x:1,y:1", &["o:5/a:1"]);
        check("x:1/a:1", "y:1", &["y:1/a:1", "x:1/a:1"]);
    }

    #[test]
    fn the_public_registry_has_a_mirror_too() {
        check("busybox:1", "m:1,hub:1", &["hub:1/library/busybox:1", "busybox:1"]);
        check("docker.io/library/busybox:1", "hub:1", &["hub:1/library/busybox:1", "docker.io/library/busybox:1"]);
        check("apps/solver", "hub:1", &["hub:1/apps/solver", "apps/solver"]);
    }

    #[test]
    fn words_that_name_no_registry_are_passed_over() {
        check(&format!("o:5/a@{DIGEST}"), "../x,a b", &[&format!("o:5/a@{DIGEST}")]);
    }
}
