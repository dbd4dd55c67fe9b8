//! What the measured programs run or signal: records deliveries, and makes orphans.

mod guard;
mod orphans;
mod receiver;

use std::{
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

const USAGE: &str = "\
usage: bench-payload receiver FIFO SOURCE    record the start and every signal, with the generation in SOURCE:
                                             file:PATH, env:NAME or none; TERM and INT end it
       bench-payload orphans OUT N STORM     measure how fast N orphans are reaped, then STORM by hundreds
       bench-payload guard CMD...            become CMD, which the kernel ends when the parent has ended
";

fn main() -> ExitCode {
    // Before anything else: for a process that has been started, this is the delivery.
    let started = akv_bench::event::now();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["receiver", fifo, source] => receiver::receive(started, Path::new(fifo), source),
        ["orphans", out, singles, storm] => orphans::measure(Path::new(out), singles, storm),
        ["guard", program @ ..] if !program.is_empty() => guard::guard(program),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, USAGE)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "bench-payload: {error}");
            ExitCode::FAILURE
        }
    }
}
