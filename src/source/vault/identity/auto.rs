//! Which identity the environment offers. Decided by what is set, never by trying: a try that cannot work
//! costs seconds at every start, and one that works by accident is somebody else's identity.

use super::{Variables, variables as v};
use crate::config::{Federation, Identity, ServicePrincipal, TokenProxy};

/// The identity, with all its options from the environment, and because of what it was chosen.
pub(super) fn choose(variables: &Variables) -> (Identity, &'static str) {
    let has = |names: &[&str]| names.iter().all(|name| variables.has(name));
    let is_application = has(&[v::TENANT_ID, v::CLIENT_ID]);
    if is_application && has(&[v::CLIENT_SECRET]) {
        let because = "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET are set";
        return (Identity::ServicePrincipal(ServicePrincipal::default()), because);
    }
    if is_application && has(&[v::CERTIFICATE]) {
        let because = "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_CERTIFICATE_PATH are set";
        return (Identity::ServicePrincipal(ServicePrincipal::default()), because);
    }
    if has(&[v::TOKEN_PROXY, v::TOKEN_FILE]) {
        let identity = Identity::Binding { federation: Federation::default(), proxy: TokenProxy::default() };
        return (identity, "AZURE_KUBERNETES_TOKEN_PROXY and AZURE_FEDERATED_TOKEN_FILE are set");
    }
    if has(&[v::TOKEN_FILE]) {
        return (Identity::Workload(Federation::default()), "AZURE_FEDERATED_TOKEN_FILE is set");
    }
    if has(&[v::IDENTITY_ENDPOINT]) {
        return (Identity::Managed(None), "IDENTITY_ENDPOINT is set");
    }
    if has(&[v::IN_KUBERNETES]) {
        let because =
            "this is a pod (KUBERNETES_SERVICE_HOST is set) without the variables of another identity";
        return (Identity::Managed(None), because);
    }
    if variables.finds_command("az") {
        let identity = Identity::AzureCli { tenant_id: None, subscription: None };
        return (identity, "az is in PATH, and nothing names another identity");
    }
    (Identity::Managed(None), "nothing names another identity")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    fn chosen(names: &[&str]) -> String {
        let lookup = |name: &str| names.contains(&name).then(|| "x".to_owned());
        let (identity, because) = choose(&Variables::new(&lookup));
        let kind = match identity {
            Identity::ServicePrincipal(_) => "service principal",
            Identity::Binding { .. } => "binding",
            Identity::Workload(_) => "workload",
            Identity::Managed(None) => "managed",
            Identity::AzureCli { .. } => "cli",
            other => panic!("{other:?}"),
        };
        format!("{kind}: {because}")
    }

    #[test]
    fn the_order_is_the_documented_one() {
        let mut set = vec![
            v::TENANT_ID,
            v::CLIENT_ID,
            v::CLIENT_SECRET,
            v::CERTIFICATE,
            v::TOKEN_PROXY,
            v::TOKEN_FILE,
            v::IDENTITY_ENDPOINT,
            v::IN_KUBERNETES,
        ];
        let mut without = |name: &str| {
            set.retain(|other| *other != name);
            chosen(&set)
        };
        for (name, expected) in [
            ("none", "service principal: AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"),
            (v::CLIENT_SECRET, "service principal: AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_CERT"),
            (v::CERTIFICATE, "binding: AZURE_KUBERNETES_TOKEN_PROXY"),
            (v::TOKEN_PROXY, "workload: AZURE_FEDERATED_TOKEN_FILE"),
            (v::TOKEN_FILE, "managed: IDENTITY_ENDPOINT"),
            (v::IDENTITY_ENDPOINT, "managed: this is a pod"),
            (v::IN_KUBERNETES, "managed: nothing"),
        ] {
            let got = without(name);
            assert!(got.starts_with(expected), "without {name}: {got}");
        }
    }

    #[test]
    fn half_a_service_principal_is_none() {
        for names in [
            &[v::CLIENT_ID, v::CLIENT_SECRET, v::TOKEN_FILE][..],
            &[v::TENANT_ID, v::CERTIFICATE, v::TOKEN_FILE],
            &[v::TENANT_ID, v::CLIENT_ID, v::TOKEN_FILE],
        ] {
            assert!(chosen(names).starts_with("workload: "), "{names:?}");
        }
        assert!(chosen(&[v::TOKEN_PROXY]).starts_with("managed: "));
    }

    #[test]
    fn the_cli_counts_only_where_nothing_else_does_and_az_can_be_run() {
        let directory = tempfile::tempdir().expect("a directory");
        let az = directory.path().join("az");
        let path = format!("relative:{}", directory.path().display());
        let with = |name: &str| {
            let lookup = |asked: &str| match asked {
                "PATH" => Some(path.clone()),
                asked => (asked == name).then(|| "x".to_owned()),
            };
            matches!(choose(&Variables::new(&lookup)).0, Identity::AzureCli { .. })
        };
        fs::write(&az, "").expect("a file");
        fs::set_permissions(&az, fs::Permissions::from_mode(0o600)).expect("a mode");
        assert!(!with(""), "not executable");
        fs::set_permissions(&az, fs::Permissions::from_mode(0o700)).expect("a mode");
        assert!(with(""));
        assert!(!with(v::IN_KUBERNETES));
        assert!(!with(v::TOKEN_FILE));
    }
}
