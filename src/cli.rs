//! The command line, parsed into what was asked for; nothing is checked here beyond its form.

use crate::{
    config::{Args, SCHEMA, Socket, value::handed_socket},
    failure::{Class, Failure},
    program::Program,
};
use lexopt::{Arg, Parser, ValueExt};
use std::{ffi::OsString, path::PathBuf};

/// What the user asked for.
#[derive(Debug)]
pub enum Command {
    /// Resolve once, write the outputs, end.
    Init(Args),
    /// Resolve, write, keep watching, react.
    Sidecar(Args),
    /// Run a program with the set in its environment.
    Exec {
        /// Where the configuration is.
        options: Args,
        /// Whether to keep watching, as the program's parent.
        watch: bool,
        /// Sockets to open for the program, besides those of the configuration.
        listen: Vec<Socket>,
        /// What to run.
        program: Program,
    },
    /// Say what would happen and what would fail.
    Check(Args),
    /// Show the running agent's status.
    Status {
        /// Where the configuration is.
        options: Args,
        /// As the agent sent it.
        json: bool,
    },
    /// Answer an exec probe.
    Probe {
        /// Where the configuration is.
        options: Args,
        /// Which probe.
        which: Probe,
    },
    /// Copy the agent's own binary into a directory.
    Install(PathBuf),
    /// Print a text and end.
    Print(&'static str),
}

/// Which probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// The agent runs.
    Live,
    /// The first complete set is out.
    Ready,
}

/// Shown by `--help`.
pub const HELP: &str = "\
Secrets from Azure Key Vault as environment variables that follow rotation.

usage:
  akv-agent init    [--config FILE]                     resolve once, write the outputs, end
  akv-agent sidecar [--config FILE]                     resolve, write, keep watching, react to changes
  akv-agent exec    [--config FILE] [--no-watch] [--listen ADDR]... -- CMD [ARG...]
                                                        run CMD with the secrets in its environment;
                                                        on a change restart or signal it; listen at ADDR
                                                        for it, also while it is restarted
  akv-agent check   [--config FILE]                     say what would happen and what would fail
  akv-agent status  [--config FILE] [--json]            ask the agent that runs in this pod
  akv-agent probe   live|ready [--config FILE]          for exec probes: exit code 0 or 1
  akv-agent install DIR                                 copy this binary into DIR, for other containers
  akv-agent schema                                      print the JSON Schema of the configuration file
  akv-agent --help | --version

The configuration is the YAML file FILE (else $AKV_AGENT_CONFIG, else /etc/akv-agent/config.yaml where it
exists) and the environment, which wins. With the environment alone:

  AKV_AGENT_MOUNT=/mnt/secrets-store     a volume of the Secrets Store CSI driver
  AKV_AGENT_VAULT=my-vault               and/or a Key Vault
  AKV_AGENT_ENV=DB_PASSWORD=db-password,API_KEY=akv://other-vault/api-key
  AKV_AGENT_ENV_FILE=/run/akv-agent/app.env             for init and sidecar
  AKV_AGENT_ON_CHANGE=restart | signal:HUP | http://127.0.0.1:8080/reload | command:nginx -s reload | exit | none
  AKV_AGENT_TARGET=process:nginx | pidfile:/run/nginx.pid | cmdline:REGEX

`exec` also resolves each variable of its environment whose whole value is a reference, such as
@Microsoft.KeyVault(VaultName=my-vault;SecretName=api-key).

exit codes: 0 done; 64 usage; 69 a source stayed unreachable; 70 bug; 73 an output cannot be created;
77 permission denied; 78 configuration. exec: the program's own; 128+n if signal n ended it; 127 not found;
126 not executable; 125 the agent itself failed.
";

/// Shown by `--version`.
pub const VERSION: &str = concat!("akv-agent ", env!("CARGO_PKG_VERSION"), "\n");

fn usage(message: impl std::fmt::Display) -> Failure {
    Failure::new(Class::Usage, format!("{message}; see akv-agent --help"))
}

/// Parses the arguments after the program's own name.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Failure> {
    let mut parser = Parser::from_args(arguments);
    let command = match parser.next().map_err(usage)? {
        Some(Arg::Short('h') | Arg::Long("help")) => return Ok(Command::Print(HELP)),
        Some(Arg::Short('V') | Arg::Long("version")) => return Ok(Command::Print(VERSION)),
        Some(Arg::Value(command)) => command.string().map_err(usage)?,
        Some(other) => return Err(usage(other.unexpected())),
        None => return Err(usage("which command?")),
    };
    if command == "help" {
        return Ok(Command::Print(HELP));
    }

    let mut options = Args::default();
    let (mut watch, mut json) = (true, false);
    let mut listen: Vec<Socket> = Vec::new();
    let mut values: Vec<OsString> = Vec::new();
    while let Some(argument) = parser.next().map_err(usage)? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Print(HELP)),
            Arg::Short('c') | Arg::Long("config") if !matches!(command.as_str(), "install" | "schema") => {
                options.file = Some(parser.value().map_err(usage)?.into());
            }
            Arg::Long("no-watch") if command == "exec" => watch = false,
            Arg::Long("listen") if command == "exec" => {
                let text = parser.value().map_err(usage)?.string().map_err(usage)?;
                let socket = handed_socket(&text)
                    .map_err(|error| usage(format_args!("--listen '{text}': {error}")))?;
                listen.push(socket);
            }
            Arg::Long("json") if command == "status" => json = true,
            Arg::Value(value) => {
                values.push(value);
                // The program's own options are not ours, with or without `--` before it.
                if command == "exec" {
                    values.extend(parser.raw_args().map_err(usage)?);
                }
            }
            other => return Err(usage(other.unexpected())),
        }
    }
    let most = match command.as_str() {
        "exec" => usize::MAX,
        "install" | "probe" => 1,
        _ => 0,
    };
    if let Some(extra) = values.get(most) {
        return Err(usage(format_args!("unexpected argument '{}'", extra.to_string_lossy())));
    }
    let mut values = values.into_iter();
    match (command.as_str(), values.next()) {
        ("init", _) => Ok(Command::Init(options)),
        ("sidecar", _) => Ok(Command::Sidecar(options)),
        ("exec", Some(name)) => {
            let program = Program { name, arguments: values.collect() };
            Ok(Command::Exec { options, watch, listen, program })
        }
        ("exec", None) => Err(usage("exec: which program? `akv-agent exec -- CMD`")),
        ("check", _) => Ok(Command::Check(options)),
        ("status", _) => Ok(Command::Status { options, json }),
        ("probe", Some(which)) if which == "live" => Ok(Command::Probe { options, which: Probe::Live }),
        ("probe", Some(which)) if which == "ready" => Ok(Command::Probe { options, which: Probe::Ready }),
        ("probe", _) => Err(usage("probe: live or ready?")),
        ("schema", _) => Ok(Command::Print(SCHEMA)),
        ("install", Some(directory)) => Ok(Command::Install(directory.into())),
        ("install", None) => Err(usage("install: into which directory?")),
        (other, _) => Err(usage(format_args!("there is no command '{other}'"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &str) -> Result<Command, Failure> {
        parse(line.split_ascii_whitespace().map(OsString::from))
    }

    #[test]
    fn the_programs_own_options_are_left_to_it() {
        for line in
            ["exec --no-watch -- app --config x -- --help", "exec --no-watch app --config x -- --help"]
        {
            let Ok(Command::Exec { options, watch, program, .. }) = parse_line(line) else {
                panic!("{line}")
            };
            assert_eq!((program.name.to_str(), watch, options.file), (Some("app"), false, None));
            assert_eq!(program.arguments, ["--config", "x", "--", "--help"]);
        }
    }

    #[test]
    fn sockets_are_kept_in_their_order() {
        let line = "exec --listen web=0.0.0.0:80 --listen=/run/app.sock -- app --listen [::]:1";
        let Ok(Command::Exec { listen, .. }) = parse_line(line) else { panic!("{line}") };
        let listen: Vec<_> =
            listen.iter().map(|socket| (&*socket.name, socket.endpoint.to_string())).collect();
        assert_eq!(listen, [("web", "0.0.0.0:80".into()), ("unknown", "unix:/run/app.sock".into())]);
    }

    #[test]
    fn wrong_lines_are_usage_errors_that_say_what_is_wrong() {
        for (line, part) in [
            ("", "which command"),
            ("frobnicate", "'frobnicate'"),
            ("--frobnicate", "--frobnicate"),
            ("init --no-watch", "--no-watch"),
            ("init extra", "'extra'"),
            ("init --config", "--config"),
            ("exec", "which program"),
            ("exec --listen", "--listen"),
            ("exec --listen 8080 -- app", "'8080'"),
            ("sidecar --listen 127.0.0.1:8080", "--listen"),
            ("exec --", "which program"),
            ("install", "which directory"),
            ("install a b", "'b'"),
            ("probe", "live or ready"),
            ("probe dead", "live or ready"),
            ("status --jsn", "--jsn"),
            ("schema --config a", "--config"),
            ("schema a", "'a'"),
        ] {
            let failure = parse_line(line).unwrap_err();
            assert_eq!(failure.class, Class::Usage);
            assert!(failure.message.contains(part), "{line}: {failure}");
        }
    }

    #[test]
    fn right_lines() {
        assert!(matches!(parse_line("init -c /a").unwrap(), Command::Init(Args { file: Some(_) })));
        assert!(matches!(parse_line("sidecar").unwrap(), Command::Sidecar(Args { file: None })));
        assert!(matches!(parse_line("check --config=/a").unwrap(), Command::Check(_)));
        assert!(matches!(parse_line("status --json").unwrap(), Command::Status { json: true, .. }));
        assert!(matches!(parse_line("probe ready").unwrap(), Command::Probe { which: Probe::Ready, .. }));
        assert!(matches!(parse_line("install /akv").unwrap(), Command::Install(_)));
        assert!(matches!(parse_line("schema").unwrap(), Command::Print(SCHEMA)));
        assert!(matches!(parse_line("exec --help").unwrap(), Command::Print(HELP)));
        assert!(matches!(parse_line("-V").unwrap(), Command::Print(VERSION)));
    }
}
