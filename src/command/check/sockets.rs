//! Whether the sockets could be opened that every child of `exec` is handed.

use super::Report;
use crate::{
    config::Socket,
    failure::Class,
    program::sockets::preflight::{Outlook, preflight},
};
use std::io;

/// Looks at all of them.
pub(super) fn look(sockets: &[Socket], report: &mut Report) {
    for Socket { endpoint, .. } in sockets {
        match preflight(endpoint) {
            Ok(Outlook::Free) => report.good(format_args!("exec: {endpoint} can be listened at")),
            Ok(Outlook::InUse) => report.aside(format_args!(
                "exec: {endpoint} is in use; unless that is an agent which runs already, exec would not start"
            )),
            Ok(Outlook::Exists) => report.aside(format_args!(
                "exec: {endpoint} is there already; if somebody other than an agent which runs already answers \
                 at it, exec would not start, else it would be replaced"
            )),
            Err(error) => {
                let class = match error.kind() {
                    io::ErrorKind::PermissionDenied => Class::Permission,
                    _ => Class::Unavailable,
                };
                report.bad(class, format_args!("exec: {error}"));
            }
        }
    }
}
