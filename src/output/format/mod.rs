//! How an env file looks for its reader. Each format round-trips every value that it accepts through its real
//! reader, and refuses the others by name.
//!
//! All of them are a few bytes around names and values, so they are variants of one type and not types of
//! one trait: [`Format::line`] shows them beside each other.

mod limit;
#[cfg(test)]
mod tests;
mod value;

/// One way to write variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// What a POSIX shell reads with `.`; the variables reach what the shell starts.
    Shell,
    /// What the kubelet reads for `fileKeyRef` (KEP-3721, Kubernetes 1.35 and later).
    Kubelet,
    /// What `docker` and `podman` read with `--env-file`.
    Docker,
    /// One JSON object (RFC 8259) whose members are strings.
    Json,
    /// A mapping whose values are strings, in YAML 1.1 as in 1.2. Names are in quotes too, since without them
    /// `NO`, `null` and some others are no text.
    Yaml,
    /// What Java reads with `java.util.Properties`, and Spring Boot with `spring.config.import`.
    Properties,
}

/// Every format, and its name in the configuration. The first one is the default.
pub const FORMATS: [(Format, &str); 6] = [
    (Format::Shell, "shell"),
    (Format::Kubelet, "kubelet"),
    (Format::Docker, "docker"),
    (Format::Json, "json"),
    (Format::Yaml, "yaml"),
    (Format::Properties, "properties"),
];

/// What a format refuses, and what to use instead; never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the format '{format}' cannot express {what}; {remedy}")]
pub struct Inexpressible {
    /// Which format.
    pub format: &'static str,
    /// What it cannot express.
    pub what: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

/// At most how many bytes [`Format::finish`] appends.
pub const END: usize = 3;

/// At most how many bytes [`Format::line`] appends, in any format.
pub fn bound(variable: &str, value: &[u8]) -> usize {
    // What is escaped becomes six bytes, and no format has more than sixteen around name and value.
    let is_escaped = |byte: &&u8| !matches!(byte, b' '..=b'~') || matches!(byte, b'\\' | b'\'' | b'"');
    16 + variable.len() + value.len() + 5 * value.iter().filter(is_escaped).count()
}

impl Format {
    /// The format called `name`.
    pub fn by_name(name: &str) -> Option<Self> {
        FORMATS.iter().find(|format| format.1 == name).map(|format| format.0)
    }

    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        FORMATS[self as usize].1
    }

    /// Appends one variable, or nothing.
    pub fn line(self, variable: &str, value: &[u8], out: &mut Vec<u8>) -> Result<(), Inexpressible> {
        limit::check_value(self, variable, value).map_err(|refusal| self.refuse(refusal))?;
        let (before, between, after) = match self {
            Self::Shell => ("export ", "='", "'\n"),
            Self::Kubelet => ("", "='", "'\n"),
            Self::Docker | Self::Properties => ("", "=", "\n"),
            Self::Json if out.is_empty() => ("{\n  \"", "\": \"", "\""),
            Self::Json => (",\n  \"", "\": \"", "\""),
            Self::Yaml => ("\"", "\": \"", "\"\n"),
        };
        for part in [before, variable, between] {
            out.extend_from_slice(part.as_bytes());
        }
        match self {
            Self::Shell => value::push_quoted(value, out),
            Self::Kubelet | Self::Docker => out.extend_from_slice(value),
            Self::Json | Self::Yaml | Self::Properties => {
                value::push_escaped(value, self == Self::Properties, out);
            }
        }
        out.extend_from_slice(after.as_bytes());
        Ok(())
    }

    /// Completes the file, and checks it as a whole.
    pub fn finish(self, content: &mut Vec<u8>) -> Result<(), Inexpressible> {
        let end = match self {
            Self::Json if !content.is_empty() => "\n}\n",
            // Nothing at all would be null.
            Self::Json | Self::Yaml if content.is_empty() => "{}\n",
            _ => "",
        };
        content.extend_from_slice(end.as_bytes());
        limit::check_file(self, content).map_err(|refusal| self.refuse(refusal))
    }

    /// Whether it is the app that reads the file. Who reads it for an app does so some time before the app is
    /// started.
    pub fn is_for_the_app(self) -> bool {
        !matches!(self, Self::Kubelet | Self::Docker)
    }

    fn refuse(self, (what, remedy): limit::Refusal) -> Inexpressible {
        Inexpressible { format: self.name(), what, remedy }
    }
}
