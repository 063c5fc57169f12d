//! Perl's `sprintf` as far as whole numbers and texts go.

use super::Problem;
use super::arithmetic::Value;

/// Wider results are refused: a cell must not be able to ask for gigabytes.
const MAX_WIDTH: usize = 255;

/// One `%…` of a format.
struct Directive {
    left: bool,
    zeros: bool,
    plus: bool,
    blank: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
    conversion: char,
}

/// Formats the arguments; `None` when there are too few of them.
pub(super) fn sprintf(format: &str, arguments: &[Value<'_>]) -> Result<Option<String>, Problem> {
    let mut arguments = arguments.iter();
    let mut out = String::new();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let (directive, length) = directive(rest).ok_or_else(|| Problem::Format(format.to_owned()))?;
        rest = &rest[length..];
        let Some(argument) = arguments.next() else { return Ok(None) };
        out.push_str(&directive.format(argument)?);
    }
    out.push_str(rest);
    Ok(Some(out))
}

/// Reads `[flags][width][.precision]conversion` and tells its length.
fn directive(text: &str) -> Option<(Directive, usize)> {
    let after_flags = text.trim_start_matches(['-', '0', '+', ' ', '#']);
    let flags = &text[..text.len() - after_flags.len()];
    let (width, rest) = number(after_flags)?;
    let (precision, rest) = match rest.strip_prefix('.') {
        Some(rest) => number(rest).map(|(precision, rest)| (Some(precision), rest))?,
        None => (None, rest),
    };
    let conversion = rest.chars().next().filter(|c| "diusxXobc".contains(*c))?;
    let directive = Directive {
        left: flags.contains('-'),
        zeros: flags.contains('0'),
        plus: flags.contains('+'),
        blank: flags.contains(' '),
        alternate: flags.contains('#'),
        width,
        precision,
        conversion,
    };
    Some((directive, text.len() - rest.len() + 1))
}

/// The number at the start, 0 when there is none, nothing when it is too large.
fn number(text: &str) -> Option<(usize, &str)> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = &text[..text.len() - rest.len()];
    let number = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    (number <= MAX_WIDTH).then_some((number, rest))
}

impl Directive {
    fn format(&self, argument: &Value<'_>) -> Result<String, Problem> {
        if self.conversion == 's' {
            let text = argument.text();
            let shown: String = text.chars().take(self.precision.unwrap_or(usize::MAX)).collect();
            return Ok(self.padded("", &shown, self.zeros));
        }
        let number = argument.number()?;
        if self.conversion == 'c' {
            let character = u32::try_from(number).ok().and_then(char::from_u32).ok_or(Problem::Overflow)?;
            return Ok(self.padded("", &character.to_string(), self.zeros));
        }
        let digits = match self.conversion {
            'x' => format!("{number:x}"),
            'X' => format!("{number:X}"),
            'o' => format!("{number:o}"),
            'b' => format!("{number:b}"),
            'u' => number.cast_unsigned().to_string(),
            _ => number.unsigned_abs().to_string(),
        };
        let digits = match self.precision {
            Some(0) if number == 0 => String::new(),
            Some(precision) => format!("{digits:0>precision$}"),
            None => digits,
        };
        // As in C, a precision switches the padding with zeros off.
        Ok(self.padded(self.prefix(number, &digits), &digits, self.zeros && self.precision.is_none()))
    }

    fn prefix(&self, number: i64, digits: &str) -> &'static str {
        match self.conversion {
            'd' | 'i' if number < 0 => "-",
            'd' | 'i' if self.plus => "+",
            'd' | 'i' if self.blank => " ",
            'x' if self.alternate && number != 0 => "0x",
            'X' if self.alternate && number != 0 => "0X",
            'b' if self.alternate && number != 0 => "0b",
            'o' if self.alternate && !digits.starts_with('0') => "0",
            _ => "",
        }
    }

    /// Zeros go between the sign and the digits; aligned to the left there are none.
    fn padded(&self, prefix: &str, body: &str, zeros: bool) -> String {
        let missing = self.width.saturating_sub(prefix.len() + body.chars().count());
        match (self.left, zeros) {
            (true, _) => format!("{prefix}{body}{}", " ".repeat(missing)),
            (false, true) => format!("{prefix}{}{body}", "0".repeat(missing)),
            (false, false) => format!("{}{prefix}{body}", " ".repeat(missing)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn check(format: &str, argument: impl Into<Value<'static>>, expected: &str) {
        assert_eq!(sprintf(format, &[argument.into()]), Ok(Some(expected.to_owned())), "{format}");
    }

    impl From<i64> for Value<'static> {
        fn from(number: i64) -> Self {
            Value::Number(number)
        }
    }

    impl From<&'static str> for Value<'static> {
        fn from(text: &'static str) -> Self {
            Value::Text(Cow::Borrowed(text))
        }
    }

    /// The expected texts are what Perl prints.
    #[test]
    fn formats_as_perl_does() {
        check("%d", 42, "42");
        check("%d", "012", "12");
        check("%d", "", "0");
        check("%02d", 7, "07");
        check("%05d", -42, "-0042");
        check("%+d", 4, "+4");
        check("% d", 4, " 4");
        check("%-5d|", 3, "3    |");
        check("%.3d", 5, "005");
        check("%5.3d", 5, "  005");
        check("%05.3d", 5, "  005");
        check("%.0d", 0, "");
        check("%x", 255, "ff");
        check("%02x", 10, "0a");
        check("%X", 255, "FF");
        check("%#x", 255, "0xff");
        check("%#06x", 255, "0x00ff");
        check("%#x", 0, "0");
        check("%x", -1, "ffffffffffffffff");
        check("%u", -1, "18446744073709551615");
        check("%o", 8, "10");
        check("%#o", 8, "010");
        check("%b", 5, "101");
        check("%s", "n1", "n1");
        check("%s", 7, "7");
        check("%5s", "n1", "   n1");
        check("%-5s|", "n1", "n1   |");
        check("%05s", "12", "00012");
        check("%.1s", "äb", "ä");
        check("%c", 65, "A");
        check("100%%-%d", 1, "100%-1");
        check("no directive", 1, "no directive");
    }

    #[test]
    fn refuses_what_it_cannot_say() {
        for format in ["%f", "%", "%5", "%*d", "%256d", "%.256d", "%99999999999999999999d", "%é", "%-"] {
            assert_eq!(sprintf(format, &[1.into()]), Err(Problem::Format(format.to_owned())));
        }
        assert_eq!(sprintf("%d %d", &[1.into()]), Ok(None));
        assert_eq!(sprintf("%c", &[(-1).into()]), Err(Problem::Overflow));
    }
}
