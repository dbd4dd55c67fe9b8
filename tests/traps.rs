//! What the Azure SDK for Rust does that an agent in a pod must not, and the test that each of these would fail.
//!
//! The cures are in `src/source/vault`. Where a test is not in `tests/traps`, it is about more than the trap; paths of
//! unit tests are those of their modules.
//!
//! | Trap | Test |
//! |---|---|
//! | a missing IMDS is reported after 100 s | `tests/traps/patience.rs`: `a_missing_imds_is_known_at_once` |
//! | IMDS that is not ready is asked again in silence | `tests/vault_source/identity.rs`: `imds_may_not_be_ready` |
//! | a bad certificate is reported after 82 s | `tests/vault_source/way.rs`: `an_unknown_issuer_is_known_at_once_and_leads_to_ca_file` |
//! | a refused connection is reported after 82 s | `tests/vault_source/way.rs`: `a_refused_connection_is_known_at_once` |
//! | a name that does not resolve likewise | `tests/vault_source/way.rs`: `a_name_that_resolves_nowhere_is_known_soon` |
//! | a server without an answer is waited for twice 60 s | `tests/failures.rs`: `every_failure_is_met_as_documented` |
//! | `Retry-After` is slept out before anything is said | `tests/traps/patience.rs`: `a_long_retry_after_is_reported_at_once` |
//! | `Retry-After` has no upper bound | `src/source/vault/transport/refusal.rs`: `retry_after_is_seconds_or_a_date_and_bounded` |
//! | JSON escapes in Key Vault's errors hide the code | `src/source/vault/transport/refusal.rs`: `key_vault_says_what_is_forbidden` |
//! | JSON escapes in Entra's errors hide status and number | `src/source/vault/transport/refusal.rs`: `entra_speaks_in_numbers_and_its_trace_ids_are_left_out` |
//! | an error's own text hides or quotes what happened | `src/source/vault/error/tests.rs`: `a_text_that_may_quote_a_secret_is_never_shown` |
//! | `..` in a name leads out of `/secrets` | `tests/traps/way.rs`: `a_name_with_dots_never_becomes_a_path` |
//! | `nextLink` is followed to any host | `tests/traps/way.rs`: `the_next_page_of_a_list_is_not_fetched_from_another_host` |
//! | the bearer token goes to any host | `src/source/vault/transport/mod.rs`: `a_request_to_a_foreign_host_is_not_sent` |
//! | a revoked token is sent until it expires | `tests/vault_source/identity.rs`: `a_revoked_token_is_replaced_at_once` |
//! | a renewal holds up every request | `tests/traps/token.rs`: `a_renewal_that_hangs_holds_up_no_request` |
//! | a renewal that fails is noticed | `tests/vault_source/identity.rs`: `a_token_is_renewed_while_the_old_one_still_works` |
//! | a token for less than 5 minutes is asked for at every call | `tests/traps/token.rs`: `a_short_lived_token_is_used_more_than_once` |
//! | a federated token is sent with its line end | `tests/vault_source/identity.rs`: `the_token_file_is_read_anew_and_without_its_line_end` |
//! | a federated token is kept for 10 minutes | `tests/vault_source/identity.rs`: `the_token_file_is_read_anew_and_without_its_line_end` |
//! | a lifetime beyond all times panics | `tests/exec/trouble.rs`: `a_token_that_lasts_longer_than_time_does_not_end_the_child` |
//! | without CA files the constructors panic | `tests/traps/way.rs`: `an_image_without_ca_files_will_do` |
//! | without a transport the constructors panic | `tests/vault_source/identity.rs`: `a_managed_identity_gets_its_token_from_imds` |
//! | proxy variables capture IMDS | `tests/traps/way.rs`: `proxy_variables_capture_nothing` |
//! | a client certificate needs OpenSSL, and is not read again | `tests/vault_source/identities.rs`: `a_certificate_signs_assertions_and_may_be_replaced` |
//! | a client secret is kept for good | `tests/vault_source/identities.rs`: `a_client_secret_is_read_anew_from_its_file` |
//! | the status of `az` is lost where all children are reaped | `tests/identity.rs`: `in_exec_the_end_of_az_is_nobody_elses` |
//! | `az` may take for ever | `src/source/vault/identity/cli.rs`: `one_that_takes_too_long_is_ended_with_all_that_it_started` |
//! | a numeric `expires_on` is refused | `tests/vault_source/identities.rs`: `the_end_of_a_token_may_be_a_number` |
//! | every client's first request goes without a token | `tests/vault_source.rs`: `many_secrets_cost_one_token_and_one_request_each` |
//! | parallel first requests lose the token again | `tests/vault_source.rs`: `many_secrets_cost_one_token_and_one_request_each` |
//! | the challenge chooses whom the token is for | `tests/vault_source/identity.rs`: `a_token_that_stays_refused_is_reported_and_not_asked_for_without_end` |
//! | `RUST_BACKTRACE` prints backtraces with errors | `tests/traps/patience.rs`: `no_backtrace_is_ever_printed` |
//! | a value is a plain string that shows itself | `src/secret.rs`: `debug_shows_nothing_of_the_value` |

#![allow(clippy::unwrap_used)]

#[path = "traps/metadata.rs"]
mod metadata;
#[path = "traps/patience.rs"]
mod patience;
mod support;
#[path = "traps/token.rs"]
mod token;
#[path = "traps/way.rs"]
mod way;

use std::{fs, path::Path};

#[test]
fn the_index_names_tests_that_exist() {
    let rows = include_str!("traps.rs").lines().filter_map(|line| line.strip_prefix("//! | "));
    let mut entries = 0;
    // The first is the head of the table.
    for row in rows.skip(1) {
        let entry = row.rsplit(" | ").next().and_then(|cell| cell.split_once("`: `"));
        let (file, name) = entry.unwrap_or_else(|| panic!("no test in {row:?}"));
        let (file, name) = (file.trim_start_matches('`'), name.trim_end_matches("` |"));
        let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file));
        let source = source.unwrap_or_else(|error| panic!("{file}: {error}"));
        // Unit tests are in a module.
        let is_there =
            ["", "    "].iter().any(|indent| source.contains(&format!("#[test]\n{indent}fn {name}()")));
        assert!(is_there, "{file} has no test {name}");
        entries += 1;
    }
    assert!(entries > 20, "only {entries} entries were understood");
}
