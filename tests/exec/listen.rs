//! `--listen`: sockets that the agent keeps and every child is handed.

use super::support::{Agent, Volume, Workdir, free_address, process, secret};
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

const SERVER: [&str; 2] = ["python3", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/exec/server.py")];

/// Prints what it was told of sockets, whether that is meant for it, and some of its descriptors.
const SHOW: &str = "echo fds=$LISTEN_FDS names=$LISTEN_FDNAMES; [ \"$LISTEN_PID\" = $$ ] && echo mine; \
                    for n in 3 4 5 9; do readlink /proc/$$/fd/$n || echo none; done";

/// Long enough for any machine, and short enough for a test that fails.
const LIMIT: Duration = Duration::from_secs(15);

fn agent<'w>(work: &'w Workdir, volume: &Volume, listen: &[&str], program: &[&str]) -> Agent<'w> {
    let listen = listen.iter().flat_map(|socket| ["--listen", socket]).collect::<Vec<_>>();
    Agent::exec(work, program).mount(volume, "SECRET=db").arguments(&listen)
}

/// Asks a server; an error if anything at all goes wrong on the way to its whole answer.
fn ask(address: SocketAddr) -> io::Result<String> {
    let stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    exchange(stream)
}

fn exchange(mut stream: impl Read + Write) -> io::Result<String> {
    stream.write_all(b"who\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.strip_suffix('\n') {
        Some(answer) => Ok(answer.to_owned()),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// The fields of an answer: socket, process, secret.
fn fields(answer: &str) -> [&str; 3] {
    let fields: Vec<&str> = answer.splitn(3, ' ').collect();
    fields.try_into().unwrap_or_else(|_| panic!("no answer of the server: {answer:?}"))
}

#[test]
fn each_child_finds_the_sockets_from_3_on_in_their_order() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let (first, second) = (free_address(), free_address());
    let path = work.path("app.sock");
    let listen = [&*format!("web={first}"), &format!("admin={second}"), path.to_str().unwrap()];
    let agent = agent(&work, &volume, &listen, &SERVER).start();
    agent.wait_for_line("serving");
    let mut pids = Vec::new();
    for label in ["one", "two"] {
        if label == "two" {
            agent.wait_until_ready();
            volume.rotate(&[("db", label)]);
            agent.wait_until("a second child", || {
                (agent.out().matches("serving\n").count() == 2).then_some(())
            });
        }
        let answers = [
            ask(first).unwrap(),
            ask(second).unwrap(),
            exchange(UnixStream::connect(&path).unwrap()).unwrap(),
        ];
        for (answer, expected) in answers.iter().zip(["web", "admin", "unknown"]) {
            let [name, pid, value] = fields(answer);
            assert_eq!((name, value), (expected, &*secret(label)));
            pids.push(pid.to_owned());
        }
    }
    assert!(pids[0] == pids[1] && pids[1] == pids[2] && pids[3] == pids[5] && pids[0] != pids[3], "{pids:?}");
    // The child before has changed that, for all who share the socket.
    assert_eq!(agent.out().matches(" blocking\n").count(), 6, "{}", agent.scene());
    agent.stop().expect(0);
}

#[test]
fn a_tcp_socket_that_a_child_has_shut_down_listens_again_for_the_next_one() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let address = free_address();
    let agent = agent(&work, &volume, &[&format!("web={address}")], &SERVER).var("SHUT_DOWN", "1").start();
    agent.wait_for_line("serving");
    for (starts, label) in ["one", "two", "three"].into_iter().enumerate() {
        if starts > 0 {
            agent.wait_until_ready();
            volume.rotate(&[("db", label)]);
        }
        agent
            .wait_until("a child", || (agent.out().matches("serving\n").count() == starts + 1).then_some(()));
        assert_eq!(fields(&ask(address).unwrap())[2], secret(label));
    }
    agent.stop().expect(0);
}

#[test]
fn what_was_inherited_about_sockets_is_replaced() {
    for flags in [&[][..], &["--no-watch"]] {
        let work = Workdir::new();
        let volume = Volume::new(&work, &[("db", "one")]);
        let address = free_address();
        let ended = agent(&work, &volume, &[&format!("web={address}")], &["sh", "-c", SHOW])
            .arguments(flags)
            .var("LISTEN_FDS", "7")
            .var("LISTEN_FDNAMES", "a:b:c:d:e:f:g")
            .var("LISTEN_PID", "1")
            .finish()
            .expect(0);
        let out: Vec<&str> = ended.out.lines().collect();
        assert_eq!(out[..2], ["fds=1 names=web", "mine"], "{flags:?} {}", ended.scene);
        assert!(out[2].starts_with("socket:[") && out[3] == "none", "{flags:?} {out:?}");
    }
}

#[test]
fn without_sockets_of_its_own_the_agent_passes_on_what_it_was_given() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let ended = agent(&work, &volume, &[], &["sh", "-c", SHOW])
        .under(&["sh", "-c", "exec 3</dev/null; LISTEN_PID=$$ exec \"$@\"", "sh"])
        .argument("--no-watch")
        .var("LISTEN_FDS", "1")
        .var("LISTEN_FDNAMES", "given")
        .finish()
        .expect(0);
    assert!(ended.out.starts_with("fds=1 names=given\nmine\n/dev/null\nnone\n"), "{}", ended.scene);
}

#[test]
fn a_descriptor_that_was_inherited_makes_room_for_a_socket_and_only_then() {
    for flags in [&[][..], &["--no-watch"]] {
        let work = Workdir::new();
        let volume = Volume::new(&work, &[("db", "one")]);
        let (one, two) = (free_address().to_string(), free_address().to_string());
        let ended = agent(&work, &volume, &[&one, &two], &["sh", "-c", SHOW])
            .under(&["sh", "-c", "exec 4</dev/null 5</dev/zero 9</dev/full; exec \"$@\"", "sh"])
            .arguments(flags)
            .finish()
            .expect(0);
        let found: Vec<&str> = ended.out.lines().skip(2).collect();
        let sockets = found[..2].iter().all(|line| line.starts_with("socket:["));
        assert!(sockets && found[2..] == ["/dev/zero", "/dev/full"], "{flags:?} {}", ended.scene);
    }
}

#[test]
fn clients_who_come_before_the_first_set_are_waited_on() {
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    let address = free_address();
    let agent = agent(&work, &volume, &[&address.to_string()], &SERVER).start();
    agent.wait_for_problem("is empty");
    // More than the 128 that the standard library provides for.
    let waiting: Vec<TcpStream> =
        (0..300).map(|_| TcpStream::connect_timeout(&address, LIMIT).unwrap()).collect();
    volume.rotate(&[("db", "one")]);
    for client in waiting {
        client.set_read_timeout(Some(LIMIT)).unwrap();
        assert_eq!(fields(&exchange(client).unwrap())[2], secret("one"));
    }
    agent.stop().expect(0);
}

#[test]
fn a_place_that_is_taken_ends_the_agent_before_anything_else() {
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    let address = free_address();
    let _taken = std::net::TcpListener::bind(address).unwrap();
    let live = work.path("live");
    let _listening = UnixListener::bind(&live).unwrap();
    let file = work.write("file", "precious");
    let places = [address.to_string(), live.display().to_string(), file.display().to_string()];
    for place in &places {
        for flags in [&[][..], &["--no-watch"]] {
            let agent = agent(&work, &volume, &[place], &["touch", "started"]).arguments(flags);
            let ended = agent.finish().expect(125);
            let complaints = ended.complaints();
            assert!(
                complaints.len() == 1 && complaints[0].contains(&**place) && complaints[0].contains("in use"),
                "{complaints:?}"
            );
        }
    }
    assert_eq!(work.read("file"), "precious");
    assert!(UnixStream::connect(&live).is_ok());
}

#[test]
fn a_server_that_has_stopped_accepting_is_neither_waited_for_nor_replaced() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let path = work.path("full");
    let server = UnixListener::bind(&path).unwrap();
    // It holds one more than the backlog says.
    nix::sys::socket::listen(&server, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
    let _first = UnixStream::connect(&path).unwrap();
    let agent = agent(&work, &volume, &[path.to_str().unwrap()], &["touch", "started"]);
    let ended = agent.finish().expect(125);
    assert!(ended.complaints()[0].contains("in use"), "{}", ended.scene);
    assert!(server.accept().is_ok(), "it is still the server");
}

#[test]
fn a_socket_that_a_killed_agent_has_left_is_replaced() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let path = work.path("app.sock");
    for _ in 0..2 {
        let agent = agent(&work, &volume, &[path.to_str().unwrap()], &SERVER).start();
        let answer = agent.wait_until("an answer", || exchange(UnixStream::connect(&path).ok()?).ok());
        assert_eq!(fields(&answer)[2], secret("one"));
        let child = fields(&answer)[1].parse().unwrap();
        process::send(agent.pid(), libc::SIGKILL);
        process::send(child, libc::SIGKILL);
        agent.wait().expect(-libc::SIGKILL);
        assert!(path.exists());
    }
}

/// Clients at once, and rotations while they ask.
const CLIENTS: usize = 4;
const ROTATIONS: usize = 20;

#[test]
fn no_request_fails_while_the_server_is_restarted_again_and_again() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "0")]);
    let address = free_address();
    let agent = agent(&work, &volume, &[&address.to_string()], &SERVER)
        .yaml("restartBudget: off\nprobation: off\n")
        .start();
    agent.wait_for_line("serving");
    agent.wait_until_ready();
    let (over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let client = || {
        let mut problems = Vec::new();
        while !over.load(Ordering::Relaxed) {
            match ask(address) {
                Ok(answer) => assert!(!fields(&answer)[2].is_empty()),
                Err(error) => problems.push(error.to_string()),
            }
            asked.fetch_add(1, Ordering::Relaxed);
        }
        problems
    };
    let problems: Vec<String> = thread::scope(|scope| {
        let _done = super::support::SayDone(&over);
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        for rotation in 1..=ROTATIONS {
            let before = asked.load(Ordering::Relaxed);
            volume.rotate(&[("db", &rotation.to_string())]);
            agent.wait_until("the new secret", || {
                let answer = ask(address).expect("an answer");
                (fields(&answer)[2] == secret(&rotation.to_string())).then_some(())
            });
            agent.wait_until("all clients at work", || {
                (asked.load(Ordering::Relaxed) > before + CLIENTS).then_some(())
            });
        }
        over.store(true, Ordering::Relaxed);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    assert_eq!(problems, [""; 0], "of {} requests", asked.load(Ordering::Relaxed));
    let restarts = agent.status()["child"]["restarts"].as_u64().unwrap();
    assert_eq!(restarts, u64::try_from(ROTATIONS).unwrap(), "{}", agent.scene());
    agent.stop().expect(0);
}

#[test]
fn a_server_that_opens_its_own_socket_refuses_requests_while_it_is_restarted() {
    // What the test above would see.
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let address = free_address();
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    let agent = agent(&work, &volume, &[], &[&SERVER[..], &[&ip, &port]].concat()).start();
    agent.wait_for_line("serving");
    agent.wait_until_ready();
    volume.rotate(&[("db", "two")]);
    agent.wait_until("a refused request", || {
        ask(address).err().filter(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    });
}
