//! From settings as written to a [`Config`]: defaults, precedence, and what one setting means for another.

use super::{
    Binding, Cloud, Config, EnvFile, Exec, Identity, Listen, Log, LogFormat, Lookup, Probation,
    RestartBudget, Selection, Settle, azure, binding,
    environment::Variables,
    identity,
    problem::Problems,
    reaction, selection,
    setting::{Fields, Setting, Written},
    stale, supervision, value,
    yaml::Node,
};
use crate::{
    output::format::{FORMATS, Format},
    reference::{ReferenceError, Scope, VaultUrl},
};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

/// One request per secret in five minutes: a thousand agents with ten secrets each stay near 33 requests a
/// second, well under the limit of a vault.
const DEFAULT_POLL: Duration = Duration::from_secs(5 * 60);
/// A writer that never rests must not hold up a rotation for longer than somebody would notice.
const DEFAULT_SETTLE_MAX: Duration = Duration::from_secs(5);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2 * 60);
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9808);
/// The app reads the file, mostly under another user id of the same group.
const DEFAULT_MODE: u32 = 0o440;

const KEYS: &[&str] = &[
    "vault",
    "mount",
    "identity",
    "vaults",
    "cloud",
    "vaultSuffixes",
    "caFile",
    "env",
    "envFrom",
    "outputs",
    "pollInterval",
    "staleMount",
    "settle",
    "onChange",
    "target",
    "exec",
    "probation",
    "restartBudget",
    "splay",
    "timeout",
    "stateDir",
    "listen",
    "log",
];

/// What was read from the file.
pub(super) enum File<'t> {
    /// There is none, or nothing is in it.
    Absent,
    /// It could not be read; that has been reported.
    Broken,
    /// This.
    Read(&'t Node<'t>),
}

/// Builds the configuration. It means nothing if `problems` has any afterwards.
pub(super) fn build(
    file: &File<'_>,
    variables: &Variables,
    lookup: &dyn Lookup,
    problems: &Problems,
) -> Config {
    let fields = match file {
        File::Read(node) => Setting::root(node, problems).fields(KEYS, &[]),
        File::Absent | File::Broken => None,
    };
    let is_complete = fields.is_some() || matches!(file, File::Absent);
    Settings { fields, variables, problems }.config(lookup, is_complete)
}

/// All settings, each from the environment if it is there, else from the file.
struct Settings<'t> {
    fields: Option<Fields<'t>>,
    variables: &'t Variables,
    problems: &'t Problems,
}

impl<'t> Settings<'t> {
    /// `is_complete` is whether everything that was written could be read.
    fn config(mut self, lookup: &dyn Lookup, is_complete: bool) -> Config {
        let cloud = self.cloud(lookup);
        let is_cloud_known = cloud.is_some() && is_complete;
        let cloud = cloud.unwrap_or_else(nowhere);
        // A setting that is there but wrong has been reported; what depends on it is not wrong as well.
        let is_relevant = |error: &ReferenceError| match error {
            ReferenceError::ForeignHost { .. } => is_cloud_known,
            ReferenceError::NoSource | ReferenceError::NoVault | ReferenceError::NoMount => is_complete,
            ReferenceError::Malformed { .. } | ReferenceError::OtherForm { .. } => true,
        };
        let vault = self.take("vault", "AKV_AGENT_VAULT").map(|setting| {
            VaultUrl::parse(setting.text().unwrap_or("unknown"), &cloud).unwrap_or_else(|error| {
                if is_relevant(&error) {
                    setting.problem(error);
                }
                VaultUrl(Arc::from("https://unknown"))
            })
        });
        let mount = self.take("mount", "AKV_AGENT_MOUNT");
        let mount = mount.map(|setting| setting.parse(value::path).unwrap_or_default());
        let scope = Scope { default_vault: vault.as_ref(), has_mount: mount.is_some(), cloud: &cloud };
        let env = self.env(&scope, is_relevant);
        let env_from = self.env_from(&scope, is_relevant);
        let vaults = self.fields.as_mut().and_then(|fields| fields.take("vaults"));
        Config {
            env,
            env_from,
            vaults: vaults.map(|setting| identity::vaults(&setting, &cloud, is_relevant)).unwrap_or_default(),
            identity: self.read("identity", "AKV_AGENT_IDENTITY", identity::read).unwrap_or(Identity::Auto),
            ca_file: self.parse("caFile", "AKV_AGENT_CA_FILE", value::file_path),
            outputs: self.outputs(),
            poll_interval: self.poll_interval(),
            stale_mount: self
                .take("staleMount", "AKV_AGENT_STALE_MOUNT")
                .map_or(Some(stale::DEFAULT), |setting| stale::read(&setting)),
            settle: self.settle(),
            on_change: self.take("onChange", "AKV_AGENT_ON_CHANGE").map(reaction::rules).unwrap_or_default(),
            exec: self.exec(),
            state_dir: self.parse("stateDir", "AKV_AGENT_STATE_DIR", value::path),
            target: self.read("target", "AKV_AGENT_TARGET", reaction::target),
            splay: self.parse("splay", "AKV_AGENT_SPLAY", value::duration).unwrap_or_default(),
            timeout: self.parse("timeout", "AKV_AGENT_TIMEOUT", value::time_limit).unwrap_or(DEFAULT_TIMEOUT),
            listen: self.listen(),
            log: self.log(),
            vault,
            mount,
            cloud,
        }
    }

    /// The setting from the variable if that is set, else from the file.
    fn take(&mut self, key: &str, variable: &str) -> Option<Setting<'t>> {
        let written = self.fields.as_mut().and_then(|fields| fields.take(key));
        self.variable(variable).or(written)
    }

    fn variable(&self, name: &str) -> Option<Setting<'t>> {
        let (name, text) = self.variables.get(name)?;
        Some(Setting::variable(name, text, self.problems))
    }

    fn read<T>(&mut self, key: &str, variable: &str, read: fn(&Setting<'t>) -> Option<T>) -> Option<T> {
        self.take(key, variable).and_then(|setting| read(&setting))
    }

    fn parse<T>(
        &mut self,
        key: &str,
        variable: &str,
        parse: fn(&str) -> Result<T, &'static str>,
    ) -> Option<T> {
        self.take(key, variable).and_then(|setting| setting.parse(parse))
    }

    fn cloud(&mut self, lookup: &dyn Lookup) -> Option<Cloud> {
        const AUTHORITY: &str = "AZURE_AUTHORITY_HOST";
        let cloud = self.take("cloud", "AKV_AGENT_CLOUD");
        let suffixes = self.take("vaultSuffixes", "AKV_AGENT_VAULT_SUFFIXES");
        let authority = lookup.var(AUTHORITY).map(|text| text.to_string_lossy().into_owned());
        let authority = authority.filter(|text| !text.trim().is_empty());
        let authority = authority.as_deref().map(|text| Setting::variable(AUTHORITY, text, self.problems));
        azure::cloud(cloud.as_ref(), suffixes, authority.as_ref())
    }

    fn env(&mut self, scope: &Scope<'_>, is_relevant: impl Fn(&ReferenceError) -> bool) -> Vec<Binding> {
        let file = self.fields.as_mut().and_then(|fields| fields.take("env"));
        binding::bindings(file.as_ref(), self.variable("AKV_AGENT_ENV").as_ref(), scope, is_relevant)
    }

    fn env_from(
        &mut self,
        scope: &Scope<'_>,
        is_relevant: impl Fn(&ReferenceError) -> bool,
    ) -> Vec<Selection> {
        let written = self.fields.as_mut().and_then(|fields| fields.take("envFrom"));
        written.map(|setting| selection::selections(setting, scope, is_relevant)).unwrap_or_default()
    }

    /// The variables replace what the first output says, each for itself, or are the only output.
    fn outputs(&mut self) -> Vec<EnvFile> {
        let written = self.fields.as_mut().and_then(|fields| fields.take("outputs"));
        let mut written = written.map(Setting::items).unwrap_or_default().into_iter();
        let mut outputs = Vec::new();
        let first = written.next();
        let path = self.variable("AKV_AGENT_ENV_FILE");
        let others = [self.variable("AKV_AGENT_ENV_FILE_FORMAT"), self.variable("AKV_AGENT_ENV_FILE_MODE")];
        if first.is_some() || path.is_some() {
            let [format, mode] = others;
            outputs.extend(output(first.as_ref(), [path, format, mode]));
        } else {
            for setting in others.into_iter().flatten() {
                setting.problem("there is no env file that this applies to; set AKV_AGENT_ENV_FILE");
            }
        }
        for setting in written {
            let Some(output) = output(Some(&setting), [None, None, None]) else { continue };
            if outputs.iter().any(|other: &EnvFile| other.path == output.path) {
                setting.problem("another output writes the same file; give each its own");
            }
            outputs.push(output);
        }
        outputs
    }

    fn poll_interval(&mut self) -> Option<Duration> {
        let Some(setting) = self.take("pollInterval", "AKV_AGENT_POLL_INTERVAL") else {
            return Some(DEFAULT_POLL);
        };
        setting.parse(|text| if value::is_off(text) { Ok(None) } else { value::interval(text).map(Some) })?
    }

    fn exec(&mut self) -> Exec {
        let probation = self
            .take("probation", "AKV_AGENT_PROBATION")
            .map_or(Some(Probation::default()), |setting| supervision::probation(&setting));
        let mut written = |key| self.fields.as_mut().and_then(|fields| fields.take(key));
        let budget = written("restartBudget")
            .map_or(Some(RestartBudget::default()), |setting| supervision::budget(&setting));
        let exec = written("exec").and_then(|setting| supervision::exec(&setting)).unwrap_or_default();
        Exec { probation, budget, ..exec }
    }

    /// A mapping, or `QUIET[:MAX[:INTERVAL]]`.
    fn settle(&mut self) -> Settle {
        let nothing = Settle { quiet: Duration::ZERO, max: DEFAULT_SETTLE_MAX, interval: Duration::ZERO };
        let Some(setting) = self.take("settle", "AKV_AGENT_SETTLE") else { return nothing };
        let [quiet, max, interval] = if let Written::Text(text) = setting.written {
            // What is there too much stays in the last part, which it makes wrong.
            let mut parts = text.splitn(3, ':');
            [(); 3].map(|()| parts.next().and_then(|part| setting.parse(|_| value::duration(part.trim()))))
        } else {
            let Some(mut fields) = setting.fields(&["quiet", "max", "interval"], &[]) else { return nothing };
            ["quiet", "max", "interval"].map(|key| fields.take(key)?.parse(value::duration))
        };
        let quiet = quiet.unwrap_or_default();
        if max.is_some_and(|max| max < quiet) {
            setting.problem("max is shorter than quiet; make it at least as long");
        }
        // Without an upper bound of its own, a long quiet time gets room for a few starts over.
        let max = max.unwrap_or_else(|| DEFAULT_SETTLE_MAX.max(quiet * 4));
        Settle { quiet, max, interval: interval.unwrap_or_default() }
    }

    fn listen(&mut self) -> Listen {
        let Some(setting) = self.take("listen", "AKV_AGENT_LISTEN") else {
            return Listen::At { address: DEFAULT_LISTEN, explicit: false };
        };
        let address =
            setting.parse(|text| if value::is_off(text) { Ok(None) } else { value::socket(text).map(Some) });
        address.flatten().map_or(Listen::Off, |address| Listen::At { address, explicit: true })
    }

    /// A mapping, or the level alone.
    fn log(&mut self) -> Log {
        let written = self.fields.as_mut().and_then(|fields| fields.take("log"));
        let (mut level, mut format) = (None, None);
        if let Some(setting) = written {
            if let Written::Text(_) = setting.written {
                level = Some(setting);
            } else if let Some(mut fields) = setting.fields(&["level", "format"], &[]) {
                level = fields.take("level");
                format = fields.take("format");
            }
        }
        let level = self.variable("AKV_AGENT_LOG_LEVEL").or(level);
        let format = self.variable("AKV_AGENT_LOG_FORMAT").or(format);
        Log {
            level: level.and_then(|setting| setting.parse(value::level)).unwrap_or(tracing::Level::INFO),
            format: format.and_then(|setting| setting.parse(value::log_format)).unwrap_or(LogFormat::Text),
        }
    }
}

/// One output; `over` are the settings of path, format and mode that win over what is written.
fn output(written: Option<&Setting<'_>>, over: [Option<Setting<'_>>; 3]) -> Option<EnvFile> {
    const PLANNED: &[&str] = &["files", "secrets", "template", "to"];
    let mut fields = match written {
        None => None,
        Some(setting) => Some(setting.fields(&["envFile", "format", "mode"], PLANNED)?),
    };
    let [path, format, mode] = over;
    let mut take = |key| fields.as_mut().and_then(|fields| fields.take(key));
    let (path, format, mode) = (path.or(take("envFile")), format.or(take("format")), mode.or(take("mode")));
    let is_planned = PLANNED.iter().any(|key| take(key).is_some());
    if let (None, false, Some(setting)) = (&path, is_planned, written) {
        setting.problem("an output needs the key envFile, with the path of the file to write");
    }
    let format = format.map_or(Some(FORMATS[0].0), |setting| env_file_format(&setting));
    let mode = mode.map_or(Some(DEFAULT_MODE), |setting| setting.parse(value::mode));
    let path: Option<PathBuf> = path.and_then(|setting| setting.parse(value::file_path));
    Some(EnvFile { path: path?, format: format?, mode: mode? })
}

fn env_file_format(setting: &Setting<'_>) -> Option<Format> {
    let format = Format::by_name(setting.text()?);
    if format.is_none() {
        let known: Vec<_> = FORMATS.iter().map(|format| format.1).collect();
        setting.problem(format_args!("no format of this version; use one of {}", known.join(", ")));
    }
    format
}

/// Stands in for a cloud that has been reported as wrong, so that the rest can still be looked at.
fn nowhere() -> Cloud {
    Cloud { authority: String::new(), vault_suffix: "unknown".to_owned(), allowed_suffixes: Vec::new() }
}
