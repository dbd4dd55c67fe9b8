//! Medians and their like. Pure.

/// What is said about a number of measured values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) p95: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Summary {
    /// `None` of nothing.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        // The smallest value that at least 95 % of all do not exceed.
        let p95 = values[(values.len() * 95).div_ceil(100) - 1];
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self { median, p95, min, max })
    }
}

/// How many times its floor something is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ratio {
    /// The median of the ratios within each pair, which were measured right after one another.
    pub(crate) median: f64,
    /// One 95th percentile by the other. That of the pairs would pick those where the floor was lucky.
    pub(crate) p95: f64,
}

impl Ratio {
    /// Of values and floors in pairs; `None` if there is no pair of which both are there.
    pub(crate) fn of(values: &[Option<f64>], floor: &[Option<f64>]) -> Option<Self> {
        let pairs = values.iter().zip(floor).filter_map(|(value, floor)| Some((*value)? / (*floor)?));
        let all = |values: &[Option<f64>]| Summary::of(values.iter().flatten().copied());
        Some(Self { median: Summary::of(pairs)?.median, p95: all(values)?.p95 / all(floor)?.p95 })
    }
}

/// What each value is more than the floor, pair by pair.
pub(crate) fn added(values: &[Option<f64>], floor: &[Option<f64>]) -> Option<Summary> {
    Summary::of(values.iter().zip(floor).filter_map(|(value, floor)| Some((*value)? - (*floor)?)))
}

/// Nanoseconds in microseconds.
#[expect(clippy::cast_precision_loss, reason = "measured times have far less than 52 significant bits")]
pub(crate) fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1e3
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::float_cmp)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_orders_its_values() {
        assert_eq!(Summary::of([]), None);
        let one = Summary::of([3.0]).unwrap();
        assert_eq!((one.median, one.p95, one.min, one.max), (3.0, 3.0, 3.0, 3.0));
        let hundred = Summary::of((1..=100).rev().map(f64::from)).unwrap();
        assert_eq!((hundred.median, hundred.p95, hundred.min, hundred.max), (50.5, 95.0, 1.0, 100.0));
    }

    #[test]
    fn a_pair_that_misses_one_counts_for_nothing() {
        let (values, floor) = ([Some(6.0), None, Some(8.0)], [Some(2.0), Some(2.0), None]);
        assert_eq!(Ratio::of(&values, &floor), Some(Ratio { median: 3.0, p95: 4.0 }));
        assert_eq!(added(&values, &floor).unwrap().median, 4.0);
        assert_eq!(Ratio::of(&values, &[None, None, None]), None);
    }
}
