# The agent's image: the static binary and nothing else. Two ways to it.
#
# From source, in an image that has a Rust toolchain:
#
#   podman build --tag akv-agent .
#
# From a binary that was built before (`make build`), without any other image.
# The context is the directory that the binary lies in:
#
#   podman build --tag akv-agent --file Dockerfile --target prebuilt \
#       target/x86_64-unknown-linux-musl/release
#
# Docker takes the same commands.

ARG BUILD_IMAGE=docker.io/library/rust:1.95-bookworm

FROM scratch AS base
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="akv-agent" \
      org.opencontainers.image.description="Azure Key Vault secrets as environment variables that follow rotation" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
# By number, because there is no list of users; any other but 0 works too.
USER 65532:65532

# Before the stage that compiles: some builders run every stage up to their target.
FROM base AS prebuilt
COPY --chmod=0755 akv-agent /usr/local/bin/akv-agent
ENTRYPOINT ["/usr/local/bin/akv-agent"]

FROM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY . .
# Caches, so that a second build compiles only what has changed. The binary is
# moved out because they are no part of the image.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    set -eu; \
    target="$(uname -m)-unknown-linux-musl"; \
    rustup target add "$target"; \
    env "CC_$(echo "$target" | tr - _)=gcc" \
        cargo build --locked --release --package akv-agent --target "$target"; \
    cp "target/$target/release/akv-agent" /akv-agent

FROM base
# On the default PATH, where probes find it by name, and not where manifests mount a volume.
COPY --from=build /akv-agent /usr/local/bin/akv-agent
ENTRYPOINT ["/usr/local/bin/akv-agent"]
