//! Log lines on standard error: one line an event, text or JSON.
//!
//! A small subscriber of our own instead of `tracing-subscriber`: it writes this crate's events only.
//! Whatever the SDK and the HTTP stack log never gets near the output, and a value that is not a string,
//! number or boolean literal is written only if its type chose to be displayable, which secrets are not.

use crate::config::{Log, LogFormat};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::{
    cell::RefCell,
    fmt::{self, Write as _},
    io::Write as _,
    marker::PhantomData,
    os::fd::AsFd,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant, SystemTime},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

/// Starts logging. Later calls change nothing.
pub fn init(settings: Log) {
    let _ = tracing::subscriber::set_global_default(Writer(settings));
}

/// Lines that were dropped since the last one that was written.
static DROPPED: AtomicUsize = AtomicUsize::new(0);

/// A pipe that polls as writable takes this much without blocking. pipe(7).
const ATOMIC: usize = libc::PIPE_BUF;

/// How long the last words wait for a reader who may only be slow.
const PATIENCE: Duration = Duration::from_secs(2);

/// Writes one line, or drops it: a reader that has stopped reading must not stop a process that forwards
/// signals.
pub fn line(line: &str) {
    write(line, Duration::ZERO);
}

/// Writes the lines that say why the process ends. They are worth waiting for a reader, but not for long: whoever
/// awaits the end of the process awaits this too.
pub fn last_words(lines: &str) {
    let until = Instant::now() + PATIENCE;
    for line in lines.split_inclusive('\n') {
        write(line, until.saturating_duration_since(Instant::now()));
    }
}

/// One write a line, so that lines of several writers do not mix.
fn write(line: &str, patience: Duration) {
    let stderr = std::io::stderr();
    let is_writable = |patience: Duration| {
        let mut fds = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
        poll(&mut fds, PollTimeout::try_from(patience).unwrap_or(PollTimeout::ZERO))
            .is_ok_and(|ready| ready > 0)
    };
    if !is_writable(patience) {
        DROPPED.fetch_add(1, Ordering::Relaxed);
        return;
    }
    let cut = line.len().min(ATOMIC - 1);
    let mut bytes = line.as_bytes()[..cut].to_vec();
    if cut < line.len() {
        bytes.push(b'\n');
    }
    // Nobody is left to tell of a failure.
    let _ = (&stderr).write_all(&bytes);
    let dropped = DROPPED.swap(0, Ordering::Relaxed);
    if dropped > 0 && is_writable(Duration::ZERO) {
        let _ =
            writeln!(&stderr, "akv-agent: {dropped} lines before this one were dropped; nobody was reading");
    }
}

thread_local! {
    /// The lines of this thread that are held back, while they are.
    static HELD: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Holds the lines of this thread back until what this gives is dropped, so that nobody who is to be signalled or
/// started waits for the log, or for whoever reads it to give back the processor.
pub fn hold() -> Held {
    HELD.set(Some(Vec::new()));
    Held(PhantomData)
}

/// See [`hold`]. It belongs to the thread that made it.
#[derive(Debug)]
pub struct Held(PhantomData<*const ()>);

impl Drop for Held {
    fn drop(&mut self) {
        HELD.take().iter().flatten().for_each(|line| self::line(line));
    }
}

struct Writer(Log);

impl Subscriber for Writer {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target().starts_with("akv_agent") && *metadata.level() <= self.0.level
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(self.0.level.into())
    }

    fn event(&self, event: &Event<'_>) {
        let now = timestamp(SystemTime::now());
        let line = match self.0.format {
            LogFormat::Text => text(event, &now),
            LogFormat::Json => json(event, &now),
        };
        HELD.with_borrow_mut(|held| match held {
            Some(lines) => lines.push(line),
            None => self::line(&line),
        });
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// RFC 3339 in UTC, to the second.
pub fn timestamp(at: SystemTime) -> String {
    let at = OffsetDateTime::from(at);
    at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).unwrap_or_default()
}

fn text(event: &Event<'_>, now: &str) -> String {
    let mut fields = Text::default();
    event.record(&mut fields);
    let level = level(event);
    format!("{now} {level:<5} akv-agent: {}{}\n", fields.message, fields.rest)
}

#[derive(Default)]
struct Text {
    message: String,
    rest: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let value = format!("{value:?}").replace(['\n', '\r'], " ");
        if field.name() == "message" {
            self.message = value;
        } else {
            let quote = if value.contains([' ', '=', '"']) && !value.starts_with('"') { "\"" } else { "" };
            let value = if quote.is_empty() { value } else { value.replace('"', "'") };
            let _ = write!(self.rest, " {}={quote}{value}{quote}", field.name());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

fn json(event: &Event<'_>, now: &str) -> String {
    let mut fields = Json(serde_json::Map::new());
    fields.0.insert("time".into(), now.into());
    fields.0.insert("level".into(), level(event).to_ascii_lowercase().into());
    event.record(&mut fields);
    let mut line = serde_json::Value::Object(fields.0).to_string();
    line.push('\n');
    line
}

struct Json(serde_json::Map<String, serde_json::Value>);

impl Visit for Json {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().into(), format!("{value:?}").into());
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().into(), value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().into(), value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().into(), value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().into(), value.into());
    }
}

fn level(event: &Event<'_>) -> &'static str {
    match *event.metadata().level() {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN",
        Level::INFO => "INFO",
        Level::DEBUG => "DEBUG",
        Level::TRACE => "TRACE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_held_back_in_their_order_until_the_holder_lets_go() {
        let held = || HELD.with_borrow(Clone::clone);
        let settings = Log { level: Level::INFO, format: LogFormat::Text };
        tracing::subscriber::with_default(Writer(settings), || {
            let holder = hold();
            tracing::info!("one");
            tracing::warn!(count = 2, "two");
            let lines = held().unwrap();
            assert!(
                lines[0].ends_with("akv-agent: one\n") && lines[1].ends_with("two count=2\n"),
                "{lines:?}"
            );
            drop(holder);
        });
        assert_eq!(held(), None);
    }
}
