//! `check`: what would happen and what would fail is said, and nothing is done.

use super::support::{Agent, App, Finished, Volume, Workdir, free_address, secret};
use std::{
    fs, io,
    net::TcpListener,
    os::unix::{
        fs::{FileTypeExt as _, PermissionsExt as _},
        net::UnixListener,
    },
};

/// Checks a configuration file that has a volume and a variable besides what it says.
fn check(work: &Workdir, volume: &Volume, yaml: &str) -> Finished {
    Agent::new(work, "check").mount(volume, "SECRET=db").yaml(yaml).finish()
}

fn assert_lines(ended: &Finished, lines: &[String]) {
    for line in lines {
        assert!(ended.out.lines().any(|found| found.starts_with(&**line)), "{line}: {}", ended.scene);
    }
}

#[test]
fn it_says_what_would_happen_and_changes_nothing() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let app = App::start(&work, "checked-app", &["--stop-on", "0"]);
    let check = || {
        Agent::new(&work, "check")
            .mount(&volume, "SECRET=db")
            .env_file()
            .set("TARGET", App::target(&work, "checked-app"))
            .set("ON_CHANGE", "signal:HUP")
            .finish()
    };
    let ended = check().expect(0);
    for part in ["SECRET", "mount file 'db'", "out/app.env", "would be written", &app.pid().to_string()] {
        assert!(ended.out.contains(part), "{part}: {}", ended.scene);
    }
    assert!(!ended.out.contains(&secret("")), "{}", ended.scene);
    assert!(work.names("out").is_empty());
    assert!(app.signals().is_empty());
    Agent::init(&work).mount(&volume, "SECRET=db").env_file().finish().expect(0);
    assert!(check().expect(0).out.contains("up to date"));
    volume.rotate(&[("db", "two")]);
    assert!(check().expect(0).out.contains("would be replaced"));
}

#[test]
fn it_names_everything_that_would_fail() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let ended = Agent::new(&work, "check")
        .mount(&volume, "SECRET=db,FIRST=absent,SECOND=missing")
        .set("ENV_FILE", work.path("no-directory/app.env"))
        .set("TARGET", App::target(&work, "nobody-here"))
        .set("ON_CHANGE", "signal:HUP")
        .finish()
        .expect(73);
    for part in ["FIRST", "'absent'", "SECOND", "'missing'", "no-directory", "nobody-here"] {
        assert!(ended.out.contains(part), "{part}: {}", ended.scene);
    }
}

#[test]
fn it_looks_for_the_programs_of_reactions_verifications_and_probation() {
    let work = Workdir::executable();
    let volume = Volume::new(&work, &[("db", "one")]);
    let (absent, plain, good) = (work.text("absent"), work.text("plain"), work.text("good"));
    work.write("plain", "#!/bin/sh\n");
    fs::set_permissions(work.write("good", "#!/bin/sh\ntouch ran\n"), fs::Permissions::from_mode(0o755))
        .unwrap();
    let yaml = |onchange: &str, verify: &str, check: &str| {
        format!(
            "onChange:\n  - {{when: [A], command: [{onchange}, a]}}\n  - {{when: [B], command: [{onchange}, b]}}\n  \
             - {{signal: HUP, verify: {{command: [{verify}]}}}}\nprobation: {{check: {{command: [{check}]}}}}\n"
        )
    };
    for (programs, code, words) in [
        ([&*good, "true", &good], 0, [format!("is {good}"), "is /".to_owned(), format!("is {good}")]),
        (
            ["no-such-program", &*absent, &plain],
            77,
            [
                "cannot be run: no-such-program: no such program in PATH".to_owned(),
                format!("cannot be run: {absent}: no such program"),
                format!("cannot be run: {plain} cannot be executed: "),
            ],
        ),
        (
            [work.dir().to_str().unwrap(), "true", &absent],
            77,
            [
                format!("cannot be run: {} cannot be executed: ", work.dir().display()),
                "is /".to_owned(),
                format!("cannot be run: {absent}: no such program"),
            ],
        ),
        (
            [&*good, &absent, "true"],
            69,
            [format!("is {good}"), format!("cannot be run: {absent}: no such program"), "is /".to_owned()],
        ),
    ] {
        let [onchange, verify, check_] = programs;
        let ended = check(&work, &volume, &yaml(onchange, verify, check_)).expect(code);
        let kinds = ["the command of onChange", "the command of verify", "the check of probation"];
        let lines: Vec<String> = (kinds.into_iter().zip(&words))
            .map(|(kind, words)| {
                let mark = if words.starts_with("is") { "ok  " } else { "FAIL" };
                format!("{mark}  exec: {kind} {words}")
            })
            .collect();
        assert_lines(&ended, &lines);
        assert_eq!(
            ended.out.matches("the command of onChange").count(),
            1,
            "it is said once: {}",
            ended.scene
        );
    }
    assert!(!work.path("ran").exists(), "nothing is run");
}

#[test]
fn it_judges_a_program_only_for_the_uses_that_would_run_it() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let absent = work.text("absent");
    let output = format!("outputs: [{{envFile: {}}}]\n", work.text("app.env"));
    let probation = format!("probation: {{check: {{command: [{absent}]}}}}\n");

    // Whoever reacts.
    let reaction = format!("onChange: [{{command: [{absent}]}}]\n");
    let ended = check(&work, &volume, &format!("{output}{reaction}")).expect(69);
    assert_lines(
        &ended,
        &[format!("FAIL  sidecar, exec: the command of onChange cannot be run: {absent}: ")],
    );

    // It has a child alone, whatever else the configuration is for.
    let ended = check(&work, &volume, &format!("{output}{probation}")).expect(69);
    assert_lines(&ended, &[format!("FAIL  exec: the check of probation cannot be run: {absent}: ")]);

    // What is not for `exec` is no probation, and opens no sockets for a child.
    let only = "onChange: [{signal: HUP, verify: {startTime: true}}]\ntarget: {process: no-such-process}\n\
                exec: {listen: [\"/no/such/directory/app.sock\"]}\n";
    let ended = check(&work, &volume, &format!("{output}{only}{probation}"));
    assert_lines(&ended, &["use   exec: not with this configuration: ".to_owned()]);
    assert!(!ended.out.contains("the check of probation"), "{}", ended.scene);
    assert!(!ended.out.contains("app.sock"), "{}", ended.scene);
}

#[test]
fn it_tries_the_sockets_of_exec_and_leaves_no_trace() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let run = work.make_dir("run");
    let listen = |endpoint: &str| check(&work, &volume, &format!("exec: {{listen: [\"{endpoint}\"]}}\n"));

    let free = free_address();
    assert_lines(&listen(&free.to_string()).expect(0), &[format!("ok    exec: {free} can be listened at")]);
    let path = run.join("app.sock").display().to_string();
    assert_lines(&listen(&path).expect(0), &[format!("ok    exec: unix:{path} can be listened at")]);
    assert_eq!(work.names("run"), [""; 0]);

    // An agent that runs already has them; clients do not notice that somebody has looked.
    let server = TcpListener::bind(free_address()).unwrap();
    server.set_nonblocking(true).unwrap();
    let address = server.local_addr().unwrap();
    assert_lines(&listen(&address.to_string()).expect(0), &[format!("note  exec: {address} is in use; ")]);
    assert_eq!(server.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    let server = UnixListener::bind(&path).unwrap();
    server.set_nonblocking(true).unwrap();
    assert_lines(&listen(&path).expect(0), &[format!("note  exec: unix:{path} is there already; ")]);
    assert_eq!(server.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(server);
    assert_lines(&listen(&path).expect(0), &[format!("note  exec: unix:{path} is there already; ")]);
    assert!(fs::symlink_metadata(&path).unwrap().file_type().is_socket());

    // Of the addresses that are for documentation, no machine has any.
    let file = work.write("file", "precious").display().to_string();
    let nowhere = work.text("no-directory/app.sock");
    for (endpoint, shown, remedy) in [
        ("203.0.113.9:8080", "203.0.113.9:8080", "choose an address of this machine or pod"),
        ("[2001:db8::9]:8080", "[2001:db8::9]:8080", "choose an"),
        (&*nowhere, &*format!("unix:{nowhere}"), "make its directory first"),
        (&*file, &*format!("unix:{file}"), "take away what else is there"),
    ] {
        let ended = listen(endpoint).expect(69);
        assert_lines(&ended, &[format!("FAIL  exec: cannot listen at {shown} for the program: ")]);
        assert!(ended.out.contains(remedy), "{}", ended.scene);
    }
    assert_eq!(work.read("file"), "precious");

    let locked = work.make_dir("locked");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
    let yaml = format!("exec: {{listen: [{}]}}\n", locked.join("app.sock").display());
    let agent = Agent::new(&work, "check").mount(&volume, "SECRET=db").yaml(&yaml).without_capabilities();
    assert_lines(&agent.finish().expect(77), &["FAIL  exec: cannot listen at unix:".to_owned()]);
}
