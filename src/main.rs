//! The `akv-agent` binary: arguments in, exit code out. Everything else is the library's.

use std::process::ExitCode;
use zeroizing_alloc::ZeroAlloc;

/// Wipes whatever is freed. A secret passes through buffers of the TLS, HTTP and JSON libraries and of the SDK
/// before it is ours, and none of those wipes what it lets go.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<std::alloc::System> = ZeroAlloc(std::alloc::System);

fn main() -> ExitCode {
    ExitCode::from(akv_agent::command::main(std::env::args_os().skip(1)).0)
}
