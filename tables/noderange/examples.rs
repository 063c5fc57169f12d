//! The worked examples of xCAT's noderange, as tests. A comment tells where xCAT answers otherwise, and why we differ.

use std::cell::Cell;

use super::{Cause, Index, Kind, Names, Options, Unknown, World, expand};
use crate::criterion::Criterion;

/// The nodes and groups of the examples, counting how often all names were asked for.
struct Site {
    index: Index,
    listed: Cell<usize>,
}

fn site() -> Site {
    let numbers = |prefix: &'static str, n: u32| (1..=n).map(move |i| format!("{prefix}{i}"));
    let names = numbers("node", 12)
        .chain((1..=12).map(|i| format!("n{i:02}")))
        .chain(["r1n", "r2n", "r1-c", "r2-c", "web-0"].into_iter().flat_map(|prefix| numbers(prefix, 3)))
        .chain(["foo1.x.com", "foo2.x.com", "sn1-ib0", "sn1-ib1", "sn1-ib2", "both", "a(b)"].map(String::from));
    let mut index = Index::new(names.collect());
    let members = |text: &str| -> Names { text.split_whitespace().collect() };
    index.define("lin", members("node1 node2 node3 node4"));
    index.define("rk", members("node1 r1n1"));
    index.define("42", members("node4 node2"));
    index.define("both", members("node1"));
    index.define("empty", members(""));
    for i in 1..=3 {
        index.define(&format!("rack{i}"), members(&format!("r1n{i} r2n{i}")));
    }
    Site { index, listed: Cell::new(0) }
}

impl World for Site {
    fn contains(&self, name: &str) -> Result<bool, Cause> {
        self.index.contains(name)
    }

    fn group(&self, name: &str) -> Result<Option<Names>, Cause> {
        self.index.group(name)
    }

    fn names(&self) -> Result<&Names, Cause> {
        self.listed.set(self.listed.get() + 1);
        self.index.names()
    }

    fn groups(&self) -> Result<&Names, Cause> {
        self.listed.set(self.listed.get() + 1);
        self.index.groups()
    }

    /// `mgt` is ipmi for node1 to node12, `a(b)` for `both`, and unset for the rest.
    fn criterion(&self, criterion: &Criterion) -> Result<Names, Cause> {
        if criterion.key != "mgt" && criterion.key != "nodehm.mgt" {
            return Err(format!("no attribute '{}'", criterion.key).into());
        }
        let mgt = |name: &str| match name {
            "both" => Some("a(b)"),
            name if name.starts_with("node") => Some("ipmi"),
            _ => None,
        };
        Ok(self.index.names()?.to_vec().iter().filter(|name| criterion.matches(mgt(name))).collect())
    }

    fn file(&self, path: &str) -> Result<String, Cause> {
        match path {
            "/list" => Ok("# nodes\n^/other\n\n  node1\nnode2: second\nrack1 third\n".into()),
            "/minus" => Ok("lin\n-node2\n".into()),
            "/nested" => Ok("node1\n(node2,^/list)\n".into()),
            "/broken" => Ok("node1\nn[1-\n".into()),
            "/unknown" => Ok("node1\nnosuch1\n".into()),
            _ => Err("no such file".into()),
        }
    }
}

/// Expects names (separated by spaces) or, after `!`, an error.
fn check(range: &str, expected: &str) {
    check_with(range, Unknown::Refuse, expected);
}

fn check_with(range: &str, unknown: Unknown, expected: &str) {
    let found = match expand(range, &site(), &Options { unknown, ..Options::default() }) {
        Ok(found) => found.names.joined(" "),
        Err(error) => format!("! {error}"),
    };
    assert_eq!(found, expected, "for {range}");
}

const INVALID: &str = "! Invalid nodes and/or groups in noderange:";

#[test]
fn runs() {
    for range in ["node1-node3", "node1:node3", "node[1-3]", "node[1:3]", "node1+2", "node[1, 2-3]"] {
        check(range, "node1 node2 node3");
    }
    check("node[1-3,5-6]", "node1 node2 node3 node5 node6");
    check("node[1,3]", "node1 node3");
    check("node1-node1", "node1");
    for range in ["n01-n03", "n[01-03]", "n01+2"] {
        check(range, "n01 n02 n03");
    }
    check("n[08-11]", "n08 n09 n10 n11");
    check("node[9-11]", "node10 node11 node9");
    check("n[8-11]", &format!("{INVALID} n8,n9"));
    check("n9+2", &format!("{INVALID} n9"));
    check("n[08-09]", "n08 n09");
}

#[test]
fn runs_that_go_wrong_are_errors() {
    // xCAT takes the first two for nothing at all and goes on.
    check("n08-n9", "! the range 'n08-n9' mixes zero-padded and other widths");
    check("node3-node1", "! the range 'node3-node1' runs downwards");
    check("node[3-1]", "! the range '3-1' runs downwards");
    check("n[1-03]", "! the range '1-03' mixes zero-padded and other widths");
    check("r1n1-r2n2", &format!("{INVALID} r1n1-r2n2"));
    check("node1-3", &format!("{INVALID} node1-3"));
    check("big1big+1", &format!("{INVALID} big1big+1"));
    check("n[1-9999999999]", "! the noderange writes out more than 1000000 names");
    check("n1-n9999999999", "! the noderange writes out more than 1000000 names");
    check("n[1-9999]m[1-9999]", "! the noderange writes out more than 1000000 names");
    check("n[1-600000],m[1-600000]", "! the noderange writes out more than 1000000 names");
    check("n1+18446744073709551615", "! the noderange writes out more than 1000000 names");
    check("n18446744073709551615+1", "! the noderange writes out more than 1000000 names");
    check(
        "n[1-99999999999999999999]",
        "! the number 99999999999999999999 is too large at character 3 of noderange 'n[1-99999999999999999999]'",
    );
}

#[test]
fn products_and_hyphens() {
    check("r[1-2]n[1-2]", "r1n1 r1n2 r2n1 r2n2");
    check("r[1,2]n[1,3]", "r1n1 r1n3 r2n1 r2n3");
    check("r1n1-r2n1", "r1n1 r2n1");
    for range in ["r1-c1-r1-c3", "r1-c1:r1-c3", "r1-c[1-3]", "r1-c1+2", "r[1-1]-c[1-3]"] {
        check(range, "r1-c1 r1-c2 r1-c3");
    }
    check("r1-c1-c3", &format!("{INVALID} r1-c1-c3"));
    check("web-01", "web-01");
    check("web-[01-03]", "web-01 web-02 web-03");
}

#[test]
fn bare_numbers() {
    check("3-5", "node3 node4 node5");
    check("3+2", "node3 node4 node5");
    check("7,8", "node7 node8");
    check("77", &format!("{INVALID} node77"));
    // xCAT never gets to a group of this name.
    check("42", "node2 node4");
    let options = Options { prefix: "n", ..Options::default() };
    let found = expand("01", &site(), &options).unwrap();
    assert_eq!(found.names.to_vec(), ["n01"]);
    let options = Options { prefix: "foo", suffix: ".x.com", ..Options::default() };
    let found = expand("1-2", &site(), &options).unwrap();
    assert_eq!(found.names.to_vec(), ["foo1.x.com", "foo2.x.com"]);
    let options = Options { prefix: "", ..Options::default() };
    assert!(expand("7", &site(), &options).is_err());
}

#[test]
fn domains_and_other_suffixes() {
    for range in ["foo1.x.com-foo2.x.com", "foo[1-2].x.com", "foo1.x.com+1"] {
        check(range, "foo1.x.com foo2.x.com");
    }
    check("sn1-ib0+2", "sn1-ib0 sn1-ib1 sn1-ib2");
}

#[test]
fn groups() {
    check("lin", "node1 node2 node3 node4");
    for range in ["rack1-rack3", "rack[1-3]", "rack1+2"] {
        check(range, "r1n1 r1n2 r1n3 r2n1 r2n2 r2n3");
    }
    check("empty", "");
    check("both", "both");
    check("all", &format!("{INVALID} all"));
    check("LIN", &format!("{INVALID} LIN"));
}

#[test]
fn exclusion_comes_last() {
    for range in ["lin,-node2", "-node2,lin", "lin,- node2", "-(node2),lin"] {
        check(range, "node1 node3 node4");
    }
    check("node1,-node2,node2", "node1");
    check("-node2", "");
    check("lin,-(node1-node10)", "");
    check("(lin,-node2),node2", "node1 node2 node3 node4");
    // xCAT applies an operation on parentheses at once; here the place never matters.
    check("(node1),-(node1),node1", "");
    check("lin,-nosuch", &format!("{INVALID} nosuch"));
}

#[test]
fn intersection_binds_tighter() {
    check("lin@node1-node3", "node1 node2 node3");
    check("lin,rk@node1,r1n1", "node1 node2 node3 node4 r1n1");
    check("lin,-lin@node1", "node2 node3 node4");
    check("lin@rk@node1", "node1");
    check("(lin,rk)@(node1,r1n1)", "node1 r1n1");
    check("(lin@(rk,node2)),r2n1", "node1 node2 r2n1");
}

#[test]
fn empty_items_and_spaces() {
    check("node1,,node2", "node1 node2");
    check("node1@,", "node1");
    check("@node1", "node1");
    // xCAT looks for a node named " node2".
    check(" node1 , node2 @ lin ", "node1 node2");
    check("'node1',\"node2\"", "node1 node2");
    for range in ["", ",", " ", "''", "@"] {
        check(range, "! the noderange is blank");
    }
}

#[test]
fn regular_expressions() {
    check("/node[12]", "node1 node2");
    check("/nothing", "");
    check("/rack1", "");
    check("/.*1@lin", "node1");
    check("/n0.{1}@n[01-02]", "n01 n02");
    check("/web.*/", "web-01 web-02 web-03");
    // In xCAT only the first alternative is tied to the start of the name, and the last to its end.
    check("/node[12]|n0[12]", "n01 n02 node1 node2");
    // Parentheses and commas cut the expression in xCAT.
    check("/node(1|2)", "node1 node2");
    check("/n0.{1,2}@n0[1-2]", "n01 n02");
    check("(/node(1|2),r1n1)@rk", "node1 r1n1");
    check(r"/node[,)(12],/a\(b\)", "a(b) node1 node2");
    check("/n0[1,]", "n01");
    check("/n[]0]1", "n01");
}

#[test]
fn broken_regular_expressions() {
    let at = |at: usize, range: &str| format!("at character {at} of noderange '{range}'");
    check("/a[09-01].*", "! Invalid regular expression 'a[09-01].*', check the noderange syntax");
    check("/", &format!("! no regular expression behind '/' {}", at(1, "/")));
    let unbalanced = "! Unbalanced parentheses in noderange: no ')' for the '('";
    check("node1,/n(1", &format!("{unbalanced} {}", at(9, "node1,/n(1")));
    check("/n1)", &format!("! unexpected ')' {}", at(4, "/n1)")));
    check("/n[12", &format!("! no ']' for the '[' {}", at(3, "/n[12")));
}

#[test]
fn criteria() {
    check("mgt==ipmi@node[1-2],-node2", "node1");
    check("mgt=ipmi@node1", "node1");
    check("nodehm.mgt != ipmi@lin", "");
    check("mgt==@/r1n.", "r1n1 r1n2 r1n3");
    check("mgt!~ipmi@/r1n.", "r1n1 r1n2 r1n3");
    check("mgt=~ip@node1", "node1");
    // Parentheses in a value break parsing in xCAT.
    check("mgt=~^(ipmi|a,b)$@node1", "node1");
    check("(mgt==a(b),node1)@(node1,both)", "both node1");
    check(r"mgt==a\(b\)", "both");
    check(r"mgt==a\,b", "");
}

#[test]
fn broken_criteria() {
    // xCAT takes an unknown attribute, and `~x`, for nothing at all.
    check("mgx==ipmi", "! cannot select by 'mgx'");
    let error = expand("mgx==ipmi", &site(), &Options::default()).unwrap_err();
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "no attribute 'mgx'");
    check("mgt=~ipmi[", "! no ']' for the '[' at character 10 of noderange 'mgt=~ipmi['");
    let no_operator = "has no operator, expected one of == != =~ !~ = < <= > >= at character 1 of noderange";
    check("~x", &format!("! '~x' {no_operator} '~x'"));
    check("mgt!ipmi", &format!("! 'mgt!ipmi' {no_operator} 'mgt!ipmi'"));
    check("node1,==x", "! '==x' names no attribute before its operator at character 7 of noderange 'node1,==x'");
    check("mgt=~*", "! Invalid regular expression '*', check the noderange syntax");
}

#[test]
fn files() {
    check("^/list", "node1 node2 r1n1 r2n1");
    check("^/list@lin", "node1 node2");
    // xCAT adds the file whatever the operator, and passes over a file that is not there and a `-node` in it.
    check("lin,-^/list", "node3 node4");
    check("rk@^/list", "node1 r1n1");
    check("^/minus", "node1 node3 node4");
    check("node1,^/nothing", "! cannot read /nothing");
    check("^/nested", "! a file of ranges names a file at character 1 of noderange '^/nested'");
    check("^/broken", "! no ']' for the '[' at character 2 of noderange 'n[1-' (line 2 of /broken)");
    check("^/unknown", &format!("{INVALID} nosuch1"));
    check("^", "! no path behind '^' at character 1 of noderange '^'");
}

#[test]
fn broken_brackets_and_parentheses() {
    let check = |range: &str, problem: &str, at: usize| {
        self::check(range, &format!("! {problem} at character {at} of noderange '{range}'"));
    };
    check("node[1-3,5,-2]", "'-' cannot exclude inside brackets", 12);
    check("[3-5]", "no name before the '['", 1);
    check("lin,node[1-3", "no ']' for the '['", 9);
    check("node1]", "no '[' for the ']'", 6);
    check("node[1[2]]", "'[' inside brackets", 7);
    check("node[]", "nothing in the brackets", 6);
    check("node[1,,2]", "nothing in the brackets", 8);
    check("node[a-c]", "'a-c' is no run of numbers", 6);
    check("node[1-2-3]", "'1-2-3' is no run of numbers", 6);
    check("node1,(lin", "Unbalanced parentheses in noderange: no ')' for the '('", 7);
    check("lin)", "unexpected ')'", 4);
    check("node1(lin)", "unexpected '('", 6);
    check("()", "nothing in the parentheses", 1);
    check("node1,-", "'-' excludes nothing", 7);
    check("lin@-node1", "misplaced '-' (to exclude b write a,-b)", 5);
    check("node1 node2", "unexpected 'n'", 7);
    self::check(
        &"(".repeat(70),
        &format!("! more than 64 parentheses in one another at character 65 of noderange '…{}'", "(".repeat(42)),
    );
}

#[test]
fn all_unknown_names_are_told() {
    check("nosuch,node1,n[98-99],(gone),nosuch", &format!("{INVALID} nosuch,n98,n99,gone"));
    let error = expand("node1,nosuch", &site(), &Options::default()).unwrap_err();
    assert_eq!(error.diagram(), "node1,nosuch\n      ^");
}

#[test]
fn unknown_names_can_be_reported() {
    let options = Options { unknown: Unknown::Report, ..Options::default() };
    let found = expand("nosuch,node1,-gone", &site(), &options).unwrap();
    assert_eq!(found.names.to_vec(), ["node1"]);
    assert_eq!(found.unknown, ["nosuch", "gone"]);
}

#[test]
fn unknown_names_can_be_new_ones() {
    let check = |range: &str, expected: &str| check_with(range, Unknown::Accept, expected);
    check("new[1-3],lin@node1", "new1 new2 new3 node1");
    check("new1-new3,-new2", "new1 new3");
    check("rack1,x-1,node77-3", "node77-3 r1n1 r2n1 x-1");
    check("98-99", "node98 node99");
    check("new08+2", "new08 new09 new10");
    check("x3-x1", "! the range 'x3-x1' runs downwards");
    check("a*b,x+y,1:x", "! Invalid nodes and/or groups in noderange: a*b,x+y,1:x");
}

#[test]
fn a_name_does_not_list_all_nodes() {
    let site = site();
    expand("node1,lin@n01,n[01-12],-rack2", &site, &Options::default()).unwrap();
    assert_eq!(site.listed.get(), 0);
}

#[test]
fn many_names_are_found_as_few_are() {
    let index = Index::new((0..3000).map(|i| format!("n{i}")).collect());
    let found = expand("n[0-2999]", &index, &Options::default()).unwrap();
    assert_eq!(&found.names, index.names().unwrap());
    let error = expand("n[2990-3300],n[5-6]", &index, &Options::default()).unwrap_err();
    let Kind::Unknown { names } = error.kind else { panic!("{error}") };
    assert_eq!((names.len(), names[0].as_str(), names[300].as_str()), (301, "n3000", "n3300"));
    let error = expand("n[3000-3300]", &index, &Options::default()).unwrap_err();
    assert_eq!(error.to_string(), "Invalid nodes and/or groups in noderange: n[3000-3300]");
}
