//! Shrinks a failing history: removes stretches, then single steps, as long as what is left still fails.

/// The shortest history found that still fails.
pub(crate) fn shortest<T: Clone>(mut history: Vec<T>, fails: impl Fn(&[T]) -> bool) -> Vec<T> {
    let mut stretch = history.len() / 2;
    while stretch > 0 {
        let mut start = 0;
        let mut removed = false;
        while start < history.len() {
            let end = (start + stretch).min(history.len());
            let mut without = history.clone();
            without.drain(start..end);
            if fails(&without) {
                history = without;
                removed = true;
            } else {
                start = end;
            }
        }
        if !removed || stretch > 1 {
            stretch /= 2;
        }
    }
    history
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_needed_stays() {
        let history: Vec<u32> = (0..1000).collect();
        let fails = |history: &[u32]| history.contains(&17) && history.contains(&803);
        assert_eq!(shortest(history, fails), [17, 803]);
    }
}
