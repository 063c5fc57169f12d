//! Points in time as the engine writes them and as it wants to be asked for them.

/// `2026-11-21T05:21:32.123456789Z` as `1795238492.123456789`; None before 1970, which is how the engine says "never".
pub(super) fn unix_seconds(text: &str) -> Option<String> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    if year < 1970 || !(1..=12).contains(&month) || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(format!("{seconds}.{fraction}"))
}

fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let numbers: Option<Vec<i64>> = text.split(separator).map(|part| part.parse().ok()).collect();
    numbers?.try_into().ok()
}

/// Days since 1970-01-01. Years begin with March here, so that the leap day is the last one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let leap_days = year / 4 - year / 100 + year / 400;
    let in_year = (153 * month + 2) / 5 + day - 1;
    // 719468 days lie between the first of March of year 0 and 1970.
    year * 365 + leap_days + in_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let check = |text: &str, expected: Option<&str>| assert_eq!(unix_seconds(text).as_deref(), expected, "{text}");
        // `date -u -d … +%s` agrees.
        check("1970-01-01T00:00:00Z", Some("0.0"));
        check("2026-11-21T05:21:32.123456789Z", Some("1795238492.123456789"));
        check("2000-02-29T23:59:59.5Z", Some("951868799.5"));
        check("2024-12-31T00:00:00Z", Some("1735603200.0"));
        check("2100-03-01T00:00:00Z", Some("4107542400.0"));
        check("0001-01-01T00:00:00Z", None);
        check("2026-13-01T00:00:00Z", None);
        check("2026-11-21T05:21:32+01:00", None);
        check("2026-11-21T05:21:32.x&y=Z", None);
        check("", None);
    }
}
