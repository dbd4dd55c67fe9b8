//! One cell of the table: makes a far end fail before the start or after it, and looks at what happens.

use super::{
    site::{Site, Strangers, large},
    support::{Agent, App, Finished, Running, Workdir, process, read_env_file, secret, test_app},
    table::{Again, Cause, Course, FarEnd, Row},
};
use std::{
    fmt, thread,
    time::{Duration, Instant},
};

/// Far more than anything here takes, two requests that are not answered included.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks. Many cells look at the same time.
const GLANCE: Duration = Duration::from_millis(20);

/// The deadline of an agent that is to give up, after several tries also on a busy machine.
const GIVES_UP: &str = "6s";

/// The same where a try takes 20 seconds.
const GIVES_UP_LATE: &str = "26s";

/// When the far end fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    AtStart,
    WhileRunning,
}

impl Moment {
    pub(crate) const ALL: [Self; 2] = [Self::AtStart, Self::WhileRunning];
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AtStart => "at start",
            Self::WhileRunning => "while running",
        })
    }
}

/// Tries one cell.
pub(crate) fn run(row: Row, moment: Moment, strangers: &Strangers) {
    let work = Workdir::new();
    let site = Site::new(&work, row, strangers);
    match (moment, row.course) {
        (Moment::AtStart, Course::Served) => starts_all_the_same(row, site, &work),
        (Moment::AtStart, Course::Ends(code, _)) => ends_at_once(code, site, &work),
        (Moment::AtStart, Course::Waits(code, _)) => waits(code, row, site, &work),
        (Moment::WhileRunning, Course::Served) => goes_on(row, site, &work),
        (Moment::WhileRunning, Course::Ends(_, again) | Course::Waits(_, again)) => {
            keeps_the_last_good_set(again, row, site, &work);
        }
    }
}

fn starts_all_the_same(row: Row, mut site: Site<'_>, work: &Workdir) {
    site.inflict();
    let init = site.agent(Agent::init(work)).env_file().start();
    ended(init).expect(0);
    let value = if row.far_end == FarEnd::Vault { large() } else { secret("one") };
    assert_eq!(in_env_file(work), Some(value));
}

/// One that writes a file, and one that would start the app.
fn both<'w>(site: &Site<'_>, work: &'w Workdir, give_up: &str) -> (Running<'w>, Running<'w>) {
    let init = site.agent(Agent::init(work)).env_file().set("TIMEOUT", give_up);
    let exec = site.agent(Agent::exec(work, &[&*test_app(), "--print", "SECRET"]));
    let [init, exec] = [init, exec].map(|agent| agent.set("POLL_INTERVAL", "1s").start());
    (init, exec)
}

fn ends_at_once(code: i32, mut site: Site<'_>, work: &Workdir) {
    site.inflict();
    let (init, exec) = both(&site, work, "10m");
    for (agent, code) in [(init, code), (exec, 125)] {
        let ended = ended(agent).expect(code);
        assert_reason(&ended, &site, false);
        assert!(!ended.out.contains("ready"), "the app was started\n{}", ended.scene);
    }
    assert_eq!(in_env_file(work), None);
}

fn waits(code: i32, row: Row, mut site: Site<'_>, work: &Workdir) {
    site.inflict();
    let give_up = if row.cause.is_slow() { GIVES_UP_LATE } else { GIVES_UP };
    let (init, exec) = both(&site, work, give_up);
    let ended = ended(init).expect(code);
    assert_reason(&ended, &site, true);
    assert_eq!(in_env_file(work), None);

    // The other one has more time, and needs nothing but that the trouble passes.
    until(&exec, "the reason in the log", || warned(&exec, &site));
    assert!(exec.starts().is_empty(), "the app was started\n{}", exec.scene());
    site.set(&secret("two"));
    site.lift();
    let line = format!("env SECRET='{}'", secret("two"));
    until(&exec, "the app", || exec.out().contains(&line) && !exec.starts().is_empty());
    until(&exec, "nothing is wrong", || exec.status()["problems"] == serde_json::json!([]));
    assert_eq!(exec.starts().len(), 1, "{}", exec.scene());
    assert_tells_no_token(&exec);
    exec.stop().expect(0);
}

/// An agent that has passed `one` on to an app, and the app.
fn healthy<'w>(site: &Site<'_>, work: &'w Workdir, poll: &str) -> (Running<'w>, App) {
    let app = App::start(work, "app", &["--stop-on", "0"]);
    let agent = site
        .agent(Agent::sidecar(work))
        .env_file()
        .set("POLL_INTERVAL", poll)
        .set("ON_CHANGE", "signal:HUP")
        .set("TARGET", App::target(work, "app"))
        .start();
    until(&agent, "the first value", || in_env_file(work) == Some(secret("one")));
    until(&agent, "it is ready", || agent.status()["ready"] == true);
    (agent, app)
}

/// Makes sure that what fails is needed: with a good token nothing that gives one is.
fn need(row: Row, site: &Site<'_>, agent: &Running<'_>) {
    if row.far_end != FarEnd::Vault {
        site.vault.revoke_tokens();
    }
    agent.signal(libc::SIGHUP);
}

fn goes_on(row: Row, mut site: Site<'_>, work: &Workdir) {
    let (agent, app) = healthy(&site, work, "1h");
    let value = if row.far_end == FarEnd::Vault { large() } else { secret("two") };
    site.inflict();
    site.set(&value);
    need(row, &site, &agent);
    assert_arrives_once(&value, agent, &app, work);
}

fn keeps_the_last_good_set(again: Again, row: Row, mut site: Site<'_>, work: &Workdir) {
    // Where no poll helps, the back-off must.
    let (agent, app) = healthy(&site, work, if again == Again::Poll { "1s" } else { "1h" });
    site.inflict();
    let before = site.answered();
    need(row, &site, &agent);
    if let Cause::Throttled(wait) = row.cause {
        assert_keeps_away(wait, before, &site, &agent);
    }
    until(&agent, "the reason in the log", || warned(&agent, &site));
    until(&agent, "the reason in the status", || {
        let status = agent.status();
        let problems = status["problems"].as_array().cloned().unwrap_or_default();
        problems.iter().any(|problem| site.words().are_in(problem.as_str().unwrap_or_default()))
    });
    assert!(metric(&agent, "akv_agent_problems") > 0, "{}", agent.scene());

    // Two changes that cannot be seen yet; only the newest is to arrive.
    site.set(&secret("two"));
    site.set(&secret("three"));
    assert_tells_no_token(&agent);
    let status = agent.status();
    assert_eq!(in_env_file(work), Some(secret("one")), "{}", agent.scene());
    assert_eq!((app.signals(), &status["changes"], &status["reactions"]), (vec![], &0.into(), &0.into()));

    site.lift();
    assert_arrives_once(&secret("three"), agent, &app, work);
}

/// Without `Retry-After` the second try would come within two seconds.
fn assert_keeps_away(wait: u32, before: usize, site: &Site<'_>, agent: &Running<'_>) {
    until(agent, "the first refusal", || site.answered() > before);
    let refused = Instant::now();
    until(agent, "the second refusal", || site.answered() > before + 1);
    let least = Duration::from_millis(u64::from(wait) * 1000 - 1000);
    assert!(refused.elapsed() > least, "{:?}\n{}", refused.elapsed(), agent.scene());
}

fn assert_arrives_once(value: &str, agent: Running<'_>, app: &App, work: &Workdir) {
    until(&agent, "the newest value", || in_env_file(work).as_deref() == Some(value));
    until(&agent, "the app was told", || !app.signals().is_empty());
    // The app may know of it before the agent has noted that.
    until(&agent, "the agent has noted it", || agent.status()["reactions"] != 0);
    until(&agent, "nothing is wrong", || agent.status()["problems"] == serde_json::json!([]));
    let status = agent.status();
    assert_eq!((&status["changes"], &status["reactions"]), (&1.into(), &1.into()), "{}", agent.scene());
    assert_eq!(metric(&agent, "akv_agent_problems"), 0);
    assert_tells_no_token(&agent);
    agent.stop().expect(0);
    assert_eq!(app.signals(), [libc::SIGHUP]);
}

/// Whether the reason was logged as a warning.
fn warned(agent: &Running<'_>, site: &Site<'_>) -> bool {
    agent.err().lines().any(|line| line.contains(" WARN ") && site.words().are_in(line))
}

/// One line says why it ended, and whether it waited before.
fn assert_reason(ended: &Finished, site: &Site<'_>, waited: bool) {
    let [complaint] = ended.complaints()[..] else { panic!("one line says it all\n{}", ended.scene) };
    let words = site.words();
    assert!(words.are_in(complaint), "it does not say: {words}\n{}", ended.scene);
    assert_eq!(complaint.contains("not complete after"), waited, "{}", ended.scene);
    assert!(!ended.err.contains("eyJ"), "a token\n{}", ended.scene);
}

/// The harness looks for values; these are the credentials. Each begins with `{"` in base64.
fn assert_tells_no_token(agent: &Running<'_>) {
    let said = agent.status().to_string() + &agent.request("GET", "/metrics").body + &agent.err();
    assert!(!said.contains("eyJ"), "a token is in what the agent says\n{}", agent.scene());
}

fn metric(agent: &Running<'_>, name: &str) -> u64 {
    let body = agent.request("GET", "/metrics").body;
    let value = body.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or_else(|| panic!("no {name} in\n{body}"))
}

fn in_env_file(work: &Workdir) -> Option<String> {
    read_env_file(&work.path("out/app.env"))?.remove("SECRET")
}

/// Waits for an end that may be late.
fn ended(agent: Running<'_>) -> Finished {
    until(&agent, "its end", || !process::is_running(agent.pid()));
    agent.wait()
}

fn until(agent: &Running<'_>, what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "still not: {what}\n{}", agent.scene());
        thread::sleep(GLANCE);
    }
}
