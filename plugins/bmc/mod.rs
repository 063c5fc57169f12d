//! What the backends of BMCs share, whatever these speak: where one is and who we are to it, pauses, the verbs of power, changes
//! of the BMC itself.

pub(crate) mod change;
pub(crate) mod network;
pub(crate) mod pauses;
pub(crate) mod place;
pub(crate) mod power;
