//! From the text of a calculation to its tree, by Perl's precedence.
//!
//! ```text
//! sum      := product (("+" | "-" | ".") product)*
//! product  := signed (("*" | "/" | "%") signed)*
//! signed   := ("-" | "+") signed | power
//! power    := operand ["**" signed]                    so -2**2 is -4 and 2**3**2 is 2**9
//! operand  := number | "$" digits | "'" … "'" | '"' … '"' | name "(" [sum ("," sum)*] ")" | "(" sum ")"
//! ```

use super::arithmetic::{Expression, Operator, TextPart};
use super::functions;
use super::{Fault, Problem};

/// How deep parentheses, signs and powers may nest: each level takes a few stack frames.
const MAX_DEPTH: usize = 64;
/// How many operators and operands there may be: a chain of them is as deep as it is long when it is calculated.
const MAX_PARTS: usize = 400;

/// Parses the calculation that starts with the `(` at `start`; also gives the place after its `)`.
/// `captured` is how many captures there are, when that is known.
pub(super) fn parse_parentheses(
    text: &str,
    start: usize,
    captured: Option<usize>,
) -> Result<(Expression, usize), Fault> {
    let mut parser = Parser { text, at: start + 1, captured, depth: 0, parts: 0 };
    let expression = parser.sum()?;
    parser.expect(b')', "an operator or ')'")?;
    Ok((expression, parser.at))
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    captured: Option<usize>,
    depth: usize,
    parts: usize,
}

impl<'a> Parser<'a> {
    fn sum(&mut self) -> Result<Expression, Fault> {
        let mut left = self.product()?;
        loop {
            let operator = match self.peek() {
                Some(b'+') => Operator::Add,
                Some(b'-') => Operator::Subtract,
                Some(b'.') => Operator::Join,
                _ => return Ok(left),
            };
            let at = self.advance(1);
            let right = self.product()?;
            left = self.operation(operator, left, right, at)?;
        }
    }

    fn product(&mut self) -> Result<Expression, Fault> {
        let mut left = self.signed()?;
        loop {
            let operator = match self.peek() {
                Some(b'*') => Operator::Multiply,
                Some(b'/') => Operator::Divide,
                Some(b'%') => Operator::Remainder,
                _ => return Ok(left),
            };
            let at = self.advance(1);
            let right = self.signed()?;
            left = self.operation(operator, left, right, at)?;
        }
    }

    /// Every way to nest leads through here, so that here the depth is bounded.
    fn signed(&mut self) -> Result<Expression, Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.fault(Problem::TooComplex));
        }
        let expression = match self.peek() {
            Some(b'-') => {
                let at = self.advance(1);
                Expression::Negate(Box::new(self.signed()?), at)
            }
            Some(b'+') => {
                self.advance(1);
                self.signed()?
            }
            _ => self.power()?,
        };
        self.depth -= 1;
        Ok(expression)
    }

    fn power(&mut self) -> Result<Expression, Fault> {
        let base = self.operand()?;
        if self.peek() != Some(b'*') || !self.text[self.at..].starts_with("**") {
            return Ok(base);
        }
        let at = self.advance(2);
        let exponent = self.signed()?;
        self.operation(Operator::Power, base, exponent, at)
    }

    fn operand(&mut self) -> Result<Expression, Fault> {
        self.count()?;
        match self.peek() {
            Some(b'0'..=b'9') => self.number(),
            Some(b'$') => Ok(Expression::Text(vec![self.capture()?])),
            Some(b'\'') => self.single_quoted(),
            Some(b'"') => self.double_quoted(),
            Some(b'a'..=b'z' | b'A'..=b'Z' | b'_') => self.call(),
            Some(b'(') => {
                self.advance(1);
                let inner = self.sum()?;
                self.expect(b')', "an operator or ')'")?;
                Ok(inner)
            }
            _ => Err(self.fault(Problem::Expected("a number, a text, $1 or a function"))),
        }
    }

    fn number(&mut self) -> Result<Expression, Fault> {
        let start = self.at;
        let word = self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let next = self.text.as_bytes().get(start + word.len()..).unwrap_or_default();
        let is_fraction = matches!(next, [b'.', b'0'..=b'9', ..]);
        let (digits, radix) = match word.strip_prefix("0x") {
            Some(digits) => (digits, 16),
            None => (word, 10),
        };
        let problem = if is_fraction || digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
            Problem::Expected("a whole number")
        } else if radix == 10 && digits.len() > 1 && digits.starts_with('0') {
            Problem::Octal
        } else {
            match i64::from_str_radix(digits, radix) {
                Ok(number) => return Ok(Expression::Number(number)),
                Err(_) => Problem::Overflow,
            }
        };
        Err(Fault { at: start, problem })
    }

    /// `$1` or `${1}`.
    fn capture(&mut self) -> Result<TextPart, Fault> {
        let start = self.advance(1);
        let braced = self.text[self.at..].starts_with('{');
        if braced {
            self.advance(1);
        }
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        let group = digits.parse().ok().filter(|group| *group > 0);
        let group = group.ok_or(Fault { at: start, problem: Problem::Expected("a number from 1 after this '$'") })?;
        if braced {
            self.expect(b'}', "'}'")?;
        }
        match self.captured {
            Some(captured) if group > captured => {
                Err(Fault { at: start, problem: Problem::NoSuchCapture { group, captured } })
            }
            _ => Ok(TextPart::Capture(group)),
        }
    }

    /// Only `\'` and `\\` are escapes.
    fn single_quoted(&mut self) -> Result<Expression, Fault> {
        let start = self.advance(1);
        let mut text = String::new();
        loop {
            match self.next_char(start)? {
                '\'' => return Ok(Expression::Text(vec![TextPart::Literal(text)])),
                '\\' if self.text[self.at..].starts_with(['\'', '\\']) => text.push(self.next_char(start)?),
                other => text.push(other),
            }
        }
    }

    /// `\` makes the next character plain, `\t` is a tab, and `$1` stands for its capture.
    fn double_quoted(&mut self) -> Result<Expression, Fault> {
        let start = self.advance(1);
        let mut parts = Vec::new();
        let mut text = String::new();
        loop {
            if self.text[self.at..].starts_with('$') {
                self.count()?;
                parts.push(TextPart::Literal(std::mem::take(&mut text)));
                parts.push(self.capture()?);
                continue;
            }
            match self.next_char(start)? {
                '"' => break,
                '\\' => text.push(match self.next_char(start)? {
                    't' => '\t',
                    plain => plain,
                }),
                other => text.push(other),
            }
        }
        parts.push(TextPart::Literal(text));
        Ok(Expression::Text(parts))
    }

    fn call(&mut self) -> Result<Expression, Fault> {
        let at = self.at;
        let name = self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let function = functions::find(name);
        let function = function.ok_or_else(|| Fault { at, problem: Problem::UnknownFunction(name.to_owned()) })?;
        self.expect(b'(', "'(' after the name of a function")?;
        let mut arguments = Vec::new();
        if self.peek() != Some(b')') {
            arguments.push(self.sum()?);
            while self.peek() == Some(b',') {
                self.advance(1);
                arguments.push(self.sum()?);
            }
        }
        self.expect(b')', "an operator, ',' or ')'")?;
        if !function.accepts.contains(&arguments.len()) {
            return Err(Fault { at, problem: function.misused() });
        }
        Ok(Expression::Call { function, arguments, at })
    }

    fn operation(
        &mut self,
        operator: Operator,
        left: Expression,
        right: Expression,
        at: usize,
    ) -> Result<Expression, Fault> {
        self.count()?;
        Ok(Expression::Operation { operator, left: Box::new(left), right: Box::new(right), at })
    }

    fn count(&mut self) -> Result<(), Fault> {
        self.parts += 1;
        if self.parts > MAX_PARTS { Err(self.fault(Problem::TooComplex)) } else { Ok(()) }
    }

    /// The next byte that is no blank.
    fn peek(&mut self) -> Option<u8> {
        self.take_while(|byte| byte.is_ascii_whitespace());
        self.text.as_bytes().get(self.at).copied()
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Fault> {
        if self.peek() != Some(byte) {
            return Err(self.fault(Problem::Expected(what)));
        }
        self.advance(1);
        Ok(())
    }

    /// Steps over ASCII characters and gives the place of the first.
    fn advance(&mut self, bytes: usize) -> usize {
        let at = self.at;
        self.at += bytes;
        at
    }

    fn take_while(&mut self, accept: fn(u8) -> bool) -> &'a str {
        let start = self.at;
        self.at += self.text.as_bytes()[start..].iter().take_while(|byte| accept(**byte)).count();
        &self.text[start..self.at]
    }

    /// The next character of a text that was opened at `start`.
    fn next_char(&mut self, start: usize) -> Result<char, Fault> {
        let next = self.text[self.at..].chars().next();
        let next = next.ok_or(Fault { at: start, problem: Problem::Expected("an end of this text") })?;
        self.at += next.len_utf8();
        Ok(next)
    }

    fn fault(&self, problem: Problem) -> Fault {
        Fault { at: self.at, problem }
    }
}
