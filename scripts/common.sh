# shellcheck shell=bash
# What the other scripts share; to be sourced. Leaves the shell in the root of the
# checkout, in strict mode, and builds set to the target that is shipped.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Tests, measurements and the image all use the static build, so that what is
# tested is what runs in a pod.
target=$(uname -m)-unknown-linux-musl
export CARGO_BUILD_TARGET=$target
# The C compiler for it, as .cargo/config.toml names it for one architecture.
cc_variable=CC_${target//-/_}
export "$cc_variable=${!cc_variable:-gcc}"

# shellcheck disable=SC2034 # for those who source this
{
    target_dir=$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}")
    bin=$target_dir/$target/debug
    tools=$target_dir/tools
    reports=$target_dir/test-report
}

say() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
}

die() {
    say "$@"
    exit 1
}

# The version of everything here.
version() {
    sed -n '/^\[workspace\.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml
}

# Runs a command whose output nobody needs, unless it fails.
quietly() {
    local log status=0
    log=$(mktemp)
    "$@" >"$log" 2>&1 || status=$?
    if [ "$status" -ne 0 ]; then
        say "failed with $status: $*"
        cat "$log" >&2
    fi
    rm -f "$log"
    return "$status"
}

# Installs Debian packages; the caller has found that it needs them.
install_packages() {
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        say "needs the Debian packages '$*' (or the like), and root to install them"
        return 1
    fi
    say "installing $*"
    quietly apt-get update &&
        quietly env DEBIAN_FRONTEND=noninteractive \
            apt-get install --yes --no-install-recommends "$@"
}
