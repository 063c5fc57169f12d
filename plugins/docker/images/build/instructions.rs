//! What a Dockerfile builds upon. Only that is read of it; all else is for BuildKit, which also says what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};

use crate::Reference;

/// What names make of a text; the name of an image is shorter.
const LONGEST: usize = 1024;

/// Images that have to be on the host before.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Instructions {
    pub(super) bases: Vec<Reference>,
    /// The program that reads the instructions, if they name one.
    pub(super) frontend: Option<String>,
}

impl Instructions {
    pub(super) fn parse(text: &str, arguments: &BTreeMap<String, String>) -> Self {
        let mut reader = Reader { arguments, known: BTreeMap::new(), stages: BTreeSet::new(), in_stage: false };
        let mut bases: Vec<Reference> = Vec::new();
        for line in lines(text) {
            for image in reader.images(&line) {
                let is_stage = reader.is_stage(&image) || image.bytes().all(|byte| byte.is_ascii_digit());
                let Ok(image) = image.parse::<Reference>() else { continue };
                let image = image.complete();
                if !is_stage && !bases.contains(&image) {
                    bases.push(image);
                }
            }
        }
        Self { bases, frontend: frontend(text) }
    }
}

/// What was read so far.
struct Reader<'a> {
    /// What the builder is told.
    arguments: &'a BTreeMap<String, String>,
    /// Values that stand before the first stage, which are the only ones that FROM sees.
    known: BTreeMap<String, String>,
    stages: BTreeSet<String>,
    in_stage: bool,
}

impl Reader<'_> {
    /// The names of images in a line, some of which may be stages.
    fn images(&mut self, line: &str) -> Vec<String> {
        let mut words = line.split_whitespace();
        let verb = words.next().unwrap_or_default().to_ascii_uppercase();
        let words: Vec<&str> = words.collect();
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
        match verb.as_str() {
            "ARG" if !self.in_stage => {
                words.iter().for_each(|word| self.argument(word));
                Vec::new()
            }
            "FROM" => self.stage(&words).into_iter().collect(),
            "COPY" => owned(words.iter().filter_map(|word| word.strip_prefix("--from=")).collect()),
            "RUN" => {
                let mounts = words.iter().filter_map(|word| word.strip_prefix("--mount="));
                owned(mounts.flat_map(|mount| mount.split(',')).filter_map(|part| part.strip_prefix("from=")).collect())
            }
            _ => Vec::new(),
        }
    }

    fn argument(&mut self, word: &str) {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let given = self.arguments.get(name).cloned();
        let value = given.unwrap_or_else(|| expanded(unquoted(value), &self.known));
        self.known.insert(name.to_owned(), value);
    }

    /// A stage begins; the image that it begins with, unless that is nothing or another stage.
    fn stage(&mut self, words: &[&str]) -> Option<String> {
        self.in_stage = true;
        let mut names = words.iter().filter(|word| !word.starts_with("--"));
        let image = names.next().map(|image| expanded(unquoted(image), &self.known));
        let image = image.filter(|image| image != "scratch" && !self.is_stage(image));
        let stage = names.next().filter(|word| word.eq_ignore_ascii_case("as")).and(names.next());
        self.stages.extend(stage.map(|stage| stage.to_lowercase()));
        image
    }

    fn is_stage(&self, name: &str) -> bool {
        self.stages.contains(&name.to_lowercase())
    }
}

/// `# syntax=…` among the comments at the top.
fn frontend(text: &str) -> Option<String> {
    let top = text.lines().take_while(|line| line.trim_start().starts_with('#'));
    let pairs = top.filter_map(|line| line.trim_start().trim_start_matches('#').split_once('='));
    let mut values = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("syntax"));
    values.next().map(|(_, value)| value.trim().to_owned())
}

/// Instructions, each in one line whatever lines it was written on.
fn lines(text: &str) -> Vec<String> {
    let mut whole = vec![String::new()];
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let (line, goes_on) = line.trim_end().strip_suffix('\\').map_or((line, false), |line| (line, true));
        let last = whole.last_mut().expect("one is there from the beginning");
        last.push_str(line);
        last.push(' ');
        if !goes_on {
            whole.push(String::new());
        }
    }
    whole
}

fn unquoted(text: &str) -> &str {
    text.trim_matches(['"', '\''])
}

/// `$NAME`, `${NAME}`, `${NAME:-VALUE}` and `${NAME:+VALUE}`. What grows beyond all names of images stays as it is
/// written, and so is the name of none: each line may double the one before.
fn expanded(text: &str, known: &BTreeMap<String, String>) -> String {
    let mut whole = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        let (value, after) = first(after, known);
        if whole.len() + before.len() + value.len() + after.len() > LONGEST {
            return text.to_owned();
        }
        whole.push_str(before);
        whole.push_str(value);
        rest = after;
    }
    whole + rest
}

/// The value of the name that a text begins with, and what comes after the name.
fn first<'a>(text: &'a str, known: &'a BTreeMap<String, String>) -> (&'a str, &'a str) {
    if let Some((inner, after)) = text.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
        return (value(inner, known), after);
    }
    let end = text.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(text.len());
    (known.get(&text[..end]).map_or("", String::as_str), &text[end..])
}

fn value<'a>(inner: &'a str, known: &'a BTreeMap<String, String>) -> &'a str {
    let of = |name: &str| known.get(name).map(String::as_str).filter(|value| !value.is_empty());
    if let Some((name, other)) = inner.split_once(":-") {
        return of(name).unwrap_or(other);
    }
    if let Some((name, other)) = inner.split_once(":+") {
        return of(name).map_or("", |_| other);
    }
    of(inner).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let arguments = [("VERSION".to_owned(), "2".to_owned())].into();
        let bases: Vec<String> = Instructions::parse(text, &arguments).bases.iter().map(ToString::to_string).collect();
        assert_eq!(bases, expected, "{text}");
    }

    #[test]
    fn images_that_instructions_build_upon() {
        check("FROM r:5000/a:1\nRUN x", &["r:5000/a:1"]);
        check("from --platform=linux/amd64 r:5000/a as one\nFROM one\nFROM r:5000/a", &["r:5000/a:latest"]);
        check("FROM scratch\nCOPY --from=r:5000/b:1 /x /y\nCOPY --from=0 / /", &["r:5000/b:1"]);
        check("FROM a AS One\nCOPY --from=one / /", &["a:latest"]);
        check("ARG VERSION=1\nARG R=r:5000\nFROM ${R}/a:$VERSION", &["r:5000/a:2"]);
        check("ARG TAG\nFROM a:${TAG:-9}\nFROM b${TAG:+x}:1", &["a:9", "b:1"]);
        check("FROM a:1\nRUN --mount=type=bind,from=r:5000/c:3,target=/c \\\n  # why\n  ls\n", &["a:1", "r:5000/c:3"]);
        check("FROM \\\n  a:1\nRUN echo FROM b\n", &["a:1"]);
        check("nonsense\nFROM\nFROM ///\n", &[]);
    }

    #[test]
    fn names_that_double_each_other_stay_as_they_are() {
        let mut text = "ARG A0=aaaaaaaaaaaaaaaa\n".to_owned();
        for number in 1..64 {
            let last = number - 1;
            text.push_str(&format!("ARG A{number}=$A{last}${{A{last}}}\n"));
        }
        let expected = format!("r:5000/{}:latest", "a".repeat(32));
        check(&format!("{text}FROM r:5000/$A1\nFROM b$A63\n"), &[expected.as_str()]);
        let known = [("A".to_owned(), "a".repeat(LONGEST))].into();
        assert_eq!(expanded("$A", &known), "a".repeat(LONGEST));
        assert_eq!(expanded("${A}b", &known), "${A}b");
    }

    #[test]
    fn the_program_that_reads_them() {
        let frontend = |text: &str| Instructions::parse(text, &BTreeMap::new()).frontend;
        assert_eq!(frontend("# syntax=docker/dockerfile:1\nFROM a").as_deref(), Some("docker/dockerfile:1"));
        assert_eq!(frontend("# a\n#  Syntax = x\nFROM a").as_deref(), Some("x"));
        assert_eq!(frontend("FROM a\n# syntax=x"), None);
    }
}
