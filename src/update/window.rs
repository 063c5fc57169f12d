//! The hours in which nodes may be touched: `02:00-04:00` of the local time, also over midnight.

use std::str::FromStr;
use std::time::Duration;

use jiff::{ToSpan, Zoned, civil};

/// From the first moment to just before the second, every day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    opens: civil::Time,
    closes: civil::Time,
}

impl FromStr for Window {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is not of the form 02:00-04:00");
        let time = |text: &str| {
            let read = |format| civil::Time::strptime(format, text.trim()).ok();
            read("%H:%M").or_else(|| read("%H:%M:%S")).ok_or_else(wrong)
        };
        let (opens, closes) = text.split_once('-').ok_or_else(wrong)?;
        let (opens, closes) = (time(opens)?, time(closes)?);
        if opens == closes {
            return Err(format!("'{text}' has no length"));
        }
        Ok(Self { opens, closes })
    }
}

impl Window {
    fn is_open(self, time: civil::Time) -> bool {
        if self.opens < self.closes {
            self.opens <= time && time < self.closes
        } else {
            self.opens <= time || time < self.closes
        }
    }

    /// How long it is until the window opens; None while it is open.
    pub(crate) fn opens_after(self, now: &Zoned) -> Option<Duration> {
        if self.is_open(now.time()) {
            return None;
        }
        let next = [0, 1].into_iter().filter_map(|days| {
            // An hour that a change of the clocks leaves out begins when that hour is over.
            let day = now.date().checked_add(days.days()).ok()?;
            day.to_datetime(self.opens).to_zoned(now.time_zone().clone()).ok()
        });
        let next = next.filter(|next| next > now).min().unwrap_or_else(|| now.clone());
        Some(now.duration_until(&next).unsigned_abs())
    }
}

impl std::fmt::Display for Window {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown =
            |time: civil::Time| time.strftime(if time.second() == 0 { "%H:%M" } else { "%H:%M:%S" }).to_string();
        write!(to, "{}-{}", shown(self.opens), shown(self.closes))
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    use super::*;

    fn window(text: &str) -> Window {
        text.parse().unwrap()
    }

    fn minutes(text: &str, now: &str) -> Option<u64> {
        let now = now.parse::<jiff::Timestamp>().unwrap().to_zoned(TimeZone::UTC);
        window(text).opens_after(&now).map(|wait| wait.as_secs() / 60)
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for bad in ["", "02:00", "02:00-", "2-4", "24:00-02:00", "02:60-03:00", "02:00-02:00", "02:00-04:00-05:00"] {
            assert!(bad.parse::<Window>().is_err(), "{bad}");
        }
        assert_eq!(window(" 02:00 - 04:00:30").to_string(), "02:00-04:00:30");
    }

    #[test]
    fn it_opens_and_closes() {
        let check = |text: &str, time: &str, expected: Option<u64>| {
            assert_eq!(minutes(text, &format!("2026-11-21T{time}+00:00")), expected, "{text} at {time}");
        };
        check("02:00-04:00", "01:59:00", Some(1));
        check("02:00-04:00", "02:00:00", None);
        check("02:00-04:00", "03:59:59", None);
        check("02:00-04:00", "04:00:00", Some(22 * 60));
        check("22:00-04:00", "21:00:00", Some(60));
        check("22:00-04:00", "23:59:59", None);
        check("22:00-04:00", "00:00:00", None);
        check("22:00-04:00", "04:00:00", Some(18 * 60));
    }

    #[test]
    fn a_change_of_the_clocks_is_slept_through() {
        // As in Berlin: 02:00 to 03:00 is not there on the last Sunday of March.
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let now = civil::date(2026, 3, 29).at(0, 0, 0, 0).to_zoned(zone.clone()).unwrap();
        assert_eq!(window("02:30-04:00").opens_after(&now), Some(Duration::from_secs(150 * 60)));
        assert_eq!(window("04:00-05:00").opens_after(&now), Some(Duration::from_secs(3 * 60 * 60)));
        let later = civil::date(2026, 3, 29).at(3, 30, 0, 0).to_zoned(zone).unwrap();
        assert_eq!(window("02:30-04:00").opens_after(&later), None);
    }

    proptest! {
        #[test]
        fn after_the_wait_it_is_open(opens in 0..86_400_i64, length in 1..86_400_i64, now in 0..1_000_000_i64) {
            let time = |seconds: i64| civil::Time::midnight().wrapping_add((seconds % 86_400).seconds());
            let window = Window { opens: time(opens), closes: time(opens + length) };
            let now = jiff::Timestamp::from_second(now).unwrap().to_zoned(TimeZone::UTC);
            match window.opens_after(&now) {
                None => prop_assert!(window.is_open(now.time())),
                Some(wait) => {
                    prop_assert!(wait <= Duration::from_secs(86_400) && !window.is_open(now.time()));
                    let then = now.checked_add(jiff::SignedDuration::try_from(wait).unwrap()).unwrap();
                    prop_assert!(window.opens_after(&then).is_none());
                }
            }
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = text.parse::<Window>();
        }
    }
}
