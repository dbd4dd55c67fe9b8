//! Sources: where values are observed. A source sends wake-ups, never values; whoever wakes reads it anew.

pub mod mount;
pub mod observe;
pub mod vault;
pub mod watch;
