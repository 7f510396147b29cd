//! Where every engine writes what happened: a ring that a gateway's thread would read.

/// What a report says.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub(crate) enum Kind {
    Trade,
    Rested,
    Replaced,
    Cancelled,
    Level,
}

/// Reports of six words each; the oldest are overwritten. Counts trades, so that engines can be compared.
#[derive(Debug)]
pub(crate) struct Ring {
    slots: Vec<[u64; 6]>,
    next: usize,
    pub(crate) trades: u64,
    pub(crate) volume: u64,
    /// Requests that an engine did not do, though the order was live.
    pub(crate) refused: u64,
}

impl Ring {
    pub(crate) fn new() -> Self {
        Self { slots: vec![[0; 6]; 4096], next: 0, trades: 0, volume: 0, refused: 0 }
    }

    /// A small ring that nobody reads, for dry runs.
    pub(crate) fn idle() -> Self {
        Self { slots: vec![[0; 6]; 1], next: 0, trades: 0, volume: 0, refused: 0 }
    }

    #[inline]
    pub(crate) fn report(&mut self, kind: Kind, words: [u64; 5]) {
        let [a, b, c, d, e] = words;
        let at = self.next & (self.slots.len() - 1);
        self.slots[at] = [kind as u64, a, b, c, d, e];
        self.next = self.next.wrapping_add(1);
    }

    #[inline]
    pub(crate) fn trade(&mut self, maker: u64, taker: u64, price: u64, quantity: u64, left: u64) {
        self.report(Kind::Trade, [maker, taker, price, quantity, left]);
        self.trades += 1;
        self.volume += quantity;
    }
}
