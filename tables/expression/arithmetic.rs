//! Calculating: whole numbers of 64 bits that refuse to overflow, and texts that count as the number they begin with.

use std::borrow::Cow;

use super::functions::Function;
use super::{Fault, Problem};

/// A calculation in parentheses. Faults carry the byte of the cell where they arose.
#[derive(Debug)]
pub(super) enum Expression {
    Number(i64),
    Text(Vec<TextPart>),
    Negate(Box<Self>, usize),
    Operation { operator: Operator, left: Box<Self>, right: Box<Self>, at: usize },
    Call { function: &'static Function, arguments: Vec<Self>, at: usize },
}

/// A part of a quoted text; `$1` on its own is a text of one capture.
#[derive(Debug)]
pub(super) enum TextPart {
    Literal(String),
    /// Counted from 1.
    Capture(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Join,
    Multiply,
    Divide,
    Remainder,
    Power,
}

/// What a calculation yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Number(i64),
    Text(Cow<'a, str>),
}

impl Value<'_> {
    /// The number that the text begins with, as Perl reads it: "012" is 12, "n5" and "" are 0.
    pub(super) fn number(&self) -> Result<i64, Problem> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Text(text) => leading_number(text),
        }
    }

    pub(super) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Text(text) => Cow::Borrowed(text),
        }
    }
}

fn leading_number(text: &str) -> Result<i64, Problem> {
    let text = text.trim_start();
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return Ok(0);
    }
    let sign = text.len() - unsigned.len();
    text[..sign + digits].parse().map_err(|_| Problem::Overflow)
}

pub(super) fn evaluate<'a>(expression: &'a Expression, captured: &[&'a str]) -> Result<Value<'a>, Fault> {
    match expression {
        Expression::Number(number) => Ok(Value::Number(*number)),
        Expression::Text(parts) => Ok(Value::Text(text(parts, captured))),
        Expression::Negate(operand, at) => {
            let number = evaluate(operand, captured)?.number();
            let negated = number.and_then(|number| number.checked_neg().ok_or(Problem::Overflow));
            negated.map(Value::Number).map_err(|problem| Fault { at: *at, problem })
        }
        Expression::Operation { operator, left, right, at } => {
            let (left, right) = (evaluate(left, captured)?, evaluate(right, captured)?);
            operate(*operator, &left, &right).map_err(|problem| Fault { at: *at, problem })
        }
        Expression::Call { function, arguments, at } => {
            let arguments: Vec<Value<'_>> =
                arguments.iter().map(|argument| evaluate(argument, captured)).collect::<Result<_, Fault>>()?;
            (function.call)(&arguments).map_err(|problem| Fault { at: *at, problem })
        }
    }
}

fn text<'a>(parts: &'a [TextPart], captured: &[&'a str]) -> Cow<'a, str> {
    let part = |part: &'a TextPart| match part {
        TextPart::Literal(literal) => literal.as_str(),
        // A number that the name lacks counts as nothing, so `|10.0.0.($1+0)|` has a value for every name.
        TextPart::Capture(group) => captured.get(group - 1).copied().unwrap_or(""),
    };
    match parts {
        [only] => Cow::Borrowed(part(only)),
        several => Cow::Owned(several.iter().map(part).collect()),
    }
}

fn operate<'a>(operator: Operator, left: &Value<'_>, right: &Value<'_>) -> Result<Value<'a>, Problem> {
    let whole = |calculate: fn(i64, i64) -> Option<i64>| {
        let number = calculate(left.number()?, right.number()?);
        number.map(Value::Number).ok_or(Problem::Overflow)
    };
    match operator {
        Operator::Add => whole(i64::checked_add),
        Operator::Subtract => whole(i64::checked_sub),
        Operator::Join => Ok(Value::Text(Cow::Owned([left.text(), right.text()].concat()))),
        Operator::Multiply => whole(i64::checked_mul),
        Operator::Divide | Operator::Remainder if right.number()? == 0 => Err(Problem::DivisionByZero),
        Operator::Divide => whole(i64::checked_div),
        Operator::Remainder => whole(i64::checked_rem),
        Operator::Power => whole(|base, exponent| base.checked_pow(u32::try_from(exponent).ok()?)),
    }
}
