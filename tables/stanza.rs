//! Object definitions as text, the way `lsdef -z` writes and `mkdef -z` reads them.
//!
//! ```text
//! # <xCAT data object stanza file>
//!
//! default-node:
//!     mgt=docker
//!
//! node1:
//!     objtype=node
//!     groups=compute,all
//! ```
//!
//! A line that ends with ':' and holds no '=' names an object (all before the last ':', so that `fd59::/64:` is a network);
//! one with '=' sets an attribute. Indentation is for people. Double quotes around a whole value are taken off, as xCAT does.
//! A value that this cannot carry, such as one with line breaks, is written as the shell's `$'one\ntwo'`.

use std::collections::HashMap;
use std::fmt::{self, Write};

/// The first line of a stanza file.
pub const HEADER: &str = "# <xCAT data object stanza file>";

/// An object as a file defines it, the defaults of its type applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    pub name: String,
    pub objtype: String,
    /// In the order of the file, defaults last, no name twice; an empty value clears the attribute.
    pub attributes: Vec<(String, String)>,
    /// Where the object begins, counted from 1.
    pub line: usize,
}

/// Says what is wrong with a file and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StanzaError {
    #[error("line {line}: expected 'name:' or 'attribute=value', found '{found}'")]
    Garbled { line: usize, found: String },
    #[error("line {line}: expected 'name:' before the first attribute, found '{found}'")]
    NoObject { line: usize, found: String },
    #[error("line {line}: expected a name before this ':'")]
    NoName { line: usize },
    #[error(r"line {line}: expected one of \n \r \t \\ \' \xHH, found '\{found}'")]
    Escape { line: usize, found: String },
    #[error("line {line}: the file holds a NUL byte")]
    Nul { line: usize },
    /// In xCAT's words, which scripts look for.
    #[error("No objtype value was specified for '{name}'. Cannot create object definition.")]
    NoType { name: String, line: usize },
}

/// Reads all objects of a file; a file with one mistake yields none, so that nothing is half applied.
pub fn parse(text: &str) -> Result<Vec<Object>, StanzaError> {
    let mut defaults = HashMap::new();
    let mut objects = Vec::new();
    let mut open: Option<Stanza<'_>> = None;
    for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        match classify(line.trim(), at + 1)? {
            Line::Blank => {}
            Line::Name(name) => {
                if let Some(stanza) = open.replace(Stanza { name, line: at + 1, attributes: Attributes::default() }) {
                    stanza.close(&mut defaults, &mut objects)?;
                }
            }
            Line::Attribute(name, value) => match &mut open {
                Some(stanza) => stanza.attributes.set(name, value),
                None => return Err(StanzaError::NoObject { line: at + 1, found: shortened(line.trim()) }),
            },
        }
    }
    if let Some(stanza) = open {
        stanza.close(&mut defaults, &mut objects)?;
    }
    Ok(objects)
}

enum Line<'a> {
    Blank,
    Name(&'a str),
    Attribute(&'a str, String),
}

fn classify(line: &str, number: usize) -> Result<Line<'_>, StanzaError> {
    if line.contains('\0') {
        return Err(StanzaError::Nul { line: number });
    }
    if line.is_empty() || line.starts_with('#') {
        return Ok(Line::Blank);
    }
    let garbled = || StanzaError::Garbled { line: number, found: shortened(line) };
    if let Some((name, value)) = line.split_once('=') {
        let name = name.trim_end();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(garbled());
        }
        return Ok(Line::Attribute(name, unquoted(value.trim_start(), number)?));
    }
    match line.strip_suffix(':').map(str::trim_end) {
        Some("") => Err(StanzaError::NoName { line: number }),
        Some(name) => Ok(Line::Name(name)),
        None => Err(garbled()),
    }
}

/// The stanza being read.
struct Stanza<'a> {
    name: &'a str,
    line: usize,
    attributes: Attributes,
}

impl<'a> Stanza<'a> {
    fn close(self, defaults: &mut HashMap<&'a str, Attributes>, objects: &mut Vec<Object>) -> Result<(), StanzaError> {
        let Self { name, line, mut attributes } = self;
        if let Some(default_of) = name.strip_prefix("default-") {
            let of_type = defaults.entry(default_of).or_default();
            attributes.list.into_iter().for_each(|(name, value)| of_type.set(&name, value));
            return Ok(());
        }
        let no_type = || StanzaError::NoType { name: name.to_owned(), line };
        let objtype = attributes.get("objtype").filter(|objtype| !objtype.is_empty()).ok_or_else(no_type)?.to_owned();
        for (name, value) in defaults.get(objtype.as_str()).into_iter().flat_map(|of_type| &of_type.list) {
            if attributes.get(name).is_none() {
                attributes.set(name, value.clone());
            }
        }
        attributes.list.retain(|(name, _)| name != "objtype");
        objects.push(Object { name: name.to_owned(), objtype, attributes: attributes.list, line });
        Ok(())
    }
}

/// Names and values in order; the last value that is given for a name counts.
#[derive(Default)]
struct Attributes {
    list: Vec<(String, String)>,
    /// Where each name stands in the list.
    places: HashMap<String, usize>,
}

impl Attributes {
    fn get(&self, name: &str) -> Option<&str> {
        self.places.get(name).map(|place| self.list[*place].1.as_str())
    }

    fn set(&mut self, name: &str, value: String) {
        if let Some(place) = self.places.get(name) {
            self.list[*place].1 = value;
            return;
        }
        self.places.insert(name.to_owned(), self.list.len());
        self.list.push((name.to_owned(), value));
    }
}

fn unquoted(value: &str, line: usize) -> Result<String, StanzaError> {
    if let Some(escaped) = value.strip_prefix("$'").and_then(|value| value.strip_suffix('\'')) {
        return unescaped(escaped, line);
    }
    let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    Ok(quoted.map_or(value, str::trim).to_owned())
}

fn unescaped(text: &str, line: usize) -> Result<String, StanzaError> {
    let mut value = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        value.push_str(plain);
        let (character, length) = match escape.as_bytes() {
            [b'n', ..] => ('\n', 1),
            [b'r', ..] => ('\r', 1),
            [b't', ..] => ('\t', 1),
            [b'\\', ..] => ('\\', 1),
            [b'\'', ..] => ('\'', 1),
            [b'x', ..] => match escape.get(1..3).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
                Some(0) => return Err(StanzaError::Nul { line }),
                Some(byte) => (char::from(byte), 3),
                None => return Err(StanzaError::Escape { line, found: escape.chars().take(3).collect() }),
            },
            _ => return Err(StanzaError::Escape { line, found: escape.chars().take(1).collect() }),
        };
        value.push(character);
        rest = &escape[length..];
    }
    value.push_str(rest);
    Ok(value)
}

fn shortened(line: &str) -> String {
    const SHOWN: usize = 60;
    let mut shown: String = line.chars().take(SHOWN).collect();
    if shown.len() < line.len() {
        shown.push('…');
    }
    shown
}

/// Writes an object below [`HEADER`] or another object: a blank line, its name, its attributes; no line end after the last.
#[derive(Debug, Clone)]
pub struct Entry<'a, I> {
    pub name: &'a str,
    pub objtype: &'a str,
    /// Names and values, in the order in which they are to be shown.
    pub attributes: I,
}

impl<'a, I: Iterator<Item = (&'a str, &'a str)> + Clone> fmt::Display for Entry<'_, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}:\n    objtype={}", self.name, self.objtype)?;
        for (name, value) in self.attributes.clone() {
            write!(f, "\n    {name}=")?;
            write_value(f, value)?;
        }
        Ok(())
    }
}

fn write_value(f: &mut fmt::Formatter<'_>, value: &str) -> fmt::Result {
    let is_quoted = |open: &str, close| value.strip_prefix(open).is_some_and(|value| value.ends_with(close));
    let is_plain =
        value.trim() == value && !value.contains(char::is_control) && !is_quoted("\"", '"') && !is_quoted("$'", '\'');
    if is_plain {
        return f.write_str(value);
    }
    f.write_str("$'")?;
    for c in value.chars() {
        match c {
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\\' => f.write_str("\\\\")?,
            '\'' => f.write_str("\\'")?,
            control if control.is_control() => write!(f, "\\x{:02x}", u32::from(control))?,
            other => f.write_char(other)?,
        }
    }
    f.write_str("'")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Shows every object as `line name (type) attribute=value …`.
    fn read(text: &str) -> Result<Vec<String>, String> {
        let show = |object: Object| {
            let attributes = object.attributes.iter().map(|(name, value)| format!(" {name}={value}"));
            format!("{} {} ({}){}", object.line, object.name, object.objtype, attributes.collect::<String>())
        };
        parse(text).map(|objects| objects.into_iter().map(show).collect()).map_err(|error| error.to_string())
    }

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(read(text), Ok(expected.iter().map(|line| (*line).to_owned()).collect()), "{text}");
    }

    fn check_error(text: &str, expected: &str) {
        assert_eq!(read(text), Err(expected.to_owned()), "{text:?}");
    }

    fn check_value(value: &str, expected: &str) {
        let objects = parse(&format!("n:\n objtype=node\n a={value}\n")).unwrap();
        assert_eq!(objects[0].attributes, [("a".to_owned(), expected.to_owned())]);
    }

    #[test]
    fn writes_as_lsdef_does() {
        let attributes = [("bmc", "node3-bmc"), ("groups", "compute")];
        let entry = Entry { name: "node3", objtype: "node", attributes: attributes.into_iter() };
        assert_eq!(
            format!("{HEADER}\n{entry}\n"),
            "# <xCAT data object stanza file>\n\nnode3:\n    objtype=node\n    bmc=node3-bmc\n    groups=compute\n"
        );
    }

    #[test]
    fn reads_several_objects() {
        let text =
            "# <xCAT data object stanza file>\n\nn1:\n    objtype=node\n    mgt=ipmi\n\n# more\nn2:\n\tobjtype=group\n";
        check(text, &["3 n1 (node) mgt=ipmi", "8 n2 (group)"]);
        check("\u{feff}n1:\r\n  objtype = node \r\n  ip =\r\n", &["1 n1 (node) ip="]);
        check("", &[]);
    }

    #[test]
    fn tells_names_from_attributes() {
        check("fd59::/64:\n objtype=network\n net=fd59::\n", &["1 fd59::/64 (network) net=fd59::"]);
        check("n1:\nobjtype=node\nnicips=eth0:\n", &["1 n1 (node) nicips=eth0:"]);
        check("  n1:\n  objtype=node\n  a=b=c\n", &["1 n1 (node) a=b=c"]);
        check("n1:\n objtype=node\n nicips.eth1=10.0.0.1\n", &["1 n1 (node) nicips.eth1=10.0.0.1"]);
    }

    #[test]
    fn the_last_value_counts() {
        check("n1:\n a=1\n objtype=node\n b=2\n a=3\n", &["1 n1 (node) a=3 b=2"]);
    }

    #[test]
    fn defaults_fill_what_later_objects_of_the_type_leave_out() {
        let text = "n0:\n objtype=node\ndefault-node:\n objtype=node\n mgt=ipmi\n arch=x86_64\n\
                    n1:\n mgt=docker\n objtype=node\ng:\n objtype=group\ndefault-node:\n mgt=kvm\nn2:\n objtype=node\n";
        check(
            text,
            &["1 n0 (node)", "7 n1 (node) mgt=docker arch=x86_64", "10 g (group)", "14 n2 (node) mgt=kvm arch=x86_64"],
        );
    }

    #[test]
    fn takes_quotes_off() {
        check_value("\" a b \"", "a b");
        check_value("\"a\" b", "\"a\" b");
        check_value("\"", "\"");
        check_value(r#"{"a":"b"}"#, r#"{"a":"b"}"#);
        check_value(r"$'one\ntwo\t\\\'\x41 '", "one\ntwo\t\\'A ");
        check_value("$HOME", "$HOME");
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        check_error(
            "n1:\n objtype=node\n mgt ipmi\n",
            "line 3: expected 'name:' or 'attribute=value', found 'mgt ipmi'",
        );
        check_error("n1:\n a b=c\n", "line 2: expected 'name:' or 'attribute=value', found 'a b=c'");
        check_error("n1:\n =c\n", "line 2: expected 'name:' or 'attribute=value', found '=c'");
        check_error("mgt=ipmi\n", "line 1: expected 'name:' before the first attribute, found 'mgt=ipmi'");
        check_error(" :\n", "line 1: expected a name before this ':'");
        check_error("n1:\n a=$'\\q'\n", r"line 2: expected one of \n \r \t \\ \' \xHH, found '\q'");
        check_error("n1:\n a=$'\\xz9'\n", r"line 2: expected one of \n \r \t \\ \' \xHH, found '\xz9'");
        check_error("n1:\n a=$'\\xé'\n", r"line 2: expected one of \n \r \t \\ \' \xHH, found '\xé'");
        check_error("n1:\n a=\0\n", "line 2: the file holds a NUL byte");
        check_error("n1:\n a=$'\\x00'\n", "line 2: the file holds a NUL byte");
    }

    #[test]
    fn every_object_says_its_type() {
        let expected = "No objtype value was specified for 's1'. Cannot create object definition.";
        check_error("default-node:\n mgt=ipmi\ns1:\n groups=all\n", expected);
        check_error("s1:\n objtype=\n", expected);
        check_error("s1:\ns2:\n objtype=node\n", expected);
    }

    #[test]
    fn hostile_files_end_in_an_error_or_soon() {
        let long = "x".repeat(10_000_000);
        check_error(&long, &format!("line 1: expected 'name:' or 'attribute=value', found '{}…'", "x".repeat(60)));
        check_value(&long, &long);
        assert!(parse(&":\n".repeat(100_000)).is_err());
        assert_eq!(parse(&"n:\nobjtype=node\n".repeat(100_000)).unwrap().len(), 100_000);
        let many: String = (0..100_000).map(|number| format!("a{number}=\n")).collect();
        assert_eq!(parse(&format!("n:\nobjtype=node\n{many}")).unwrap()[0].attributes.len(), 100_000);
    }

    fn objects() -> impl Strategy<Value = Vec<Object>> {
        let value = prop_oneof!["[^\0]{0,12}", r#"[ "$'\\\n\r\t=:#a]{0,6}"#];
        let attributes = prop::collection::btree_map("[a-np-z][a-z.0-9]{0,6}", value, 0..5);
        let object =
            ("[a-ce-z0-9][a-z0-9:_/-]{0,8}", "[a-z]{1,6}", attributes).prop_map(|(name, objtype, attributes)| Object {
                name,
                objtype,
                attributes: attributes.into_iter().collect(),
                line: 0,
            });
        prop::collection::vec(object, 0..4)
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(objects in objects()) {
            let mut text = format!("{HEADER}\n");
            for object in &objects {
                let attributes = object.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                writeln!(text, "{}", Entry { name: &object.name, objtype: &object.objtype, attributes }).unwrap();
            }
            let read: Vec<Object> = parse(&text).unwrap().into_iter().map(|object| Object { line: 0, ..object }).collect();
            prop_assert_eq!(read, objects);
        }

        #[test]
        fn nothing_panics(text in r#"[ "$'\\\nx=:#aé\r-]{0,40}"#) {
            let _: Result<_, _> = parse(&text);
        }
    }
}
