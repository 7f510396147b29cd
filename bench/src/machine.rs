//! Says what a run ran on: processor, cores, memory, kernel, file system, load and commit. A ratio travels between
//! machines better than a rate, but neither travels without this. Reads Linux's `/proc`; what it cannot read it leaves "unknown".

use std::path::Path;
use std::process::Command;

/// What a run ran on.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    virtual_machine: bool,
    memory_gib: u64,
    kernel: String,
    /// The file system under the data directory: type, device, options.
    filesystem: String,
    /// Runnable processes averaged over the last minute, before the run: above 0.5 somebody else is working.
    load: String,
    /// The product's commit, with `+` when the tree had changes.
    commit: String,
    rustc: String,
    /// UTC, to the second.
    date: String,
}

impl Machine {
    /// Describes this machine; `data` is where the benchmarks write.
    pub(crate) fn describe(data: &Path) -> Self {
        let cpuinfo = read("/proc/cpuinfo");
        let flags = field(&cpuinfo, "flags").unwrap_or_default();
        Self {
            cpu: field(&cpuinfo, "model name").unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            virtual_machine: flags.split(' ').any(|flag| flag == "hypervisor"),
            memory_gib: memory_gib(&read("/proc/meminfo")),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            filesystem: filesystem(&read("/proc/self/mountinfo"), data).unwrap_or_else(unknown),
            load: read("/proc/loadavg").split(' ').next().map_or_else(unknown, str::to_owned),
            commit: commit(),
            rustc: output("rustc", &["--version"]).unwrap_or_else(unknown),
            date: output("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"]).unwrap_or_else(unknown),
        }
    }

    /// The date and time in a form that suits a file's name.
    pub(crate) fn file_stamp(&self) -> String {
        self.date.chars().filter(|c| *c != ':').collect::<String>().replace('T', "-").replace('Z', "")
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.virtual_machine { " (virtual)" } else { "" };
        writeln!(f, "machine  {}, {} cores{kind}, {} GiB", self.cpu, self.cores, self.memory_gib)?;
        writeln!(f, "         Linux {}, {}", self.kernel, self.filesystem)?;
        write!(f, "         {} · {} · {} · load {}", self.date, self.commit, self.rustc, self.load)
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// The first line `name : value` of a `/proc` file.
fn field(text: &str, name: &str) -> Option<String> {
    let (_, value) =
        text.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.trim() == name)?;
    Some(value.trim().to_owned())
}

fn memory_gib(meminfo: &str) -> u64 {
    let kib = field(meminfo, "MemTotal").and_then(|total| total.split(' ').next()?.parse::<u64>().ok());
    kib.unwrap_or(0).div_ceil(1024 * 1024)
}

/// The mount with the longest mount point above `path`, from `mountinfo` (see proc(5)).
fn filesystem(mountinfo: &str, path: &Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    let mounts = mountinfo.lines().filter_map(|line| {
        let (place, source) = line.split_once(" - ")?;
        Some((place.split(' ').nth(4)?, place.split(' ').nth(5)?, source))
    });
    let (_, options, source) =
        mounts.filter(|(point, ..)| path.starts_with(point)).max_by_key(|(point, ..)| point.len())?;
    let mut source = source.split(' ');
    Some(format!("{} on {} ({options})", source.next()?, source.next()?))
}

fn commit() -> String {
    let Some(commit) = output("git", &["rev-parse", "--short=10", "HEAD"]) else { return unknown() };
    let changed = output("git", &["status", "--porcelain", "--untracked-files=no"]).is_some();
    format!("{commit}{}", if changed { "+" } else { "" })
}

/// What a command prints, if it prints anything and succeeds.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_mount_above_a_path_is_named() {
        let here = std::env::current_dir().expect("a working directory");
        let mounts = format!(
            "1 0 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n\
             2 1 8:2 / {} rw,noatime shared:2 - xfs /dev/deep rw\n\
             3 1 8:3 / /elsewhere rw shared:3 - btrfs /dev/other rw\n",
            here.display()
        );
        assert_eq!(filesystem(&mounts, &here).as_deref(), Some("xfs on /dev/deep (rw,noatime)"));
    }

    #[test]
    fn memory_is_rounded_up_to_whole_gibibytes() {
        assert_eq!(memory_gib("MemTotal:       24689012 kB\nMemFree: 1 kB\n"), 24);
    }
}
