//! Notifications by how close who caused them is, and how much they ask.

use decalog_learn::exact::exp;

use crate::state::{Notification, Relation};
use crate::value::{NotificationKind, SECOND};

/// Nanoseconds in which a notification counts half. All alike, so that their order never changes by waiting.
const HALF_LIFE: f64 = 86_400.0 * SECOND as f64;

/// How far up a notification stands: what asks for an answer before what pleases; friends before strangers.
pub fn closeness(told: &Notification, relation: &Relation, affinity: u32, now: i64) -> f64 {
    let asks = match told.kind {
        NotificationKind::Mention | NotificationKind::AdminReport => 4.0,
        NotificationKind::FollowRequest | NotificationKind::Quote => 3.0,
        NotificationKind::Status | NotificationKind::Follow => 2.0,
        NotificationKind::Reblog => 1.5,
        NotificationKind::Favourite | NotificationKind::Poll | NotificationKind::AdminSignUp => 1.0,
        NotificationKind::Update | NotificationKind::QuotedUpdate => 0.5,
    };
    let following = if relation.following.is_some() { 2.0 } else { 1.0 };
    let mutual = if relation.followed_by && relation.following.is_some() { 1.5 } else { 1.0 };
    let liked = 1.0 + decalog_learn::exact::ln(1.0 + f64::from(affinity));
    let age = now.saturating_sub(told.at).max(0) as f64 / HALF_LIFE;
    asks * following * mutual * liked * exp(-age * std::f64::consts::LN_2)
}
