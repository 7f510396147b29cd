//! `decalog routes`: every route of the public listener and what it asks for, as the table in docs/routes.md.

use std::fmt::Write as _;
use std::process::ExitCode;

use crate::config::Config;
use crate::front;

pub(super) fn run() -> ExitCode {
    crate::serve::say(table().trim_end());
    ExitCode::SUCCESS
}

/// The table in Markdown, a section for each system.
fn table() -> String {
    let mut page = String::new();
    for (system, routes) in front::tables(&Config::default()) {
        // Writing into a string does not fail.
        let _ = write!(page, "## {system}\n\n| route | needs | counted as |\n| --- | --- | --- |\n");
        for route in routes {
            let _ = writeln!(
                page,
                "| `{} {}` | {} | {} |",
                route.method, route.path, route.access, route.class.0
            );
        }
        page.push('\n');
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_the_table() {
        let page = include_str!("../../../docs/routes.md");
        assert!(page.contains(table().trim_end()), "put this into docs/routes.md:\n{}", table());
    }

    #[test]
    fn every_route_is_described() {
        for public in [true, false] {
            let mut config = Config::default();
            config.exchange.feed.public = public;
            let document = front::document(&config).unwrap();
            let described: usize = document["paths"]
                .as_object()
                .unwrap()
                .values()
                .map(|item| item.as_object().unwrap().len())
                .sum();
            let ours = front::tables(&config).into_iter().filter(|(system, _)| *system != "feed");
            let declared: usize = ours.map(|(_, routes)| routes.len()).sum();
            assert_eq!(described, declared);
        }
    }
}
