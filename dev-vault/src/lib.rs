//! A Key Vault and Microsoft Entra look-alike for tests and demonstrations. It is never shipped, and keeps
//! nothing safe: its only authority lives for one run and its tokens are checked only against what it issued.
//!
//! ```text
//!  TLS listener ----+                      +-> api::vault ----> store
//!                   +-> server -> faults --+-> api::entra ----> world (identity, tokens)
//!  plain listener --+      |               +-> api::imds -----> world
//!                          +-> throttle    +-> api::control --> faults, throttle, log
//!                          +-> log
//! ```
//!
//! The interfaces in `api` are plain functions from a request to an answer. Only `server` knows sockets, and only
//! `builder` and the program start anything. [`csi`] lays out a volume the way the Secrets Store CSI driver does.
//!
//! ```
//! use dev_vault::DevVault;
//!
//! let vault = DevVault::builder().secret("db-password", "old").start()?;
//! let version = vault.set_secret("db-password", "new");
//! let url = format!("{}/secrets/db-password/{version}?api-version=7.6", vault.url());
//! let token = format!("Bearer {}", vault.issue_token());
//! let reply = vault.client()?.send("GET", &url, &[("authorization", &token)], "")?;
//! assert_eq!(reply.json()["value"], "new");
//! # Ok::<(), std::io::Error>(())
//! ```

mod api;
mod builder;
mod client;
mod client_certificate;
mod crypto;
pub mod csi;
mod faults;
mod log;
mod payload;
mod seed;
mod server;
mod store;
mod throttle;
mod tls;
mod token_proxy;
mod util;
mod vault;
mod world;

pub use builder::Builder;
pub use client::{Client, Reply, VaultClient};
pub use crypto::{CertificateFormat, KeyType};
pub use faults::{Action, Endpoint, Fault, Faults};
pub use log::RequestRecord;
pub use store::{Attributes, CertificateSpec, DEFAULT_VAULT};
pub use throttle::{Throttle, Traffic};
pub use vault::{DevVault, Vault};
