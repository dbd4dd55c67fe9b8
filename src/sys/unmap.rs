//! Giving up the pages of the program itself.

use libc::{Elf64_Phdr, PF_W, PT_LOAD, c_int, c_void, dl_phdr_info, size_t};
use nix::unistd::{SysconfVar, sysconf};

/// Unmaps the pages of the running program that are never written to: its code and its constants. What is used of
/// them next comes back from the page cache, and only that: not the two megabytes around it, as where file systems
/// have huge pages. `dl_iterate_phdr(3)`, madvise(2) with `MADV_NOHUGEPAGE` and `MADV_DONTNEED`.
pub fn unmap_program() {
    // SAFETY: the callback has the right type, keeps nothing of what it is given, and is given no data.
    unsafe { libc::dl_iterate_phdr(Some(unmap), std::ptr::null_mut()) };
}

/// Called with the program first, and told by its answer that this was all: the rest are other objects.
unsafe extern "C" fn unmap(object: *mut dl_phdr_info, _: size_t, _: *mut c_void) -> c_int {
    // SAFETY: the caller passes an object that is valid, with its headers, for the time of this call.
    let (base, segments) = unsafe {
        let object = &*object;
        (object.dlpi_addr, std::slice::from_raw_parts(object.dlpi_phdr, usize::from(object.dlpi_phnum)))
    };
    let Ok(Some(page)) = sysconf(SysconfVar::PAGE_SIZE) else { return 1 };
    for segment in segments {
        if let Some((start, length)) = pages(base, segment, page.unsigned_abs()) {
            // SAFETY: these pages are mapped privately from the program's file. Nobody can write to them, and
            // nobody to the file while it is executed, so that those which come back are the same. The advice
            // is free to fail: then they stay.
            unsafe {
                libc::madvise(start as *mut c_void, length, libc::MADV_NOHUGEPAGE);
                libc::madvise(start as *mut c_void, length, libc::MADV_DONTNEED);
            }
        }
    }
    1
}

/// Start and length of the pages that hold `segment`, of a program at `base`, if nobody writes to it.
fn pages(base: u64, segment: &Elf64_Phdr, page: u64) -> Option<(usize, usize)> {
    if segment.p_type != PT_LOAD || segment.p_flags & PF_W != 0 {
        return None;
    }
    let address = base + segment.p_vaddr;
    let start = address - address % page;
    Some((usize::try_from(start).ok()?, usize::try_from(address - start + segment.p_memsz).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(p_flags: u32, p_vaddr: u64, p_memsz: u64) -> Elf64_Phdr {
        Elf64_Phdr {
            p_type: PT_LOAD,
            p_flags,
            p_offset: 0,
            p_vaddr,
            p_paddr: 0,
            p_filesz: p_memsz,
            p_memsz,
            p_align: 4096,
        }
    }

    #[test]
    fn whole_pages_of_what_is_not_written_to_are_named() {
        let text = segment(libc::PF_R | libc::PF_X, 0x1040, 0x20);
        assert_eq!(pages(0x7000_0000, &text, 0x1000), Some((0x7000_1000, 0x60)));
        assert_eq!(pages(0x7000_0000, &text, 0x1_0000), Some((0x7000_0000, 0x1060)));
        assert_eq!(pages(0, &segment(libc::PF_R | PF_W, 0x1000, 0x20), 0x1000), None);
        assert_eq!(pages(0, &Elf64_Phdr { p_type: libc::PT_TLS, ..text }, 0x1000), None);
    }

    #[test]
    fn a_program_goes_on_without_its_pages() {
        let text = "constants and code come back when they are used";
        unmap_program();
        assert_eq!(text.split(' ').count(), 9);
    }
}
