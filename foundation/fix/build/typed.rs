//! Emits the typed messages.

use crate::read::Dictionary;

pub(crate) fn emit(_dictionary: &Dictionary) -> String {
    String::new()
}
