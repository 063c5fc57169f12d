//! Cell values that are computed from the node's name.
//!
//! Three forms, as xCAT has them:
//!
//! - `/left/right/`: the name with the first match of `left` replaced by the text `right`;
//! - `|left|right|`: likewise, and each outermost `( … )` in `right` is calculated, `$1` … being what `left` captured;
//! - `|right|`: the value is `right`, `$1` … being the numbers in the name without their leading zeros.
//!
//! Where xCAT surprises, this does what the admin meant:
//!
//! - a name that `left` does not match leaves the value unset; xCAT answers the name itself;
//! - `/var/lib/` has the shape of the first form. When `left` is a plain word (none of `\ ^ $ * ? ( ) [ ] { } |`) and the
//!   name does not hold it, the text is a path and stands as it is;
//! - a `|` inside parentheses or brackets belongs to the pattern: `|(web|db)(\d+)|10.0.0.($2)|`;
//! - text of the name outside the match is kept: `|node(\d+)|h($1)|` makes `xh9y` of `xnode9y`;
//! - a number that is only zeros counts in `|right|`: `$1` of `rack0-node5` is 0;
//! - what cannot be calculated is an error with its place; xCAT silently leaves the value unset.

mod arithmetic;
mod form;
mod functions;
mod parse;
mod sprintf;

use std::borrow::Cow;
use std::collections::HashMap;

use form::Form;

/// Longer cells are refused: nobody writes them by hand, and the work on one stays bounded.
const MAX_LENGTH: usize = 4096;
/// An evaluator forgets its compiled cells when there are more: cells written per node would otherwise pile up.
const MAX_CACHED: usize = 1024;

/// Tells whether a cell has the shape of an expression; it may still turn out to be a path.
pub fn is_expression(cell: &str) -> bool {
    let bytes = cell.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(b'|'), Some(b'|')) => bytes.len() > 1 && !bytes.contains(&b'\n'),
        (Some(b'/'), Some(b'/')) => bytes.iter().filter(|byte| **byte == b'/').count() == 3,
        _ => false,
    }
}

/// Evaluates one cell for one node; see [`Evaluator`] for the same cell over many nodes.
pub fn evaluate<'a>(cell: &'a str, node: &str) -> Result<Option<Cow<'a, str>>, ExpressionError> {
    if !is_expression(cell) {
        return Ok(unless_empty(Cow::Borrowed(cell)));
    }
    value(&Form::parse(cell)?, cell, node)
}

/// Says what is wrong with a cell whatever the node; text that is no expression is fine.
pub fn check(cell: &str) -> Result<(), ExpressionError> {
    if is_expression(cell) { Form::parse(cell).map(drop) } else { Ok(()) }
}

/// Evaluates cells for many nodes and compiles each cell only once.
#[derive(Debug, Default)]
pub struct Evaluator {
    compiled: HashMap<String, Result<Form, ExpressionError>>,
}

impl Evaluator {
    /// The value of a cell for a node: `None` is unset, text that is no expression comes back as it is.
    pub fn evaluate<'a>(&mut self, cell: &'a str, node: &str) -> Result<Option<Cow<'a, str>>, ExpressionError> {
        if !is_expression(cell) {
            return Ok(unless_empty(Cow::Borrowed(cell)));
        }
        match self.compile(cell) {
            Ok(form) => value(form, cell, node),
            Err(error) => Err(error.clone()),
        }
    }

    fn compile(&mut self, cell: &str) -> &Result<Form, ExpressionError> {
        if !self.compiled.contains_key(cell) {
            if self.compiled.len() >= MAX_CACHED {
                self.compiled.clear();
            }
            self.compiled.insert(cell.to_owned(), Form::parse(cell));
        }
        &self.compiled[cell]
    }
}

fn value<'a>(form: &Form, cell: &'a str, node: &str) -> Result<Option<Cow<'a, str>>, ExpressionError> {
    let value = form.value(cell, node).map_err(|fault| fault.of(cell))?;
    Ok(value.and_then(unless_empty))
}

fn unless_empty(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    if text.is_empty() { None } else { Some(text) }
}

/// Says what is wrong with a cell and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at character {position} of '{cell}'")]
pub struct ExpressionError {
    /// The cell, shortened when it is very long.
    pub cell: String,
    /// Counted in characters from 1.
    pub position: usize,
    pub problem: Problem,
}

/// What can be wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("the expression is longer than {MAX_LENGTH} bytes")]
    TooLong,
    #[error("the expression is too complex")]
    TooComplex,
    #[error("the pattern is empty")]
    EmptyPattern,
    #[error("bad pattern: {0}")]
    Pattern(#[from] crate::pattern::PatternError),
    #[error("expected {0}")]
    Expected(&'static str),
    #[error("a number with a leading zero would be octal in Perl: write it without")]
    Octal,
    #[error("there is no function '{0}'")]
    UnknownFunction(String),
    #[error("{function} takes {takes}")]
    Arguments { function: &'static str, takes: &'static str },
    #[error("${group} is not there, the pattern captures {captured}")]
    NoSuchCapture { group: usize, captured: usize },
    #[error("division by zero")]
    DivisionByZero,
    #[error("number out of range")]
    Overflow,
    #[error("bad sprintf format '{0}'")]
    Format(String),
}

/// A problem at a byte of a cell, before the cell is known.
#[derive(Debug)]
struct Fault {
    at: usize,
    problem: Problem,
}

impl Fault {
    fn of(self, cell: &str) -> ExpressionError {
        const SHOWN: usize = 200;
        let position = cell.char_indices().take_while(|(at, _)| *at < self.at).count() + 1;
        let mut shown: String = cell.chars().take(SHOWN).collect();
        if shown.len() < cell.len() {
            shown.push('…');
        }
        ExpressionError { cell: shown, position, problem: self.problem }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(node: &str, cell: &str, expected: &str) {
        let expected = Some(expected).filter(|text| !text.is_empty());
        let mut evaluator = Evaluator::default();
        for _ in 0..2 {
            assert_eq!(evaluator.evaluate(cell, node).unwrap().as_deref(), expected, "{cell} for {node}");
        }
        assert_eq!(evaluate(cell, node).unwrap().as_deref(), expected, "{cell} for {node}");
    }

    fn check_error(cell: &str, expected: &str) {
        assert_eq!(evaluate(cell, "node12").unwrap_err().to_string(), expected);
    }

    #[test]
    fn plain_text_stands_as_it_is() {
        check("node1", "ipmi", "ipmi");
        check("node1", "", "");
        check("node1", "/a/b/c/", "/a/b/c/");
        check("node1", "/install/x", "/install/x");
        check("node1", "/install/", "/install/");
        check("node1", "|", "|");
        check("node1", "a|b", "a|b");
        check("node1", "|a\n|", "|a\n|");
    }

    #[test]
    fn replaces_the_match_by_text() {
        check("node1", r"/\z/-bmc/", "node1-bmc");
        check("node1", "/$/-bmc/", "node1-bmc");
        check("node1", "/(.*)/$1-x/", "$1-x");
        check("node1", "/node/bmc/", "bmc1");
        check("node1", "/de.*$//", "no");
        check("node1", "/.*//", "");
    }

    #[test]
    fn a_path_is_no_expression() {
        check("node1", "/var/lib/", "/var/lib/");
        check("node1", "/nomatch/x/", "/nomatch/x/");
        check("node1", "/opt.d/c++/", "/opt.d/c++/");
        check("node1", "//x/", "//x/");
        check("node1", r"/nomatch\d/x/", "");
    }

    #[test]
    fn calculates_from_captures() {
        check("node012", r"|node(\d+)|10.0.0.($1+0)|", "10.0.0.12");
        check("node012", r"|node(\d+)|10.0.0.($1)|", "10.0.0.012");
        check("node20", r"|\D+(\d+)|cmm(sprintf('%02d',($1-1)/14+1))|", "cmm02");
        check("node20", r"|\D+(\d+)|(($1-1)%14+1)|", "6");
        check("node300", r"|node(\d+)|10.($1/256).0.($1%256)|", "10.1.0.44");
        check(
            "node7",
            r#"|node(\d+)|02:42:0a:00:(sprintf("%02x",$1/256)):(sprintf("%02x",$1%256))|"#,
            "02:42:0a:00:00:07",
        );
        check("node9", "|(.*)|($1).ib|", "node9.ib");
        check("row2-col3-node4", r"|row(\d+)-col(\d+)-node(\d+)|(dim2idx($1, 4, $2, 20, $3))|", "124");
        check("row2-col1", r"|row(\d+)-col(\d+)|(skip(dim2idx($1, 4, $2),'3:2'))|", "3");
        check("node246", r"|node(\d+)|(ipadd(10,10,10,10,$1,0,0))|", "10.10.11.0");
        check("node300", r"|node(\d+)|(ipadd(10,0,0,0,$1,1,1))|", "10.0.1.47");
        check("node1", r"|node(\d+)|$1|", "$1");
        check("rack3", "|^rack|r|", "r3");
    }

    #[test]
    fn calculates_from_the_numbers_in_the_name() {
        check("node12", "|10.0.0.($1+0)|", "10.0.0.12");
        check("rack02node012", "|10.0.($1+0).($2+0)|", "10.0.2.12");
        check("node012", "|10.0.0.($1)|", "10.0.0.12");
        check("compute", "|10.0.0.($1+0)|", "10.0.0.0");
        check("rack0-node5", "|10.0.($1+0).($2+0)|", "10.0.0.5");
        check("node00", "|10.0.0.($1)|", "10.0.0.0");
        check("node1", "|fixed|", "fixed");
    }

    #[test]
    fn what_does_not_match_is_unset() {
        check("foo12", r"|node(\d+)|10.0.0.($1+0)|", "");
        check("node1", "|a|b|c|", "");
        check("node1", r"|node(\d+)||", "");
        check("node1", "||", "");
    }

    #[test]
    fn keeps_the_name_outside_the_match() {
        check("xnode9y", r"|node(\d+)|h($1)|", "xh9y");
    }

    #[test]
    fn a_bar_inside_parentheses_or_brackets_belongs_to_the_pattern() {
        check("db7", r"|(web|db)(\d+)|10.0.0.($2)|", "10.0.0.7");
        check("db|7", r"|db[|](\d+)|($1)|", "7");
        check("db|7", r"|db\|(\d+)|($1)|", "7");
        check("node7", "|(sprintf('%d|%d',$1,$1))|", "7|7");
    }

    #[test]
    fn reckons_as_perl_does() {
        let reckons = |sum: &str, expected: &str| check("node012-a", &format!(r"|(.*?)(\d+)-(.)|({sum})|"), expected);
        reckons("2+3*4", "14");
        reckons("(2+3)*4", "20");
        reckons("10-4-3", "3");
        reckons("100/7/2", "7");
        reckons("2**3**2", "512");
        reckons("-2**2", "-4");
        reckons("- -2", "2");
        reckons("2*-3", "-6");
        reckons("-7/2", "-3");
        reckons("-7%3", "-1");
        reckons("+$2", "012");
        reckons("$2 * 1", "12");
        reckons("$1+0", "0");
        reckons("0xff", "255");
        reckons(r"'it\'s'", "it's");
        reckons(r#""$1-${2}\"\$""#, "node-012\"$");
        reckons("$1 . 'x' . $2 + 1", "1");
        reckons("'r' . $2", "r012");
        reckons("a2idx($3)", "1");
        reckons("a2idx('C')", "3");
        reckons("a2zidx('b')", "1");
        reckons("mknum('ab')", "195");
        reckons("int ( $2 / 5 )", "2");
        reckons("uc($1) . lc('X')", "NODEx");
        reckons("skip(4,'4')", "-1");
        reckons("skip(4,'1,2:2')", "1");
        reckons("skip(4,'')", "4");
        reckons("ipadd(10,0,0,1,0,1,1)", "10.0.0.1");
        reckons("ipadd(10,0,0,10,$2,1,1)", "10.0.0.22");
        reckons("ipadd(10,0,1,0,-1,0,0)", "10.0.0.255");
    }

    #[test]
    fn an_error_says_what_and_where() {
        check_error(r"|node(\d+)|(1/0)|", r"division by zero at character 14 of '|node(\d+)|(1/0)|'");
        check_error("|(5%0)|", "division by zero at character 4 of '|(5%0)|'");
        check_error("|ü(nope(1))|", "there is no function 'nope' at character 4 of '|ü(nope(1))|'");
        check_error("|(9223372036854775807+1)|", "number out of range at character 22 of '|(9223372036854775807+1)|'");
        check_error("|(9223372036854775808)|", "number out of range at character 3 of '|(9223372036854775808)|'");
        check_error("|(2**-1)|", "number out of range at character 4 of '|(2**-1)|'");
        check_error("|a)b|", "expected '(' before this ')' at character 3 of '|a)b|'");
        check_error("|a(|b|", "expected a number, a text, $1 or a function at character 4 of '|a(|b|'");
        check_error("||x|", "the pattern is empty at character 2 of '||x|'");
        check_error("|*|x|", "bad pattern: repetition operator missing expression at character 2 of '|*|x|'");
        check_error("/no(de/x/", "bad pattern: unclosed group at character 2 of '/no(de/x/'");
        check_error("|n|($1)|", "$1 is not there, the pattern captures 0 at character 5 of '|n|($1)|'");
        check_error("|($0)|", "expected a number from 1 after this '$' at character 3 of '|($0)|'");
        check_error(r#"|("$")|"#, r#"expected a number from 1 after this '$' at character 4 of '|("$")|'"#);
        check_error("|('a)|", "expected an end of this text at character 3 of '|('a)|'");
        check_error("|(1 2)|", "expected an operator or ')' at character 5 of '|(1 2)|'");
        check_error("|((1)|", "expected an operator or ')' at character 6 of '|((1)|'");
        check_error("|(1.5)|", "expected a whole number at character 3 of '|(1.5)|'");
        check_error("|(12ab)|", "expected a whole number at character 3 of '|(12ab)|'");
        check_error("|(sprintf)|", "expected '(' after the name of a function at character 10 of '|(sprintf)|'");
        check_error("|(int(1,2))|", "int takes a number at character 3 of '|(int(1,2))|'");
        check_error("|(a2idx(7))|", "a2idx takes a letter at character 3 of '|(a2idx(7))|'");
        check_error("|(sprintf('%f',1))|", "bad sprintf format '%f' at character 3 of '|(sprintf('%f',1))|'");
        let octal = "a number with a leading zero would be octal in Perl: write it without";
        check_error("|(010)|", &format!("{octal} at character 3 of '|(010)|'"));
    }

    #[test]
    fn an_error_is_found_before_a_name_matches() {
        assert!(evaluate(r"|node(\d+)|(nope(1))|", "other").is_err());
    }

    #[test]
    fn hostile_cells_are_refused_in_time() {
        let problem = |cell: String| evaluate(&cell, "node12").unwrap_err().problem;
        let nested = |count: usize, open: &str| problem(format!("|(1+{})|", open.repeat(count)));
        for open in ["(", "-", "2**", "int(", "1+(", "1-(2*"] {
            assert_eq!(nested(600, open), Problem::TooComplex, "{open}");
        }
        assert_eq!(problem(format!("|(1{})|", "+1".repeat(1000))), Problem::TooComplex);
        assert_eq!(problem(format!("|{}|", "a".repeat(10_000_000))), Problem::TooLong);
        assert_eq!(problem(format!("/^{}/x/", "a".repeat(10_000_000))), Problem::TooLong);
        assert!(matches!(problem("|(sprintf('%999999999d',1))|".to_owned()), Problem::Format(_)));
        assert!(matches!(problem(r"|(\d{1000}){1000}|x|".to_owned()), Problem::Pattern(_)));
        check("no\0de", "|(.*)|($1)|", "no\0de");
        check("node12", "|a\0b|", "a\0b");
    }

    #[test]
    fn the_cache_is_bounded() {
        let mut evaluator = Evaluator::default();
        for number in 0..3 * MAX_CACHED {
            let cell = format!("|({number}+$1)|");
            assert_eq!(evaluator.evaluate(&cell, "n1").unwrap().unwrap(), (number + 1).to_string());
        }
        assert!(evaluator.compiled.len() <= MAX_CACHED);
    }

    /// A calculation as the model sees it; `write` sets only the parentheses that Perl's precedence needs.
    #[derive(Debug, Clone)]
    enum Model {
        Number(i64),
        Negate(Box<Self>),
        Operation(char, Box<Self>, Box<Self>),
    }

    impl Model {
        fn value(&self) -> Option<i64> {
            match self {
                Self::Number(number) => Some(*number),
                Self::Negate(operand) => operand.value()?.checked_neg(),
                Self::Operation(operator, left, right) => {
                    let (left, right) = (left.value()?, right.value()?);
                    match operator {
                        '+' => left.checked_add(right),
                        '-' => left.checked_sub(right),
                        '*' => left.checked_mul(right),
                        '/' => left.checked_div(right),
                        '%' => left.checked_rem(right),
                        _ => left.checked_pow(u32::try_from(right).ok()?),
                    }
                }
            }
        }

        fn precedence(&self) -> u8 {
            match self {
                Self::Operation('+' | '-', ..) => 1,
                Self::Operation('*' | '/' | '%', ..) => 2,
                Self::Negate(_) => 3,
                Self::Operation(..) => 4,
                Self::Number(_) => 5,
            }
        }

        fn write(&self, at_least: u8) -> String {
            let text = match self {
                Self::Number(number) => number.to_string(),
                Self::Negate(operand) => format!("-{}", operand.write(3)),
                Self::Operation('^', base, exponent) => format!("{}**{}", base.write(5), exponent.write(3)),
                Self::Operation(operator, left, right) => {
                    let own = self.precedence();
                    format!("{}{operator}{}", left.write(own), right.write(own + 1))
                }
            };
            if self.precedence() < at_least { format!("({text})") } else { text }
        }
    }

    fn model() -> impl Strategy<Value = Model> {
        let number = prop_oneof![0_i64..20, 0..=i64::MAX].prop_map(Model::Number);
        number.prop_recursive(5, 40, 2, |inner| {
            let operator = prop::sample::select(vec!['+', '-', '*', '/', '%', '^']);
            prop_oneof![
                1 => inner.clone().prop_map(|operand| Model::Negate(Box::new(operand))),
                5 => (operator, inner.clone(), inner)
                    .prop_map(|(operator, left, right)| Model::Operation(operator, Box::new(left), Box::new(right))),
            ]
        })
    }

    proptest! {
        #[test]
        fn arithmetic_agrees_with_a_model(model in model()) {
            let cell = format!("|({})|", model.write(0));
            let value = evaluate(&cell, "n1").ok().flatten().map(Cow::into_owned);
            prop_assert_eq!(value, model.value().map(|number| number.to_string()), "{}", cell);
        }

        #[test]
        fn nothing_panics(cell in r#"[|/][\PC]{0,20}[|/]?[-+*/%.$0-9()'"a-f|]{0,30}[|/]"#, node in r"\PC{0,12}") {
            let _: Result<_, _> = evaluate(&cell, &node);
        }

        #[test]
        fn no_format_panics(format in r"(%[-+ 0#]{0,3}[0-9]{0,4}(\.[0-9]{0,4})?[a-zA-Z%]?){1,4}", node in "[a-z0-9]{1,9}") {
            let cell = format!("|(.*)|(sprintf('{format}',$1,-1,$1,7))|");
            let _: Result<_, _> = evaluate(&cell, &node);
        }
    }
}
