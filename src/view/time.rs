//! Points in time as people read them: when, and how far away.

use serde_json::Value;
use std::time::{Duration, SystemTime};
use time::{Date, Month, OffsetDateTime};

/// A time stamp of the status with its distance, such as `2031-05-01T00:00:00Z (in 3 d)`.
pub(super) fn told(stamp: &Value, now: SystemTime) -> Option<String> {
    let text = stamp.as_str()?;
    Some(match parse(text) {
        Some(at) => format!("{text} ({})", distance(at, now)),
        None => text.into(),
    })
}

fn distance(at: SystemTime, now: SystemTime) -> String {
    match now.duration_since(at) {
        Ok(ago) => format!("{} ago", rough(ago)),
        Err(ahead) => format!("in {}", rough(ahead.duration())),
    }
}

/// In the largest unit of which there are at least two, since "1 d" may be nearly two.
fn rough(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [("d", 86_400), ("h", 3_600), ("min", 60)];
    let (unit, length) = units.into_iter().find(|(_, length)| seconds >= 2 * length).unwrap_or(("s", 1));
    format!("{} {unit}", seconds / length)
}

/// What [`crate::log::timestamp`] writes: RFC 3339 in UTC, to the second.
fn parse(text: &str) -> Option<SystemTime> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?.map(u8::try_from);
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(i32::from(year), month, u8::try_from(day).ok()?).ok()?;
    let at: OffsetDateTime = date.with_hms(hour.ok()?, minute.ok()?, second.ok()?).ok()?.assume_utc();
    Some(at.into())
}

fn numbers(text: &str, separator: char) -> Option<[u16; 3]> {
    let numbers: Option<Vec<u16>> = text.split(separator).map(|number| number.parse().ok()).collect();
    numbers?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::timestamp;

    #[test]
    fn a_time_stamp_is_read_as_it_was_written() {
        for seconds in [0, 951_782_399, 951_868_800, 4_102_444_800] {
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(parse(&timestamp(at)), Some(at), "{seconds}");
        }
        for wrong in ["", "2031", "2031-02-30T00:00:00Z", "2031-01-01T24:00:00Z", "2031-01-01 00:00:00"] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn distances_are_told_in_the_unit_that_says_most() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        for (seconds, expected) in [
            (0, "0 s ago"),
            (119, "119 s ago"),
            (120, "2 min ago"),
            (7_199, "119 min ago"),
            (7_200, "2 h ago"),
            (172_799, "47 h ago"),
            (172_800, "2 d ago"),
        ] {
            assert_eq!(distance(now - Duration::from_secs(seconds), now), expected);
        }
        assert_eq!(distance(now + Duration::from_secs(90), now), "in 90 s");
    }
}
