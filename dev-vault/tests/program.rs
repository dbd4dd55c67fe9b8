//! The program: its lines, its files and its exit codes.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use dev_vault::Client;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_dev-vault");

fn run(arguments: &[&str], env: &BTreeMap<String, String>) -> Output {
    Command::new(PROGRAM).args(arguments).env_clear().envs(env).output().expect("the program starts")
}

fn succeed(arguments: &[&str], env: &BTreeMap<String, String>) -> String {
    let output = run(arguments, env);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A program that serves, killed when a test gives up.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts to serve and waits for the ready line, which it gives back in its parts.
fn serve(arguments: &[&str]) -> (Serving, BTreeMap<String, String>) {
    let child = Command::new(PROGRAM)
        .arg("serve")
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut serving = Serving(child);
    let mut line = String::new();
    let stdout = serving.0.stdout.as_mut().expect("the output is ours");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    let words = line.trim_end().strip_prefix("ready ").expect("the ready line").splitn(3, ' ');
    let ready = words.filter_map(|word| word.split_once('=')).map(|(k, v)| (k.into(), v.into())).collect();
    (serving, ready)
}

/// The variables that a shell would have after reading the file.
fn shell_env(file: &str) -> BTreeMap<String, String> {
    let output = Command::new("sh")
        .args(["-c", ". \"$1\" && env", "sh", file])
        .env_clear()
        .output()
        .expect("there is a shell");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter_map(|line| line.split_once('=')).map(|(k, v)| (k.into(), v.into())).collect()
}

#[test]
fn a_shell_can_rotate_a_secret() {
    let dir = TempDir::new().expect("a directory");
    let seed = dir.path().join("seed.yaml");
    fs::write(&seed, "vaults: {default: {secrets: {a: {value: old}}}}").expect("a seed");
    let files = dir.path().join("it's here");
    let (_serving, ready) = serve(&["--seed", path(&seed), "--dir", path(&files)]);
    let env = shell_env(&ready["env"]);
    let url = ready["url"].as_str();
    assert_eq!(env["DEV_VAULT_URL"], url);
    assert_eq!(env["DEV_VAULT_PLAIN"], ready["plain"]);
    assert_eq!(succeed(&["get", url, "a"], &env), "old\n");
    let version = succeed(&["set", url, "a", "new\nline"], &env);
    assert_eq!(version.trim_end().len(), 32);
    assert_eq!(succeed(&["get", url, "a"], &env), "new\nline\n");
    let missing = run(&["get", url, "b"], &env);
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("SecretNotFound"));
    let lost = run(&["get", url, "a"], &BTreeMap::new());
    assert!(String::from_utf8_lossy(&lost.stderr).contains("SSL_CERT_FILE"));
}

#[test]
fn options_reach_the_server() {
    let dir = TempDir::new().expect("a directory");
    let (_serving, ready) = serve(&[
        "--dir",
        path(dir.path()),
        "--challenge-resource",
        "https://vault.example.test",
        "--san",
        "example.test",
    ]);
    let pem = fs::read_to_string(dir.path().join("ca.pem")).expect("the certificate");
    let client = Client::trusting(&pem).expect("a client");
    let url = format!("{}/secrets/a?api-version=7.6", ready["url"]);
    let reply = client.send("GET", &url, &[], "").expect("an answer");
    let challenge = reply.header("www-authenticate").expect("a challenge");
    assert!(challenge.contains("resource=\"https://vault.example.test\""), "{challenge}");
}

#[test]
fn a_signal_ends_it_with_success() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let (mut serving, ready) = serve(&[]);
        let dir = Path::new(&ready["env"]).parent().expect("a directory").to_owned();
        assert!(dir.join("ca.pem").exists());
        let pid = Pid::from_raw(serving.0.id().try_into().expect("a process identifier"));
        kill(pid, signal).expect("it runs");
        let mut rest = String::new();
        serving.0.stdout.take().expect("the output").read_to_string(&mut rest).expect("its end");
        assert_eq!(serving.0.wait().expect("it ends").code(), Some(0), "{signal}");
        assert_eq!(rest, "");
        assert!(!dir.exists());
    }
}

#[test]
fn a_volume_is_written_by_the_program_too() {
    let dir = TempDir::new().expect("a directory");
    let mount = dir.path().join("m");
    let arguments = ["mount", path(&mount), "ExamplePassword=a=b", "empty="];
    assert_eq!(succeed(&arguments, &BTreeMap::new()), "switched\n");
    assert_eq!(succeed(&arguments, &BTreeMap::new()), "unchanged\n");
    assert_eq!(fs::read_to_string(mount.join("ExamplePassword")).expect("a file"), "a=b");
    assert_eq!(fs::read_to_string(mount.join("empty")).expect("a file"), "");
}

#[test]
fn help_explains_and_mistakes_are_usage_errors() {
    let help = succeed(&["--help"], &BTreeMap::new());
    for word in ["serve", "--seed", "/dev-vault/faults", "cutBody", "AZURE_FEDERATED_TOKEN_FILE", "EXIT"] {
        assert!(help.contains(word), "{word}");
    }
    let wrong = run(&["serve", "--sede", "x"], &BTreeMap::new());
    assert_eq!(wrong.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("--sede"));
    let missing = run(&["serve", "--seed", "/nonexistent/seed.yaml"], &BTreeMap::new());
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("/nonexistent/seed.yaml"));
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}
