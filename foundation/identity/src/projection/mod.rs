//! Read models fed by events: who may what at this moment, and the audit trail. Both can be thrown away and rebuilt.

pub mod audit;
pub mod principals;
pub mod replay;
