//! The numbers to reach, and how they came out. Nothing fails for a missed one: a machine may be busy.

use crate::report::{figure, table};
use std::io;

/// One number to reach.
#[derive(Debug)]
pub(crate) struct Goal {
    what: String,
    /// `None` where it could not be measured.
    measured: Option<f64>,
    /// None for counts.
    unit: &'static str,
    limit: f64,
}

impl Goal {
    /// Met by at most `limit`.
    pub(crate) fn at_most(
        limit: f64,
        unit: &'static str,
        what: impl Into<String>,
        measured: Option<f64>,
    ) -> Self {
        Self { what: what.into(), measured, unit, limit }
    }

    fn row(&self) -> Vec<String> {
        let with_unit = |value: f64| match self.unit {
            "" => format!("{value:.0}"),
            unit => format!("{} {unit}", figure(value)),
        };
        let verdict = match self.measured {
            None => "not measured",
            Some(measured) if measured <= self.limit => "met",
            Some(_) => "missed",
        };
        vec![
            self.what.clone(),
            format!("≤ {}", with_unit(self.limit)),
            self.measured.map_or_else(|| "-".into(), with_unit),
            verdict.into(),
        ]
    }
}

/// The table of all.
pub(crate) fn report(goals: &[Goal]) -> io::Result<()> {
    let rows: Vec<Vec<String>> = goals.iter().map(Goal::row).collect();
    table("Numbers to reach (medians unless it says otherwise):", &["what", "goal", "measured", ""], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_up_to_its_limit() {
        let row = |measured| Goal::at_most(2.0, "× floor", "a restart", measured).row().join("; ");
        assert_eq!(row(Some(2.0)), "a restart; ≤ 2.00 × floor; 2.00 × floor; met");
        assert_eq!(row(Some(2.1)), "a restart; ≤ 2.00 × floor; 2.10 × floor; missed");
        assert_eq!(row(None), "a restart; ≤ 2.00 × floor; -; not measured");
        assert_eq!(Goal::at_most(0.0, "", "missed", Some(1.0)).row().join("; "), "missed; ≤ 0; 1; missed");
    }
}
