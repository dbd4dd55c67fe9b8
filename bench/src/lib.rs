//! What the programs of the benchmark share: how a delivery is recorded, and how a value tells its age.
//!
//! ```text
//!  akv-bench ──▶ volume ──▶ floor or agent ──▶ bench-payload ──▶ FIFO ──▶ akv-bench
//!  (switches)               (is measured)      (takes the time)           (compares)
//! ```
//!
//! `bench-floor` and `bench-payload` are programs of their own so that nothing of the driver's weight is in
//! the figures.

pub mod event;
pub mod generation;
pub mod report;
pub mod usage;
