//! Large tables on large pages. Orders of a deep book lie strewn over tens of megabytes; with small pages most of them are
//! a miss in the processor's table of pages before they are a miss in its cache. It is only a hint: what the tables hold, and
//! so what the engine decides, does not depend on it.

use rustix::mm::{Advice, madvise};

/// A large page.
const LARGE: usize = 2 << 20;
/// The unit that a hint is given for.
const PAGE: usize = 4 << 10;

/// An empty vector for so many values. Memory worth large pages gets them when it is first written.
pub(super) fn with_capacity<T>(capacity: usize) -> Vec<T> {
    let mut memory = Vec::with_capacity(capacity);
    advise(&mut memory);
    memory
}

/// So many zeroes.
pub(super) fn zeroes(count: usize) -> Vec<u64> {
    let mut memory = vec![0; count];
    advise(&mut memory);
    memory
}

/// Makes room for as many values again, where growing in place would keep the small pages.
#[cold]
pub(super) fn double<T: Copy>(values: &mut Vec<T>) {
    let mut larger = with_capacity(values.capacity().max(4) * 2);
    larger.extend_from_slice(values);
    *values = larger;
}

#[expect(unsafe_code, reason = "the kernel is told where memory lies; nobody reads or writes it here")]
fn advise<T>(memory: &mut Vec<T>) {
    let bytes = memory.capacity() * size_of::<T>();
    if bytes < LARGE {
        return;
    }
    let start = memory.as_mut_ptr().cast::<u8>();
    let skipped = start.align_offset(PAGE);
    let length = bytes.saturating_sub(skipped) / PAGE * PAGE;
    // SAFETY: the range lies within the vector's allocation, and this advice changes no byte of it.
    let advised = unsafe { madvise(start.add(skipped).cast(), length, Advice::LinuxHugepage) };
    // A kernel without large pages says so; small ones do as well.
    let _ = advised;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_grows_and_keeps_what_it_holds() {
        let mut values: Vec<u64> = with_capacity(1);
        for value in 0..1_000_000 {
            if values.len() == values.capacity() {
                double(&mut values);
            }
            values.push(value);
        }
        assert!(values.iter().copied().eq(0..1_000_000));
        assert!(zeroes(1 << 20).iter().all(|value| *value == 0));
    }

    /// As the kernel tells it: `hg` among the flags of the mapping.
    #[test]
    fn large_tables_are_advised_and_small_ones_are_not() {
        let large: Vec<u64> = with_capacity(8 << 20);
        let maps = std::fs::read_to_string("/proc/self/smaps").expect("Linux tells");
        let inside = large.as_ptr() as usize + LARGE;
        let mut flags = None;
        let mut is_ours = false;
        for line in maps.lines() {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            let bounds = range.and_then(|(from, to)| {
                Some((usize::from_str_radix(from, 16).ok()?, usize::from_str_radix(to, 16).ok()?))
            });
            if let Some((from, to)) = bounds {
                is_ours = (from..to).contains(&inside);
            } else if let (true, Some(words)) = (is_ours, line.strip_prefix("VmFlags:")) {
                flags = Some(words.split_whitespace().any(|word| word == "hg"));
            }
        }
        assert!(flags.expect("the table's mapping"), "no hint was given");
    }
}
