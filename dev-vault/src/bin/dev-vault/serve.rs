//! `dev-vault serve`: from the options to the ready line, and to the end on a signal.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;
use std::{fs, path};

use dev_vault::{Builder, DevVault};
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Serve;

pub(crate) fn serve(options: Serve) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Caught before anybody can know that we are ready.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;

        let vault = builder(options)?.start()?;
        let env = vault.dir().join("env");
        fs::write(&env, exports(&vault))?;
        let (url, plain) = (vault.url(), vault.imds_url());
        writeln!(io::stdout(), "ready url={url} plain={plain} env={}", env.display())?;

        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok(())
    })
}

fn builder(options: Serve) -> io::Result<Builder> {
    let mut builder = DevVault::builder();
    if let Some(file) = options.seed {
        builder = fs::read_to_string(&file)
            .and_then(|yaml| builder.seed(&yaml))
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))?;
    }
    if let Some(dir) = options.dir {
        builder = builder.dir(&path::absolute(dir)?);
    }
    if let Some(address) = options.listen {
        builder = builder.listen(address);
    }
    if let Some(address) = options.plain {
        builder = builder.plain(address);
    }
    for name in options.sans {
        builder = builder.san(&name);
    }
    if let Some(url) = options.challenge_resource {
        builder = builder.challenge_resource(&url);
    }
    if let Some(lifetime) = options.token_lifetime {
        builder = builder.token_lifetime(lifetime);
    }
    if let Some(throttle) = options.throttle {
        builder = builder.throttle(throttle);
    }
    Ok(builder)
}

/// Lines of shell with everything a client needs.
fn exports(vault: &DevVault) -> String {
    let path = |path: &Path| path.display().to_string();
    let ca_file = path(&vault.ca_file());
    let variables = [
        ("AZURE_AUTHORITY_HOST", vault.authority()),
        ("AZURE_TENANT_ID", vault.tenant_id().to_owned()),
        ("AZURE_CLIENT_ID", vault.client_id().to_owned()),
        ("AZURE_FEDERATED_TOKEN_FILE", path(&vault.federated_token_file())),
        ("AZURE_POD_IDENTITY_AUTHORITY_HOST", vault.imds_url()),
        ("SSL_CERT_FILE", ca_file.clone()),
        ("REQUESTS_CA_BUNDLE", ca_file),
        ("DEV_VAULT_URL", vault.url()),
        ("DEV_VAULT_PLAIN", vault.imds_url()),
        ("DEV_VAULT_CLIENT_SECRET", vault.client_secret().to_owned()),
        ("DEV_VAULT_CLIENT_CERTIFICATE", path(&vault.client_certificate_file())),
        ("DEV_VAULT_IDENTITY_HEADER", vault.identity_header().to_owned()),
    ];
    let mut lines = String::new();
    for (name, value) in variables {
        let _ = writeln!(lines, "export {name}='{}'", value.replace('\'', r"'\''"));
    }
    lines
}
