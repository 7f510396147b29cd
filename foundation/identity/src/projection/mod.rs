//! Read models fed by events: who may what at this moment, which can be thrown away and rebuilt; and the audit trail,
//! which outlives the log.

pub mod audit;
pub mod principals;
pub mod trail;
