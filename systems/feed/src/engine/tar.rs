//! The frame of a tar archive (POSIX.1-1988 ustar): a header before each file, zeros after it to a whole block, and two
//! empty blocks at the end.

const BLOCK: usize = 512;
/// What an archive ends with.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// The header of a file: its name, of at most 100 bytes, its length, and when it was made in seconds since 1970.
///
/// # Panics
/// For a name that is longer.
pub fn header(name: &str, length: u64, made: u64) -> Vec<u8> {
    assert!(name.len() <= 100, "{name:?} is too long for an archive");
    let mut block = vec![0; BLOCK];
    let mut put = |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000600\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{length:011o}\0"));
    put(136, &format!("{made:011o}\0"));
    // While it is summed up, the sum counts as blanks.
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\0");
    put(263, "00");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// The zeros after a file of this length.
pub fn padding(length: u64) -> Vec<u8> {
    let over = usize::try_from(length % BLOCK as u64).unwrap_or(0);
    vec![0; if over == 0 { 0 } else { BLOCK - over }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_sums_up_and_files_fill_whole_blocks() {
        let block = header("posts/000001.json", 1_234, 1_700_000_000);
        assert_eq!(
            (block.len(), &block[..17], &block[257..263]),
            (512, &b"posts/000001.json"[..], &b"ustar\0"[..])
        );
        assert_eq!(&block[124..135], b"00000002322");
        let given = std::str::from_utf8(&block[148..154]).unwrap();
        let blanks = 8 * 32;
        let rest: u32 = block[..148].iter().chain(&block[156..]).map(|byte| u32::from(*byte)).sum();
        assert_eq!(u32::from_str_radix(given, 8).unwrap(), rest + blanks);
        assert_eq!(
            (padding(0).len(), padding(1).len(), padding(512).len(), padding(1_025).len()),
            (0, 511, 0, 511)
        );
    }
}
