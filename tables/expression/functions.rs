//! The functions that a calculation may call.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use super::arithmetic::Value;
use super::sprintf::sprintf;
use super::{Problem, arithmetic};

/// A function and how it is called.
pub(super) struct Function {
    pub(super) name: &'static str,
    /// How many arguments.
    pub(super) accepts: RangeInclusive<usize>,
    /// The arguments in words.
    pub(super) takes: &'static str,
    pub(super) call: for<'a> fn(&[Value<'a>]) -> Result<Value<'static>, Problem>,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

const MANY: usize = usize::MAX;

const A2IDX: Function = Function { name: "a2idx", accepts: 1..=1, takes: "a letter", call: a2idx };
const A2ZIDX: Function = Function { name: "a2zidx", accepts: 1..=1, takes: "a letter", call: a2zidx };
const DIM2IDX: Function = Function {
    name: "dim2idx",
    accepts: 1..=MANY,
    takes: "a position, then the size and the position of each further dimension",
    call: dim2idx,
};
const INT: Function = Function { name: "int", accepts: 1..=1, takes: "a number", call: int };
const IPADD: Function = Function {
    name: "ipadd",
    accepts: 7..=7,
    takes: "four octets, what to add, and how many addresses to skip at the start and at the end of each 256",
    call: ipadd,
};
const LC: Function = Function { name: "lc", accepts: 1..=1, takes: "a text", call: lc };
const MKNUM: Function = Function { name: "mknum", accepts: 1..=1, takes: "a text", call: mknum };
const SKIP: Function =
    Function { name: "skip", accepts: 2..=2, takes: "a number and a list 'start[:count],…'", call: skip };
const SPRINTF: Function = Function {
    name: "sprintf",
    accepts: 1..=MANY,
    takes: "a format and an argument for each '%' in it",
    call: call_sprintf,
};
const UC: Function = Function { name: "uc", accepts: 1..=1, takes: "a text", call: uc };

static ALL: &[&Function] = &[&A2IDX, &A2ZIDX, &DIM2IDX, &INT, &IPADD, &LC, &MKNUM, &SKIP, &SPRINTF, &UC];

pub(super) fn find(name: &str) -> Option<&'static Function> {
    ALL.iter().find(|function| function.name == name).copied()
}

impl Function {
    pub(super) fn misused(&self) -> Problem {
        Problem::Arguments { function: self.name, takes: self.takes }
    }
}

/// a is 1, b is 2, in either case.
fn a2idx(arguments: &[Value<'_>]) -> Result<Value<'static>, Problem> {
    letter(&arguments[0], &A2IDX).map(|index| Value::Number(index + 1))
}

/// a is 0, b is 1, in either case.
fn a2zidx(arguments: &[Value<'_>]) -> Result<Value<'static>, Problem> {
    letter(&arguments[0], &A2ZIDX).map(Value::Number)
}

fn letter(argument: &Value<'_>, function: &Function) -> Result<i64, Problem> {
    match argument.text().bytes().next() {
        Some(letter) if letter.is_ascii_alphabetic() => Ok(i64::from(letter.to_ascii_lowercase() - b'a')),
        _ => Err(function.misused()),
    }
}

/// The running number of a place in a grid, all counted from 1: `(row, columns, column)` and so on inwards.
fn dim2idx(arguments: &[Value<'_>]) -> Result<Value<'static>, Problem> {
    let numbers: Vec<i64> = arguments.iter().map(Value::number).collect::<Result<_, _>>()?;
    let (first, inner) = numbers.split_first().ok_or_else(|| DIM2IDX.misused())?;
    let (pairs, []) = inner.as_chunks::<2>() else { return Err(DIM2IDX.misused()) };
    let index = pairs
        .iter()
        .try_fold(*first, |index, [size, position]| index.checked_sub(1)?.checked_mul(*size)?.checked_add(*position));
    index.map(Value::Number).ok_or(Problem::Overflow)
}

/// Numbers are whole already: for cells that were written with `int(…)` to be sure.
fn int(arguments: &[Value<'_>]) -> Result<Value<'static>, Problem> {
    arguments[0].number().map(Value::Number)
}

/// An address so many further on, over /24 boundaries, not using the skipped ends of each 256.
fn ipadd(arguments: &[Value<'_>]) -> Result<Value<'static>, Problem> {
    let numbers: Vec<i64> = arguments.iter().map(Value::number).collect::<Result<_, _>>()?;
    let [o1, o2, o3, o4, add, skip_start, skip_end] = numbers[..] else { return Err(IPADD.misused()) };
    let octets = 0..256;
    let usable = 256_i64.saturating_sub(skip_start).saturating_sub(skip_end);
    if ![o1, o2, o3, o4, skip_start, skip_end].iter().all(|number| octets.contains(number)) || usable < 1 {
        return Err(IPADD.misused());
    }
    // Count in usable addresses only; an address inside the skipped start counts as the first usable one.
    let offset = (o4 - skip_start).max(0).checked_add(add).ok_or(Problem::Overflow)?;
    let net = (o1 << 16 | o2 << 8 | o3).checked_add(offset.div_euclid(usable)).ok_or(Problem::Overflow)?;
    if !(0..1 << 24).contains(&net) {
        return Err(Problem::Overflow);
    }
    let last = offset.rem_euclid(usable) + skip_start;
    Ok(owned(format!("{}.{}.{}.{last}", net >> 16, net >> 8 & 255, net & 255)))
}

fn lc(arguments: &[Value<'_>]) -> Result<Value<'static>, Problem> {
    Ok(owned(arguments[0].text().to_lowercase()))
}

fn uc(arguments: &[Value<'_>]) -> Result<Value<'static>, Problem> {
    Ok(owned(arguments[0].text().to_uppercase()))
}

/// A number for a name without one, to spread nodes evenly: the sum of its bytes.
fn mknum(arguments: &[Value<'_>]) -> Result<Value<'static>, Problem> {
    Ok(Value::Number(arguments[0].text().bytes().map(i64::from).sum()))
}

/// A number counted without the skipped ones below it; -1 when it is skipped itself.
fn skip(arguments: &[Value<'_>]) -> Result<Value<'static>, Problem> {
    let number = arguments[0].number()?;
    let mut skipped_below = 0_i64;
    for item in arguments[1].text().split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let (start, count) = item.split_once(':').unwrap_or((item, "1"));
        let parse = |text: &str| text.trim().parse::<i64>().map_err(|_| SKIP.misused());
        let (start, count) = (parse(start)?, parse(count)?);
        let end = start.checked_add(count).ok_or(Problem::Overflow)?;
        if (start..end).contains(&number) {
            return Ok(Value::Number(-1));
        }
        if start < number {
            skipped_below = skipped_below.checked_add(count).ok_or(Problem::Overflow)?;
        }
    }
    number.checked_sub(skipped_below).map(Value::Number).ok_or(Problem::Overflow)
}

fn call_sprintf(arguments: &[Value<'_>]) -> Result<Value<'static>, Problem> {
    let (format, arguments) = arguments.split_first().ok_or_else(|| SPRINTF.misused())?;
    sprintf(&format.text(), arguments)?.map(owned).ok_or_else(|| SPRINTF.misused())
}

fn owned(text: String) -> arithmetic::Value<'static> {
    Value::Text(Cow::Owned(text))
}
