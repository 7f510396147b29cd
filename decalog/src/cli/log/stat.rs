//! `decalog log stat`: what a journal holds, by segment and by partition.

use std::process::ExitCode;

use decalog_log::inspect::{SegmentUse, Stat};
use serde_json::json;

use super::Place;
use super::records::partition_name;

pub(super) fn run(at: &Place) -> anyhow::Result<ExitCode> {
    let stat = at.inspection()?.stat().map_err(|error| at.failure(error))?;
    if at.json {
        println!("{}", as_json(&stat));
    } else {
        print!("{}", as_text(&stat));
    }
    Ok(ExitCode::SUCCESS)
}

fn use_name(used_as: SegmentUse) -> &'static str {
    match used_as {
        SegmentUse::Finished => "finished",
        SegmentUse::Active => "active",
        SegmentUse::Prepared => "prepared",
    }
}

fn as_json(stat: &Stat) -> serde_json::Value {
    let segments: Vec<_> = stat
        .segments
        .iter()
        .map(|segment| {
            json!({
                "segment": segment.segment, "use": use_name(segment.used_as), "bytes": segment.bytes,
                "written": segment.written, "batches": segment.batches, "records": segment.records,
                "partitions": segment.partitions,
            })
        })
        .collect();
    let partitions: Vec<_> = stat
        .partitions
        .iter()
        .map(|partition| {
            json!({
                "partition": partition.partition.0, "name": partition_name(partition.partition),
                "first": partition.first, "next": partition.next, "batches": partition.batches,
                "bytes": partition.bytes, "oldest_segment": partition.oldest_segment,
            })
        })
        .collect();
    json!({ "segments": segments, "partitions": partitions })
}

fn as_text(stat: &Stat) -> String {
    let mut text = format!(
        "{:>8} {:<9} {:>12} {:>12} {:>10} {:>10}\n",
        "segment", "use", "bytes", "written", "batches", "records"
    );
    for segment in &stat.segments {
        text += &format!(
            "{:>8} {:<9} {:>12} {:>12} {:>10} {:>10}\n",
            segment.segment,
            use_name(segment.used_as),
            segment.bytes,
            segment.written,
            segment.batches,
            segment.records
        );
    }
    text += &format!(
        "\n{:<20} {:>12} {:>12} {:>10} {:>12} {:>14}\n",
        "partition", "first", "next", "batches", "bytes", "oldest segment"
    );
    for partition in &stat.partitions {
        let oldest = partition.oldest_segment.map_or_else(|| "-".to_owned(), |segment| segment.to_string());
        text += &format!(
            "{:<20} {:>12} {:>12} {:>10} {:>12} {:>14}\n",
            partition_name(partition.partition),
            partition.first,
            partition.next,
            partition.batches,
            partition.bytes,
            oldest
        );
    }
    text
}
