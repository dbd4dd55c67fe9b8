//! What an identity is completed with, and what is said where it cannot be.

use super::*;
use std::collections::BTreeMap;

const WORKLOAD: [(&str, &str); 3] =
    [(v::TENANT_ID, "tenant"), (v::CLIENT_ID, "client"), (v::TOKEN_FILE, "/token")];
const ENDPOINT: [(&str, &str); 2] = [(v::IDENTITY_ENDPOINT, "http://127.0.0.1/"), (v::IDENTITY_HEADER, "x")];

fn resolved(wanted: &config::Identity, set: &[(&str, &str)]) -> Result<Identity, String> {
    let set: BTreeMap<_, _> = set.iter().copied().collect();
    let variables = Variables::new(&|name| set.get(name).map(|value| (*value).to_owned()));
    match Identity::resolve(wanted, &variables) {
        Ok(chosen) => Ok(chosen.identity),
        Err(failure) => {
            assert_eq!(failure.class, Class::Config);
            Err(failure.message)
        }
    }
}

fn with<'a>(set: &[(&'a str, &'a str)], more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    set.iter().chain(more).copied().collect()
}

fn federation() -> Federation {
    Federation { tenant_id: "tenant".into(), client_id: "client".into(), token_file: "/token".into() }
}

fn workload() -> config::Identity {
    config::Identity::Workload(config::Federation::default())
}

fn binding(proxy: config::TokenProxy) -> config::Identity {
    config::Identity::Binding { federation: config::Federation::default(), proxy }
}

fn principal(wanted: config::ServicePrincipal) -> config::Identity {
    config::Identity::ServicePrincipal(wanted)
}

#[test]
fn what_is_configured_wins_over_the_environment() {
    let wanted = config::Federation { client_id: Some("other".into()), ..config::Federation::default() };
    let expected = Federation { client_id: "other".into(), ..federation() };
    let got = resolved(&config::Identity::Workload(wanted), &WORKLOAD);
    assert_eq!(got, Ok(Identity::Workload(expected)));
    assert_eq!(resolved(&workload(), &WORKLOAD), Ok(Identity::Workload(federation())));
}

#[test]
fn everything_that_is_missing_is_named_at_once() {
    let text = resolved(&workload(), &[]).unwrap_err();
    for part in [v::TENANT_ID, v::CLIENT_ID, v::TOKEN_FILE, "azure.workload.identity/use: \"true\""] {
        assert!(text.contains(part), "{text}");
    }
    let text = resolved(&binding(config::TokenProxy::default()), &WORKLOAD).unwrap_err();
    assert!(text.contains(v::TOKEN_PROXY) && text.contains("use-identity-binding"), "{text}");
    assert!(!text.contains(v::CLIENT_ID), "{text}");
    let text = resolved(&principal(config::ServicePrincipal::default()), &[]).unwrap_err();
    for part in [v::TENANT_ID, v::CLIENT_ID, v::CLIENT_SECRET, v::CERTIFICATE] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_malformed_variable_is_named_and_not_repeated() {
    let set = [(v::TENANT_ID, "ten/ant"), (v::CLIENT_ID, "client"), (v::TOKEN_FILE, "/token")];
    let text = resolved(&workload(), &set).unwrap_err();
    assert!(text.starts_with("AZURE_TENANT_ID: ") && !text.contains("ten/ant"), "{text}");
}

#[test]
fn a_token_proxy_has_one_source_of_trust() {
    let proxy = |more: &[(&str, &str)]| {
        let set = with(&WORKLOAD, &[(v::TOKEN_PROXY, "https://10.0.0.1/sub/path")]);
        match resolved(&binding(config::TokenProxy::default()), &with(&set, more)) {
            Ok(Identity::Binding(_, proxy)) => Ok((proxy.server_name, proxy.ca)),
            Ok(other) => panic!("{other:?}"),
            Err(text) => Err(text),
        }
    };
    let name = (v::PROXY_NAME, "proxy.example");
    let file = (v::PROXY_CA_FILE, "/ca.pem");
    let data = (v::PROXY_CA_DATA, "pem");
    assert_eq!(proxy(&[]), Ok((None, ProxyCa::Known)));
    assert_eq!(proxy(&[name, file]), Ok((Some("proxy.example".into()), ProxyCa::File("/ca.pem".into()))));
    assert_eq!(proxy(&[data]), Ok((None, ProxyCa::Data("pem".into()))));
    assert!(proxy(&[file, data]).unwrap_err().contains("both set"));
    assert!(proxy(&[(v::PROXY_NAME, "no name")]).unwrap_err().starts_with("AZURE_KUBERNETES_SNI_NAME: "));
    for url in ["http://a", "https://user@a", "https://a?b", "nonsense"] {
        let set = with(&WORKLOAD, &[(v::TOKEN_PROXY, url)]);
        let text = resolved(&binding(config::TokenProxy::default()), &set).unwrap_err();
        assert!(text.starts_with("AZURE_KUBERNETES_TOKEN_PROXY: ") && !text.contains(url), "{text}");
    }
}

#[test]
fn a_managed_identity_is_the_one_of_azure_client_id_unless_it_is_named() {
    let managed = |id| Ok(Identity::Managed(id));
    let client = UserAssigned::ClientId("client".into());
    let object = UserAssigned::ObjectId("object".into());
    assert_eq!(resolved(&config::Identity::Managed(None), &[]), managed(None));
    assert_eq!(resolved(&config::Identity::Managed(None), &WORKLOAD), managed(Some(client)));
    let wanted = config::Identity::Managed(Some(object.clone()));
    assert_eq!(resolved(&wanted, &WORKLOAD), managed(Some(object)));
}

#[test]
fn a_platform_whose_endpoint_the_sdk_cannot_use_is_refused() {
    let resource = UserAssigned::ResourceId("/subscriptions/a".into());
    let managed = config::Identity::Managed;
    for (wanted, set, words) in [
        (managed(None), with(&ENDPOINT, &[(v::THUMBPRINT, "x")]), "Service Fabric"),
        (managed(None), with(&ENDPOINT[..1], &[(v::ARC_ENDPOINT, "x")]), "Azure Arc"),
        (managed(None), vec![(v::MSI_ENDPOINT, "x")], "MSI_ENDPOINT is set"),
        (managed(Some(resource)), ENDPOINT.to_vec(), "does not know resourceId"),
        (config::Identity::Pod(None), ENDPOINT.to_vec(), "use managed, or unset it"),
    ] {
        let text = resolved(&wanted, &set).unwrap_err();
        assert!(text.contains(words), "{text}");
    }
    assert_eq!(resolved(&managed(None), &ENDPOINT), Ok(Identity::Managed(None)));
}

#[test]
fn a_service_principal_takes_what_is_configured_and_else_a_secret_before_a_certificate() {
    let proof = |wanted, more: &[(&str, &str)]| match resolved(&principal(wanted), &with(&WORKLOAD, more)) {
        Ok(Identity::ServicePrincipal { proof, .. }) => proof,
        other => panic!("{other:?}"),
    };
    let none = config::ServicePrincipal::default;
    let variables = [
        (v::CLIENT_SECRET, "s"),
        (v::CERTIFICATE, "/c"),
        (v::CERTIFICATE_PASSWORD, "p"),
        (v::SEND_CHAIN, "TRUE"),
    ];
    let variable = |text: &str| Held::Variable(SecretValue::new(text));
    assert_eq!(proof(none(), &variables), Proof::Secret(variable("s")));
    let certificate =
        |file: &str, password| Proof::Certificate { file: file.into(), password, send_chain: true };
    assert_eq!(proof(none(), &variables[1..]), certificate("/c", Some(variable("p"))));
    let wanted = config::ServicePrincipal {
        certificate_file: Some("/mine".into()),
        certificate_password_file: Some("/password".into()),
        ..none()
    };
    assert_eq!(proof(wanted, &variables), certificate("/mine", Some(Held::File("/password".into()))));
    let wanted = config::ServicePrincipal { secret_file: Some("/secret".into()), ..none() };
    assert_eq!(proof(wanted, &variables), Proof::Secret(Held::File("/secret".into())));
}

#[test]
fn nothing_shows_a_secret_that_it_holds() {
    let set = with(&WORKLOAD, &[(v::CLIENT_SECRET, "canary")]);
    let variables =
        Variables::new(&|name| set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).into()));
    let chosen = Identity::resolve(&config::Identity::Auto, &variables).expect("complete");
    let shown = format!("{variables:?} {chosen:?} {}", chosen.identity);
    assert!(shown.contains("service principal client") && !shown.contains("canary"), "{shown}");
}
