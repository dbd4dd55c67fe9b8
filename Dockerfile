# The agent's image: the static binary and nothing else; the public certificate authorities are in the
# binary. Two ways to it.
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
# Docker takes the same commands. `make image` does the first and says how large it is.

# Any image with bash, a C compiler and a Rust toolchain will do. A registry of one's own, or a digest:
# --build-arg BUILD_IMAGE=registry.example/rust@sha256:...
ARG BUILD_IMAGE=docker.io/library/rust:1.95-bookworm

FROM scratch AS base
# The commit is for the one who builds to say: --label org.opencontainers.image.revision=...
LABEL org.opencontainers.image.title="akv-agent" \
      org.opencontainers.image.description="Azure Key Vault secrets as environment variables that follow rotation" \
      org.opencontainers.image.url="https://github.com/akv-agent/akv-agent" \
      org.opencontainers.image.source="https://github.com/akv-agent/akv-agent" \
      org.opencontainers.image.documentation="https://github.com/akv-agent/akv-agent/blob/v0.1.0/README.md" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
# By number, because there is no list of users; any other but 0 works too.
USER 65532:65532

# Before the stage that compiles: some builders run every stage up to their target.
FROM base AS prebuilt
COPY --chmod=0755 akv-agent /usr/local/bin/akv-agent
ENTRYPOINT ["/usr/local/bin/akv-agent"]

FROM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY . .
# For the processor that this stage runs on. The caches, by which a second build compiles only what
# has changed, are no part of the image, so the binary is moved out.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cp "$(scripts/build | tail -n 1)" /akv-agent

FROM base
# On the default PATH, where probes find it by name, and not where manifests mount a volume.
COPY --from=build --chmod=0755 /akv-agent /usr/local/bin/akv-agent
ENTRYPOINT ["/usr/local/bin/akv-agent"]
