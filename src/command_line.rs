//! The command line as the journal and auditlog keep it: as one would type it again, but without passwords.

use std::borrow::Cow;

use tables::schema::{self, Column, Kind};
use tables::{objects, urls};

use crate::commands;

/// The option of `imgbuild` whose value is not for everyone.
const BUILD_ARGUMENT: &str = "--build-arg";

/// The words as one line, quoted where a shell needs that, the program without its directory; the value of anything
/// secret is `***`.
pub(crate) fn written(words: &[String]) -> String {
    let Some((program, rest)) = words.split_first() else { return String::new() };
    let program = quoted(without_directory(program));
    std::iter::once(program.into_owned()).chain(all_shown(rest)).collect::<Vec<_>>().join(" ")
}

/// The command, however it was started, and its arguments as in [`written`] but for the noderange.
pub(crate) fn parts<'w>(words: &'w [String], noderange: &str) -> (&'w str, String) {
    let mut words = words.iter();
    let mut command = words.next().map_or("", |program| without_directory(program));
    if commands::find_linked(command).is_none() {
        command = words.next().map_or(command, String::as_str);
    }
    let mut rest: Vec<&String> = words.collect();
    if let Some(place) = rest.iter().position(|word| *word == noderange) {
        rest.remove(place);
    }
    (command, all_shown(rest).join(" "))
}

fn without_directory(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

fn all_shown<'w>(words: impl IntoIterator<Item = &'w String>) -> Vec<String> {
    let mut last = "";
    let show = |word: &'w String| {
        let before = std::mem::replace(&mut last, word.as_str());
        shown(&without_build_argument(before, word))
    };
    words.into_iter().map(show).collect()
}

/// The value of a build argument is hidden whatever its name: nobody knows which of them are passwords.
fn without_build_argument<'w>(before: &str, word: &'w str) -> Cow<'w, str> {
    let given = match word.strip_prefix(BUILD_ARGUMENT).and_then(|rest| rest.strip_prefix('=')) {
        Some(given) => given,
        None if before == BUILD_ARGUMENT => word,
        None => return word.into(),
    };
    match given.split_once('=') {
        Some((_, value)) => format!("{}***", &word[..word.len() - value.len()]).into(),
        None => word.into(),
    }
}

fn shown(word: &str) -> String {
    quoted(&urls::without_accounts(&without_bare_account(&masked(word)))).into_owned()
}

/// `user:password@host`, as one types it who forgets what makes it an address, without the account.
fn without_bare_account(word: &str) -> Cow<'_, str> {
    let start = word.find('=').map_or(0, |at| at + 1);
    match word[start..].rsplit_once('@') {
        Some((account, host))
            if account.contains(':') && !account.contains(['/', ' ']) && !host.starts_with("sha256:") =>
        {
            format!("{}***@{host}", &word[..start]).into()
        }
        _ => word.into(),
    }
}

/// `bmcpassword=secret`, `ipmi.password^=secret` or a condition on one without what stands behind the operator.
fn masked(word: &str) -> Cow<'_, str> {
    let Some(end) = word.find(['=', '~']) else { return word.into() };
    let before = word[..end].trim_end_matches(['!', '<', '>', ',', '^', '+']);
    let start = before.rfind(|letter: char| !is_of_name(letter)).map_or(0, |at| at + 1);
    if !is_secret(before.get(start..).unwrap_or_default()) {
        return word.into();
    }
    let value = word[end..].trim_start_matches(['=', '~', '@']);
    if value.is_empty() { word.into() } else { format!("{}***", &word[..word.len() - value.len()]).into() }
}

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.')
}

/// Whether that is an attribute, or a `table.column`, whose values nobody should see.
fn is_secret(name: &str) -> bool {
    let secret = |column: &Column| column.kind == Kind::Secret;
    if let Some((table, column)) = name.split_once('.') {
        let table = schema::find(table).map(|table| table.columns).unwrap_or_default();
        return table.iter().any(|known| known.name == column && secret(known));
    }
    objects::all().iter().any(|object| object.named(name).any(|attribute| secret(attribute.column)))
        || schema::ALL.iter().any(|table| table.columns.iter().any(|column| column.name == name && secret(column)))
}

/// Brackets stay bare: people type them so, and a noderange is full of them.
fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |letter: char| !letter.is_whitespace() && !r#"|&;<>()$`"'\*?#!{}"#.contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        return word.into();
    }
    format!("'{}'", word.replace('\'', r"'\''")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &[&str], expected: &str) {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(written(&words), expected);
    }

    #[test]
    fn passwords_are_left_out_however_they_are_set() {
        check(&["chdef", "n1", "bmcpassword=secret"], "chdef n1 'bmcpassword=***'");
        check(&["chtab", "node=n1", "ipmi.password=a=b"], "chtab node=n1 'ipmi.password=***'");
        check(&["nodech", "n1", "ipmi.password^=x"], "nodech n1 'ipmi.password^=***'");
        check(&["nodech", "n1", "ipmi.password=@x"], "nodech n1 'ipmi.password=@***'");
        check(&["tabdump", "-w", "password==x", "ipmi"], "tabdump -w 'password==***' ipmi");
        check(&["rmdef", "all@ipmi.password!~x"], "rmdef 'all@ipmi.password!~***'");
        check(&["chdef", "n1", "bmcpassword="], "chdef n1 bmcpassword=");
        check(&["mkregistry", "h1", "--upstream=http://a:b@c"], "mkregistry h1 '--upstream=http://***@c'");
        check(&["chdef", "h1", "dockermirrors=a:b@c"], "chdef h1 'dockermirrors=***@c'");
        check(&["mkregistry", "h1", "--upstream", "a:b@c"], "mkregistry h1 --upstream '***@c'");
        check(&["pscp", "a@b:c", "image=a:1@sha256:0"], "pscp a@b:c image=a:1@sha256:0");
    }

    #[test]
    fn values_of_build_arguments_are_left_out_whatever_their_name() {
        check(&["imgbuild", ".", "--build-arg", "KEY=a=b", "-t", "a:1"], "imgbuild . --build-arg 'KEY=***' -t a:1");
        check(&["imgbuild", ".", "--build-arg=KEY=a=b", "x=y"], "imgbuild . '--build-arg=KEY=***' x=y");
        check(&["imgbuild", "--build-arg", "KEY=", "--label", "A=b"], "imgbuild --build-arg 'KEY=***' --label A=b");
        check(&["imgbuild", ".", "--build-arg", "KEY"], "imgbuild . --build-arg KEY");
        check(&["imgbuild", ".", "--build-arg=KEY"], "imgbuild . --build-arg=KEY");
        let words = ["xcrane", "imgbuild", ".", "--build-arg", "KEY=secret"].map(str::to_owned);
        assert_eq!(parts(&words, ""), ("imgbuild", ". --build-arg 'KEY=***'".to_owned()));
    }

    #[test]
    fn a_command_and_its_arguments() {
        let check = |words: &[&str], noderange: &str, expected: (&str, &str)| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            let (command, arguments) = parts(&words, noderange);
            assert_eq!((command, arguments.as_str()), expected);
        };
        check(&["/usr/bin/rpower", "rack1", "on"], "rack1", ("rpower", "on"));
        check(&["target/xcrane", "xdsh", "-f", "4", "n1", "echo n1"], "n1", ("xdsh", "-f 4 'echo n1'"));
        check(&["chvm", "n1", "bmcpassword=x"], "n1", ("chvm", "'bmcpassword=***'"));
        check(&["pscp", "a", "n1:/b"], "", ("pscp", "a n1:/b"));
    }

    #[test]
    fn the_rest_stands_as_one_would_type_it() {
        check(&["mkdef", "n[1-3]", "groups=a,b", "mgt=docker"], "mkdef n[1-3] groups=a,b mgt=docker");
        check(&["chdef", "n1", "ip=|10.0.0.($1)|"], "chdef n1 'ip=|10.0.0.($1)|'");
        check(&["chdef", "n1", "usercomment=it's", ""], r"chdef n1 'usercomment=it'\''s' ''");
        check(&["/opt/bin/xcrane", "rmdef", "/n.*"], "xcrane rmdef '/n.*'");
        check(&["chdef", "n1", "bmc=x", "groups=~y"], "chdef n1 bmc=x groups=~y");
    }
}
