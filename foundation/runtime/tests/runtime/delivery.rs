//! Messages between partitions: each applied once and in order, whatever stops in between.

use std::sync::Arc;

use decalog_log::Durability;
use decalog_runtime::{Origin, Setup, Switchboard, System, partition_id};

use crate::ledger::{Command, Ledger, Reply};
use crate::stand::{PARTITIONS, SYSTEM, Stand, points, until};

fn send(system: &System<Ledger>, from: usize, points: u64, to: u16) -> Reply {
    let to = partition_id(SYSTEM, to).0;
    let command = Command::Send { account: 1, points, to };
    system.partition(from).submit_blocking(Origin::default(), &command).unwrap().reply
}

#[test]
fn points_sent_arrive_once_at_every_durability() {
    for durability in [Durability::Fsync, Durability::Os] {
        let mut stand = Stand::new();
        stand.config.durability = durability;
        let system = stand.start();
        for index in 0..usize::from(PARTITIONS) {
            let deposit = Command::Deposit { account: 1, points: 1000 };
            system.partition(index).submit_blocking(Origin::default(), &deposit).unwrap();
        }
        for round in 0..50_u16 {
            for from in 0..PARTITIONS {
                // To everybody, itself included.
                assert!(matches!(
                    send(&system, from.into(), 1, (from + round) % PARTITIONS),
                    Reply::Points(_)
                ));
            }
        }
        let all = |system: &System<Ledger>| -> Vec<u64> {
            system.partitions().iter().map(|partition| points(partition, 1).unwrap()).collect()
        };
        until("every point has arrived", || all(&system) == [1000; PARTITIONS as usize]);
        system.shutdown();
        let system = stand.start();
        assert_eq!(all(&system), [1000; PARTITIONS as usize]);
        system.shutdown();
    }
}

#[test]
fn what_was_sent_to_a_partition_that_is_away_arrives_when_it_returns() {
    let stand = Stand::new();
    let log = stand.log();
    let switchboard = Arc::new(Switchboard::new());
    let start = |system: u16, count| {
        let setup =
            Setup { log: log.clone(), switchboard: switchboard.clone(), ..stand.setup_on(log.clone()) };
        System::start(setup, system, count).unwrap()
    };
    let here = start(1, 2);
    let there = partition_id(2, 0).0;
    let submit =
        |command: &Command| here.partition(0).submit_blocking(Origin::default(), command).unwrap().reply;
    submit(&Command::Deposit { account: 1, points: 10 });
    for left in [8, 6, 4] {
        assert_eq!(submit(&Command::Send { account: 1, points: 2, to: there }), Reply::Points(left));
    }
    let away = start(2, 1);
    until("the messages", || points(away.partition(0), 1) == Some(6));
    submit(&Command::Send { account: 1, points: 1, to: there });
    until("the last message", || points(away.partition(0), 1) == Some(7));
    let applied = away.partition(0).status().applied;
    // Its records: four messages, each taken once; acknowledged, nothing is sent again by a restart of the source.
    until("acknowledgements", || here.partition(0).status().applied >= 5 + 2);
    drop(here);
    let here = start(1, 2);
    assert_eq!(points(here.partition(0), 1), Some(3));
    drop(here);
    assert_eq!(points(away.partition(0), 1), Some(7));
    assert!(away.partition(0).status().applied >= applied);
}
