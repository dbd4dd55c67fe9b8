//! Reading and writing secrets by the REST calls that any client makes: challenge, token, call.

use std::path::PathBuf;
use std::{env, fs, io};

use serde_json::{Value, json};

use super::{Client, Reply};

const API_VERSION: &str = "7.6";

/// A client of one dev vault's secrets, with a workload identity.
#[derive(Debug)]
pub struct VaultClient {
    client: Client,
    authority: String,
    tenant_id: String,
    client_id: String,
    federated_token_file: PathBuf,
}

impl VaultClient {
    /// A client from the variables that `dev-vault serve` writes into its file `env`.
    pub fn from_env() -> io::Result<Self> {
        let ca_file = variable("SSL_CERT_FILE")?;
        let ca_pem = fs::read_to_string(&ca_file).map_err(|error| named(&ca_file, &error))?;
        Ok(Self {
            client: Client::trusting(&ca_pem)?,
            authority: variable("AZURE_AUTHORITY_HOST")?,
            tenant_id: variable("AZURE_TENANT_ID")?,
            client_id: variable("AZURE_CLIENT_ID")?,
            federated_token_file: variable("AZURE_FEDERATED_TOKEN_FILE")?.into(),
        })
    }

    /// The value of a secret's latest version.
    pub fn get(&self, vault: &str, name: &str) -> io::Result<String> {
        let bundle = self.call("GET", vault, name, &Value::Null)?;
        text(&bundle, "value")
    }

    /// Writes a new version and returns its identifier.
    pub fn set(&self, vault: &str, name: &str, value: &str) -> io::Result<String> {
        let bundle = self.call("PUT", vault, name, &json!({"value": value}))?;
        let id = text(&bundle, "id")?;
        Ok(id.rsplit('/').next().unwrap_or_default().to_owned())
    }

    fn call(&self, method: &str, vault: &str, name: &str, body: &Value) -> io::Result<Value> {
        let url = format!("{}/secrets/{name}?api-version={API_VERSION}", vault.trim_end_matches('/'));
        let challenge = self.client.send(method, &url, &[], "")?;
        let resource = challenge
            .header("www-authenticate")
            .and_then(resource_in)
            .ok_or_else(|| refused("the vault sent no challenge", &challenge))?;
        let token = self.token(resource)?;
        let headers = [("authorization", &*format!("Bearer {token}")), ("content-type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let reply = self.client.send(method, &url, &headers, body)?;
        if reply.status == 200 { Ok(reply.json()) } else { Err(refused("the vault refused", &reply)) }
    }

    fn token(&self, resource: &str) -> io::Result<String> {
        let file = &self.federated_token_file;
        let assertion =
            fs::read_to_string(file).map_err(|error| named(&file.display().to_string(), &error))?;
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &self.client_id)
            .append_pair("scope", &format!("{resource}/.default"))
            .append_pair("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
            .append_pair("client_assertion", &assertion)
            .finish();
        let authority = self.authority.trim_end_matches('/');
        let url = format!("{authority}/{}/oauth2/v2.0/token", self.tenant_id);
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let reply = self.client.send("POST", &url, &headers, form)?;
        if reply.status == 200 {
            text(&reply.json(), "access_token")
        } else {
            Err(refused("no token was issued", &reply))
        }
    }
}

fn resource_in(challenge: &str) -> Option<&str> {
    challenge.split_once("resource=\"")?.1.split_once('"').map(|(resource, _)| resource)
}

fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(|_| {
        io::Error::new(
            io::ErrorKind::NotFound,
            format!("{name} is not set; read the file env that serve has written: . DIR/env"),
        )
    })
}

fn text(json: &Value, member: &str) -> io::Result<String> {
    json[member]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("the answer has no {member}")))
}

fn refused(what: &str, reply: &Reply) -> io::Error {
    io::Error::other(format!("{what}: {} {}", reply.status, String::from_utf8_lossy(&reply.body)))
}

fn named(path: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{path}: {error}"))
}
