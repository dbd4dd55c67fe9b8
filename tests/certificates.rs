//! Certificates behind Key Vault secrets, in the parts that apps want, through the real agent.

#![allow(clippy::unwrap_used)]

mod support;

use base64ct::{Base64, Encoding as _};
use dev_vault::DevVault;
use std::{collections::BTreeMap, fs, process::Command};
use support::{Agent, Openssl, Running, Volume, Workdir, read_env_file};

/// One variable for every part.
const PARTS: &str = "LEAF=web#leaf,CHAIN=web#chain,FULLCHAIN=web#fullchain,CA=web#ca,KEY=web#key,PEM=web#pem";

/// The variables that a shell gets from the env file.
fn sourced(shell: &str, work: &Workdir) -> BTreeMap<String, String> {
    let script = "unset PWD OLDPWD SHLVL _; . ./out/app.env && exec env -0";
    let output =
        Command::new(shell).args(["-c", script]).env_clear().current_dir(work.dir()).output().unwrap();
    assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let variable = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    text.split('\0').filter_map(variable).collect()
}

/// Waits until the env file has the chain of this directory in it, and checks every part of it.
fn check(agent: &Running<'_>, work: &Workdir, openssl: &Openssl) {
    let leaf = openssl.read("leaf.pem");
    agent.wait_until("the certificate", || {
        (read_env_file(&work.path("out/app.env"))?.get("LEAF")? == &leaf).then_some(())
    });
    for shell in ["dash", "bash"] {
        let variables = sourced(shell, work);
        let text = |names: &[&str]| openssl.text(names);
        assert_eq!(variables["CHAIN"], text(&["leaf.pem", "intermediate.pem"]));
        assert_eq!(variables["FULLCHAIN"], text(&["leaf.pem", "intermediate.pem", "root.pem"]));
        assert_eq!(variables["CA"], text(&["intermediate.pem", "root.pem"]));
        assert_eq!(variables["PEM"], variables["KEY"].clone() + &variables["FULLCHAIN"]);
        assert_eq!(openssl.public_of_key(&variables["KEY"]), openssl.public_of_certificate(&leaf));
        openssl.verify("root.pem", &variables["CHAIN"]);
    }
}

fn as_pem(openssl: &Openssl) -> String {
    openssl.text(&["leaf.key", "leaf.pem", "intermediate.pem", "root.pem"])
}

fn as_pkcs12(openssl: &Openssl) -> String {
    Base64::encode_string(&openssl.pfx(""))
}

#[test]
fn every_part_of_a_vaults_certificate_follows_its_rotation() {
    for form in [as_pkcs12, as_pem] {
        let work = Workdir::new();
        let certificates = ["rsa:2048", "P-256"].map(Openssl::with_chain);
        let vault = DevVault::builder().secret("web", &form(&certificates[0])).start().unwrap();
        let agent = Agent::sidecar(&work).vault(&vault, PARTS).env_file().set("POLL_INTERVAL", "off").start();
        check(&agent, &work, &certificates[0]);
        vault.set_secret("web", &form(&certificates[1]));
        agent.signal(libc::SIGHUP);
        check(&agent, &work, &certificates[1]);
        agent.stop().expect(0);
    }
}

#[test]
fn a_mounts_certificate_is_read_as_text_and_as_bytes() {
    let openssl = Openssl::with_chain("P-256");
    for value in [openssl.pfx("-legacy"), as_pkcs12(&openssl).into(), as_pem(&openssl).into()] {
        let work = Workdir::new();
        let volume = Volume::empty(&work);
        volume.write_raw(&[("web", value)]);
        let agent = Agent::sidecar(&work).mount(&volume, PARTS).env_file().start();
        check(&agent, &work, &openssl);
    }
}

#[test]
fn an_app_is_given_the_original_file() {
    let work = Workdir::new();
    let openssl = Openssl::with_chain("P-256");
    let file = as_pkcs12(&openssl);
    let vault = DevVault::builder().secret("web", &file).start().unwrap();
    let ended = Agent::exec(&work, &["sh", "-c", "printf %s \"$PFX\" >pfx"])
        .vault(&vault, "PFX=web#pfx")
        .finish()
        .expect(0);
    assert_eq!(work.read("pfx"), file, "{}", ended.scene);
    openssl.write("again.pfx", Base64::decode_vec(&file).unwrap());
    openssl.run("pkcs12 -in again.pfx -passin pass: -noout");
}

#[test]
fn a_key_that_is_not_exportable_is_told_with_the_remedy() {
    let work = Workdir::new();
    let openssl = Openssl::with_chain("P-256");
    let public = Base64::encode_string(&openssl.pfx_of("-nokeys -in leaf.pem"));
    let vault = DevVault::builder().secret("web", &public).start().unwrap();
    let ended =
        Agent::init(&work).vault(&vault, "KEY=web#key").env_file().set("TIMEOUT", "1s").finish().expect(78);
    let complaint = ended.complaints().join("\n");
    for part in ["KEY", "/secrets/web/", "no private key", "`exportable`"] {
        assert!(complaint.contains(part), "{part}: {complaint}");
    }
    // Whoever wants the public half only is served.
    Agent::init(&work).vault(&vault, "LEAF=web#leaf").env_file().finish().expect(0);
    assert_eq!(read_env_file(&work.path("out/app.env")).unwrap()["LEAF"], openssl.read("leaf.pem"));
}

#[test]
fn a_rotation_to_what_is_no_certificate_keeps_the_last_good_set() {
    let work = Workdir::new();
    let openssl = Openssl::with_chain("P-256");
    let vault = DevVault::builder().secret("web", &as_pem(&openssl)).start().unwrap();
    let agent = Agent::sidecar(&work).vault(&vault, PARTS).env_file().set("POLL_INTERVAL", "off").start();
    check(&agent, &work, &openssl);
    let before = fs::read(work.path("out/app.env")).unwrap();
    vault.set_secret("web", &support::secret("no certificate"));
    agent.signal(libc::SIGHUP);
    let problem = agent.wait_for_problem("neither PEM nor PKCS#12");
    assert!(problem.contains("/secrets/web/"), "{problem}");
    assert_eq!(fs::read(work.path("out/app.env")).unwrap(), before);
    vault.set_secret("web", &as_pkcs12(&openssl));
    agent.signal(libc::SIGHUP);
    agent.wait_until_well();
    let ended = agent.stop().expect(0);
    assert!(!ended.err.contains("PRIVATE KEY"), "{}", ended.scene);
}
